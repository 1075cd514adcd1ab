"""Wait for a condition with a deadline: no sleeps for luck, and a failure that says what was awaited."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from vecferry.errors import Retryable

T = TypeVar("T")


def wait_until(
    probe: Callable[[], T | None],
    *,
    awaited: str,
    deadline_s: float,
    poll_s: float = 0.1,
    so_far: Callable[[], str] = lambda: "",
) -> T:
    """Call ``probe`` every ``poll_s`` seconds until its answer is truthy, and return that answer.

    Raises ``Retryable`` after ``deadline_s`` seconds, naming what was ``awaited`` and what is known ``so_far``. An
    error of the probe itself is not swallowed: a probe knows which of its failures only mean "not yet".
    """
    started = time.monotonic()
    while not (answer := probe()):
        if time.monotonic() - started > deadline_s:
            known = so_far()
            raise Retryable(f"waited {deadline_s:g} s for {awaited}, in vain" + (f"\n{known}" if known else ""))
        time.sleep(poll_s)
    return answer
