"""How much money a purpose may have spent in sum, and on whose account."""

from __future__ import annotations

from dataclasses import dataclass

from vecferry.domain.budget import BUDGET, backfill_budget_usd
from vecferry.ports import Clock, Ledger, Purpose

READ_AGAIN_S = 10.0


@dataclass(frozen=True)
class Payer:
    pin: str
    migration_id: str | None


class Budget:
    """The migration's ``budget_usd`` option, read again now and then, since a person may raise it. ``None``: no limit."""

    def __init__(self, ledger: Ledger, payer: Payer, clock: Clock) -> None:
        self._ledger = ledger
        self._payer = payer
        self._clock = clock
        self._read: tuple[float, float | None] | None = None

    def for_purpose(self, purpose: Purpose) -> float | None:
        budget_usd = self._current()
        if budget_usd is None or purpose is Purpose.WRITE:
            return budget_usd
        return backfill_budget_usd(budget_usd)

    def _current(self) -> float | None:
        now = self._clock.monotonic()
        if self._read is None or now - self._read[0] > READ_AGAIN_S:
            self._read = (now, self._ask())
        return self._read[1]

    def _ask(self) -> float | None:
        if self._payer.migration_id is None:
            return None
        said = self._ledger.migration(self._payer.migration_id).options.get(BUDGET)
        return None if said is None else float(said)
