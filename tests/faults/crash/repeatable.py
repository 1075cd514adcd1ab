"""What makes one run of a migration as the next, and small enough to have beginnings, middles and ends."""

from __future__ import annotations

import secrets

import pytest

from tests.faults.crash.world import PAGE
from vecferry.checks import enable_dual_write as dual_write_check
from vecferry.steps import backfill, enable_dual_write, verify_parity


def make_repeatable(patch: pytest.MonkeyPatch) -> None:
    """Pages of four of the ten objects, chunks of six, and the same migration id each time."""
    patch.setattr(backfill, "PAGE", PAGE)
    patch.setattr(backfill, "_PER_CHUNK", 6)
    patch.setattr(verify_parity, "_PAGE", PAGE)
    for module in (enable_dual_write, dual_write_check):
        patch.setattr(module, "SAMPLE", 2)
    patch.setattr(secrets, "token_hex", lambda length: "0" * 2 * length)
