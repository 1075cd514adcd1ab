"""A shadow that keeps the server's own vectorizer, on a real server with keys of its own, which could embed behind our back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.test_vectorizer_real import HEADERS, MODULES, OBJECTS
from tests.support.fake_provider import FakeProvider, Reply
from tests.support.memory_world import NoFeed
from vecferry.bootstrap import close_ports, connect_ports
from vecferry.domain.kept_vectorizer import NOTHING
from vecferry.domain.lifecycle import FORWARD, Migration, Phase
from vecferry.domain.objects import STAMP_SKIPPED
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.request import MigrationRequest
from vecferry.domain.routing import Mode
from vecferry.domain.schema import schema_differences
from vecferry.domain.server_text import settings_of
from vecferry.errors import BadInput
from vecferry.ports import Ports, Purpose
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.settings import Settings
from vecferry.steps import pin as pin_step
from vecferry.steps import retire, server_side, stage_runner, verify_parity

pytestmark = pytest.mark.timeout(600)
THE_SERVERS = "the-servers-own-key"
KEYS = {"OPENAI_APIKEY": THE_SERVERS, "COHERE_APIKEY": THE_SERVERS}
_MODEL = """
[[model]]
provider = "{name}"
model = "{model}"
api = "{name}"
base_url = "{url}"
dimensions = 32
max_tokens = 8192
inputs_per_request = 96
source = "a test"
"""


class TwoKeys(FakeProvider):
    """Knows who asks: the server by its own key, vecferry by the other."""

    def __init__(self) -> None:
        super().__init__()
        self.models |= {"large": {}}
        self.of_the_server: list[dict[str, Any]] = []
        self.servers_key = f"Bearer {THE_SERVERS}"

    def answer(self, path: str, key: str, body: dict[str, Any] | None) -> Reply:
        if key == self.servers_key:
            self.of_the_server.append(body or {})
            key = f"Bearer {self.key}"
        return super().answer(path, key, body)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WeaviateServer]:
    with WeaviateServer(tmp_path_factory.mktemp("kept") / "data", env=KEYS) as started:
        yield started


@pytest.fixture
def provider() -> Iterator[TwoKeys]:
    with TwoKeys() as started:
        yield started


@pytest.fixture
def ports(server: WeaviateServer, provider: TwoKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ports]:
    environment = provider.environment()
    urls = {"openai": environment["OPENAI_BASE_URL"], "cohere": environment["CO_API_URL"]}
    cards = [_MODEL.format(name=name, model=model, url=url) for name, url in urls.items() for model in ("small", "large")]
    (tmp_path / "models.toml").write_text("".join(cards))
    environment |= {
        "VECFERRY_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.db'}",
        "VECFERRY_WEAVIATE_URL": server.http_url,
        "VECFERRY_WEAVIATE_GRPC": server.grpc_address,
        "VECFERRY_MODELS": str(tmp_path / "models.toml"),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    connected = connect_ports(Settings())
    before = set(connected.store.collections())
    yield replace(connected, notice_feed=NoFeed())
    for name in set(connected.store.collections()) - before:
        connected.store.drop(name)
    close_ports(connected)


def a_key(number: int) -> str:
    return str(uuid.UUID(int=number * 2**124))


def client(server: WeaviateServer) -> httpx.Client:
    return httpx.Client(base_url=server.http_url, timeout=30, trust_env=False)


def live_of(server: WeaviateServer, ports: Ports, provider: TwoKeys, of: str, vector: str) -> Pin:
    """Written one by one, without vectors: the server asks the provider."""
    name, module = f"NewsItem{uuid.uuid4().hex[:6]}", MODULES[of]
    base = f"{provider.url}/openai" if of == "openai" else f"{provider.url}/cohere"
    settings = {"baseURL": base, "model": "small"}
    properties = [{"name": prop, "dataType": ["text"]} for prop in ("title", "bodyText")]
    properties += [{"name": "tags", "dataType": ["text[]"]}, {"name": "views", "dataType": ["int"]}]
    properties += [{"name": "secret", "dataType": ["text"], "moduleConfig": {module: {"skip": True}}}]
    kind: dict[str, Any] = {"vectorizer": module, "moduleConfig": {module: settings}}
    if vector:
        config = {"vectorizer": {module: settings}, "vectorIndexType": "hnsw", "vectorIndexConfig": {"distance": "cosine"}}
        kind = {"vectorConfig": {vector: config}}
    ports.store.create({"class": name, "properties": properties} | kind)
    with client(server) as http:
        for number, given in enumerate(OBJECTS):
            http.post("/v1/objects", json={"class": name, "id": a_key(number), "properties": given}).raise_for_status()
    pin_step.act(ports, Pin(name, name, ports.catalogue.card(f"{of}/small").space, TextRecipe(())), who="tess", why="test")
    return ports.ledger.pin(name)


def walk(ports: Ports, migration_id: str, to: Phase) -> Migration:
    migration = ports.ledger.migration(migration_id)
    while migration.phase is not to:
        phase = FORWARD[FORWARD.index(migration.phase) + 1]
        routing = {Phase.DUAL_WRITING: (Mode.DUAL, 0), Phase.SERVING: (Mode.DUAL, 100)}.get(phase)
        migration = ports.ledger.move(migration, phase, who="tess", why="test", routing=routing)
    return migration


def copied(ports: Ports, pin: Pin, to: str) -> Migration:
    """By the stages up to parity, in the phase before retire."""
    request = MigrationRequest(pin.name, f"{to}/large", soak_minutes=0, who="tess", shadow_vectorizer="keep")
    migration_id = stage_runner.act("plan", ports, request)["migration_id"]
    stage_runner.act("create_shadow", ports, migration_id)
    walk(ports, migration_id, Phase.SHADOW_CREATED)
    stage_runner.act("enable_dual_write", ports, migration_id)
    walk(ports, migration_id, Phase.DUAL_WRITING)
    stage_runner.act("backfill", ports, migration_id)
    walk(ports, migration_id, Phase.BACKFILLED)
    verify_parity.act(ports, migration_id)
    return walk(ports, migration_id, Phase.SERVING)


def near_text(server: WeaviateServer, collection: str, vector: str, text: str) -> str:
    """The first hit's title, by an application that knows neither vectors nor models."""
    targets = f', targetVectors: ["{vector}"]' if vector else ""
    query = f'{{Get{{{collection}(limit: 1, nearText: {{concepts: ["{text}"]{targets}}}){{title}}}}}}'
    with client(server) as http:
        answer = http.post("/v1/graphql", json={"query": query}).raise_for_status().json()
    return str(answer["data"]["Get"][collection][0]["title"])


@pytest.mark.parametrize(
    ("of", "to", "vector"),
    [("openai", "openai", ""), ("openai", "cohere", "text"), ("cohere", "openai", ""), ("cohere", "cohere", "text")],
)
def test_the_shadow_keeps_the_vectorizer_and_the_server_embeds_nothing_before_retire(
    server: WeaviateServer, ports: Ports, provider: TwoKeys, of: str, to: str, vector: str
) -> None:
    pin = live_of(server, ports, provider, of, vector)
    ports.store.set_alias(alias := f"Alias{uuid.uuid4().hex[:6]}", pin.collection)
    refused = "copper signal orchard 5 Title 5"
    provider.refused.add(refused)  # live's text has the collection's name before it, and so the shadow alone is concerned
    asked = len(provider.of_the_server)
    migration = copied(ports, pin, to)
    spec = migration.spec
    for_the_proof = [body["model"] for body in provider.of_the_server[asked:]]
    assert for_the_proof == ["large"] * len(for_the_proof)
    assert 1 <= len(for_the_proof) <= 3, "the trial's own objects, and none of the shadow"

    module, held = settings_of(ports.store.schema(spec.shadow), vector)
    assert (module, held["model"], held["properties"]) == (MODULES[to], "large", [NOTHING])
    schemas = ports.store.schema(pin.collection), ports.store.schema(spec.shadow)
    assert [row for row in schema_differences(*schemas, spec) if not row["allowed"]] == []
    copies = ports.store.read(spec.shadow, [a_key(n) for n in range(len(OBJECTS))])
    without = {key for key, copy in copies.items() if vector not in copy.vectors}
    assert without == {key for key, copy in copies.items() if copy.stamp(STAMP_SKIPPED)} == {a_key(4 + 5)}
    embedder = ports.embedders.of(spec.space, pin=pin)
    texts = {key: str(spec.text_of(copy)) for key, copy in copies.items() if key not in without}
    ours = embedder.embed_documents(list(texts.values()), purpose=Purpose.JUDGE, timeout_s=30)
    for key, wanted in zip(texts, ours.vectors, strict=True):
        assert list(copies[key].vectors[vector]) == pytest.approx(list(wanted), abs=1e-6)

    asked = len(provider.of_the_server)
    said = retire.act(ports, migration.id)
    assert said["vectorizer"] == f"{MODULES[to]} embeds with large"
    assert said["aliases"] == f"{alias} lead to {spec.shadow}"
    assert len(provider.of_the_server) == asked, "switching it on embeds nothing that is there"
    assert near_text(server, alias, vector, "copper signal orchard 3 Title 3") == "Title 3"
    native = {"class": alias, "id": a_key(15), "properties": {"title": "Written natively", "secret": "not embedded"}}
    with client(server) as http:
        http.post("/v1/objects", json=native).raise_for_status()
    assert [body["model"] for body in provider.of_the_server[asked:]] == ["large", "large"]
    stored = ports.store.read(spec.shadow, [a_key(15)])[a_key(15)].vectors[vector]
    (wanted,) = embedder.embed_documents(["Written natively"], purpose=Purpose.JUDGE, timeout_s=30).vectors
    assert list(stored) == pytest.approx(list(wanted), abs=1e-6)  # type: ignore[arg-type]
    server_side.prove(ports, ports.ledger.pin(pin.name))


def test_a_shadow_that_is_not_held_is_embedded_behind_our_back(
    server: WeaviateServer, ports: Ports, provider: TwoKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The danger that the hold is there for: what we say is to have no vector has one."""
    monkeypatch.setattr("vecferry.steps.create_shadow.hold", lambda ports, migration: None)
    pin = live_of(server, ports, provider, "cohere", "text")
    request = MigrationRequest(pin.name, "cohere/large", soak_minutes=0, who="tess", shadow_vectorizer="keep")
    migration_id = stage_runner.act("plan", ports, request)["migration_id"]
    stage_runner.act("create_shadow", ports, migration_id)
    spec = ports.ledger.migration(migration_id).spec
    copy = replace(ports.store.read(pin.collection, [a_key(5)])[a_key(5)], vectors={})
    ports.store.put(spec.shadow, copy, timeout_s=30)
    assert ports.store.read(spec.shadow, [a_key(5)])[a_key(5)].vectors.get("text")
    schemas = ports.store.schema(pin.collection), ports.store.schema(spec.shadow)
    assert [row["setting"] for row in schema_differences(*schemas, spec) if not row["allowed"]] == [
        "vectorConfig.text.vectorizer.text2vec-cohere.properties"
    ]


def test_a_restart_of_the_server_holds_it_and_lets_it_go_as_before(
    server: WeaviateServer, ports: Ports, provider: TwoKeys
) -> None:
    """The settings are the server's state, not a process's."""
    pin = live_of(server, ports, provider, "openai", "")
    shadow = (migration := copied(ports, pin, "openai")).spec.shadow
    for held in (True, False):
        server.restart()
        asked, key = len(provider.of_the_server), a_key(14 + held)
        with client(server) as http:
            http.post("/v1/objects", json={"class": shadow, "id": key, "properties": {"title": "t"}}).raise_for_status()
        assert (len(provider.of_the_server) == asked) is held
        assert ("" not in ports.store.read(shadow, [key])[key].vectors) is held
        if held:
            verify_parity.act(ports, migration.id)  # as after any restart; what was put there by hand goes
            retire.act(ports, migration.id)


def test_a_server_without_a_key_is_sent_ours_for_the_proof_and_nothing_else(
    server: WeaviateServer, ports: Ports, provider: TwoKeys
) -> None:
    pin = live_of(server, ports, provider, "openai", "text")
    provider.servers_key = "Bearer of another server"  # so that the server's own is refused
    request = MigrationRequest(pin.name, "cohere/large", soak_minutes=0, who="tess", shadow_vectorizer="keep")
    found = stage_runner.act("plan", ports, request)
    assert any("no key of its own for text2vec-cohere" in warning for warning in found["warnings"])
    assert HEADERS["cohere"] not in str(found)
    assert provider.key not in str(found)


def test_a_server_whose_model_is_another_is_refused(server: WeaviateServer, ports: Ports, provider: TwoKeys) -> None:
    """By the name it is the same one, and it answers with other vectors than vecferry gets."""
    pin = live_of(server, ports, provider, "openai", "")
    before, embeddings = ports.store.collections(), provider._embeddings

    def other_for_the_server(path: str, body: dict[str, Any], scripted: Reply) -> Reply:
        return embeddings(path, body | ({"model": "small"} if body in provider.of_the_server else {}), scripted)

    provider._embeddings = other_for_the_server  # type: ignore[method-assign]
    request = MigrationRequest(pin.name, "openai/large", soak_minutes=0, who="tess", shadow_vectorizer="keep")
    with pytest.raises(BadInput, match=r"the server's own vector of a text is not that of openai/large@32: cosine"):
        stage_runner.act("plan", ports, request)
    assert ports.store.collections() == before
    assert ports.ledger.active_migration(pin.name) is None
