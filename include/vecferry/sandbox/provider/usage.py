"""Counts every request: the independent witness of who embedded how much with which model."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass

from vecferry.sandbox.provider.request import EmbedRequest


@dataclass
class Tally:
    """``inputs`` and ``tokens`` are the billed ones: those of requests that were embedded, whatever became of the answer."""

    requests: int = 0
    failed: int = 0
    inputs: int = 0
    tokens: int = 0

    def add(self, other: Tally) -> None:
        self.requests += other.requests
        self.failed += other.failed
        self.inputs += other.inputs
        self.tokens += other.tokens


@dataclass(frozen=True)
class Who:
    api: str
    model: str
    input_type: str
    key: str


class Usage:
    """``detailed`` also keeps each request with its texts: who wants to know what was embedded twice switches that on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.detailed = False
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._tallies: dict[Who, Tally] = defaultdict(Tally)
            self._statuses: Counter[str] = Counter()
            self._requests: list[dict[str, object]] = []

    def count(self, request: EmbedRequest, status: int, *, billed: bool) -> None:
        """``status`` is the one sent, or 0 when the connection was closed instead."""
        who = Who(request.api, request.model, request.input_type or "none", request.key)
        inputs, tokens = (len(request.texts), request.tokens) if billed else (0, 0)
        with self._lock:
            self._tallies[who].add(Tally(1, int(status != 200), inputs, tokens))
            self._statuses[str(status)] += 1
            if self.detailed:
                row = {**asdict(who), "at": time.time(), "status": status, "billed": billed, "texts": list(request.texts)}
                self._requests.append(row)

    def requests(self) -> list[dict[str, object]]:
        """Each since it was switched on or cleared, oldest first; ``at`` is when it was answered, in seconds since 1970."""
        with self._lock:
            return list(self._requests)

    def as_dict(self) -> dict[str, object]:
        with self._lock:
            tallies = {who: Tally(**asdict(tally)) for who, tally in self._tallies.items()}
            statuses = dict(self._statuses)
        models = sorted({who.model for who in tallies})
        return {
            "total": _by(tallies, lambda _: "total").get("total", asdict(Tally())),
            "by_model": _by(tallies, lambda who: who.model),
            "by_input_type": _by(tallies, lambda who: who.input_type),
            "by_model_and_input_type": {
                model: _by({w: t for w, t in tallies.items() if w.model == model}, lambda who: who.input_type)
                for model in models
            },
            "by_key": _by(tallies, lambda who: who.key),
            "by_api": _by(tallies, lambda who: who.api),
            "by_status": statuses,
        }


def masked(key: str | None) -> str:
    """Enough of a key to tell two apart, too little to use: somebody's real key may be in the environment."""
    return f"{key[:3]}…{key[-4:]}" if key else "none"


def _by(tallies: dict[Who, Tally], name: Callable[[Who], str]) -> dict[str, dict[str, int]]:
    sums: dict[str, Tally] = defaultdict(Tally)
    for who, tally in tallies.items():
        sums[name(who)].add(tally)
    return {group: asdict(tally) for group, tally in sums.items()}
