"""A schedule that no broken rule can fail proves nothing: each is made to fail, at a promise and not at a step of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults import (
    mutants,
    test_changed_model,
    test_copiers,
    test_restarted_server,
    test_retire,
    test_routers,
    test_writers,
)
from tests.faults.fault_world import Broken, FaultWorld
from tests.faults.ledgers import LedgerKind
from tests.faults.sql_mutants import HELD_BY, mutant_on

Schedule = Callable[[FaultWorld], None]

IN_DUAL_WRITING: list[tuple[mutants.Mutant, Schedule]] = [
    (
        mutants.without_the_reread_of_live,
        test_writers.test_schedule_1_a_stale_shadow_write_after_a_newer_verify_is_healed_by_the_reread,
    ),
    (
        mutants.unknown_live_writes_are_followed,
        test_writers.test_schedule_2_a_live_write_that_times_out_and_lands_after_the_reconcile,
    ),
    (
        mutants.unknown_shadow_writes_are_tried_again,
        test_writers.test_schedule_3_a_shadow_write_that_times_out_and_lands_between_rewrite_and_reread,
    ),
    (mutants.claims_keep_the_token, test_writers.test_schedule_4_a_janitor_crashes_with_a_shadow_write_in_flight),
    (
        mutants.owners_do_not_fence_themselves,
        test_writers.test_schedule_5_a_paused_owner_whose_row_is_gone_neither_sends_nor_acknowledges,
    ),
    (
        mutants.owners_do_not_fence_themselves,
        test_writers.test_schedule_5_a_paused_owner_acknowledges_nothing_past_its_deadline,
    ),
    (
        mutants.rows_are_closed_by_id_alone,
        test_writers.test_schedule_5_a_paused_owner_does_not_delete_a_row_that_was_claimed,
    ),
    (
        mutants.the_janitor_does_not_ask_the_index,
        test_writers.test_a_copy_that_landed_when_its_server_was_killed_and_no_search_finds,
    ),
    (mutants.copiers_open_no_rows, test_copiers.test_schedule_7_parity_crashes_with_a_put_in_flight_before_a_clean_pass),
    (mutants.the_flip_ignores_the_journal, test_copiers.test_schedule_13_parity_that_has_opened_its_row_before_the_flip),
    (mutants.copiers_may_start_after_the_flip, test_copiers.test_schedule_13_parity_that_opens_its_row_after_the_flip),
    (mutants.without_the_read_back_of_the_shadow, test_copiers.test_schedule_16_a_batch_that_lies),
    (
        mutants.parity_puts_what_is_not_indexed_again,
        test_copiers.test_schedule_17_an_object_that_is_stored_and_not_indexed,
    ),
    (
        mutants.restarts_are_not_noticed,
        test_restarted_server.test_what_a_killed_servers_index_forgot_is_found_before_authority_moves,
    ),
    (
        mutants.restarts_are_not_noticed,
        test_restarted_server.test_what_a_killed_servers_index_forgot_is_found_before_more_is_served,
    ),
    (mutants.the_flip_does_not_notice_a_restart, test_restarted_server.test_a_server_killed_between_the_look_and_the_flip),
    (mutants.nothing_stops_an_expired_router, test_routers.test_schedule_9_an_expired_router_resumes_during_a_freeze),
    (
        mutants.the_flip_ignores_the_journal,
        test_routers.test_schedule_9_an_expired_router_that_holds_a_row_blocks_the_flip,
    ),
    (
        mutants.acts_do_not_compare_and_set,
        test_routers.test_schedule_15_a_cut_over_that_was_under_way_during_a_rollback_changes_nothing,
    ),
    (
        mutants.the_flip_ignores_the_journal,
        test_retire.test_schedule_11_a_router_acknowledges_and_crashes_just_before_the_freeze,
    ),
    (
        mutants.the_flip_ignores_the_journal,
        test_retire.test_schedule_11_a_reconcile_paused_after_its_read_blocks_the_flip,
    ),
    *(
        (mutants.answers_are_not_held_against_the_fingerprint, schedule)
        for schedule in (
            test_changed_model.test_a_dual_write_that_a_changed_model_answered,
            test_changed_model.test_a_janitor_that_a_changed_model_answered,
            test_changed_model.test_a_live_write_that_a_changed_model_answered,
        )
    ),
]
BEFORE_DUAL_WRITING: list[tuple[mutants.Mutant, Schedule]] = [
    (
        mutants.answers_are_not_held_against_the_fingerprint,
        test_changed_model.test_a_page_of_the_backfill_that_a_changed_model_answered,
    ),
    (
        mutants.copiers_open_no_rows,
        test_copiers.test_schedule_6_backfill_crashes_with_a_put_in_flight_and_the_application_deletes,
    ),
    (
        mutants.unknown_operations_finish_at_once,
        test_routers.test_schedule_8_an_ambiguous_write_from_before_dual_write_lands_after_adoption,
    ),
    (
        mutants.a_renewed_lease_revives_old_operations,
        lambda world: test_routers.test_schedule_9_an_expired_router_resumes_during_a_barrier(world, True),
    ),
]


def _drop(kind: LedgerKind, mutant: mutants.Mutant, patch: pytest.MonkeyPatch) -> None:
    for table, trigger in HELD_BY.get(mutant, ()):
        kind.drop_rule(table, trigger)
    mutant_on(kind.kind, mutant)(patch)


def named(value: object) -> str:
    return getattr(value, "__name__", "schedule").removeprefix("test_").split("_a_")[0]


@pytest.mark.parametrize(("mutant", "schedule"), IN_DUAL_WRITING, ids=named)
def test_a_schedule_finds_its_mutant(
    monkeypatch: pytest.MonkeyPatch, kind: LedgerKind, dual: FaultWorld, mutant: mutants.Mutant, schedule: Schedule
) -> None:
    _drop(kind, mutant, monkeypatch)
    with pytest.raises(Broken):
        schedule(dual)


@pytest.mark.parametrize(("mutant", "schedule"), BEFORE_DUAL_WRITING, ids=named)
def test_a_schedule_that_begins_before_dual_write_finds_its_mutant(
    monkeypatch: pytest.MonkeyPatch, kind: LedgerKind, world: FaultWorld, mutant: mutants.Mutant, schedule: Schedule
) -> None:
    _drop(kind, mutant, monkeypatch)
    with pytest.raises(Broken):
        schedule(world)


def test_the_freezes_schedule_finds_its_mutant(monkeypatch: pytest.MonkeyPatch, impatient: FaultWorld) -> None:
    mutants.nobody_undoes_a_freeze(monkeypatch)
    with pytest.raises(Broken):
        test_retire.test_schedule_14_retire_dies_after_the_freeze_and_writes_go_on_within_the_hold_limit(impatient)
