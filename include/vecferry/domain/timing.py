"""The protocol's times and the inequalities between them; all in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from vecferry.errors import BadInput

COUNTED_ROWS = 20_000
"""Ledgers count a journal no further for a router's poll: after an outage of hours it has a million rows, and a hundred routers
ask three times a second."""


@dataclass(frozen=True)
class Timings:
    """``delta_s``: the worst single turn of reconcile (δ). ``quarantine_s``: how long a sent write may still land (Q).

    ``row_deadline_s``: how long an owner may act on its row (T_live). ``takeover_s``: how long the janitor watches a row
    before it takes it over (T).
    """

    write_timeout_s: float = 4.0
    delta_s: float = 2.0
    quarantine_s: float = 8.0
    row_deadline_s: float = 10.0
    takeover_s: float = 22.0
    poll_s: float = 0.3
    freeze_poll_s: float = 0.05
    lease_s: float = 10.0
    idle_lease_s: float = 3600.0
    freeze_hold_s: float = 2.0
    behind_s: float = 60.0
    behind_rows: int = 10_000

    def __post_init__(self) -> None:
        rules = {
            "row_deadline_s ≥ 4 × delta_s": self.row_deadline_s >= 4 * self.delta_s,
            "quarantine_s > write_timeout_s": self.quarantine_s > self.write_timeout_s,
            "takeover_s > row_deadline_s + quarantine_s": self.takeover_s > self.row_deadline_s + self.quarantine_s,
            "poll_s ≤ lease_s / 3": self.poll_s <= self.lease_s / 3,
            "lease_s ≤ idle_lease_s": self.lease_s <= self.idle_lease_s,
            f"behind_rows < {COUNTED_ROWS}": self.behind_rows < COUNTED_ROWS,
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise BadInput(
                f"the times do not keep {', '.join(broken)}",
                where="timings",
                next_action="Set VECFERRY_TIMINGS__… so that all of them hold; docs/guarantees.md says why.",
            )
