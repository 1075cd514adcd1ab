"""What the judge says of one seed, as values and as the seed folder's ``outcome.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

FILE = "outcome.json"
MUST_BE_ZERO = (
    "lost",
    "stale",
    "resurrected",
    "mixed",
    "unindexed",
    "mixed_answers",
    "failed_queries",
    "wrong_share",
    "shadow_after_rollback",
    "double_paid",
    "unfinished",
)
"""Kinds of :class:`Defect`, each a count of the outcome too."""
SHOWN_OF_A_KIND = 20


@dataclass(frozen=True)
class Defect:
    """``what`` in words; ``lines`` are the places in the histories that show it (``app-0.jsonl:12``)."""

    kind: str
    subject: str
    what: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Injection:
    fault: str
    phase: str
    target: str
    witnessed: bool


@dataclass(frozen=True)
class SeedOutcome:
    """Counts of what must not be, longest times in seconds, and what the counts rest on.

    ``lost``, ``stale``, ``resurrected``, ``mixed``, ``unindexed``: objects. ``mixed_answers``: searches whose hits are not of
    the space that they were said to be of. ``failed_queries``: not excused by the control client. ``wrong_share``: arms not
    as asked. ``forgotten``: objects that searches found before ``retire``, until a kill of the server. ``unfinished``: the run
    did not come to its end, or did nothing that could be judged. ``re_embedded``: texts paid for again because a fault, a
    crash or a race met them in flight. ``worst_staleness_s`` is ``None`` where nothing could tell. ``took_s``: of the whole
    seed, its judge included.
    """

    seed: int
    ledger: str
    runner: str
    lost: int = 0
    stale: int = 0
    resurrected: int = 0
    mixed: int = 0
    unindexed: int = 0
    mixed_answers: int = 0
    failed_queries: int = 0
    wrong_share: int = 0
    shadow_after_rollback: int = 0
    double_paid: int = 0
    unfinished: int = 0
    forgotten: int = 0
    excused_queries: int = 0
    unjudged_answers: int = 0
    re_embedded: int = 0
    longest_read_pause_s: float = 0.0
    longest_write_hold_s: float = 0.0
    worst_staleness_s: float | None = None
    objects: int = 0
    queries: int = 0
    judged_answers: int = 0
    writes: int = 0
    began: float = 0.0
    ended: float = 0.0
    longest_stall_s: float = 0.0
    quarantine_s: float = 0.0
    weaviate: str = ""
    commit: str = ""
    took_s: float = 0.0
    injections: tuple[Injection, ...] = ()
    defects: tuple[Defect, ...] = ()

    @property
    def clean(self) -> bool:
        return not any(getattr(self, kind) for kind in MUST_BE_ZERO)

    def write(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_outcome(folder: Path) -> SeedOutcome:
    given: Mapping[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    known = {field.name for field in fields(SeedOutcome)}
    values = {name: value for name, value in given.items() if name in known}
    values["injections"] = tuple(Injection(**one) for one in given["injections"])
    values["defects"] = tuple(Defect(**{**one, "lines": tuple(one["lines"])}) for one in given["defects"])
    return SeedOutcome(**values)
