"""What vecferry writes into collections' descriptions: they outlive the ledger, a restart of Weaviate, and every process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vecferry.domain.routing import Routing, Seen

_MOVED = re.compile(r"\[vecferry (?P<migration>\S+): moved to (?P<collection>[^\]\s]+)\]")
_SHADOW = re.compile(r"\[vecferry (?P<migration>\S+): shadow of (?P<live>[^\]\s]+)\]")
_LEDGER = re.compile(r" ?\[vecferry (?P<migration>\S+): ledger at (?P<version>\d+) of (?P<at>[^\]\s]+)\]")


@dataclass(frozen=True)
class Moved:
    """``retire`` of a migration made ``collection`` the authority; what holds this note is the old one."""

    migration_id: str
    collection: str


@dataclass(frozen=True)
class ShadowOf:
    migration_id: str
    live: str


def moved(schema: Mapping[str, Any]) -> Moved | None:
    """Set by ``retire``. READONLY shards become writable again with a restart of the server; this stays. The newest note
    counts: a collection may have been taken up, and left, again."""
    found = list(_MOVED.finditer(_description(schema)))
    return Moved(found[-1]["migration"], found[-1]["collection"]) if found else None


def with_moved(schema: Mapping[str, Any], migration_id: str, collection: str) -> str:
    """The description with that note at its end."""
    return f"{_description(schema)} [vecferry {migration_id}: moved to {collection}]".strip()


def shadow_of(schema: Mapping[str, Any]) -> ShadowOf | None:
    """The newest note counts: a shadow's description begins with its live collection's, which was a shadow itself once."""
    found = list(_SHADOW.finditer(_description(schema)))
    return ShadowOf(found[-1]["migration"], found[-1]["live"]) if found else None


def ledger_seen(schema: Mapping[str, Any], migration_id: str) -> Seen | None:
    """How far the ledger was when a gate of this migration was last passed; ``None`` before the first one."""
    found = [note for note in _LEDGER.finditer(_description(schema)) if note["migration"] == migration_id]
    return Seen(int(found[-1]["version"]), datetime.fromisoformat(found[-1]["at"])) if found else None


def with_ledger_seen(schema: Mapping[str, Any], migration_id: str, routing: Routing) -> str:
    """The description with the note of this routing version, in the place of an older one."""
    kept = _LEDGER.sub("", _description(schema)).strip()
    at = routing.published_at.isoformat() if routing.published_at else ""
    return f"{kept} [vecferry {migration_id}: ledger at {routing.version} of {at}]"


def _description(schema: Mapping[str, Any]) -> str:
    return str(schema.get("description") or "")
