"""``vecferry accept``: a named person takes responsibility for a verdict that is not PASS."""

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
from vecferry.domain.stages import BY_NAME
from vecferry.errors import BadInput

EXAMPLES = (
    "vecferry accept Docs validate_golden_set --who ana --why 'the 3 lost queries are about a retired product'",
    "vecferry step validate_golden_set Docs",
)


def run(
    ctx: typer.Context,
    pin: PinName,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="The stage whose newest verdict is accepted.")],
    why: Why = "",
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Let a stage pass though its verdict is FAIL, INCONCLUSIVE or NO_DATA; your name and reason stand in the report.

    It is not acceptance in advance: the stage has to have been judged. Run its check again afterwards.
    """
    if stage not in BY_NAME:  # those off the road hold nobody up, so there is nothing to let pass
        raise BadInput(
            f"there is no stage {stage!r} to accept", where="stages", next_action=f"There are: {', '.join(BY_NAME)}."
        )
    with ports_of(ctx) as ports:
        from vecferry.steps import accept as step

        migration = active(ports, pin)
        done = {"migration_id": migration.id, **step.act(ports, migration.id, stage, who=person(who), why=why)}
    answer(done, as_json, lambda console: _show(console, done, pin))


def _show(console: Console, done: dict[str, Any], pin: str) -> None:
    if "accepted_by" not in done:
        console.print(f"{done['stage']} passed; there is nothing to accept.")
        return
    tables.pairs(
        console,
        [
            (done["outcome"], done["reason"]),
            ("accepted by", done["accepted_by"]),
            ("why", done["accepted_why"]),
        ],
        indent=0,
    )
    tables.next_action(console, f"clear {done['stage']}.check in Airflow, or: vecferry step {done['stage']} {pin}")
