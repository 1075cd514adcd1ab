"""Slices of providers' limits, in memory."""

from __future__ import annotations

from vecferry.adapters.memory.ledger_tables import Tables
from vecferry.domain.capacity import CapacityAnswer, CapacityAsk, CapacityState, decide


class MemoryCapacity:
    _tables: Tables

    def take_capacity(self, ask: CapacityAsk) -> CapacityAnswer:
        tables, key = self._tables, (ask.account, ask.model)
        with tables.lock:
            state, answer = decide(tables.capacity.get(key, CapacityState()), ask, tables.clock.now().timestamp())
            tables.capacity[key] = state
            return answer
