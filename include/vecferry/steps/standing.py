"""Whether an act has something to do, is done already, or must refuse: decided from the phase alone."""

from __future__ import annotations

from vecferry.domain.lifecycle import UNDONE, Migration, Phase, has_reached
from vecferry.domain.stages import BY_NAME
from vecferry.errors import BadInput, NeedsPerson, Paused


def has_work(stage: str, migration: Migration) -> bool:
    """``True``: act. ``False``: the phase is behind it, check that the effect holds. Raises when undone or too early."""
    refuse_if_undone(stage, migration)
    wanted = BY_NAME[stage]
    if wanted.gives is not None and has_reached(migration.phase, wanted.gives) and wanted.percent is None:
        return False
    if migration.phase is Phase.RETIRED or (wanted.percent is not None and migration.percent >= wanted.percent):
        return False
    if migration.phase not in wanted.needs:
        needed = " or ".join(sorted(wanted.needs))
        raise BadInput(
            f"{stage} comes after the phase {needed}; this migration is {migration.phase}",
            where=migration.id,
            next_action="Run the stages before it first; vecferry status shows where it stands.",
        )
    return True


def refuse_if_paused(migration: Migration) -> None:
    if migration.paused:
        raise Paused(
            f"the migration is paused: {migration.paused}",
            where=migration.id,
            next_action=f"Run: vecferry unpause {migration.pin}",
        )


def refuse_if_undone(stage: str, migration: Migration) -> None:
    if migration.phase in UNDONE:
        raise NeedsPerson(_undone(stage, migration), where=migration.id, next_action=_way_back(migration))


def _undone(stage: str, migration: Migration) -> str:
    return f"{stage} does nothing on a migration that is {migration.phase.replace('_', ' ')}"


def _way_back(migration: Migration) -> str:
    if migration.phase is Phase.ROLLED_BACK:
        return (
            f"Run: vecferry verify {migration.pin}, then vecferry reopen {migration.pin} --why …, then clear cut_over_5 "
            "(with downstream); or vecferry discard."
        )
    return "Start a new migration; it gets a new shadow collection."
