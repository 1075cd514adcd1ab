"""A loopback server that speaks both embedding APIs, one scripted answer at a time, and remembers every request."""

from __future__ import annotations

import base64
import json
import struct
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.catalogue import ModelCard


@dataclass(frozen=True)
class Reply:
    """One scripted answer. ``body`` instead of the right one; ``cut`` bytes are left out at its end."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: int = 0
    lose: int = 0
    value: float | None = None


OK = Reply()


class FakeProvider:
    """Answers with the memory embedder's vectors, unless ``script`` holds something else to say first.

    ``refused`` texts are refused wherever they are in a request; ``max_inputs`` refuses larger requests whole.
    """

    def __init__(self, dimensions: int = 32) -> None:
        self.script: deque[Reply] = deque()
        self.refused: set[str] = set()
        self.max_inputs = 10_000
        self.key = "right-key"
        self.dimensions = dimensions
        self.models: dict[str, dict[str, Any]] = {"small": {}}
        self.lists = True
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.arrived: list[float] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeProvider:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def card(self, api: str = "openai", **changes: Any) -> ModelCard:
        return ModelCard(**{"provider": api, "model": "small", "api": api, "dimensions": 32} | changes)

    def environment(self, **changes: str) -> dict[str, str]:
        """What an application would have in its environment to use this server."""
        return {
            "OPENAI_API_KEY": self.key,
            "OPENAI_BASE_URL": f"{self.url}/openai/v1",
            "CO_API_KEY": self.key,
            "CO_API_URL": f"{self.url}/cohere",
        } | changes

    def answer(self, path: str, key: str, body: dict[str, Any] | None) -> Reply:
        if self.script:
            scripted = self.script.popleft()
            if scripted.status >= 400 or scripted.body is not None:
                return scripted
        else:
            scripted = OK
        if key != f"Bearer {self.key}":
            return Reply(401, {"error": {"message": f"Incorrect API key provided: {key}"}, "message": f"invalid {key}"})
        right = self._models(path) if body is None else self._embeddings(path, body, scripted)
        return Reply(right.status, right.body, scripted.headers, scripted.delay_s, scripted.cut)

    def _models(self, path: str) -> Reply:
        if not self.lists:
            return Reply(404, {"error": {"message": "no such page"}, "message": "no such page"})
        if "/cohere/" in path:
            return Reply(body={"models": [{"name": name, **says} for name, says in self.models.items()]})
        shared = {"object": "model", "created": 0, "owned_by": "test"}
        return Reply(body={"object": "list", "data": [{"id": n, **shared, **says} for n, says in self.models.items()]})

    def _embeddings(self, path: str, body: dict[str, Any], scripted: Reply) -> Reply:
        texts = body.get("input") or body.get("texts") or []
        if body["model"] not in self.models:
            return _refusal(404, f"The model {body['model']} does not exist", "model_not_found")
        if len(texts) > self.max_inputs:
            return _refusal(400, f"at most {self.max_inputs} inputs, {len(texts)} given", "", "input")
        if self.refused & set(texts):
            return _refusal(400, "this text is against the policy", "", "input")
        vectors = [self._vector(body["model"], text, scripted) for text in texts][: len(texts) - scripted.lose]
        tokens = sum(len(text.split()) for text in texts)
        return Reply(body=_cohere(vectors, tokens) if "/cohere/" in path else _openai(vectors, tokens, body))

    def _vector(self, model: str, text: str, scripted: Reply) -> list[float]:
        space = ModelCard("fake", model, "openai", self.dimensions).space
        vector = list(vector_of(space, text))
        return vector if scripted.value is None else [scripted.value] * len(vector)


def _refusal(status: int, message: str, code: str, param: str | None = None) -> Reply:
    return Reply(status, {"error": {"message": message, "code": code or None, "param": param}, "message": message})


def _cohere(vectors: list[list[float]], tokens: int) -> dict[str, Any]:
    return {"id": "1", "embeddings": {"float": vectors}, "meta": {"billed_units": {"input_tokens": tokens}}}


def _openai(vectors: list[list[float]], tokens: int, body: dict[str, Any]) -> dict[str, Any]:
    packed = [base64.b64encode(struct.pack(f"<{len(v)}f", *v)).decode() for v in vectors]
    shown: list[Any] = packed if body.get("encoding_format") == "base64" else vectors
    # Backwards: only the index says which is which.
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(shown)][::-1]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": body["model"], "data": data, "usage": usage}


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of these tests; anything else is shown.

        Not only for the noise: a traceback printed by this thread parses source, and CPython 3.11.7 then fails a parse
        that another thread is in the middle of ("AST constructor recursion depth mismatch").
        """
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(provider: FakeProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def do_GET(self) -> None:
            self._serve(None)

        def _serve(self, body: dict[str, Any] | None) -> None:
            provider.requests.append((self.path, body or {}))
            provider.arrived.append(time.monotonic())
            reply = provider.answer(self.path, self.headers.get("Authorization", ""), body)
            time.sleep(reply.delay_s)
            content = json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) - reply.cut))
            self.end_headers()
            self.wfile.write(content[: len(content) - reply.cut])

        def log_message(self, *args: Any) -> None:
            return

    return Handler
