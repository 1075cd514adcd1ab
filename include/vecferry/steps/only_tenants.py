"""A migration on trial for some tenants: everything but the end of it (decision 0028)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NoReturn

from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.tenants import awake
from vecferry.errors import BadInput, Conflict, NeedsPerson
from vecferry.ports import Ports

_SHOWN = 10


def checked(ports: Ports, collection: str, wanted: Sequence[str]) -> list[str]:
    """What a plan says of a trial. Raises ``BadInput`` for a tenant that there is not, and for a list of all of them."""
    if not wanted:
        return []
    there = ports.store.tenants(collection)
    if missing := sorted(set(wanted) - there.keys()):
        known = f"Its tenants: {named(sorted(there))}." if there else "It has none: name none, and all of it moves."
        raise BadInput(f"there is no tenant {named(missing)}", where=collection, next_action=known)
    if not there.keys() - set(wanted):
        raise BadInput("these are all of its tenants", where=collection, next_action="Name none: then all of them move.")
    return [
        f"on trial for {len(wanted)} of {len(there)} tenants: the others are neither copied nor served by the shadow. It ends "
        "by rollback and discard; a plan for all then embeds these anew"
    ]


def refuse_without_objects(tenants: Mapping[str, str], collection: str) -> NoReturn:
    if not awake(tenants):
        raise BadInput(
            f"{named(sorted(tenants))}: all asleep, so that there is nothing to plan by",
            where=collection,
            next_action="Activate one of them for the plan; the stages wake the others as they read them.",
        )
    raise BadInput(f"{named(sorted(tenants))}: no objects", where=collection, next_action="Name tenants that have some.")


def refuse_other_than(active: Migration, wanted: Collection[str]) -> None:
    """A plan that is asked for again is the active one only if it is of the same tenants."""
    if set(active.only_tenants) != set(wanted):
        raise Conflict(
            f"migration {active.id} of {_whose(active.only_tenants)} is under way, and this one is of {_whose(wanted)}",
            where=active.pin,
            next_action=f"End it first: {way_out(active)}.",
        )


def why_not_retired(ports: Ports, migration_id: str) -> str:
    """Empty where nothing is in the way of ``retire``."""
    migration = ports.ledger.migration(migration_id)
    return f"{_on_trial(migration)}, and ends by {way_out(migration)}" if migration.only_tenants else ""


def refuse_to_retire(migration: Migration) -> None:
    if migration.only_tenants:
        raise NeedsPerson(
            f"{_on_trial(migration)}; authority moves for a pin, not for a tenant",
            where=migration.id,
            next_action=f"{way_out(migration)}; then plan for all.",
        )


def refuse_to_stand_in(migration: Migration) -> None:
    """For a live model that is gone: writes of the others would have no vector anywhere."""
    if migration.only_tenants:
        raise NeedsPerson(
            f"{_on_trial(migration)}; the shadow cannot answer for tenants that it does not have",
            where=migration.id,
            next_action="Those on trial are served by the shadow as they are: leave it so while you ask the provider for time.",
        )


def way_out(migration: Migration) -> str:
    """The commands that end a trial from where it stands."""
    discard = f"vecferry discard {migration.pin} --why …"
    return f"vecferry rollback {migration.pin} --why …, then {discard}" if migration.phase is Phase.SERVING else discard


def named(tenants: Sequence[str]) -> str:
    more = f" and {len(tenants) - _SHOWN:,} more" if len(tenants) > _SHOWN else ""
    return ", ".join(map(repr, tenants[:_SHOWN])) + more


def _whose(tenants: Collection[str]) -> str:
    return named(sorted(tenants)) if tenants else "all tenants"


def _on_trial(migration: Migration) -> str:
    return f"the migration is on trial for {named(sorted(migration.only_tenants))} alone"
