"""The judge tells what was paid for twice from what a fault, a sample or a crash cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.nemesis.made_up_seed import OLD, START, MadeUpSeed, Servers, judged, only

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def large(tmp_path: Path, servers: Servers) -> MadeUpSeed:
    """Pages of a backfill: the last was begun when the first had been confirmed."""
    servers.seed = MadeUpSeed(tmp_path / "seed-7", servers.url, objects=750)
    texts = list(servers.seed.texts.values())
    servers.seed.embeds = [servers.seed.paid(4, texts[:250]), servers.seed.paid(5, texts[250:])]
    return servers.seed


def test_a_text_whose_copy_was_confirmed_and_that_is_paid_for_again_is_double_paid(large: MadeUpSeed) -> None:
    large.embeds.append(large.paid(8, ["text 3"]))
    only(judged(large), double_paid=1)


def test_what_another_stage_embedded_says_nothing_of_how_far_the_backfill_was(large: MadeUpSeed) -> None:
    large.stages[0]["began"] = START + 4.5  # before it a sample was dual-written, and not confirmed
    large.embeds.append(large.paid(8, ["text 3"]))
    outcome = judged(large)
    only(outcome)
    assert outcome.re_embedded == 1


def test_a_text_in_flight_at_a_crash_is_re_embedded_and_no_defect(large: MadeUpSeed) -> None:
    large.embeds.append(large.paid(8, ["text 300"]))
    outcome = judged(large)
    only(outcome)
    assert outcome.re_embedded == 1


def test_queries_samples_inspections_and_what_was_not_billed_are_no_second_payment(large: MadeUpSeed) -> None:
    large.embeds.append(large.paid(8, ["text 3"], input_type="search_query"))
    large.embeds.append(large.paid(8, ["text 3"], billed=False))
    large.embeds.append(large.paid(8, ["text 3"], key="ins…ctor"))
    large.embeds.append(large.paid(8, ["text 3"], model=OLD))
    large.embeds.append(large.paid(11, ["text 3"]))  # while verify_parity took its sample
    outcome = judged(large)
    only(outcome)
    assert outcome.re_embedded == 0
