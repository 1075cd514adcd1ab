"""A write that cannot be, on a real Weaviate: named, and nothing of it is left halfway."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bad_writes import NAMED_BY_THE_STORE, NAMED_HERE, OF_NO_TENANT, TENANT, Writable, writable
from vecferry import Router
from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import NotFound
from vecferry.sandbox.weaviate_server import WeaviateServer


@pytest.fixture(scope="module")
def real_store(weaviate_server: WeaviateServer) -> Iterator[WeaviateStore]:
    store = WeaviateStore(weaviate_server.http_url, weaviate_server.grpc_address)
    yield store
    store.close()


def _writable(store: WeaviateStore, tenant: str | None) -> Iterator[Writable]:
    live = f"Bad{uuid.uuid4().hex[:8]}"
    yield writable(store, live, tenant=tenant)
    for collection in (live, f"{live}_v2"):
        store.drop(collection)


@pytest.fixture(scope="module")
def plain(real_store: WeaviateStore) -> Iterator[Writable]:
    yield from _writable(real_store, None)


@pytest.fixture(scope="module")
def tenanted(real_store: WeaviateStore) -> Iterator[Writable]:
    yield from _writable(real_store, TENANT)


@pytest.mark.parametrize("case", [*NAMED_HERE, *NAMED_BY_THE_STORE])
def test_what_cannot_be_is_named_and_leaves_nothing(plain: Writable, case: str) -> None:
    plain.refused(*(NAMED_HERE | NAMED_BY_THE_STORE)[case])


@pytest.mark.parametrize("case", OF_NO_TENANT)
def test_a_tenant_that_does_not_exist_leaves_nothing(tenanted: Writable, case: str) -> None:
    tenanted.refused(OF_NO_TENANT[case], 'tenant not found: "nobody"', tenant="nobody")


@pytest.mark.parametrize("case", OF_NO_TENANT)
def test_a_tenant_where_there_are_none_or_none_where_there_are(plain: Writable, tenanted: Writable, case: str) -> None:
    plain.refused(OF_NO_TENANT[case], "multi-tenancy disabled, but request was with tenant", tenant=TENANT)
    tenanted.refused(OF_NO_TENANT[case], "multi-tenancy enabled, but request was without tenant", tenant=None)


def test_the_router_writes_on_after_all_of_it(plain: Writable, tenanted: Writable) -> None:
    plain.still_writes()
    tenanted.still_writes()


def test_a_router_for_an_unknown_pin_names_those_that_exist(weaviate_server: WeaviateServer, tmp_path: Path) -> None:
    ledger_url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger = open_ledger(ledger_url)
    ledger.save_pin(Pin("Docs", "Docs", EmbeddingSpace("openai", "m", 8), TextRecipe(("body",))), who="test", why="test")
    where = {"weaviate_url": weaviate_server.http_url, "weaviate_grpc": weaviate_server.grpc_address}
    with pytest.raises(NotFound, match=r"there is no pin 'Dosc'. Pins that exist: Docs. `vecferry pin` makes one"):
        Router.connect("Dosc", ledger_url=ledger_url, **where)
    with pytest.raises(NotFound, match=r"Docs: no such collection. Collections that exist"):
        Router.connect("Docs", ledger_url=ledger_url, **where)
    assert ledger.leases("Docs")[0] == ledger.leases("Dosc")[0] == []
    ledger.close()
