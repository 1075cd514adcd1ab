"""What must always hold, held by the database itself: each rule is tried through plain SQL, and then once more without it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.exc import DBAPIError

from tests.support.ledger_case import PIN, WHO, LedgerCase, at_once, lease, planned
from tests.support.plain_sql import drop_trigger, refusal, triggers, undone
from tests.support.postgres import PostgresServer
from vecferry.adapters.ledger.tables import metadata
from vecferry.domain.chunks import Chunk, even_ranges
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Mode
from vecferry.domain.verdicts import Outcome, Verdict
from vecferry.ports import Purpose

_AT = "'2026-01-01 00:00:00.000000'"
OTHER = replace(PIN, name="Other", collection="Other_v1")
FIRST, SECOND = even_ranges(2)


def _nothing(case: LedgerCase) -> None:
    """The state that every test begins with."""


def _frozen(case: LedgerCase) -> None:
    ledger = case.ledger
    served = ledger.move(ledger.migration("m1"), Phase.SERVING, **WHO, routing=(Mode.DUAL, 100))
    ledger.publish(served, Mode.FREEZE, 100, **WHO)


def _frozen_and_empty(case: LedgerCase) -> None:
    _frozen(case)
    case.ledger.close_rows(case.ledger.rows("m1", limit=10))


def _frozen_and_all_copied(case: LedgerCase) -> None:
    _frozen_and_empty(case)
    case.sql("UPDATE chunks SET state = 'done'")


def _other_dual(case: LedgerCase) -> Migration:
    ledger = case.ledger
    moved = ledger.move(ledger.migration("o1"), Phase.SHADOW_CREATED, **WHO)
    return ledger.move(moved, Phase.DUAL_WRITING, **WHO, routing=(Mode.DUAL, 0))


def _other_with_a_row(case: LedgerCase) -> None:
    _other_dual(case)
    case.ledger.open_rows("o1", ["k"], tenant=None, owner="w", kind=RowKind.WRITE)


def _other_switched_off(case: LedgerCase) -> None:
    case.ledger.publish(_other_dual(case), Mode.LIVE_ONLY, 0, **WHO)


def _dismissed(case: LedgerCase) -> None:
    case.ledger.dismiss("r1", pin="Docs", **WHO)


def _summed(case: LedgerCase) -> None:
    case.sql(_sum("backfill"))


def _summed_for_another_purpose(case: LedgerCase) -> None:
    case.sql(_sum("write"))


def _sum(purpose: str) -> str:
    """As if it stood for the settled row and for the one that is not settled."""
    return (
        "INSERT INTO spend (pin, migration_id, purpose, tokens, nano_usd, settled, at, requests, through)"
        f" SELECT 'Docs', 'm1', '{purpose}', 1, 250000000, true, {_AT}, 1, max(id) FROM spend"
    )


def _new_pin(case: LedgerCase) -> None:
    case.sql("INSERT INTO pins (name, collection, space, document) VALUES ('New', 'New_v1', 's', '{}')")
    case.sql(_version("New", 1, "live_only", 0, "New_v1", None))


def _history_ahead(case: LedgerCase) -> None:
    case.sql(_version("Docs", 4, "dual", 25, "Docs_v1", "m1"))


def _version(pin: str, version: int, mode: str, percent: int, authority: str, migration_id: str | None) -> str:
    return (
        "INSERT INTO routing_versions (pin, version, mode, percent, authority, migration_id, reason, published_at) VALUES"
        f" ('{pin}', {version}, '{mode}', {percent}, '{authority}', {_text(migration_id)}, '', {_AT})"
    )


def _text(value: str | None) -> str:
    return "NULL" if value is None else f"'{value}'"


def _migration(migration_id: str = "m2", *, pin: str = "Docs", phase: str = "planned", shadow: str = "Docs_v3") -> str:
    return (
        "INSERT INTO migrations (id, pin, phase, version, percent, attempt, shadow, spec, from_space, options, plan)"
        f" VALUES ('{migration_id}', '{pin}', '{phase}', 1, 0, 1, '{shadow}', '{{}}', '{{}}', '{{}}', '{{}}')"
    )


def _row(migration_id: str = "m1", *, owner: str = "w", kind: str = "write") -> str:
    return (
        "INSERT INTO journal (migration_id, tenant, key, owner, token, kind, opened_at)"
        f" VALUES ('{migration_id}', '', 'k', '{owner}', 't', '{kind}', {_AT})"
    )


def _chunk(start: str, end: str, *, migration_id: str = "m1", state: str = "open") -> str:
    return (
        "INSERT INTO chunks (migration_id, tenant, range_start, range_end, state, reached, owner, token, rows_in, rows_out,"
        f" failed) VALUES ('{migration_id}', '', '{start}', '{end}', '{state}', '', '', 0, 0, 0, 0)"
    )


def _router(*, pin: str = "Docs", acknowledged: int = 1, protocol: int = 1, lease_s: float = 10) -> str:
    return (
        "INSERT INTO routers (pin, router_id, expires_at, lease_s, acknowledged_version, protocol_version, runs_at)"
        f" VALUES ('{pin}', 'r9', {_AT}, {lease_s}, {acknowledged}, {protocol}, '')"
    )


def _replace(table: str, **changes: str) -> str:
    """The row that is there already, written over with ``changes`` (SQL expressions)."""
    columns = [column.name for column in metadata.tables[table].columns]
    values = ", ".join(changes.get(name, name) for name in columns)
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}"


@dataclass(frozen=True)
class Attempt:
    """``rule`` is the trigger that refuses it, and the only one; ``given`` brings about what it takes."""

    rule: str
    statement: str
    given: Callable[[LedgerCase], object] = _nothing
    also_held: bool = False
    """A foreign key or another trigger refuses it too."""


_RETIRE = "UPDATE migrations SET phase = 'retired', version = version + 1 WHERE id = 'm1'"
_TO_THE_SHADOW = "UPDATE pins SET collection = 'Docs_v2' WHERE name = 'Docs'"

ATTEMPTS = (
    # one road for a migration
    Attempt("migrations_on_insert", _migration(phase="discarded")),
    Attempt(
        "migrations_on_update", "UPDATE migrations SET phase = 'verified', percent = 0, version = version + 1 WHERE id = 'm1'"
    ),
    Attempt(
        "migrations_on_update",
        "UPDATE migrations SET phase = 'rolled_back', percent = 0, version = version + 2 WHERE id = 'm1'",
    ),
    Attempt("migrations_on_update", "UPDATE migrations SET percent = 100 WHERE id = 'm1'"),
    Attempt("migrations_on_update", "UPDATE migrations SET version = version - 1 WHERE id = 'm1'"),
    Attempt("migrations_on_delete", "DELETE FROM migrations WHERE id = 'o1'"),
    Attempt("migrations_same", "UPDATE migrations SET shadow = 'Docs_v9' WHERE id = 'm1'"),
    Attempt("migrations_same", "UPDATE migrations SET pin = 'Third' WHERE id = 'o1'"),
    Attempt("migrations_same", "UPDATE migrations SET spec = '{}' WHERE id = 'm1'"),
    Attempt("migrations_same", "UPDATE migrations SET from_space = '{}' WHERE id = 'm1'"),
    Attempt("migrations_same", "UPDATE migrations SET attempt = 2 WHERE id = 'm1'"),
    Attempt("migrations_protocol_on_update", "UPDATE migrations SET protocol_version = 2 WHERE id = 'm1'"),
    Attempt("moves_fixed_on_insert", "INSERT INTO moves (origin, target) VALUES ('planned', 'serving')"),
    Attempt("moves_fixed_on_update", "UPDATE moves SET target = 'retired' WHERE origin = 'planned' AND target = 'discarded'"),
    Attempt("moves_fixed_on_delete", "DELETE FROM moves WHERE target = 'rolled_back'"),
    # only the flip retires
    Attempt("migrations_flip", _RETIRE),
    Attempt("migrations_flip", _RETIRE, _frozen),
    Attempt("migrations_flip", _RETIRE, _frozen_and_empty),
    Attempt("migrations_flip", _RETIRE, _frozen_and_all_copied),
    Attempt("pins_in_migration", "UPDATE pins SET collection = 'Elsewhere' WHERE name = 'Docs'"),
    Attempt("pins_in_migration", "UPDATE pins SET space = 'a/b@2' WHERE name = 'Docs'"),
    Attempt("pins_in_migration", "UPDATE pins SET collection = 'Elsewhere' WHERE name = 'Docs'", _frozen_and_all_copied),
    Attempt("pins_in_migration", _TO_THE_SHADOW),
    # routing
    Attempt("routing_on_update", "UPDATE routing SET version = 2, percent = 0 WHERE pin = 'Docs'"),
    Attempt("routing_on_delete", "DELETE FROM routing WHERE pin = 'Docs'"),
    Attempt(
        "routing_as_in_history_on_update", "UPDATE routing SET version = 4, percent = 100 WHERE pin = 'Docs'", _history_ahead
    ),
    Attempt(
        "routing_as_in_history_on_update",
        "UPDATE routing SET version = 4, percent = 25, authority = 'Docs_v2' WHERE pin = 'Docs'",
        _history_ahead,
    ),
    Attempt(
        "routing_as_in_history_on_insert",
        "INSERT INTO routing (pin, version, mode, percent, authority, reason, published_at)"
        f" VALUES ('New', 1, 'live_only', 0, 'Elsewhere', '', {_AT})",
        _new_pin,
    ),
    Attempt("routing_versions_on_update", "UPDATE routing_versions SET reason = 'another' WHERE version = 1"),
    Attempt("routing_versions_on_delete", "DELETE FROM routing_versions WHERE pin = 'Docs' AND version = 1"),
    Attempt("routing_versions_grow", _version("Docs", 0, "live_only", 0, "Docs_v1", None)),
    Attempt("routing_versions_of_migration", _version("Docs", 4, "dual", 0, "Docs_v1", None)),
    Attempt("routing_versions_of_migration", _version("Other", 2, "dual", 0, "Other_v1", "o1")),
    Attempt("routing_versions_of_migration", _version("Other", 2, "dual", 0, "Other_v1", "m1")),
    Attempt("routing_versions_serving", _version("Other", 3, "dual", 5, "Other_v1", "o1"), _other_dual),
    Attempt("routing_versions_serving", _version("Docs", 4, "freeze", 25, "Docs_v1", "m1")),
    Attempt("routing_versions_switched_off", _version("Other", 4, "dual", 0, "Other_v1", "o1"), _other_switched_off),
    Attempt("routing_versions_authority", _version("Docs", 4, "dual", 5, "Docs_v2", "m1")),
    # routers
    Attempt("routers_acknowledge_on_insert", _router(acknowledged=99)),
    Attempt("routers_acknowledge_on_insert", _router(lease_s=-1)),
    Attempt("routers_acknowledge_on_update", "UPDATE routers SET acknowledged_version = 99 WHERE router_id = 'r1'"),
    Attempt("routers_speak_on_insert", _router(protocol=9)),
    Attempt("routers_speak_on_update", f"UPDATE routers SET protocol_version = 9, expires_at = {_AT} WHERE router_id = 'r1'"),
    Attempt("routers_dismissed_on_update", f"UPDATE routers SET expires_at = {_AT} WHERE router_id = 'r1'", _dismissed),
    # the journal
    Attempt("journal_copying", _row("o1")),
    Attempt("journal_copying", _row("o1"), _other_switched_off),
    Attempt("journal_copying", _row(kind="backfill"), _frozen),
    Attempt("journal_copying", _row(kind="parity"), _frozen),
    Attempt("journal_lease_on_insert", _row(owner="router-unknown")),
    Attempt("journal_same", "UPDATE journal SET key = 'another'"),
    Attempt("journal_same", "UPDATE journal SET tenant = 'another'"),
    Attempt("journal_same", "UPDATE journal SET kind = 'parity'"),
    Attempt("journal_same", "UPDATE journal SET id = id + 100"),
    Attempt("journal_same", "UPDATE journal SET opened_at = '2099-01-01 00:00:00.000000'"),
    Attempt("journal_token", "UPDATE journal SET owner = 'thief'"),
    Attempt("journal_speak_on_update", "UPDATE journal SET owner = 'router-old', token = 'x'", _other_with_a_row),
    # chunks
    Attempt("chunks_disjoint", _chunk(FIRST[0], "4")),
    Attempt("chunks_disjoint", _chunk("1", "2")),
    Attempt("chunks_disjoint", _chunk("1", "9")),
    Attempt("chunks_same", f"UPDATE chunks SET range_end = '1' WHERE range_end = '{FIRST[1]}'"),
    Attempt("chunks_same", "UPDATE chunks SET tenant = 'another'"),
    Attempt("chunks_same", "UPDATE chunks SET token = token - 1"),
    Attempt("chunks_same", "UPDATE chunks SET owner = 'thief'"),
    Attempt("chunks_kept", "DELETE FROM chunks"),
    # what was
    Attempt("verdicts_on_update", "UPDATE verdicts SET outcome = 'PASS'"),
    Attempt("verdicts_on_delete", "DELETE FROM verdicts"),
    Attempt("events_on_update", "UPDATE events SET who = 'nobody'"),
    Attempt("events_on_delete", "DELETE FROM events"),
    Attempt("spend_settled", "UPDATE spend SET nano_usd = 0 WHERE settled"),
    Attempt("spend_settled", "UPDATE spend SET settled = false WHERE settled"),
    Attempt("spend_kept", "DELETE FROM spend"),
    Attempt("spend_kept", "DELETE FROM spend WHERE settled"),
    Attempt("spend_kept", "DELETE FROM spend", _summed_for_another_purpose),
    Attempt("spend_kept", "DELETE FROM spend WHERE NOT settled", _summed),
)

ON_SQLITE = (
    # INSERT OR REPLACE takes a row away and asks no trigger for DELETE.
    Attempt("events_not_replaced", _replace("events", who="'nobody'")),
    Attempt("verdicts_not_replaced", _replace("verdicts", outcome="'PASS'")),
    Attempt("journal_not_replaced", _replace("journal", owner="'thief'")),
    Attempt("spend_not_replaced", _replace("spend", nano_usd="0")),
    Attempt("pins_not_replaced", _replace("pins", collection="'Elsewhere'") + " WHERE name = 'Docs'"),
    Attempt("routing_not_replaced", _replace("routing", version="2", percent="0") + " WHERE pin = 'Docs'"),
    Attempt("migrations_not_replaced", _migration("o2", pin="Other", shadow="Other_v3").replace("INSERT", "INSERT OR REPLACE")),
    Attempt("migrations_not_replaced", _migration("o1", pin="Third", shadow="Third_v2").replace("INSERT", "INSERT OR REPLACE")),
    Attempt("accounts_not_replaced", _replace("accounts", nano_usd="0", requests="0")),
    Attempt("routing_versions_grow", _replace("routing_versions", reason="'another'") + " WHERE version = 1"),
)

ON_POSTGRESQL = (
    *(Attempt(f"{table}_on_truncate", f"TRUNCATE {table}") for table in ("events", "verdicts", "routing")),
    *(
        Attempt(f"{table}_on_truncate", f"TRUNCATE {table} CASCADE", also_held=True)
        for table in ("migrations", "routing_versions")
    ),
    *(Attempt(f"{table}_never_truncated", f"TRUNCATE {table}") for table in ("journal", "chunks", "spend", "moves")),
)

CHECKED = (
    # constraint, statement
    ("migrations_phase", "UPDATE migrations SET phase = 'lost', version = version + 1 WHERE id = 'o1'"),
    ("migrations_percent", "UPDATE migrations SET percent = 101, version = version + 1 WHERE id = 'm1'"),
    (
        "migrations_percent_when_serving",
        "UPDATE migrations SET phase = 'shadow_created', percent = 5, version = version + 1 WHERE id = 'o1'",
    ),
    ("migrations_id", _migration("o1", pin="Third", shadow="Third_v2")),
    ("migrations_shadow_is_new", _migration("o2", pin="Other", shadow="Other_v2")),
    ("migrations_one_active", _migration()),
    ("migrations_pin", _migration(pin="Nowhere")),
    ("moves_key", "INSERT INTO moves (origin, target) VALUES ('planned', 'discarded')"),
    ("pins", "INSERT INTO pins (name, collection, space, document) VALUES ('Docs', 'Docs_v1', 's', '{}')"),
    ("routing_versions_pin", _version("Nowhere", 1, "live_only", 0, "x", None)),
    ("routing_versions_migration", _version("Docs", 4, "live_only", 0, "Docs_v1", "m9")),
    ("routing_versions_key", _version("Docs", 3, "dual", 5, "Docs_v1", "m1")),
    ("routing_versions_mode", _version("Docs", 4, "both", 5, "Docs_v1", "m1")),
    ("routing_versions_percent", _version("Docs", 4, "live_only", 5, "Docs_v1", "m1")),
    ("routing_versions_percent", _version("Docs", 4, "dual", 101, "Docs_v1", "m1")),
    ("routing_is_in_its_history", "UPDATE routing SET version = 9 WHERE pin = 'Docs'"),
    ("routing", f"INSERT INTO routing SELECT pin, version, mode, percent, authority, migration_id, '', {_AT} FROM routing"),
    ("journal_migration", _row("m9")),
    ("journal_kind", _row(kind="other")),
    ("routers_pin", _router(pin="Nowhere")),
    ("routers_key", _router().replace("'r9'", "'r1'")),
    (
        "observations_arm",
        "INSERT INTO observations (pin, version, arm, router_id, queries, served, fallbacks, errors, empty, useful, useless,"
        " latency) VALUES ('Docs', 1, 'both', 'r', 0, 0, 0, 0, 0, 0, 0, '{}')",
    ),
    ("chunks_migration", _chunk("a", "b", migration_id="m9")),
    ("chunks_range", _chunk(*FIRST)),
    ("chunks_state", "UPDATE chunks SET state = 'lost'"),
    ("chunks_range_order", _chunk("b", "a", migration_id="o1")),
    ("chunks_range_order", _chunk("a", "a", migration_id="o1")),
    ("chunks_counts", "UPDATE chunks SET rows_in = -1"),
    ("chunks_counts", "UPDATE chunks SET failed = -1"),
    (
        "verdicts_migration",
        f"INSERT INTO verdicts (migration_id, at, stage, outcome, document) VALUES ('m9', {_AT}, 'plan', 'PASS', '{{}}')",
    ),
    (
        "verdicts_outcome",
        f"INSERT INTO verdicts (migration_id, at, stage, outcome, document) VALUES ('m1', {_AT}, 'plan', 'FINE', '{{}}')",
    ),
    ("accounts_never_negative", "UPDATE accounts SET nano_usd = -1"),
    ("accounts_never_negative", "UPDATE accounts SET unsettled = -1"),
    ("accounts_key", "INSERT INTO accounts SELECT pin, migration_id, 0, 0, 0, 0 FROM accounts"),
    ("spend_never_negative", "UPDATE spend SET tokens = -1 WHERE NOT settled"),
    ("spend_never_negative", "UPDATE spend SET nano_usd = -1 WHERE NOT settled"),
    ("spend_account", "DELETE FROM accounts"),
    (
        "capacity_key",
        f"INSERT INTO capacity (account, model, began_at, state) VALUES ('a', 'm', {_AT}, '{{}}'), ('a', 'm', {_AT}, '{{}}')",
    ),
    ("golden_pin", "INSERT INTO golden (pin, query_id, place, document) VALUES ('Nowhere', 'q', 0, '{}')"),
    (
        "measurements_migration",
        "INSERT INTO measurements (migration_id, stage, place, document) VALUES ('m9', 'plan', 0, '{}')",
    ),
)
_ANY_NUMBER_WILL_DO = frozenset(
    {"observations_key", "golden_key", "measurements_key"}  # what stands there twice is counted or shown twice, no more
)


class States:
    """Ledgers in a state that something was done to, each made once: what is tried on them is undone."""

    def __init__(self, kind: str, made: Callable[[], str], copied: Callable[[str], str]) -> None:
        self._kind, self._copied = kind, copied
        self._cases: dict[Callable[[LedgerCase], object], LedgerCase] = {}
        self._first = made()
        first = LedgerCase(kind, self._first)
        _begin(first)
        first.close()  # before it is copied

    def after(self, given: Callable[[LedgerCase], object] = _nothing) -> LedgerCase:
        if given not in self._cases:
            case = self._cases[given] = LedgerCase(self._kind, self._copied(self._first))
            given(case)
        return self._cases[given]

    def close(self) -> None:
        for case in self._cases.values():
            case.close()


@pytest.fixture(scope="module")
def sqlite_states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[States]:
    folder = tmp_path_factory.mktemp("constraints")
    numbers = itertools.count()

    def copied(url: str) -> str:
        target = folder / f"{next(numbers)}.db"
        shutil.copyfile(url.removeprefix("sqlite:///"), target)
        return f"sqlite:///{target}"

    states = States("sqlite", lambda: f"sqlite:///{folder / 'first.db'}", copied)
    yield states
    states.close()


@pytest.fixture(scope="module")
def postgresql_states(postgres_server: PostgresServer) -> Iterator[States]:
    states = States("postgresql", postgres_server.fresh_database, postgres_server.copied_database)
    yield states
    states.close()


@pytest.fixture(params=("sqlite", "postgresql"))
def states(request: pytest.FixtureRequest) -> States:
    found: States = request.getfixturevalue(f"{request.param}_states")
    return found


def _begin(case: LedgerCase) -> None:
    """Docs serves 5% in migration m1, with a row, two chunks, a lease, a verdict and spend; Other has planned migration o1."""
    ledger = case.ledger
    case.at(Phase.SERVING, percent=5)
    ledger.register(lease("r1", acknowledged=2))
    ledger.open_rows("m1", ["k"], tenant=None, owner="w", kind=RowKind.WRITE)
    ledger.plan_chunks("m1", [Chunk("m1", start, end) for start, end in even_ranges(2)])
    ledger.record_verdict("m1", Verdict("plan", Outcome.FAIL, "too dear", {}))
    for settled in (True, False):
        reservation = ledger.reserve(
            pin="Docs", migration_id="m1", purpose=Purpose.BACKFILL, tokens=1, cost_usd=0.5, budget_usd=None
        )
        if settled:
            ledger.settle(reservation, tokens=1, cost_usd=0.25)
    ledger.save_pin(replace(PIN, name="Third", collection="Third_v1"), **WHO)
    _other_pin(case, OTHER)


def _other_pin(case: LedgerCase, pin: Pin) -> None:
    """Its router speaks a protocol of long ago; it registered before there was a migration to mind."""
    case.ledger.save_pin(pin, **WHO)
    case.ledger.register(lease("router-old", pin=pin.name, speaks=9))
    case.ledger.start_migration(planned("o1", shadow="Other_v2", pin=pin), **WHO)


def _numbered(attempts: Sequence[Attempt]) -> list[Any]:
    return [pytest.param(attempt, id=f"{attempt.rule}-{place}") for place, attempt in enumerate(attempts)]


def _only_this_rule_refuses(states: States, attempt: Attempt) -> None:
    with undone(states.after(attempt.given).url) as connection:
        assert refusal(connection, attempt.statement) is not None
        drop_trigger(connection, attempt.rule)
        assert attempt.also_held or refusal(connection, attempt.statement) is None


@pytest.mark.parametrize("attempt", _numbered(ATTEMPTS))
def test_the_database_refuses_and_without_the_rule_it_would_not(states: States, attempt: Attempt) -> None:
    _only_this_rule_refuses(states, attempt)


@pytest.mark.parametrize("attempt", _numbered(ON_SQLITE))
def test_a_row_is_not_written_over(sqlite_states: States, attempt: Attempt) -> None:
    _only_this_rule_refuses(sqlite_states, attempt)


@pytest.mark.parametrize("attempt", _numbered(ON_POSTGRESQL))
def test_a_table_is_not_emptied(postgresql_states: States, attempt: Attempt) -> None:
    _only_this_rule_refuses(postgresql_states, attempt)


@pytest.mark.parametrize(("constraint", "statement"), CHECKED)
def test_a_constraint_refuses(states: States, constraint: str, statement: str) -> None:
    with undone(states.after().url) as connection:
        assert refusal(connection, statement), constraint


def test_a_refused_statement_changes_nothing(states: States) -> None:
    case = states.after()
    before = case.ledger.snapshot("Docs")
    for statement in ("UPDATE journal SET owner = 'thief'", _RETIRE):
        with pytest.raises(DBAPIError):
            case.sql(statement)
    assert replace(case.ledger.snapshot("Docs"), oldest_row_age_s=before.oldest_row_age_s) == before
    assert case.ledger.migration("m1").phase is Phase.SERVING


def test_the_rules_let_a_flip_through_when_all_that_it_needs_is_so(states: States) -> None:
    """Pin first, then the phase; the flip itself is tried in test_ledger_freeze."""
    with undone(states.after(_frozen_and_all_copied).url) as connection:
        assert refusal(connection, _TO_THE_SHADOW) is None
        assert refusal(connection, _RETIRE) is None


def test_each_trigger_of_the_ledger_is_tried(sqlite_states: States, postgresql_states: States) -> None:
    for states, here_only in ((sqlite_states, ON_SQLITE), (postgresql_states, ON_POSTGRESQL)):
        with undone(states.after().url) as connection:
            assert set(triggers(connection)) == {attempt.rule for attempt in (*ATTEMPTS, *here_only)}


def test_each_constraint_of_the_ledger_is_tried() -> None:
    named = (CheckConstraint, UniqueConstraint, ForeignKeyConstraint, PrimaryKeyConstraint)
    held = {c.name for t in metadata.tables.values() for c in t.constraints if isinstance(c, named) and c.name}
    assert held - _ANY_NUMBER_WILL_DO - {name for name, _ in CHECKED} == set()


def test_a_settled_row_goes_where_a_sum_stands_for_it(states: States) -> None:
    with undone(states.after(_summed).url) as connection:
        assert refusal(connection, "DELETE FROM spend WHERE settled AND through IS NULL") is None
        assert connection.exec_driver_sql("SELECT count(*) FROM spend").scalar() == 2


def test_chunks_that_two_planners_add_at_once_do_not_overlap(sql_case: LedgerCase) -> None:
    """In PostgreSQL neither sees the other's before it commits: the rule takes the migration's row as its turn."""
    sql_case.at(Phase.DUAL_WRITING)
    plans = [[Chunk("m1", start, end) for start, end in even_ranges(number)] for number in (3, 4)]
    ledgers = [sql_case.another() for _ in plans]
    at_once(*(partial(ledger.plan_chunks, "m1", plan) for ledger, plan in zip(ledgers, plans, strict=True)))
    stored = sql_case.ledger.chunks("m1")
    assert len(stored) in (3, 4)
    assert all(before.end <= after.start for before, after in pairwise(stored))
