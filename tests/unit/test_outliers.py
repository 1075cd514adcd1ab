"""Which vectors point furthest off the others, found page by page."""

from __future__ import annotations

import numpy as np
import pytest

from vecferry.domain.packed_vector import PackedVector
from vecferry.steps.outliers import MOST, Outliers


def drawn(number: int, *, off: int = 0) -> dict[tuple[str | None, str], PackedVector]:
    """``number`` vectors around one direction, the last ``off`` of them anywhere."""
    dice = np.random.default_rng(1)
    usual = np.ones(16) + dice.normal(0, 0.3, (number - off, 16))
    rows = np.concatenate([usual, dice.normal(0, 1, (off, 16))]) * dice.uniform(0.1, 9, (number, 1))
    return {(None, f"{row:04}"): PackedVector.of(vector.astype(np.float32)) for row, vector in enumerate(rows)}


@pytest.mark.parametrize("page", [1, 7, 250, 1_000])
def test_the_furthest_are_the_same_whatever_the_pages(page: int) -> None:
    vectors, off = drawn(1_000, off=20), Outliers()
    keys = list(vectors)
    for start in range(0, len(keys), page):
        off.add({key: vectors[key] for key in keys[start : start + page]})
    units = {key: np.array(v) / np.linalg.norm(np.array(v)) for key, v in vectors.items()}
    centre = np.mean([units[key] for key in keys[:300]], axis=0)
    expected = sorted(keys, key=lambda key: float(units[key] @ centre))[:MOST]
    assert off.keys()[:20] == expected[:20]
    assert set(off.keys()) == set(expected)


def test_few_vectors_are_all_kept() -> None:
    off = Outliers()
    off.add(drawn(5))
    assert len(off.keys()) == 5


def test_what_has_no_direction_or_another_length_is_left_out() -> None:
    off = Outliers()
    off.add(drawn(300))
    off.add({(None, "zero"): [0.0] * 16, (None, "nan"): [float("nan")] * 16, (None, "short"): [1.0, 2.0]})
    off.add({(None, "far"): [-1.0] * 16, ("t", "tenant"): [-1.0] * 15 + [-0.9]})
    furthest = off.keys()
    assert furthest[:2] == [(None, "far"), ("t", "tenant")]
    assert not {"zero", "nan", "short"} & {key for _, key in furthest}
