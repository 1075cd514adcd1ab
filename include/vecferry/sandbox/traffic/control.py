"""How the demo tells the application to pause its writes or to stop, and sees that it has: two small files."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Any

from vecferry.sandbox.wait_until import wait_until


class Wish(StrEnum):
    RUN = "run"
    PAUSE_WRITES = "pause_writes"
    STOP = "stop"


class Control:
    """Both sides open it on one folder; the demo wishes, the application reports."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._wish = folder / "wish"
        self._report = folder / "report.json"

    def ask(self, wish: Wish) -> None:
        _replace(self._wish, wish.value)

    def wish(self) -> Wish:
        try:
            return Wish(self._wish.read_text())
        except FileNotFoundError:
            return Wish.RUN

    def report(self, **figures: Any) -> None:
        _replace(self._report, json.dumps(figures))

    def reported(self) -> dict[str, Any]:
        """Empty until the application has reported once."""
        try:
            return dict(json.loads(self._report.read_text()))
        except FileNotFoundError:
            return {}

    def ask_and_wait(self, wish: Wish, *, deadline_s: float = 60) -> None:
        """Returns when the application says that it does as wished."""
        self.ask(wish)
        wait_until(
            lambda: self.reported().get("does") == wish.value,
            awaited=f"the application to {wish.value.replace('_', ' ')}",
            deadline_s=deadline_s,
            so_far=lambda: f"it reports {self.reported()}",
        )


def _replace(path: Path, text: str) -> None:
    """Whole or not at all: the other side reads while this one writes."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text)
    partial.replace(path)
