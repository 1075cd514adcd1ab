"""What one look found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "problem", "unknown"]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Finding:
    """``unknown`` is not fine: it could not be looked at, and ``what`` says why. ``examples`` are UUIDs."""

    looked_at: str
    result: Result
    what: str
    next_action: str = ""
    examples: tuple[str, ...] = ()


Look = tuple[str, Callable[[], Finding | None]]


def ok(what: str) -> Finding:
    return Finding("", "ok", what)


def problem(what: str, next_action: str = "", examples: tuple[str, ...] = ()) -> Finding:
    return Finding("", "problem", what, next_action, examples)


def unknown(what: str, next_action: str = "") -> Finding:
    return Finding("", "unknown", what, next_action)
