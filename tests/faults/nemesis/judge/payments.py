"""Texts that were paid for more often than they came to be: lost in flight, or confirmed and paid for again."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.faults.nemesis.judge.outcome import Defect
from tests.faults.nemesis.judge.seed_folder import SeedFolder
from vecferry.sandbox.checker.reading import Row
from vecferry.sandbox.checker.vectors import text_of

_PAGES_APART = 600
"""Objects in the order of their uuids: a backfill page is 250, and deletes may stretch it. A copier that embeds a page so
far on has confirmed the one in which it was before: two are in flight."""
_ONE_COPIER = 2_500
"""Objects up to which a backfill is one chunk; several copy at once, and none says how far another is."""
_BUSY_S = 30.0
"""An application's own write may embed an object beside the backfill, so long before and after."""
_SAMPLING = ("plan", "verify", "validate_golden_set", "doctor")
"""Stages that embed on purpose what was embedded before."""


@dataclass(frozen=True)
class Payments:
    """``re_embedded``: payments beyond one for each time that a text was to be stored: a fault, a crash or a race met the
    others in flight. ``double_paid``: texts whose copies were confirmed before they were paid for again."""

    re_embedded: int
    double_paid: tuple[Defect, ...]


def judge_payments(folder: SeedFolder) -> Payments:
    """By the provider's own list of what it embedded and billed with the new model. Each attempt fills a new collection,
    and pays for all of it."""
    wanted, copied, again, twice = _times_wanted(folder), _Copied(folder), 0, []
    bounds = _attempts(folder)
    for text, paid_at in _paid(folder, wanted.keys()).items():
        for times in _split(paid_at, bounds):
            spare = times[wanted[text] :]
            late = [at for at in spare if copied.confirmed(text, times[0], at)]
            again += len(spare) - len(late)
            twice += [
                Defect("double_paid", text[:80], f"paid at {times[0]:.2f}, confirmed, paid again at {at:.2f}") for at in late
            ]
    return Payments(again, tuple(twice))


class _Copied:
    """How far the backfill was at what time, told by what it embedded."""

    def __init__(self, folder: SeedFolder) -> None:
        recipe: Sequence[str] = folder.seed["recipe"]
        self._uuids = sorted(str(row["uuid"]) for row in folder.corpus)
        self._text_of = {str(row["uuid"]): text_of(row["properties"], recipe) for row in folder.corpus}
        counted = Counter(self._text_of.values())
        self._rank = {text: i for i, uuid in enumerate(self._uuids) if counted[text := self._text_of[uuid]] == 1}
        self._paid = _paid(folder, self._rank.keys())
        self._spans = [(row["began"], row["ended"]) for row in folder.stages if str(row["stage"]).startswith("backfill")]
        self._written: dict[str, list[float]] = defaultdict(list)
        for write in (row for app in folder.apps for row in app.writes):
            self._written[write["uuid"]].append(float(write["invoked"]))

    def confirmed(self, text: str, paid_at: float, by: float) -> bool:
        """Whether the copy of the object of this text, embedded at ``paid_at``, was confirmed before ``by``."""
        rank = self._rank.get(text)
        if rank is None or len(self._uuids) > _ONE_COPIER or self._busy(self._uuids[rank], paid_at, by):
            return False
        beyond = (self._text_of[uuid] for uuid in self._uuids[rank + _PAGES_APART :])
        later = (at for other in beyond for at in self._paid.get(other, ()) if paid_at < at < by)
        return any(self._in_backfill(at) for at in later) and self._in_backfill(paid_at) and self._in_backfill(by)

    def _in_backfill(self, at: float) -> bool:
        return any(start <= at <= end for start, end in self._spans)

    def _busy(self, uuid: str, start: float, end: float) -> bool:
        return any(start - _BUSY_S <= at <= end for at in self._written[uuid])


def _times_wanted(folder: SeedFolder) -> Counter[str]:
    """How often each text was to be stored: once for each object of the corpus, once for each write that brought it."""
    recipe: Sequence[str] = folder.seed["recipe"]
    contents = [row["properties"] for row in folder.corpus]
    contents += [write["content"] for app in folder.apps for write in app.writes if write.get("content")]
    return Counter(text for content in contents if (text := text_of(content, recipe)))


def _paid(folder: SeedFolder, texts: Iterable[str]) -> dict[str, list[float]]:
    """Text → when it was billed, oldest first; neither queries, nor what a stage samples, nor what others paid for."""
    model, key, known = folder.seed["models"]["new"]["name"], folder.seed["models"]["new"]["api_key"], set(texts)
    sampling = [(row["began"], row["ended"]) for row in folder.stages if str(row["stage"]).startswith(_SAMPLING)]
    found: dict[str, list[float]] = defaultdict(list)
    for row in folder.embeds:
        for_objects = row["model"] == model and row.get("input_type") != "search_query" and row.get("billed", True)
        ours = row.get("key", key) in (key, f"{key[:3]}…{key[-4:]}")  # the provider shows a part of each key
        if for_objects and ours and not any(start <= row["at"] <= end for start, end in sampling):
            for text in known.intersection(row.get("texts", ())):
                found[text].append(float(row["at"]))
    return found


def _attempts(folder: SeedFolder) -> list[float]:
    """When shadows were made, but the first."""
    before: list[Row | None] = [None, *folder.phases]
    made = [now for was, now in zip(before, folder.phases, strict=False) if _is_made(was, now)]
    return [float(row["at"]) for row in made][1:]


def _is_made(before: Row | None, row: Row) -> bool:
    return row.get("phase") == "shadow_created" and (before is None or before.get("phase") != "shadow_created")


def _split(times: Sequence[float], bounds: Sequence[float]) -> list[Sequence[float]]:
    cuts = [0, *(bisect_right(times, bound) for bound in bounds), len(times)]
    return [times[start:end] for start, end in pairwise(cuts) if start < end]
