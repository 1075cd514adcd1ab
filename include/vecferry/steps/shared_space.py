"""A model that shares the pin's space needs no migration: the pin moves, once a sample of stored vectors has proven it."""

from __future__ import annotations

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.objects import StoredObject, Vector
from vecferry.domain.pins import Pin
from vecferry.domain.shared_space import SharedSpace, shared_space
from vecferry.errors import BadInput
from vecferry.ports import Embedder, Ports, Purpose, Refused
from vecferry.steps.reembedding import VectorOf
from vecferry.steps.sampling import spread_keys

_SAMPLE = 100
_TIMEOUT_S = 60.0


def other_model_of_the_space(pin: Pin, card: ModelCard) -> bool:
    """The catalogue says that the stored vectors are good for ``card``, too."""
    return pin.space != card.space and pin.space.same_as(card.space)


def warnings(pin: Pin, card: ModelCard) -> list[str]:
    if not other_model_of_the_space(pin, card):
        return []
    return [
        f"{pin.space.id} and {card.space.id} share one space (family {card.family}): nothing has to be embedded again, and the "
        "figures here are of what you need not spend; "
        f"vecferry pin {pin.name} --model {card.provider}/{card.model} moves the pin"
    ]


def refuse_to_migrate(pin: Pin, card: ModelCard) -> None:
    """Raises ``BadInput`` with the shorter road."""
    if other_model_of_the_space(pin, card):
        raise BadInput(
            f"{card.space.id} shares the space of {pin.space.id} (family {card.family}): there is nothing to migrate",
            where=pin.name,
            next_action=f"Run: vecferry pin {pin.name} --model {card.provider}/{card.model}. It proves it on a sample first.",
        )


def prove(ports: Ports, what: VectorOf, embedder: Embedder) -> SharedSpace:
    """A sample's texts by ``embedder``'s model against the vectors that are stored for them."""
    pairs = _sample(ports, what)
    if not pairs:
        return shared_space([], [])
    texts = [embedder.truncate(text) for text, _ in pairs]
    answer = embedder.embed_documents(texts, purpose=Purpose.JUDGE, timeout_s=_TIMEOUT_S)
    both = [(v, new) for (_, v), new in zip(pairs, answer.vectors, strict=True) if not isinstance(new, Refused)]
    return shared_space([stored for stored, _ in both], [fresh for _, fresh in both])


def refuse_unless_proven(ports: Ports, what: VectorOf, embedder: Embedder) -> None:
    found = prove(ports, what, embedder)
    if not found.proven:
        raise BadInput(
            f"the catalogue says that {embedder.card.space.id} shares the stored vectors' space, and a sample does not: "
            f"{found.told}",
            where=what.collection,
            next_action="Correct the family in the catalogue and migrate instead: vecferry plan shows the way.",
        )


def _sample(ports: Ports, what: VectorOf) -> list[tuple[str, Vector]]:
    keys = spread_keys(ports.store, what.collection, _SAMPLE)
    found: list[StoredObject] = []
    for tenant in {tenant for tenant, _ in keys}:
        found += ports.store.read(what.collection, [key for t, key in keys if t == tenant], tenant=tenant).values()
    known = [(what.recipe.text_of(obj.properties), obj.vectors.get(what.name)) for obj in found]
    return [(text, vector) for text, vector in known if text and vector]
