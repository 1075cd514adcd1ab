"""The stages as people see them: name, chapter, title, and the phase that each one leads to."""

from __future__ import annotations

from dataclasses import dataclass

from vecferry.domain.lifecycle import Phase
from vecferry.domain.request import PERCENTS


@dataclass(frozen=True)
class Stage:
    """``needs`` are the phases in which its act may do something; ``gives`` is the phase it leads to.

    ``moved_by`` says which part of the stage makes that move: ``act`` where the act itself is the routing change, ``check``
    where the phase says that something was proven.
    """

    name: str
    chapter: str
    title: str
    needs: frozenset[Phase] = frozenset()
    gives: Phase | None = None
    moved_by: str = "check"
    percent: int | None = None


def _stage(name: str, chapter: str, title: str, needs: Phase, gives: Phase, moved_by: str = "check") -> Stage:
    return Stage(name, chapter, title, frozenset({needs}), gives, moved_by)


STAGES: tuple[Stage, ...] = (
    Stage("check_deprecation", "Prepare", "Check the deprecation"),
    Stage("plan", "Prepare", "Plan", gives=Phase.PLANNED, moved_by="act"),
    _stage("create_shadow", "Prepare", "Create the shadow", Phase.PLANNED, Phase.SHADOW_CREATED),
    _stage("enable_dual_write", "Fill", "Write to both", Phase.SHADOW_CREATED, Phase.DUAL_WRITING, "act"),
    _stage("backfill", "Fill", "Backfill the history", Phase.DUAL_WRITING, Phase.BACKFILLED),
    _stage("verify_parity", "Prove", "Verify parity", Phase.BACKFILLED, Phase.VERIFIED),
    _stage("validate_golden_set", "Prove", "Judge the golden set", Phase.VERIFIED, Phase.VALIDATED),
    *(
        Stage(
            f"cut_over_{percent}",
            "Switch",
            f"{percent}% of the queries",
            frozenset({Phase.VALIDATED, Phase.SERVING}),
            Phase.SERVING,
            "act",
            percent,
        )
        for percent in PERCENTS
    ),
    _stage("retire", "Finish", "Retire the old collection", Phase.SERVING, Phase.RETIRED, "act"),
)
BY_NAME = {stage.name: stage for stage in STAGES}
EXTRA = ("roll_back", "discard")
"""Stages off the forward road."""
