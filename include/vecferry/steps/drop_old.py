"""Deleting what ``retire`` kept: the old collection, after its date or at a person's word, and when nobody can hold it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from vecferry.domain.lifecycle import Migration
from vecferry.domain.routing import Lease
from vecferry.errors import BadInput, NeedsPerson, Retryable
from vecferry.ports import Event, Ports
from vecferry.steps import inbound_references
from vecferry.steps.old_collection import DROPPED, OldCollection, close, is_signed, old_collection


def act(
    ports: Ports, migration_id: str, *, who: str, why: str, now: bool = False, leave_references: bool = False
) -> dict[str, Any]:
    """Retire, step 6. May be run again after a crash at any point; what is dropped already stays so.

    ``now``: before its date, which takes a reason. ``leave_references``: although other collections' references name it.
    Refused as long as a router may still write to it or read from it, and where the server would bring it back at the next
    late write.
    """
    migration = ports.ledger.migration(migration_id)
    old = old_collection(ports, migration)
    if old.dropped is not None:
        return _summary(old, by=old.dropped)
    _refuse_without_a_person(migration, who, why)
    if not now:
        _refuse_before_its_date(ports, migration, old)
    stood, references = old.name in ports.store.collections(), list[str]()
    if stood:
        _refuse_while_it_is_needed(ports, migration, old)
        references = _refuse_while_references_name_it(ports, migration, old, leave_references)
        close(ports, migration)  # a restart of the server opened it; while we wait for others it is closed
        _refuse_while_a_router_may_hold_it(ports, migration, old)
        _refuse_if_a_write_would_bring_it_back(ports, old)
        ports.store.drop(old.name)
    return _summary(old, by=_recorded(ports, migration, old, who, why, stood=stood, references=references))


def _summary(old: OldCollection, *, by: Event) -> dict[str, Any]:
    return {"dropped": old.name, "at": by.at.isoformat(), "who": by.who, "why": by.why}


def _recorded(
    ports: Ports, migration: Migration, old: OldCollection, who: str, why: str, *, stood: bool, references: list[str]
) -> Event:
    """After the drop: a crash in between leaves a collection that is gone, and the next run says so here."""
    detail = {"collection": old.name, "kept_until": old.kept_until.isoformat(), "stood": stood, "references": references}
    event = Event(ports.ledger.now(), who, DROPPED, why, migration.pin, migration.id, detail)
    ports.ledger.record_event(event)
    return event


def _refuse_without_a_person(migration: Migration, who: str, why: str) -> None:
    if not (who and why):
        raise BadInput(
            "dropping the old collection needs a person and a reason",
            where=migration.id,
            next_action=f"vecferry drop-old {migration.pin} --why …",
        )


def _refuse_before_its_date(ports: Ports, migration: Migration, old: OldCollection) -> None:
    if ports.ledger.now() < old.kept_until:
        raise NeedsPerson(
            f"{old.name} is kept until {old.kept_until:%Y-%m-%d %H:%M} UTC",
            where=migration.id,
            next_action=f"Wait, or say that nobody needs it any more: vecferry drop-old {migration.pin} --now --why …",
        )


def _refuse_while_it_is_needed(ports: Ports, migration: Migration, old: OldCollection) -> None:
    """By a pin or an alias; or it is not what was retired, but came into being under the old name since."""
    pins = [pin.name for pin in ports.ledger.pins() if pin.collection == old.name]
    if pins:
        raise NeedsPerson(
            f"the pin {pins[0]} means {old.name}", where=migration.id, next_action="Pin another collection first."
        )
    aliases = [alias for alias, target in ports.store.aliases().items() if target == old.name]
    if aliases:
        raise NeedsPerson(
            f"the alias {', '.join(sorted(aliases))} points to {old.name}: whoever uses it still reads the old model's vectors",
            where=migration.id,
            next_action=f"Move its users to {migration.spec.shadow} and its model, then move or delete the alias.",
        )
    if not is_signed(ports, migration):
        raise NeedsPerson(
            f"{old.name} does not say that it moved to {migration.spec.shadow}: it may be another one of that name",
            where=migration.id,
            next_action="Look what it holds. An interrupted retire signs it when run again; else it is not ours.",
        )


def _refuse_while_references_name_it(ports: Ports, migration: Migration, old: OldCollection, leave: bool) -> list[str]:
    """Used or not: a query that asks for such a property is refused as a whole once its collection is gone."""
    found = [reference.told for reference in inbound_references.look(ports, old.name).references]
    if found and not leave:
        raise NeedsPerson(
            f"{', '.join(found)} name {old.name}: without it the server refuses the queries that ask for them",
            where=migration.id,
            next_action="Give these collections references to the new one and move their readers; or drop it all the same: "
            f"vecferry drop-old {migration.pin} --leave-references --why …",
        )
    return found


def _refuse_while_a_router_may_hold_it(ports: Ports, migration: Migration, old: OldCollection) -> None:
    """All routers on the version of the flip, or their leases over since Q: what they sent has landed, or never will.

    A person's word that a router is dead does not count here: it would cost its writes and reads if the person were wrong.
    """
    leases, now = ports.ledger.leases(migration.pin)
    quarantine = timedelta(seconds=ports.timings.quarantine_s)
    holding = [r for r in leases if r.acknowledged_version < old.flipped.version and now < r.expires_at + quarantine]
    if holding:
        latest = max(lease.expires_at for lease in holding) + quarantine
        raise Retryable(
            f"{len(holding)} routers may still write to {old.name} or read from it: {', '.join(map(_named, holding[:3]))}",
            where=migration.id,
            next_action="They let go as soon as they have taken up the new routing; those that are dead at "
            f"{latest:%H:%M:%S} UTC at the latest. Then run it again.",
        )


def _named(lease: Lease) -> str:
    return f"{lease.router_id} ({lease.where}) at version {lease.acknowledged_version}"


def _refuse_if_a_write_would_bring_it_back(ports: Ports, old: OldCollection) -> None:
    if ports.store.auto_schema(old.name):
        raise NeedsPerson(
            f"the server makes collections by itself, so a late write would bring {old.name} back, nearly empty",
            where=old.name,
            next_action="Set AUTOSCHEMA_ENABLED=false on every node of Weaviate, then run it again.",
        )
