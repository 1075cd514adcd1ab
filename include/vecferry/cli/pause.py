"""``vecferry pause``: acts of the migration do nothing until somebody says go on."""

from __future__ import annotations

import typer

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.finding import active
from vecferry.cli.options import AsJson, PinName, Who, Why
from vecferry.cli.who import person

EXAMPLES = ("vecferry pause Docs --why 'the provider has an incident'",)


def run(ctx: typer.Context, pin: PinName, why: Why = "by hand", who: Who = "", as_json: AsJson = False) -> None:
    """Pause a migration: no chunk is copied and no share is raised until `vecferry unpause`.

    Writes still go to both collections, and queries are answered as before.
    """
    with ports_of(ctx) as ports:
        migration = active(ports, pin)
        ports.ledger.set_paused(migration.id, why, who=person(who))
        done = {"migration_id": migration.id, "phase": migration.phase.value, "percent": migration.percent, "paused": why}
    answer(done, as_json, lambda console: tables.pairs(console, [("paused", f"{migration.id}: {why}")], indent=0))
