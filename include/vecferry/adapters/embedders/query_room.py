"""Queries of this process: let through and counted, without asking anybody."""

from __future__ import annotations

import math

from vecferry.domain.capacity import NOTHING, QUERY_SHARE, SLOT_S, Amounts, RateLimits, alive, free_from_s, merged, used


class QueryRoom:
    """Not thread-safe. A query waits only where queries alone use up the limit.

    What is kept for queries is not divided among processes beforehand: of a fifth of 3,000 requests a minute, each of 100
    routers would have 6, and its second user would wait 10 s while 594 lie unused. Each counts what it used and tells
    the ledger now and then; documents yield to the sum.
    """

    def __init__(self) -> None:
        self._mine: dict[int, Amounts] = {}

    def wait_s(self, wanted: Amounts, everybodys: Amounts, limits: RateLimits, now_s: float) -> float:
        """0 if it is taken, else how long until there is room. ``everybodys``: the queries of all processes, as last heard."""
        self._mine = alive(self._mine, now_s)
        mine = used(self._mine)
        frees = [now_s]
        for dimension, limit in enumerate(limits):
            if limit is not None and wanted[dimension] > 0:
                others = max(0, everybodys[dimension] - mine[dimension])
                # The others' figures are seconds old: at least what is kept for queries may be tried.
                room = max(limit - others, limit // QUERY_SHARE, 1)
                frees.append(free_from_s(self._mine, dimension, wanted[dimension], room))
        wait_s = max(frees) - now_s
        if wait_s <= 0 and wanted != NOTHING:
            self._mine = merged(self._mine, math.ceil(now_s / SLOT_S), wanted)
        return wait_s
