"""One case, and what is asked of it."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

from tests.faults.crash.cases import Case, travel, travel_with_a_crash
from tests.faults.crash.end import End, broken_promises, end_of
from tests.faults.crash.roads import Road
from tests.faults.crash.world import CORPUS, PAGE, CrashWorld
from tests.faults.fault_world import expect
from tests.faults.ledgers import LedgerKind

Undisturbed = tuple[End, Counter[str]]
"""A road's end when nothing happens, and the texts that it paid for."""

THE_SAME_WHOEVER_WROTE = ("phases", "pin", "routings", "events", "verdicts", "schemas", "shards")


def undisturbed(road: Road, kind: LedgerKind) -> Undisturbed:
    with closing(CrashWorld(kind)) as world:
        travel(road, world)
        world.let_time_pass()
        expect(not (broken := broken_promises(world)), f"all that is promised of any migration: {broken}")
        return end_of(world), world.paid_copies


def judge(case: Case, kind: LedgerKind, wanted: Undisturbed) -> None:
    """The same end, and nothing paid for twice but what the dead process had embedded and not stored: a page at most."""
    end, paid = wanted
    with closing(CrashWorld(kind)) as world:
        unlanded = travel_with_a_crash(case, world)
        expect(not (broken := broken_promises(world)), f"all that is promised of any migration: {broken}")
        differing = end_of(world).differs_from(end)
        compared = {n: d for n, d in differing.items() if n in THE_SAME_WHOEVER_WROTE or not case.writes}
        expect(not compared, f"the same end as without a crash (here, there): {compared}")
        again = {text for text in world.paid_copies - paid - unlanded if text in CORPUS}
        expect(not again, f"nothing is paid for twice that was stored: {again}")
        expect(sum(unlanded.values()) <= PAGE, f"a crash costs a page at most: {unlanded}")
