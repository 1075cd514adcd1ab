"""The verbs, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Annotated

import typer

from vecferry import __version__
from vecferry.cli import (
    accept,
    budget,
    discard,
    doctor,
    drop_old,
    force_100,
    golden_import,
    janitor,
    ledger_upgrade,
    live_model_gone,
    models,
    notices,
    pause,
    pin,
    plan,
    reopen,
    report,
    rollback,
    routers,
    status,
    step,
    sweep,
    unpause,
    verify,
)
from vecferry.cli.failing import ErrorsForPeople

_PLAIN = {"rich_markup_mode": "rich", "add_completion": False, "no_args_is_help": True}

app = typer.Typer(
    cls=ErrorsForPeople,
    pretty_exceptions_enable=False,
    help="Move a Weaviate collection from one embedding model to another while it serves traffic.",
    epilog="Exit codes: 0 done, 1 failed or FAIL, 2 bad input, 3 INCONCLUSIVE or NO_DATA, 130 interrupted.",
    **_PLAIN,  # type: ignore[arg-type]
)
golden = typer.Typer(help="The queries that both models are judged by.", **_PLAIN)  # type: ignore[arg-type]
ledger = typer.Typer(help="The ledger's database.", **_PLAIN)  # type: ignore[arg-type]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version it is.")
    ] = False,
) -> None:
    pass


def _add(group: typer.Typer, name: str, verb: ModuleType, panel: str | None = None) -> None:
    group.command(name, epilog=_examples(verb.EXAMPLES), rich_help_panel=panel)(verb.run)


def _examples(lines: Sequence[str]) -> str:
    return "\n".join(["[dim]Examples[/dim]", *(line.replace("[", r"\[") for line in lines)])


for _panel, _verbs in {
    "Look": {"status": status, "report": report, "doctor": doctor, "routers": routers, "models": models, "notices": notices},
    "Prepare": {"pin": pin, "plan": plan},
    "Move": {
        "step": step,
        "verify": verify,
        "accept": accept,
        "pause": pause,
        "unpause": unpause,
        "budget": budget,
        "janitor": janitor,
        "sweep": sweep,
    },
    "Finish": {"drop-old": drop_old, "live-model-gone": live_model_gone, "force-100": force_100},
    "Go back": {"rollback": rollback, "reopen": reopen, "discard": discard},
}.items():
    for _name, _verb in _verbs.items():
        _add(app, _name, _verb, _panel)
_add(golden, "import", golden_import)
_add(ledger, "upgrade", ledger_upgrade)
app.add_typer(golden, name="golden", rich_help_panel="Prepare")
app.add_typer(ledger, name="ledger", rich_help_panel="Prepare")
