"""``vecferry report``: what a migration did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.figures import count, counted, duration, moment, percent, usd
from vecferry.cli.options import AsJson, PinName
from vecferry.cli.status import old_collection, sweep
from vecferry.domain.budget import reconciled
from vecferry.domain.left_out import told as told_left_out
from vecferry.errors import BadInput

EXAMPLES = (
    "vecferry report Docs",
    "vecferry report Docs --html report.html",
    "vecferry report Docs --provider-tokens 48211904",
    "vecferry report Docs --json > report.json",
)

_LAST_EVENTS = 15


def run(
    ctx: typer.Context,
    pin: PinName,
    migration: Annotated[str | None, typer.Option(metavar="ID", help="An earlier migration's id; else the newest.")] = None,
    provider_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="What the provider's usage page counts for both models since the start: say how it compares.",
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as one self-contained page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a migration did: stages and their verdicts, shares, spend, rollbacks, and every event with who and why."""
    with ports_of(ctx) as ports:
        from vecferry.steps import report as step

        found = step.gather(ports, pin, migration)
    if provider_tokens is not None:
        found["provider"] = reconciled(found["spend"], provider_tokens)
    if html is not None:
        _write(html, found)
    answer(found, as_json, lambda console: _show(console, found, html))


def _write(file: Path, found: dict[str, Any]) -> None:
    from vecferry.cli.report_page import page

    try:
        file.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise BadInput(error.strerror or str(error), where=str(file), next_action="Give a file that can be written.") from error


def _show(console: Console, found: dict[str, Any], html: Path | None) -> None:
    migration = found["migration"]
    tables.heading(console, f"{found['pin']}: {migration['from_space']} → {migration['to_space']}")
    tables.pairs(console, facts(found))
    tables.listing(console, STAGE_HEADERS, stage_cells(found), right=("took", "rows"))
    if found["shares"]:
        tables.listing(console, SHARE_HEADERS, share_cells(found), right=SHARE_HEADERS[1:])
    events = event_cells(found)
    tables.listing(console, EVENT_HEADERS, events[-_LAST_EVENTS:], whole=EVENT_HEADERS[:1])
    if len(events) > _LAST_EVENTS:
        console.print(f"The last {_LAST_EVENTS} of {counted(len(events), 'event')}; --json and --html have all.")
    if html is not None:
        console.print(f"Written to {html}.", soft_wrap=True)


# --- the same cells for terminal and page

STAGE_HEADERS = ("stage", "verdict", "took", "rows", "reason")
SHARE_HEADERS = ("stage", "asked", "served", "queries", "fallbacks", "errors", "p95")
EVENT_HEADERS = ("at (UTC)", "who", "what", "why")


def facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    migration, spend = found["migration"], found["spend"]
    estimated = found["plan"].get("cost_usd")
    planned = "" if estimated is None else f", planned {usd(estimated)}"
    rows = [
        ("migration", f"{migration['id']}, {migration['phase'].replace('_', ' ')}"),
        ("shadow", migration["shadow"]),
        (
            "spend",
            f"{usd(spend['cost_usd'])}{planned}; {count(spend['tokens'])} tokens in {counted(spend['requests'], 'request')}",
        ),
    ]
    if spend["unsettled"]:
        rows.append(("", f"{count(spend['unsettled'])} of them without an answer that says what it cost: counted as estimated"))
    rows += [("provider", told) for told in [found.get("provider", {}).get("told")] if told]
    if found["write_hold_s"] is not None:
        rows.append(("writes held", f"{found['write_hold_s']:.3f} s, once, while authority moved"))
    rows += [("texts", text) for text in [told_left_out(found["left_out"])] if text]
    rows += [("sweep", text) for text in sweep(found["sweep"])]
    rows += [("old collection", text) for text in old_collection(found["old_collection"])]
    if found["old_collection"] is not None:
        rows += [("", text) for text in [_last(found["old_collection"]).removeprefix("; ")] if text]
    rows += [("rolled back", f"{moment(r['at'])} UTC by {r['who']}: {r['why']}{_last(r)}") for r in found["rollbacks"]]
    return rows


def _last(row: dict[str, Any]) -> str:
    """When the arm that was left answered its last query: those in flight finish after the write."""
    if row["last_answer_at"] is None:
        return ""
    after_s = row["last_answer_after_s"]
    return (
        f"; its last answer {moment(row['last_answer_at'])} UTC, {abs(after_s):,.1f} s {'after' if after_s >= 0 else 'before'}"
    )


def stage_cells(found: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            stage["stage"],
            stage["outcome"],
            "–" if stage["seconds"] is None else duration(stage["seconds"]),
            count(stage["rows_checked"]),
            _reason(stage),
        )
        for stage in found["stages"]
    ]


def share_cells(found: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            stage,
            percent(share["asked"]),
            percent(share["served"]),
            count(share["queries"]),
            count(share["fallbacks"]),
            count(share["errors"]),
            "–" if share["p95_ms"] is None else f"{share['p95_ms']:.0f} ms",
        )
        for stage, share in found["shares"].items()
    ]


def event_cells(found: dict[str, Any]) -> list[tuple[str, ...]]:
    return [(moment(event["at"]), event["who"], event["headline"], event["why"]) for event in found["events"]]


def _reason(stage: dict[str, Any]) -> str:
    if not stage["accepted_by"]:
        return str(stage["reason"])
    return f"{stage['reason']}\naccepted by {stage['accepted_by']}: {stage['accepted_why']}"
