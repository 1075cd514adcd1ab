"""``vecferry plan``: what a migration would cost and take; with ``--start``, begin it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.figures import count, counted, duration, moment, size, usd
from vecferry.cli.options import AsJson, PinName, ToModel, Who, Why
from vecferry.cli.progress import waiting
from vecferry.cli.who import person
from vecferry.domain.request import PERCENTS, MigrationRequest
from vecferry.errors import BadInput

if TYPE_CHECKING:
    from vecferry.ports import Ports

EXAMPLES = (
    "vecferry plan Docs --to text-embedding-3-large",
    "vecferry plan Docs --to text-embedding-3-large --budget-usd 20 --deadline 2027-03-31 --start",
    "vecferry plan Docs --to text-embedding-3-large --tenants acme,globex --start",
)


def run(
    ctx: typer.Context,
    pin: PinName,
    to: ToModel,
    budget_usd: Annotated[float | None, typer.Option(metavar="USD", help="The most that it may cost, in US dollars.")] = None,
    deadline: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="The day by which it must be done: 2027-03-31")
    ] = None,
    soak_minutes: Annotated[float, typer.Option(metavar="MIN", help="The least time at each percent.")] = 30.0,
    margin: Annotated[float | None, typer.Option(metavar="M", help="Tolerated loss of nDCG@10; 0.02 if not given.")] = None,
    percents: Annotated[str, typer.Option(metavar="LIST", help="The shares of the queries, step by step.")] = ",".join(
        map(str, PERCENTS)
    ),
    too_long: Annotated[
        str,
        typer.Option("--too-long", metavar="POLICY", help="Texts over the model's limit: truncate, skip or fail."),
    ] = "truncate",
    inbound_references: Annotated[
        str,
        typer.Option(metavar="POLICY", help="References of other collections to this one: refuse, or leave as they are."),
    ] = "refuse",
    shadow_vectorizer: Annotated[
        str,
        typer.Option(metavar="CHOICE", help="Where the server vectorizes live: plain vectors, or keep its vectorizer."),
    ] = "plain",
    aliases: Annotated[
        str,
        typer.Option(
            metavar="POLICY",
            help="This collection's aliases at retire: move, leave, or auto: move where the server vectorizes.",
        ),
    ] = "auto",
    tenants: Annotated[
        str | None, typer.Option(metavar="LIST", help="On trial for these tenants alone; it ends by rollback and discard.")
    ] = None,
    keep_days: Annotated[
        float | None, typer.Option(metavar="D", help="Days that the old collection is kept after retire; 14 if not given.")
    ] = None,
    max_live_p99_ms: Annotated[
        float | None,
        typer.Option("--max-live-p99-ms", metavar="MS", help="The backfill slows down while live's searches are slower."),
    ] = None,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", metavar="", help="Some applications write without the Router: find their changes by scanning."),
    ] = False,
    start: Annotated[
        bool, typer.Option("--start", metavar="", help="Begin the migration; without it nothing is written.")
    ] = False,
    who: Who = "",
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Say what moving a pin to another model costs: tokens, money, hours, memory and disk, and what the golden set can show.

    Estimated from a sample of the real texts. Nothing is written unless --start is given.
    """
    request = MigrationRequest(
        collection=pin,
        to_model=to,
        percents=_numbers(percents),
        budget_usd=budget_usd,
        deadline=deadline.date() if deadline else None,
        soak_minutes=soak_minutes,
        margin=margin,
        overlong=_policy(too_long),
        keep_days=keep_days,
        max_live_p99_ms=max_live_p99_ms,
        inbound_references=_inbound(inbound_references),
        aliases=_aliases(aliases),
        shadow_vectorizer=_vectorizer(shadow_vectorizer),
        sweep=sweep,
        tenants=_names(tenants),
        who=person(who),
        why=why or "planned on the command line",
    )
    with ports_of(ctx) as ports:
        with waiting("looking at a sample of the texts"):
            figures = _figures(ports, request, start)
        answer(figures, as_json, lambda console: _show(console, figures))


def _figures(ports: Ports, request: MigrationRequest, start: bool) -> dict[str, Any]:
    from vecferry.steps import plan as step

    if start:
        return {"started": True, **step.act(ports, request)}
    pin, card = ports.ledger.pin(request.collection), ports.catalogue.card(request.to_model)
    return {"started": False, **step.look(ports, pin, card, request)}


def _numbers(percents: str) -> tuple[int, ...]:
    try:
        return tuple(int(part.strip().rstrip("%")) for part in percents.split(",") if part.strip())
    except ValueError as error:
        raise BadInput(f"{percents!r} are no percents", where="--percents", next_action="Write 5,25,100.") from error


def _names(tenants: str | None) -> tuple[str, ...]:
    if tenants is None:
        return ()
    names = tuple(name.strip() for name in tenants.split(",") if name.strip())
    if not names:
        raise BadInput("no tenant is named", where="--tenants", next_action="Write acme,globex; or leave it out, for all.")
    return names


def _policy(too_long: str) -> Any:
    if too_long not in ("truncate", "skip", "fail"):
        raise BadInput(f"there is no policy {too_long!r}", where="--too-long", next_action="It is truncate, skip or fail.")
    return too_long


def _inbound(policy: str) -> Any:
    if policy not in ("refuse", "leave"):
        raise BadInput(
            f"there is no policy {policy!r}",
            where="--inbound-references",
            next_action="It is refuse or leave. They cannot be rewritten in place: the server fixes what a property points to.",
        )
    return policy


def _aliases(policy: str) -> Any:
    if policy not in ("auto", "move", "leave"):
        raise BadInput(f"there is no policy {policy!r}", where="--aliases", next_action="It is auto, move or leave.")
    return policy


def _vectorizer(choice: str) -> Any:
    if choice not in ("plain", "keep"):
        raise BadInput(f"there is no choice {choice!r}", where="--shadow-vectorizer", next_action="It is plain or keep.")
    return choice


# --- showing


def _show(console: Console, plan: dict[str, Any]) -> None:
    tables.heading(console, f"{plan['pin']}: {plan['from_space']} → {plan['to_space']}")
    tables.pairs(console, [*_amounts(plan), *_time(plan), *_storage(plan), *_texts(plan), _quality(plan)])
    tables.warnings(console, plan.get("warnings", []))  # a plan of an earlier release has none
    if plan["started"]:
        console.print(f"Started as {plan['migration_id']}.")
        tables.next_action(console, f"vecferry step plan {plan['pin']}")
    else:
        console.print("Nothing was written. Add --start to begin.")


def _amounts(plan: dict[str, Any]) -> list[tuple[str, str]]:
    tokens = f"{count(plan['tokens'])}{_interval(plan, 'tokens', count)}, counted by {plan['tokens_by']}"
    money = usd(plan["cost_usd"]) + _interval(plan, "cost_usd", usd)
    price = f", price of {plan['price_date']}" if plan["price_date"] else ", price without a date"
    high = plan["cost_usd"] if plan["cost_usd_high"] is None else plan["cost_usd_high"]
    budget = plan.get("budget_usd")
    verdict = "" if budget is None else f"; over the budget of {usd(budget)}" if high > budget else f"; budget {usd(budget)}"
    sampled = f"from a sample of {count(plan['sampled'])}"
    return [
        ("objects", f"{count(plan['objects'])}" + (f" in {count(plan['tenants'])} tenants" if plan["tenants"] else "")),
        ("tokens", f"{tokens}, {sampled}"),
        ("money", f"{money}{price}{verdict}"),
    ]


def _time(plan: dict[str, Any]) -> list[tuple[str, str]]:
    parts = [("embedding", plan["embed_hours"]), ("storing", plan["store_hours"]), ("soaking", plan["soak_hours"])]
    split = ", ".join(f"{name} {duration(hours * 3600)}" for name, hours in parts)
    meets = plan["meets_deadline"]
    late = "" if meets is None else f"; deadline {plan['deadline']} is {'met' if meets else 'MISSED'}"
    return [
        ("time", f"{duration(plan['total_hours'] * 3600)} ({split}; bound by {plan['embed_bound_by']})"),
        ("ends", f"{moment(plan['finishes_at'])} UTC if started now{late}"),
    ]


def _storage(plan: dict[str, Any]) -> list[tuple[str, str]]:
    both = f"{size(plan['memory_bytes_both'])} memory, {size(plan['disk_bytes_both'])} disk"
    return [
        ("both together", f"{both}, {usd(plan['storage_usd_month_both'])} a month"),
        ("", plan["storage_source"]),
    ]


def _texts(plan: dict[str, Any]) -> list[tuple[str, str]]:
    longest = f"{count(plan['max_tokens'])} tokens; the model takes {count(plan['max_tokens_of_model'])}"
    rows = [("longest text", longest)]
    if plan["overlong"]:
        rows.append(("over the limit", f"{count(plan['overlong'])} of the sample → {plan['overlong_policy']}"))
    if plan["without_text"]:
        rows.append(("without text", f"{count(plan['without_text'])} of the sample; they are kept, without a vector"))
    return rows


def _quality(plan: dict[str, Any]) -> tuple[str, str]:
    queries, attainable = plan["golden_queries"], plan["attainable_margin"]
    if not queries or attainable is None:
        return "golden set", f"none yet; the verdict needs one: vecferry golden import FILE --pin {plan['pin']}"
    asked = f"; the verdict is given at {plan['margin']:g}" if "margin" in plan else ""
    return "golden set", f"{counted(queries, 'query', 'queries')}, can show a margin of {attainable:.3f} or more{asked}"


def _interval(plan: dict[str, Any], name: str, written: Any) -> str:
    low, high = plan[f"{name}_low"], plan[f"{name}_high"]
    return "" if low is None or high is None or low == high else f" ({written(low)} to {written(high)})"
