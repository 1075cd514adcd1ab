"""``vecferry routers``: who has a lease on a pin, and what only a person can say about them."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.figures import duration, moment
from vecferry.cli.options import AsJson, PinName, Who, Why
from vecferry.cli.who import person
from vecferry.errors import BadInput

EXAMPLES = (
    "vecferry routers Docs",
    "vecferry routers Docs --dismiss router-1f2e3d4c5b6a --why 'killed with its node, pod is gone'",
    "vecferry routers Docs --accept-restored --why 'the newest backup there is'",
)


def run(
    ctx: typer.Context,
    pin: PinName,
    dismiss: Annotated[str, typer.Option(metavar="ROUTER", help="Say that this router's process is dead.")] = "",
    accept_restored: Annotated[
        bool, typer.Option("--accept-restored", metavar="", help="Say that a ledger restored from a backup is to count.")
    ] = False,
    why: Why = "",
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """List the routers of a pin: id, where it runs, acknowledged routing version, expiry of its lease, protocol.

    --dismiss is your word that a process is DEAD: look on its host first. It was killed without Router.close, and what waits
    for it would wait for the rest of its lease, up to an hour; now it waits for Q (8 s). A router that lives after all and
    reaches the ledger notices within a poll and begins anew; nothing is lost. One that lives and is CUT OFF from the ledger
    goes on writing to the live collection until its lease is over: live keeps these writes, the shadow misses them until
    the next parity pass finds and mends them, with an alarm. So after a dismissal in doubt: vecferry verify PIN once the
    expiry shown here is past. retire never trusts a dismissal, it waits for that expiry itself.

    --accept-restored ends what routers and steps do on a ledger that forgot what they remember: writing nothing, and pausing.
    """
    if dismiss and accept_restored:
        raise BadInput("give one of --dismiss and --accept-restored", where="routers", next_action="vecferry routers --help")
    from vecferry.steps import routers as step

    with ports_of(ctx) as ports:
        known = ports.ledger.pin(pin)
        if dismiss:
            done = step.dismiss(ports, known, dismiss, who=person(who), why=why)
            answer(done, as_json, lambda console: _show_dismissed(console, pin, done))
        elif accept_restored:
            done = step.accept_restored(ports, known, who=person(who), why=why)
            answer(done, as_json, lambda console: _show_accepted(console, pin, done))
        else:
            rows = step.look(ports, known)
            answer(rows, as_json, lambda console: _show(console, rows))


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    if not rows:
        console.print("No router has a lease.")
        return
    headers = ("router", "where", "version", "protocol", "expires (UTC)", "")
    tables.listing(
        console,
        headers,
        [
            (
                row["router"],
                row["where"],
                str(row["acknowledged_version"]),
                str(row["protocol_version"]),
                moment(row["expires_at"]),
                _state(row),
            )
            for row in rows
        ],
        right=("version", "protocol"),
        whole=("router", "where"),
    )


def _state(row: dict[str, Any]) -> str:
    if row["dismissed_at"]:
        return f"dismissed {moment(row['dismissed_at'])}"
    if not row["alive"]:
        return "expired"
    left = f"{duration(row['expires_in_s'])} left"
    if not row["may_write"]:
        return f"{left}; may only read: upgrade vecferry there"
    return left if row["up_to_date"] else f"{left}; not at the newest version"


def _show_dismissed(console: Console, pin: str, done: dict[str, Any]) -> None:
    console.print(f"{done['router']} ({done['where']}) is dismissed. What waited for it waits for Q only.", soft_wrap=True)
    if done["expires_in_s"] > 0:
        console.print(f"If it lives after all, cut off from the ledger, it may write until {moment(done['expires_at'])} UTC.")
        tables.next_action(console, f"after that time, if in doubt: vecferry verify {pin}")


def _show_accepted(console: Console, pin: str, done: dict[str, Any]) -> None:
    console.print(f"{done['found_by']} found: {done['found']}.", soft_wrap=True)
    console.print("This ledger counts from now on; routers go on with their next poll.")
    tables.next_action(console, f"vecferry verify {pin} --repair, then vecferry unpause {pin}")
