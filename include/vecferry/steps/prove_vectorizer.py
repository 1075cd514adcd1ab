"""Before a shadow keeps a server-side vectorizer: the server embeds nothing while it must not, and then what vecferry would.

On a scratch collection, made and dropped, so that neither live nor the shadow has anything of it in its history.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.fingerprint import SAME_FROM, cosines
from vecferry.domain.kept_vectorizer import NOTHING, KeptVectorizer
from vecferry.domain.objects import StoredObject, Vector
from vecferry.domain.pins import Pin
from vecferry.domain.schema import shadow_schema
from vecferry.domain.shadow import ShadowSpec
from vecferry.errors import BadInput, Conflict, NeedsPerson, NotWritten, Retryable, UnknownOutcome
from vecferry.ports import Ports, Purpose, Refused
from vecferry.steps.server_side import own_recipe

_SAMPLE = 3
_TIMEOUT_S = 60.0
_MARK = "made and dropped by vecferry to prove a vectorizer"
_PLAIN = "plan with --shadow-vectorizer plain"
_FAILURES = (BadInput, NotWritten, Retryable, UnknownOutcome)


@dataclass(frozen=True)
class _Sampled:
    """What the vectorizer embeds of an object, and the text that it makes of it."""

    properties: Mapping[str, Any]
    text: str


def prove(ports: Ports, pin: Pin, card: ModelCard, spec: ShadowSpec, sample: Sequence[StoredObject]) -> list[str]:
    """Returns what a person should know. Raises ``BadInput`` where the server would not do as vecferry does."""
    live = ports.store.schema(spec.live)
    trial = replace(spec, shadow=_scratch_name(spec))
    trial = replace(trial, recipe=own_recipe(live, trial))
    sampled = _sampled(ports, pin, card, trial, sample)
    _make(ports, live, trial)
    try:
        _refuse_unless_it_can_be_held(ports, trial, sampled[0])
        return _compared(ports, pin, card, trial, sampled)
    finally:
        ports.store.drop(trial.shadow)


def clear(ports: Ports, spec: ShadowSpec) -> None:
    """What a run that died has left, or what it had asked for and came into being later."""
    name = _scratch_name(spec)
    if name in ports.store.collections() and _is_ours(ports, name):
        ports.store.drop(name)


def _scratch_name(spec: ShadowSpec) -> str:
    return f"{spec.shadow}_proof"


def _is_ours(ports: Ports, name: str) -> bool:
    return _MARK in str(ports.store.schema(name).get("description"))


def _sampled(ports: Ports, pin: Pin, card: ModelCard, trial: ShadowSpec, sample: Sequence[StoredObject]) -> list[_Sampled]:
    """Of different texts, none too long: those are cut by everyone in his own way."""
    embedder, found = ports.embedders.of(card.space, pin=pin), dict[str, _Sampled]()
    for obj in sample:
        text = trial.text_of(obj)
        if text and embedder.fits(text) and len(found) < _SAMPLE:
            own = {name: obj.properties[name] for name in trial.recipe.properties if name in obj.properties}
            found.setdefault(text, _Sampled(own, text))
    if not found:
        raise _refused(trial, f"none of {len(sample)} sampled objects has a text to compare the server's vectors by")
    return list(found.values())


def _make(ports: Ports, live: Mapping[str, Any], trial: ShadowSpec) -> None:
    """What a run that died has left is taken away; whatever else has the name is not ours."""
    if trial.shadow in ports.store.collections():
        if not _is_ours(ports, trial.shadow):
            raise NeedsPerson(
                f"a collection {trial.shadow} exists and is no trial of vecferry's",
                where=trial.live,
                next_action="Rename or delete it if nobody needs it, then plan again.",
            )
        ports.store.drop(trial.shadow)
    try:
        ports.store.create(_scratch(live, trial))
    except Conflict as error:
        raise Retryable("another plan makes the same trial", where=trial.shadow, next_action="Try again.") from error
    except BadInput as error:
        raise _refused(trial, f"the server refuses the vectorizer: {error.what}") from error


def _scratch(live: Mapping[str, Any], trial: ShadowSpec) -> dict[str, Any]:
    """The vectorizer as the shadow will have it, over what it embeds; without tenants, references and other vectors."""
    schema = shadow_schema(live, trial, description=_MARK, vectorizing=True)
    for name in ("multiTenancyConfig", "shardingConfig", "objectTtlConfig"):
        schema.pop(name, None)
    schema["properties"] = [prop for prop in schema["properties"] if prop["name"] in trial.recipe.properties]
    if trial.vector_name:
        schema["vectorConfig"] = {trial.vector_name: schema["vectorConfig"][trial.vector_name]}
    return schema


def _refuse_unless_it_can_be_held(ports: Ports, trial: ShadowSpec, one: _Sampled) -> None:
    try:
        ports.store.set_vectorizer(trial.shadow, trial.vector_name, {"properties": [NOTHING]})
    except BadInput as error:
        raise _refused(trial, f"the server does not let the vectorizer be held until retire: {error.what}") from error
    obj = StoredObject(str(uuid.uuid4()), one.properties, {})
    try:
        ports.store.let_vectorize(trial.shadow, obj, timeout_s=_TIMEOUT_S)
    except _FAILURES as error:
        raise _refused(trial, f"a copy without a vector could not be written: {error.what}") from error
    if _vector(ports, trial, obj.uuid) is not None:
        raise _refused(trial, "the server embeds copies that are to have no vector, though it was told not to")
    try:
        ports.store.set_vectorizer(trial.shadow, trial.vector_name, {"properties": list(_kept(trial).properties)})
    except BadInput as error:
        raise _refused(trial, f"the server does not let the vectorizer be switched on again: {error.what}") from error


def _compared(ports: Ports, pin: Pin, card: ModelCard, trial: ShadowSpec, sampled: Sequence[_Sampled]) -> list[str]:
    texts = [one.text for one in sampled]
    answer = ports.embedders.of(card.space, pin=pin).embed_documents(texts, purpose=Purpose.JUDGE, timeout_s=_TIMEOUT_S)
    ours = [(one, vector) for one, vector in zip(sampled, answer.vectors, strict=True) if not isinstance(vector, Refused)]
    needed_key = False
    for one, vector in ours:
        obj = StoredObject(str(uuid.uuid4()), one.properties, {})
        needed_key |= _let(ports, card, trial, obj)
        _refuse_another(trial, card, _vector(ports, trial, obj.uuid), vector)
    return [_key_warning(trial)] if needed_key else []


def _let(ports: Ports, card: ModelCard, trial: ShadowSpec, obj: StoredObject) -> bool:
    """Whether the server needed a key from outside: it may have one of its own."""
    try:
        ports.store.let_vectorize(trial.shadow, obj, timeout_s=_TIMEOUT_S)
        return False
    except _FAILURES:
        pass
    try:
        ports.store.let_vectorize(trial.shadow, obj, key_of=card, timeout_s=_TIMEOUT_S)
        return True
    except _FAILURES as error:
        raise _refused(trial, f"the server cannot embed with {card.space.id}: {error.what}") from error


def _refuse_another(trial: ShadowSpec, card: ModelCard, found: Vector | None, wanted: Sequence[float]) -> None:
    if found is None:
        raise _refused(trial, f"the server gives no vector where vecferry gives one of {card.space.id}")
    if len(found) != len(wanted):
        raise _refused(trial, f"the server gives vectors of {len(found)} dimensions, {card.space.id} has {len(wanted)}")
    cosine = cosines([tuple(found)], [tuple(wanted)])[0]
    if cosine < SAME_FROM:
        raise _refused(trial, f"the server's own vector of a text is not that of {card.space.id}: cosine {cosine:.4f}")


def _vector(ports: Ports, trial: ShadowSpec, key: str) -> Vector | None:
    return ports.store.read(trial.shadow, [key])[key].vectors.get(trial.vector_name)


def _key_warning(trial: ShadowSpec) -> str:
    return (
        f"the server has no key of its own for {_kept(trial).module}: whoever lets it embed, or searches by text, must send "
        "one along, as vecferry did to prove it"
    )


def _kept(trial: ShadowSpec) -> KeptVectorizer:
    assert trial.vectorizer is not None
    return trial.vectorizer


def _refused(trial: ShadowSpec, what: str) -> BadInput:
    return BadInput(what, where=trial.live, next_action=f"Correct the server or the catalogue, or {_PLAIN}.")
