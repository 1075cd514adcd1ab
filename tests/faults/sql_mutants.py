"""The mutants of ``mutants.py`` whose rule lives in the ledger, for the ledgers in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from tests.faults import mutants
from tests.faults.mutants import Mutant
from vecferry.adapters.ledger import freeze, journal
from vecferry.adapters.ledger.database_clock import now
from vecferry.adapters.ledger.given_rows import keys_relation
from vecferry.adapters.ledger.tables import journal as rows_table
from vecferry.domain.journal import JournalRow
from vecferry.steps import retire
from vecferry.steps.readiness import YES


def mutant_on(kind: str, mutant: Mutant) -> Mutant:
    """The same rule dropped on this kind of ledger. What the database itself holds of it is in ``HELD_BY``."""
    return mutant if kind == "memory" else _TWINS.get(mutant, mutant)


def rows_are_closed_by_id_alone(patch: pytest.MonkeyPatch) -> None:
    """Rule 8."""

    def close(connection: Connection, *, held: Mapping[tuple[str, str], Sequence[int]]) -> int:
        ids = [row_id for of_owner in held.values() for row_id in of_owner]
        return int(connection.execute(delete(rows_table).where(rows_table.c.id.in_(ids))).rowcount)

    patch.setattr(journal, "_close", close)


def claims_keep_the_token(patch: pytest.MonkeyPatch) -> None:
    """Rule 10."""

    def claim(connection: Connection, *, rows: Sequence[JournalRow], owner: str) -> list[JournalRow]:
        mine = rows_table.c.id.in_([row.id for row in rows])
        same = update(rows_table).where(mine).values(token=rows_table.c.token).returning(rows_table.c.id)
        there = set(connection.execute(same).scalars())
        return [row for row in rows if row.id in there]

    patch.setattr(journal, "_claim", claim)


def the_flip_ignores_the_journal(patch: pytest.MonkeyPatch) -> None:
    """Retire, steps 3 and 4."""
    readiness = freeze._readiness
    patch.setattr(retire, "obstacle", lambda ports, migration: None)
    patch.setattr(retire, "_journal_empty", lambda ports, migration: YES)
    patch.setattr(freeze, "_readiness", lambda *given: replace(readiness(*given), journal_rows=0))


def copiers_may_start_after_the_flip(patch: pytest.MonkeyPatch) -> None:
    """Retire, step 1: rows are inserted whatever the routing is."""

    def open_statement(dialect: str) -> Any:
        given = keys_relation(dialect)
        names = ("migration_id", "tenant", "owner", "token", "kind")
        bound = {name: bindparam(name) for name in names}
        columns = {**bound, "key": given.c.key, "opened_at": now()}
        chosen = select(*(column.label(name) for name, column in columns.items())).order_by(given.c.place)
        return insert(rows_table).from_select(list(columns), chosen).returning(rows_table.c.id, rows_table.c.key)

    patch.setattr(journal, "open_statement", open_statement)


def nothing_stops_an_expired_router(patch: pytest.MonkeyPatch) -> None:
    """Rule 15 and retire, step 4, at once."""
    mutants.owners_do_not_fence_themselves(patch)
    copiers_may_start_after_the_flip(patch)


_TWINS: dict[Mutant, Mutant] = {
    mutants.rows_are_closed_by_id_alone: rows_are_closed_by_id_alone,
    mutants.claims_keep_the_token: claims_keep_the_token,
    mutants.the_flip_ignores_the_journal: the_flip_ignores_the_journal,
    mutants.copiers_may_start_after_the_flip: copiers_may_start_after_the_flip,
    mutants.nothing_stops_an_expired_router: nothing_stops_an_expired_router,
}

HELD_BY: dict[Mutant, tuple[tuple[str, str], ...]] = {
    mutants.the_flip_ignores_the_journal: (("migrations", "migrations_flip"),),
    mutants.copiers_may_start_after_the_flip: (("journal", "journal_copying"),),
    mutants.nothing_stops_an_expired_router: (("journal", "journal_copying"),),
}
"""Tables and their triggers: a code that forgot the rule is stopped there, so a mutant needs them dropped too."""
