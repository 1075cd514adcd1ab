"""The old model ends before retire: writes and queries go on, and nothing leads back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support import cli_world
from tests.support.carried import retired, serving, validated
from tests.support.memory_world import NEW, OLD, golden_rows, key_of, make_world, request, text_of
from tests.unit.test_same_model import fingerprint
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import STAMP_SKIPPED, UNNAMED
from vecferry.domain.routing import Arm
from vecferry.errors import BadInput, ModelGone, NeedsPerson, NotWritten, Retryable
from vecferry.steps import (
    accept,
    cut_over,
    force_100,
    live_model_gone,
    plan,
    report,
    retire,
    roll_back,
    stage_runner,
    verify_parity,
)

BY = {"who": "tess", "why": "it was switched off"}


@pytest.fixture
def world():
    made = make_world()
    made.ledger.save_golden("Docs", golden_rows(20))
    return made


def dies(world):
    def gone(method, texts):
        raise ModelGone("the provider does not know the model 'old-model'", where="old-model", next_action="Correct the name.")

    world.embedders[OLD.model].before = gone


def revives(world):
    world.embedders[OLD.model].before = None


def declared(world, migration_id):
    dies(world)
    live_model_gone.act(world.ports, migration_id, **BY)
    world.clock.sleep(0.5)


def followed(router):
    while router._queue.run_once():
        pass


def is_in(world, collection, name, body):
    """Whether it is there with this text, and whether with a vector."""
    obj = world.live(name, collection)
    return None if obj is None else (obj.properties["body"] == body, UNNAMED in obj.vectors)


# --- who comes late


def test_who_plans_after_the_end_is_not_refused_for_it(world):
    """Searches fail already, and so do writes: the way out must not want an answer of the model that is gone."""
    pin = replace(world.ledger.pin("Docs"), fingerprint=fingerprint(OLD.space))
    world.ledger.save_pin(pin, who="test", why="test")
    dies(world)
    planned = stage_runner.act("plan", world.ports, request())
    (said,) = [warning for warning in planned["warnings"] if "live-model-gone" in warning]
    assert said.startswith("openai/old-model@64 answers no more (the provider does not know the model 'old-model')")
    migration_id = planned["migration_id"]
    live_model_gone.act(world.ports, migration_id, **BY)
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.SHADOW_CREATED)
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    stage_runner.act("backfill", world.ports, migration_id)
    world.walk_to(migration_id, Phase.BACKFILLED)
    stage_runner.act("verify_parity", world.ports, migration_id)
    world.walk_to(migration_id, Phase.VALIDATED)
    router = world.router()
    assert router.search(text_of(1), key="u").arm is Arm.SHADOW
    router.put(key_of("x"), {"body": "copper"})
    assert is_in(world, "Docs", "x", "copper") == (True, False)


# --- writing


def test_until_somebody_says_so_a_write_is_refused_and_says_what_to_do(world):
    migration_id = serving(world, 25)
    router = world.router()
    dies(world)
    for write in (
        lambda: router.put(key_of("x"), {"body": "copper"}),
        lambda: router.put_many([(key_of("x"), {"body": "copper"})]),
        lambda: router.update(key_of(1), {"body": "copper"}),
    ):
        with pytest.raises(NotWritten, match=r"does not know the model .*vecferry live-model-gone Docs --why"):
            write()
    assert world.live("x") is None
    assert world.ledger.rows(migration_id, limit=10) == []


def test_writes_go_on_without_a_vector_in_live_and_with_the_new_models_in_the_shadow(world):
    migration_id = serving(world, 25)
    shadow = world.ledger.migration(migration_id).spec.shadow
    router = world.router()
    declared(world, migration_id)
    router.put(key_of("one"), {"body": "copper one"})
    router.put_many([(key_of("two"), {"body": "copper two"}), (key_of("three"), {"body": "copper three"})])
    router.update(key_of("three"), {"body": "copper four"})
    router.delete(key_of(1))
    with router.change([key_of("five")]) as native:
        native.store.put("Docs", replace(world.live(2), uuid=key_of("five"), vectors={}), timeout_s=1)
    followed(router)
    for name, body in (("one", "copper one"), ("two", "copper two"), ("three", "copper four"), ("five", text_of(2))):
        assert is_in(world, "Docs", name, body) == (True, False), name
        assert is_in(world, shadow, name, body) == (True, True), name
    assert world.live(1) is None
    assert world.live(1, shadow) is None
    assert world.ledger.rows(migration_id, limit=10) == []
    assert verify_parity.compare(world.ports, world.ledger.migration(migration_id), repair=False).differences == 0


def test_a_vector_that_the_application_brings_is_kept(world):
    migration_id = serving(world, 25)
    router = world.router()
    declared(world, migration_id)
    router.put(key_of("own"), {"body": "copper"}, vector=[1.0] + [0.0] * 63)
    assert is_in(world, "Docs", "own", "copper") == (True, True)


def test_a_stamped_collection_says_why_an_object_has_no_vector_or_an_old_one(world):
    """It was a shadow once, and is live now."""
    retired(world)
    migration_id = stage_runner.act("plan", world.ports, request(to_model="old-model"))["migration_id"]
    world.ledger.set_live_model_gone(migration_id, True, **BY)
    router = world.router()
    live = world.ledger.pin("Docs").collection
    router.put(key_of("x"), {"body": "copper"})
    router.update(key_of(1), {"body": "copper"})
    assert [world.live(name, live).stamp(STAMP_SKIPPED) for name in ("x", 1, 2)] == ["live-model-gone"] * 2 + [None]
    router.update(key_of("x"), {"views": 3})
    assert world.live("x", live).stamp(STAMP_SKIPPED) == "live-model-gone"


def test_the_rest_of_the_way_to_retire_is_open(world):
    migration_id = serving(world, 25)
    router = world.router()
    declared(world, migration_id)
    router.put(key_of("late"), {"body": "copper late"})
    followed(router)
    with pytest.raises(NeedsPerson, match=r"100% is not served: .* is gone, .*vecferry force-100 Docs"):
        stage_runner.act("cut_over_100", world.ports, migration_id)
    force_100.act(world.ports, migration_id, **BY)
    world.clock.sleep(0.5)
    verify_parity.act(world.ports, migration_id)
    retire.act(world.ports, migration_id)
    world.clock.sleep(0.5)
    assert router.search("copper late", key="u")[0].uuid == key_of("late")
    router.put(key_of("after"), {"body": "copper after"})
    assert is_in(world, world.ledger.pin("Docs").collection, "after", "copper after") == (True, True)


# --- saying so


def test_the_provider_is_asked_first(world):
    migration_id = serving(world, 25)
    with pytest.raises(BadInput, match=f"{OLD.space.id} answers"):
        live_model_gone.act(world.ports, migration_id, **BY)
    world.embedders[OLD.model].before = lambda method, texts: (_ for _ in ()).throw(Retryable("it is down"))
    with pytest.raises(NeedsPerson, match="cannot be asked"):
        live_model_gone.act(world.ports, migration_id, **BY)
    assert not world.ledger.migration(migration_id).live_model_gone
    with pytest.raises(BadInput, match="a person and a reason"):
        live_model_gone.act(world.ports, migration_id, who="", why="", force=True)
    for _ in range(2):
        live_model_gone.act(world.ports, migration_id, **BY, force=True)
    told = [e for e in world.ledger.events(migration_id=migration_id) if e.what == "live_model_gone"]
    assert [(e.who, e.why, e.detail["model"]) for e in told] == [("tess", "it was switched off", OLD.space.id)]


def test_a_server_that_vectorizes_by_itself_is_warned_of(world):
    migration_id = serving(world, 25)
    schema = world.store._collections["Docs"].schema
    schema |= {"vectorizer": "text2vec-openai", "moduleConfig": {"text2vec-openai": {"model": "old-model"}}}
    dies(world)
    (warning,) = live_model_gone.act(world.ports, migration_id, **BY)["warnings"]
    assert "will refuse writes" in warning


# --- reading


@pytest.mark.parametrize("said", [False, True], ids=["not declared", "declared"])
@pytest.mark.parametrize("percent", [0, 5])
def test_lives_queries_are_answered_by_the_proven_shadow(world, said, percent):
    migration_id = serving(world, percent) if percent else validated(world)
    router = world.router()
    key = cut_over.key_on(Arm.LIVE, migration_id, percent or 5)
    assert router.search(text_of(3), key=key).arm is Arm.LIVE
    dies(world)
    if said:
        live_model_gone.act(world.ports, migration_id, **BY)
        router.refresh()
        assert (router.route(key).arm, router.route(key).reason) == (Arm.SHADOW, "live_model_gone")
        with router.arm(key) as arm:
            assert arm.route.space == NEW.space
    hits = router.search(text_of(3), key=key)
    assert (hits.arm, hits.reason, hits[0].uuid) == (Arm.SHADOW, "live_model_gone", key_of(3))
    router._observe()
    seen = {o.arm: o for o in world.ledger.observations("Docs") if o.version == router._membership.snapshot.routing.version}
    assert (seen[Arm.LIVE].queries, seen[Arm.LIVE].fallbacks) == (2, 1), "counted for the arm that was asked"


def test_an_unproven_shadow_answers_nobody(world):
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.SHADOW_CREATED)
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    router = world.router()
    declared(world, migration_id)
    with pytest.raises(ModelGone, match=r"does not know the model.*answers once it is validated.*dual writing"):
        router.search(text_of(3), key="u")


def test_after_a_rollback_the_shadow_answers_nobody(world):
    migration_id = serving(world, 25)
    router = world.router()
    roll_back.act(world.ports, migration_id, who="tess", why="a feeling")
    router.refresh()
    dies(world)
    with pytest.raises(ModelGone, match="nobody has gone back; this migration is rolled back"):
        router.search(text_of(3), key="u")


def test_a_failing_shadow_is_what_is_told_when_live_is_dead_too(world):
    serving(world, 100)
    router = world.router()
    dies(world)
    world.embedders[NEW.model].before = lambda method, texts: (_ for _ in ()).throw(Retryable("it is down"))
    with pytest.raises(Retryable, match=r"the shadow failed \(it is down\), and the live model is gone"):
        router.search(text_of(3), key="u")


def test_a_router_past_its_lease_goes_to_the_shadow_only_if_it_knows_that_there_is_no_way_back(world):
    migration_id = serving(world, 100)
    router = world.router(driven=False)
    router.refresh()
    dies(world)
    world.clock.advance(world.ports.timings.lease_s + 1)
    with pytest.raises(ModelGone):
        router.search(text_of(3), key="u")
    revives(world)
    declared(world, migration_id)
    router.refresh()
    world.clock.advance(world.ports.timings.lease_s + 1)
    assert router.search(text_of(3), key="u").reason == "live_model_gone"


# --- going back


def test_rollback_is_refused_until_a_person_says_that_the_model_answers_again(world):
    migration_id = serving(world, 25)
    router = world.router()
    declared(world, migration_id)
    for by in (BY, {"who": "airflow:embedding_migration/r1", "why": "cut_over_25 failed"}):
        with pytest.raises(NeedsPerson, match=r"there is no way back: .*old-model.* vecferry rollback Docs --force --why"):
            stage_runner.act("roll_back", world.ports, migration_id, **by)
    assert world.ledger.snapshot("Docs").routing.percent == 25
    revives(world)
    assert roll_back.act(world.ports, migration_id, who="ana", why="it is back", force=True)["percent"] == 0
    router.refresh()
    assert router.search(text_of(3), key="u").arm is Arm.LIVE
    router.put(key_of("x"), {"body": "copper"})
    assert is_in(world, "Docs", "x", "copper") == (True, True)
    told = [(e.what, e.who) for e in world.ledger.events(migration_id=migration_id) if "live_model" in e.what]
    assert told == [("live_model_gone", "tess"), ("live_model_back", "ana")]


# --- before it ends


def ends_on(world, day, sources=("provider page", "a feed")):
    world.ledger.save_notices(
        [
            {
                "id": f"n{n}",
                "provider": "openai",
                "model_id": "old-model",
                "source": source,
                "shutdown_date": day,
                "url": source,
            }
            for n, source in enumerate(sources)
        ]
    )


def in_days(world, days):
    return (world.clock.now() + timedelta(days=days)).date().isoformat()


def test_a_percent_that_would_soak_past_the_end_is_refused_beforehand(world):
    migration_id = validated(world, soak_minutes=3 * 24 * 60)
    ends_on(world, in_days(world, 2), sources=("a feed",))
    assert not cut_over.refuse_a_soak_past_the_end(world.ports, world.ledger.migration(migration_id), "cut_over_5")
    ends_on(world, in_days(world, 2))
    with pytest.raises(NeedsPerson, match=r"5% is not served: .*old-model.* ends on .*then there is no way back.*force-100"):
        stage_runner.act("cut_over_5", world.ports, migration_id)
    assert world.ledger.snapshot("Docs").routing.percent == 0
    ends_on(world, in_days(world, 5))
    assert stage_runner.act("cut_over_5", world.ports, migration_id)["percent"] == 5


def test_the_plan_warns_of_the_percents_that_would_be_refused(world):
    warnings = plan.look(world.ports, world.ledger.pin("Docs"), NEW, request(soak_minutes=2 * 24 * 60))["warnings"]
    assert not any("ends on" in warning for warning in warnings)
    ends_on(world, in_days(world, 5))
    warnings = plan.look(world.ports, world.ledger.pin("Docs"), NEW, request(soak_minutes=2 * 24 * 60))["warnings"]
    (warning,) = [warning for warning in warnings if "ends on" in warning]
    assert "25%" not in warning
    assert "100% would not have soaked" in warning


def test_forcing_100_is_for_a_model_that_ends_and_a_shadow_that_is_proven(world):
    migration_id = validated(world, soak_minutes=3 * 24 * 60)
    with pytest.raises(BadInput, match="does not end before the percents have soaked"):
        force_100.act(world.ports, migration_id, **BY)
    ends_on(world, in_days(world, 2))
    with pytest.raises(BadInput, match="a person and a reason"):
        force_100.act(world.ports, migration_id, who="tess", why="")
    done = force_100.act(world.ports, migration_id, **BY)
    assert done == {"phase": "serving", "percent": 100, "passed_over": ["cut_over_5", "cut_over_25"]}
    assert force_100.act(world.ports, migration_id, **BY)["percent"] == 100
    (event,) = [e for e in world.ledger.events(migration_id=migration_id) if e.what == "forced_100"]
    assert (event.who, event.why, "ends on" in event.detail["because"]) == ("tess", "it was switched off", True)


def test_forcing_100_is_refused_before_the_shadow_is_proven(world):
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    declared(world, migration_id)
    with pytest.raises(BadInput, match="the shadow is not proven: the migration is planned"):
        force_100.act(world.ports, migration_id, **BY)


def test_the_percents_that_were_passed_over_do_not_fail_a_run_that_waits_at_them(world):
    """Else the DAG would take the jump for a failed canary, and roll back what a person has decided."""
    migration_id = serving(world, 5)
    router = world.router()
    for number in range(400):
        router.search(text_of(number % 20), key=f"user-{number}")
    router._observe()
    ends_on(world, in_days(world, 0))
    force_100.act(world.ports, migration_id, **BY)
    for stage in ("cut_over_5", "cut_over_25"):
        stage_runner.act(stage, world.ports, migration_id)
        assert stage_runner.ready(stage, world.ports, migration_id).done
        verdict = stage_runner.check(stage, world.ports, migration_id)
        assert (verdict.passes, verdict.accepted_by, verdict.accepted_why) == (True, "tess", "it was switched off"), stage
    rows = {row["stage"]: row["accepted_by"] for row in report.gather(world.ports, "Docs")["stages"]}
    assert rows == {"cut_over_5": "tess", "cut_over_25": "tess"}


def test_the_golden_set_has_nothing_to_compare_with_and_a_person_may_accept_that(world):
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    for stage in ("create_shadow", "enable_dual_write", "backfill"):
        stage_runner.act(stage, world.ports, migration_id)
        phase = {"create_shadow": Phase.SHADOW_CREATED, "backfill": Phase.BACKFILLED}.get(stage)
        if phase:
            world.walk_to(migration_id, phase)
    verify_parity.act(world.ports, migration_id)
    world.walk_to(migration_id, Phase.VERIFIED)
    declared(world, migration_id)
    stage_runner.act("validate_golden_set", world.ports, migration_id)
    assert stage_runner.ready("validate_golden_set", world.ports, migration_id).done
    verdict = stage_runner.check("validate_golden_set", world.ports, migration_id)
    assert verdict.outcome == "NO_DATA"
    assert world.ledger.migration(migration_id).phase is Phase.VERIFIED
    accept.act(world.ports, migration_id, "validate_golden_set", **BY)
    assert stage_runner.check("validate_golden_set", world.ports, migration_id).accepted_by == "tess"
    assert force_100.act(world.ports, migration_id, **BY)["percent"] == 100


def test_the_commands():
    world = cli_world.World().started().proven_up_to(Phase.VERIFIED)
    world.ledger.move(world.migration, Phase.VALIDATED, who="t", why="t")
    assert world.run("live-model-gone", "Docs").code == 2
    assert "answers" in world.run("live-model-gone", "Docs", "--why", "x").err
    assert world.run("force-100", "Docs", "--why", "x").code == 2
    done = world.done("live-model-gone", "Docs", "--why", "it ended", "--force")
    assert (done["gone"], done["warnings"]) == (True, [])
    assert world.done("status", "Docs")["next"] == "vecferry force-100 Docs --why …"
    assert "nothing leads back" in world.run("status", "Docs").out
    assert "there is no rollback" in world.run("live-model-gone", "Docs", "--why", "again").out
    assert world.done("force-100", "Docs", "--why", "it ended")["percent"] == 100
    assert world.done("status", "Docs")["next"] == "vecferry step cut_over_100 Docs"
    assert "serves 100%" in world.run("force-100", "Docs", "--why", "it ended").out
    assert "there is no way back" in world.run("rollback", "Docs", "--why", "worse").err
    assert world.run("rollback", "Docs", "--force").code == 2
    assert world.done("rollback", "Docs", "--force", "--why", "it answers again")["percent"] == 0
