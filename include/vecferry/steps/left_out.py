"""How many objects' vectors lack something of their text, or are missing, by the stamps that say why."""

from __future__ import annotations

from collections import Counter

from vecferry.domain.left_out import reason_of
from vecferry.domain.objects import STAMP_SKIPPED
from vecferry.ports import Ports
from vecferry.steps.sampling import tenants_of


def left_out(ports: Ports, collection: str) -> dict[str, int]:
    """Reason (``truncated``, ``too-long``, ``no-text``, ``refused`` …) → objects; empty where there are no such stamps."""
    names = {prop["name"] for prop in ports.store.schema(collection).get("properties") or []}
    found: Counter[str] = Counter()
    if STAMP_SKIPPED in names:
        for tenant in tenants_of(ports.store, collection):
            for stamp, count in ports.store.stamp_counts(collection, STAMP_SKIPPED, tenant=tenant).items():
                found[reason_of(stamp)] += count
    found.pop("", None)  # a merge cannot take a property away: it empties it
    return dict(found)
