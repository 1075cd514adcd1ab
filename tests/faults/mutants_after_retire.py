"""The old collection after the flip, and the old model that dies before it, each with one rule dropped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from vecferry.adapters.ledger import routing_rules
from vecferry.domain import routing
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.routing import barrier
from vecferry.errors import Retryable
from vecferry.steps import drop_old, force_100


def the_deletion_waits_for_no_router(patch: pytest.MonkeyPatch) -> None:
    """Retire, step 6."""
    patch.setattr(drop_old, "_refuse_while_a_router_may_hold_it", lambda *given: None)


def the_deletion_takes_a_word_for_a_lease(patch: pytest.MonkeyPatch) -> None:
    """Retire, step 6: as the barriers that can be taken back do."""

    def refuse(ports: Any, migration: Any, old: Any) -> None:
        leases, now = ports.ledger.leases(migration.pin)
        if not barrier(leases, old.flipped.version, now=now, quarantine_s=ports.timings.quarantine_s).passed:
            raise Retryable("somebody holds it")

    patch.setattr(drop_old, "_refuse_while_a_router_may_hold_it", refuse)


def nobody_asks_about_auto_schema(patch: pytest.MonkeyPatch) -> None:
    """Retire, step 6. The shards of what was brought back are writable."""
    patch.setattr(drop_old, "_refuse_if_a_write_would_bring_it_back", lambda *given: None)


def whatever_has_the_name_is_the_old_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(drop_old, "is_signed", lambda *given: True)


def a_gone_model_may_be_gone_back_to(patch: pytest.MonkeyPatch) -> None:
    """If the old model dies before retire: the ledger does not look at the flag."""
    check_move = routing_rules.check_move

    def forgetful(given: Migration, stored: Migration, to: Phase) -> None:
        check_move(given, replace(stored, options={}), to)

    patch.setattr(routing_rules, "check_move", forgetful)


def any_shadow_stands_in(patch: pytest.MonkeyPatch) -> None:
    """If the old model dies before retire: whatever is known of the shadow."""
    patch.setattr(routing, "_PROVEN", frozenset(Phase))


def a_force_excuses_a_canary_at_once(patch: pytest.MonkeyPatch) -> None:
    """What a person passes over counts from the acceptance on, whether or not 100% followed."""

    def accepted(ports: Any, migration: Migration, stage: str) -> bool:
        return any(verdict.stage == stage and verdict.accepted_by for _, verdict in ports.ledger.verdicts(migration.id))

    patch.setattr(force_100, "was_passed_over", accepted)
