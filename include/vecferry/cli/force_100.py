"""``vecferry force-100``: all queries to the new model at once, because the old one ends first."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.finding import active
from vecferry.cli.options import AsJson, PinName, Who, Why
from vecferry.cli.who import person

EXAMPLES = ("vecferry force-100 Docs --why 'the old model ends tonight'",)


def run(ctx: typer.Context, pin: PinName, why: Why = "", who: Who = "", as_json: AsJson = False) -> None:
    """Send every query to the new model, without the percents that would come first; your name stands for them.

    Only where the old model is gone, or ends before a percent has soaked. Parity and golden set have to be behind.
    """
    with ports_of(ctx) as ports:
        from vecferry.steps import force_100 as step

        migration = active(ports, pin)
        done = {"migration_id": migration.id, **step.act(ports, migration.id, who=person(who), why=why)}
    answer(done, as_json, lambda console: _show(console, done, pin))


def _show(console: Console, done: dict[str, Any], pin: str) -> None:
    over = f"; passed over: {', '.join(done['passed_over'])}" if done["passed_over"] else ""
    console.print(f"{done['migration_id']} serves {done['percent']}%{over}.")
    tables.next_action(console, f"vecferry step cut_over_100 {pin}")
