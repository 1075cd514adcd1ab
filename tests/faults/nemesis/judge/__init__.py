"""The judge of ``make faults``: what a seed's folder and its servers prove, and what they disprove.

It imports nothing of the product but :mod:`vecferry.sandbox.checker`, which itself imports nothing of it.
"""

from __future__ import annotations

from tests.faults.nemesis.judge.judging import judge_seed
from tests.faults.nemesis.judge.outcome import Defect, Injection, SeedOutcome

__all__ = ["Defect", "Injection", "SeedOutcome", "judge_seed"]
