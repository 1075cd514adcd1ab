"""What a command says on stdout: one JSON document, or the same for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console

_PIPED_WIDTH = 160
"""Where no terminal says how wide it is: a log should not be cut at 80."""


def answer(data: Any, as_json: bool, shown: Callable[[Console], None]) -> None:
    """``shown`` writes ``data`` for people."""
    if as_json:
        typer.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))
    else:
        shown(stdout())


def stdout() -> Console:
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False)


def stderr() -> Console:
    return Console(stderr=True, width=None if sys.stderr.isatty() else _PIPED_WIDTH, highlight=False)
