"""``vecferry verify``: do both collections hold the same?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.failing import exit_code, on_interrupt
from vecferry.cli.figures import counted
from vecferry.cli.finding import active_or_newest
from vecferry.cli.options import AsJson, PinName
from vecferry.cli.progress import progress
from vecferry.cli.sample import Sample, sample_size
from vecferry.domain.left_out import told as told_left_out
from vecferry.domain.verdicts import Outcome, Verdict
from vecferry.errors import BadInput

if TYPE_CHECKING:
    from vecferry.domain.lifecycle import Migration
    from vecferry.ports import Ports

EXAMPLES = (
    "vecferry verify Docs",
    "vecferry verify Docs --repair",
    "vecferry verify Docs --sample all",
    "vecferry verify Docs --contents",
)


def run(
    ctx: typer.Context,
    pin: PinName,
    repair: Annotated[
        bool, typer.Option("--repair", metavar="", help="Bring into agreement what differs, until a pass is clean.")
    ] = False,
    sample: Sample = "",
    contents: Annotated[
        bool,
        typer.Option(
            "--contents", metavar="", help="Contents and stamps alone: several times as fast, and not what gates ask."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare every object of the old and the new collection: content, stamps, vector, and whether the index finds it.

    A sample of the new vectors is embedded again, and those that point furthest off the others: only that finds vectors of
    another model of the same length.

    A clean pass is recorded, unless by --contents; `vecferry reopen` and `retire` ask for one.
    Exit 0 clean, 1 differences, 3 nothing to compare.
    """
    if contents and (repair or sample):
        raise BadInput(
            "--contents looks at no vector", where="verify", next_action="Leave out --repair and --sample, or --contents."
        )
    size = 0 if contents else sample_size(sample)
    with ports_of(ctx) as ports:
        migration = _comparable(ports, pin)
        with on_interrupt("no object was changed but to agree with its live one; rows in hand are left to the janitor"):
            verdict = _repaired(ports, migration, size) if repair else _compared(ports, migration, size, vectors=not contents)
    answer(verdict.as_dict(), as_json, lambda console: _show(console, verdict, pin))
    raise typer.Exit(exit_code(verdict))


def _comparable(ports: Ports, pin: str) -> Migration:
    migration = active_or_newest(ports, pin)
    if migration.ended:
        raise BadInput(
            f"the newest migration is {migration.phase}: there is one collection, and nothing to compare it with",
            where=migration.id,
            next_action=f"vecferry doctor {migration.pin} looks at that one.",
        )
    if migration.spec.shadow not in ports.store.collections():
        raise BadInput(
            f"there is no collection {migration.spec.shadow} yet",
            where=migration.id,
            next_action=f"Run first: vecferry step create_shadow {migration.pin}",
        )
    return migration


def _repaired(ports: Ports, migration: Migration, sample: int | None) -> Verdict:
    """Passes until one is clean, which is recorded."""
    from vecferry.steps import verify_parity

    with progress("verify", _total(ports, migration)) as tell:
        found = verify_parity.act(ports, migration.id, lambda seen: tell(seen.objects_live), sample=sample)
    return _verdict(found, [])


def _compared(ports: Ports, migration: Migration, sample: int | None, *, vectors: bool) -> Verdict:
    from vecferry.domain.schema import schema_differences
    from vecferry.steps import verify_parity

    spec, store = migration.spec, ports.store
    rows = schema_differences(store.schema(spec.live), store.schema(spec.shadow), spec)
    drifted = [row["setting"] for row in rows if not row["allowed"]]
    with progress("verify", _total(ports, migration)) as tell:
        seen = verify_parity.compare(
            ports,
            migration,
            repair=False,
            progress=lambda so_far: tell(so_far.objects_live),
            sample=sample,
            vectors=vectors,
        )
    verdict = _verdict(seen.as_dict() | {"vectors": vectors}, drifted)
    if verdict.passes and vectors:
        verify_parity.note_clean(ports, migration, seen, "vecferry verify")
    return verdict


def _total(ports: Ports, migration: Migration) -> int:
    from vecferry.steps.sampling import count_all

    return count_all(ports.store, migration.spec.live)


def _verdict(found: dict[str, Any], drifted: list[str]) -> Verdict:
    evidence = found | {"schema_drift": drifted}
    if not found["objects_live"] and not found["objects_shadow"]:
        return Verdict("verify_parity", Outcome.NO_DATA, "both collections are empty", evidence)
    if drifted:
        return Verdict("verify_parity", Outcome.FAIL, f"the schemas differ in {', '.join(drifted[:5])}", evidence)
    if found["differences"]:
        return Verdict("verify_parity", Outcome.FAIL, counted(found["differences"], "difference"), evidence)
    objects = counted(found["objects_live"], "object")
    of = " of contents and stamps, vectors not looked at" if found.get("vectors") is False else ""
    return Verdict("verify_parity", Outcome.PASS, f"{objects}, no differences{of}{_while_writing(found)}", evidence)


def _while_writing(found: dict[str, Any]) -> str:
    """Why a pass without differences may count other numbers on the two sides; empty where nothing moved."""
    uneven = found["objects_live"] != found["objects_shadow"]
    if keys := found["in_flight"]:
        flying = f"{counted(keys, 'key is', 'keys are')} in flight under journal rows and will agree when these are worked off"
        return f"; {flying}" + (", until then the counts may differ" if uneven else "")
    return "; the counts differ by what was written between the two looks" if uneven else ""


def _show(console: Console, verdict: Verdict, pin: str) -> None:
    found = verdict.evidence
    tables.pairs(
        console,
        [
            (verdict.outcome.value, verdict.reason),
            ("live", counted(found["objects_live"], "object")),
            ("shadow", counted(found["objects_shadow"], "object")),
            *[("in flight", f"{counted(n, 'key')} under journal rows") for n in [found["in_flight"]] if n],
            ("vectors", "not looked at")
            if found.get("vectors") is False
            else ("embedded again", counted(found["reembedded"], "vector")),
            *[("not indexed", counted(n, "object")) for n in [found["unindexed"]] if n],
            *[(kind, counted(number, "object")) for kind, number in found["kinds"].items()],
            *[("texts", text) for text in [told_left_out(found["left_out"])] if text],
            *[("e.g.", example) for example in found["examples"][:5]],
        ],
        indent=0,
    )
    if not verdict.passes and found["differences"]:
        tables.next_action(console, f"vecferry verify {pin} --repair")
