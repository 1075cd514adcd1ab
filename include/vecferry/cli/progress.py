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
_SETTLED_S = 3.0
"""Before that a pace is guesswork: the first answers come late, together, or from a cache."""
Tell = Callable[[int], None]
"""What is done so far, in all."""


@contextmanager
def progress(title: str, total: int, unit: str = "object", done: int = 0) -> Iterator[Tell]:
    """``done`` was so before this command: the rate is of what it does itself, from when it has begun to tell.

    ``total`` is what was there at the start. It grows with what is told; what ends without an error has told all there was.
    """
    shown = _bar if sys.stderr.isatty() else _lines
    with shown(title, total, unit, done, _words_from_the_first()) as tell:
        yield tell


def _words_from_the_first(clock: Callable[[], float] = time.monotonic) -> Callable[[int, int], str]:
    """Of (now, total). Connecting and importing come before the first thing is told, and are no pace."""
    first: tuple[float, int] | None = None

    def words(now: int, total: int) -> str:
        nonlocal first
        at = clock()
        if first is None or now < first[1]:  # another pass
            first = at, now
        elapsed_s = at - first[0]
        return pace(now - first[1], max(0, total - now), elapsed_s) if elapsed_s >= _SETTLED_S else ""

    return words


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
def _bar(title: str, total: int, unit: str, done: int, words: Callable[[int, int], str]) -> Iterator[Tell]:
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

        def tell(now: int) -> None:
            of = max(total, now)
            bar.update(task, total=max(of, 1), completed=now, pace=words(now, of))

        yield tell


@contextmanager
def _lines(title: str, total: int, unit: str, done: int, words: Callable[[int, int], str]) -> Iterator[Tell]:
    said_at, said, told = time.monotonic() - _LINE_EVERY_S, "", -1

    def say(now: int, of: int) -> None:
        nonlocal said_at, said
        share = f" ({int(100 * now / of)}%)" if of else ""
        line = f"{title}: {now:,} of {counted(of, unit)}{share}"
        if line != said:
            said_at, said = time.monotonic(), line
            stderr().print(", ".join(part for part in (line, words(now, of)) if part), markup=False)

    def tell(now: int) -> None:
        nonlocal told
        told = now
        if time.monotonic() - said_at >= _LINE_EVERY_S:
            say(now, max(total, now))

    yield tell
    if told >= 0:
        say(told, told)


def _line_on_change(title: str) -> Callable[[str], None]:
    said = ""

    def tell(words: str) -> None:
        nonlocal said
        if words and words != said:
            stderr().print(f"{title}: {words}", markup=False)
        said = words

    return tell
