"""An application that knows nothing of vecferry writes by the vendor's own client, from the first stage up to retire."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import weaviate

from tests.support.memory_world import LIVE_SCHEMA, OLD, WORDS, World, golden_rows, key_of, make_world, request, text_of
from vecferry.adapters.memory.embedder import vector_of
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.errors import NeedsPerson
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.steps import stage_runner, sweep, sweeps, verify_parity

OBJECTS, JUDGED = 60, 40
ROAD = ("create_shadow", "enable_dual_write", "backfill", "verify_parity", "validate_golden_set", "cut_over_25", "cut_over_100")
pytestmark = pytest.mark.timeout(300)


class Bypassing:
    """Puts, changes and deletes in the live collection, of which it knows the name; ``holds`` is what it has been promised."""

    def __init__(self, client: weaviate.WeaviateClient, collection: str) -> None:
        self._data = client.collections.use(collection).data
        self._random = random.Random(8)
        self.holds: dict[str, str | None] = {}
        self.written = 0

    def put(self, name: str | int, body: str) -> None:
        given = {"properties": {"body": body}, "uuid": key_of(name), "vector": list(vector_of(OLD.space, body))}
        there = self._data.exists(key_of(name))
        (self._data.replace if there else self._data.insert)(**given)
        self.holds[key_of(name)] = body
        self.written += 1

    def delete(self, name: str | int) -> None:
        self._data.delete_by_id(key_of(name))
        self.holds[key_of(name)] = None
        self.written += 1

    def write_something(self) -> None:
        """Never what the golden queries ask for: whether the new model is as good is not this test's matter."""
        name = self._random.randrange(JUDGED, 2 * OBJECTS)
        if self._random.random() < 0.25:
            self.delete(name)
        else:
            self.put(name, " ".join(self._random.sample(WORDS, 4)))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        stop, failed = threading.Event(), list[BaseException]()

        def work() -> None:
            try:
                while not stop.wait(0.02):
                    self.write_something()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)
        assert not failed, failed

    def goes_on(self) -> None:
        before = self.written
        wait_until(lambda: self.written > before + 3, awaited="native writes", deadline_s=30)


@pytest.fixture
def world(weaviate_server: WeaviateServer) -> Iterator[World]:
    """The fakes' world, with its objects in a real server."""
    live = f"Sweep{uuid.uuid4().hex[:8]}"
    made = make_world(0)
    store = WeaviateStore(weaviate_server.http_url, weaviate_server.grpc_address)
    store.create(LIVE_SCHEMA | {"class": live})
    for number in range(OBJECTS):
        body = text_of(number)
        obj = StoredObject(key_of(number), {"body": body, "views": number}, {UNNAMED: vector_of(OLD.space, body)})
        store.put(live, obj, timeout_s=10)
    made.ledger.save_pin(Pin("Docs", live, OLD.space, TextRecipe(("body",))), who="test", why="test")
    made.ledger.save_golden("Docs", golden_rows(JUDGED))
    yield replace(made, store=store, ports=replace(made.ports, store=store))  # type: ignore[arg-type]
    for collection in (live, *(migration.spec.shadow for migration in made.ledger.migrations("Docs"))):
        store.drop(collection)
    store.close()


@pytest.fixture
def native(world: World, weaviate_server: WeaviateServer) -> Iterator[Bypassing]:
    ports = {"port": weaviate_server.http_port, "grpc_port": weaviate_server.grpc_port}
    with weaviate.connect_to_local(host="127.0.0.1", **ports) as client:
        yield Bypassing(client, world.ledger.pin("Docs").collection)


def stage(world: World, name: str, migration_id: str) -> None:
    """Act, ready, check, with the sweeps of whoever waits; users search meanwhile where a percent is served."""
    sweep.keep_fresh(world.ports, migration_id)
    stage_runner.act(name, world.ports, migration_id)
    world.clock.sleep(0.5)
    percent = stage_runner.stage_named(name).percent
    if percent:
        users_search(world, percent)
    sweep.keep_fresh(world.ports, migration_id)
    ready = stage_runner.ready(name, world.ports, migration_id)
    assert ready.done, ready.waiting_for
    verdict = stage_runner.check(name, world.ports, migration_id)
    assert verdict.passes, verdict.reason


def users_search(world: World, percent: int) -> None:
    router = world.router()
    for number in range(4_000 // percent):
        router.search(text_of(number % JUDGED), key=f"user-{number}")
    world.stop(router)


def test_what_is_written_natively_all_the_while_is_there_after_retire(world: World, native: Bypassing) -> None:
    migration_id = str(stage_runner.act("plan", world.ports, request(sweep=True, percents=(25, 100)))["migration_id"])
    with native.at_work():
        for name in ROAD:
            native.goes_on()
            stage(world, name, migration_id)
        native.goes_on()
        with pytest.raises(NeedsPerson, match="nobody has said"):
            stage_runner.act("retire", world.ports, migration_id)
        assert sweep.act(world.ports, migration_id).findings
    migration = world.ledger.migration(migration_id)
    sweep.writers_moved(world.ports, migration_id, who="ana", why="the importer is off")
    native.put("forgotten", "lantern orchard")
    with pytest.raises(NeedsPerson, match=f"somebody writes {migration.spec.live} natively.*{key_of('forgotten')}: new"):
        stage_runner.act("retire", world.ports, migration_id)
    sweep.writers_moved(world.ports, migration_id, who="ana", why="the nightly job is off too")
    stage(world, "retire", migration_id)
    assert world.ledger.migration(migration_id).phase is Phase.RETIRED
    _all_of_it_is_there(world, native)
    found = [s for s in sweeps.last_sweeps(world.ports, migration, 1000) if s.findings]
    assert len(found) >= 3
    assert all(one.clean for one in found)
    assert world.ledger.events(migration_id=migration_id, what=verify_parity.ALARM) == []


def _all_of_it_is_there(world: World, native: Bypassing) -> None:
    """In the collection that is the truth now, and findable by the new model: what was acknowledged, and nothing deleted."""
    pin = world.ledger.pin("Docs")
    assert pin.space.model == "new-model"
    stored = world.store.read(pin.collection, sorted(native.holds))
    assert {key: obj.properties["body"] for key, obj in stored.items()} == {k: v for k, v in native.holds.items() if v}
    assert None in native.holds.values(), "the application has deleted some"
    assert all(obj.stamp("embedding_model") == pin.space.id for obj in stored.values())
    assert world.store.indexed(pin.collection, {k: o.vectors[UNNAMED] for k, o in stored.items()}, vector_name=UNNAMED) == set(
        stored
    )
