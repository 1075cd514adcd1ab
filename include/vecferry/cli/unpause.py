"""``vecferry unpause``: go on."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.finding import active
from vecferry.cli.options import AsJson, PinName, Who
from vecferry.cli.who import person

EXAMPLES = ("vecferry unpause Docs",)


def run(ctx: typer.Context, pin: PinName, who: Who = "", as_json: AsJson = False) -> None:
    """Let a paused migration go on. Whatever paused it (budget, quota) has to be mended first, or it pauses again."""
    with ports_of(ctx) as ports:
        migration = active(ports, pin)
        if migration.paused:
            ports.ledger.set_paused(migration.id, None, who=person(who))
    done = {"migration_id": migration.id, "phase": migration.phase.value, "was_paused": migration.paused}
    answer(done, as_json, lambda console: _show(console, done))


def _show(console: Console, done: dict[str, Any]) -> None:
    was = f"was paused: {done['was_paused']}" if done["was_paused"] else "was not paused"
    tables.pairs(console, [("goes on", f"{done['migration_id']} {was}")], indent=0)
