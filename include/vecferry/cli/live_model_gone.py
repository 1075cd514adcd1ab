"""``vecferry live-model-gone``: say that the old model has ended before the migration has."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.finding import active
from vecferry.cli.options import AsJson, PinName, Who, Why
from vecferry.cli.who import person

EXAMPLES = ("vecferry live-model-gone Docs --why 'it was switched off today'",)


def run(
    ctx: typer.Context,
    pin: PinName,
    why: Why = "",
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Though the provider cannot be asked, or answers.")
    ] = False,
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Let writes go on though the old model has ended: the old collection takes objects without a vector.

    The new model answers the old one's queries, once it is validated. There is no rollback from then on. The provider is asked
    first, and must say that it does not know the model.
    """
    with ports_of(ctx) as ports:
        from vecferry.steps import live_model_gone as step

        migration = active(ports, pin)
        done = {"migration_id": migration.id, **step.act(ports, migration.id, who=person(who), why=why, force=force)}
    answer(done, as_json, lambda console: _show(console, done, pin))


def _show(console: Console, done: dict[str, Any], pin: str) -> None:
    console.print(f"{done['model']} is gone: writes go on without its vectors, and there is no rollback.")
    tables.warnings(console, done["warnings"])
    tables.next_action(console, f"vecferry force-100 {pin} --why …, once it is validated")
