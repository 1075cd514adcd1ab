"""``vecferry doctor``: is the collection what its pin says, and is anything in the way?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.failing import DONE, FAILED, UNDECIDED
from vecferry.cli.options import AsJson
from vecferry.cli.progress import waiting
from vecferry.cli.sample import Sample, sample_size
from vecferry.errors import BadInput

if TYPE_CHECKING:
    from vecferry.ports import Ports
    from vecferry.steps.doctor import Finding

EXAMPLES = (
    "vecferry doctor Docs",
    "vecferry doctor Docs --sample 2995      (finds a mix of 0.1%)",
    "vecferry doctor Docs --sample all --fail-on vectors",
    "vecferry doctor --collection Articles      (before it is pinned)",
)
_NEVER, _PROBLEM, _UNKNOWN = "never", "problem", "unknown"


def run(
    ctx: typer.Context,
    pin: Annotated[str | None, typer.Argument(metavar="PIN", help="The pin's name.")] = None,
    collection: Annotated[str, typer.Option(metavar="NAME", help="A collection that has no pin yet.")] = "",
    sample: Sample = "",
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="What ends with exit 1: problem, unknown (both), never, or looks by their names. May be given several times.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look a collection over and change nothing: schema, shards, stamps, every vector, and a sample embedded again.

    Every object is read once: no text, zero or NaN vectors, several lengths, one vector for two texts, stored but not found
    by the index. Exit 0 all is well, 1 there is a problem, 3 something could not be looked at; --fail-on says otherwise.
    """
    if bool(pin) == bool(collection):
        raise BadInput("give a pin or --collection, one of the two", where="doctor", next_action="vecferry doctor Docs")
    size = sample_size(sample)
    with ports_of(ctx) as ports, waiting("looking at", in_logs=False) as tell:
        findings = _look(ports, pin, collection, size, tell)
    code = _exit_code(findings, fail_on or [])
    rows = {"pin": pin, "collection": collection or None, "result": _worst(findings), "findings": [asdict(f) for f in findings]}
    answer(rows, as_json, lambda console: _show(console, findings))
    raise typer.Exit(code)


def _exit_code(findings: list[Finding], fail_on: list[str]) -> int:
    looks = {finding.looked_at for finding in findings}
    strange = set(fail_on) - looks - {_NEVER, _PROBLEM, _UNKNOWN}
    if strange:
        known = ", ".join([_PROBLEM, _UNKNOWN, _NEVER, *sorted(looks)])
        raise BadInput(
            f"--fail-on {', '.join(sorted(strange))}: no such thing", where="doctor", next_action=f"One of: {known}."
        )
    if not fail_on:
        return {"ok": DONE, "problem": FAILED, "unknown": UNDECIDED}[_worst(findings)]
    bad = [f for f in findings if f.result == "problem" or (f.result == "unknown" and _UNKNOWN in fail_on)]
    meant = [f for f in bad if f.looked_at in fail_on or {_PROBLEM, _UNKNOWN} & set(fail_on)]
    return FAILED if meant else DONE


def _look(ports: Ports, pin: str | None, collection: str, sample: int | None, tell: Any) -> list[Finding]:
    from vecferry.steps import doctor as step

    if pin:
        return step.look_over(ports, ports.ledger.pin(pin), tell, sample=sample)
    ports.store.schema(collection)  # an unknown one is bad input, not a finding
    return step.look_at_collection(ports, collection, tell)


def _worst(findings: list[Finding]) -> str:
    found = {finding.result for finding in findings}
    return next((result for result in ("problem", "unknown") if result in found), "ok")


def _show(console: Console, findings: list[Finding]) -> None:
    rows: list[tuple[str, str, str]] = []
    for finding in findings:
        rows.append((finding.result, finding.looked_at, finding.what))
        if finding.next_action:
            rows.append(("", "", f"→ {finding.next_action}"))
    tables.listing(console, ("", "looked at", "found"), rows)
