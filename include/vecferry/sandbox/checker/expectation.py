"""What each object may be by now, from what it was at the start and what the application was told since."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Content = Mapping[str, Any] | None
"""An object's properties; ``None`` for an object that is not there."""


@dataclass
class Expectation:
    """``allowed``: what the object may be; more than one after a write of unknown outcome. ``past``: what it was once."""

    allowed: list[Content] = field(default_factory=lambda: [None])
    past: list[Content] = field(default_factory=list)

    def acknowledged(self, write: Mapping[str, Any]) -> None:
        self._now([_after(write, before) for before in self.allowed])

    def unknown(self, write: Mapping[str, Any]) -> None:
        """It may have happened or not, and may happen yet."""
        self._now(self.allowed + [_after(write, before) for before in self.allowed])

    def _now(self, allowed: list[Content]) -> None:
        self.past += [content for content in self.allowed if content not in self.past]
        self.allowed = [content for i, content in enumerate(allowed) if content not in allowed[:i]]


def replay(corpus: Iterable[Mapping[str, Any]], history: Iterable[Mapping[str, Any]]) -> dict[str, Expectation]:
    """uuid → what may be there. The history has one order for each key, as one thread alone writes it.

    A write without an answer counts as unknown, like one that was told so; one that was refused changed nothing.
    """
    expected = {str(row["uuid"]): Expectation([row["properties"]]) for row in corpus}
    begun: dict[str, Mapping[str, Any]] = {}
    for row in history:
        if "invoked" in row and row["op"] != "search":
            begun[row["id"]] = row
        elif "outcome" in row:
            _apply(expected, begun.pop(row["id"]), row["outcome"])
    for write in begun.values():
        _apply(expected, write, "unknown")
    return expected


def read_lines(path: Path) -> list[dict[str, Any]]:
    """A last line that a kill cut off was no answer to anybody."""
    *lines, last = path.read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line.strip()]
    with contextlib.suppress(json.JSONDecodeError):
        rows.append(json.loads(last))
    return rows


def _apply(expected: dict[str, Expectation], write: Mapping[str, Any], outcome: str) -> None:
    expectation = expected.setdefault(write["uuid"], Expectation())
    if outcome == "ok":
        expectation.acknowledged(write)
    elif outcome == "unknown":
        expectation.unknown(write)


def _after(write: Mapping[str, Any], before: Content) -> Content:
    if write["op"] == "delete":
        return None
    if write["op"] == "update":
        return None if before is None else {**before, **write["content"]}
    return dict(write["content"])
