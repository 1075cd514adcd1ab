"""Waits until the world confirms an act."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout

from vecferry.airflow.ports_in_task import Connect, ports_in_task
from vecferry.airflow.request_of_run import Subject, by_run
from vecferry.errors import Paused, Retryable

if TYPE_CHECKING:
    from airflow.sdk import Context

    from vecferry.ports import Ports
    from vecferry.protocol.janitor import Janitor

POKE_S = 1.0
RESCHEDULE_S = 60.0
PATIENCE_S = 120.0
"""How long a soak may hold a worker before it is put off instead."""
TIMEOUT_S = 3 * 3600.0
"""More than the hour and Q that a router which is silently gone keeps its idle lease."""
SLOW_TIMEOUT_S = 7 * 86_400.0
"""Beyond the soak: a quiet application may need days for the queries that a canary wants."""


class StageReady(BaseSensorOperator):
    """Pokes for what takes seconds, working off the journal as it waits, and sweeping where applications bypass the Router;
    ``slow`` stages (soaks, corroboration) are put off when they outlast ``PATIENCE_S``.

    Declared as ``reschedule`` for the scheduler, which reads that at parse time; the soak is known only when it runs.
    """

    def __init__(self, *, stage: str, subject: Subject, connect: Connect, slow: bool, **kwargs: Any) -> None:
        super().__init__(mode="reschedule", poke_interval=RESCHEDULE_S, **kwargs)
        self.stage = stage
        self.subject = subject
        self.connect = connect
        self.slow = slow
        self._waiting_for = ""

    def execute(self, context: Context) -> Any:
        soak_s = 60 * float(context["params"].get("soak_minutes", 0)) if self.slow else 0.0
        self.timeout = soak_s + (SLOW_TIMEOUT_S if self.slow else TIMEOUT_S)
        put_off_before = context.get("task_reschedule_count", 0) > 0
        self._hold_for(0 if soak_s > PATIENCE_S or (self.slow and put_off_before) else PATIENCE_S if self.slow else math.inf)
        try:
            with ports_in_task(self.connect, context) as self._ports:
                self._janitor: Janitor | None = None
                return super().execute(context)
        except AirflowSensorTimeout:
            raise AirflowFailException(
                f"{self.stage} gave up after {self.timeout:.0f} s waiting for {self._waiting_for}"
            ) from None

    def poke(self, context: Context) -> bool:
        from vecferry.steps import stage_runner, sweep

        try:
            about = self.subject(context)
            if self.mode == "poke":  # a janitor must watch a row for a while itself: of no use to one that comes and goes
                self._work_off(context)
            if isinstance(about, str):  # in either mode: a sweep remembers nothing but what the ledger does
                sweep.keep_fresh(self._ports, about)
            answer = stage_runner.ready(self.stage, self._ports, about)
            done, waiting_for = answer.done, answer.waiting_for
        except (Retryable, Paused) as error:
            done, waiting_for = False, str(error)
        if not done:
            self._say(waiting_for)
        if time.monotonic() > self._hold_until:
            self.mode = "reschedule"
            self.poke_interval = RESCHEDULE_S
        return done

    def _hold_for(self, seconds: float) -> None:
        self._hold_until = time.monotonic() + seconds
        self.mode = "poke" if seconds else "reschedule"
        self.poke_interval = POKE_S if seconds else RESCHEDULE_S

    def _say(self, waiting_for: str) -> None:
        """Once for each thing that is waited for, not once a second."""
        if waiting_for != self._waiting_for:
            self.log.info("waiting for %s", waiting_for)
        self._waiting_for = waiting_for

    def _work_off(self, context: Context) -> None:
        pin = str(context["params"]["collection"])
        if self._janitor is None:
            self._janitor = _janitor(self._ports, pin, owner=f"{by_run(context)}/{self.task_id}")
        self._janitor.run_once()


def _janitor(ports: Ports, pin: str, *, owner: str) -> Janitor:
    from vecferry.protocol.janitor import Janitor

    return Janitor(
        pin,
        ledger=ports.ledger,
        store=ports.store,
        embedders=ports.embedders,
        clock=ports.clock,
        timings=ports.timings,
        owner=owner,
    )
