"""A plain client beside the Router: it asks the authority directly, so that what the Router could not answer can be told from
what nobody could have."""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from vecferry.sandbox.traffic.history import History

TIMEOUT_S = 5.0
"""Half of what a search of the Router may take: that is what live is left with after a shadow that hung."""
DIMENSIONS = 384
"""Of every sandbox model. Their module is slow to import, and this runs in the application."""
Authority = dict[str, str]
STOOD_STILL_S = 2.0
"""A wait of half a second that takes so long was no wait: nothing ran."""
_EVERY_S = 0.5


class ControlClient:
    """Twice a second one embedding at the provider, and twice a second one near-vector search at the store: side by side, so
    that one that hangs does not keep the other from testifying. ``authority`` is a JSON file with ``collection, api, model,
    base_url, api_key, weaviate_url``, read anew each time."""

    def __init__(self, authority: Path, history: History, queries: Sequence[str]) -> None:
        self._authority = authority
        self._history = history
        self._queries = queries
        self._dice = random.Random(1)
        self._stop = threading.Event()
        asking = {"provider": self._embed, "store": self._search}
        self._threads = [threading.Thread(target=self._ask_on, args=each, daemon=True) for each in asking.items()]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask_on(self, of: str, ask: Callable[[httpx.Client, Authority], None]) -> None:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as http:
            while not self._waited(of):
                self._history.note({"op": "control", "of": of, **self._asked(http, ask)})

    def _waited(self, of: str) -> bool:
        """Whether it is to end. A process that was stopped meanwhile could have been answered by nobody: noted too."""
        began = time.time()
        stop = self._stop.wait(_EVERY_S)
        ended = time.time()
        if ended - began > STOOD_STILL_S:
            error = f"this process stood still for {ended - began:.1f} s"
            self._history.note({"op": "control", "of": of, "invoked": began, "answered": ended, "ok": False, "error": error})
        return stop

    def _asked(self, http: httpx.Client, ask: Callable[[httpx.Client, Authority], None]) -> dict[str, Any]:
        invoked = time.time()
        try:
            ask(http, json.loads(self._authority.read_text()))
            error = ""
        except Exception as failed:
            error = f"{type(failed).__name__}: {failed}"
        answered = time.time()
        error = error or ("too slow" if answered - invoked > TIMEOUT_S else "")
        return {"invoked": invoked, "answered": answered, "ok": not error, "error": error}

    def _embed(self, http: httpx.Client, authority: Authority) -> None:
        _embedded(http, authority, self._dice.choice(self._queries))

    @staticmethod
    def _search(http: httpx.Client, authority: Authority) -> None:
        """By a vector of its own, which is as good as any to learn whether the store answers."""
        _found(http, authority, [1.0] * DIMENSIONS)


def _embedded(http: httpx.Client, authority: Authority, text: str) -> None:
    headers = {"Authorization": f"Bearer {authority['api_key']}"}
    if authority["api"] == "openai":
        path, body = "/embeddings", {"model": authority["model"], "input": [text]}
    else:
        path = "/v2/embed"
        body = {"model": authority["model"], "texts": [text], "input_type": "search_query", "embedding_types": ["float"]}
    answer = http.post(authority["base_url"] + path, json=body, headers=headers).raise_for_status().json()
    (vector,) = [row["embedding"] for row in answer["data"]] if authority["api"] == "openai" else answer["embeddings"]["float"]
    finite = all(math.isfinite(float(number)) for number in vector)
    if len(vector) != DIMENSIONS or not finite:
        raise RuntimeError(f"{len(vector)} numbers, finite: {finite}")


def _found(http: httpx.Client, authority: Authority, vector: Sequence[float]) -> None:
    near = f"nearVector: {{vector: {json.dumps(vector)}}}"
    query = f"{{ Get {{ {authority['collection']}(limit: 10, {near}) {{ _additional {{ id }} }} }} }}"
    body = http.post(f"{authority['weaviate_url']}/v1/graphql", json={"query": query}).raise_for_status().json()
    if body.get("errors"):
        raise RuntimeError(body["errors"][0]["message"])
