"""What is stored at the end: lost, stale, resurrected, mixed, unindexed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tests.faults.nemesis.judge.outcome import Defect
from tests.faults.nemesis.judge.seed_folder import AppHistory, SeedFolder, lines_of
from vecferry.sandbox.checker.contents import defects, own
from vecferry.sandbox.checker.expectation import replay
from vecferry.sandbox.checker.vectors import not_found_by_index, of_another_space
from vecferry.sandbox.checker.weaviate_rest import JSON, WeaviateRest

_BEFORE_THE_FLIP_S = 0.5
"""An answer so shortly before the flip may be to a write that came after it: clocks are read at different moments."""
_BEFORE_THE_FREEZE_S = 2.0
"""A write of which no answer is known may have been held since before the freeze was seen, and sent after the flip."""
_BEFORE_A_KILL_S = 2.0
"""Seen: 0.3, 0.4 and 0.7 s between an answer and the kill after which the object was not in the index."""
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
    lost_since = _lost_by_kills_after_the_flip(folder)
    for uuid in not_found_by_index(weaviate, folder.authority, objects):
        kind = "forgotten" if uuid in lost_since else "unindexed"
        yield Defect(kind, uuid, f"stored in {folder.authority}, and not found by a search for it alone", ())


def left_behind(folder: SeedFolder, live: Sequence[JSON], shadow: Sequence[JSON]) -> Iterator[Defect]:
    """After the flip the old collection still stands as it was: what nobody wrote since must be the same in the new one.

    Finds what the histories alone cannot: a write of unknown outcome that readers saw, until the flip undid it.
    """
    if folder.authority == folder.live:
        return
    old, new = by_uuid(live), by_uuid(shadow)
    for uuid in sorted((old.keys() | new.keys()) - _written_after_the_flip(folder)):
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


def _lost_by_kills_after_the_flip(folder: SeedFolder) -> set[str]:
    """What the index of a server that was killed after the flip forgets it would have forgotten without vecferry; what it
    forgot before, retire had to mend. Of these one knows that it was the kill: searches found them when all was counted, before
    ``retire`` or after it, and nobody wrote them since; or somebody wrote them just before the kill."""
    kills = [row for row in folder.injected if row["fault"] == "kill_weaviate" and row.get("witnessed")]
    kills = [row for row in kills if row["began"] > _flipped_at(folder) - _BEFORE_THE_FLIP_S]
    lost: set[str] = set()
    for seen in (folder.before_retire or {}, folder.after_retire or {}):
        counted_at = float(seen.get("at", "inf"))
        if any(kill["began"] > counted_at for kill in kills):
            written = {write["uuid"] for app in folder.apps for write in app.writes if write["invoked"] > counted_at}
            missing = seen.get("examples", {}).get("unindexed", ())
            lost |= set(seen.get("found", ())) - written - set(missing)
    for kill in kills:
        just_before = (kill["began"] - _BEFORE_A_KILL_S, kill["began"])
        lost |= {write["uuid"] for app in folder.apps for write in app.writes if _is_under_way(app, write, *just_before)}
    return lost


def _is_under_way(app: AppHistory, write: Mapping[str, Any], since: float, until: float) -> bool:
    """Begun or answered in that time."""
    answered = app.answers.get(write["id"], {}).get("answered", write["invoked"])
    return bool(write["invoked"] < until and answered > since)


def _flipped_at(folder: SeedFolder) -> float:
    """Never, where authority has not moved."""
    if folder.authority == folder.live:
        return float("inf")
    return next(float(row["at"]) for row in folder.phases if row.get("authority") == folder.authority)


def by_uuid(objects: Sequence[JSON]) -> dict[str, Mapping[str, Any]]:
    return {str(stored["id"]): stored["properties"] for stored in objects}


def _written_after_the_flip(folder: SeedFolder) -> set[str]:
    """Objects of writes that were answered after it, or never."""
    flipped = _flipped_at(folder)
    freezes = (float(row["at"]) for row in folder.routings if row.get("mode") == "freeze" and row["at"] < flipped)
    frozen = max(freezes, default=flipped)
    found = set()
    for app in folder.apps:
        for write in app.writes:
            answer = app.answers.get(write["id"])
            late = answer["answered"] >= flipped - _BEFORE_THE_FLIP_S if answer else False
            if late or (answer is None and write["invoked"] >= frozen - _BEFORE_THE_FREEZE_S):
                found.add(write["uuid"])
    return found


def _shown(properties: Mapping[str, Any] | None) -> str:
    if properties is None:
        return "nothing"
    text = str(own(properties))
    return text if len(text) <= 160 else f"{text[:150]} … ({len(text)} characters)"
