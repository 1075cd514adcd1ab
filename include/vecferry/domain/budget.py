"""Which share of a migration's budget is whose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BUDGET = "budget_usd"
"""Its name among a migration's options; missing or ``None``: no limit."""

WRITE_RESERVE = 0.1
"""This share of a budget is for dual-write alone: backfill must not leave the application's writes without vectors."""


def backfill_budget_usd(budget_usd: float) -> float:
    """What everything but dual-write may spend of a migration's budget; a plan's cost has to fit in here."""
    return budget_usd * (1 - WRITE_RESERVE)


def reconciled(booked: Mapping[str, Any], provider_tokens: int) -> dict[str, Any]:
    """``booked``: a ``Spend``'s values. ``difference``: tokens that the provider counts more than the ledger; below 0, less.

    Requests of unknown outcome are booked as estimated, and may not have been billed: they explain a provider that counts less.
    One that counts more has seen requests that the ledger has not: of other programs on the same account and model.
    """
    difference = provider_tokens - booked["tokens"]
    told = f"{provider_tokens:,} tokens, {_compared(difference, booked)}"
    return {"tokens": provider_tokens, "difference": difference, "told": told}


def _compared(difference: int, booked: Mapping[str, Any]) -> str:
    if not difference:
        return "as the ledger"
    share = f"{abs(difference):,} ({abs(difference) / max(1, booked['tokens']):.2%})"
    if difference > 0:
        return f"{share} more than the ledger: does another program use the same account and model?"
    unsettled = booked["unsettled"]
    why = f"{unsettled:,} requests of unknown outcome are booked as estimated" if unsettled else "its page may be behind"
    return f"{share} less than the ledger: {why}"
