"""Retire, step 5: a router that missed the flip is told by the old collection itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.faults import version_mutants
from tests.faults.fault_world import LIVE, Broken, FaultWorld, expect, make_fault_world
from tests.faults.ledgers import LedgerKind
from tests.support.memory_world import key_of
from vecferry.domain.lifecycle import Phase
from vecferry.errors import NotWritten, Retryable
from vecferry.router import Router


@pytest.fixture
def fresh() -> Iterator[FaultWorld]:
    with closing(make_fault_world(3, LedgerKind())) as made:
        yield made


def retired_without(world: FaultWorld, cut_off: Router) -> None:
    """The router does not reach the ledger from here on; its lease and Q pass, and authority moves."""
    world.serve_everything() if world.migration.phase is not Phase.SERVING else None
    world.routers = [router for router in world.routers if router is not cut_off]
    world.clock.advance(world.ports.timings.lease_s + world.ports.timings.quarantine_s)
    expect(world.try_to_retire(), "nobody waits for a router that is long expired")
    world.put("0", "after the flip")
    world.store.set_read_only(LIVE, False)  # a restart of the server forgets it


def schedule_it_knows_the_migration(world: FaultWorld) -> None:
    world.copied()
    cut_off = world.router()
    cut_off.refresh()
    retired_without(world, cut_off)
    found = cut_off.search("after the flip", key="u", limit=1)
    expect(found.hits[0].properties["body"] == "after the flip", f"it serves what was written since: {found.hits}")
    expect(found.reason == "moved_while_expired", f"and says so: {found.route}")
    with cut_off.arm("u") as arm:
        expect(arm.route.collection == world.migration.spec.shadow, "for the application's own queries too")
    with pytest.raises(NotWritten, match="lease has expired"):
        cut_off.put(key_of("0"), {"body": "three"})


def schedule_it_does_not_know_the_migration(world: FaultWorld) -> None:
    """It was cut off before there was one, for longer than its long lease: it has no model for the new collection."""
    cut_off = world.router()
    world.routers.remove(cut_off)
    world.clock.advance(world.ports.timings.idle_lease_s + world.ports.timings.quarantine_s)
    world.copied()
    retired_without(world, cut_off)
    try:
        found = cut_off.search("after the flip", key="u")
    except Retryable as error:
        expect(f"moved to {world.migration.spec.shadow}" in error.what, f"it refuses by name: {error}")
    else:
        raise Broken(f"it serves the old collection as if nothing had happened: {found.route}")


SCHEDULES = [schedule_it_knows_the_migration, schedule_it_does_not_know_the_migration]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_an_expired_router_serves_no_collection_that_has_moved(fresh: FaultWorld, schedule) -> None:
    schedule(fresh)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_without_the_signpost_it_does(fresh: FaultWorld, monkeypatch: pytest.MonkeyPatch, schedule) -> None:
    version_mutants.expired_routers_ask_no_signpost(monkeypatch)
    with pytest.raises(Broken):
        schedule(fresh)


def test_before_the_flip_an_expired_router_reads_from_live(fresh: FaultWorld) -> None:
    fresh.copied()
    cut_off = fresh.router()
    cut_off.refresh()
    fresh.clock.advance(fresh.ports.timings.lease_s)
    assert (cut_off.search("stone", key="u").reason, cut_off.route("u").collection) == ("lease_expired", LIVE)


def test_while_the_collection_cannot_be_asked_an_expired_router_serves_nothing(fresh: FaultWorld) -> None:
    """Unknown is not fine."""
    cut_off = fresh.router()
    fresh.clock.advance(fresh.ports.timings.idle_lease_s)

    def away(name: str, collection: str, call: object) -> None:
        if name == "schema":
            raise Retryable("no answer")

    fresh.store.before = away
    with pytest.raises(Retryable):
        cut_off.search("stone", key="u")
