"""``vecferry sweep``: follow what applications write without the Router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer, stderr
from vecferry.cli.connecting import ports_of
from vecferry.cli.failing import DONE, FAILED, on_interrupt
from vecferry.cli.figures import counted, duration
from vecferry.cli.finding import active_or_newest
from vecferry.cli.options import AsJson, PinName, Who, Why
from vecferry.cli.progress import progress
from vecferry.cli.who import person
from vecferry.domain.sweeping import EVERY_S
from vecferry.errors import BadInput, Paused, Retryable

if TYPE_CHECKING:
    from vecferry.domain.lifecycle import Migration
    from vecferry.ports import Ports

EXAMPLES = (
    "vecferry sweep Docs",
    "vecferry sweep Docs --once",
    "vecferry sweep Docs --writers-moved --why 'release 12 writes through the Router; the nightly job is off'",
)


def run(
    ctx: typer.Context,
    pin: PinName,
    every: Annotated[float, typer.Option(metavar="S", min=0.0, help="Seconds between two passes.")] = EVERY_S,
    once: Annotated[bool, typer.Option("--once", metavar="", help="One pass, then end.")] = False,
    moved: Annotated[
        bool, typer.Option("--writers-moved", metavar="", help="Say that nobody writes without the Router any more.")
    ] = False,
    who: Who = "",
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Find what applications wrote to the live collection without the Router, and bring it to the new one; until Ctrl-C.

    For a migration that was planned with --sweep. A native change is in the new collection after twice the time of a pass and
    the pause between two, at the latest. It ends by itself when the migration does. Exit 1 if --once left something over.
    """
    if as_json and not (once or moved):
        raise BadInput("sweeping goes on, and --json is one document", where="sweep", next_action="Add --once.")
    with ports_of(ctx) as ports:
        migration = active_or_newest(ports, pin)
        with on_interrupt("the sweep stopped; it goes on where it was, and rows in hand are left to the janitor"):
            if moved:
                done = _moved(ports, migration, who=person(who), why=why)
            else:
                done = _pass(ports, migration) if once else _go_on(ports, migration, every)
    answer(done, as_json, lambda console: _show(console, done, pin))
    raise typer.Exit(DONE if done.get("clean", True) else FAILED)


def _moved(ports: Ports, migration: Migration, *, who: str, why: str) -> dict[str, Any]:
    from vecferry.steps import sweep

    with progress("sweep", _total(ports, migration)) as tell:
        return sweep.writers_moved(ports, migration.id, who=who, why=why, progress=lambda seen: tell(seen.objects_live))


def _pass(ports: Ports, migration: Migration) -> dict[str, Any]:
    from vecferry.steps import sweep, sweeps

    with progress("sweep", _total(ports, migration)) as tell:
        done = sweep.act(ports, migration.id, lambda seen: tell(seen.objects_live))
    return {"migration_id": migration.id, **sweeps.row(done), "staleness_bound_s": sweeps.bound_s(ports, migration)}


def _go_on(ports: Ports, migration: Migration, every_s: float) -> dict[str, Any]:
    """What passes by itself, and a pause of the migration, end only the pass."""
    from vecferry.steps.sweep import refuse_unswept

    refuse_unswept(migration)
    passes = 0
    while not migration.ended:
        try:
            stderr().print(f"sweep: {_words(_pass(ports, migration))}", markup=False)
            passes += 1
        except (Retryable, Paused) as error:
            stderr().print(f"sweep: tried again in {duration(every_s)}: {error}", markup=False)
        ports.clock.sleep(every_s)
        migration = ports.ledger.migration(migration.id)
    return {"migration_id": migration.id, "passes": passes, "phase": migration.phase.value}


def _total(ports: Ports, migration: Migration) -> int:
    from vecferry.steps.sampling import count_all

    return count_all(ports.store, migration.spec.live)


def _words(done: dict[str, Any]) -> str:
    parts = [f"{done[kind]:,} {kind}" for kind in ("changed", "new", "deleted", "mended")]
    parts += [f"{done['left_over']:,} left over"] if done["left_over"] else []
    parts += [f"{done['unexplained']:,} that no native write explains"] if done["unexplained"] else []
    bound = f"a native change is followed within {duration(done['staleness_bound_s'])}"
    return f"{', '.join(parts)} of {counted(done['objects'], 'object')} in {duration(done['seconds'])}; {bound}"


def _show(console: Console, done: dict[str, Any], pin: str) -> None:
    if "passes" in done:
        console.print(f"{done['migration_id']} is {done['phase']}: nothing is left to sweep.")
        return
    if "caught_up" in done:
        console.print(f"{done['who']} says that the writers have moved: {done['why']}")
        console.print(f"{counted(done['caught_up'], 'native change')} from before it followed. One more takes the word back.")
        tables.next_action(console, f"clear retire.act in Airflow, or: vecferry step retire {pin}")
        return
    console.print(_words(done), soft_wrap=True)
    tables.pairs(console, [("e.g.", example) for example in done["examples"][:5]], indent=0)
    if not done["clean"]:
        tables.next_action(console, f"vecferry sweep {pin} --once")
