"""What stands in the way of a migration, or will surprise somebody, is said by ``vecferry plan`` before anything is written."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.cli_world import OLD, Said, World, document
from vecferry.adapters.memory.embedder import vector_of
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.objects import STAMP_MODEL, UNNAMED, StoredObject
from vecferry.sandbox.weaviate_server import WeaviateServer

pytestmark = pytest.mark.timeout(240)
TIMEOUT_S = 30.0


class OnWeaviate(World):
    """The commands' world, with its collection on a server; ``before`` is what there was to be found when planning began."""

    def __init__(self, store: WeaviateStore) -> None:
        super().__init__(objects=0)
        self.store = store  # type: ignore[assignment]
        self.ports = replace(self.ports, store=store)
        self.fill(40)

    def planned(self, *, to: str = "sandbox-char-2") -> Said:
        self.pinned()
        before = self._everything()
        said = self.run("plan", "Docs", "--to", to, "--soak-minutes", "0", "--start")
        if said.code:
            assert self._everything() == before
            assert self.ledger.migrations("Docs") == []
        else:
            assert {name for name in self._everything() if name != "Docs"} == set(before) - {"Docs"}, "no shadow yet"
        return said

    def _everything(self) -> dict[str, Any]:
        return {name: (self.store.schema(name), self.store.count(name)) for name in self.store.collections()}


@pytest.fixture
def world(weaviate_server: WeaviateServer) -> Iterator[OnWeaviate]:
    store = WeaviateStore(weaviate_server.http_url, weaviate_server.grpc_address)
    made = OnWeaviate(store)
    yield made
    for name in ("Notes", "Docs"):
        store.drop(name)
    store.close()


def skewed(world: OnWeaviate) -> None:
    """As ids of version 1 are that one host has made within minutes."""
    start = 0x6BA7B810_9DAD_11D1_80B4_00C04FD430C8
    many = [replace(document(number), uuid=str(uuid.UUID(int=start + number * 2**96 // 6_000))) for number in range(6_000)]
    for page in range(0, len(many), 1_000):
        world.store.put_batch("Docs", many[page : page + 1_000], timeout_s=TIMEOUT_S)


def too_long(world: OnWeaviate) -> None:
    """For what the new model takes."""
    for number in range(4):
        obj = replace(document(number), properties={"title": f"long {number}", "body": "word " * 9_000})
        world.store.put("Docs", replace(obj, vectors={UNNAMED: vector_of(OLD.space, _text(obj))}), timeout_s=TIMEOUT_S)


def mixed(world: OnWeaviate) -> None:
    """Somebody wrote the objects of a second model into it, with the stamps that say so."""
    world.store.add_property("Docs", {"name": STAMP_MODEL, "dataType": ["text"], "tokenization": "field"})
    for number in range(30):
        obj, model = document(number), "sandbox/sandbox-word-1@16" if number % 3 else "sandbox/another@16"
        world.store.put("Docs", replace(obj, properties={**obj.properties, STAMP_MODEL: model}), timeout_s=TIMEOUT_S)


def referred_to(world: OnWeaviate) -> None:
    world.store.create({"class": "Notes", "vectorizer": "none", "properties": [{"name": "about", "dataType": ["Docs"]}]})


def as_it_is(world: OnWeaviate) -> None:
    pass


@pytest.mark.parametrize(
    ("made", "code", "words"),
    [
        (skewed, 0, ("the ids are skewed", "times its share")),
        (too_long, 0, ("of 40 sampled texts are longer than the 8,192 tokens that the model takes",)),
        (mixed, 2, ("live holds 2 spaces", "sandbox/another@16: 10", "search is mixing them already")),
        (referred_to, 2, ("Notes.about", "move these references yourself and give --inbound-references leave")),
    ],
    ids=["skewed ids", "over-long texts", "mixed spaces", "inbound references"],
)
def test_it_is_said_plainly_before_anything_is_written(
    world: OnWeaviate, made: Callable[[OnWeaviate], None], code: int, words: tuple[str, ...]
) -> None:
    made(world)
    said = world.planned()
    told = " ".join((said.out + said.err).replace("│", " ").split())
    assert said.code == code, told
    for word in words:
        assert word in told


def test_a_model_that_is_unknown_is_refused_with_the_near_ones_and_the_way_to_add_it(world: OnWeaviate) -> None:
    said = world.planned(to="sandbox-char-3")
    told = " ".join((said.out + said.err).split())
    assert said.code != 0
    assert "model 'sandbox-char-3' is not in the catalogue" in told
    assert "sandbox-char-2" in told
    assert "VECFERRY_MODELS" in told


def test_of_an_ordinary_collection_nothing_of_it_is_said(world: OnWeaviate) -> None:
    said = world.planned()
    assert said.code == 0
    for word in ("skewed", "longer than", "spaces (", "Notes"):
        assert word not in said.out + said.err
    stored = world.store.read("Docs", [document(0).uuid])[document(0).uuid]
    assert stored == replace(document(0), vectors=stored.vectors)
    assert list(stored.vectors[UNNAMED]) == pytest.approx(list(vector_of(OLD.space, _text(stored))), abs=1e-6)


def _text(obj: StoredObject) -> str:
    return "{title}\n{body}".format(**obj.properties)
