"""Which vector each copy gets: the one it has, a new one, or none with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vecferry.domain.objects import STAMP_SKIPPED, StoredObject, Vector
from vecferry.domain.shadow import NO_TEXT, REFUSED, TOO_LONG, TRUNCATED, ShadowSpec, vector_differences
from vecferry.errors import BadInput
from vecferry.ports import Embedder, Purpose, Refused


@dataclass
class Vectors:
    """Every wanted object is in ``found`` or in ``skipped`` (uuid → reason): f is total. ``truncated`` are those of ``found``
    whose vector is of the beginning of the text only."""

    found: dict[str, Vector] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    truncated: set[str] = field(default_factory=set)
    embedded: int = 0
    tokens: int = 0


def vectors_for(
    spec: ShadowSpec,
    embedder: Embedder,
    wanted: Sequence[StoredObject],
    shadow: Mapping[str, StoredObject],
    *,
    purpose: Purpose,
    timeout_s: float,
) -> Vectors:
    """Keeps a vector whose text and space still hold (rule 3); embeds each distinct text once."""
    result = Vectors()
    texts: dict[str, str] = {}
    for obj in wanted:
        kept = shadow.get(obj.uuid)
        vector = kept.vectors.get(spec.vector_name) if kept else None
        if kept is not None and vector is not None and not vector_differences(spec, obj, kept):
            result.found[obj.uuid] = vector
            if kept.stamp(STAMP_SKIPPED) == TRUNCATED:
                result.truncated.add(obj.uuid)
            continue
        text = spec.text_of(obj)
        reason = _reason_to_skip(spec, embedder, obj.uuid, text)
        sent = "" if reason else embedder.truncate(text or "")
        if not sent.strip():  # a limit so low that nothing is left of the text: no provider takes an empty one
            result.skipped[obj.uuid] = reason or TOO_LONG
            continue
        texts[obj.uuid] = sent
        if sent != text:
            result.truncated.add(obj.uuid)
    _embed(embedder, texts, result, purpose=purpose, timeout_s=timeout_s)
    return result


def _reason_to_skip(spec: ShadowSpec, embedder: Embedder, uuid: str, text: str | None) -> str | None:
    if text is None:
        return NO_TEXT
    if spec.overlong == "truncate" or embedder.fits(text):
        return None
    if spec.overlong == "skip":
        return TOO_LONG
    raise BadInput(
        f"object {uuid} has a text longer than {embedder.card.max_tokens} tokens",
        where=spec.live,
        next_action="Shorten it, or start the migration with the policy truncate or skip.",
    )


def _embed(embedder: Embedder, texts: Mapping[str, str], result: Vectors, *, purpose: Purpose, timeout_s: float) -> None:
    distinct = list(dict.fromkeys(texts.values()))
    if not distinct:
        return
    answer = embedder.embed_documents(distinct, purpose=purpose, timeout_s=timeout_s)
    by_text = dict(zip(distinct, answer.vectors, strict=True))
    result.embedded, result.tokens = len(distinct), answer.tokens
    for uuid, text in texts.items():
        vector = by_text[text]
        if isinstance(vector, Refused):
            result.skipped[uuid] = f"{REFUSED}: {vector.reason}"[:200]
            result.truncated.discard(uuid)
        else:
            result.found[uuid] = vector
