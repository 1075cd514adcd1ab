"""``vecferry notices``: which models end, and what that means for each pin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.figures import counted, moment
from vecferry.cli.options import AsJson
from vecferry.cli.progress import waiting
from vecferry.errors import VecferryError

if TYPE_CHECKING:
    from vecferry.domain.notices import Notice
    from vecferry.domain.pins import Pin
    from vecferry.ports import ListedModel, Ports

EXAMPLES = ("vecferry notices", "VECFERRY_NOTICES=notices.json vecferry notices --read")


def run(
    ctx: typer.Context,
    read: Annotated[bool, typer.Option("--read", metavar="", help="Read the feed that VECFERRY_NOTICES names first.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the notices that models end, and for each pin on such a model by when to start.

    A notice alone moves nothing: it is believed when independent sources agree, the provider's own model list among them.
    """
    with ports_of(ctx) as ports:
        from vecferry.domain.notices import affected, parse_notice
        from vecferry.steps.watch_notices import read_feed

        new = len(read_feed(ports)) if read else None
        known = [parse_notice(row) for row in ports.ledger.notices()]
        with waiting("asking the providers' model lists"):
            pins = [_meaning(ports, pin, list(about)) for pin, about in affected(ports.ledger.pins(), known)]
    found = {"read": new, "notices": [notice.as_dict() for notice in known], "pins": pins}
    answer(found, as_json, lambda console: _show(console, found))


def _meaning(ports: Ports, pin: Pin, about: list[Notice]) -> dict[str, Any]:
    from vecferry.domain.corroboration import corroborate
    from vecferry.steps.watch_notices import latest_start

    result = corroborate(about, _listed(ports, pin), needed=ports.gates.corroboration_sources)
    active = ports.ledger.active_migration(pin.name)
    ends = result.shutdown_on or min((n.shutdown_on for n in about if n.shutdown_on), default=None)
    return {
        "pin": pin.name,
        "model": pin.space.id,
        "confirmed": result.confirmed,
        "why": result.why,
        "shutdown_on": ends.isoformat() if ends else None,
        "start_by": latest_start(ends, active).isoformat() if ends else None,
        "replacements": list(dict.fromkeys(name for notice in about for name in notice.replacements)),
        "migration": active.id if active else None,
    }


def _listed(ports: Ports, pin: Pin) -> list[ListedModel]:
    """A list that cannot be had, for want of a key too, says nothing."""
    from vecferry.steps.check_deprecation import listed

    try:
        return listed(ports, pin)
    except VecferryError:
        return []


# --- showing


def _show(console: Console, found: dict[str, Any]) -> None:
    if found["read"] is not None:
        console.print(f"{counted(found['read'], 'notice')} read.")
    if not found["notices"]:
        console.print("No notices are known.")
        tables.next_action(console, "VECFERRY_NOTICES=<file or URL> vecferry notices --read")
        return
    cells = [
        (f"{n['provider']}/{n['model_id']}", _date(n), ", ".join(n["replacement_models"]) or "–", n["source"])
        for n in found["notices"]
    ]
    tables.listing(console, ("model", "ends", "replaced by", "says"), cells)
    if not found["pins"]:
        console.print("None of them is about a pinned model.")
    for row in found["pins"]:
        _show_pin(console, row)


def _show_pin(console: Console, row: dict[str, Any]) -> None:
    tables.heading(console, f"{row['pin']}: {row['model']}")
    under_way = [("migration", f"{row['migration']} is under way")] if row["migration"] else []
    tables.pairs(
        console,
        [
            ("believed" if row["confirmed"] else "not believed", row["why"]),
            ("ends", row["shutdown_on"] or "no date yet"),
            ("start by", f"{moment(row['start_by'])} UTC" if row["start_by"] else "–"),
            *under_way,
        ],
    )
    if not under_way and row["replacements"]:
        tables.next_action(console, f"vecferry plan {row['pin']} --to {row['replacements'][0]}")


def _date(notice: dict[str, Any]) -> str:
    day = notice["shutdown_date"] or "no date"
    return f"not before {day}" if notice["date_precision"] == "earliest" and notice["shutdown_date"] else day
