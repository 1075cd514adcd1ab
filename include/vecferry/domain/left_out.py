"""What a copy's vector lacks of its text, in the words of the stamp that says so."""

from __future__ import annotations

from collections.abc import Mapping

from vecferry.domain.objects import STAMP_SKIPPED, StoredObject
from vecferry.domain.shadow import TRUNCATED


def left_out_reason(copy: StoredObject) -> str | None:
    """``truncated``, ``too-long``, ``no-text``, ``refused`` …; ``None`` where the vector is of the whole text."""
    stamp = copy.stamp(STAMP_SKIPPED)
    return reason_of(stamp) if stamp else None


def reason_of(stamp: str) -> str:
    """Without the provider's own words, which differ from object to object."""
    return stamp.partition(":")[0]


def told(counts: Mapping[str, int]) -> str:
    """``3 truncated (the vector is of the text's beginning), 1 without a vector (no-text)``; empty for nothing."""
    cut = [f"{counts[TRUNCATED]:,} truncated (the vector is of the text's beginning)"] if counts.get(TRUNCATED) else []
    bare = [f"{count:,} without a vector ({reason})" for reason, count in sorted(counts.items()) if reason != TRUNCATED]
    return ", ".join(cut + bare)
