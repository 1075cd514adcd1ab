"""Verdicts, events, spend and notices, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from vecferry.adapters.ledger import refusals
from vecferry.adapters.memory.ledger_tables import Reservation, Tables
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Event, Purpose, Spend


class MemoryRecords:
    _tables: Tables

    def record_verdict(self, migration_id: str, verdict: Verdict) -> None:
        with self._tables.lock:
            self._tables.migration(migration_id)
            self._tables.verdicts.append((migration_id, self._tables.clock.now(), verdict))

    def verdicts(self, migration_id: str) -> list[tuple[datetime, Verdict]]:
        with self._tables.lock:
            return [(at, verdict) for owner, at, verdict in self._tables.verdicts if owner == migration_id]

    def record_event(self, event: Event) -> None:
        with self._tables.lock:
            self._tables.events.append(replace(event, at=self._tables.clock.now()))

    def events(
        self, *, pin: str | None = None, migration_id: str | None = None, what: str | None = None, limit: int = 1000
    ) -> list[Event]:
        with self._tables.lock:
            matching = [
                event
                for event in self._tables.events
                if pin in (None, event.pin) and migration_id in (None, event.migration_id) and what in (None, event.what)
            ]
            return matching[-limit:] if limit > 0 else []

    def reserve(
        self,
        *,
        pin: str,
        migration_id: str | None,
        purpose: Purpose,
        tokens: int,
        cost_usd: float,
        budget_usd: float | None,
    ) -> int:
        _check_spend(tokens, cost_usd)
        with self._tables.lock:
            spent_usd = sum(r.cost_usd for r in self._tables.reservations.values() if _account(r) == (pin, migration_id))
            if budget_usd is not None and spent_usd + cost_usd > budget_usd + 1e-9:
                raise refusals.over_budget(pin, migration_id, spent_usd, cost_usd, budget_usd)
            reservation = next(self._tables.reservation_ids)
            self._tables.reservations[reservation] = Reservation(pin, migration_id, purpose, tokens, cost_usd)
            return reservation

    def settle(self, reservation: int, *, tokens: int, cost_usd: float) -> None:
        _check_spend(tokens, cost_usd)
        with self._tables.lock:
            stored = self._tables.reservations.get(reservation)
            if stored is None:
                raise refusals.no_reservation(reservation)
            if stored.settled:
                raise refusals.settled_before(reservation)
            self._tables.reservations[reservation] = replace(stored, tokens=tokens, cost_usd=cost_usd, settled=True)

    def spend(self, *, pin: str | None = None, migration_id: str | None = None) -> Spend:
        with self._tables.lock:
            mine = [
                r for r in self._tables.reservations.values() if pin in (None, r.pin) and migration_id in (None, r.migration_id)
            ]
            unsettled = sum(not r.settled for r in mine)
            return Spend(sum(r.tokens for r in mine), sum(r.cost_usd for r in mine), len(mine), unsettled)

    def save_notices(self, notices: Sequence[Mapping[str, Any]]) -> None:
        with self._tables.lock:
            self._tables.notices |= {notice["id"]: dict(notice) for notice in notices}

    def notices(self) -> list[Mapping[str, Any]]:
        with self._tables.lock:
            return [self._tables.notices[key] for key in sorted(self._tables.notices)]


def _account(reservation: Reservation) -> tuple[str, str | None]:
    return reservation.pin, reservation.migration_id


def _check_spend(tokens: int, cost_usd: float) -> None:
    if tokens < 0 or not cost_usd >= 0:
        raise refusals.negative_spend(tokens, cost_usd)
