"""Searches that failed: excused only where a plain client failed too, at the same time and over the same ways."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.nemesis.judge.outcome import Defect
from tests.faults.nemesis.judge.seed_folder import AT, AppHistory
from vecferry.sandbox.checker.reading import Row

_NEAR_S = 1.0


def excused(app: AppHistory) -> int:
    return sum(_is_excused(row, app) for row in _failed(app))


def unexcused(app: AppHistory) -> Iterator[Defect]:
    for row in _failed(app):
        if not _is_excused(row, app):
            why = row.get("error") or "no error was named"
            near = [control[AT] for control in app.controls if _overlap(control, row)]
            what = f"failed after {row['answered'] - row['invoked']:.1f} s while the control client did not: {why}"
            yield Defect("failed_queries", f"{app.name} {row['invoked']:.3f}", what, (row[AT], *near[:3]))


def _failed(app: AppHistory) -> list[Row]:
    return [row for row in app.searches if not row["ok"]]


def _is_excused(search: Row, app: AppHistory) -> bool:
    """An error without a name is never excused: whoever is served nothing must be told why.

    A control client that says nothing from the search's beginning on, of the provider or of the store, since it hangs or was
    stopped, is no witness that all was well: what it did before proves nothing of a fault that began in between.
    """
    near = [row for row in app.controls if _overlap(row, search)]
    testified = {row.get("of") for row in near if row["answered"] >= search["invoked"]}
    silent = not {row.get("of") for row in app.controls} <= testified
    return bool(search.get("error")) and (silent or any(not row["ok"] for row in near))


def _overlap(control: Row, search: Row) -> bool:
    return bool(control["invoked"] <= search["answered"] + _NEAR_S and control["answered"] >= search["invoked"] - _NEAR_S)
