"""When the arm that was left answered its last query: what the report says of a rollback and of the old collection."""

import pytest

from tests.support.carried import serving
from tests.support.memory_world import make_world, text_of
from vecferry.adapters.memory.clock import ManualClock
from vecferry.cli.report import facts
from vecferry.domain.routing import Arm, Mode
from vecferry.router.counts import Counts
from vecferry.steps import cut_over, reopen, report, retire, roll_back, verify_parity

BY = {"who": "tess", "why": "a feeling"}


@pytest.fixture
def world():
    return make_world()


def ask(router, arm, migration_id, percent=25):
    return router.search(text_of(1), key=cut_over.key_on(arm, migration_id, percent))


def rollbacks(world):
    return [(row["why"], row["last_answer_after_s"]) for row in report.gather(world.ports, "Docs")["rollbacks"]]


def test_a_query_in_flight_at_the_rollback_is_the_shadows_last(world):
    migration_id = serving(world, 25)
    router = world.router(driven=False)
    router.refresh()
    assert ask(router, Arm.SHADOW, migration_id).arm is Arm.SHADOW
    world.clock.advance(3)
    roll_back.act(world.ports, migration_id, **BY)
    router._observe()
    assert rollbacks(world) == [("a feeling", -3.0)]
    world.clock.advance(0.2)
    assert ask(router, Arm.SHADOW, migration_id).arm is Arm.SHADOW, "it has not polled yet"
    world.clock.advance(5)
    router._observe()
    assert rollbacks(world) == [("a feeling", 0.2)], "when it was answered, not when it was reported"
    (told,) = [text for name, text in facts(report.gather(world.ports, "Docs")) if name == "rolled back"]
    assert told.endswith("UTC, 0.2 s after")
    router.refresh()
    ask(router, Arm.SHADOW, migration_id)
    router._observe()
    assert rollbacks(world) == [("a feeling", 0.2)]


def test_each_of_two_rollbacks_has_its_own(world):
    migration_id = serving(world, 25)
    router = world.router()
    ask(router, Arm.SHADOW, migration_id)
    router._observe()
    roll_back.act(world.ports, migration_id, **BY)
    world.clock.advance(60)
    verify_parity.act(world.ports, migration_id)
    world.clock.sleep(1)
    reopen.act(world.ports, migration_id, who="tess", why="mended")
    world.clock.sleep(1)
    ask(router, Arm.SHADOW, migration_id, 5)
    router._observe()
    world.clock.advance(2)
    roll_back.act(world.ports, migration_id, who="tess", why="not mended")
    (first, first_s), (second, second_s) = rollbacks(world)
    assert (first, second, second_s) == ("a feeling", "not mended", -2.0)
    assert -2 < first_s <= 0


def test_of_the_old_collection_a_fallback_counts(world):
    """At 100% live is asked nothing, and still answers for a shadow that fails."""
    migration_id = serving(world, 25)
    router = world.router()
    ask(router, Arm.LIVE, migration_id)
    world.clock.advance(100)
    search, shadow = world.store.search, world.ledger.migration(migration_id).spec.shadow

    def failing(collection, query, *, timeout_s):
        if collection == shadow:
            raise RuntimeError("it is broken")
        return search(collection, query, timeout_s=timeout_s)

    world.store.search = failing
    assert ask(router, Arm.SHADOW, migration_id).arm is Arm.LIVE
    router._observe()
    world.store.search = search
    world.clock.advance(7)
    migration = world.ledger.migration(migration_id)
    world.ledger.move(migration, migration.phase, **BY, routing=(Mode.DUAL, 100))
    world.clock.sleep(1)
    assert report.gather(world.ports, "Docs")["old_collection"] is None
    retire.act(world.ports, migration_id)
    world.clock.sleep(1)
    router.search(text_of(1), key="u")
    router._observe()
    old = report.gather(world.ports, "Docs")["old_collection"]
    assert -9 < old["last_answer_after_s"] <= -7, "and what the new collection answers does not"


def test_nobody_having_asked_is_no_time(world):
    migration_id = serving(world, 25)
    roll_back.act(world.ports, migration_id, **BY)
    (row,) = report.gather(world.ports, "Docs")["rollbacks"]
    assert (row["last_answer_at"], row["last_answer_after_s"]) == (None, None)


def test_counts_that_could_not_be_reported_keep_their_age():
    clock = ManualClock()
    counts = Counts("Docs", clock)
    counts.answered(3, Arm.SHADOW, served=False, hits=1, latency_ms=1.0)
    clock.advance(2)
    taken = counts.take()
    assert {(seen.arm, seen.queries, seen.served_ago_s) for seen in taken} == {(Arm.SHADOW, 1, None), (Arm.LIVE, 0, 2.0)}
    counts.give_back(taken)
    clock.advance(3)
    assert {(seen.arm, seen.queries, seen.served_ago_s) for seen in counts.take()} == {
        (Arm.SHADOW, 1, None),
        (Arm.LIVE, 0, 5.0),
    }
    assert counts.take() == []
