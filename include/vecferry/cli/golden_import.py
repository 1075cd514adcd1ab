"""``vecferry golden import``: the queries that both models are judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.figures import count, counted
from vecferry.cli.options import AsJson, Who
from vecferry.cli.progress import progress
from vecferry.cli.who import person
from vecferry.domain.golden import GoldenQuery, GoldenSet, parse_jsonl, parse_trec
from vecferry.errors import BadInput

if TYPE_CHECKING:
    from vecferry.domain.pins import Pin
    from vecferry.ports import Ports

EXAMPLES = (
    "vecferry golden import queries.jsonl --pin Docs",
    "vecferry golden import topics.tsv --qrels qrels.txt --pin Docs",
)

_PAGE = 500
_NAMED = 5


def run(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON Lines; with --qrels, TREC topics.")],
    pin: Annotated[str, typer.Option("--pin", metavar="PIN", help="The pin that they are about.")],
    qrels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TREC judgements: <topic> <iteration> <uuid> <grade>")
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", metavar="", help="Keep judgements of objects that are gone.")
    ] = False,
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Replace a pin's golden set: queries with the objects that answer them.

    A line of the file: {"query_id": "q1", "query": "how do I …", "relevant": {"<uuid>": 1}}, and if you like "cohort",
    "filters" (a REST where-filter) and "tenant". Every object that it names has to exist in the live collection.
    """
    with ports_of(ctx) as ports:
        known = ports.ledger.pin(pin)
        golden = _read(file, qrels)
        missing = _missing(ports, known, golden)
        if missing and not allow_missing:
            raise _not_there(known, missing)
        ports.ledger.save_golden(known.name, [_stored(query) for query in golden.queries])
        done = _summary(known, golden, missing, file)
        _record(ports, known, done, person(who))
    answer(done, as_json, lambda console: _show(console, done))


def _read(file: Path, qrels: Path | None) -> GoldenSet:
    if qrels is None:
        return parse_jsonl(_lines(file), file.name)
    return parse_trec(_lines(file), _lines(qrels), file.name)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise BadInput(error.strerror or str(error), where=str(file), next_action="Give a file that can be read.") from error
    except UnicodeDecodeError as error:
        raise BadInput("it is not UTF-8 text", where=str(file), next_action="Save it as UTF-8.") from error


# --- what it names has to exist


def _missing(ports: Ports, pin: Pin, golden: GoldenSet) -> dict[str, str]:
    """Object → a query that names it. A shadow is judged by what live holds, so live is asked."""
    named: dict[str | None, dict[str, str]] = {}
    for query in golden.queries:
        for key in query.relevant:
            named.setdefault(query.tenant, {}).setdefault(key, query.query_id)
    _refuse_tenants(ports, pin, golden)
    found: dict[str, str] = {}
    checked = 0
    with progress("checking", sum(map(len, named.values()))) as tell:
        for tenant, queries in named.items():
            for keys in _pages(list(queries)):
                there = ports.store.read(pin.collection, keys, tenant=tenant)
                found |= {key: queries[key] for key in keys if key not in there}
                checked += len(keys)
                tell(checked)
    return found


def _pages(keys: list[str]) -> list[list[str]]:
    return [keys[i : i + _PAGE] for i in range(0, len(keys), _PAGE)]


def _refuse_tenants(ports: Ports, pin: Pin, golden: GoldenSet) -> None:
    tenants = ports.store.tenants(pin.collection)
    multi = bool((ports.store.schema(pin.collection).get("multiTenancyConfig") or {}).get("enabled"))
    for query in golden.queries:
        if (query.tenant is not None) != multi or (multi and query.tenant not in tenants):
            known = f"Its tenants: {', '.join(sorted(tenants)[:10])}." if multi else "Leave tenant out: it has none."
            raise BadInput(f"query {query.query_id}: tenant {query.tenant!r}", where=pin.collection, next_action=known)


def _not_there(pin: Pin, missing: Mapping[str, str]) -> BadInput:
    examples = ", ".join(f"{key} (query {query})" for key, query in list(missing.items())[:_NAMED])
    more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
    verb = "does" if len(missing) == 1 else "do"
    return BadInput(
        f"{counted(len(missing), 'object')} named in the file {verb} not exist: {examples}{more}",
        where=pin.collection,
        next_action="Nothing was stored. Correct the ids, or keep these judgements with --allow-missing.",
    )


# --- what was stored


def _stored(query: GoldenQuery) -> dict[str, Any]:
    """As the file's form has it: what is not given is left out."""
    return {name: value for name, value in asdict(query).items() if name == "relevant" or value}


def _summary(pin: Pin, golden: GoldenSet, missing: Mapping[str, str], file: Path) -> dict[str, Any]:
    from vecferry.domain.sample_size import attainable_margin

    return {
        "pin": pin.name,
        "file": file.name,
        "queries": len(golden.queries),
        "graded": len(golden.graded),
        "ungraded": list(golden.ungraded),
        "cohorts": golden.cohorts,
        "missing_objects": len(missing),
        "attainable_margin": attainable_margin(len(golden.graded)),
    }


def _record(ports: Ports, pin: Pin, done: dict[str, Any], who: str) -> None:
    from vecferry.ports import Event

    detail = {name: done[name] for name in ("queries", "graded", "missing_objects")}
    ports.ledger.record_event(Event(ports.clock.now(), who, "golden_imported", f"from {done['file']}", pin.name, None, detail))


def _show(console: Console, done: dict[str, Any]) -> None:
    tables.heading(console, f"{done['pin']}: {counted(done['queries'], 'golden query', 'golden queries')} from {done['file']}")
    margin = done["attainable_margin"]
    cohorts = ", ".join(f"{name or '(none)'}: {number:,}" for name, number in done["cohorts"].items())
    rows = [("graded", count(done["graded"]))]
    rows += [("ungraded", f"{count(len(done['ungraded']))}, which judge nothing: {', '.join(done['ungraded'][:3])}")] * bool(
        done["ungraded"]
    )
    rows += [("cohorts", cohorts)] * (len(done["cohorts"]) > 1)
    rows += [("missing", f"{counted(done['missing_objects'], 'judged object')} not in the collection")] * bool(
        done["missing_objects"]
    )
    rows += [("can show", f"a margin of {margin:.3f} nDCG@10, at a typical spread")] if margin else []
    tables.pairs(console, rows)
