"""Rule 18: releases that meet in one migration; and a person's word that a router is dead, right and wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.faults import mutants, version_mutants
from tests.faults.fault_world import Broken, FaultWorld, expect, make_fault_world
from tests.faults.ledgers import LedgerKind
from tests.support.memory_world import key_of
from vecferry.domain.lifecycle import PROTOCOL_VERSION, Phase
from vecferry.domain.routing import Arm
from vecferry.errors import BadInput, NeedsPerson, NotWritten, VecferryError
from vecferry.protocol.janitor import Janitor
from vecferry.router import Router
from vecferry.router import membership as membership_module
from vecferry.steps import discard, stage_runner, verify_parity

OLD = PROTOCOL_VERSION - 2
Patch = pytest.MonkeyPatch


@pytest.fixture
def fresh() -> Iterator[FaultWorld]:
    """In memory: the triggers of a database hold what a mutant drops."""
    with closing(make_fault_world(3, LedgerKind())) as made:
        yield made


def old_router(world: FaultWorld, patch: Patch, speaks: int = OLD) -> Router:
    """A router of another release."""
    with patch.context() as p:
        p.setattr(membership_module, "PROTOCOL_VERSION", speaks)
        return world.router()


def untaught(router: Router) -> Router:
    """Deployed before its code knew of rule 18: the ledger alone can stop it."""
    router._membership._understands = lambda migration: True  # type: ignore[method-assign]
    return router


def put(router: Router, body: str) -> BaseException | None:
    return raised(lambda: router.put(key_of("0"), {"body": body}, timeout=2))


def raised(call: Callable[[], Any]) -> BaseException | None:
    try:
        call()
    except VecferryError as error:
        return error
    return None


def barrier_passed(world: FaultWorld) -> bool:
    return stage_runner.ready("enable_dual_write", world.ports, world.migration_id).done


# --- rule 18


def schedule_an_old_router_that_was_there_before(world: FaultWorld, patch: Patch) -> None:
    """It adopts dual-write without understanding it: it writes nothing, acknowledges nothing, and its lease runs out."""
    router = untaught(old_router(world, patch))
    world.plan()
    stage_runner.act("enable_dual_write", world.ports, world.migration_id)
    refused = raised(router.refresh)
    expect(isinstance(refused, BadInput) and "speaks protocol" in refused.what, f"it is refused by name: {refused!r}")
    expect(not barrier_passed(world), "dual-write waits for its lease to run out")
    world.clock.advance(world.ports.timings.idle_lease_s / 2)
    raised(router.refresh)
    expect(put(router, "two") is not None and world.live("0") != "two", "it writes nothing")
    world.clock.advance(world.ports.timings.idle_lease_s / 2 + world.ports.timings.quarantine_s)
    expect(barrier_passed(world), "and no longer than that")
    world.backfill()
    expect(router.search("river", key="u").arm is Arm.LIVE, "it reads from live")
    expect(isinstance(put(router, "three"), NotWritten), "it writes nothing")
    world.settle()


def schedule_an_old_router_whose_release_knows_the_rule(world: FaultWorld, patch: Patch) -> None:
    """It ends what is under way, gives its lease back, reads from live, and writes again when the migration is over."""
    router = old_router(world, patch)
    world.plan()
    router.refresh()
    answer = router.search("river", key="u")
    expect((answer.arm, answer.reason) == (Arm.LIVE, "protocol_not_understood"), "it reads from live and says why")
    refused = put(router, "two")
    expect(isinstance(refused, NotWritten) and "Upgrade vecferry" in refused.next_action, f"refused by name: {refused!r}")
    expect(f"at {router._membership.where} speaks protocol {OLD}" in str(refused), "which router, where, what version")
    world.routers.remove(router)  # the others need not wait for an hour
    world.dual_write()
    expect(barrier_passed(world), "nobody waits for its lease")
    world.backfill()
    world.settle()
    discard.act(world.ports, world.migration_id, who="tess", why="no budget")
    router.refresh()
    expect(put(router, "four") is None, "without the migration it writes again")


def schedule_a_stale_old_router_opens_a_row(world: FaultWorld, patch: Patch) -> None:
    """Refused at its renewal it calls itself by a new name, which has no lease: the journal knows who may open a row."""
    router = untaught(old_router(world, patch))
    world.plan()
    stage_runner.act("enable_dual_write", world.ports, world.migration_id)
    router._membership.operations.adopt(world.ledger.snapshot("Docs"))
    router._membership.router_id = "router-unheard-of"
    expect(isinstance(put(router, "two"), NotWritten), "without a lease it opens no row")
    expect(world.live("0") != "two", "so it writes nothing")


RULE_18 = [
    schedule_an_old_router_that_was_there_before,
    schedule_an_old_router_whose_release_knows_the_rule,
    schedule_a_stale_old_router_opens_a_row,
]


@pytest.mark.parametrize("schedule", RULE_18)
def test_no_router_of_another_age_writes(world: FaultWorld, monkeypatch: Patch, schedule: Any) -> None:
    schedule(world, monkeypatch)


@pytest.mark.parametrize(
    ("mutant", "schedule"),
    [
        (version_mutants.the_ledger_lets_any_protocol_in, schedule_an_old_router_that_was_there_before),
        (version_mutants.routers_do_not_look_at_the_protocol, schedule_an_old_router_whose_release_knows_the_rule),
        (version_mutants.rows_are_opened_without_a_lease, schedule_a_stale_old_router_opens_a_row),
    ],
)
def test_without_the_rule_it_is_found(fresh: FaultWorld, monkeypatch: Patch, mutant: mutants.Mutant, schedule: Any) -> None:
    mutant(monkeypatch)
    with pytest.raises(Broken):
        schedule(fresh, monkeypatch)


@pytest.mark.parametrize("speaks", [PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1])
def test_a_router_of_the_release_before_or_after_goes_through_a_whole_migration(
    world: FaultWorld, monkeypatch: Patch, speaks: int
) -> None:
    router = old_router(world, monkeypatch, speaks)
    world.copied()
    world.writer("W0", "0", "two", router)
    world.s.run("W0")
    world.serve_everything()
    assert router.search("river", key="u").arm is Arm.SHADOW
    assert world.try_to_retire()
    assert put(router, "three") is None
    assert world.authoritative("0") == "three"


def test_an_old_janitor_works_off_nothing(world: FaultWorld, monkeypatch: Patch) -> None:
    """Its f is not the migration's: what it copies compares equal to its own hash only."""
    world.copied()
    world.writer("W0", "0", "two")
    world.s.run("W0", until="put L done")
    world.s.crash("W0")
    old: Janitor = world.janitor("J1")
    with monkeypatch.context() as patch:
        patch.setattr("vecferry.protocol.janitor.PROTOCOL_VERSION", OLD)
        for _ in range(2):
            worked = old.run_once()
            world.clock.advance(world.ports.timings.takeover_s + 1)
    assert (worked.claimed, "upgrade vecferry" in worked.failed) == (0, True)
    assert world.covered("0")
    world.settle()


# --- a person's word


def dismissed(world: FaultWorld, router: Router) -> None:
    world.ledger.dismiss(router._membership.router_id, pin="Docs", who="tess", why="its node is gone")


def test_a_dead_router_is_dismissed_and_dual_write_waits_q_instead_of_an_hour(world: FaultWorld) -> None:
    dead = world.router()
    world.routers.clear()
    world.plan()
    world.dual_write()
    waits = stage_runner.ready("enable_dual_write", world.ports, world.migration_id)
    assert not waits.done
    assert "--dismiss" not in waits.waiting_for, "a healthy one is only slow"
    world.clock.advance(10)
    waits = stage_runner.ready("enable_dual_write", world.ports, world.migration_id)
    assert f"vecferry routers Docs --dismiss {dead._membership.router_id} --why" in waits.waiting_for
    dismissed(world, dead)
    assert not barrier_passed(world)
    world.clock.advance(world.ports.timings.quarantine_s)
    assert barrier_passed(world)
    world.backfill()
    world.settle()


def schedule_a_dismissed_router_lives_and_reaches_the_ledger(world: FaultWorld) -> None:
    """It finds no lease, registers anew, and what began before is fenced: all is as after an expiry."""
    router = world.writer("W0", "0", "two")
    world.s.run("W0", until="embed_documents L")
    world.plan()
    stage_runner.act("enable_dual_write", world.ports, world.migration_id)
    before = router._membership.router_id
    dismissed(world, router)
    router.refresh()
    expect(router._membership.router_id != before, "it has a new lease")
    world.clock.advance(world.ports.timings.quarantine_s)
    router.refresh()
    if barrier_passed(world):
        world.backfill()
        world.s.run_out("W0")
    else:
        world.s.run_out("W0")
        world.clock.advance(world.ports.timings.quarantine_s)  # it may have sent something: nobody knows
        world.refresh()
        expect(barrier_passed(world), "the barrier passes when the fenced operation has ended")
        world.backfill()
    expect(put(router, "three") is None, "and writes as before")
    while router._queue.run_once():
        pass
    world.settle()
    expect(world.s.error_of("W0") is not None, "what began under the ended lease is not acknowledged")


def test_a_dismissed_router_that_lives_is_as_after_an_expiry(world: FaultWorld) -> None:
    schedule_a_dismissed_router_lives_and_reaches_the_ledger(world)


def test_a_dismissed_router_that_is_not_fenced_is_found(fresh: FaultWorld, monkeypatch: Patch) -> None:
    version_mutants.a_dismissed_router_goes_on(monkeypatch)
    with pytest.raises(Broken):
        schedule_a_dismissed_router_lives_and_reaches_the_ledger(fresh)


def test_if_the_person_was_wrong_and_the_router_is_cut_off_parity_finds_what_it_wrote(world: FaultWorld) -> None:
    """What --help says: live keeps every write, the shadow misses some, parity raises an alarm, and the flip waits."""
    cut_off = world.router()
    world.routers.clear()
    world.plan()
    world.dual_write()
    dismissed(world, cut_off)
    world.clock.advance(world.ports.timings.quarantine_s)
    world.backfill()
    assert put(cut_off, "two") is None
    assert world.live("0") == "two" != world.shadow("0")
    found = verify_parity.compare(world.ports, world.migration, repair=True)
    assert found.differences == 1
    assert any(event.what == verify_parity.ALARM for event in world.ledger.events(migration_id=world.migration_id))
    world.settle()
    world.serve_everything()
    assert not world.try_to_retire(), "the flip waits for the router's own expiry"
    world.clock.advance(world.ports.timings.idle_lease_s + world.ports.timings.quarantine_s)
    with pytest.raises(NeedsPerson, match=r"no clean parity pass is younger than .* can no longer live"):
        stage_runner.act("retire", world.ports, world.migration_id)
    verify_parity.act(world.ports, world.migration_id)
    stage_runner.act("retire", world.ports, world.migration_id)
    assert world.migration.phase is Phase.RETIRED
