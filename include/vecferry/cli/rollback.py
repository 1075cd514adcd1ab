"""``vecferry rollback``: all queries are answered by the old model again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.failing import on_interrupt
from vecferry.cli.figures import duration
from vecferry.cli.finding import active_or_newest
from vecferry.cli.options import AsJson, PinName, Who, Why
from vecferry.cli.waiting_for import wait_for
from vecferry.cli.who import person
from vecferry.errors import BadInput

if TYPE_CHECKING:
    from vecferry.ports import Ports

_BY_HAND = "rolled back by hand"
EXAMPLES = ("vecferry rollback Docs --why 'support reports wrong answers'",)


def run(
    ctx: typer.Context,
    pin: PinName,
    why: Why = _BY_HAND,
    timeout: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds to wait for the routers; as long as a lease lives.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Though the old model was declared gone: it answers again.")
    ] = False,
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Send every query back to the old model, at once, and wait until all routers have done so.

    One write to the ledger. Writes still go to both collections, so that `vecferry reopen` can take it up again.
    """
    if force and why == _BY_HAND:
        raise BadInput("--force needs a reason", where=pin, next_action="Give --why.")
    with ports_of(ctx) as ports:
        done = _roll_back(ports, pin, person(who), why, timeout, force=force)
    answer(done, as_json, lambda console: _show(console, done))


def _roll_back(ports: Ports, pin: str, who: str, why: str, timeout_s: float | None, *, force: bool) -> dict[str, Any]:
    from vecferry.steps import roll_back as step

    migration = active_or_newest(ports, pin)
    started = ports.clock.monotonic()
    done = step.act(ports, migration.id, who=who, why=why, force=force)
    written = f"the rollback is written (routing version {done['version']}); routers take it up by themselves"
    if done["from_percent"]:
        longest_s = ports.timings.lease_s + ports.timings.quarantine_s + ports.timings.poll_s
        with on_interrupt(written, f"vecferry status {pin} shows who has it"):
            wait_for(
                ports,
                lambda: step.ready(ports, migration.id),
                title="rolled back",
                where=migration.id,
                timeout_s=longest_s if timeout_s is None else timeout_s,
                next_action=f"{written[:1].upper()}{written[1:]}. vecferry status {pin} shows who has it.",
            )
    seconds = round(ports.clock.monotonic() - started, 3)
    return {
        "pin": migration.pin,
        "migration_id": migration.id,
        **done,
        "acknowledged_s": seconds if done["from_percent"] else None,
    }


def _show(console: Console, done: dict[str, Any]) -> None:
    if not done["from_percent"]:
        console.print(f"Nothing to roll back: {done['migration_id']} is {done['phase'].replace('_', ' ')} and serves 0%.")
        return
    took = duration(done["acknowledged_s"])
    console.print(f"Rolled back from {done['from_percent']}%. All routers are at version {done['version']}, after {took}.")
    pin = done["pin"]
    tables.next_action(console, f"vecferry verify {pin} --repair, then vecferry reopen {pin} --why …")
