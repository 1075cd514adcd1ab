"""Who else knows the live collection by its name: references of other collections, by sample, and aliases."""

from __future__ import annotations

from vecferry.domain.inbound import Inbound, InboundReference, points_to, properties_to
from vecferry.domain.objects import StoredObject
from vecferry.errors import BadInput
from vecferry.ports import Ports
from vecferry.steps.sampling import count_all, spread_keys

_SAMPLE = 200


def look(ports: Ports, collection: str) -> Inbound:
    """A collection's references to itself are not inbound: the copy carries them."""
    found = [
        reference
        for name in ports.store.collections()
        if name != collection
        for reference in _references_of(ports, name, collection)
    ]
    aliases = sorted(alias for alias, target in ports.store.aliases().items() if target == collection)
    return Inbound(tuple(found), tuple(aliases))


def _references_of(ports: Ports, name: str, collection: str) -> list[InboundReference]:
    properties = properties_to(ports.store.schema(name), collection)
    if not properties:
        return []
    objects, sample = _sampled(ports, name)
    using = {prop: sum(points_to(obj.properties.get(prop), collection) for obj in sample) for prop in properties}
    return [InboundReference(name, prop, max(objects, len(sample)), len(sample), using[prop]) for prop in properties]


def _sampled(ports: Ports, name: str) -> tuple[int, list[StoredObject]]:
    """All objects, and some of them; none where a tenant is not active: the reference is listed all the same."""
    try:
        objects, keys = count_all(ports.store, name), spread_keys(ports.store, name, _SAMPLE)
        found: list[StoredObject] = []
        for tenant in {tenant for tenant, _ in keys}:
            found += ports.store.read(name, [key for t, key in keys if t == tenant], tenant=tenant).values()
        return objects, found
    except BadInput:
        return 0, []
