"""What a scan finds where applications write the live collection natively, and how stale the shadow may be because of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

SCANNED_PER_S = 1_000.0
"""Objects a second that a pass reads from both sides, compares and looks for in the index, where none was measured yet
(1,349 to 1,735 were, of 5,000 with 64 dimensions, on 2 busy cores; longer vectors take longer)."""


EVERY_S = 60.0
"""The pause between two passes of ``vecferry sweep``, unless it is told otherwise."""


class NativeChange(StrEnum):
    """What a write to live alone leaves behind, seen from the shadow."""

    NEW = "new"
    CHANGED = "changed"
    DELETED = "deleted"


_STALE = frozenset({"content", "content stamp", "text"})


def native_change(why: Sequence[str]) -> NativeChange | None:
    """What explains these differences by a write to live alone; ``None`` if nothing does.

    A shadow that was right once and is behind now differs in content and in its stamp together. A foreign space, a wrong
    length, or a content that its own stamp does not say, was never right: an assumption broke.
    """
    kinds = set(why)
    if kinds == {"missing"}:
        return NativeChange.NEW
    if kinds == {"orphan"}:
        return NativeChange.DELETED
    return NativeChange.CHANGED if {"content", "content stamp"} <= kinds <= _STALE else None


@dataclass(frozen=True)
class Sweep:
    """One complete pass. ``mended`` of the native changes were brought to the shadow, ``left_over`` were not.

    ``unexplained`` differences are none that a native write leaves behind; ``examples`` are UUIDs with what was found.
    """

    began: datetime
    ended: datetime
    objects: int = 0
    new: int = 0
    changed: int = 0
    deleted: int = 0
    mended: int = 0
    left_over: int = 0
    unexplained: int = 0
    examples: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds()

    @property
    def findings(self) -> int:
        """Objects of live that somebody wrote natively since the pass before."""
        return self.new + self.changed + self.deleted

    @property
    def clean(self) -> bool:
        """All that was found is mended."""
        return not self.left_over and not self.unexplained


def staleness_bound_s(sweeps: Sequence[Sweep], now: datetime) -> float | None:
    """The age at which a native change is in the shadow at the latest, in seconds: 2 × pass + pause; ``None`` before a pass.

    A change just behind the scan waits for the rest of its pass, the pause, and the whole next pass. ``sweeps``: the last
    ones, oldest first; the slowest of them and the longest pause count, and the pause that lasts now.
    """
    if not sweeps:
        return None
    pauses = [after.began - before.ended for before, after in pairwise(sweeps)]
    longest = max([*pauses, now - sweeps[-1].ended, timedelta()])
    return 2 * max(sweep.seconds for sweep in sweeps) + longest.total_seconds()


def planned_staleness_s(objects: int, *, every_s: float = EVERY_S) -> float:
    """The same before the first pass, from the size alone."""
    return 2 * objects / SCANNED_PER_S + every_s


def plan_warning(objects: int) -> str:
    """What a person who plans with ``sweep`` agrees to."""
    bound_s = planned_staleness_s(objects)
    return (
        "with sweep, what applications write without the Router is found by scanning both collections again and again: slower, "
        "a load on the store, and the new collection answers with what they changed up to "
        f"{bound_s:,.0f} s ago (twice a pass and the {EVERY_S:.0f} s between two, from the size; vecferry status says it as "
        "measured). Somebody has to keep vecferry sweep running, and before retire a person has to say that these writers have "
        "moved: what one writes natively while retire moves authority is lost"
    )


def in_words(sweep: Sweep) -> str:
    """``2 changed, 1 new, 0 deleted; 3 mended`` and what is wrong."""
    words = f"{sweep.changed} changed, {sweep.new} new, {sweep.deleted} deleted; {sweep.mended} mended"
    words += f", {sweep.left_over} left over" if sweep.left_over else ""
    return words + (f"; {sweep.unexplained} differences that no native write explains" if sweep.unexplained else "")
