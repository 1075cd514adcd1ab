"""A collection with everything at once, through the whole DAG in a running Airflow: twenty tenants of which some sleep, one
vector that the server makes and one that is only carried, nested properties, and an application that searches and writes."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.memory_world import NoFeed
from vecferry.adapters.memory.embedder import vector_of
from vecferry.bootstrap import close_ports, connect_ports
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import STAMPS
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Arm
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import VecferryError
from vecferry.ports import Ports
from vecferry.router import Router
from vecferry.sandbox.airflow_api import AirflowApi
from vecferry.sandbox.airflow_server import AirflowServer
from vecferry.sandbox.demo.migration_run import MIGRATION, MigrationRun
from vecferry.sandbox.models import DIMENSIONS
from vecferry.sandbox.provider import ProviderState, running
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.steps import pin as pin_step

pytestmark = pytest.mark.timeout(1500)
LIVE, OLD, NEW, KEY = "Everything", "old-words", "new-words", "sandbox"
CARRIED = "picture"
TENANTS = {f"tenant{number:02}": "INACTIVE" if number % 7 == 3 else "ACTIVE" for number in range(20)}
AWAKE = [name for name, status in TENANTS.items() if status == "ACTIVE"]
PER_TENANT = 6
ASKED = 2
"""Of each tenant so many objects are what golden queries ask for; the application writes the others."""
_WORDS = ("river", "stone", "cloud", "forest", "harbour", "winter", "lantern", "bridge", "meadow", "engine", "copper", "signal")
_MODELS = """
[[model]]
provider = "cohere"
model = "{old}"
api = "cohere"
base_url = "{cohere}"
dimensions = {dimensions}
max_tokens = 8192
inputs_per_request = 96
usd_per_million_tokens = 0.1
source = "a test"

[[model]]
provider = "openai"
model = "{new}"
api = "openai"
base_url = "{openai}"
dimensions = {dimensions}
max_tokens = 8192
inputs_per_request = 96
usd_per_million_tokens = 0.1
source = "a test"
"""
_DAG = """from vecferry.airflow import embedding_migration_dag

dag = embedding_migration_dag(defaults={"soak_minutes": 0, "margin": 0.1})
"""


class Words:
    """A sandbox model whose space is its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.space = EmbeddingSpace("test", name, DIMENSIONS)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([vector_of(self.space, text) for text in texts], dtype=np.float32)


def schema(cohere_url: str) -> dict[str, Any]:
    def of(name: str, kind: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "dataType": [kind], **more}

    place = of("place", "object", nestedProperties=[of("city", "text"), of("floors", "int[]")])
    vectorizer = {"text2vec-cohere": {"baseURL": cohere_url, "model": OLD, "vectorizeClassName": False}}
    index = {"vectorIndexType": "hnsw", "vectorIndexConfig": {"distance": "cosine"}}
    return {
        "class": LIVE,
        "multiTenancyConfig": {"enabled": True, "autoTenantActivation": False, "autoTenantCreation": False},
        "properties": [
            of("title", "text"),
            of("bodyText", "text", moduleConfig={"text2vec-cohere": {"vectorizePropertyName": True}}),
            of("tags", "text[]"),
            of("views", "int"),
            of("seen", "date"),
            of("secret", "text", moduleConfig={"text2vec-cohere": {"skip": True}}),
            of("made", "object", nestedProperties=[of("by", "text"), of("weight", "number"), place]),
            of("parts", "object[]", nestedProperties=[of("name", "text"), of("count", "int")]),
        ],
        "vectorConfig": {"text": {"vectorizer": vectorizer, **index}, CARRIED: {"vectorizer": {"none": {}}, **index}},
    }


def text_of(properties: Mapping[str, Any]) -> str:
    """What the server embeds, by its rules and not by vecferry's code: properties by name, one with its own name before it."""
    parts = [f"body Text {properties['bodyText']}"] if properties.get("bodyText") is not None else []
    parts += properties.get("tags") or []
    parts += [properties["title"]] if properties.get("title") is not None else []
    return " ".join(parts)


def properties_of(tenant: str, number: int) -> dict[str, Any]:
    words = [_WORDS[(number * step + int(tenant[-2:]) * (step + 2)) % len(_WORDS)] for step in (1, 2, 3, 5)]
    return {
        "title": f"{words[0]} of {tenant}",
        "bodyText": f"{' '.join(words)} number{number} unique{tenant}x{number}",
        "tags": ["Überall", words[1]] if number % 2 else None,
        "views": 2**53 - number,
        "seen": f"2024-02-0{1 + number}T04:05:06.123456789+01:00",
        "secret": f"not embedded {number}",
        "made": {"by": f"ada {number}", "weight": number / 3, "place": {"city": "Zürich", "floors": [number, -1]}},
        "parts": [{"name": "screw", "count": number}, {"name": "nut"}],
    }


def key_of(tenant: str, name: str | int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{tenant}/{name}"))


def picture_of(number: int) -> list[float]:
    return [round(1 / (number + place + 1), 7) for place in range(5)]


@dataclass
class World:
    server: WeaviateServer
    models: dict[str, Words]
    ports: Ports
    environment: dict[str, str]

    def fill(self, cohere_url: str) -> None:
        """Written as applications of such a collection do: the server asks the provider."""
        self.ports.store.create(schema(cohere_url))
        self.ports.store.add_tenants(LIVE, dict.fromkeys(TENANTS, "ACTIVE"))
        with httpx.Client(base_url=self.server.http_url, timeout=60, trust_env=False) as client:
            for tenant, number in itertools.product(TENANTS, range(PER_TENANT)):
                body = {"class": LIVE, "id": key_of(tenant, number), "tenant": tenant}
                vectors = {CARRIED: picture_of(number)} if number != 1 else {}
                sent = {**body, "properties": properties_of(tenant, number), "vectors": vectors}
                client.post("/v1/objects", json=sent).raise_for_status()
        self.ports.store.set_tenants(LIVE, {name: status for name, status in TENANTS.items() if status != "ACTIVE"})

    def pin(self) -> None:
        space = self.ports.catalogue.card(f"cohere/{OLD}").space
        pin = Pin(LIVE, LIVE, space, TextRecipe(()), vector_name="text")
        pin_step.act(self.ports, pin, who="tess", why="as the server does")
        golden = [
            {
                "query_id": f"{tenant}-{number}",
                "query": text_of(properties_of(tenant, number)),  # so that nothing but a wrong vector is ever better
                "relevant": {key_of(tenant, number): 1},
                "cohort": "all",
                "tenant": tenant,
            }
            for tenant, number in itertools.product(AWAKE, range(ASKED))
        ]
        self.ports.ledger.save_golden(LIVE, golden)

    def raw(self, collection: str, tenant: str) -> dict[str, dict[str, Any]]:
        """All of a tenant's objects as the server prints them, with vectors."""
        asked = {"class": collection, "tenant": tenant, "limit": "200", "include": "vector"}
        answer = httpx.get(f"{self.server.http_url}/v1/objects", params=asked, timeout=60, trust_env=False)
        return {found["id"]: found for found in answer.raise_for_status().json()["objects"]}


@dataclass
class Application:
    """Searches all the time, and writes while ``writing`` is set. ``last``: what was acknowledged; ``None`` is deleted."""

    router: Router
    last: dict[tuple[str, str], dict[str, Any] | None] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    writes: int = 0
    arms: list[Arm] = field(default_factory=list)
    writing: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    rests: threading.Event = field(default_factory=threading.Event)

    def search(self) -> None:
        for number in itertools.count():
            if self.stopped.wait(0.05):
                return
            tenant = AWAKE[number % len(AWAKE)]
            try:
                hits = self.router.search(f"unique{tenant}x0 river", key=f"user {number}", tenant=tenant, limit=3)
                self.arms.append(hits.arm)
            except VecferryError as error:
                self.failed.append(f"search: {error}")

    def write(self) -> None:
        acts = (self._update_text, self._update_nested, self._put, self._change, self._delete)
        for number in itertools.count():
            if self.stopped.wait(0.25):
                return
            if not self.writing.is_set():
                self.rests.set()
                continue
            tenant = AWAKE[number % len(AWAKE)]
            try:
                acts[number // len(AWAKE) % len(acts)](tenant, number)
                self.writes += 1
            except VecferryError as error:
                self.failed.append(f"{acts[number // len(AWAKE) % len(acts)].__name__}: {error}")

    def _update_text(self, tenant: str, number: int) -> None:
        self._merged(tenant, ASKED, {"title": f"changed {number}"})

    def _update_nested(self, tenant: str, number: int) -> None:
        self._merged(tenant, ASKED + 1, {"made": {"by": f"bob {number}", "place": {"city": "東京", "floors": []}}})

    def _put(self, tenant: str, number: int) -> None:
        """Without a picture: what is replaced has none afterwards."""
        key, properties = key_of(tenant, f"new {number}"), properties_of(tenant, ASKED + number % 7)
        self.router.put(key, properties, tenant=tenant)
        self.last[tenant, key] = properties

    def _change(self, tenant: str, number: int) -> None:
        """Natively, with a picture of its own; the text's vector is the server's."""
        key, properties = key_of(tenant, ASKED + 2), {**properties_of(tenant, 4), "title": f"native {number}"}
        with self.router.change([key], tenant=tenant) as live:
            live.data.replace(uuid=key, properties=properties, vector={CARRIED: picture_of(number % 50)})
        self.last[tenant, key] = properties

    def _delete(self, tenant: str, number: int) -> None:
        key = key_of(tenant, ASKED + 3)
        self.router.delete(key, tenant=tenant)
        self.last[tenant, key] = None

    def _merged(self, tenant: str, number: int, changes: dict[str, Any]) -> None:
        key = key_of(tenant, number)
        self.router.update(key, changes, tenant=tenant)
        self.last[tenant, key] = {**(self.last.get((tenant, key)) or properties_of(tenant, number)), **changes}

    def rest(self) -> None:
        """Returns when nothing of it is under way."""
        self.rests.clear()
        self.writing.clear()
        assert self.rests.wait(60), "a write has not returned"
        assert self.router.flush(60)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    models = {name: Words(name) for name in (OLD, NEW)}
    with (
        running(ProviderState(dict(models), keys=(KEY,))) as provider,
        WeaviateServer(tmp_path / "weaviate", env={"COHERE_APIKEY": KEY}) as server,
    ):
        urls = {"cohere": provider.cohere_url, "openai": provider.openai_url}
        (tmp_path / "models.toml").write_text(_MODELS.format(old=OLD, new=NEW, dimensions=DIMENSIONS, **urls))
        environment = {
            "VECFERRY_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.db'}",
            "VECFERRY_WEAVIATE_URL": server.http_url,
            "VECFERRY_WEAVIATE_GRPC": server.grpc_address,
            "VECFERRY_MODELS": str(tmp_path / "models.toml"),
            # On two cores, shared with all this, latencies say little.
            "VECFERRY_GATES__CANARY_LATENCY_SLACK_MS": "5000",
            "VECFERRY_GATES__CANARY_MIN_QUERIES": "8",
            "VECFERRY_GATES__CANARY_GOLDEN_MARGIN": "0.1",  # what 34 equal answers can show
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": provider.openai_url,
            "CO_API_KEY": KEY,
            "CO_API_URL": provider.cohere_url,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        ports = connect_ports()
        made = World(server, models, replace(ports, notice_feed=NoFeed()), environment)
        made.fill(provider.cohere_url)
        made.pin()
        yield made
        close_ports(ports)


@pytest.fixture
def airflow(world: World, tmp_path: Path) -> Iterator[AirflowApi]:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "embedding_migration.py").write_text(_DAG)
    with (
        AirflowServer(tmp_path / "airflow", tmp_path / "dags", env=world.environment) as server,
        AirflowApi(server.url, server.user, server.password, timeout_s=240) as api,  # a busy machine answers late
    ):
        api.wait_for_dag(MIGRATION, deadline_s=240)
        yield api


@pytest.fixture
def application(world: World) -> Iterator[Application]:
    with Router.connect(LIVE) as router:
        started = Application(router)
        started.writing.set()
        threads = [threading.Thread(target=work, daemon=True) for work in (started.search, started.write)]
        for thread in threads:
            thread.start()
        yield started
        started.stopped.set()
        for thread in threads:
            thread.join(30)


def test_everything_at_once_goes_through_the_whole_dag(world: World, airflow: AirflowApi, application: Application) -> None:
    conf = {"collection": LIVE, "to_model": f"openai/{NEW}", "approvals": True}
    run = MigrationRun(airflow, airflow.trigger(MIGRATION, conf))
    run.approve("plan.approve", deadline_s=300)
    run.wait_asked("retire.approve", deadline_s=600)
    assert Arm.SHADOW in application.arms[-50:]
    application.rest()
    run.approve("retire.approve")
    assert run.wait_end(deadline_s=300) == "success", run.why_failed()
    migration = world.ports.ledger.migrations(LIVE)[0]
    spec = migration.spec
    assert migration.phase is Phase.RETIRED
    assert application.failed == []
    assert application.writes > 5 * len(AWAKE), "each of its ways to write, for each tenant"
    assert world.ports.store.tenants(spec.shadow) == world.ports.store.tenants(spec.live) == TENANTS
    _same_declarations(world, spec.live, spec.shadow)

    sleeping = dict.fromkeys(TENANTS.keys() - set(AWAKE), "ACTIVE")
    for collection in (spec.live, spec.shadow):
        world.ports.store.set_tenants(collection, sleeping)
    seen = 0
    for tenant in TENANTS:
        old, new = (world.raw(collection, tenant) for collection in (spec.live, spec.shadow))
        assert old.keys() == new.keys()
        for key in old:
            _equal(old[key], new[key])
        _vectors_of_texts(world.models[OLD], old)
        _vectors_of_texts(world.models[NEW], new)
        _as_told(application, tenant, new)
        seen += len(new)
    assert seen > len(TENANTS) * (PER_TENANT - 1)
    _goes_on(world, application, spec.live, spec.shadow)


def _same_declarations(world: World, live: str, shadow: str) -> None:
    """Properties with all that is nested in them, and the carried vector's index."""
    before, after = (world.ports.store.schema(name) for name in (live, shadow))
    shapes = [
        {prop["name"]: (prop["dataType"], prop.get("nestedProperties"), prop.get("tokenization")) for prop in one["properties"]}
        for one in (before, after)
    ]
    assert {name: shape for name, shape in shapes[1].items() if name not in STAMPS} == shapes[0]
    carried = [one["vectorConfig"][CARRIED] for one in (before, after)]
    for one in carried:  # what a server quantises by default is not quantised in the copy either: the plan lists it
        one["vectorIndexConfig"].pop("skipDefaultQuantization")
    assert carried[0] == carried[1]
    assert after["vectorConfig"]["text"]["vectorizer"] == {"none": {}}
    assert after["multiTenancyConfig"] == before["multiTenancyConfig"]


def _equal(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """As raw JSON, but for the stamps and for the vector that migrated."""
    own = {name: value for name, value in new["properties"].items() if name not in STAMPS}
    assert own == old["properties"]
    carried = [{name: vector for name, vector in one["vectors"].items() if name != "text"} for one in (old, new)]
    assert carried[0] == carried[1]


def _vectors_of_texts(model: Words, objects: Mapping[str, Mapping[str, Any]]) -> None:
    """Each is what the model gives for the text that the server's rules make of the object."""
    for found in objects.values():
        (expected,) = model.embed([text_of(found["properties"])])
        np.testing.assert_allclose(found["vectors"]["text"], expected, atol=1e-5, err_msg=f"{model.name} {found}")


def _as_told(application: Application, tenant: str, stored: Mapping[str, Mapping[str, Any]]) -> None:
    """No write that was acknowledged is lost, and nothing that was deleted is there."""
    for (of, key), properties in application.last.items():
        if of != tenant:
            continue
        assert (key in stored) == (properties is not None), (tenant, key)
        if properties is not None:
            found = stored[key]["properties"]
            wanted = {name: value for name, value in properties.items() if value is not None}
            assert {name: found.get(name) for name in ("title", "bodyText", "made", "parts")} == {
                name: wanted.get(name) for name in ("title", "bodyText", "made", "parts")
            }


def _goes_on(world: World, application: Application, live: str, shadow: str) -> None:
    """The new collection alone is written and asked."""
    tenant, key = AWAKE[0], key_of(AWAKE[0], "after retire")
    before = world.raw(live, tenant)
    application.router.put(key, {"title": "lantern after retire", "bodyText": "meadow"}, tenant=tenant)
    assert key in world.raw(shadow, tenant)
    assert world.raw(live, tenant) == before
    found = application.router.search("lantern after retire meadow", key="u", tenant=tenant)
    assert found.hits[0].uuid == key
