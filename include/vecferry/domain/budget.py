"""Which share of a migration's budget is whose."""

from __future__ import annotations

BUDGET = "budget_usd"
"""Its name among a migration's options; missing or ``None``: no limit."""

WRITE_RESERVE = 0.1
"""This share of a budget is for dual-write alone: backfill must not leave the application's writes without vectors."""


def backfill_budget_usd(budget_usd: float) -> float:
    """What everything but dual-write may spend of a migration's budget; a plan's cost has to fit in here."""
    return budget_usd * (1 - WRITE_RESERVE)
