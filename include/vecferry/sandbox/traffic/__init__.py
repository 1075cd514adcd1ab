"""An application with traffic: it searches, puts, updates and deletes through the Router, and writes down what it was told.

Its history file is evidence: the checker replays it without knowing anything of vecferry.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    from vecferry.sandbox.traffic.command import run

    return run(arguments)
