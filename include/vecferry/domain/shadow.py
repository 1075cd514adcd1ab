"""f: what the shadow's object must be, given the live one. Total: every live object has a copy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from vecferry.domain.kept_vectorizer import KeptVectorizer
from vecferry.domain.objects import (
    HASH_VERSION,
    STAMP_AT,
    STAMP_CONTENT_HASH,
    STAMP_MODEL,
    STAMP_SKIPPED,
    STAMP_TEXT_HASH,
    STAMP_VERSION,
    STAMPS,
    UNNAMED,
    StoredObject,
    Vector,
    content_hash,
)
from vecferry.domain.recipe import TextRecipe, text_hash
from vecferry.domain.spaces import EmbeddingSpace

OverlongPolicy = Literal["truncate", "skip", "fail"]
ShadowVectorizer = Literal["plain", "keep"]

NO_TEXT = "no-text"
TOO_LONG = "too-long"
REFUSED = "refused"
TRUNCATED = "truncated"
"""The one reason that stands beside a vector: it is of the beginning of the text."""
MODEL_GONE = "live-model-gone"
"""On objects of a stamped live collection that were written after its model had ended."""


@dataclass(frozen=True)
class ShadowSpec:
    """What one migration derives: from ``live`` to ``shadow``, texts by ``recipe``, vectors in ``space``.

    ``vector_name`` is the vector that is migrated (``UNNAMED`` for a legacy collection), ``carried`` are the other named
    vectors, copied unchanged. ``max_tokens`` is the model's limit per text. ``vectorizer`` is the server's own in the shadow;
    ``None`` for plain vectors.
    """

    live: str
    shadow: str
    recipe: TextRecipe
    space: EmbeddingSpace
    vector_name: str = UNNAMED
    carried: tuple[str, ...] = ()
    overlong: OverlongPolicy = "truncate"
    max_tokens: int | None = None
    hash_version: int = HASH_VERSION
    vectorizer: KeptVectorizer | None = None

    def read_of(self, collection: str) -> tuple[str, ...] | None:
        """The vectors to read of one of the two: of live's only those that are carried, all of the shadow's (``None``)."""
        return self.carried if collection == self.live else None

    def text_of(self, live: StoredObject) -> str | None:
        return self.recipe.text_of(live.properties)


def shadow_object(
    spec: ShadowSpec,
    live: StoredObject,
    vector: Vector | None,
    *,
    skipped: str | None,
    at: datetime,
    truncated: bool = False,
) -> StoredObject:
    """The copy to write. Either ``vector`` is given or ``skipped`` says why the copy has none; ``truncated``: the vector is of
    the text's beginning."""
    if (vector is None) == (skipped is None):
        raise ValueError("a copy has a vector or a reason for having none, never both")
    properties = {k: v for k, v in live.properties.items() if k not in STAMPS}
    properties |= stamps(spec.space, spec.recipe, live, carried=spec.carried, at=at)
    vectors = {name: live.vectors[name] for name in spec.carried if name in live.vectors}
    if skipped is not None:
        properties[STAMP_SKIPPED] = skipped
    elif vector is not None:
        vectors[spec.vector_name] = vector
        properties |= {STAMP_SKIPPED: TRUNCATED} if truncated else {}
    return StoredObject(live.uuid, properties, vectors, live.tenant)


def stamps(
    space: EmbeddingSpace, recipe: TextRecipe, obj: StoredObject, *, carried: tuple[str, ...], at: datetime
) -> dict[str, str]:
    """What stands beside a vector of ``space``: model, version, time, and the hashes of text and content."""
    return {
        STAMP_MODEL: space.id,
        STAMP_VERSION: space.version,
        STAMP_AT: at.isoformat(timespec="microseconds"),
        STAMP_TEXT_HASH: text_hash(recipe.text_of(obj.properties)),
        STAMP_CONTENT_HASH: content_hash(obj, carried),
    }


def differences(spec: ShadowSpec, live: StoredObject | None, shadow: StoredObject | None, *, vectors: bool = True) -> list[str]:
    """Why the shadow's object is not f(live): empty when it is. Recomputed from content; the stamps alone prove nothing.

    Without ``vectors`` the migrated one need not be there, and is not judged. Live's own never is.
    """
    if live is None:
        return [] if shadow is None else ["orphan"]
    if shadow is None:
        return ["missing"]
    wanted = content_hash(live, spec.carried)
    found = []
    if content_hash(shadow, spec.carried) != wanted:
        found.append("content")
    if shadow.stamp(STAMP_CONTENT_HASH) != wanted:
        found.append("content stamp")
    return found + (vector_differences if vectors else _stamp_differences)(spec, live, shadow)


def vector_differences(spec: ShadowSpec, live: StoredObject, shadow: StoredObject) -> list[str]:
    """What is wrong with the migrated vector: space, text, length, or its absence without a reason."""
    found = _stamp_differences(spec, live, shadow)
    vector = shadow.vectors.get(spec.vector_name)
    if vector is None:
        if not shadow.stamp(STAMP_SKIPPED):
            found.append("no vector")
        elif shadow.stamp(STAMP_SKIPPED) == NO_TEXT and spec.text_of(live) is not None:
            found.append("text")
    elif len(vector) != spec.space.dimensions:
        found.append("dimensions")
    return found


def _stamp_differences(spec: ShadowSpec, live: StoredObject, shadow: StoredObject) -> list[str]:
    """Of what its stamps say: space and text."""
    found = []
    if (shadow.stamp(STAMP_MODEL), shadow.stamp(STAMP_VERSION) or "") != (spec.space.id, spec.space.version):
        found.append("space")
    if shadow.stamp(STAMP_TEXT_HASH) != text_hash(spec.text_of(live)):
        found.append("text")
    return found
