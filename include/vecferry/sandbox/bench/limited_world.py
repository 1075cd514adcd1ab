"""A provider with limits, and processes that embed with them: backfill workers, and one that only asks queries.

``python -m vecferry.sandbox.bench.limited_world LEDGER_URL PROVIDER_URL NAME LIMITS`` is one such process: it says when it is
ready, embeds until its input is closed, and prints how many queries its limiter delayed.
"""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from vecferry.adapters.embedders.credentials import Credentials
from vecferry.adapters.embedders.embedders import ProviderEmbedders
from vecferry.adapters.embedders.limiting import Limiter, SharedLimiter, Turn
from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.system_clock import SystemClock
from vecferry.domain.capacity import Amounts, RateLimits
from vecferry.domain.catalogue import Catalogue, ModelCard
from vecferry.errors import NeedsPerson, Retryable
from vecferry.ports import Ledger, Purpose
from vecferry.sandbox.models import DIMENSIONS
from vecferry.sandbox.provider import ProviderState, running

MODEL, KEY, QUERY = "bench-limited", "bench-key", "query"
ROUTER = "router"
READY = "ready"
_PAGE, _THREADS, _CALL_S, _END_S = 40, 2, 30.0, 90.0


class OneVector:
    """A model that costs nothing."""

    name = MODEL

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        vectors[:, 0] = 1.0
        return vectors


@dataclass
class Request:
    at_s: float
    status: int
    tokens: int
    is_query: bool


class LimitedProvider:
    """With sliding minutes: no 60 s may hold more than the limit, whenever they begin."""

    def __init__(self, url: str, openai_url: str, limits: RateLimits) -> None:
        self._control = httpx.Client(base_url=url, timeout=10)
        self.openai_url = openai_url
        self.limits = limits
        given = {f"{name}_per_minute": limit for name, limit in limits._asdict().items() if limit is not None}
        self._control.post("/_limits", json={**given, "burst_s": 0}).raise_for_status()
        self._control.post("/_requests", json={"kept": True}).raise_for_status()

    def close(self) -> None:
        self._control.close()

    def say_wait(self, seconds: int) -> None:
        """To the next request of anybody."""
        fault = {"kind": "rate_limit", "retry_after_s": seconds, "times": 1}
        self._control.post("/_faults", json=fault).raise_for_status()

    def requests(self) -> list[Request]:
        return [_request(row) for row in self._control.get("/_requests").json()]

    def start(self, ledger_url: str, name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", __spec__.name, ledger_url, self.openai_url, name, json.dumps(self.limits)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, ledger_url: str, names: Sequence[str], during: Callable[[], None]) -> int:
        """What happens ``during`` them, all being ready; how many queries were delayed."""
        processes = [self.start(ledger_url, name) for name in names]
        try:
            ready = [process.stdout.readline() for process in processes if process.stdout]
            if any(line.strip() != READY for line in ready):
                raise NeedsPerson("a worker did not start", where=", ".join(names), next_action="Read its output above.")
            during()
            return sum(int(process.communicate(timeout=_END_S)[0]) for process in processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()


@contextmanager
def limited_provider(limits: RateLimits) -> Iterator[LimitedProvider]:
    with running(ProviderState({MODEL: OneVector()}, keys=(KEY,))) as address:
        provider = LimitedProvider(address.url, address.openai_url, limits)
        with closing(provider):
            yield provider


def _request(row: dict[str, Any]) -> Request:
    texts = row["texts"]
    tokens = sum(max(1, len(text) // 4) for text in texts)
    return Request(row["at"], row["status"], tokens, texts[0].startswith(QUERY))


class _Counting(SharedLimiter):
    """Counts the queries that did not go at once."""

    delayed = 0

    def attempt(self, purpose: Purpose, wanted: Amounts, left_s: float) -> Turn:
        turn = super().attempt(purpose, wanted, left_s)
        if purpose is Purpose.QUERY and (turn.wait_s > 0 or not turn.go):
            type(self).delayed += 1
        return turn


class _Embedders(ProviderEmbedders):
    def _shared(self, card: ModelCard, account: str) -> Limiter:
        assert self._ledger is not None
        return _Counting(card, account, self._ledger, self._clock)


def work(ledger: Ledger, provider_url: str, name: str, limits: RateLimits) -> int:
    """Embeds until the input is closed; how many queries were delayed."""
    card = ModelCard(
        "bench",
        MODEL,
        "openai",
        DIMENSIONS,
        requests_per_minute=limits.requests,
        tokens_per_minute=limits.tokens,
        inputs_per_minute=limits.inputs,
        base_url=provider_url,
        api_key_env="BENCH_KEY",
    )
    embedder = _Embedders(Catalogue((card,)), ledger, Credentials({"BENCH_KEY": KEY}), SystemClock()).of(card.space)
    stop = threading.Event()

    def ask_queries() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            with suppress(Retryable):
                embedder.embed_query(f"{QUERY} {number} of a user who wants to know", timeout_s=_CALL_S)
            time.sleep(0.25)

    def embed_pages(seed: int) -> None:
        rng = random.Random(f"{name} {seed}")
        while not stop.is_set():
            texts = [f"document {rng.random()} ".ljust(rng.randint(200, 600), "x") for _ in range(_PAGE)]
            with suppress(Retryable):
                embedder.embed_documents(texts, purpose=Purpose.BACKFILL, timeout_s=_CALL_S)

    targets = [ask_queries] if name == ROUTER else [lambda place=place: embed_pages(place) for place in range(_THREADS)]
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    print(READY, flush=True)
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join(2.0)  # what is under way is of no interest
    return _Counting.delayed


if __name__ == "__main__":
    ledger_url, provider_url, name, limits = sys.argv[1:]
    print(work(open_ledger(ledger_url), provider_url, name, RateLimits(*json.loads(limits))), flush=True)
