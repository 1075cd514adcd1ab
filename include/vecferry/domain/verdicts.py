"""A gate's answer with its evidence. Only PASS passes, or a named person's acceptance with a reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"


@dataclass(frozen=True)
class Verdict:
    """``evidence`` holds the figures that the outcome was decided on, JSON-able and small."""

    stage: str
    outcome: Outcome
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)
    accepted_by: str | None = None
    accepted_why: str | None = None

    @property
    def passes(self) -> bool:
        return self.outcome is Outcome.PASS or self.accepted_by is not None

    def as_dict(self) -> dict[str, Any]:
        row: dict[str, Any] = {"stage": self.stage, "outcome": self.outcome.value, "reason": self.reason}
        row["evidence"] = self.evidence
        if self.accepted_by:
            row |= {"accepted_by": self.accepted_by, "accepted_why": self.accepted_why}
        return row
