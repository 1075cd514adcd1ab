"""What a janitor remembers: a window of the journal that passes over what cannot be worked off, and comes back to it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.memory_world import World, key_of, make_world, request
from vecferry.adapters.memory.store import Call
from vecferry.domain.journal import JournalRow, RowKind
from vecferry.domain.lifecycle import Migration
from vecferry.errors import Retryable
from vecferry.protocol import watch
from vecferry.protocol.janitor import Janitor
from vecferry.steps import stage_runner

KEYS = [key_of(number) for number in range(30)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    for name, value in {"PAGE": 4, "WINDOW": 10, "AT_ONCE": 5, "_FEW": 1_000}.items():
        monkeypatch.setattr(watch, name, value)
    return make_world(len(KEYS))


@pytest.fixture
def dual(world: World) -> Migration:
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.ledger.move(world.ledger.migration(migration_id), "shadow_created", who="test", why="test")  # type: ignore[arg-type]
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    for row in world.ledger.rows(migration_id, limit=1_000):
        world.ledger.close_rows([row])
    return world.ledger.migration(migration_id)


def _janitor(world: World) -> Janitor:
    parts = {name: getattr(world.ports, name) for name in ("ledger", "store", "embedders", "clock", "timings")}
    return Janitor("Docs", owner="janitor", **parts)


def _open(world: World, migration: Migration, keys: Sequence[str]) -> list[JournalRow]:
    return world.ledger.open_rows(migration.id, keys, tenant=None, owner="dead", kind=RowKind.WRITE)


def _left(world: World, migration: Migration) -> set[str]:
    return {row.key for row in world.ledger.rows(migration.id, limit=1_000)}


def _refusing(world: World, keys: Sequence[str]) -> None:
    def refuse(name: str, collection: str, call: Call) -> None:
        if set(call.uuids) & set(keys):
            raise Retryable("not now")

    world.store.before = refuse


def _work(world: World, cleaner: Janitor, rounds: int) -> None:
    for _ in range(rounds):
        cleaner.run_once()
        assert len(cleaner._seen) < 10 + 4, "a page more than the window at the most"
        world.clock.advance(world.ports.timings.takeover_s / 2)


def test_more_rows_than_it_remembers_are_worked_off(world: World, dual: Migration) -> None:
    _open(world, dual, KEYS)
    _work(world, _janitor(world), 40)
    assert not _left(world, dual)


def test_rows_that_cannot_be_worked_off_do_not_keep_those_behind_them_waiting(world: World, dual: Migration) -> None:
    _open(world, dual, KEYS)
    _refusing(world, KEYS[:12])
    cleaner = _janitor(world)
    _work(world, cleaner, 80)
    assert _left(world, dual) == set(KEYS[:12])
    world.store.before = lambda name, collection, call: None
    _work(world, cleaner, 60)
    assert not _left(world, dual), "the window came back to them"


def test_rows_of_one_key_are_worked_off_together(world: World, dual: Migration) -> None:
    for _ in range(4):
        _open(world, dual, KEYS[:1])
    cleaner = _janitor(world)
    cleaner.run_once()
    world.clock.advance(world.ports.timings.takeover_s)
    before = world.embedders["new-model"].documents
    assert cleaner.run_once().closed == 4
    assert world.embedders["new-model"].documents <= before + 1


def test_a_slow_ledger_shortens_nobodys_wait(world: World, dual: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 9: what was read at the beginning of a long look was seen then, and not at its end; and the other way round."""
    _open(world, dual, KEYS[:1])
    real, takeover_s = world.ledger.rows, world.ports.timings.takeover_s

    def slow(migration_id: str, *, limit: int, after_id: int = 0) -> list[JournalRow]:
        world.clock.advance(takeover_s * 0.4)
        rows = real(migration_id, limit=limit, after_id=after_id)
        world.clock.advance(takeover_s * 0.4)
        return rows

    monkeypatch.setattr(world.ledger, "rows", slow)
    cleaner = _janitor(world)
    assert [cleaner.run_once().claimed for _ in range(2)] == [0, 0]
    assert cleaner.run_once().claimed == 1


def test_a_page_too_large_for_its_deadline_becomes_smaller(world: World, dual: Migration) -> None:
    cleaner = _janitor(world)
    _open(world, dual, KEYS[:3])
    cleaner.run_once()
    world.clock.advance(world.ports.timings.takeover_s)
    _refusing(world, KEYS[:3])
    most = cleaner._most_keys
    assert cleaner.run_once().failed
    assert cleaner._most_keys < most


def test_many_rows_are_not_looked_at_each_second(world: World, dual: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred routers would read a million rows a second."""
    monkeypatch.setattr(watch, "_FEW", 5)
    _open(world, dual, KEYS)
    looks: list[int] = []
    real = world.ledger.rows

    def counted(migration_id: str, *, limit: int, after_id: int = 0) -> list[JournalRow]:
        looks.append(after_id)
        return real(migration_id, limit=limit, after_id=after_id)

    monkeypatch.setattr(world.ledger, "rows", counted)
    cleaner = _janitor(world)
    cleaner.run_once()
    first = len(looks)
    world.clock.advance(1)
    assert cleaner.run_once().watched >= 10
    assert len(looks) == first
    world.clock.advance(world.ports.timings.takeover_s)
    assert cleaner.run_once().closed
