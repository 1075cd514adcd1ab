"""``vecferry budget``: what a migration may cost in sum."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.figures import usd as dollars
from vecferry.cli.finding import active
from vecferry.cli.options import AsJson, PinName, Who, Why
from vecferry.cli.who import person
from vecferry.domain.budget import BUDGET, backfill_budget_usd
from vecferry.errors import BadInput

EXAMPLES = (
    "vecferry budget Docs --usd 40 --why 'twice the texts that were planned'",
    "vecferry budget Docs --no-limit --why 'the account has its own'",
)


def run(
    ctx: typer.Context,
    pin: PinName,
    usd: Annotated[
        float | None, typer.Option("--usd", metavar="USD", help="The most that it may cost in sum, US dollars.")
    ] = None,
    no_limit: Annotated[bool, typer.Option("--no-limit", metavar="", help="Let it cost what it costs.")] = False,
    why: Why = "",
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Change what a migration may cost. What waits for money goes on by itself, within a minute.

    A tenth of it is kept for dual-writes: the backfill stops before that, so that the application's writes get their vectors.
    """
    if (usd is None) is not no_limit:
        raise BadInput("either --usd or --no-limit", where=pin, next_action="Give one of the two.")
    if usd is not None and not (math.isfinite(usd) and usd > 0):
        raise BadInput(f"a budget is above 0, not {usd}", where=pin, next_action="To stop the spending: vecferry pause.")
    if not why:
        raise BadInput("this needs a reason", where=pin, next_action="Give --why.")
    with ports_of(ctx) as ports:
        migration = active(ports, pin)
        ports.ledger.set_budget(migration.id, usd, who=person(who), why=why)
        spent = ports.ledger.spend(migration_id=migration.id).cost_usd
    done = {"migration_id": migration.id, "was_usd": migration.options.get(BUDGET), "budget_usd": usd, "spent_usd": spent}
    answer(done, as_json, lambda console: _show(console, done))


def _show(console: Console, done: dict[str, Any]) -> None:
    was, now = (_told(done[name]) for name in ("was_usd", "budget_usd"))
    tables.pairs(console, [("budget", f"{now} (was {was}); {dollars(done['spent_usd'])} are spent or reserved")], indent=0)
    usable = None if done["budget_usd"] is None else backfill_budget_usd(done["budget_usd"])
    if usable is not None and done["spent_usd"] >= usable:
        console.print(f"Used up: everything but dual-writes stops at {dollars(usable)}.")


def _told(usd: float | None) -> str:
    return "no limit" if usd is None else dollars(usd)
