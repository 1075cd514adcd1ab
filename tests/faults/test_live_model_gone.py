"""The old model ends before retire, in the middle of what others do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.faults import mutants_after_retire as mutants
from tests.faults.fault_world import LIVE, Broken, FaultWorld, expect, follow
from tests.faults.mutants import Mutant
from tests.support.memory_world import OLD, key_of
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import UNNAMED
from vecferry.domain.routing import Arm
from vecferry.errors import ModelGone, NeedsPerson, NotWritten, VecferryError
from vecferry.steps import cut_over, force_100, live_model_gone, roll_back, stage_runner


def test_a_rollback_that_was_under_way_when_the_model_was_declared_gone_is_refused(dual: FaultWorld) -> None:
    """Both hold the migration's row: one of the two wins, and after the declaration live takes objects without a vector."""
    dual.serve_everything()
    _dies(dual)
    dual.s.actor("B", lambda: roll_back.act(dual.ports, dual.migration_id, who="tess", why="a feeling"))
    dual.s.run("B", until="move")
    _declared(dual)
    error = dual.s.run_out("B")
    expect(dual.migration.phase is Phase.SERVING, "queries are not sent to a model that is gone")
    expect(isinstance(error, NeedsPerson) and "there is no way back" in error.what, f"it says so: {error!r}")


def test_a_write_that_met_the_end_of_the_model_is_refused_and_the_next_one_goes_on(dual: FaultWorld) -> None:
    dual.serve_everything()
    router = dual.writer("W0", "0", "two")
    dual.s.run("W0", until="embed_documents L")
    _dies(dual)
    dual.s.run_out("W0")
    expect(dual.live("0") == "two", "what was asked before the end is answered")
    dual.writer("W1", "0", "three", router)
    expect(isinstance(dual.s.run_out("W1"), NotWritten), "nobody has declared it gone: nothing is written")
    expect((dual.live("0"), dual.rows()) == ("two", []), "and nothing is left behind")
    _declared(dual)
    dual.writer("W2", "0", "three", router)
    expect(dual.s.run_out("W2") is None, "writes go on")
    found = dual.store.read(LIVE, [key_of("0")])[key_of("0")]
    expect((found.properties["body"], UNNAMED in found.vectors) == ("three", False), "without a vector in live")
    expect(dual.shadow("0") == "three", "the shadow follows")
    dual.settle()


def test_a_router_that_does_not_know_yet_refuses_and_loses_nothing(dual: FaultWorld) -> None:
    """Routers take the declaration up one by one: two of them write one key, with and without a vector."""
    dual.serve_everything()
    late, early = dual.writer("W0", "0", "two"), dual.router()
    dual.s.run("W0", until="put L")
    _dies(dual)
    _declared(dual, late)
    dual.writer("W1", "0", "three", early)
    expect(dual.s.run_out("W1") is None, "the one that knows writes")
    dual.s.run_out("W0")
    follow(late)
    expect(dual.live("0") == "two" == dual.shadow("0"), "the last acknowledged write stands on both sides")
    dual.settle()


def test_the_shadow_stands_in_for_no_query_before_it_is_proven(dual: FaultWorld) -> None:
    router = dual.router()
    _dies(dual)
    _declared(dual)
    expect(isinstance(_asked(router), ModelGone), "a named error, and no answer of an unproven space")


def test_the_shadow_stands_in_for_no_query_after_a_rollback(dual: FaultWorld) -> None:
    """Nobody is served by the shadow after the rollback's acknowledgement, whatever becomes of the old model."""
    dual.serve_everything()
    router = dual.router()
    roll_back.act(dual.ports, dual.migration_id, who="tess", why="a feeling")
    dual.refresh()
    _dies(dual)
    expect(isinstance(_asked(router), ModelGone), "a named error, and no answer of the shadow")
    _declared(dual)
    expect(isinstance(_asked(router), ModelGone), "declared or not")


@pytest.mark.parametrize("until", ["move", "record_event"], ids=["before its move", "after its move"])
def test_a_force_that_crashes_excuses_a_canary_only_if_it_has_moved(dual: FaultWorld, until: str) -> None:
    """The person's acceptance is written first, so that a check that runs meanwhile does not undo the jump."""
    dual.walk_to(Phase.VALIDATED)
    _dies(dual)
    _declared(dual)
    dual.s.actor("F", lambda: force_100.act(dual.ports, dual.migration_id, who="tess", why="it was switched off"))
    dual.s.run("F", until=until)
    dual.s.crash("F")
    moved = until == "record_event"
    expect((dual.migration.percent == 100) is moved, "the crash is where the schedule says")
    if not moved:
        dual.ledger.set_live_model_gone(dual.migration_id, False, who="tess", why="it is back")
        dual.clock.advance(1)
        stage_runner.act("cut_over_5", dual.ports, dual.migration_id)
    verdict = cut_over.judge(dual.ports, dual.migration_id, "cut_over_5")
    expect(("passed over" in verdict.reason) is moved, f"judged as what it is: {verdict.reason}")


SCHEDULES: list[tuple[Mutant, Callable[[FaultWorld], None]]] = [
    (
        mutants.a_gone_model_may_be_gone_back_to,
        test_a_rollback_that_was_under_way_when_the_model_was_declared_gone_is_refused,
    ),
    (
        mutants.a_force_excuses_a_canary_at_once,
        partial(test_a_force_that_crashes_excuses_a_canary_only_if_it_has_moved, until="move"),
    ),
    (mutants.any_shadow_stands_in, test_the_shadow_stands_in_for_no_query_before_it_is_proven),
    (mutants.any_shadow_stands_in, test_the_shadow_stands_in_for_no_query_after_a_rollback),
]


def named(value: object) -> str:
    return str(getattr(value, "__name__", "a_force_that_crashes")).removeprefix("test_")[:48]


@pytest.mark.parametrize(("mutant", "schedule"), SCHEDULES, ids=named)
def test_a_schedule_of_a_dead_model_finds_its_mutant(
    monkeypatch: pytest.MonkeyPatch, dual: FaultWorld, mutant: Mutant, schedule: Callable[[FaultWorld], None]
) -> None:
    mutant(monkeypatch)
    with pytest.raises(Broken):
        schedule(dual)


def _dies(world: FaultWorld) -> None:
    def gone(method: str, texts: object) -> None:
        raise ModelGone("the provider does not know the model", where=OLD.model, next_action="Move on.")

    parked = world.embedders[OLD.model].before

    def before(method: str, texts: object) -> None:
        if parked is not None:
            parked(method, texts)  # type: ignore[arg-type]
        gone(method, texts)

    world.embedders[OLD.model].before = before


def _declared(world: FaultWorld, *paused: object) -> None:
    live_model_gone.act(world.ports, world.migration_id, who="tess", why="it was switched off")
    world.refresh(*paused)  # type: ignore[arg-type]


def _asked(router: object) -> VecferryError | Arm:
    try:
        return router.search("one", key="u").arm  # type: ignore[attr-defined]
    except VecferryError as error:
        return error
