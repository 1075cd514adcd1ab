"""``vecferry reopen``: take up a migration that was rolled back."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.finding import active_or_newest
from vecferry.cli.options import AsJson, PinName, Who, Why
from vecferry.cli.who import person

EXAMPLES = (
    "vecferry verify Docs --repair",
    "vecferry reopen Docs --why 'the provider has mended its model'",
)


def run(ctx: typer.Context, pin: PinName, why: Why = "", who: Who = "", as_json: AsJson = False) -> None:
    """Let the new model answer 5% again, after a rollback: a person's decision, with a reason.

    It needs a clean parity pass that is younger than the rollback: run `vecferry verify PIN --repair` first.
    """
    with ports_of(ctx) as ports:
        from vecferry.steps import reopen as step

        migration = active_or_newest(ports, pin)
        done = {"migration_id": migration.id, **step.act(ports, migration.id, who=person(who), why=why)}
    answer(done, as_json, lambda console: _show(console, done, pin))


def _show(console: Console, done: dict[str, Any], pin: str) -> None:
    console.print(f"{done['migration_id']} serves {done['percent']}% again.")
    tables.next_action(console, f"clear cut_over_5 with downstream in Airflow, or: vecferry step cut_over_5 {pin}")
