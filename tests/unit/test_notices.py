"""Notices are read strictly, believed only when corroborated, and never start the same run twice."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest

from vecferry.domain.corroboration import corroborate
from vecferry.domain.notices import Notice, affected, parse_feed, parse_notice, run_id, slug, start_by
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import BadInput
from vecferry.ports import ListedModel

END = date(2027, 3, 31)
AIRFLOW_RUN_ID = re.compile(r"^[A-Za-z0-9_.~:+-]+$")


def row(**changes: Any) -> dict[str, Any]:
    return {
        "provider": "OpenAI",
        "model_id": "text-embedding-3-small",
        "model_name": "Text Embedding 3 Small",
        "announcement_date": "2026-10-01",
        "shutdown_date": "2027-03-31",
        "replacement_models": ["text-embedding-4"],
        "deprecation_context": "…",
        "url": "https://platform.openai.com/docs/deprecations#2026-10-01-embeddings",
        "content_hash": "94615645c7448d57",
        "scraped_at": "2026-11-11T16:16:40.467471+00:00",
    } | changes


def said(source: str, on: date | None = END, url: str = "") -> Notice:
    return Notice("OpenAI", "text-embedding-3-small", source, on, url=url)


def pin(name: str, model: str, provider: str = "openai") -> Pin:
    return Pin(name, name, EmbeddingSpace(provider, model, 1536), TextRecipe(("text",)))


def test_a_row_of_the_feed_is_read_and_unknown_fields_are_left_alone() -> None:
    notice = parse_notice(row(), source="deprecations.info")
    assert (notice.provider, notice.model, notice.source) == ("OpenAI", "text-embedding-3-small", "deprecations.info")
    assert (notice.announced_on, notice.shutdown_on) == (date(2026, 10, 1), END)
    assert (notice.replacements, notice.content_hash, notice.date_precision) == (
        ("text-embedding-4",),
        "94615645c7448d57",
        "exact",
    )


def test_a_notice_survives_the_ledger() -> None:
    notice = parse_notice(row(date_precision="earliest"), source="deprecations.info")
    stored = json.loads(json.dumps(notice.as_dict()))
    assert parse_notice(stored) == notice
    assert stored["id"] == notice.id


@pytest.mark.parametrize(("value", "expected"), [("", None), (None, None), ("2027-03-31T23:30:00-05:00", date(2027, 4, 1))])
def test_dates_may_be_missing_or_times(value: Any, expected: date | None) -> None:
    assert parse_notice(row(shutdown_date=value)).shutdown_on == expected


def test_one_unreadable_row_hides_no_other_and_is_named() -> None:
    rows = [
        row(),
        row(model_id="gpt-x", shutdown_date="end of March"),
        "junk",
        row(provider=None),
        row(replacement_models=None),
    ]
    feed = parse_feed(rows, source="deprecations.info")
    assert len(feed.notices) == 2
    assert "deprecations.info, row 2 (OpenAI/gpt-x): shutdown_date 'end of March' is no date" in str(feed.refused[0])
    assert [error.where for error in feed.refused[1:]] == ["deprecations.info, row 3", "deprecations.info, row 4"]


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(BadInput, match="date_precision"):
        parse_notice(row(date_precision="roughly"))


def test_ids_are_stable_and_a_corrected_date_replaces_the_sources_own_row_only() -> None:
    assert said("a").id == said("a", date(2028, 1, 1)).id != said("b").id
    assert said("a").subject == said("b").subject == Notice("openai", "TEXT-embedding-3-small", "c").subject


def test_two_feeds_that_agree_within_the_tolerance_confirm() -> None:
    result = corroborate([said("a"), said("b", date(2027, 4, 2))])
    assert (result.confirmed, result.sources, result.shutdown_on) == (True, ("a", "b"), END)


def test_one_source_is_not_enough() -> None:
    result = corroborate([said("a"), said("a")])
    assert not result.confirmed
    assert "1 independent of 2 needed" in result.why


def test_two_feeds_that_copied_one_page_are_one_source() -> None:
    page = "https://platform.openai.com/docs/deprecations"
    assert not corroborate([said("a", url=f"{page}#one"), said("b", url=f"{page}/#two")]).confirmed
    assert corroborate([said("a", url=page), said("b", url="https://status.example/models")]).confirmed


def test_sources_that_name_different_dates_do_not_confirm() -> None:
    result = corroborate([said("a"), said("b", date(2027, 9, 30))])
    assert not result.confirmed
    assert result.against == ("b says 2027-09-30",)


@pytest.mark.parametrize(
    ("deprecated", "shutdown_on", "confirmed"),
    [(None, "2027-03-31", True), (True, None, True), (None, None, False), (None, "2028-01-01", False), (False, None, False)],
)
def test_the_providers_own_list_is_a_source_of_its_own(
    deprecated: bool | None, shutdown_on: str | None, confirmed: bool
) -> None:
    listed = ListedModel("openai", "text-embedding-3-small", deprecated, shutdown_on)
    assert corroborate([said("a")], [listed]).confirmed is confirmed


@pytest.mark.parametrize("listed", [(False, None), (None, "2028-01-01")])
def test_feeds_do_not_outvote_the_providers_own_list(listed: tuple[bool | None, str | None]) -> None:
    own = ListedModel("openai", "text-embedding-3-small", *listed)
    result = corroborate([said("a"), said("b"), said("c")], [own])
    assert not result.confirmed
    assert "a person decides" in result.why


def test_a_notice_without_a_date_confirms_nothing() -> None:
    own = ListedModel("openai", "text-embedding-3-small", deprecated=True)
    result = corroborate([said("a", None), said("b", None)], [own])
    assert (result.confirmed, result.shutdown_on) == (False, None)
    assert "no shutdown date" in result.why
    assert not corroborate([]).confirmed


def test_a_named_person_may_start_without_any_source() -> None:
    result = corroborate([], started_by="mara")
    assert (result.confirmed, result.why) == (True, "started by mara")


def test_notices_of_two_models_are_not_mixed() -> None:
    with pytest.raises(BadInput, match="several models"):
        corroborate([said("a"), Notice("OpenAI", "ada", "b", END)])
    with pytest.raises(BadInput, match="is no date"):
        corroborate([], [ListedModel("openai", "m", shutdown_on="soon")])


def test_pins_are_affected_by_their_own_model_alone() -> None:
    docs, other, elsewhere = (
        pin("Docs", "text-embedding-3-small"),
        pin("Other", "ada"),
        pin("Mine", "text-embedding-3-small", "me"),
    )
    notices = [said("a"), said("b"), Notice("cohere", "embed-v4.0", "a", END)]
    assert affected([docs, other, elsewhere], notices) == [(docs, (notices[0], notices[1]))]


def test_the_latest_start_leaves_room_for_work_soak_and_margin() -> None:
    latest = start_by(END, estimate_hours=36, soak_minutes=90, margin_days=14)
    assert latest == datetime(2027, 3, 15, 10, 30, tzinfo=UTC)


def test_run_ids_are_the_same_for_any_source_and_differ_by_pin_and_attempt() -> None:
    first = run_id(said("a"), "Docs", 1)
    assert first == "notice__openai.text-embedding-3-small__Docs__1"
    assert run_id(said("b", date(2027, 6, 1)), "Docs", 1) == first
    assert len({first, run_id(said("a"), "Docs", 2), run_id(said("a"), "Docs2", 1)}) == 3


@pytest.mark.parametrize("name", ["a/b", "a b", "Dokumente äöü", "x" * 300, "a__b", "_a_", "", "ft:gpt:acme::x"])
def test_run_ids_of_any_name_are_what_airflow_takes(name: str) -> None:
    made = run_id(Notice(name, name, "a", END), name, 12)
    assert AIRFLOW_RUN_ID.match(made)
    assert len(made) <= 250
    assert len(made.split("__")) == 4


def test_names_that_look_alike_after_cleaning_stay_apart() -> None:
    names = ["a/b", "a-b", "a b", "a__b", "a_b", "x" * 300, "x" * 301]
    assert len({slug(name) for name in names}) == len(names)
