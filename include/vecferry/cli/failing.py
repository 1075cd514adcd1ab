"""Every failure as what happened, where, and what to do next; and as an exit code. Never a traceback."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from vecferry.domain.verdicts import Outcome, Verdict
from vecferry.errors import BadInput, VecferryError

DONE, FAILED, BAD_INPUT, UNDECIDED, INTERRUPTED = 0, 1, 2, 3, 130

_UsageError: type[Any] = typer.BadParameter.__mro__[1]
"""Typer has its own copy of click since 0.20; this is the right class with either."""


class Interrupted(Exception):
    """Ctrl-C, with what is kept and how to go on."""

    def __init__(self, kept: str, go_on: str = "") -> None:
        super().__init__(kept, go_on)
        self.kept = kept
        self.go_on = go_on


@contextmanager
def on_interrupt(kept: str, go_on: str = "") -> Iterator[None]:
    """What Ctrl-C means inside; without ``go_on`` it is the same command again."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(kept, go_on) from None


class ErrorsForPeople(TyperGroup):
    """The root group. With ``--json`` anywhere among the arguments an error is a JSON document, on stderr."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        extra |= {"standalone_mode": False, "prog_name": "vecferry"}
        try:
            code = super().main(given, *rest, **extra)
            if code == INTERRUPTED:  # typer's own answer to a Ctrl-C that no verb has words for
                raise Interrupted("nothing that was confirmed is lost")
        except _UsageError as error:
            code = BAD_INPUT if _showed_help(error) else _tell(_as_bad_input(error), given)
        except (Exception, KeyboardInterrupt) as error:
            if os.environ.get("VECFERRY_TRACEBACK"):
                raise
            code = _tell(error, given)
        sys.exit(code if isinstance(code, int) else DONE)


def exit_code(verdict: Verdict) -> int:
    """An accepted verdict passes, whatever it was."""
    if verdict.passes:
        return DONE
    return FAILED if verdict.outcome is Outcome.FAIL else UNDECIDED


def _tell(error: BaseException, given: Sequence[str]) -> int:
    document = _document(error, given)
    if "--json" in given:
        typer.echo(json.dumps(document, ensure_ascii=False), err=True)
    else:
        typer.echo(_text(document), err=True)
    return _code(error)


def _code(error: BaseException) -> int:
    if isinstance(error, Interrupted | KeyboardInterrupt | typer.Abort):
        return INTERRUPTED
    return BAD_INPUT if isinstance(error, BadInput) else FAILED


def _document(error: BaseException, given: Sequence[str]) -> dict[str, str]:
    command = shlex.join(["vecferry", *given])
    if isinstance(error, VecferryError):
        return error.as_dict()
    if isinstance(error, Interrupted | KeyboardInterrupt | typer.Abort):
        kept, go_on = error.args if isinstance(error, Interrupted) else ("nothing that was confirmed is lost", "")
        return {"error": "Interrupted", "what": kept, "where": "", "next": go_on or f"To go on, run again: {command}"}
    return {
        "error": type(error).__name__,
        "what": f"vecferry itself failed: {type(error).__name__}: {error}",
        "where": command,
        "next": "Please report this; VECFERRY_TRACEBACK=1 shows where it happened.",
    }


def _text(document: dict[str, str]) -> str:
    head = "Interrupted" if document["error"] == "Interrupted" else "Error"
    lines = [f"{head}: {document['what']}"]
    lines += [f"  where: {document['where']}"] if document["where"] else []
    lines += [f"  next:  {document['next']}"] if document["next"] else []
    return "\n".join(lines)


def _showed_help(error: Any) -> bool:
    """A group without a verb has printed its help already."""
    return type(error).__name__ == "NoArgsIsHelpError"


def _as_bad_input(error: Any) -> BadInput:
    """Typer's own complaints about the command line."""
    path = error.ctx.command_path if error.ctx else "vecferry"
    what = error.format_message().strip().rstrip(".")
    return BadInput(what[:1].lower() + what[1:], where="command line", next_action=f"{path} --help shows how.")
