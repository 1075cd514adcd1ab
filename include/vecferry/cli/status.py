"""``vecferry status``: where each pin's migration stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from vecferry.cli import tables
from vecferry.cli.answering import answer, stdout
from vecferry.cli.connecting import ports_of
from vecferry.cli.failing import on_interrupt
from vecferry.cli.figures import count, counted, duration, moment, usd
from vecferry.cli.options import AsJson
from vecferry.errors import BadInput

if TYPE_CHECKING:
    from vecferry.ports import Ports

EXAMPLES = ("vecferry status", "vecferry status Docs", "vecferry status Docs --watch")


def run(
    ctx: typer.Context,
    pin: Annotated[str | None, typer.Argument(metavar="PIN", help="The pin's name; without it, all pins.")] = None,
    watch: Annotated[bool, typer.Option("--watch", metavar="", help="Go on showing it until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(metavar="S", min=0.2, help="Seconds between two looks with --watch.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Say where a migration stands: phase, share, backfill with rate and ETA, journal, spend, routers, verdicts.

    From the ledger alone, so it answers while Weaviate or a provider is down.
    """
    if watch and as_json:
        raise BadInput("--watch never ends, and --json is one document", where="status", next_action="Give one of the two.")
    with ports_of(ctx) as ports:
        if watch:
            _watch(ports, pin, every)
            return
        found = _look(ports, pin)
        answer(found[0] if pin else found, as_json, lambda console: _show(console, found))


def _look(ports: Ports, pin: str | None) -> list[dict[str, Any]]:
    from vecferry.steps import status as step

    names = [pin] if pin else [known.name for known in ports.ledger.pins()]
    return [step.look(ports, name) for name in names]


def _watch(ports: Ports, pin: str | None, every_s: float) -> None:
    with on_interrupt("the migration goes on without being watched", f"vecferry status {pin or ''}".strip()), _screen() as show:
        while True:
            show(_look(ports, pin))
            ports.clock.sleep(every_s)


@contextmanager
def _screen() -> Iterator[Callable[[list[dict[str, Any]]], None]]:
    """In place on a terminal; in a log the whole of it, whenever it has changed."""
    from rich.live import Live

    console = stdout()
    if not console.is_terminal:
        yield _when_changed(console)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda found: live.update(_drawn(console, found), refresh=True)


def _drawn(console: Console, found: list[dict[str, Any]]) -> Text:
    """Drawn aside: what is printed to a live console goes above the picture."""
    aside = Console(file=StringIO(), width=console.width, force_terminal=True, color_system="standard", highlight=False)
    with aside.capture() as captured:
        _show(aside, found)
    return Text.from_ansi(captured.get())


def _when_changed(console: Console) -> Callable[[list[dict[str, Any]]], None]:
    before: list[dict[str, Any]] | None = None

    def show(found: list[dict[str, Any]]) -> None:
        nonlocal before
        if found != before:
            _show(console, found)
        before = found

    return show


# --- showing


def _show(console: Console, found: list[dict[str, Any]]) -> None:
    if not found:
        console.print("No pins yet.")
        tables.next_action(console, "vecferry pin NAME --collection COLLECTION --model MODEL --properties title,body")
    for number, status in enumerate(found):
        if number:
            console.print()
        _show_one(console, status)


def _show_one(console: Console, status: dict[str, Any]) -> None:
    migration = status["migration"]
    tables.heading(console, f"{status['pin']}: {_headline(migration)}")
    rows = [("collection", f"{status['collection']}, {status['space']}")]
    if migration is not None:
        rows += [("to", f"{migration['to_space']} in {migration['shadow']}"), ("migration", migration["id"])]
        rows += [("backfill", _backfill(status["backfill"]))] if status["backfill"]["chunks"] else []
        rows += [("journal", _journal(status["journal"])), ("spend", _spend(status["spend"]))]
    rows += [("old collection", text) for text in old_collection(status.get("old_collection"))]
    rows += [("sweep", text) for text in sweep(status.get("sweep"))]
    rows.append(("routing", _routing(status["routing"])))
    rows += [("routers", text) for text in _routers(status)]
    rows += [("look at", hint) for hint in status["hints"]]
    tables.pairs(console, rows)
    if status.get("verdicts"):
        _verdicts(console, status["verdicts"])
    tables.next_action(console, status["next"])


def old_collection(row: dict[str, Any] | None) -> list[str]:
    """Nothing before ``retire``."""
    if row is None:
        return []
    if row["dropped"] is None:
        look = f"vecferry doctor --collection {row['collection']}"
        return [f"{row['collection']}, kept read-only until {moment(row['kept_until'])} UTC; to look at it: {look}"]
    dropped = row["dropped"]
    return [f"{row['collection']} dropped {moment(dropped['at'])} UTC by {dropped['who']}: {dropped['why']}"]


def sweep(row: dict[str, Any] | None) -> list[str]:
    """What is written without the Router, and how late it is followed; nothing where nobody does."""
    if row is None:
        return []
    last, bound_s, word = row["last"], row["staleness_bound_s"], row["writers_moved"]
    said = ["none yet: what applications write without the Router is not followed"] if last is None else []
    if last is not None:
        changes = ", ".join(f"{last[kind]:,} {kind}" for kind in ("changed", "new", "deleted", "mended"))
        left = f", {last['left_over']:,} left over" if last["left_over"] else ""
        said.append(f"{changes}{left}; ended {moment(last['ended'])} UTC, took {duration(last['seconds'])}")
    if bound_s is not None:
        said.append(f"what is written without the Router is followed within {duration(bound_s)}")
    if word is not None:
        still = "" if word["stands"] else "; but objects were written natively since: the word does not count any more"
        said.append(f"{moment(word['at'])} UTC {word['who']} said that the writers have moved: {word['why']}{still}")
    return said


def _headline(migration: dict[str, Any] | None) -> str:
    if migration is None:
        return "no migration yet"
    phase = migration["phase"].replace("_", " ")
    share = f" {migration['percent']}%" if migration["phase"] == "serving" else ""
    return f"{phase}{share}" + (f", paused: {migration['paused']}" if migration["paused"] else "")


def _backfill(backfill: dict[str, Any]) -> str:
    done, total = backfill["objects"], backfill["objects_expected"]
    share = f" ({min(1.0, done / total):.0%})" if total else ""
    parts = [
        f"{count(done)} of {counted(total, 'object')}{share}",
        f"{backfill['chunks_done']} of {counted(backfill['chunks'], 'chunk')}",
    ]
    if backfill["rate_per_s"]:
        parts.append(f"{backfill['rate_per_s']:,.1f}/s, about {duration(backfill['eta_s'])} left")
    return ", ".join(parts)


def _journal(journal: dict[str, Any]) -> str:
    if not journal["rows"]:
        return "empty"
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in journal["by_kind"].items())
    return f"{counted(journal['rows'], 'row')} ({kinds}), the oldest {duration(journal['oldest_row_age_s'])} old"


def _spend(spend: dict[str, Any]) -> str:
    of = f" of {usd(spend['budget_usd'])}" if spend["budget_usd"] else ""
    return f"{usd(spend['cost_usd'])}{of}, {count(spend['tokens'])} tokens in {counted(spend['requests'], 'request')}"


def _routing(routing: dict[str, Any]) -> str:
    mode = {"live_only": "live only", "dual": "writes to both", "freeze": "writes held"}[routing["mode"]]
    since = f"since {moment(routing['published_at'])} UTC"
    return f"version {routing['version']}: {mode}, {routing['percent']}% to the shadow, {since}"


def _routers(status: dict[str, Any]) -> list[str]:
    alive = [router for router in status["routers"] if router["alive"]]
    if not alive:
        return ["none is running"]
    behind = [router for router in alive if not router["up_to_date"]]
    head = f"{len(alive)} running, {len(alive) - len(behind)} at version {status['routing']['version']}"
    return [head, *(f"{r['where']} is still at version {r['acknowledged_version']}" for r in behind[:5])]


def _verdicts(console: Console, verdicts: dict[str, dict[str, Any]]) -> None:
    rows = [
        (stage, verdict["outcome"] + (" (accepted)" if verdict["accepted_by"] else ""), _first_line(verdict["reason"]))
        for stage, verdict in verdicts.items()
    ]
    tables.listing(console, ("stage", "verdict", "reason"), rows)


def _first_line(reason: str) -> str:
    first, *rest = reason.splitlines() or [""]
    return first + (f" (+{counted(len(rest), 'line')})" if rest else "")
