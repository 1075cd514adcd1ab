"""Wait until the world confirms an act, as Airflow's sensors do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vecferry.cli.progress import waiting
from vecferry.errors import Retryable

if TYPE_CHECKING:
    from vecferry.ports import Ports
    from vecferry.steps.readiness import Ready

_POLL_S = 0.5


def wait_for(
    ports: Ports,
    ready: Callable[[], Ready],
    *,
    title: str,
    where: str,
    timeout_s: float,
    next_action: str,
    meanwhile: Callable[[], object] = lambda: None,
) -> float:
    """Seconds that it took. Raises ``Retryable`` after ``timeout_s``, saying what was waited for; ``meanwhile`` is done
    before each look."""
    started = ports.clock.monotonic()
    with waiting(title) as tell:
        while True:
            done, waiting_for = _look(ready, meanwhile)
            elapsed_s = ports.clock.monotonic() - started
            if done:
                return elapsed_s
            if elapsed_s >= timeout_s:
                raise Retryable(
                    f"after {timeout_s:.0f} s still waiting for {waiting_for}", where=where, next_action=next_action
                )
            tell(f"waiting for {waiting_for}")
            ports.clock.sleep(min(_POLL_S, timeout_s - elapsed_s))


def _look(ready: Callable[[], Ready], meanwhile: Callable[[], object]) -> tuple[bool, str]:
    """What fails in passing is not ready yet."""
    try:
        meanwhile()
        answer = ready()
    except Retryable as error:
        return False, str(error)
    return answer.done, answer.waiting_for
