"""What the server says of a collection: objects, shards, schema, stamps."""

from __future__ import annotations

from collections import Counter

from vecferry.domain.objects import STAMP_MODEL, STAMPS
from vecferry.domain.pins import Pin
from vecferry.domain.schema import refusals, server_side_model, stamp_properties
from vecferry.domain.shared_space import by_space
from vecferry.ports import Ports
from vecferry.steps.doctor.finding import Finding, Look, ok, problem
from vecferry.steps.sampling import count_all, tenants_of


def looks(ports: Ports, collection: str, pin: Pin | None) -> list[Look]:
    return [
        ("objects", lambda: _objects(ports, collection)),
        ("shards", lambda: shards(ports, collection)),
        ("schema", lambda: _schema(ports, collection)),
        ("reserved names", lambda: _reserved(ports, collection)),
        ("one space", lambda: _spaces(ports, collection, pin)),
        ("vectorizer", lambda: _vectorizer(ports, collection, pin)),
    ]


def _objects(ports: Ports, collection: str) -> Finding:
    count, tenants = count_all(ports.store, collection), len(ports.store.tenants(collection))
    what = f"{count:,} in {collection}" + (f", {tenants:,} tenants" if tenants else "")
    return ok(what) if count else problem(f"{collection} is empty", "There is nothing to migrate; fill it first.")


def shards(ports: Ports, collection: str) -> Finding:
    found, queue = ports.store.shards(collection), ports.store.index_queue(collection)
    read_only = sorted(name for name, status in found.items() if status == "READONLY")
    if read_only:
        return problem(f"{len(read_only)} read-only: {', '.join(read_only[:3])}", "Free disk space, then set them READY.")
    indexing = f", {queue:,} objects wait for the index" if queue else ""
    return ok(f"{len(found)} ({', '.join(sorted(set(found.values()))) or 'none'}){indexing}")


def _schema(ports: Ports, collection: str) -> Finding:
    found = [reason for reason in refusals(ports.store.schema(collection)) if "reserved" not in reason]
    if found:
        return problem("; ".join(found), "A plan would refuse the collection for this.")
    return ok("everything in it can be carried")


def _reserved(ports: Ports, collection: str) -> Finding:
    """Stamps of our own make are where a migration has been before; the names in another make are the user's."""
    schema = ports.store.schema(collection)
    taken = [reason for reason in refusals(schema) if "reserved" in reason]
    if taken:
        return problem("; ".join(taken), f"Rename them; vecferry stamps {', '.join(p['name'] for p in stamp_properties())}.")
    own = {p["name"] for p in schema.get("properties") or []} & set(STAMPS)
    return ok("stamps of an earlier migration" if own else "free")


def _spaces(ports: Ports, collection: str, pin: Pin | None) -> Finding:
    names = {p["name"] for p in ports.store.schema(collection).get("properties") or []}
    if STAMP_MODEL not in names:
        return ok("no stamps: the collection was never filled by vecferry")
    found: Counter[str] = Counter()
    for tenant in tenants_of(ports.store, collection):
        found.update(ports.store.stamp_counts(collection, STAMP_MODEL, tenant=tenant))
    bare = count_all(ports.store, collection) - sum(found.values())
    counts = ", ".join(f"{model}: {count:,}" for model, count in sorted(found.items()))
    expected = {pin.space.id: found[pin.space.id]} if pin is not None and found else {}
    if len(by_space({**found, **expected}, ports.catalogue)) > 1:
        return problem(f"stamped {counts}", "Search is mixing spaces; embed the odd ones again with the pin's model.")
    if bare > 0 and pin is not None and pin.stamped:
        return problem(f"stamped {counts}; {bare:,} without a stamp", "Something writes around the Router.")
    return ok(f"stamped {counts}" if counts else "no object is stamped")


def _vectorizer(ports: Ports, collection: str, pin: Pin | None) -> Finding | None:
    """The server lets its model be changed in place, and mixes two spaces from the next insert on."""
    if pin is None:
        return None
    model = server_side_model(ports.store.schema(collection), pin.vector_name)
    if model is None:
        return None  # vectors are brought by the clients
    if model != pin.space.model:
        return problem(
            f"the server vectorizes with {model}, the pin says {pin.space.model}",
            "It was changed in place: objects written since are of another space. Set it back, and embed those again.",
        )
    return ok(f"the server vectorizes with {model}, as pinned")
