"""``vecferry drop-old``: delete the collection that ``retire`` kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.figures import moment
from vecferry.cli.options import AsJson, PinName, Who, Why
from vecferry.cli.who import person
from vecferry.domain.lifecycle import Phase
from vecferry.errors import BadInput, NotFound

if TYPE_CHECKING:
    from vecferry.domain.lifecycle import Migration
    from vecferry.ports import Ports

EXAMPLES = ("vecferry drop-old Docs", "vecferry drop-old Docs --now --why 'the disk is full, and two weeks were quiet'")


def run(
    ctx: typer.Context,
    pin: PinName,
    now: Annotated[bool, typer.Option("--now", metavar="", help="Before its date; needs a reason.")] = False,
    leave_references: Annotated[
        bool,
        typer.Option("--leave-references", metavar="", help="Although other collections' references name it; needs a reason."),
    ] = False,
    why: Why = "",
    migration: Annotated[str | None, typer.Option(metavar="ID", help="An earlier migration's; else the newest's.")] = None,
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Drop the old collection that a retired migration left behind, after the date until which it is kept.

    Refused while a router may still write to it or read from it, while an alias, a pin or another collection's reference means
    it, and where the server makes collections by itself, so that a late write would bring it back.
    """
    for asked, what in ((now, "before its date"), (leave_references, "while references name it")):
        if asked and not why.strip():
            raise BadInput(f"dropping it {what} needs a reason", where=pin, next_action="Give --why.")
    with ports_of(ctx) as ports:
        from vecferry.steps import drop_old as step

        found = _of(ports, pin, migration)
        reason = why or "its date has passed"
        dropped = step.act(ports, found.id, who=person(who), why=reason, now=now, leave_references=leave_references)
        done = {"migration_id": found.id, **dropped}
    answer(done, as_json, lambda console: _show(console, done))


def _of(ports: Ports, pin: str, migration_id: str | None) -> Migration:
    """The newest that was retired; not the one under way, which has left nothing behind yet."""
    name = ports.ledger.pin(pin).name
    retired = [m for m in ports.ledger.migrations(name) if m.phase is Phase.RETIRED and migration_id in (None, m.id)]
    if not retired:
        raise NotFound(
            f"no migration {migration_id or ''} was retired".replace("  ", " "),
            where=name,
            next_action=f"vecferry status {name} shows where it stands.",
        )
    return retired[0]


def _show(console: Console, done: dict[str, Any]) -> None:
    console.print(f"{done['dropped']} is dropped, at {moment(done['at'])} UTC by {done['who']}: {done['why']}")
