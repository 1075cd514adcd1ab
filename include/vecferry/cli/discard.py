"""``vecferry discard``: give a migration up."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.failing import exit_code, on_interrupt
from vecferry.cli.finding import active
from vecferry.cli.options import AsJson, PinName, Who, Why
from vecferry.cli.progress import waiting
from vecferry.cli.who import person
from vecferry.domain.lifecycle import Phase
from vecferry.errors import BadInput, NotFound

if TYPE_CHECKING:
    from vecferry.domain.lifecycle import Migration
    from vecferry.domain.verdicts import Verdict
    from vecferry.ports import Ports

EXAMPLES = ("vecferry discard Docs --why 'the new model is not better'",)


def run(
    ctx: typer.Context,
    pin: PinName,
    why: Why = "",
    migration: Annotated[
        str | None,
        typer.Option(metavar="ID", help="An earlier migration whose shadow is still to be dropped; else the newest."),
    ] = None,
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Drop the new collection and end the migration: you lose compute, not customers.

    Only where it serves 0%. Writes to both end first; what may still write is waited for, then the collection is dropped. Then
    live is read back: count, schema and a sample must be as before. Exit 0 PASS, 1 FAIL, 3 NO_DATA.
    """
    if not why.strip():
        raise BadInput("discarding needs a reason", where=pin, next_action="Give --why.")
    with ports_of(ctx) as ports:
        from vecferry.steps import discard as step

        given_up = _of(ports, pin, migration)
        go_on = f"It is not finished; run again: vecferry discard {pin} --why …"
        quiet_s = ports.timings.row_deadline_s + ports.timings.quarantine_s
        with on_interrupt("the migration ends, and the new collection may still stand", go_on), waiting("discarding") as tell:
            tell(f"waiting {quiet_s:.0f} s for what may still write")
            done = {"migration_id": given_up.id, **step.act(ports, given_up.id, who=person(who), why=why)}
            tell("reading live back")
            verdict = _checked(ports, given_up.id)
    document = {**done, "verdict": verdict and verdict.as_dict()}
    answer(document, as_json, lambda console: _show(console, document, verdict))
    raise typer.Exit(exit_code(verdict) if verdict else 0)


def _checked(ports: Ports, migration_id: str) -> Verdict | None:
    """``None`` where nothing can judge: a discard is not refused for it, since it is done by now."""
    if importlib.util.find_spec("great_expectations") is None:
        return None
    from vecferry.steps import stage_runner

    return stage_runner.check("discard", ports, migration_id)


def _show(console: Console, document: dict[str, Any], verdict: Verdict | None) -> None:
    console.print(f"{document['migration_id']} is discarded; {document['dropped']} is dropped.")
    if verdict is None:
        console.print("Live was not checked: Great Expectations is not installed (pip install 'vecferry[gx]').", markup=False)
    else:
        tables.pairs(console, [(verdict.outcome.value, f"live, read back: {verdict.reason}")])


def _of(ports: Ports, pin: str, migration_id: str | None) -> Migration:
    """The one under way, or the newest one where its discard was interrupted; of earlier ones only a discarded one."""
    name = ports.ledger.pin(pin).name
    known = ports.ledger.migrations(name)
    if migration_id is not None:
        found = next((m for m in known if m.id == migration_id and m.phase is Phase.DISCARDED), None)
        if found is None:
            discarded = ", ".join(m.id for m in known if m.phase is Phase.DISCARDED) or "none"
            raise NotFound(f"no discarded migration {migration_id}", where=name, next_action=f"Discarded ones: {discarded}.")
        return found
    return known[0] if known and known[0].phase is Phase.DISCARDED else active(ports, pin)
