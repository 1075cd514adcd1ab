"""A ledger restored from yesterday's backup: it does not know what routers, and collections, remember of it.

Without this: rows are gone, so nobody knows which keys of the shadow are behind; a version is given a second time, and an
acknowledgement of the first counts for it; after a forgotten flip acknowledged writes go to the old collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from vecferry.domain.descriptions import ledger_seen, moved
from vecferry.domain.routing import Seen, Snapshot
from vecferry.errors import LedgerRestored, NotFound, VecferryError
from vecferry.ports import Event, Ledger, VectorStore

FOUND = "ledger_restored"
ACCEPTED = "restore_accepted"


def check(ledger: Ledger, store: VectorStore, snapshot: Snapshot) -> None:
    """Raises ``LedgerRestored`` where the pin's collections know more than the ledger, unless a person has accepted that."""
    pin = snapshot.pin
    gone = moved(_schema(store, pin.collection))
    if gone is not None and ledger.snapshot(pin.name).pin.collection == pin.collection:  # not a flip of this moment
        raise LedgerRestored(
            f"the ledger was restored from a backup: it serves {pin.collection}, whose data moved to {gone.collection} with "
            f"migration {gone.migration_id}",
            where=f"pin {pin.name}",
            next_action=f"Bring the right ledger back. If {pin.collection} is to count again: take the note out of its "
            "description and set its shards READY.",
        )
    migration = snapshot.migration
    noted = ledger_seen(_schema(store, migration.spec.shadow), migration.id) if migration else None
    if noted is None:
        return
    try:
        ledger.snapshot(pin.name, since=noted)
    except LedgerRestored:
        if not accepted_since(ledger, pin.name, noted):
            raise


def report(ledger: Ledger, pin: str, error: LedgerRestored, *, who: str) -> None:
    """Tells the ledger itself, where the steps and ``doctor`` look; once for each that found it."""
    with suppress(VecferryError):
        ledger.record_event(Event(ledger.now(), who, FOUND, error.what, pin))


def standing(ledger: Ledger, pin: str) -> Event | None:
    """The newest report that no person has answered yet."""
    found, word = _newest(ledger, pin, FOUND), accepted(ledger, pin)
    return None if found is None or (word is not None and word.at >= found.at) else found


def accepted(ledger: Ledger, pin: str) -> Event | None:
    """The newest word of a person that a restored ledger is to count."""
    return _newest(ledger, pin, ACCEPTED)


def _newest(ledger: Ledger, pin: str, what: str) -> Event | None:
    found = ledger.events(pin=pin, what=what, limit=1)
    return found[0] if found else None


def accepted_since(ledger: Ledger, pin: str, seen: Seen) -> bool:
    """Whether it was said about this restore: an earlier one's word is older than what was seen after it."""
    word = accepted(ledger, pin)
    return word is not None and (seen.published_at is None or word.at > seen.published_at)


def _schema(store: VectorStore, collection: str) -> Mapping[str, Any]:
    try:
        return store.schema(collection)
    except NotFound:
        return {}
