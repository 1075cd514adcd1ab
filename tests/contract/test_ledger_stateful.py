"""Ledger and lifecycle as a machine: two processes with stale memories drive all three ledgers, which must answer alike and
keep what always holds. Deterministic; a failure prints the shortest sequence of calls that it could find."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.faults import mutants
from tests.support.ledger_case import NEW, PIN, WHO, lease, planned
from tests.support.three_ledgers import Each, Own, ThreeLedgers, empty_sqlite
from vecferry.domain.chunks import Chunk, ChunkState, even_ranges
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import FORWARD, MOVES, Migration, Phase
from vecferry.domain.routing import Mode
from vecferry.errors import VecferryError
from vecferry.ports import Purpose

PROFILE = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=10,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
    phases=(HypothesisPhase.explicit, HypothesisPhase.generate, HypothesisPhase.shrink),
    print_blob=True,
)
LEASE_S, Q = 150.0, 100.0
"""Far above what a slow machine adds to PostgreSQL's clock, which goes on by itself."""
WHEREVER = st.integers(0, 1)
FRESH = st.sampled_from([True, True, False])
FEW = st.integers(0, 3)
DEPTHS = [Phase.PLANNED, Phase.DUAL_WRITING, Phase.VALIDATED, Phase.SERVING, Phase.SERVING, Phase.SERVING]
_ROUTED = {Phase.DUAL_WRITING: (Mode.DUAL, 0), Phase.ROLLED_BACK: (Mode.DUAL, 0), Phase.DISCARDED: (Mode.LIVE_ONLY, 0)}


class LedgerMachine(RuleBasedStateMachine):
    """What a process remembers may be old: it is refreshed where a rule says ``fresh``, or by its own acts."""

    template: Path
    postgres_url: str

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.ledgers = ThreeLedgers(Path(self._folder.name), self.template, self.postgres_url, processes=2)
        self.seen: list[Each | None] = [None, None]
        self.versions = [1, 1]
        self.rows: list[Each] = []
        self.chunks: list[Each] = []
        self.reservations: list[Each] = []
        self.shadows = 1
        self.phases: dict[str, list[Phase]] = {}

    def teardown(self) -> None:
        self.ledgers.close()
        self._folder.cleanup()

    # --- the lifecycle

    @initialize(depth=st.sampled_from(DEPTHS), percent=st.sampled_from([5, 100, 100]))
    def begin(self, depth: Phase, percent: int) -> None:
        """Each life begins somewhere on the road: a machine that only starts at its beginning rarely sees the end."""
        self.ledgers.known(lambda ledger: ledger.save_pin(PIN, **WHO))
        self._start(0, again=False)
        while (migration := self.seen[0]) is not None and migration.of(0).phase is not depth:
            self._forward(0, fresh=False, percent=percent)
        self._look(1)

    @rule(
        where=WHEREVER,
        fresh=FRESH,
        act=st.sampled_from(["start", "forward", "forward", "anywhere", "publish", "pause", "repin"]),
        to=st.sampled_from(Phase),
        mode=st.sampled_from(Mode),
        percent=st.sampled_from([0, 5, 100, 100]),
        odd=st.booleans(),
    )
    def lifecycle(self, where: int, fresh: bool, act: str, to: Phase, mode: Mode, percent: int, odd: bool) -> None:
        """``odd``: into an old name, without a routing, elsewhere."""
        match act:
            case "start":
                self._start(where, odd)
            case "forward":
                self._forward(where, fresh, percent)
            case "anywhere":
                self._anywhere(where, fresh, to, not odd, percent)
            case "publish":
                self._publish(where, fresh, mode, percent)
            case "pause":
                self._pause(where, fresh, "quota" if odd else None)
            case "repin":
                self._repin(where, odd)

    @rule(
        where=WHEREVER,
        act=st.sampled_from(["register", "renew", "renew", "leave", "advance"]),
        name=st.sampled_from(["router-a", "router-b"]),
        speaks=st.sampled_from([1, 1, 1, 2, 9]),
        ahead=st.sampled_from([0, 0, 0, -1, 1]),
        much=st.booleans(),
    )
    def routers(self, where: int, act: str, name: str, speaks: int, ahead: int, much: bool) -> None:
        match act:
            case "register":
                self._register(where, name, speaks)
            case "renew":
                self._renew(where, name, ahead)
            case "leave":
                self._leave(where, name, by_a_person=much)
            case "advance":
                self.ledgers.advance(300 if much else 100)

    @rule(
        where=WHEREVER,
        fresh=FRESH,
        act=st.sampled_from(["open", "claim", "close", "close"]),
        which=FEW,
        keys=st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True),
        kind=st.sampled_from(RowKind),
        owner=st.sampled_from(["router-a", "router-b", "worker"]),
    )
    def journal(self, where: int, fresh: bool, act: str, which: int, keys: list[str], kind: RowKind, owner: str) -> None:
        if act == "open" or not self.rows:
            self._open_rows(where, fresh, keys, kind, owner)
        elif act == "claim":
            self._claim_rows(where, which, owner)
        else:
            self._close_rows(where, which)

    @rule(
        where=WHEREVER,
        fresh=FRESH,
        act=st.sampled_from(["plan", "claim", "checkpoint", "checkpoint", "reopen"]),
        which=FEW,
        done=st.sampled_from([True, True, False]),
    )
    def copying(self, where: int, fresh: bool, act: str, which: int, done: bool) -> None:
        if act == "plan" or not self.chunks:
            self._plan_chunks(where, fresh)
        elif act == "claim":
            self._claim_chunk(where, which)
        elif act == "checkpoint":
            self._checkpoint(where, which, done)
        else:
            self._reopen_chunks(where, fresh)

    @rule(
        where=WHEREVER,
        which=FEW,
        settles=st.booleans(),
        cost=st.sampled_from([0.0, 0.1, 0.4, -1.0]),
        budget=st.sampled_from([None, 1.0]),
    )
    def money(self, where: int, which: int, settles: bool, cost: float, budget: float | None) -> None:
        if settles and self.reservations:
            self._settle(where, which, cost)
        else:
            self._reserve(where, cost, budget)

    def _start(self, where: int, again: bool) -> None:
        """``again``: into a name that an earlier one had."""
        self.shadows += 0 if again else 1
        number, live = self.shadows, self.ledgers.known(lambda ledger: ledger.pin("Docs"))
        migration = replace(planned(f"m{number}", shadow=f"Docs_v{number}"), spec=_spec(f"Docs_v{number}", live.collection))
        self._remember(where, self.ledgers.ask(lambda ledger: ledger.start_migration(migration, **WHO), process=where))

    def _forward(self, where: int, fresh: bool, percent: int) -> None:
        """Along the road, so that the far end is reached; retired is refused here, for only the flip may."""
        migration = self._memory(where, fresh)
        if migration is not None and migration.of(0).phase in FORWARD[:-1]:
            to = FORWARD[FORWARD.index(migration.of(0).phase) + 1]
            self._move(where, migration, to, (Mode.DUAL, percent) if to is Phase.SERVING else _ROUTED.get(to))

    def _anywhere(self, where: int, fresh: bool, to: Phase, routed: bool, percent: int) -> None:
        if (migration := self._memory(where, fresh)) is not None:
            self._move(where, migration, to, _ROUTED.get(to, (Mode.DUAL, percent)) if routed else None)

    def _publish(self, where: int, fresh: bool, mode: Mode, percent: int) -> None:
        if (migration := self._memory(where, fresh)) is not None:
            published = self.ledgers.ask(
                lambda ledger, seen: ledger.publish(seen, mode, percent, **WHO), migration, process=where
            )
            if isinstance(published, Each):
                self.versions[where] = published.of(0).version

    @rule(where=WHEREVER, fresh=FRESH, end=st.sampled_from(["flip", "undo", "undo, flip", "flip, undo", "nothing"]))
    def freeze(self, where: int, fresh: bool, end: str) -> None:
        """What a row, a chunk, a lease or the other process's move stops, is stopped alike."""
        self._publish(where, fresh, Mode.FREEZE, 100)
        for act in end.split(", "):
            if act == "undo":
                self.ledgers.ask(lambda ledger: ledger.undo_freeze("Docs", self.versions[where], **WHO), process=1 - where)
            elif act == "flip":
                self._flip(where)

    def _repin(self, where: int, elsewhere: bool) -> None:
        before = self.ledgers.known(lambda ledger: ledger.pin("Docs"))
        pin = replace(before, collection="Elsewhere") if elsewhere else replace(before, alias="docs")
        self.ledgers.ask(lambda ledger: ledger.save_pin(pin, **WHO), process=where)

    def _pause(self, where: int, fresh: bool, reason: str | None) -> None:
        if (migration := self._memory(where, fresh)) is not None:
            self.ledgers.ask(lambda ledger, seen: ledger.set_paused(seen.id, reason, who="ada"), migration, process=where)

    # --- routers

    def _register(self, where: int, name: str, speaks: int) -> None:
        self.ledgers.ask(
            lambda ledger: ledger.register(lease(name, acknowledged=0, lease_s=LEASE_S, speaks=speaks)), process=where
        )

    def _renew(self, where: int, name: str, ahead: int) -> None:
        version = max(0, self.ledgers.known(lambda ledger: ledger.snapshot("Docs")).routing.version + ahead)
        self.ledgers.ask(
            lambda ledger: ledger.renew(name, pin="Docs", acknowledged_version=version, lease_s=LEASE_S), process=where
        )

    def _leave(self, where: int, name: str, by_a_person: bool) -> None:
        if by_a_person:
            self.ledgers.ask(lambda ledger: ledger.dismiss(name, pin="Docs", **WHO), process=where)
        else:
            self.ledgers.ask(lambda ledger: ledger.deregister(name, pin="Docs"), process=where)

    # --- the journal

    def _open_rows(self, where: int, fresh: bool, keys: list[str], kind: RowKind, owner: str) -> None:
        if (migration := self._memory(where, fresh)) is not None:
            opened = self.ledgers.ask(
                lambda ledger, seen: ledger.open_rows(seen.id, keys, tenant=None, owner=owner, kind=kind),
                migration,
                process=where,
            )
            if isinstance(opened, Each):
                self.rows.append(opened)

    def _close_rows(self, where: int, which: int) -> None:
        """Also those that were claimed or closed since, and the claimant's own."""
        self.ledgers.ask(lambda ledger, rows: ledger.close_rows(rows), self.rows[-1 - which % len(self.rows)], process=where)

    def _claim_rows(self, where: int, which: int, owner: str) -> None:
        rows = self.rows[-1 - which % len(self.rows)]
        claimed = self.ledgers.ask(lambda ledger, held: ledger.claim_rows(held, owner=owner), rows, process=where)
        if isinstance(claimed, Each) and claimed.of(0):
            self.rows.append(claimed)

    # --- chunks

    def _plan_chunks(self, where: int, fresh: bool) -> None:
        if (migration := self._memory(where, fresh)) is not None:
            planned_ = self.ledgers.ask(
                lambda ledger, seen: ledger.plan_chunks(seen.id, [Chunk(seen.id, *ends) for ends in even_ranges(2)]),
                migration,
                process=where,
            )
            if isinstance(planned_, Each):
                self.chunks += [planned_.at(0), planned_.at(1)]

    def _claim_chunk(self, where: int, which: int) -> None:
        chunk = self.chunks[-1 - which % len(self.chunks)]
        claimed = self.ledgers.ask(lambda ledger, held: ledger.claim_chunk(held, owner=f"p{where}"), chunk, process=where)
        if isinstance(claimed, Each):
            self.chunks.append(claimed)

    def _checkpoint(self, where: int, which: int, done: bool) -> None:
        chunk = self.chunks[-1 - which % len(self.chunks)]
        state = ChunkState.DONE if done else ChunkState.OPEN
        self.ledgers.ask(lambda ledger, held: ledger.checkpoint(replace(held, state=state, rows_in=7)), chunk, process=where)

    def _reopen_chunks(self, where: int, fresh: bool) -> None:
        if (migration := self._memory(where, fresh)) is not None:
            self.ledgers.ask(lambda ledger, seen: ledger.reopen_chunks(seen.id), migration, process=where)

    # --- money

    def _reserve(self, where: int, cost: float, budget: float | None) -> None:
        given: dict[str, Any] = {"pin": "Docs", "migration_id": "m2", "purpose": Purpose.BACKFILL, "tokens": 3}
        reserved = self.ledgers.ask(
            lambda ledger: Own(ledger.reserve(**given, cost_usd=cost, budget_usd=budget)), process=where
        )
        if isinstance(reserved, Each):
            self.reservations.append(reserved)

    def _settle(self, where: int, which: int, cost: float) -> None:
        reservation = self.reservations[-1 - which % len(self.reservations)]
        self.ledgers.ask(lambda ledger, held: ledger.settle(held.value, tokens=2, cost_usd=cost), reservation, process=where)

    # --- what always holds

    @invariant()
    def a_pin_has_one_active_migration_at_most_and_it_moves_along_the_table(self) -> None:
        migrations = self.ledgers.known(lambda ledger: ledger.migrations("Docs"))
        assert sum(not migration.ended for migration in migrations) <= 1
        assert len({migration.spec.shadow for migration in migrations}) == len(migrations)
        for migration in migrations:
            assert migration.percent == 0 or migration.phase in (Phase.SERVING, Phase.RETIRED)
            passed = self._passed(migration)
            assert passed[0] is Phase.PLANNED
            assert set(pairwise(passed)) <= MOVES

    @invariant()
    def routing_versions_only_grow_and_say_what_the_phase_allows(self) -> None:
        snapshot = self.ledgers.known(lambda ledger: ledger.snapshot("Docs"))
        routings = self.ledgers.known(lambda ledger: ledger.routings("Docs"))
        assert [routing.version for routing in routings] == list(range(1, len(routings) + 1))
        assert routings[-1].version == snapshot.routing.version
        assert snapshot.routing.authority == snapshot.pin.collection
        if snapshot.routing.mode is not Mode.LIVE_ONLY:
            assert snapshot.migration is not None
            assert snapshot.routing.migration_id == snapshot.migration.id
        if snapshot.routing.percent:
            assert snapshot.migration.phase is Phase.SERVING

    @invariant()
    def rows_leases_chunks_and_money_are_the_same_on_all(self) -> None:
        for shadow in range(2, self.shadows + 1):
            self._rows_of(f"m{shadow}")
            chunks = self.ledgers.known(lambda ledger, of=f"m{shadow}": ledger.chunks(of))
            assert all(before.end <= after.start for before, after in pairwise(chunks))
        self.ledgers.known(lambda ledger: ledger.leases("Docs")[0])
        spent = self.ledgers.known(lambda ledger: ledger.spend(pin="Docs"))
        assert min(spent.tokens, spent.cost_usd, spent.unsettled) >= 0

    # --- what the rules share

    def _memory(self, where: int, fresh: bool) -> Each | None:
        if fresh:
            self._look(where)
        return self.seen[where]

    def _look(self, where: int) -> None:
        found = self.ledgers.ask(lambda ledger: ledger.active_migration("Docs"), process=where)
        if isinstance(found, Each) and found.of(0) is not None:
            self.seen[where] = found
        self.versions[where] = self.ledgers.known(lambda ledger: ledger.snapshot("Docs")).routing.version

    def _flip(self, where: int) -> None:
        if (migration := self.seen[where]) is None:
            return
        new_pin = replace(PIN, collection=migration.of(0).spec.shadow, space=NEW)
        version, open_before = self.versions[where], self._rows_of(migration.of(0).id)
        flipped = self.ledgers.ask(
            lambda ledger, seen: ledger.flip(seen, version, new_pin, quarantine_s=Q, who="retire"), migration, process=where
        )
        if isinstance(flipped, Each):
            assert open_before == 0
            assert self.ledgers.known(lambda ledger: ledger.pin("Docs")) == new_pin

    def _move(self, where: int, migration: Each, to: Phase, routing: tuple[Mode, int] | None) -> None:
        self._remember(
            where,
            self.ledgers.ask(lambda ledger, seen: ledger.move(seen, to, **WHO, routing=routing), migration, process=where),
        )

    def _remember(self, where: int, found: Each | type[VecferryError]) -> None:
        if isinstance(found, Each):
            self.seen[where] = found
            self._passed(found.of(0))

    def _passed(self, migration: Migration) -> list[Phase]:
        """The phases that it was in, this one included."""
        passed = self.phases.setdefault(migration.id, [])
        if passed[-1:] != [migration.phase]:
            passed.append(migration.phase)
        return passed

    def _rows_of(self, migration_id: str) -> int:
        return len(self.ledgers.known(lambda ledger: ledger.rows(migration_id, limit=1000)))


def _spec(shadow: str, live: str) -> Any:
    return replace(planned().spec, live=live, shadow=shadow)


@pytest.fixture
def machine(postgres_ledger_url: str, tmp_path: Path) -> type[LedgerMachine]:
    LedgerMachine.template = empty_sqlite(tmp_path / "empty.db")
    LedgerMachine.postgres_url = postgres_ledger_url
    return LedgerMachine


def test_three_ledgers_answer_alike_and_keep_what_always_holds(machine: type[LedgerMachine]) -> None:
    run_state_machine_as_test(machine, settings=PROFILE)


def test_a_ledger_that_breaks_a_rule_is_found(machine: type[LedgerMachine], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the fake, so that the other two tell it apart."""
    mutants.the_flip_ignores_the_journal(monkeypatch)
    with pytest.raises(AssertionError, match="memory: "):
        run_state_machine_as_test(machine, settings=settings(PROFILE, phases=(HypothesisPhase.generate,), max_examples=30))
