"""A write that cannot be: named, and nothing of it is left halfway."""

from __future__ import annotations

import pytest

from tests.support.bad_writes import GOOD, KEY, NAMED_BY_THE_STORE, NAMED_HERE, OF_NO_TENANT, TENANT, THERE, Writable, writable
from tests.support.memory_world import make_world
from vecferry.adapters.memory.store import Call, MemoryStore
from vecferry.errors import BadInput, NotFound, NotWritten, Retryable
from vecferry.router import Router

ANSWERED_ALIKE = [case for case in NAMED_BY_THE_STORE if "prop" in case or "reserved" in case]
"""The fake refuses what is not declared, and does not look at types."""


@pytest.fixture
def plain() -> Writable:
    return writable(MemoryStore(), "Bad")


@pytest.fixture
def tenanted() -> Writable:
    return writable(MemoryStore(), "Bad", tenant=TENANT)


@pytest.mark.parametrize("case", NAMED_HERE)
def test_what_cannot_be_is_named_before_anything_is_asked_of_the_store(plain: Writable, case: str) -> None:
    write, words = NAMED_HERE[case]
    plain.refused(write, words)
    asked: list[str] = []
    plain.world.store.before = lambda name, collection, call: asked.append(name)
    with pytest.raises(BadInput):
        write(plain.router, None)
    assert set(asked) <= {"read"}


@pytest.mark.parametrize("case", ANSWERED_ALIKE)
def test_what_the_store_refuses_leaves_nothing(plain: Writable, case: str) -> None:
    plain.refused(*NAMED_BY_THE_STORE[case])
    plain.still_writes()


@pytest.mark.parametrize("case", OF_NO_TENANT)
def test_a_tenant_that_does_not_exist_leaves_nothing(tenanted: Writable, case: str) -> None:
    tenanted.refused(OF_NO_TENANT[case], "tenant not found: 'nobody'", tenant="nobody")
    tenanted.still_writes()


@pytest.mark.parametrize("case", OF_NO_TENANT)
@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "a\x00", 7])
def test_a_name_that_no_tenant_can_have_is_refused_here(tenanted: Writable, case: str, name: str) -> None:
    tenanted.refused(OF_NO_TENANT[case], "cannot be the name of a tenant", tenant=name)


@pytest.mark.parametrize("case", OF_NO_TENANT)
def test_a_tenant_where_there_are_none_or_none_where_there_are(plain: Writable, tenanted: Writable, case: str) -> None:
    plain.refused(OF_NO_TENANT[case], "multi-tenancy disabled, but request was with tenant", tenant=TENANT)
    tenanted.refused(OF_NO_TENANT[case], "multi-tenancy enabled, but request was without tenant", tenant=None)


def test_rows_of_refused_writes_are_closed_though_no_thread_reconciles(plain: Writable) -> None:
    """And not queued: a tenant that does not exist could never be reconciled."""
    plain.refused(*NAMED_BY_THE_STORE["an undeclared property"])
    assert plain.router._queue.run_once() == 0


def test_a_refusal_while_the_ledger_is_away_leaves_its_row_to_the_janitor(
    plain: Writable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(rows: object) -> int:
        raise Retryable("the ledger is away")

    monkeypatch.setattr(plain.world.ledger, "close_rows", away)
    with pytest.raises(BadInput, match="no such prop"):
        plain.router.put(KEY, GOOD | {"colour": "red"})
    assert [row.key for row in plain.world.ledger.rows(plain.migration.id, limit=10)] == [KEY]


@pytest.mark.parametrize("error", [BadInput("ours"), NotWritten("theirs")])
def test_the_applications_own_error_says_nothing_about_what_it_wrote(plain: Writable, error: Exception) -> None:
    """Its native write may have landed before: the row stays, and the shadow follows by the janitor."""
    with pytest.raises(type(error)), plain.router.change([THERE]):
        raise error
    assert plain.router._queue.run_once() == 0
    assert [row.key for row in plain.world.ledger.rows(plain.migration.id, limit=10)] == [THERE]


def test_a_read_only_shard_is_no_bad_input_and_the_shadow_is_looked_at(plain: Writable) -> None:
    def refuse(name: str, collection: str, call: Call) -> None:
        if name == "put":
            raise NotWritten("store is read-only")

    plain.world.store.before = refuse
    with pytest.raises(NotWritten):
        plain.router.put(KEY, GOOD)
    plain.world.store.before = lambda name, collection, call: None
    assert len(plain.world.ledger.rows(plain.migration.id, limit=10)) == 1
    assert plain.router._queue.run_once() == 1


def test_a_text_that_was_missing_may_be_updated_around(plain: Writable) -> None:
    """Objects without text exist: somebody wrote them without us."""
    stored = plain.world.store.read("Bad", [THERE])[THERE]
    plain.world.store.put("Bad", type(stored)(THERE, {"views": 1}), timeout_s=1)
    plain.router.update(THERE, {"views": 2})
    assert plain.world.store.read("Bad", [THERE])[THERE].properties == {"views": 2}


def test_a_router_for_an_unknown_pin_names_those_that_exist_and_registers_nothing() -> None:
    world = make_world(0)
    with pytest.raises(NotFound, match=r"there is no pin 'Dosc'. Pins that exist: Docs"):
        Router(
            "Dosc",
            ledger=world.ledger,
            store=world.store,
            embedders=world.embedders,
            clock=world.clock,
            timings=world.ports.timings,
        )
    assert world.ledger.leases("Docs")[0] == world.ledger.leases("Dosc")[0] == []
