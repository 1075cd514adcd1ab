"""The mutants by name: those of the schedules on fakes, in SQL where the ledger matters, and what only real ones need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from tests.faults import mutants, sql_mutants
from tests.faults.nemesis.mutants import MUTANTS
from tests.support.plain_sql import drop_trigger, triggers
from vecferry.adapters.ledger import freeze
from vecferry.errors import UnknownOutcome
from vecferry.protocol import reconcile
from vecferry.protocol.reconcile import Reconciled, Reconciler
from vecferry.router.dual_writer import DualWriter, Sending, WriteOperation

Mutant = Callable[[Any], None]


def mutant_of(name: str) -> Mutant:
    """On a ledger in SQL, before, during and after a migration."""
    if name not in MUTANTS:
        raise KeyError(name)
    own = _OWN.get(name)
    return own or sql_mutants.mutant_on("sqlite", getattr(mutants, name))


def unknown_live_writes_are_followed(patch: Any) -> None:
    """Rule 4, on live; where nothing is copied there is nothing to follow."""
    original = DualWriter.sending

    @contextmanager
    def sending(self: DualWriter, operation: WriteOperation, keys: Sequence[str], tenant: Any) -> Iterator[Sending]:
        if not operation.snapshot.copying:
            with original(self, operation, keys, tenant) as as_it_is:
                yield as_it_is
            return
        owned = self._open_rows(operation, keys, tenant)
        try:
            yield Sending(owned.fence)
        finally:
            self._follow(operation.snapshot, owned)

    patch.setattr(DualWriter, "sending", sending)


def unknown_shadow_writes_close_their_rows(patch: Any) -> None:
    """Rule 4, on the shadow: no answer is taken for done."""
    original = Reconciler._until_stable

    def hopeful(self: Reconciler, pending: list[str], *given: Any) -> None:
        done: Reconciled = given[-1]
        try:
            original(self, pending, *given)
        except UnknownOutcome:
            done.in_sync |= set(pending)

    patch.setattr(Reconciler, "_until_stable", hopeful)


def only_the_text_is_compared(patch: Any) -> None:
    """Rule 3. The stamps that the shadow has by now were made with the whole hash, so the comparison itself must be blind."""
    original = reconcile.differences
    blind = ("content", "content stamp")
    patch.setattr(reconcile, "differences", lambda *given: [why for why in original(*given) if why not in blind])


def the_flip_ignores_the_journal(patch: Any) -> None:
    """Retire, steps 3 and 4. The database holds the rule too, so that the flip takes its trigger away first."""
    sql_mutants.the_flip_ignores_the_journal(patch)
    original = freeze._flip

    def unguarded(connection: Connection, **named: Any) -> None:
        for _, trigger in sql_mutants.HELD_BY[mutants.the_flip_ignores_the_journal]:
            if trigger in triggers(connection):
                drop_trigger(connection, trigger)
        original(connection, **named)

    patch.setattr(freeze, "_flip", unguarded)


_OWN: dict[str, Mutant] = {
    "the_flip_ignores_the_journal": the_flip_ignores_the_journal,
    "only_the_text_is_compared": only_the_text_is_compared,
    "unknown_live_writes_are_followed": unknown_live_writes_are_followed,
    "unknown_shadow_writes_close_their_rows": unknown_shadow_writes_close_their_rows,
}
