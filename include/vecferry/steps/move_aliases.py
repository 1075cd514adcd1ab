"""After the flip: the old collection's aliases lead to the new one, where that was asked for."""

from __future__ import annotations

from vecferry.domain.inbound import aliases_follow
from vecferry.domain.lifecycle import Migration
from vecferry.domain.server_text import vectorizer_of
from vecferry.ports import Ports
from vecferry.steps.readiness import recorded

MOVED = "aliases_moved"


def move_aliases(ports: Ports, migration: Migration) -> str:
    """All that lead to the old collection now, one by one; run again after a crash, those that are left. Says what came of it.

    Only while the pin means this migration's collection: one that has moved on takes its aliases along by itself.
    """
    spec = migration.spec
    left = _leading_to(ports, spec.live)
    if ports.ledger.pin(migration.pin).collection != spec.shadow:
        return f"{', '.join(left)} stay: the pin has moved on" if left else "none"
    if not _follow(ports, migration):
        return f"{', '.join(left)} stay: a person decides, since their users bring their own vectors" if left else "none"
    for alias in left:
        ports.store.set_alias(alias, spec.shadow)
    moved = _leading_to(ports, spec.shadow)
    _record_once(ports, migration, moved)
    return f"{', '.join(moved)} lead to {spec.shadow}" if moved else "none"


def _follow(ports: Ports, migration: Migration) -> bool:
    spec = migration.spec
    vectorizes = vectorizer_of(ports.store.schema(spec.shadow), spec.vector_name) is not None
    return aliases_follow(migration.options.get("aliases", "auto"), server_vectorizes=vectorizes)


def _leading_to(ports: Ports, collection: str) -> list[str]:
    return sorted(alias for alias, target in ports.store.aliases().items() if target == collection)


def _record_once(ports: Ports, migration: Migration, moved: list[str]) -> None:
    events = ports.ledger.events(migration_id=migration.id, what=MOVED)
    new = sorted(set(moved) - {alias for event in events for alias in event.detail["aliases"]})
    if new:
        recorded(ports, migration, MOVED, f"{', '.join(new)} lead to {migration.spec.shadow}", aliases=new)
