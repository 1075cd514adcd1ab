"""What the terminal shows: a table that stays in place on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vecferry.domain.stages import STAGES
from vecferry.sandbox.demo.glance import Glance

_PLAIN_EVERY_S = 10.0


class Screen:
    """``say`` writes a line that stays; ``show`` renews the picture of the moment."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, refresh_per_second=2, transient=True) if sys.stdout.isatty() else None
        self._started = time.monotonic()
        self._plain_at = 0.0
        self._shown = ""

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        self._console.print(f"{self.elapsed_s:6.1f} s  {text}", markup=False, soft_wrap=True)

    def show(self, glance: Glance) -> None:
        if self._live is not None:
            self._live.update(_picture(glance))
            return
        # Elsewhere (a log, CI) a line when the stage changes and now and then between.
        if glance.stage != self._shown or time.monotonic() - self._plain_at >= _PLAIN_EVERY_S:
            self._shown, self._plain_at = glance.stage, time.monotonic()
            self.say(glance.line)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()


def _picture(glance: Glance) -> Group:
    table = Table.grid(padding=(0, 2))
    for title, value in glance.rows:
        table.add_row(Text(title, style="dim"), value)
    return Group(_road(glance), table)


def _road(glance: Glance) -> Text:
    road = Text()
    for stage in STAGES:
        outcome = glance.outcomes.get(stage.name, "")
        here = stage.name == glance.stage
        style = "bold reverse" if here else {"PASS": "green", "": "dim"}.get(outcome, "red")
        road.append(f" {stage.name} ", style=style)
    return road
