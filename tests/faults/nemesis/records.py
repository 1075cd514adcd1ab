"""The files of a seed that the judge reads: what was done to it, and what its ledger and provider say."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vecferry.domain.routing import Routing
from vecferry.ports import Event


class JsonLines:
    """Appends, from several threads, flushed per line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.touch()

    def add(self, row: Mapping[str, Any]) -> None:
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def phase_lines(
    events: Sequence[Event], routings: Sequence[Routing], acknowledged: Mapping[int, float]
) -> list[dict[str, Any]]:
    """``phases.jsonl``: each routing version and each event, in order of time, with what was in force then.

    ``acknowledged``: routing version of a rollback → when every router had it.
    """
    happened: list[tuple[float, Event | Routing]] = [(event.at.timestamp(), event) for event in events]
    happened += [(routing.published_at.timestamp(), routing) for routing in routings if routing.published_at]
    phase, current, lines = "", None, []
    for at, one in sorted(happened, key=lambda pair: pair[0]):
        if isinstance(one, Routing):
            current, what = one, f"routing: {one.reason}"
        else:
            phase = {"start": "planned", "move": one.detail.get("to")}.get(one.what) or phase
            what = one.what
        line = {"at": at, "phase": phase, **_in_force(current), "event": what}
        if isinstance(one, Routing) and one.version in acknowledged:
            line["acknowledged_at"] = acknowledged[one.version]
        lines.append(line)
    return lines


def _in_force(routing: Routing | None) -> dict[str, Any]:
    if routing is None:
        return {"mode": "live_only", "percent": 0, "routing_version": 0, "authority": None}
    return {
        "mode": routing.mode.value,
        "percent": routing.percent,
        "routing_version": routing.version,
        "authority": routing.authority,
    }
