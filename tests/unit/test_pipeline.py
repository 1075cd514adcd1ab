"""Pages in flight: several at once, recorded as an unbroken row, and nothing lost of what was confirmed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.memory_world import NEW, World, make_world, request
from vecferry.domain.chunks import ChunkState
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Phase
from vecferry.domain.shadow import differences
from vecferry.errors import Conflict, Paused, Retryable, UnknownOutcome
from vecferry.steps import backfill, stage_runner
from vecferry.steps.pipeline import Pipeline

PATIENCE_S = 60.0


class Chosen(Executor):
    """Carries out what waits when somebody waits for one of them, in an order that the test chooses."""

    def __init__(self, order: Callable[[int], int] = lambda waiting: waiting - 1) -> None:
        self.most = 0
        self._order = order
        self._waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = _Asking(self)
        self._waiting.append((future, lambda: fn(*args, **kwargs)))
        self.most = max(self.most, len(self._waiting))
        return future

    def work(self) -> None:
        future, call = self._waiting.pop(self._order(len(self._waiting)) % len(self._waiting))
        try:
            future.set_result(call())
        except Exception as error:
            future.set_exception(error)


class _Asking(Future[Any]):
    def __init__(self, executor: Chosen) -> None:
        super().__init__()
        self._executor = executor

    def result(self, timeout: float | None = None) -> Any:
        while not self.done():
            self._executor.work()
        return super().result(timeout)


def run(executor: Executor, pages: Sequence[int] | Iterator[int], *, fails: int | None = None, most: int = 2) -> list[int]:
    """The pages recorded; what stopped it is swallowed if it is the one that was wanted."""
    recorded: list[int] = []

    def copy(page: int) -> int:
        if page == fails:
            raise Retryable("this one")
        return page * 10

    def record(page: int, done: int) -> None:
        assert done == page * 10
        recorded.append(page)

    pipeline = Pipeline(executor, most, copy=copy, record=record)
    if fails is None:
        pipeline.run(pages)
    else:
        with pytest.raises(Retryable, match="this one"):
            pipeline.run(pages)
    return recorded


@given(
    count=st.integers(0, 12),
    most=st.integers(1, 4),
    fails=st.none() | st.integers(0, 11),
    order=st.lists(st.integers(0, 10), max_size=20),
)
def test_what_is_recorded_is_the_unbroken_row_before_the_first_that_failed(
    count: int, most: int, fails: int | None, order: list[int]
) -> None:
    drawn = iter(order)
    executor = Chosen(lambda waiting: next(drawn, 0))
    failing = fails if fails is not None and fails < count else None
    assert run(executor, range(count), fails=failing, most=most) == list(range(count if failing is None else failing))
    assert executor.most <= most


def test_after_a_failure_nothing_is_begun() -> None:
    begun: list[int] = []

    def pages() -> Iterator[int]:
        for page in range(10):
            begun.append(page)
            yield page

    assert run(Chosen(lambda waiting: 0), pages(), fails=1) == [0]
    assert begun[-1] == 3, "two in flight, and one more read"


def test_when_reading_fails_those_in_flight_are_recorded() -> None:
    recorded: list[int] = []

    def pages() -> Iterator[int]:
        yield from (0, 1)
        raise Paused("by a person")

    pipeline = Pipeline(ThreadPoolExecutor(2), 2, copy=lambda page: page, record=lambda page, done: recorded.append(page))
    with pytest.raises(Paused, match="by a person"):
        pipeline.run(pages())
    assert recorded == [0, 1]


def test_a_lost_claim_stops_it() -> None:
    tried: list[int] = []

    def record(page: int, done: int) -> None:
        tried.append(page)
        raise Conflict("somebody else's")

    with ThreadPoolExecutor(2) as executor, pytest.raises(Conflict):
        Pipeline(executor, 2, copy=lambda page: page, record=record).run(range(9))
    assert set(tried) == {0}


def test_pages_are_copied_side_by_side() -> None:
    """Each waits for the other: one after the other they would wait for ever."""
    met = threading.Barrier(2)

    def copy(page: int) -> int:
        met.wait(PATIENCE_S)
        return page

    recorded: list[int] = []
    with ThreadPoolExecutor(2) as executor:
        Pipeline(executor, 2, copy=copy, record=lambda page, done: recorded.append(done)).run(range(6))
    assert recorded == list(range(6))


# --- the backfill on it


OBJECTS, PAGE = 40, 8


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(backfill, "PAGE", PAGE)
    return make_world(objects=OBJECTS)


def dual_writing(world: World) -> str:
    migration_id = str(stage_runner.act("plan", world.ports, request())["migration_id"])
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.DUAL_WRITING)
    return migration_id


def wrong(world: World, migration_id: str) -> list[str]:
    spec = world.ledger.migration(migration_id).spec
    keys = world.store.keys(spec.live, after="", until="f" * 36, limit=1_000)
    live, shadow = (world.store.read(name, keys) for name in (spec.live, spec.shadow))
    assert len(keys) == OBJECTS
    return [key for key in keys if differences(spec, live[key], shadow.get(key))]


def copied_texts(world: World) -> int:
    """Of the objects; what witnesses the model is none of them."""
    return sum("number" in text for text in world.embedders[NEW.model].texts)


def test_a_backfill_with_threads_copies_everything_once(world: World) -> None:
    migration_id = dual_writing(world)
    before = copied_texts(world)
    done = backfill.run_all(replace(world.ports, executor=ThreadPoolExecutor), migration_id)
    assert done["rows"] == OBJECTS
    assert wrong(world, migration_id) == []
    assert copied_texts(world) - before == OBJECTS
    assert world.ledger.journal_counts(migration_id).get(RowKind.BACKFILL, 0) == 0
    assert all(chunk.state is ChunkState.DONE for chunk in world.ledger.chunks(migration_id))


def test_a_page_that_was_confirmed_behind_one_that_failed_is_not_paid_for_twice(world: World) -> None:
    """The newest is copied first, and the first one fails: the checkpoint stays before it, the other's copies are there."""
    migration_id = dual_writing(world)
    before = copied_texts(world)
    embedder, asked = world.embedders[NEW.model], 0

    def fail_the_second(method: str, texts: Sequence[str]) -> None:
        nonlocal asked
        asked += any("number" in text for text in texts)
        if asked == 2:
            raise Retryable("the provider is tired")

    embedder.before = fail_the_second
    with pytest.raises(Retryable, match="tired"):
        backfill.run_all(replace(world.ports, executor=lambda most: Chosen()), migration_id)
    embedder.before = None
    (chunk,) = world.ledger.chunks(migration_id)
    assert (chunk.cursor, chunk.rows_out) == ("", 0)
    assert len(wrong(world, migration_id)) == OBJECTS - PAGE
    backfill.run_all(world.ports, migration_id)
    assert wrong(world, migration_id) == []
    assert copied_texts(world) - before == OBJECTS


def test_live_that_changed_since_it_was_read_ahead_is_read_again_before_the_rows_are_closed(world: World) -> None:
    """Rule 2: what was read ahead is the first of its reads, never the last."""
    migration_id = dual_writing(world)
    spec = world.ledger.migration(migration_id).spec
    first, second = world.store.keys(spec.live, after="", until="f" * 36, limit=2)
    open_rows = world.ledger.open_rows
    calls: list[int] = []

    def change_first(*given: Any, **named: Any) -> Any:
        if not calls:
            obj = world.store.read(spec.live, [first])[first]
            world.store.put(spec.live, replace(obj, properties={**obj.properties, "views": 4711}), timeout_s=1)
            world.store.delete(spec.live, second, timeout_s=1)
        calls.append(1)
        return open_rows(*given, **named)

    world.ledger.open_rows = change_first  # type: ignore[method-assign]
    backfill.run_all(world.ports, migration_id)
    shadow = world.store.read(spec.shadow, [first, second])
    assert shadow[first].properties["views"] == 4711
    assert second not in shadow
    assert world.ledger.journal_counts(migration_id).get(RowKind.BACKFILL, 0) == 0


@contextmanager
def taken_down() -> Iterator[list[int]]:
    """What the process's own handler of SIGTERM has seen."""
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    yield seen
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor], ids=["in line", "threads"])
def test_asked_to_end_it_stops_at_a_page_and_knows_what_it_has_done(world: World, executor: Any) -> None:
    migration_id = dual_writing(world)
    before = copied_texts(world)
    ports = world.ports if executor is None else replace(world.ports, executor=executor)
    embedder, asked = world.embedders[NEW.model], 0

    def be_told(method: str, texts: Sequence[str]) -> None:
        nonlocal asked
        asked += any("number" in text for text in texts)
        if asked == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    embedder.before = be_told
    with taken_down() as seen:
        with pytest.raises(Retryable, match="asked to end"):
            backfill.run_all(ports, migration_id)
        assert seen == [signal.SIGTERM], "who handled it before is told, once, and last"
    embedder.before = None
    (chunk,) = world.ledger.chunks(migration_id)
    assert chunk.rows_out in (2 * PAGE, 3 * PAGE, 4 * PAGE)
    assert OBJECTS - len(wrong(world, migration_id)) == chunk.rows_out
    assert world.ledger.journal_counts(migration_id).get(RowKind.BACKFILL, 0) == 0
    backfill.run_all(ports, migration_id)
    assert wrong(world, migration_id) == []
    assert copied_texts(world) - before == OBJECTS


def test_several_requests_of_a_page_are_under_way_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests wait for each other."""
    migration_id = dual_writing(world)
    monkeypatch.setattr(backfill, "PAGE", OBJECTS)
    embedder = world.embedders[NEW.model]
    embedder._card = replace(embedder.card, inputs_per_request=OBJECTS // 2)
    met = threading.Barrier(2)

    def meet(method: str, texts: Sequence[str]) -> None:
        if any("number" in text for text in texts):
            met.wait(PATIENCE_S)

    embedder.before = meet
    backfill.run_all(replace(world.ports, executor=ThreadPoolExecutor), migration_id)
    assert wrong(world, migration_id) == []


def test_what_only_a_listing_does_not_show_is_found_by_the_reads_under_the_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the shadow only what it lists is read ahead. A listing of one replica may lack what the others hold: one copy that is
    as it should be, one that is old, and one that live has no more."""
    migration_id = dual_writing(world)
    backfill.run_all(world.ports, migration_id)
    spec = world.ledger.migration(migration_id).spec
    _, old, gone = world.store.keys(spec.live, after="", until="f" * 36, limit=3)
    copy = world.store.read(spec.shadow, [old])[old]
    world.store.put(spec.shadow, replace(copy, properties={**copy.properties, "views": -1}), timeout_s=1)
    world.store.delete(spec.live, gone, timeout_s=1)
    listed = backfill.next_keys
    monkeypatch.setattr(backfill, "next_keys", lambda *given, **at: replace(listed(*given, **at), in_shadow=frozenset()))
    world.ledger.reopen_chunks(migration_id)
    backfill.run_all(world.ports, migration_id)
    shadow = world.store.read(spec.shadow, [old, gone])
    assert shadow[old].properties["views"] == world.store.read(spec.live, [old])[old].properties["views"]
    assert gone not in shadow
    assert world.ledger.journal_counts(migration_id).get(RowKind.BACKFILL, 0) == 0


def test_of_an_empty_shadow_nothing_is_read_before_it_is_written(world: World) -> None:
    migration_id = dual_writing(world)
    spec = world.ledger.migration(migration_id).spec
    calls: list[str] = []
    world.store.before = lambda name, collection, call: calls.append(name) if collection == spec.shadow else None
    backfill.run_all(world.ports, migration_id)
    assert OBJECTS % PAGE == 0
    assert [name for name in calls if name in ("read", "put_batch")] == ["put_batch", "read"] * (OBJECTS // PAGE)
    assert wrong(world, migration_id) == []


def refuse_more_than(world: World, most: int, sizes: list[int]) -> Callable[[], None]:
    """Each batch of more objects than the store can take within a call's time ends unknown, and nothing of it has arrived."""
    put_batch = world.store.put_batch

    def slow(collection: str, objects: Sequence[Any], **named: Any) -> dict[str, str]:
        sizes.append(len(objects))
        if len(objects) > most:
            raise UnknownOutcome("no answer in time", where=collection)
        return put_batch(collection, objects, **named)

    world.store.put_batch = slow  # type: ignore[method-assign]
    return lambda: setattr(world.store, "put_batch", put_batch)


def test_a_page_that_is_too_large_for_a_slow_store_is_tried_in_parts_and_paid_for_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "PAGE", OBJECTS)
    migration_id = dual_writing(world)
    before, sizes = copied_texts(world), list[int]()
    refuse_more_than(world, 12, sizes)
    done = backfill.run_all(world.ports, migration_id)
    assert (done["rows"], wrong(world, migration_id)) == (OBJECTS, [])
    assert sizes == [OBJECTS, *[10] * 4], "a quarter at once"
    assert copied_texts(world) - before == OBJECTS
    assert world.ledger.journal_counts(migration_id)[RowKind.BACKFILL] == OBJECTS, "of the page that nobody knows of"


def test_pages_stay_small_for_as_long_as_the_store_is_slow(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "PAGE", 16)
    migration_id = dual_writing(world)
    sizes = list[int]()
    refuse_more_than(world, 8, sizes)
    backfill.run_all(world.ports, migration_id)
    assert wrong(world, migration_id) == []
    assert sizes[:3] == [16, 8, 8]
    assert sum(size > 8 for size in sizes) < len(sizes) / 2


def test_a_store_that_answers_nothing_is_not_asked_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "PAGE", OBJECTS)
    migration_id = dual_writing(world)
    sizes = list[int]()
    answer_again = refuse_more_than(world, 0, sizes)
    with pytest.raises(UnknownOutcome, match="no answer"):
        backfill.run_all(world.ports, migration_id)
    assert sizes == [OBJECTS, 10, 8]
    assert [chunk.cursor for chunk in world.ledger.chunks(migration_id)] == [""]
    answer_again()
    backfill.run_all(world.ports, migration_id)
    assert wrong(world, migration_id) == []
