"""How small a share of foreign vectors a sample finds. A mix of a few percent is invisible in the quality of searches."""

from __future__ import annotations

import math

CONFIDENCE = 0.95


def found_from(sample: int) -> float:
    """The smallest share (0 … 1) of which a sample of this size holds at least one with 95% probability."""
    return 1.0 if sample <= 0 else 1 - (1 - CONFIDENCE) ** (1 / sample)


def sample_to_find(share: float) -> int:
    """How many to look at: 299 for a 1% mix, 2,995 for a 0.1% mix."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(1 - share))


USUAL_SAMPLE = sample_to_find(0.01)
"""What doctor and parity embed again where nobody says otherwise."""
