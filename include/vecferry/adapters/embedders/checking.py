"""Every answer is checked before anybody may use it: count, dimensions, finite, norm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vecferry.adapters.embedders.api import Answer, MaybeBilled
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import BadInput, NeedsPerson
from vecferry.ports import Refused

NORM_TOLERANCE = 0.01
ZERO = Refused("the model gives a vector of zeros for this text")

Vectors = tuple[tuple[float, ...] | Refused, ...]


def checked(card: ModelCard, answer: Answer, count: int, *, where: str) -> Vectors:
    """The answer's vectors, if they may be used; a vector of zeros is that one text's refusal (it cannot be searched).

    Raises ``MaybeBilled`` (retryable) for what a repeat may cure, ``BadInput`` for dimensions that the catalogue does not
    expect, ``NeedsPerson`` for vectors that are not normalised although the catalogue says so.
    """
    _check_count(answer.vectors, count, where)
    _check_dimensions(card, answer.vectors, where)
    matrix = np.asarray(answer.vectors, dtype=np.float64)
    _check_finite(matrix, where)
    norms = np.linalg.norm(matrix, axis=1)
    if card.normalised:
        _check_norms(norms[norms > 0], where)
    return tuple(tuple(map(float, v)) if norm > 0 else ZERO for v, norm in zip(answer.vectors, norms, strict=True))


def _check_count(vectors: Sequence[Sequence[float]], count: int, where: str) -> None:
    if len(vectors) != count:
        raise MaybeBilled(
            f"the answer has {len(vectors)} vectors for {count} texts, so none can be assigned",
            where=where,
            next_action="Try again; if it stays so, the server is at fault.",
        )


def _check_dimensions(card: ModelCard, vectors: Sequence[Sequence[float]], where: str) -> None:
    found = sorted({len(vector) for vector in vectors} - {card.dimensions})
    if found:
        raise BadInput(
            f"the catalogue says {card.dimensions} dimensions, the model answers with {', '.join(map(str, found))}",
            where=where,
            next_action=f"Set dimensions = {found[0]} for {card.provider}/{card.model} in the file that VECFERRY_MODELS names.",
        )


def _check_finite(matrix: np.ndarray, where: str) -> None:
    bad = int((~np.isfinite(matrix)).any(axis=1).sum())
    if bad:
        raise MaybeBilled(
            f"{bad} of {len(matrix)} vectors hold NaN or infinity",
            where=where,
            next_action="Try again; if it stays so, the model is broken.",
        )


def _check_norms(norms: np.ndarray, where: str) -> None:
    if not norms.size:
        return
    worst = float(norms[np.argmax(np.abs(norms - 1))])
    if abs(worst - 1) > NORM_TOLERANCE:
        raise NeedsPerson(
            f"the catalogue says that the model's vectors are normalised, and one has the norm {worst:.4g}",
            where=where,
            next_action="Decide whether this is the right model; if it is, set normalised = false in its catalogue entry.",
        )
