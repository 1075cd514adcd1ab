"""Who takes part, where the migration stands, and how much may go wrong: a handful, each made for a part of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.explorer import templates
from tests.faults.explorer.choices import Bounds
from tests.faults.explorer.templates import Template
from tests.faults.explorer.world import World
from tests.support.memory_world import key_of
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.errors import Retryable
from vecferry.steps import backfill, discard, enable_dual_write, retire, roll_back, verify_parity

Works = Mapping[str, Sequence[str]]
"""Application → what it asks for, one after the other."""


@dataclass(frozen=True)
class Scenario:
    """``works`` is what applications do unless a random walk draws something else from ``menu``.

    ``openings``: how a random walk may begin; the first that runs there stands back afterwards,
    unless something has happened to it.
    ``before_the_end`` comes before ghosts land and the janitor has its time, ``afterwards`` after all has been judged.
    """

    name: str
    about: str
    begins: Callable[[], Template]
    cast: Callable[[World, Works], None]
    works: Works
    menu: tuple[str, ...]
    bounds: Bounds = field(default_factory=Bounds)
    most_operations: int = 2
    openings: tuple[tuple[str, ...], ...] = ((),)
    before_the_end: Callable[[World], object] = lambda world: None
    afterwards: Callable[[World], object] | None = None


def _writers(world: World, works: Works) -> None:
    world.router("A")
    world.router("B")
    world.application("W0", "A", works["W0"])
    world.application("W1", "B", works["W1"])
    world.janitor("J1")


def _janitors(world: World, works: Works) -> None:
    _writers(world, works)
    world.janitor("J2")


def _one_router(world: World, works: Works) -> None:
    world.router("A")
    world.application("W0", "A", works["W0"])
    world.application("W1", "A", works["W1"])
    world.janitor("J1")


def _lying(world: World, works: Works) -> None:
    _writers(world, works)
    shadow = world.migration.spec.shadow

    def disk_fills_and_empties() -> None:
        world.store.set_read_only(shadow, True)
        world.store.set_read_only(shadow, False)

    world.environment("disk", disk_fills_and_empties)


def _backfill(world: World, works: Works) -> None:
    world.router("A")
    world.application("W0", "A", works["W0"])
    world.janitor("J1")
    for name in ("B1", "B2"):
        world.task(name, lambda: backfill.run_all(world.ports, world.migration_id))


def _parity(world: World, works: Works) -> None:
    """Somebody bypassed the router, and a killed server left an object that no search finds."""
    shadow = world.migration.spec.shadow
    world.raw_store.delete(shadow, key_of("a"), timeout_s=1)
    world.router("A")
    world.application("W0", "A", works["W0"])
    world.janitor("J1")
    for name in ("P1", "P2"):
        world.task(name, lambda: _compare(world))


def _compare(world: World) -> None:
    verify_parity.compare(world.ports, world.migration, repair=True)
    world.passes += 1


def _a_pass_if_none_has_ended(world: World) -> None:
    """What no row covers is found by a pass only; it comes before the ghosts, which it must not be needed for."""
    if not world.passes:
        _compare(world)


def _unindexed(world: World, works: Works) -> None:
    world.raw_store.unindex(world.migration.spec.shadow, key_of("a"))
    world.router("A")
    world.application("W0", "A", works["W0"])
    world.janitor("J1")
    world.task("P1", lambda: _compare(world))


def _adoption(world: World, works: Works) -> None:
    world.router("A")
    world.router("B")
    world.application("W0", "A", works["W0"])
    world.application("W1", "B", works["W1"])
    world.task("M", lambda: _enable_and_fill(world))
    world.janitor("J1")


def _enable_and_fill(world: World) -> None:
    enable_dual_write.act(world.ports, world.migration_id)
    while True:
        try:
            backfill.run_all(world.ports, world.migration_id)
            return
        except Retryable:  # not all routers have acknowledged: the sensor asks again
            world.clock.sleep(4.0)


def _retire(world: World, works: Works) -> None:
    world.router("A")
    world.router("B")
    world.application("W0", "A", works["W0"])
    world.application("W1", "B", works["W1"])
    world.task("T", lambda: _retire_in_two_attempts(world))
    world.janitor("J1")


def _retire_in_two_attempts(world: World) -> None:
    for _ in range(2):
        try:
            retire.act(world.ports, world.migration_id)
            return
        except Retryable:
            world.clock.sleep(templates.TIMINGS.takeover_s)


def _retire_beside_parity(world: World, works: Works) -> None:
    """What parity repairs here is equal on both sides, and only not findable: nothing but a pass knows of it."""
    world.raw_store.unindex(world.migration.spec.shadow, key_of("a"))
    world.router("A")
    world.application("W0", "A", works["W0"])
    world.task("P1", lambda: _compare(world))
    world.task("T", lambda: _retire_in_two_attempts(world))
    world.janitor("J1")


def _again(world: World, works: Works) -> None:
    """Parity of the first attempt is under way while somebody rolls back, discards and begins anew."""
    world.raw_store.unindex(world.migration.spec.shadow, key_of("a"))
    first = world.migration
    world.router("A")
    world.application("W0", "A", works["W0"])
    world.task("P1", lambda: verify_parity.compare(world.ports, first, repair=True))
    world.task("M", lambda: _discard_and_begin_anew(world))
    world.janitor("J1")


def _discard_and_begin_anew(world: World) -> None:
    roll_back.act(world.ports, world.migration_id, who="tess", why="a feeling")
    while True:
        try:
            discard.act(world.ports, world.migration_id, who="tess", why="no budget")
            break
        except Retryable:
            world.clock.sleep(4.0)
    world.migration_id = world.undisturbed(lambda: templates.plan_again(world.ports))
    _enable_and_fill(world)


def _rolling_back(world: World, works: Works) -> None:
    """Two operators at once, one of them with a cut-over that was computed before the rollback."""
    world.router("A")
    world.application("W0", "A", works["W0"])
    standing = world.migration
    world.task("R", lambda: roll_back.act(world.ports, world.migration_id, who="tess", why="a feeling"))
    world.task(
        "C",
        lambda: world.ledger.move(standing, Phase.SERVING, who="test", why="cut over", routing=(Mode.DUAL, 100)),
    )


_ANY = ("put a", "delete a", "update a", "title a", "put b", "put_many a b", "delete b")
_OF_A = ("put a", "delete a", "title a")

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "writers",
            "two routers write one key, one janitor",
            templates.copied,
            _writers,
            {"W0": ["put a"], "W1": ["put a"]},
            _ANY,
            openings=(
                (),
                ("W0 to put L", "time out W0 in flight"),
                ("W0 to put_batch S", "time out W0 in flight"),
                ("W0 to open_rows ledger", "time out W0"),
            ),
        ),
        Scenario(
            "one-router",
            "two threads of one router",
            templates.copied,
            _one_router,
            {"W0": ["put a"], "W1": ["delete a"]},
            _OF_A,
        ),
        Scenario(
            "janitors",
            "two writers, two janitors, owners that pause",
            templates.copied,
            _janitors,
            {"W0": ["put a"], "W1": ["put a"]},
            _OF_A,
            most_operations=1,
            openings=(
                (),
                ("W0 to put L done", "crash W0", "J1 to turn", "J2 to turn"),
                ("W0 to put L done", "crash W0", "J1 to turn", "J2 to turn", "J1 to put_batch S", "crash J1 in flight"),
            ),
        ),
        Scenario(
            "paused-owner",
            "an owner pauses at a write for longer than the janitor waits",
            templates.copied,
            _writers,
            {"W0": ["put a"], "W1": ["put a"]},
            _OF_A,
            most_operations=1,
            openings=(
                ("W0 to open_rows ledger done", "J1 to turn"),
                ("W0 to put_batch S", "J1 to turn"),
                ("W0 to close_rows ledger", "J1 to turn"),
                ("W0 to close_rows ledger", "J1 to turn", "J1 to read L", "J1 to read S", "W1 to end", "J1 to put_batch S"),
            ),
        ),
        Scenario(
            "lying",
            "the shadow's disk fills and empties: batches are answered and not stored",
            templates.copied,
            _lying,
            {"W0": ["put_many b c"], "W1": ["put a"]},
            ("put_many a b", "put_many b a", "put a", "delete a"),
            Bounds(crashes=1, ghosts=1, timeouts=1, passes=1),
        ),
        Scenario(
            "backfill",
            "a worker and its successor, an application",
            templates.dual_writing,
            _backfill,
            {"W0": ["delete a"]},
            _OF_A,
            openings=((), ("B1 to put_batch S", "crash B1 in flight")),
        ),
        Scenario(
            "parity",
            "two passes with repair over a lost copy, an application",
            templates.copied,
            _parity,
            {"W0": ["put a"]},
            _OF_A,
            before_the_end=_a_pass_if_none_has_ended,
            openings=((), ("P1 to put_batch S", "crash P1 in flight")),
        ),
        Scenario(
            "unindexed",
            "parity mends what no search finds",
            templates.copied,
            _unindexed,
            {"W0": ["title a"]},
            _OF_A,
            Bounds(crashes=1, ghosts=1, timeouts=1, passes=1),
            afterwards=_compare,
        ),
        Scenario(
            "adoption",
            "dual-write is switched on under two routers, then backfill",
            templates.planned,
            _adoption,
            {"W0": ["put a"], "W1": ["delete a"]},
            _OF_A,
            openings=(
                (),
                ("W0 to embed_documents L", "stop A.poll", "pass idle lease + Q"),
                ("stop A.poll", "pass most of the idle lease", "W0 to put L"),
                ("W0 to put L", "time out W0 in flight"),
            ),
        ),
        Scenario(
            "retire",
            "the freeze and the flip, two routers, a janitor",
            templates.serving_everything,
            _retire,
            {"W0": ["put a"], "W1": ["put a", "put a"]},
            _ANY,
            openings=((), ("T to sleep", "T to flip ledger")),
        ),
        Scenario(
            "retire-parity",
            "a parity pass beside the freeze",
            templates.serving_everything,
            _retire_beside_parity,
            {"W0": ["put a", "put a"]},
            _OF_A,
        ),
        Scenario(
            "again",
            "rollback, discard and a new attempt while an old copier is under way",
            templates.serving_everything,
            _again,
            {"W0": ["put a", "delete a"]},
            _OF_A,
            openings=((), ("P1 to put_batch S", "crash P1 in flight")),
        ),
        Scenario(
            "rolling-back",
            "a rollback and a cut-over at the same moment",
            templates.serving_everything,
            _rolling_back,
            {"W0": ["put a"]},
            _OF_A,
        ),
    )
}
