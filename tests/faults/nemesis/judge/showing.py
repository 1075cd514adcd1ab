"""The table for a terminal and in full, its sums for ``docs/guarantees.md``, and the defects for whoever must find out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.table import Table as RichTable

from tests.faults.nemesis.judge.machine import described, in_one_line
from tests.faults.nemesis.judge.outcome import MUST_BE_ZERO
from tests.faults.nemesis.judge.table import Line, Table

COLUMNS: tuple[tuple[str, str], ...] = (
    ("fault", "fault"),
    ("phase", "phase"),
    ("runs", "runs"),
    ("witnessed", "witnessed"),
    ("lost", "lost"),
    ("stale", "stale"),
    ("resurrected", "resurrected"),
    ("mixed", "mixed"),
    ("unindexed", "unindexed"),
    ("failed_queries", "failed queries"),
    ("longest_read_pause_s", "read pause s"),
    ("longest_write_hold_s", "write hold s"),
    ("worst_staleness_s", "staleness s"),
    ("re_embedded", "re-embedded"),
    ("double_paid", "double-paid"),
)
_NAMES = 2
_SHOWN_DEFECTS = 5


def terminal(table: Table) -> RichTable:
    shown = RichTable(title="Faults by phase", caption=_note(table) or None)
    for number, (_, title) in enumerate(COLUMNS):
        shown.add_column(title, justify="left" if number < _NAMES else "right")
    for _, lines in groupby(table.lines, key=lambda line: line.fault):
        for line in lines:
            shown.add_row(*_cells(line))
        shown.add_section()
    shown.add_row(*_cells(table.total), style="bold")
    return shown


def markdown(table: Table) -> str:
    """With where and how it was measured above, and what does not count below."""
    head = [f"{name.capitalize()}: {words}  " for name, words in described(table.outcomes).items()]
    rows = _rows((*table.lines, table.total), COLUMNS)
    return "\n".join([*head, "", *rows, *(["", note] if (note := _note(table)) else []), ""])


def summary(table: Table) -> str:
    """For people who decide: how it was measured, one row a fault, one row a phase."""
    clean = sum(outcome.clean for outcome in table.outcomes)
    said = (
        f"{clean} of {len(table.outcomes)} seeds clean. A seed's figures stand in the row of each fault and phase that it met."
    )
    parts = [in_one_line(table.outcomes), said]
    for without, lines in (("phase", table.by_fault), ("fault", table.by_phase)):
        columns = [column for column in COLUMNS if column[0] != without]
        parts.append("\n".join(_rows((*lines, table.total), columns)))
    parts += [note] if (note := _note(table)) else []
    return "\n\n".join(parts) + "\n"


def defects(table: Table) -> Iterator[str]:
    """What must not be, seed by seed, with the lines that show it and the command that replays it."""
    for outcome in table.outcomes:
        if outcome.clean:
            continue
        counts = ", ".join(f"{kind} {getattr(outcome, kind)}" for kind in MUST_BE_ZERO if getattr(outcome, kind))
        yield f"seed {outcome.seed} ({outcome.ledger}, {outcome.runner}): {counts}"
        yield f"  replay it with: make faults SEED={outcome.seed}"
        if outcome.longest_stall_s > outcome.quarantine_s > 0:
            yield (
                f"  the machine stood still for {outcome.longest_stall_s:.1f} s, longer than Q = {outcome.quarantine_s:.1f} s: "
                "an assumption was broken by it, and not only by the faults"
            )
        for _, kind in groupby(outcome.defects, key=lambda defect: defect.kind):
            for defect in list(kind)[:_SHOWN_DEFECTS]:
                yield f"  {defect.kind} {defect.subject}: {defect.what}" + (
                    f" [{', '.join(defect.lines)}]" if defect.lines else ""
                )
    if not table.outcomes:
        yield "no seed was judged"


def _note(table: Table) -> str:
    if not table.too_few:
        return ""
    few = ", ".join(f"{name} ({count})" for name, count in table.too_few.items())
    return f"Witnessed fewer than 3 times, so that it does not count: {few}."


def _rows(lines: Sequence[Line], columns: Sequence[tuple[str, str]]) -> list[str]:
    titles = [title for _, title in columns]
    rules = ["---" if name in ("fault", "phase") else "---:" for name, _ in columns]
    rows = [_cells(line, columns) for line in lines]
    return ["| " + " | ".join(cells) + " |" for cells in (titles, rules, *rows)]


def _cells(line: Line, columns: Sequence[tuple[str, str]] = COLUMNS) -> list[str]:
    return [_cell(getattr(line, name)) for name, _ in columns]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
