"""Every stage on the shipped fakes: run → run again → roll back → reopen → retire, and what is refused on the way."""

from __future__ import annotations

import pytest

from tests.support.memory_world import golden_rows, key_of, make_world, request, text_of
from vecferry.domain.lifecycle import Phase
from vecferry.domain.request import PERCENTS
from vecferry.domain.routing import Arm, Mode, bucket_of
from vecferry.domain.verdicts import Outcome
from vecferry.errors import BadInput, Conflict, NeedsPerson, Retryable
from vecferry.steps import accept, discard, reopen, roll_back, stage_runner, verify_parity

BEFORE_SERVING = ["create_shadow", "enable_dual_write", "backfill", "verify_parity", "validate_golden_set"]


@pytest.fixture
def world():
    made = make_world(60)
    made.ledger.save_golden("Docs", golden_rows(40))
    return made


def run(world, stage, migration_id):
    """Act, ready, check, as the DAG does; users search meanwhile where a percent is served."""
    stage_runner.act(stage, world.ports, migration_id)
    world.clock.sleep(0.5)
    percent = stage_runner.stage_named(stage).percent
    if percent:
        users_search(world, migration_id, percent)
    ready = stage_runner.ready(stage, world.ports, migration_id)
    assert ready.done, ready.waiting_for
    verdict = stage_runner.check(stage, world.ports, migration_id)
    assert verdict.passes, verdict.reason
    return verdict


def users_search(world, migration_id, percent):
    """As many users on each arm as the percent says, at one query each; about 60 of them on the shadow."""
    router = world.router()
    for number in range(max(100, 6000 // percent)):
        router.search(text_of(number % 60), key=f"user-{number}")
    world.stop(router)


def plan(world, **changes):
    return stage_runner.act("plan", world.ports, request(**changes))["migration_id"]


def run_until(world, stage, migration_id):
    for name in [*BEFORE_SERVING, *(f"cut_over_{p}" for p in PERCENTS), "retire"]:
        run(world, name, migration_id)
        if name == stage:
            return


def test_a_migration_goes_from_plan_to_retire(world):
    router = world.router()
    migration_id = plan(world)
    run_until(world, "retire", migration_id)
    migration = world.ledger.migration(migration_id)
    pin = world.ledger.pin("Docs")
    assert migration.phase is Phase.RETIRED
    assert (pin.collection, pin.space) == (migration.spec.shadow, migration.spec.space)
    router.refresh()
    router.put(key_of("later"), {"body": "after the flip", "views": 1})
    assert world.live("later") is None
    stored = world.live("later", migration.spec.shadow)
    assert stored is not None
    assert stored.stamp("embedding_model") == migration.spec.space.id
    assert router.search("after the flip", key="u")[0].uuid == key_of("later")


def test_every_stage_may_be_run_again_at_any_later_time(world):
    migration_id = plan(world)
    done: list[str] = []
    for stage in [*BEFORE_SERVING, "cut_over_5", "cut_over_25", "cut_over_100"]:
        run(world, stage, migration_id)
        done.append(stage)
        before = world.ledger.migration(migration_id)
        routing = world.ledger.snapshot("Docs").routing
        for again in done:
            stage_runner.act(again, world.ports, migration_id)
            assert stage_runner.ready(again, world.ports, migration_id).done
        after = world.ledger.migration(migration_id)
        assert (after.phase, after.percent, after.version) == (before.phase, before.percent, before.version)
        assert world.ledger.snapshot("Docs").routing == routing


def test_after_retire_whatever_is_cleared_changes_nothing(world):
    migration_id = plan(world)
    run_until(world, "retire", migration_id)
    spec = world.ledger.migration(migration_id).spec
    world.store.set_read_only(spec.live, False)
    world.store.delete(spec.live, key_of(1), timeout_s=1)  # a difference that a copier would carry over
    for stage in [*BEFORE_SERVING, "cut_over_5", "cut_over_25", "cut_over_100", "retire"]:
        stage_runner.act(stage, world.ports, migration_id)
        assert stage_runner.ready(stage, world.ports, migration_id).done
        stage_runner.check(stage, world.ports, migration_id)
    assert plan(world) == migration_id
    assert stage_runner.ready("plan", world.ports, request()).done
    assert world.live(1, spec.shadow) is not None
    assert world.live(1, spec.live) is None
    assert world.ledger.migration(migration_id).phase is Phase.RETIRED


def test_rollback_is_one_write_that_keeps_dual_writing_and_reopen_needs_a_younger_parity_pass(world):
    migration_id = plan(world)
    run_until(world, "cut_over_25", migration_id)
    router = world.router()
    answer = roll_back.act(world.ports, migration_id, who="tess", why="a feeling")
    assert answer["from_percent"] == 25
    router.refresh()
    assert router.search(text_of(1), key="user-1").arm is Arm.LIVE
    assert world.ledger.snapshot("Docs").routing.mode is Mode.DUAL
    assert roll_back.ready(world.ports, migration_id).done
    with pytest.raises(NeedsPerson, match="no clean parity pass younger than the rollback"):
        reopen.act(world.ports, migration_id, who="tess", why="fixed")
    world.clock.advance(1)
    verify_parity.act(world.ports, migration_id)
    with pytest.raises(BadInput, match="reopening needs a person and a reason"):
        reopen.act(world.ports, migration_id, who="", why="")
    assert reopen.act(world.ports, migration_id, who="tess", why="fixed")["percent"] == 5
    world.stop(router)
    for stage in ("cut_over_5", "cut_over_25", "cut_over_100", "retire"):
        run(world, stage, migration_id)
    assert world.ledger.migration(migration_id).phase is Phase.RETIRED


def test_a_retried_cut_over_after_a_rollback_changes_nothing(world):
    migration_id = plan(world)
    run_until(world, "cut_over_5", migration_id)
    roll_back.act(world.ports, migration_id, who="tess", why="a feeling")
    routing = world.ledger.snapshot("Docs").routing
    for stage in ("cut_over_5", "backfill", "retire"):
        with pytest.raises(NeedsPerson, match=f"{stage} does nothing on a migration that is rolled back.*vecferry reopen"):
            stage_runner.act(stage, world.ports, migration_id)
    assert world.ledger.snapshot("Docs").routing == routing


def test_discard_drops_the_shadow_and_frees_the_pin(world):
    migration_id = plan(world)
    run_until(world, "verify_parity", migration_id)
    shadow = world.ledger.migration(migration_id).spec.shadow
    before = world.store.count("Docs")
    discard.act(world.ports, migration_id, who="tess", why="no budget")
    assert shadow not in world.store.collections()
    assert world.store.count("Docs") == before
    discard.act(world.ports, migration_id, who="tess", why="again")
    assert plan(world) != migration_id


def test_discard_is_refused_while_the_shadow_serves(world):
    migration_id = plan(world)
    run_until(world, "cut_over_5", migration_id)
    with pytest.raises(BadInput, match=r"5% of the queries are served by the shadow\. Run first: vecferry rollback Docs"):
        discard.act(world.ports, migration_id, who="tess", why="no budget")


def test_planning_again_returns_the_same_migration_and_another_target_names_the_first(world):
    migration_id = plan(world)
    assert plan(world) == migration_id
    with pytest.raises(Conflict, match=f"migration {migration_id} to cohere/new-model@64 is under way"):
        plan(world, to_model="old-model")


def test_writers_and_deletes_during_the_backfill_end_equal(world):
    migration_id = plan(world)
    run(world, "create_shadow", migration_id)
    router = world.router()
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    router.refresh()
    router.delete(key_of(3))
    router.update(key_of(4), {"body": "winter engine"})
    run(world, "enable_dual_write", migration_id)
    run(world, "backfill", migration_id)
    while router._queue.run_once():
        pass
    run(world, "verify_parity", migration_id)
    spec = world.ledger.migration(migration_id).spec
    assert world.live(3, spec.shadow) is None
    assert world.store.count(spec.shadow) == world.store.count("Docs") == 59


def test_parity_finds_repairs_and_raises_what_no_row_covers(world):
    migration_id = plan(world)
    run_until(world, "backfill", migration_id)
    spec = world.ledger.migration(migration_id).spec
    world.store.delete(spec.shadow, key_of(7), timeout_s=1)
    found = verify_parity.compare(world.ports, world.ledger.migration(migration_id), repair=False)
    assert (found.differences, dict(found.kinds)) == (1, {"missing": 1})
    summary = verify_parity.act(world.ports, migration_id)
    assert (summary["passes"], summary["differences"]) == (2, 0)
    alarms = [e for e in world.ledger.events(migration_id=migration_id) if e.what == verify_parity.ALARM]
    assert alarms[0].detail["examples"] == [f"{key_of(7)}: missing"]


def test_enable_dual_write_waits_for_a_router_that_has_not_acknowledged(world):
    migration_id = plan(world)
    run(world, "create_shadow", migration_id)
    world.router(driven=False)
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    ready = stage_runner.ready("enable_dual_write", world.ports, migration_id)
    assert not ready.done
    assert "1 routers to acknowledge routing version 2" in ready.waiting_for


def test_a_dismissal_is_suggested_only_of_a_router_that_has_been_silent(world):
    """It registered with the long lease of idle times: a router that lives acknowledges within a poll."""
    migration_id = plan(world)
    run(world, "create_shadow", migration_id)
    silent = world.router(driven=False)
    world.clock.advance(600.0)  # nothing had to be said
    stage_runner.act("enable_dual_write", world.ports, migration_id)

    def waiting_for() -> str:
        return stage_runner.ready("enable_dual_write", world.ports, migration_id).waiting_for

    assert "dismiss" not in waiting_for()
    world.clock.advance(9.0)
    assert "dismiss" not in waiting_for()
    world.clock.advance(1.0)
    assert f"vecferry routers Docs --dismiss {silent._membership.router_id} --why …" in waiting_for()
    world.clock.advance(3600.0 - 610.0 - 60.0)
    assert "dismiss" not in waiting_for(), "its lease is over in a minute, by itself"


def test_nothing_is_copied_while_a_router_may_still_write_to_live_alone(world):
    """Its sensor can be interrupted, or marked successful by hand."""
    migration_id = plan(world)
    run(world, "create_shadow", migration_id)
    router = world.router(driven=False)
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    with pytest.raises(Retryable, match=r"waiting for 1 routers to acknowledge routing version 2.*Run enable_dual_write first"):
        stage_runner.act("backfill", world.ports, migration_id)
    assert world.ledger.chunks(migration_id) == []
    router.refresh()
    stage_runner.act("backfill", world.ports, migration_id)
    assert world.ledger.chunks(migration_id)


def test_retire_undoes_the_freeze_when_a_router_does_not_answer(world):
    migration_id = plan(world)
    run_until(world, "cut_over_100", migration_id)
    world.router(driven=False)  # registers, and never acknowledges the freeze
    with pytest.raises(Retryable, match="the freeze was undone"):
        stage_runner.act("retire", world.ports, migration_id)
    assert world.ledger.snapshot("Docs").routing.mode is Mode.DUAL
    assert world.ledger.migration(migration_id).phase is Phase.SERVING


def test_retire_waits_for_the_journal_after_the_acknowledgements(world):
    migration_id = plan(world)
    run_until(world, "cut_over_100", migration_id)
    world.ledger.open_rows(migration_id, [key_of(1)], tenant=None, owner="dead", kind="write")
    with pytest.raises(Retryable, match="1 journal rows"):
        stage_runner.act("retire", world.ports, migration_id)
    assert world.ledger.snapshot("Docs").routing.mode is Mode.DUAL


def test_a_worse_model_does_not_pass_and_only_a_named_persons_acceptance_lets_it_on(world):
    migration_id = plan(world)
    for stage in BEFORE_SERVING[:-1]:
        run(world, stage, migration_id)
    shadow = world.ledger.migration(migration_id).spec.shadow
    search = world.store.search

    def forgetful(collection, query, *, timeout_s):
        return [] if collection == shadow else search(collection, query, timeout_s=timeout_s)

    world.store.search = forgetful
    stage_runner.act("validate_golden_set", world.ports, migration_id)
    verdict = stage_runner.check("validate_golden_set", world.ports, migration_id)
    assert verdict.outcome is Outcome.FAIL
    assert world.ledger.migration(migration_id).phase is Phase.VERIFIED
    with pytest.raises(BadInput, match="cut_over_5 comes after the phase serving or validated; this migration is verified"):
        stage_runner.act("cut_over_5", world.ports, migration_id)
    with pytest.raises(BadInput, match="accepting needs a person and a reason"):
        accept.act(world.ports, migration_id, "validate_golden_set", who="tess", why="")
    accept.act(world.ports, migration_id, "validate_golden_set", who="tess", why="the set is stale")
    verdict = stage_runner.check("validate_golden_set", world.ports, migration_id)
    assert (verdict.outcome, verdict.accepted_by) == (Outcome.FAIL, "tess")
    assert world.ledger.migration(migration_id).phase is Phase.VALIDATED


def test_a_canary_without_queries_does_not_pass(world):
    migration_id = plan(world)
    run_until(world, "validate_golden_set", migration_id)
    stage_runner.act("cut_over_5", world.ports, migration_id)
    ready = stage_runner.ready("cut_over_5", world.ports, migration_id)
    assert ready.waiting_for == "queries on the shadow: 0 of 20"
    assert stage_runner.check("cut_over_5", world.ports, migration_id).outcome is Outcome.NO_DATA


def test_the_old_collection_cannot_be_written_after_retire_and_says_where_it_moved(world):
    migration_id = plan(world)
    run_until(world, "retire", migration_id)
    spec = world.ledger.migration(migration_id).spec
    assert set(world.store.shards(spec.live).values()) == {"READONLY"}
    assert f"moved to {spec.shadow}" in world.store.schema(spec.live)["description"]
    with pytest.raises(NeedsPerson, match="rollback ended with retire"):
        roll_back.act(world.ports, migration_id, who="tess", why="too late")


def test_5_is_in_25_is_in_100():
    at = {p: {k for k in range(2000) if bucket_of("m", str(k)) < p * 100} for p in (5, 25, 100)}
    assert at[5] < at[25] < at[100]
    assert 60 < len(at[5]) < 140


def test_a_write_that_met_the_flip_goes_to_the_new_collection_and_not_to_the_old(world):
    migration_id = plan(world)
    run_until(world, "cut_over_100", migration_id)
    asleep = world.router(driven=False)
    world.ledger.deregister(asleep._membership.router_id, pin="Docs")
    stage_runner.act("retire", world.ports, migration_id)
    asleep.put(key_of("x"), {"body": "copper"})
    assert world.live("x") is None
    assert world.live("x", world.ledger.migration(migration_id).spec.shadow) is not None


def test_a_write_that_met_a_discard_goes_to_live_alone(world):
    migration_id = plan(world)
    run_until(world, "verify_parity", migration_id)
    router = world.router()
    moved = world.ledger.migration(migration_id)
    world.ledger.move(moved, Phase.DISCARDED, who="tess", why="no budget", routing=(Mode.LIVE_ONLY, 0))
    assert router.put(key_of("x"), {"body": "copper"}).progress is None
    assert world.live("x") is not None
    assert not world.ledger.rows(migration_id, limit=10)
