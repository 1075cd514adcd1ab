"""What a random sample of the texts says about all of them: how many are over the model's limit, and what becomes of those."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vecferry.domain.shadow import OverlongPolicy

_EXAMPLES = 5
_WHAT_HAPPENS: dict[OverlongPolicy, str] = {
    "truncate": "only their first {limit:,} tokens are embedded, and their copies say so (--too-long skip|fail otherwise)",
    "skip": "they get no vector, no vector search will find them, and their copies say so",
    "fail": "the migration cannot go on before they are shortened (--too-long truncate|skip otherwise)",
}


@dataclass(frozen=True)
class SampledText:
    """``tokens`` of the text by the recipe; ``None``: the object has none. ``not_text`` are the recipe's properties whose
    value is no text, and is left out."""

    uuid: str
    tokens: int | None
    fits: bool
    not_text: tuple[str, ...] = ()


def tokens_to_pay(sample: Sequence[SampledText], limit: int, policy: OverlongPolicy) -> list[int]:
    """Tokens that will be sent, text by text: of one that is too long its beginning, or nothing where it is skipped."""
    cut = 0 if policy == "skip" else limit
    return [text.tokens or 0 if text.fits else min(text.tokens or 0, cut) for text in sample]


def figures(sample: Sequence[SampledText], objects: int, limit: int, policy: OverlongPolicy) -> dict[str, Any]:
    """The plan's rows: counted in the sample, and for ``objects`` objects with the upper 95% bound (Wilson's)."""
    overlong = [text.uuid for text in sample if not text.fits]
    return {
        "overlong": len(overlong),
        "overlong_examples": overlong[:_EXAMPLES],
        "overlong_policy": policy,
        "overlong_estimate": round(objects * len(overlong) / len(sample)) if sample else 0,
        "overlong_estimate_high": min(objects, math.ceil(objects * _upper_bound(len(overlong), len(sample)))),
        "without_text": sum(text.tokens is None for text in sample),
        "not_text": sorted({name for text in sample for name in text.not_text}),
        "max_tokens": max((text.tokens or 0 for text in sample), default=0),
        "max_tokens_of_model": limit,
    }


def warnings(found: dict[str, Any], sampled: int) -> list[str]:
    """In plain words, before anything is written; empty where nothing needs to be said."""
    told = []
    if found["overlong"]:
        limit = found["max_tokens_of_model"]
        fate = _WHAT_HAPPENS[found["overlong_policy"]].format(limit=limit)
        about, most = found["overlong_estimate"], found["overlong_estimate_high"]
        told.append(
            f"{found['overlong']:,} of {sampled:,} sampled texts are longer than the {limit:,} tokens that the model takes: "
            f"about {about:,} of all, at most {most:,} (95%); {fate}; e.g. {', '.join(found['overlong_examples'][:2])}"
        )
    if found["not_text"]:
        told.append(f"{', '.join(found['not_text'])}: not text in some objects, and left out of what is embedded there")
    return told


def _upper_bound(count: int, n: int, z: float = 1.6449) -> float:
    """One-sided 95%, Wilson (JASA 22, 1927); 1.0 for no sample. A sample of 500 without one still leaves up to 0.5%."""
    if n == 0:
        return 1.0
    share = count / n
    middle = share + z * z / (2 * n)
    width = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return min(1.0, (middle + width) / (1 + z * z / n))
