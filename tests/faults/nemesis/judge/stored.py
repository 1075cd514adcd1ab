"""What is stored at the end: lost, stale, resurrected, mixed, unindexed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tests.faults.nemesis.judge.outcome import Defect
from tests.faults.nemesis.judge.seed_folder import SeedFolder, lines_of
from vecferry.sandbox.checker.contents import defects, own
from vecferry.sandbox.checker.expectation import is_write, replay
from vecferry.sandbox.checker.vectors import not_found_by_index, of_another_space
from vecferry.sandbox.checker.weaviate_rest import JSON, WeaviateRest

_BEFORE_THE_FLIP_S = 5.0
"""Routing versions are seen by polling: a write so shortly before the flip's line may have come after it."""
_KINDS = ("lost", "stale", "resurrected", "mixed", "unindexed")


def of_the_authority(folder: SeedFolder, weaviate: WeaviateRest, objects: Sequence[JSON]) -> Iterator[Defect]:
    """The histories against the authority; its vectors against the provider; its objects against its index."""
    stored = by_uuid(objects)
    found = asdict(defects(replay(folder.corpus, folder.rows), stored))
    for kind, uuids in found.items():
        for uuid in uuids:
            yield Defect(kind, uuid, f"{folder.authority} holds {_shown(stored.get(uuid))}", lines_of(uuid, folder.rows))
    model = folder.model(folder.authority)
    for uuid in of_another_space(objects, folder.seed["recipe"], model):
        yield Defect("mixed", uuid, f"its vector in {folder.authority} is not {model.name}'s of its text", ())
    for uuid in _missing_twice(weaviate, folder.authority, objects):
        yield Defect("unindexed", uuid, f"stored in {folder.authority}, and not found by a search for it alone", ())


def left_behind(folder: SeedFolder, live: Sequence[JSON], shadow: Sequence[JSON]) -> Iterator[Defect]:
    """After the flip the old collection still stands as it was: what nobody wrote since must be the same in the new one.

    Finds what the histories alone cannot: a write of unknown outcome that readers saw, until the flip undid it.
    """
    flipped = _flipped_at(folder)
    if flipped is None:
        return
    old, new = by_uuid(live), by_uuid(shadow)
    for uuid in sorted((old.keys() | new.keys()) - _written_since(folder, flipped - _BEFORE_THE_FLIP_S)):
        here, there = old.get(uuid), new.get(uuid)
        if here is None or there is None:
            kind = "lost" if there is None else "resurrected"
        elif own(here) != own(there):
            kind = "stale"
        else:
            continue
        what = f"{folder.live} held {_shown(here)} at the flip, {folder.authority} holds {_shown(there)}"
        yield Defect(kind, uuid, what, lines_of(uuid, folder.rows))


def before_retire(folder: SeedFolder) -> Iterator[Defect]:
    """What the checker counted on both sides while writes rested, just before the flip; it names a few of each kind."""
    seen: Mapping[str, Any] = folder.before_retire or {}
    for name in (*_KINDS, "parity"):
        named = [*seen.get("examples", {}).get(name, ())]
        for number in range(int(seen.get(name, 0))):
            subject = named[number] if number < len(named) else f"{name} {number + 1}"
            yield Defect(
                "stale" if name == "parity" else name, subject, f"before the flip: {name}", lines_of(subject, folder.rows)
            )


def by_uuid(objects: Sequence[JSON]) -> dict[str, Mapping[str, Any]]:
    return {str(stored["id"]): stored["properties"] for stored in objects}


def _missing_twice(weaviate: WeaviateRest, collection: str, objects: Sequence[JSON]) -> list[str]:
    """Asked for in their hundreds, then each by itself beside its own vector: an approximate search may miss one once."""
    first = set(not_found_by_index(weaviate, collection, objects))
    alone = [[stored] for stored in objects if str(stored["id"]) in first]
    return [uuid for one in alone for uuid in not_found_by_index(weaviate, collection, one)]


def _flipped_at(folder: SeedFolder) -> float | None:
    """When the shadow was first seen to be the authority."""
    if folder.authority == folder.live:
        return None
    return next(float(row["at"]) for row in folder.phases if row.get("authority") == folder.authority)


def _written_since(folder: SeedFolder, since: float) -> set[str]:
    """Whose writes ended later, or began later; what never ended counts by its beginning."""
    uuid_of = {row["id"]: row["uuid"] for row in folder.rows if is_write(row)}
    late = [row for row in folder.rows if (row["answered"] if "outcome" in row else row["invoked"]) >= since]
    return {uuid_of[row["id"]] for row in late if row["id"] in uuid_of}


def _shown(properties: Mapping[str, Any] | None) -> str:
    if properties is None:
        return "nothing"
    text = str(own(properties))
    return text if len(text) <= 160 else f"{text[:150]} … ({len(text)} characters)"
