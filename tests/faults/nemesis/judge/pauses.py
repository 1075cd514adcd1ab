"""How long an application waited for reads and writes while everything else let it: by the clock of its control client."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

from tests.faults.nemesis.judge.seed_folder import AppHistory
from vecferry.sandbox.checker.reading import Row

_SILENT_S = 1.5
"""A control client that says nothing for so long was stopped itself, or stood before a closed door."""
Span = tuple[float, float]


def longest_read_pause_s(app: AppHistory) -> float:
    """Between two successful answers, so far as the control client was fine meanwhile."""
    answered = sorted(float(row["answered"]) for row in app.searches if row["ok"])
    return _longest_within(list(pairwise(answered)), fine_spans(app))


def longest_write_hold_s(app: AppHistory) -> float:
    """From a write's invocation to its answer, whatever it was, so far as the control client was fine meanwhile."""
    asked = {row["id"]: float(row["invoked"]) for row in app.writes}
    waited = [(asked[name], float(row["answered"])) for name, row in app.answers.items() if name in asked]
    return _longest_within(waited, fine_spans(app))


def fine_spans(app: AppHistory) -> list[Span]:
    """Times in which control call after control call succeeded, of the provider and of the store: (first answered, last
    answered)."""
    kinds = {row.get("of") for row in app.controls}
    each = [_fine_of([row for row in app.controls if row.get("of") == kind]) for kind in kinds]
    return reduce(_both, each) if each else []


def _both(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    common = ((max(a[0], b[0]), min(a[1], b[1])) for a in some for b in others)
    return sorted(span for span in common if span[0] < span[1])


def _fine_of(controls: Sequence[Row]) -> list[Span]:
    spans: list[Span] = []
    running: Span | None = None
    for row in controls:
        begins, ends = float(row["invoked"]), float(row["answered"])
        unbroken = running is not None and begins - running[1] <= _SILENT_S and ends - begins <= _SILENT_S
        if not row["ok"] or not unbroken:
            spans += [running] if running else []
            running = (ends, ends) if row["ok"] else None
        elif running:
            running = (running[0], max(running[1], ends))
    return spans + ([running] if running else [])


def _longest_within(waits: Sequence[Span], spans: Sequence[Span]) -> float:
    overlaps = (min(wait[1], span[1]) - max(wait[0], span[0]) for wait in waits for span in _touched(wait, spans))
    return max(overlaps, default=0.0)


def _touched(wait: Span, spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if span[0] < wait[1] and span[1] > wait[0]]
