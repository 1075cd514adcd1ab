"""Reading through the Router: one arm, one embedding, live whenever the shadow cannot."""

from __future__ import annotations

import pytest

from tests.support.memory_world import NEW, OLD, key_of, make_world, request, text_of
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Arm, bucket_of
from vecferry.errors import BadInput, Retryable
from vecferry.steps import backfill, stage_runner

STAGES = ["create_shadow", "enable_dual_write", "backfill", "verify_parity"]


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def serving(world):
    """A migration that serves 25% from the shadow, with one router that has adopted it."""
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    for stage in STAGES:
        stage_runner.act(stage, world.ports, migration_id)
        world.walk_to(migration_id, stage_runner.stage_named(stage).gives)
    world.walk_to(migration_id, Phase.VALIDATED)
    stage_runner.act("cut_over_25", world.ports, migration_id)
    return migration_id


def key_on(arm: Arm, migration_id: str, percent: int = 25) -> str:
    return next(f"u{n}" for n in range(1000) if (bucket_of(migration_id, f"u{n}") < percent * 100) is (arm is Arm.SHADOW))


def test_without_a_migration_everything_is_served_by_live(world):
    hits = world.router().search(text_of(3), key="anyone")
    assert hits[0].uuid == key_of(3)
    assert (hits.arm, hits.reason) == (Arm.LIVE, "no_migration")


def test_a_key_keeps_its_arm_and_model_and_collection_come_as_one(world, serving):
    router = world.router()
    on_shadow = router.search(text_of(3), key=key_on(Arm.SHADOW, serving))
    on_live = router.search(text_of(3), key=key_on(Arm.LIVE, serving))
    assert (on_shadow.arm, on_shadow.route.space) == (Arm.SHADOW, NEW.space)
    assert (on_live.arm, on_live.route.space) == (Arm.LIVE, OLD.space)
    assert on_shadow[0].uuid == on_live[0].uuid == key_of(3)
    assert "embedding_model" not in on_shadow[0].properties


def test_an_answered_query_costs_one_embedding_by_the_routed_arm_only(world, serving):
    router = world.router()
    before = world.embedders["old-model"].queries, world.embedders["new-model"].queries
    router.search(text_of(3), key=key_on(Arm.SHADOW, serving))
    after = world.embedders["old-model"].queries, world.embedders["new-model"].queries
    assert (after[0] - before[0], after[1] - before[1]) == (0, 1)


def test_a_failing_shadow_never_fails_a_user(world, serving):
    router = world.router()

    def broken(method, texts):
        raise Retryable("the provider is down")

    world.embedders["new-model"].before = broken
    hits = router.search(text_of(3), key=key_on(Arm.SHADOW, serving))
    assert hits[0].uuid == key_of(3)
    assert (hits.arm, hits.reason) == (Arm.LIVE, "shadow_failed: Retryable")
    router.close()
    (seen,) = [o for o in world.ledger.observations("Docs") if o.arm is Arm.SHADOW]
    assert (seen.queries, seen.served, seen.fallbacks, seen.errors) == (1, 0, 1, 0)


def test_a_shadow_that_keeps_failing_is_rested(world, serving):
    router = world.router()

    def broken(method, texts):
        raise Retryable("the provider is down")

    world.embedders["new-model"].before = broken
    key = key_on(Arm.SHADOW, serving)
    reasons = [router.search(text_of(3), key=key).reason for _ in range(7)]
    assert reasons[-1] == "shadow_failing"
    world.embedders["new-model"].before = None
    world.clock.advance(6)
    assert router.search(text_of(3), key=key).arm is Arm.SHADOW


def test_an_expired_lease_reads_from_live_and_says_so(world, serving):
    router = world.router()
    world.clock.advance(world.ports.timings.idle_lease_s + 1)
    assert router.search(text_of(3), key=key_on(Arm.SHADOW, serving)).reason == "lease_expired"


def test_a_shadow_that_is_behind_is_not_served(world, serving):
    world.ledger.open_rows(serving, [key_of(1)], tenant=None, owner="somebody", kind="write")
    world.clock.advance(world.ports.timings.behind_s + 1)
    router = world.router()
    router.refresh()
    assert router.search(text_of(3), key=key_on(Arm.SHADOW, serving)).reason == "shadow_behind"


def test_an_arm_of_ones_own_gives_collection_and_embedder_together_and_expires(world, serving):
    router = world.router()
    with router.arm(key_on(Arm.SHADOW, serving), timeout=5) as arm:
        assert arm.route.collection != "Docs"
        assert len(arm.embed("river")) == NEW.dimensions
        world.clock.advance(6)
        with pytest.raises(BadInput, match="this arm has expired"):
            arm.embed("river")


def test_feedback_is_counted_for_the_arm_that_answered(world, serving):
    router = world.router()
    hits = router.search(text_of(3), key=key_on(Arm.SHADOW, serving))
    assert router.feedback(hits.query_id, useful=True)
    assert not router.feedback("unknown", useful=True)
    router.close()
    (seen,) = [o for o in world.ledger.observations("Docs") if o.arm is Arm.SHADOW]
    assert (seen.useful, seen.useless) == (1, 0)


def test_an_empty_query_is_refused(world):
    with pytest.raises(BadInput, match="search: the query is empty"):
        world.router().search("  ", key="u")


def test_backfill_copied_every_object(world, serving):
    assert backfill.ready(world.ports, serving).done
    shadow = world.ledger.migration(serving).spec.shadow
    assert world.store.count(shadow) == world.store.count("Docs") == 20


def test_a_question_that_live_refuses_too_does_not_rest_the_shadow(world, serving):
    router = world.router()
    key = key_on(Arm.SHADOW, serving)
    search = world.store.search

    def refusing(collection, query, *, timeout_s):
        if query.filters:
            raise BadInput("no such property")
        return search(collection, query, timeout_s=timeout_s)

    world.store.search = refusing
    for _ in range(7):
        with pytest.raises(BadInput, match="no such property"):
            router.search(text_of(3), key=key, filters={"nonsense": 1})
    assert router.search(text_of(3), key=key).arm is Arm.SHADOW


def test_a_defect_on_the_shadows_way_is_answered_by_live(world, serving):
    router = world.router()

    def broken(method, texts):
        raise ZeroDivisionError

    world.embedders["new-model"].before = broken
    hits = router.search(text_of(3), key=key_on(Arm.SHADOW, serving))
    assert (hits.arm, hits.reason) == (Arm.LIVE, "shadow_failed: ZeroDivisionError")


def test_live_has_all_the_time_that_the_shadow_left(world, serving):
    router = world.router()
    given = {}

    def shadow_takes_two_seconds(method, texts):
        world.clock.advance(2)
        raise Retryable("slow, then broken")

    search = world.store.search

    def watched(collection, query, *, timeout_s):
        given[collection] = timeout_s
        return search(collection, query, timeout_s=timeout_s)

    world.embedders["new-model"].before = shadow_takes_two_seconds
    world.store.search = watched
    router.search(text_of(3), key=key_on(Arm.SHADOW, serving), timeout=10)
    assert given == {"Docs": pytest.approx(8)}
