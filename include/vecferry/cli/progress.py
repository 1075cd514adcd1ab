"""How far a long task is: a bar with rate and ETA where somebody watches stderr, plain lines where a log does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from vecferry.cli.answering import stderr
from vecferry.cli.figures import counted, duration

_LINE_EVERY_S = 5.0
Tell = Callable[[int], None]
"""What is done so far, in all."""


@contextmanager
def progress(title: str, total: int, unit: str = "object", done: int = 0) -> Iterator[Tell]:
    """``done`` was so before this command: the rate is of what it does itself."""
    started = time.monotonic()

    def words(now: int) -> str:
        return pace(now - done, max(0, total - now), time.monotonic() - started)

    shown = _bar if sys.stderr.isatty() else _lines
    with shown(title, total, unit, done, words) as tell:
        yield tell


def pace(done: int, left: int, elapsed_s: float) -> str:
    """``340/s, about 12 s left``; nothing while there is nothing to go by."""
    if done <= 0 or elapsed_s <= 0:
        return ""
    rate = done / elapsed_s
    ahead = f", about {duration(left / rate)} left" if left else ""
    return f"{rate:,.0f}/s{ahead}" if rate >= 10 else f"{rate:.1f}/s{ahead}"


@contextmanager
def waiting(title: str, in_logs: bool = True) -> Iterator[Callable[[str], None]]:
    """For what has no length: a spinner with the newest words, or (``in_logs``) a line when the words change."""
    if not sys.stderr.isatty():
        yield _line_on_change(title) if in_logs else lambda _: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda words: bar.update(task, description=f"{title}: {words}" if words else title)


@contextmanager
def _bar(title: str, total: int, unit: str, done: int, words: Callable[[int], str]) -> Iterator[Tell]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TextColumn("{task.fields[pace]}", style="dim"),
    )
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task(title, total=max(total, 1), completed=done, pace="")
        yield lambda now: bar.update(task, completed=min(now, total), pace=words(now))


@contextmanager
def _lines(title: str, total: int, unit: str, done: int, words: Callable[[int], str]) -> Iterator[Tell]:
    said_at, said = time.monotonic() - _LINE_EVERY_S, -1

    def tell(now: int) -> None:
        nonlocal said_at, said
        too_soon = time.monotonic() - said_at < _LINE_EVERY_S and now < total
        if too_soon or now == said:
            return
        said_at, said = time.monotonic(), now
        share = f" ({now / total:.0%})" if total else ""
        line = f"{title}: {now:,} of {counted(total, unit)}{share}"
        stderr().print(", ".join(part for part in (line, words(now)) if part), markup=False)

    yield tell


def _line_on_change(title: str) -> Callable[[str], None]:
    said = ""

    def tell(words: str) -> None:
        nonlocal said
        if words and words != said:
            stderr().print(f"{title}: {words}", markup=False)
        said = words

    return tell
