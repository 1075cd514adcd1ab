"""Applications that bypass the Router: their native writes are found by scanning, and gates know how old that look is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.memory_world import OLD, World, golden_rows, key_of, make_world, request
from vecferry.adapters.memory.embedder import vector_of
from vecferry.adapters.memory.store import Call
from vecferry.checks.objects import object_rows
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.shadow import differences
from vecferry.errors import BadInput, NeedsPerson, Paused, UnknownOutcome
from vecferry.steps import (
    cut_over,
    force_100,
    live_model_gone,
    reopen,
    roll_back,
    stage_runner,
    sweep,
    sweeps,
    verify_parity,
)

FIFTEEN_MINUTES_S = 900.0
ALL_KEYS = "f" * 36


class Bypassing:
    """An application with the vendor's client: it knows the live collection and nothing of vecferry."""

    def __init__(self, world: World) -> None:
        self._world = world

    def put(self, name: Any, body: str) -> None:
        obj = StoredObject(key_of(name), {"body": body}, {UNNAMED: vector_of(OLD.space, body)})
        self._world.store.put("Docs", obj, timeout_s=1)

    def delete(self, name: Any) -> None:
        self._world.store.delete("Docs", key_of(name), timeout_s=1)


@pytest.fixture
def world() -> World:
    made = make_world(20)
    made.ledger.save_golden("Docs", golden_rows(12))
    return made


@pytest.fixture
def native(world: World) -> Bypassing:
    return Bypassing(world)


def at(world: World, phase: Phase, percent: int = 0, **asked: Any) -> Migration:
    """Copied, and swept as far as parity is proven."""
    migration_id = stage_runner.act("plan", world.ports, request(sweep=True, **asked))["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.DUAL_WRITING)
    stage_runner.act("backfill", world.ports, migration_id)
    world.walk_to(migration_id, Phase.BACKFILLED)
    if phase is not Phase.BACKFILLED:
        stage_runner.act("verify_parity", world.ports, migration_id)
        world.walk_to(migration_id, phase, percent)
    return world.ledger.migration(migration_id)


def differing(world: World, migration: Migration) -> dict[str, list[str]]:
    spec = migration.spec
    keys = {k for c in (spec.live, spec.shadow) for k in world.store.keys(c, after="", until=ALL_KEYS, limit=1000)}
    live, shadow = (world.store.read(c, sorted(keys)) for c in (spec.live, spec.shadow))
    found = {key: differences(spec, live.get(key), shadow.get(key)) for key in keys}
    return {key: why for key, why in found.items() if why}


def events(world: World, migration: Migration, what: str) -> list[Any]:
    return world.ledger.events(migration_id=migration.id, what=what)


# --- following


def test_a_bypassing_writer_is_followed_without_an_alarm(world: World, native: Bypassing) -> None:
    migration = at(world, Phase.VERIFIED)
    native.put(3, "lantern bridge")
    native.put("new", "copper meadow")
    native.delete(5)
    done = sweep.act(world.ports, migration.id)
    assert (done.changed, done.new, done.deleted, done.mended, done.left_over, done.unexplained) == (1, 1, 1, 3, 0, 0)
    assert differing(world, migration) == {}
    assert events(world, migration, verify_parity.ALARM) == []
    assert world.ledger.rows(migration.id, limit=9) == []
    told = events(world, migration, sweeps.SWEEP)[-1]
    assert told.why == "1 changed, 1 new, 1 deleted; 3 mended"
    assert {told.detail[name] for name in ("new", "changed", "deleted")} == {1}
    assert (told.detail["mended"], told.detail["left_over"]) == (3, 0)
    assert set(told.detail) >= {"began", "ended", "seconds"}
    assert sweep.act(world.ports, migration.id).findings == 0


def test_what_no_native_write_explains_is_an_alarm_all_the_same(world: World) -> None:
    migration = at(world, Phase.VERIFIED)
    shadow = migration.spec.shadow
    copy = world.store.read(shadow, [key_of(3)])[key_of(3)]
    changed = StoredObject(copy.uuid, {**copy.properties, "body": "somebody wrote the shadow"}, copy.vectors)
    world.store.put(shadow, changed, timeout_s=1)
    done = sweep.act(world.ports, migration.id)
    assert (done.unexplained, done.clean, done.findings) == (1, False, 0)
    assert len(events(world, migration, verify_parity.ALARM)) == 1
    assert sweep.act(world.ports, migration.id).clean


def test_without_sweep_the_same_difference_stays_an_alarm(world: World, native: Bypassing) -> None:
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.DUAL_WRITING)
    stage_runner.act("backfill", world.ports, migration_id)
    world.walk_to(migration_id, Phase.BACKFILLED)
    native.put(3, "lantern bridge")
    found = verify_parity.compare(world.ports, world.ledger.migration(migration_id), repair=True)
    assert (found.uncovered, found.native.total()) == (1, 0)
    assert len(world.ledger.events(migration_id=migration_id, what=verify_parity.ALARM)) == 1
    with pytest.raises(BadInput, match=r"planned without sweep.*plan again with --sweep"):
        sweep.act(world.ports, migration_id)


def test_a_native_delete_during_the_repair_is_not_undone_by_it(world: World, native: Bypassing) -> None:
    """Rule 2: live is read again after the write."""
    migration = at(world, Phase.VERIFIED)
    native.put("new", "copper meadow")

    def delete_before_the_put(name: str, collection: str, call: Call) -> None:
        if name == "put_batch" and key_of("new") in call.uuids:
            world.store.before = lambda *_: None
            native.delete("new")

    world.store.before = delete_before_the_put
    sweep.act(world.ports, migration.id)
    assert differing(world, migration) == {}
    assert world.live("new", migration.spec.shadow) is None


def a_ghost_of_a_crashed_sweep(world: World, native: Bypassing, migration: Migration) -> None:
    """The sweep's put is sent and lands later; meanwhile the application deletes natively, and the next sweep is done."""
    native.put("new", "copper meadow")
    ghosts: list[Any] = []

    def crash_in_flight(name: str, collection: str, call: Call) -> None:
        if name == "put_batch":
            ghosts.append(call.effect)
            raise UnknownOutcome("cut off", where=collection)

    world.store.before = crash_in_flight
    with pytest.raises(UnknownOutcome):
        sweep.act(world.ports, migration.id)
    world.store.before = lambda *_: None
    native.delete("new")
    assert sweep.act(world.ports, migration.id, anew=True).clean
    for land in ghosts:
        land()
    janitor = world.router(driven=False)._janitor
    for _ in range(2):
        janitor.run_once()
        world.clock.advance(world.ports.timings.takeover_s + 1)


def test_a_crashed_sweeps_put_does_not_resurrect_what_was_deleted_natively(world: World, native: Bypassing) -> None:
    """Rule 12: the row is there before the put, so that somebody looks again after it may have landed."""
    migration = at(world, Phase.VERIFIED)
    a_ghost_of_a_crashed_sweep(world, native, migration)
    assert world.live("new", migration.spec.shadow) is None
    assert differing(world, migration) == {}


def test_without_rows_before_the_repair_it_is_resurrected(
    world: World, native: Bypassing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: the row is gone as soon as it was opened."""
    copy = verify_parity.copy_keys

    def rowless(ports: Any, migration: Migration, keys: Any, **given: Any) -> Any:
        try:
            return copy(ports, migration, keys, **given)
        finally:
            ports.ledger.close_rows(ports.ledger.rows(migration.id, limit=1000))

    monkeypatch.setattr(verify_parity, "copy_keys", rowless)
    migration = at(world, Phase.VERIFIED)
    a_ghost_of_a_crashed_sweep(world, native, migration)
    assert world.live("new", migration.spec.shadow) is not None


def test_an_interrupted_sweep_goes_on_where_it_was(world: World, native: Bypassing, monkeypatch: pytest.MonkeyPatch) -> None:
    migration = at(world, Phase.VERIFIED)
    monkeypatch.setattr(verify_parity, "_PAGE", 5)
    keys = world.store.keys("Docs", after="", until=ALL_KEYS, limit=100)
    first = next(n for n in range(20) if key_of(n) == keys[0])
    native.put(first, "lantern bridge")
    seen: list[int] = []

    def interrupt(so_far: verify_parity.Pass) -> None:
        if so_far.objects_live == 10:
            raise KeyboardInterrupt

    began = world.clock.now()
    with pytest.raises(KeyboardInterrupt):
        sweep.act(world.ports, migration.id, interrupt)
    world.clock.advance(100)
    done = sweep.act(world.ports, migration.id, lambda so_far: seen.append(so_far.objects_live))
    assert seen == [15, 20]  # the first ten are not read again
    assert (done.objects, done.changed, done.mended) == (20, 1, 1)
    assert done.began == began  # the bound is of the whole
    assert done.seconds >= 100
    assert sweep.act(world.ports, migration.id).seconds < 100  # and the next one begins anew


def test_the_bound_is_said_from_the_passes_that_were(world: World) -> None:
    migration = at(world, Phase.VERIFIED)
    world.clock.advance(300)
    sweep.act(world.ports, migration.id, lambda _: world.clock.advance(7), anew=True)
    assert sweeps.bound_s(world.ports, migration) == pytest.approx(2 * 7 + 300)
    row = sweeps.as_row(world.ports, migration)
    assert row is not None
    assert row["staleness_bound_s"] == pytest.approx(314)


# --- gates


def test_parity_passes_on_native_changes_that_were_mended(world: World, native: Bypassing) -> None:
    migration = at(world, Phase.BACKFILLED)
    native.put(3, "lantern bridge")
    native.delete(5)
    done = stage_runner.act("verify_parity", world.ports, migration.id)
    assert (done["passes"], done["native"], done["mended"]) == (1, {"changed": 1, "deleted": 1}, 2)
    assert len(events(world, migration, verify_parity.CLEAN_PASS)) == 1
    assert events(world, migration, verify_parity.ALARM) == []


def test_a_look_without_repair_fails_on_them(world: World, native: Bypassing) -> None:
    migration = at(world, Phase.VERIFIED)
    native.put(3, "lantern bridge")
    found = verify_parity.compare(world.ports, migration, repair=False)
    assert (found.differences, found.left_over) == (1, 1)


def test_parity_does_not_pass_on_a_change_that_is_left_over(
    world: World, native: Bypassing, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecferry.protocol.reconcile import Reconciled

    migration = at(world, Phase.BACKFILLED)
    native.put(3, "lantern bridge")
    monkeypatch.setattr(verify_parity, "copy_keys", lambda *_, **__: Reconciled())
    with pytest.raises(NeedsPerson, match="1 differences are left"):
        stage_runner.act("verify_parity", world.ports, migration.id)
    assert sweeps.why_not_followed(world.ports, migration).endswith("0 mended, 1 left over")
    assert events(world, migration, verify_parity.CLEAN_PASS) == []


def test_a_gate_follows_what_changed_since_the_sweep_and_then_judges(world: World, native: Bypassing) -> None:
    migration = at(world, Phase.VERIFIED)
    native.put(3, "lantern bridge")
    native.put("new", "copper meadow")
    rows = object_rows(world.ports, migration, [(None, key_of(name)) for name in (3, "new", 4)])
    assert [row["differences"] for row in rows] == ["", "", ""]
    assert differing(world, migration) == {}


def test_a_gate_mends_nothing_that_no_native_write_explains(world: World) -> None:
    migration = at(world, Phase.VERIFIED)
    shadow = migration.spec.shadow
    copy = world.store.read(shadow, [key_of(3)])[key_of(3)]
    world.store.put(shadow, StoredObject(copy.uuid, {**copy.properties, "body": "x"}, copy.vectors), timeout_s=1)
    (row,) = object_rows(world.ports, migration, [(None, key_of(3))])
    assert row["differences"] == "content"


def no_sweep_since_the_copy(world: World) -> str:
    """A migration whose parity was accepted by a person, say."""
    migration = at(world, Phase.BACKFILLED)
    world.walk_to(migration.id, Phase.VALIDATED)
    return migration.id


def test_no_query_goes_over_without_a_sweep(world: World) -> None:
    migration_id = no_sweep_since_the_copy(world)
    with pytest.raises(Paused, match=r"before a first sweep.*vecferry sweep Docs"):
        cut_over.act(world.ports, migration_id, "cut_over_5")
    assert world.ledger.migration(migration_id).percent == 0
    sweep.act(world.ports, migration_id)
    assert cut_over.act(world.ports, migration_id, "cut_over_5")["percent"] == 5


def an_old_sweep(world: World) -> str:
    migration = at(world, Phase.VALIDATED)
    world.clock.advance(FIFTEEN_MINUTES_S)
    return migration.id


def test_no_query_goes_over_on_an_old_sweep(world: World) -> None:
    migration_id = an_old_sweep(world)
    with pytest.raises(Paused, match="a sweep younger than 900 s; the last one ended 900 s ago"):
        cut_over.act(world.ports, migration_id, "cut_over_5")
    assert world.ledger.migration(migration_id).percent == 0


def test_the_mutant_that_ignores_the_sweeps_age_lets_queries_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    migration_id = an_old_sweep(world)
    monkeypatch.setattr(sweeps, "age_s", lambda sweep, now: 0.0)
    assert cut_over.act(world.ports, migration_id, "cut_over_5")["percent"] == 5


def test_a_percent_waits_for_a_sweep_and_whoever_waits_may_sweep(world: World) -> None:
    migration = at(world, Phase.VALIDATED)
    stage_runner.act("cut_over_5", world.ports, migration.id)
    world.clock.advance(FIFTEEN_MINUTES_S)
    answer = cut_over.ready(world.ports, migration.id, "cut_over_5")
    assert (answer.done, answer.waiting_for.partition(";")[0]) == (False, "a sweep younger than 900 s")
    sweep.keep_fresh(world.ports, migration.id)
    assert "sweep" not in cut_over.ready(world.ports, migration.id, "cut_over_5").waiting_for


def test_whoever_waits_sweeps_only_when_the_last_one_gets_old(world: World) -> None:
    migration = at(world, Phase.VALIDATED)
    for wait_s, sweeps_then in ((0, 1), (400, 1), (60, 2), (1, 2)):
        world.clock.advance(wait_s)
        sweep.keep_fresh(world.ports, migration.id)
        assert len(events(world, migration, sweeps.SWEEP)) == sweeps_then, wait_s


def test_a_forced_100_does_not_go_around_the_sweep(world: World) -> None:
    migration = at(world, Phase.SERVING, 5)
    live_model_gone.act(world.ports, migration.id, who="tess", why="it ended", force=True)
    world.clock.advance(FIFTEEN_MINUTES_S)
    with pytest.raises(Paused, match="vecferry sweep Docs"):
        force_100.act(world.ports, migration.id, who="tess", why="it ended")
    sweep.act(world.ports, migration.id)
    assert force_100.act(world.ports, migration.id, who="tess", why="it ended")["percent"] == 100


def test_a_reopening_does_not_go_around_the_sweep(world: World) -> None:
    migration = at(world, Phase.SERVING, 5)
    roll_back.act(world.ports, migration.id, who="tess", why="to show it")
    verify_parity.act(world.ports, migration.id)
    world.clock.advance(FIFTEEN_MINUTES_S)
    with pytest.raises(Paused, match="vecferry sweep Docs"):
        reopen.act(world.ports, migration.id, who="tess", why="verified")
    sweep.act(world.ports, migration.id)
    assert reopen.act(world.ports, migration.id, who="tess", why="verified")["percent"] == 5


# --- retire


def test_retire_needs_a_persons_word(world: World) -> None:
    migration = at(world, Phase.SERVING, 100)
    with pytest.raises(NeedsPerson, match=r"nobody has said .* Move the writers; then: vecferry sweep Docs --writers-moved"):
        stage_runner.act("retire", world.ports, migration.id)
    with pytest.raises(BadInput, match="a person and a reason"):
        sweep.writers_moved(world.ports, migration.id, who="ana", why="")
    sweep.writers_moved(world.ports, migration.id, who="ana", why="release 12")
    assert stage_runner.act("retire", world.ports, migration.id)["collection"] == migration.spec.shadow
    assert world.ledger.migration(migration.id).phase is Phase.RETIRED


def test_what_was_written_before_the_word_does_not_count_against_it(world: World, native: Bypassing) -> None:
    migration = at(world, Phase.SERVING, 100)
    native.put(3, "lantern bridge")
    before = world.clock.monotonic()
    said = sweep.writers_moved(world.ports, migration.id, who="ana", why="release 12")
    assert said["caught_up"] == 1
    assert world.clock.monotonic() - before >= world.ports.timings.quarantine_s  # what was sent may land until then
    stage_runner.act("retire", world.ports, migration.id)
    assert world.live(3, migration.spec.shadow).properties["body"] == "lantern bridge"  # type: ignore[union-attr]


def test_retire_refuses_while_someone_still_writes_and_names_the_objects(world: World, native: Bypassing) -> None:
    migration = at(world, Phase.SERVING, 100)
    sweep.writers_moved(world.ports, migration.id, who="ana", why="release 12")
    native.put(3, "lantern bridge")
    refused = rf"objects were written after ana's word .* e\.g\. {key_of(3)}: changed"
    for _ in range(2):  # though the second sweep finds nothing: that writer may write again tonight
        with pytest.raises(NeedsPerson, match=refused):
            stage_runner.act("retire", world.ports, migration.id)
        assert world.ledger.migration(migration.id).phase is Phase.SERVING
    sweep.writers_moved(world.ports, migration.id, who="ana", why="the nightly job too")
    stage_runner.act("retire", world.ports, migration.id)
    assert world.live(3, migration.spec.shadow).properties["body"] == "lantern bridge"  # type: ignore[union-attr]


def test_a_finding_of_any_later_sweep_takes_the_word_back(world: World, native: Bypassing) -> None:
    migration = at(world, Phase.SERVING, 100)
    sweep.writers_moved(world.ports, migration.id, who="ana", why="release 12")
    native.delete(3)
    sweep.act(world.ports, migration.id)
    with pytest.raises(NeedsPerson, match=f"{key_of(3)}: deleted"):
        stage_runner.act("retire", world.ports, migration.id)


def test_a_retire_that_dies_after_the_repair_has_not_wiped_out_the_trace(
    world: World, native: Bypassing, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = at(world, Phase.SERVING, 100)
    sweep.writers_moved(world.ports, migration.id, who="ana", why="release 12")
    native.put(3, "lantern bridge")

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sweeps, "record", die)
        with pytest.raises(KeyboardInterrupt):
            stage_runner.act("retire", world.ports, migration.id)
    assert differing(world, migration) == {}  # a later pass has nothing to find
    with pytest.raises(NeedsPerson, match="somebody writes Docs natively"):
        stage_runner.act("retire", world.ports, migration.id)
