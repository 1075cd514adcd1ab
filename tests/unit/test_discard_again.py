"""A discard ends the migration first and drops the shadow last: what lies between is told, and finished by running it again."""

import pytest

from tests.support.cli_world import World
from vecferry.domain.lifecycle import PROTOCOL_VERSION, Phase
from vecferry.domain.routing import Lease
from vecferry.errors import NotWritten
from vecferry.steps import discard

AGAIN = "vecferry discard Docs --why …"


class Killed(Exception):
    """The process ended here."""


@pytest.fixture
def world():
    return World().started().proven_up_to(Phase.BACKFILLED)


def refuse_to_drop(world, error: Exception) -> None:
    def before(name, collection, call):
        if name == "drop":
            raise error

    world.store.before = before


def killed_before_the_drop(world) -> str:
    refuse_to_drop(world, Killed())
    with pytest.raises(Killed):
        discard.act(world.ports, world.migration.id, who="tess", why="no better")
    world.store.before = lambda name, collection, call: None
    return str(world.migration.spec.shadow)


def test_after_a_crash_between_the_move_and_the_drop_status_says_what_is_left_and_a_second_run_finishes_it(world):
    shadow = killed_before_the_drop(world)
    assert (world.migration.phase, shadow in world.store.collections()) == (Phase.DISCARDED, True)
    status = world.done("status", "Docs")
    assert status["hints"] == [f"shadow {shadow} is still to be dropped: run vecferry discard again ({AGAIN})"]
    assert status["next"] == AGAIN
    assert f"shadow {shadow} is still to be dropped" in world.run("status", "Docs").out
    assert world.done("discard", "Docs", "--why", "no better")["dropped"] == shadow
    assert shadow not in world.store.collections()
    status = world.done("status", "Docs")
    assert (status["hints"], status["next"]) == ([], "vecferry plan Docs --to MODEL")


def test_a_crash_after_the_drop_is_finished_by_a_second_run_too(world):
    def after(name, collection, call):
        if name == "drop":
            raise Killed

    world.store.after = after
    with pytest.raises(Killed):
        discard.act(world.ports, world.migration.id, who="tess", why="no better")
    assert world.done("status", "Docs")["next"] == AGAIN
    world.done("discard", "Docs", "--why", "again")
    world.done("discard", "Docs", "--why", "and again")
    assert world.done("status", "Docs")["hints"] == []
    assert [e.what for e in world.ledger.events(migration_id=world.migration.id)].count("shadow_dropped") == 1


def test_a_silent_router_holds_up_the_drop_and_the_error_says_that_the_shadow_stands(world):
    world.ledger.register(Lease("r9", "Docs", world.clock.now(), 1e6, 0, PROTOCOL_VERSION, where="host-9"))
    said = world.run("discard", "Docs", "--why", "no better")
    shadow = world.migration.spec.shadow
    assert said.code == 1
    assert f"shadow {shadow} is still to be dropped: 1 routers to acknowledge" in said.err
    assert AGAIN in said.err
    assert shadow in world.store.collections()


def test_a_store_that_does_not_answer_is_the_same(world):
    refuse_to_drop(world, NotWritten("no connection to Weaviate", where="Docs"))
    said = world.run("discard", "Docs", "--why", "no better")
    assert said.code == 1
    assert "is still to be dropped: no connection to Weaviate" in said.err
    assert AGAIN in said.err


def test_a_shadow_that_was_left_is_dropped_by_name_beside_the_next_migration(world):
    shadow, first = killed_before_the_drop(world), world.migration.id
    world.done("plan", "Docs", "--to", "sandbox-char-2", "--start")
    second = world.migration
    (hint,) = world.done("status", "Docs")["hints"]
    assert f"vecferry discard Docs --migration {first} --why …" in hint
    assert world.done("discard", "Docs", "--migration", first, "--why", "left over")["dropped"] == shadow
    assert shadow not in world.store.collections()
    assert world.ledger.migration(second.id).phase is second.phase
    assert world.done("status", "Docs")["hints"] == []
    said = world.run("discard", "Docs", "--migration", second.id, "--why", "x")
    assert said.code == 2
    assert f"Discarded ones: {first}." in said.err
