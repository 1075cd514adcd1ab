"""``vecferry step``: any stage by its DAG name, without Airflow."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables, watched_acts
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.failing import exit_code, on_interrupt
from vecferry.cli.figures import duration, moment
from vecferry.cli.finding import active_or_newest
from vecferry.cli.janitor import janitor_of
from vecferry.cli.options import AsJson, PinName, Who, Why
from vecferry.cli.progress import waiting
from vecferry.cli.waiting_for import wait_for
from vecferry.cli.who import person
from vecferry.domain.request import MigrationRequest
from vecferry.domain.stages import BY_NAME, OFF_ROAD
from vecferry.domain.verdicts import Outcome
from vecferry.errors import BadInput

if TYPE_CHECKING:
    from vecferry.domain.verdicts import Verdict
    from vecferry.ports import Ports
    from vecferry.steps.stage_runner import Subject

EXAMPLES = (
    "vecferry step create_shadow Docs",
    "vecferry step backfill Docs",
    "vecferry step cut_over_5 Docs --timeout 86400",
)

_BEFORE_THE_MIGRATION = ("check_deprecation", "plan")
_VERBS = {stage.name: stage.verb for stage in OFF_ROAD}


def run(
    ctx: typer.Context,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help=f"One of: {', '.join(BY_NAME)}.")],
    pin: PinName,
    to: Annotated[str, typer.Option("--to", metavar="MODEL", help="For check_deprecation and plan.")] = "",
    timeout: Annotated[float, typer.Option(metavar="S", help="Seconds to wait until the world confirms the act.")] = 3 * 3600.0,
    who: Who = "",
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Run one stage as its DAG tasks would: act, wait until the world confirms it, check. May be run again at any time.

    The check is a Great Expectations suite over rows that are read back. Exit 0 PASS or accepted, 1 FAIL, 3 INCONCLUSIVE or
    NO_DATA. A stage that fails undoes nothing by itself here: the answer says what to do.
    """
    _refuse_unknown(stage, pin)
    _refuse_without_gx()
    with ports_of(ctx) as ports:
        subject = _subject(ports, stage, pin, to, person(who), why)
        with on_interrupt(f"{stage} stopped; what was confirmed is kept"):
            if stage == "retire":
                _wait_to_freeze(ports, subject, pin, timeout)
            done = watched_acts.act(stage, ports, subject)
            waited_s = _wait(ports, stage, subject, pin, timeout)
            with waiting(f"checking {stage}"):
                verdict = _check(stage, ports, subject)
        document = {
            "stage": stage,
            "act": done,
            "waited_s": round(waited_s, 3),
            "verdict": verdict.as_dict(),
            "next": _next(ports, stage, pin, verdict),
        }
    answer(document, as_json, lambda console: _show(console, document, verdict))
    raise typer.Exit(exit_code(verdict))


def _refuse_unknown(stage: str, pin: str) -> None:
    if stage in _VERBS:
        raise BadInput(f"{stage} has a verb of its own", where="stages", next_action=f"vecferry {_VERBS[stage]} {pin} --why …")
    if stage not in BY_NAME:
        raise BadInput(f"there is no stage {stage!r}", where="stages", next_action=f"There are: {', '.join(BY_NAME)}.")


def _refuse_without_gx() -> None:
    """Before the act: it is no use to find out when the check is due."""
    if importlib.util.find_spec("great_expectations") is None:
        raise BadInput(
            "Great Expectations is not installed, and a stage is not done before its check",
            where="step",
            next_action="pip install 'vecferry[gx]'",
        )


def _subject(ports: Ports, stage: str, pin: str, to: str, who: str, why: str) -> Subject:
    """The stages before the migration exists are about a request; once it exists, about its own."""
    if stage not in _BEFORE_THE_MIGRATION:
        return active_or_newest(ports, pin).id
    active = ports.ledger.active_migration(ports.ledger.pin(pin).name)
    target = to or (active.spec.space.id if active else "")
    if not target:
        raise BadInput("to which model?", where=stage, next_action=f"vecferry step {stage} {pin} --to MODEL")
    return MigrationRequest(pin, target, who=who, why=why or "vecferry step")


def _wait_to_freeze(ports: Ports, subject: Subject, pin: str, timeout_s: float) -> None:
    """While no write is held; an attempt that fails for it is somebody's to repeat."""
    from vecferry.steps import retire

    assert isinstance(subject, str), "retire is about a migration"
    wait_for(
        ports,
        lambda: retire.may_freeze(ports, subject),
        title="retire",
        where=pin,
        timeout_s=timeout_s,
        next_action=f"Nothing was done. Run it again: vecferry step retire {pin}",
        meanwhile=janitor_of(ports, pin).run_once,
    )


def _wait(ports: Ports, stage: str, subject: Subject, pin: str, timeout_s: float) -> float:
    """Working off the journal meanwhile, as Airflow's sensors do: there may be no router to do it."""
    from vecferry.steps import stage_runner, sweep

    janitor = janitor_of(ports, pin)

    def work() -> None:
        janitor.run_once()
        if isinstance(subject, str):
            sweep.keep_fresh(ports, subject)

    longer = f"vecferry step {stage} {pin} --timeout {timeout_s * 4:.0f}"
    return wait_for(
        ports,
        lambda: stage_runner.ready(stage, ports, subject),
        title=stage,
        where=pin,
        timeout_s=timeout_s,
        next_action=f"What was done is kept. Run it again, or wait longer: {longer}",
        meanwhile=work,
    )


def _check(stage: str, ports: Ports, subject: Subject) -> Verdict:
    from vecferry.steps import stage_runner

    return stage_runner.check(stage, ports, subject)


def _next(ports: Ports, stage: str, pin: str, verdict: Verdict) -> str:
    from vecferry.steps.status import next_action

    if verdict.passes:
        active = ports.ledger.active_migration(pin)
        if active is None:
            return _after_retire(ports, pin) if stage == "retire" else f"vecferry plan {pin} --to MODEL --start"
        return next_action(ports, active, pin)
    if stage == "check_deprecation":
        return f"vecferry notices; vecferry models; or plan all the same: vecferry plan {pin} --to MODEL"
    accept = f"vecferry accept {pin} {stage} --why …"
    if BY_NAME[stage].percent is not None:
        return f"vecferry rollback {pin} --why …; or, as a named person, {accept}"
    first = "mend it" if verdict.outcome is Outcome.FAIL else "give it more to judge by"
    return f"{first} and run vecferry step {stage} {pin} again; or, as a named person, {accept}"


def _after_retire(ports: Ports, pin: str) -> str:
    from vecferry.steps import old_collection

    return old_collection.next_step(ports, active_or_newest(ports, pin))


def _show(console: Console, document: dict[str, Any], verdict: Verdict) -> None:
    tables.heading(console, document["stage"])
    waited = [("waited", duration(document["waited_s"]))] if document["waited_s"] >= 1 else []
    accepted = [("accepted by", f"{verdict.accepted_by}: {verdict.accepted_why}")] if verdict.accepted_by else []
    tables.pairs(console, [*_did(document["act"]), *waited, (verdict.outcome.value, verdict.reason), *accepted])
    tables.next_action(console, document["next"])


def _did(done: dict[str, Any]) -> list[tuple[str, str]]:
    """The act's summary where it is small; a plan has its own verb to show it."""
    plain = {n: value for n, value in done.items() if isinstance(value, str | int | float) and value != "" and n != "next"}
    rows = [(name.replace("_", " "), _plain(name, value)) for name, value in plain.items()]
    return rows if len(rows) <= 8 else [row for row in rows if row[0] in ("migration id", "objects", "to space")]


def _plain(name: str, value: str | int | float) -> str:
    if name == "kept_until":
        return f"{moment(str(value))} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
