"""Steps that a crash breaks: patches in tests only. Each is as a first draft of the step might have been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from vecferry.checks import objects
from vecferry.domain.journal import JournalRow, RowKind
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.objects import StoredObject
from vecferry.ports import Ports, Purpose
from vecferry.protocol.fence import Fence
from vecferry.protocol.ownership import OwnedRows
from vecferry.protocol.reconcile import Reconciler
from vecferry.steps import backfill, copying, create_shadow, cut_over, discard, prove_vectorizer, retire, stage_runner


def publishes_its_routing_again(patch: pytest.MonkeyPatch) -> None:
    """The act does not look whether its phase is behind it."""
    patch.setattr(cut_over, "has_work", lambda stage, migration: True)


def checkpoints_before_it_copies(patch: pytest.MonkeyPatch) -> None:
    """Progress is recorded before the effect is confirmed."""

    copy = backfill._Copying._copy

    def copy_later(self: Any, page: Any) -> int:
        record(self, page, len(page.keys))
        return copy(self, page)

    record = backfill._Copying._record
    patch.setattr(backfill._Copying, "_copy", copy_later)
    patch.setattr(backfill._Copying, "_record", lambda self, page, done: None)


def refuses_its_own_shadow(patch: pytest.MonkeyPatch) -> None:
    """A collection of that name exists, and it is not asked whose it is."""
    patch.setattr(create_shadow, "is_ours", lambda schema, migration: False)


def copies_without_rows(patch: pytest.MonkeyPatch) -> None:
    """Rule 11."""

    def no_rows(ledger: Any, clock: Any, timings: Any, migration_id: str, keys: Sequence[str], **named: Any) -> OwnedRows:
        rows = tuple(JournalRow(-1, migration_id, named["tenant"], key, "", "", RowKind.BACKFILL) for key in keys)
        return OwnedRows(rows, named["tenant"], Fence(clock, clock.monotonic() + timings.row_deadline_s))

    patch.setattr(copying, "open_rows", no_rows)


def forgets_the_shadow_of_a_discarded_migration(patch: pytest.MonkeyPatch) -> None:
    """The phase is taken for the effect."""
    act = discard.act

    def once(ports: Ports, migration_id: str, *, who: str, why: str) -> dict[str, Any]:
        if ports.ledger.migration(migration_id).phase is Phase.DISCARDED:
            return {}
        return act(ports, migration_id, who=who, why=why)

    patch.setattr(discard, "act", once)


def leaves_the_old_collection_open(patch: pytest.MonkeyPatch) -> None:
    """After the flip nothing is looked at again."""
    act = retire.act

    def once(ports: Ports, migration_id: str) -> dict[str, Any]:
        return {} if ports.ledger.migration(migration_id).phase is Phase.RETIRED else act(ports, migration_id)

    patch.setitem(stage_runner._PARTS, "retire", replace(stage_runner._PARTS["retire"], act=once))


def moves_aliases_with_its_own_flip_only(patch: pytest.MonkeyPatch) -> None:
    """What a dead process left to move stays where it is."""
    _with_its_own_flip_only(patch, "move_aliases")


def holds_only_what_it_has_just_created(patch: pytest.MonkeyPatch) -> None:
    """A shadow that is there already is taken to be held."""
    create, hold = create_shadow._create, create_shadow.hold

    def trusting(ports: Ports, migration: Migration) -> None:
        there = migration.spec.shadow in ports.store.collections()
        patch.setattr(create_shadow, "hold", hold if not there else lambda *given: None)
        create(ports, migration)

    patch.setattr(create_shadow, "_create", trusting)


def lets_go_with_its_own_flip_only(patch: pytest.MonkeyPatch) -> None:
    """What a dead process left held stays so."""
    _with_its_own_flip_only(patch, "let_go")


def _with_its_own_flip_only(patch: pytest.MonkeyPatch, name: str) -> None:
    act, effect = retire.act, getattr(retire, name)

    def forgetful(ports: Ports, migration_id: str) -> dict[str, Any]:
        flips = ports.ledger.migration(migration_id).phase is not Phase.RETIRED
        patch.setattr(retire, name, effect if flips else lambda *given: "none")
        return act(ports, migration_id)

    patch.setitem(stage_runner._PARTS, "retire", replace(stage_runner._PARTS["retire"], act=forgetful))


def forgets_a_trial_that_came_later(patch: pytest.MonkeyPatch) -> None:
    """The proof's scratch collection is dropped by the run that made it, and by no other."""
    patch.setattr(prove_vectorizer, "clear", lambda *given: None)


def tells_of_no_flip_but_its_own(patch: pytest.MonkeyPatch) -> None:
    """What was held and until when the old collection is kept is told by the process that flipped, or by nobody."""
    act, record = retire.act, retire._record_once

    def forgetful(ports: Ports, migration_id: str) -> dict[str, Any]:
        flips = ports.ledger.migration(migration_id).phase is not Phase.RETIRED
        patch.setattr(retire, "_record_once", record if flips else lambda *given: None)
        return act(ports, migration_id)

    patch.setitem(stage_runner._PARTS, "retire", replace(stage_runner._PARTS["retire"], act=forgetful))


def pays_before_it_looks(patch: pytest.MonkeyPatch) -> None:
    """What the shadow has already is embedded once more."""
    write = Reconciler._write

    def paid(
        self: Reconciler,
        keys: list[str],
        live: Mapping[str, StoredObject],
        tenant: Any,
        fence: Any,
        purpose: Purpose,
        *more: Any,
    ) -> None:
        texts = [text for key in keys if key in live and (text := self.spec.text_of(live[key]))]
        if texts:
            self.embedder.embed_documents(texts, purpose=purpose, timeout_s=1.0)
        write(self, keys, live, tenant, fence, purpose, *more)

    patch.setattr(Reconciler, "_write", paid)


def judges_what_a_dead_owner_left(patch: pytest.MonkeyPatch) -> None:
    """The gate does not wait for the janitor."""
    patch.setattr(objects, "_covered", lambda ports, migration, keys: set())
