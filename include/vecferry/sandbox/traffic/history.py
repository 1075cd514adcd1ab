"""The application's own history, one JSON object a line, flushed before and after each call.

A write has two lines: ``{"id", "op", "uuid", "content", "invoked"}`` before it is sent, ``{"id", "answered", "outcome"}``
after. A write without an answer (the process was killed) is of unknown outcome, as is one that was told so. ``content`` is all
properties for ``put``, the changed ones for ``update``. A search has one line. Times are seconds since 1970.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

Outcome = Literal["ok", "unknown", "not_written", "failed"]

_RECENT = 200


class History:
    """Appends; safe for several threads. Counts what it has written, for whoever watches."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        # Unique over restarts of the process too, which append to the same file.
        self._ids = (f"{time.time_ns():x}-{number}" for number in itertools.count())
        self.queries = self.queries_failed = self.writes = self.writes_unknown = 0
        self._arms: deque[str] = deque(maxlen=_RECENT)

    def begin_write(self, op: str, uuid: str, content: Mapping[str, Any] | None) -> str:
        with self._lock:
            name = next(self._ids)
            self._append({"id": name, "op": op, "uuid": uuid, "content": content, "invoked": time.time()})
        return name

    def end_write(self, name: str, outcome: Outcome, error: str = "") -> None:
        row = {"id": name, "answered": time.time(), "outcome": outcome}
        with self._lock:
            self.writes += 1
            self.writes_unknown += outcome == "unknown"
            self._append(row | ({"error": error} if error else {}))

    def search(self, row: Mapping[str, Any]) -> None:
        with self._lock:
            self.queries += 1
            self.queries_failed += not row["ok"]
            self._arms.append(row.get("arm", "nobody"))
            self._append({"op": "search", **row})

    def note(self, row: Mapping[str, Any]) -> None:
        """Any other line, whose ``op`` is neither a write's nor ``search``."""
        with self._lock:
            self._append(row)

    def recent_arms(self) -> dict[str, int]:
        """Who answered the last queries."""
        with self._lock:
            return dict(Counter(self._arms))

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _append(self, row: Mapping[str, Any]) -> None:
        # Flushed per line: what a kill -9 may lose is then in the operating system's hands, which keeps it.
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._file.flush()
