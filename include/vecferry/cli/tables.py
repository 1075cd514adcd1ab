"""Tables for people: quiet ones, that can be copied out of a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

_STYLES = {
    "PASS": "green",
    "ok": "green",
    "FAIL": "bold red",
    "problem": "bold red",
    "INCONCLUSIVE": "yellow",
    "NO_DATA": "yellow",
    "unknown": "yellow",
    "paused": "yellow",
}


def heading(console: Console, text: str) -> None:
    console.print(Text(text, style="bold"))


def pairs(console: Console, rows: Iterable[tuple[str, str]], indent: int = 2) -> None:
    """Name and value; a value that wraps stays in its column."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(" " * indent + name, _cell(value))
    console.print(grid)


def listing(
    console: Console,
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Sequence[str] = (),
    whole: Sequence[str] = ("stage", "verdict", "pin"),
) -> None:
    """One row a thing; the columns named in ``right`` hold figures, those in ``whole`` are never wrapped."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
    for name in headers:
        table.add_column(name, justify="right" if name in right else "left", no_wrap=name in (*right, *whole), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def warnings(console: Console, texts: Iterable[str]) -> None:
    """What a person should weigh before going on."""
    for text in texts:
        console.print(Text(f"warning: {text}", style="yellow"), soft_wrap=True)


def next_action(console: Console, text: str) -> None:
    """A command to copy is never wrapped."""
    if text:
        console.print(f"[dim]next:[/] {escape(text)}", soft_wrap=True)


def _cell(value: str) -> Text:
    return Text(value, style=_STYLES.get(value.partition(" ")[0], ""))
