"""``vecferry janitor``: work off the journal where no router runs to do it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.failing import DONE, FAILED, on_interrupt
from vecferry.cli.figures import counted
from vecferry.cli.options import AsJson, PinName
from vecferry.cli.progress import waiting

if TYPE_CHECKING:
    from vecferry.ports import Ports
    from vecferry.protocol.janitor import Janitor, JanitorRound

EXAMPLES = ("vecferry janitor Docs", "vecferry janitor Docs --once")

_EVERY_S = 1.0


def run(
    ctx: typer.Context,
    pin: PinName,
    once: Annotated[
        bool, typer.Option("--once", metavar="", help="End when the rows that are there now have been worked off.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring up to date what crashed writers left behind, until Ctrl-C. Every Router does so too; any number may run.

    A row is taken over only after it stood unchanged for a while (22 s unless set otherwise), so --once takes at least that.
    """
    totals: dict[str, Any] = {"pin": pin, "rounds": 0, "claimed": 0, "closed": 0, "watched": 0, "failed": ""}
    with ports_of(ctx) as ports:
        janitor = janitor_of(ports, ports.ledger.pin(pin).name)
        go_on = f"vecferry janitor {pin}"
        with on_interrupt("the janitor stopped; rows in hand are taken over by the next one", f"To go on: {go_on}"):
            _work(ports, janitor, totals, once)
    answer(totals, as_json, lambda console: console.print(_summary(totals)))
    raise typer.Exit(FAILED if totals["watched"] else DONE)


def janitor_of(ports: Ports, pin: str) -> Janitor:
    from vecferry.protocol.janitor import Janitor

    return Janitor(
        pin,
        ledger=ports.ledger,
        store=ports.store,
        embedders=ports.embedders,
        clock=ports.clock,
        timings=ports.timings,
        owner=f"janitor:{socket.gethostname()}:{os.getpid()}",
    )


def _work(ports: Ports, janitor: Janitor, totals: dict[str, Any], once: bool) -> None:
    """``once``: twice as long as a row has to be watched is enough for each that was there, if it can be mended at all."""
    until = ports.clock.monotonic() + 2 * ports.timings.takeover_s
    with waiting("janitor") as tell:
        while True:
            done = janitor.run_once()
            _add(totals, done)
            tell(_words(done))
            if once and (done.watched == done.closed or ports.clock.monotonic() > until):
                return
            ports.clock.sleep(_EVERY_S)


def _add(totals: dict[str, Any], done: JanitorRound) -> None:
    """``watched`` are the rows that are still there."""
    totals["rounds"] += 1
    totals["claimed"] += done.claimed
    totals["closed"] += done.closed
    totals["watched"], totals["failed"] = done.watched - done.closed, done.failed


def _words(done: JanitorRound) -> str:
    if done.failed:
        return f"{counted(done.watched, 'row')}, stuck: {done.failed}"
    worked = f", {done.closed:,} worked off" if done.closed else ""
    return f"{counted(done.watched, 'row')} watched{worked}" if done.watched else "the journal is empty"


def _summary(totals: dict[str, Any]) -> str:
    left = f"{counted(totals['watched'], 'row')} left" if totals["watched"] else "none is left"
    return f"{counted(totals['closed'], 'row')} worked off, {left}" + (f": {totals['failed']}" if totals["failed"] else ".")
