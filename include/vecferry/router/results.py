"""What applications get back."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vecferry.domain.routing import Arm, Route
from vecferry.errors import VecferryError


@dataclass(frozen=True)
class Hit:
    """``score``: higher is better; comparable within one answer only."""

    uuid: str
    score: float
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class SearchHits:
    """One query's answer, the arm that gave it and why; ``latency_ms`` includes the embedding and any fallback."""

    hits: tuple[Hit, ...]
    route: Route
    query_id: str
    latency_ms: float

    @property
    def arm(self) -> Arm:
        return self.route.arm

    @property
    def reason(self) -> str:
        return self.route.reason

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index: int) -> Hit:
        return self.hits[index]


class Progress:
    """Whether the shadow has caught up with one write; set once, by the reconcile."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.error: VecferryError | None = None

    def finish(self, error: VecferryError | None = None) -> None:
        self.error = error
        self._event.set()

    def wait(self, timeout_s: float | None) -> bool:
        return self._event.wait(timeout_s) and self.error is None


@dataclass(frozen=True)
class Receipt:
    """The store has acknowledged the write to the authoritative collection.

    ``uuids`` are acknowledged. ``unknown`` (of ``put_many``) may have landed or may land later: read them before deciding;
    ``refused`` gives the store's reason per uuid: not written.
    """

    uuids: tuple[str, ...]
    version: int
    unknown: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    progress: Progress | None = None

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the shadow agrees on what is acknowledged, at most ``timeout`` seconds.

        ``True`` at once when no migration runs; ``False`` if it is not done yet, or was left to the janitor: nothing is lost
        then, it only takes longer.
        """
        return self.progress is None or self.progress.wait(timeout)
