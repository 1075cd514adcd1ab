"""A seed's folder made by hand, and two small servers that answer as Weaviate and the provider do: what the judge is tried on.

It is without a defect until a test puts one in. Times count from ``START``, in seconds.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from tests.faults.nemesis.judge import SeedOutcome, judge_seed
from tests.faults.nemesis.judge.outcome import MUST_BE_ZERO

START = 1_700_000_000.0
LIVE, SHADOW = "Docs", "Docs_new"
OLD, NEW = "old-model", "new-model"
SPACE = {LIVE: f"openai/{OLD}@16", SHADOW: f"cohere/{NEW}@16"}
MODEL = {LIVE: OLD, SHADOW: NEW}
FROZEN, FLIPPED = 60.0, 61.0
Properties = Mapping[str, Any]


def key_of(number: int) -> str:
    return str(uuid.UUID(int=number << 64, version=4))


@cache
def vector_of(model: str, text: str) -> list[float]:
    seed = int.from_bytes(hashlib.blake2b(f"{model} {text}".encode(), digest_size=8).digest())
    drawn = np.random.default_rng(seed).standard_normal(16)
    return [float(number) for number in drawn / np.linalg.norm(drawn)]


def similarity(model: str, query: str, text: str) -> float:
    return float(np.dot(vector_of(model, query), vector_of(model, text)))


class MadeUpSeed:
    """Its rows, which ``save`` writes; its collections, which the servers show."""

    def __init__(self, path: Path, url: str, objects: int = 40) -> None:
        self.path = path
        self.texts = {key_of(number): f"text {number}" for number in range(objects)}
        self.corpus = [{"uuid": key, "properties": {"body": text, "views": 1}} for key, text in self.texts.items()]
        self.stored: dict[str, dict[str, dict[str, Any]]] = {LIVE: {}, SHADOW: {}}
        self.hidden: set[str] = set()
        self.apps: dict[str, list[dict[str, Any]]] = {"app-0.jsonl": [], "app-1.jsonl": []}
        self.phases = _phases()
        self.injections = [_injection("kill_app", "backfill"), _injection("proxy_cut", "retire")]
        self.stages: list[dict[str, Any]] = [_stage("backfill", 3, 9), _stage("verify_parity", 10, 12)]
        self.embeds: list[dict[str, Any]] = []
        self.more: dict[str, Any] = {}
        self.seed: dict[str, Any] = {
            "seed": 7,
            "ledger": "sqlite",
            "runner": "steps",
            "pin": LIVE,
            "live": LIVE,
            "shadow": SHADOW,
            "dropped": [],
            "weaviate_url": url,
            "recipe": ["body"],
            "corpus": "corpus.jsonl",
            "histories": [*self.apps],
            "models": {
                "old": {"name": OLD, "api": "openai", "base_url": f"{url}/openai", "api_key": "k"},
                "new": {"name": NEW, "api": "cohere", "base_url": f"{url}/cohere", "api_key": "k"},
            },
            "quarantine_s": 3.0,
            "longest_stall_s": 0.1,
            "ended": True,
            "failure": "",
        }
        for row in self.corpus:
            self.store(row["uuid"], row["properties"])
        self.embeds.append(self.paid(4, list(self.texts.values())))
        self._traffic()

    # --- what happened

    def store(self, key: str, properties: Properties | None, *, only: str = "") -> None:
        """In both collections, each with its own model's vector; ``None`` deletes."""
        for collection in [only] if only else [LIVE, SHADOW]:
            self.stored[collection].pop(key, None)
            if properties is not None:
                vector = vector_of(MODEL[collection], str(properties["body"]))
                self.stored[collection][key] = {"id": key, "properties": dict(properties), "vector": vector}

    def wrote(
        self, at: float, op: str, key: str, content: Properties | None, outcome: str | None = "ok", *, app: str = "app-0.jsonl"
    ) -> None:
        """Only the history: what became of it is ``store``'s. Without an outcome it was killed before the answer."""
        name = f"w{len(self.apps[app])}-{app}"
        self.apps[app].append({"id": name, "op": op, "uuid": key, "content": content, "invoked": START + at})
        if outcome:
            self.apps[app].append({"id": name, "answered": START + at + 0.1, "outcome": outcome})

    def searched(self, at: float, *, app: str = "app-0.jsonl", **given: Any) -> dict[str, Any]:
        """Of the live collection, with scores as they must be, if nothing else is given. The row, to be bent."""
        collection, query = given.pop("collection", LIVE), given.pop("query", "what?")
        row = {
            "op": "search",
            "ok": True,
            "key": "user-1",
            "query": query,
            "invoked": START + at,
            "answered": START + at + 0.05,
            "arm": "live",
            "reason": "no_migration",
            "version": 1,
            "collection": collection,
            "space": SPACE[collection],
            "hits": [[key, similarity(MODEL[collection], query, text)] for key, text in list(self.texts.items())[:3]],
            **given,
        }
        self.apps[app].append(row)
        return row

    def failed(self, at: float, error: str = "weaviate did not answer", *, app: str = "app-0.jsonl") -> None:
        row = {"op": "search", "ok": False, "key": "user-1", "query": "what?", "error": error}
        self.apps[app].append({**row, "invoked": START + at, "answered": START + at + 1})

    def controlled(self, at: float, *, ok: bool = True, app: str = "app-0.jsonl") -> None:
        row = {"op": "control", "invoked": START + at, "answered": START + at + 0.1, "ok": ok, "error": "" if ok else "reset"}
        self.apps[app].append(row)

    def paid(self, at: float, texts: list[str], **given: Any) -> dict[str, Any]:
        row = {"at": START + at, "api": "cohere", "model": NEW, "input_type": "search_document", "status": 200, "billed": True}
        return {**row, "texts": texts, **given}

    def line(self, app: str, wanted: Mapping[str, Any]) -> str:
        """Where a row of a history stands."""
        return f"{app}:{next(i for i, row in enumerate(self.apps[app], 1) if row is wanted)}"

    def _traffic(self) -> None:
        """Every half second until after the flip: writes, answered searches on the arm that was asked for, control calls."""
        for half in range(0, 140):
            at = half / 2
            for app in self.apps:
                self.controlled(at, app=app)
            version, percent, mode = _in_force(at)
            for number in range(4):
                user = half * 4 + number
                on_shadow = mode == "dual" and user % 100 < percent
                retired = at > FLIPPED
                self.searched(
                    at + 0.1,
                    app=f"app-{number % 2}.jsonl",
                    key=f"user-{user}",
                    version=version,
                    collection=SHADOW if on_shadow or retired else LIVE,
                    arm="shadow" if on_shadow else "live",
                    reason="percent" if mode == "dual" else "no_migration",
                )
        content = {"body": "new", "views": 1}
        for at, number in ((5.0, 1000), (64.0, 1001)):
            self.wrote(at, "put", key_of(number), content)
            self.store(key_of(number), content, only=SHADOW if at > FLIPPED else "")
        changed, gone = list(self.texts)[-1], list(self.texts)[-2]
        self.wrote(6.0, "update", changed, {"body": "changed"}, app="app-1.jsonl")
        self.store(changed, {"body": "changed", "views": 1})
        self.wrote(7.0, "delete", gone, None, app="app-1.jsonl")
        self.store(gone, None)

    def save(self) -> Path:
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "seed.json").write_text(json.dumps(self.seed))
        files = {"corpus": self.corpus, "phases": self.phases, "injections": self.injections, "stages": self.stages}
        histories = {name.removesuffix(".jsonl"): rows for name, rows in self.apps.items()}
        for name, rows in {**files, **histories, "embeds": self.embeds}.items():
            (self.path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for name, document in self.more.items():
            (self.path / name).write_text(json.dumps(document))
        return self.path


ROUTINGS = (
    # at, version, mode, percent, authority, phase
    (0.0, 1, "live_only", 0, LIVE, "shadow_created"),
    (2.0, 2, "dual", 0, LIVE, "dual_writing"),
    (15.0, 3, "dual", 25, LIVE, "serving"),
    (35.0, 4, "dual", 0, LIVE, "rolled_back"),
    (40.0, 5, "dual", 100, LIVE, "serving"),
    (FROZEN, 6, "freeze", 100, LIVE, "serving"),
    (FLIPPED, 7, "live_only", 0, SHADOW, "retired"),
)


def _in_force(at: float) -> tuple[int, int, str]:
    """Version, percent and mode by which a query of that time is routed; the freeze changes nothing for it."""
    version, mode, percent = next((v, m, p) for began, v, m, p, _, _ in reversed(ROUTINGS) if began <= at)
    return version, percent, "dual" if mode == "freeze" else mode


def _phases() -> list[dict[str, Any]]:
    rows = []
    for at, version, mode, percent, authority, phase in ROUTINGS:
        row = {"at": START + at, "phase": phase, "mode": mode, "percent": percent, "routing_version": version}
        row |= {"authority": authority, "event": "routing: as the test has it"}
        rows.append({**row, "acknowledged_at": START + at + 0.05} if phase == "rolled_back" else row)
    return rows


def _injection(fault: str, phase: str) -> dict[str, Any]:
    more = {"target": "app-0", "began": START + 4, "ended": START + 5, "witnessed": True, "witness": {"exit": -9}}
    return {"id": f"{fault}-{phase}", "fault": fault, "phase": phase, **more}


def _stage(name: str, began: float, ended: float) -> dict[str, Any]:
    return {"stage": name, "began": START + began, "ended": START + ended, "exit": 0, "killed": False}


class Servers:
    """Weaviate's and both providers' addresses of one made-up seed, which is set when it is made."""

    def __init__(self) -> None:
        self.seed: MadeUpSeed | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[Servers]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def get(self, path: str, asked: Mapping[str, list[str]]) -> Any:
        assert self.seed is not None
        if path == "/v1/meta":
            return {"version": "1.2.3"}
        if path == "/v1/schema":
            return {"classes": [{"class": name} for name in self.seed.stored]}
        after, limit = asked.get("after", [""])[0], int(asked["limit"][0])
        objects = self.seed.stored[asked["class"][0]]
        return {"objects": [objects[key] for key in sorted(objects) if key > after][:limit]}

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        if path == "/openai/embeddings":
            vectors = [vector_of(body["model"], text) for text in body["input"]]
            return {"data": [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]}
        if path == "/cohere/v2/embed":
            return {"embeddings": {"float": [vector_of(body["model"], text) for text in body["texts"]]}}
        return {"data": self._graphql(body["query"])}

    def _graphql(self, query: str) -> Any:
        assert self.seed is not None
        counted = re.search(r"Aggregate { (\w+)", query)
        if counted:
            return {"Aggregate": {counted[1]: [{"meta": {"count": len(self.seed.stored[counted[1]])}}]}}
        (collection,) = re.findall(r"Get { (\w+)\(", query)
        asked = json.loads(re.search(r"valueText: (\[.*?\])", query)[1])  # type: ignore[index]
        found = [key for key in asked if key in self.seed.stored[collection] and key not in self.seed.hidden]
        return {"Get": {collection: [{"_additional": {"id": key}} for key in found]}}


def _handler(servers: Servers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            self._answer(servers.get(url.path, parse_qs(url.query)))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(servers.post(urlsplit(self.path).path, body))

        def _answer(self, document: Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    return Handler


def judged(made: MadeUpSeed) -> SeedOutcome:
    return judge_seed(made.save())


def only(outcome: SeedOutcome, **counts: int) -> None:
    """Exactly these defects, and of nothing else that must be zero any."""
    found = {kind: getattr(outcome, kind) for kind in MUST_BE_ZERO if getattr(outcome, kind)}
    assert found == counts, outcome.defects
