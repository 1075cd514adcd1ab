"""The stages as people see them: name, chapter, title, and the phase that each one leads to."""

from __future__ import annotations

from dataclasses import dataclass

from vecferry.domain.lifecycle import MOVES, Phase
from vecferry.domain.request import PERCENTS


@dataclass(frozen=True)
class Stage:
    """``needs`` are the phases in which its act may do something; ``gives`` is the phase it leads to.

    ``moved_by`` says which part of the stage makes that move: ``act`` where the act itself is the routing change, ``check``
    where the phase says that something was proven. ``verb`` is the command of a stage that a person decides upon, by name and
    with a reason, and that stands off the forward road.
    """

    name: str
    chapter: str
    title: str
    needs: frozenset[Phase] = frozenset()
    gives: Phase | None = None
    moved_by: str = "check"
    percent: int | None = None
    verb: str = ""


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


def _back(name: str, title: str, gives: Phase, verb: str) -> Stage:
    needs = frozenset(start for start, end in MOVES if end is gives)
    return Stage(name, "Back", title, needs, gives, "act", verb=verb)


OFF_ROAD: tuple[Stage, ...] = (
    _back("roll_back", "Roll back", Phase.ROLLED_BACK, "rollback"),
    _back("discard", "Discard the shadow", Phase.DISCARDED, "discard"),
)
EVERY = {stage.name: stage for stage in (*STAGES, *OFF_ROAD)}
"""By name, in the order of the road, those off it last."""
