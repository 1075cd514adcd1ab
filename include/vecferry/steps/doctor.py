"""Look a collection over and change nothing: is it what its pin says, and is anything in the way?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from vecferry.domain.fingerprint import SAME_FROM, cosines
from vecferry.domain.lifecycle import Migration
from vecferry.domain.objects import STAMP_MODEL, STAMPS, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.schema import refusals, stamp_properties
from vecferry.errors import VecferryError
from vecferry.ports import Ports
from vecferry.steps import fingerprint
from vecferry.steps.pin import cosines_of
from vecferry.steps.sampling import count_all, spread_keys, tenants_of

SAMPLE = 50
_TIMEOUT_S = 60.0
Result = Literal["ok", "problem", "unknown"]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Finding:
    """``unknown`` is not fine: it could not be looked at, and ``what`` says why."""

    looked_at: str
    result: Result
    what: str
    next_action: str = ""


Look = tuple[str, Callable[[], Finding | None]]


def look_over(ports: Ports, pin: Pin, tell: Tell = lambda _: None) -> list[Finding]:
    """The pin's collection, its vectors against its model, the pin's routers, and the shadow if there is one."""
    migration = ports.ledger.active_migration(pin.name)
    looks: list[Look] = [
        *_of_collection(ports, pin.collection),
        ("one space", lambda: _spaces(ports, pin.collection, pin)),
        ("vectors", lambda: _vectors(ports, pin)),
        ("model", lambda: _model(ports, pin)),
        ("routers", lambda: _routers(ports, pin)),
        ("golden set", lambda: _golden(ports, pin)),
    ]
    if migration is not None:
        looks += [("journal", lambda: _journal(ports, migration)), ("shadow", lambda: _shadow(ports, migration))]
    return list(_all(looks, tell))


def look_at_collection(ports: Ports, collection: str, tell: Tell = lambda _: None) -> list[Finding]:
    """A collection that has no pin: what can be said without knowing its model."""
    looks = [
        *_of_collection(ports, collection),
        ("one space", lambda: _spaces(ports, collection, None)),
        ("lengths", lambda: _lengths(ports, collection)),
    ]
    return list(_all(looks, tell))


def _all(looks: Iterable[Look], tell: Tell) -> Iterable[Finding]:
    for name, look in looks:
        tell(name)
        try:
            finding = look()
        except VecferryError as error:
            finding = Finding(name, "unknown", f"could not be looked at: {error.what}", error.next_action)
        if finding is not None:
            yield Finding(name, finding.result, finding.what, finding.next_action)


def _ok(what: str) -> Finding:
    return Finding("", "ok", what)


def _problem(what: str, next_action: str = "") -> Finding:
    return Finding("", "problem", what, next_action)


# --- the collection


def _of_collection(ports: Ports, collection: str) -> list[Look]:
    return [
        ("objects", lambda: _objects(ports, collection)),
        ("shards", lambda: _shards(ports, collection)),
        ("schema", lambda: _schema(ports, collection)),
        ("reserved names", lambda: _reserved(ports, collection)),
    ]


def _objects(ports: Ports, collection: str) -> Finding:
    count, tenants = count_all(ports.store, collection), len(ports.store.tenants(collection))
    what = f"{count:,} in {collection}" + (f", {tenants:,} tenants" if tenants else "")
    return _ok(what) if count else _problem(f"{collection} is empty", "There is nothing to migrate; fill it first.")


def _shards(ports: Ports, collection: str) -> Finding:
    shards, queue = ports.store.shards(collection), ports.store.index_queue(collection)
    read_only = sorted(name for name, status in shards.items() if status == "READONLY")
    if read_only:
        return _problem(f"{len(read_only)} read-only: {', '.join(read_only[:3])}", "Free disk space, then set them READY.")
    indexing = f", {queue:,} objects wait for the index" if queue else ""
    return _ok(f"{len(shards)} ({', '.join(sorted(set(shards.values()))) or 'none'}){indexing}")


def _schema(ports: Ports, collection: str) -> Finding:
    found = [reason for reason in refusals(ports.store.schema(collection)) if "reserved" not in reason]
    if found:
        return _problem("; ".join(found), "A plan would refuse the collection for this.")
    return _ok("everything in it can be carried")


def _reserved(ports: Ports, collection: str) -> Finding:
    """Stamps of our own make are where a migration has been before; the names in another make are the user's."""
    schema = ports.store.schema(collection)
    taken = [reason for reason in refusals(schema) if "reserved" in reason]
    if taken:
        return _problem("; ".join(taken), f"Rename them; vecferry stamps {', '.join(p['name'] for p in stamp_properties())}.")
    own = {p["name"] for p in schema.get("properties") or []} & set(STAMPS)
    return _ok("stamps of an earlier migration" if own else "free")


def _spaces(ports: Ports, collection: str, pin: Pin | None) -> Finding:
    names = {p["name"] for p in ports.store.schema(collection).get("properties") or []}
    if STAMP_MODEL not in names:
        return _ok("no stamps: the collection was never filled by vecferry")
    found: Counter[str] = Counter()
    for tenant in tenants_of(ports.store, collection):
        found.update(ports.store.stamp_counts(collection, STAMP_MODEL, tenant=tenant))
    bare = count_all(ports.store, collection) - sum(found.values())
    counts = ", ".join(f"{model}: {count:,}" for model, count in sorted(found.items()))
    if len(found) > 1 or (pin is not None and set(found) - {pin.space.id}):
        return _problem(f"stamped {counts}", "Search is mixing spaces; embed the odd ones again with the pin's model.")
    if bare > 0 and pin is not None and pin.stamped:
        return _problem(f"stamped {counts}; {bare:,} without a stamp", "Something writes around the Router.")
    return _ok(f"stamped {counts}" if counts else "no object is stamped")


# --- the vectors


def _vectors(ports: Ports, pin: Pin) -> Finding:
    """The stored vectors of a sample against what the pin's model and recipe give now."""
    objects = _sample(ports, pin.collection)
    found = cosines_of(pin, ports.embedders.of(pin.space, pin=pin), objects)
    if not found:
        return Finding("", "unknown", "no object of the sample has both text and vector", "Is the pin's recipe right?")
    other = sum(cosine < SAME_FROM for cosine in found)
    what = f"{len(found)} embedded again: cosine {min(found):.4f} at worst"
    if other:
        return _problem(f"{what}, {other} below {SAME_FROM}", "They are of another model, recipe or text.")
    return _ok(what)


def _model(ports: Ports, pin: Pin) -> Finding | None:
    if not pin.fingerprint:
        return None  # after a retire there is none until the pin is saved again
    now = fingerprint.take(ports.embedders.of(pin.space, pin=pin), timeout_s=_TIMEOUT_S)
    worst = min(cosines(pin.fingerprint, now))
    if worst < SAME_FROM:
        return _problem(f"{pin.space.id} has changed since it was pinned: cosine {worst:.4f}", "Ask the provider what changed.")
    return _ok(f"{pin.space.id} answers as when it was pinned (cosine {worst:.4f})")


def _lengths(ports: Ports, collection: str) -> Finding:
    objects = _sample(ports, collection)
    found = Counter((name, len(vector)) for obj in objects for name, vector in obj.vectors.items())
    text = ", ".join(f"{name or '(unnamed)'}: {length} ({count})" for (name, length), count in sorted(found.items()))
    mixed = len({name for name, _ in found}) < len(found)
    return _problem(f"vectors of several lengths: {text}") if mixed else _ok(text or "no vectors in the sample")


def _sample(ports: Ports, collection: str) -> list[StoredObject]:
    keys = spread_keys(ports.store, collection, SAMPLE)
    found: list[StoredObject] = []
    for tenant in dict.fromkeys(tenant for tenant, _ in keys):
        found += ports.store.read(collection, [key for t, key in keys if t == tenant], tenant=tenant).values()
    return found


# --- who works on it


def _routers(ports: Ports, pin: Pin) -> Finding:
    leases, now = ports.ledger.leases(pin.name)
    alive = [lease for lease in leases if lease.expires_at > now]
    version = ports.ledger.snapshot(pin.name).routing.version
    behind = [lease.where for lease in alive if lease.acknowledged_version < version]
    if behind:
        return _problem(f"{len(behind)} of {len(alive)} not at routing version {version}: {behind[0]}", "Look at that process.")
    return _ok(f"{len(alive)} alive, all at routing version {version}" if alive else "none is running")


def _journal(ports: Ports, migration: Migration) -> Finding:
    rows = sum(ports.ledger.journal_counts(migration.id).values())
    oldest_s = ports.ledger.oldest_row_age_s(migration.id)
    if oldest_s > ports.timings.takeover_s + 2 * ports.timings.delta_s:
        return _problem(f"{rows:,} rows, the oldest {oldest_s:.0f} s old", f"Run: vecferry janitor {migration.pin}")
    return _ok(f"{rows:,} rows")


def _shadow(ports: Ports, migration: Migration) -> Finding | None:
    if migration.spec.shadow not in ports.store.collections():
        return None  # not created yet
    return _shards(ports, migration.spec.shadow)


def _golden(ports: Ports, pin: Pin) -> Finding:
    """Too few are no fault of the collection; a migration would stop at its verdict."""
    count, needed = len(ports.ledger.golden(pin.name)), ports.gates.min_golden_queries
    if count < needed:
        cure = f"Before a migration: vecferry golden import FILE --pin {pin.name}"
        return Finding("", "ok", f"{count} queries; a verdict needs {needed}", cure)
    return _ok(f"{count:,} queries")
