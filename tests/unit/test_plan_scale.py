"""Figures for sizes that nobody tries out: made-up ids that are as real ones, and costs that are measured and not believed."""

from __future__ import annotations

import json
import uuid
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from vecferry.adapters.catalogue import load_catalogue
from vecferry.adapters.ledger import spending
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.embedding_time import WITNESS_TOKENS
from vecferry.domain.footprint import GIB
from vecferry.sandbox.plan_scale import __main__ as command
from vecferry.sandbox.plan_scale import measuring
from vecferry.sandbox.plan_scale.forecast import Given, forecast
from vecferry.sandbox.plan_scale.id_space import KINDS, IdSpace, SequentialIds, holds
from vecferry.sandbox.plan_scale.ledger_growth import Growth, grown
from vecferry.sandbox.plan_scale.ledger_size import LedgerSize
from vecferry.sandbox.plan_scale.measuring import Measured
from vecferry.sandbox.plan_scale.planning import Planned, planned
from vecferry.sandbox.plan_scale.world import dual_writing

_ALL = 2**128 - 1
SMALL = 20_000
CARD = ModelCard(
    "acme", "m", "cohere", 1024, inputs_per_request=96, inputs_per_minute=2_000, usd_per_million_tokens=0.1, source="a test"
)
GROWTH = Growth("SQLite", 40, 1.0, 840, {"chunks": 500, "spend": 900}, {}, 2_000_000, None)


def every_key(ids: IdSpace, limit: int) -> list[int]:
    found: list[int] = []
    while page := ids.keys(found[-1] if found else -1, _ALL, limit):
        found += page
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_the_same_however_one_asks_and_as_many_as_are_counted(kind: str) -> None:
    ids, again = KINDS[kind](SMALL), KINDS[kind](SMALL)
    found = every_key(ids, 700)
    assert found == every_key(again, 1_000) == sorted(set(found))
    assert len(found) == SMALL == ids.count(-1, _ALL)
    edges = [-1, *found[777::3_001], _ALL]
    for after, until in pairwise(edges):
        there = [number for number in found if after < number <= until]
        assert ids.count(after, until) == len(there)
        assert ids.keys(after, until, 50) == there[:50]
    assert holds(ids, found[7])
    assert not holds(ids, found[-1] + 1)


@pytest.mark.parametrize(("kind", "version"), [("version 4", 4), ("version 1", 1)])
def test_ids_are_of_the_version_that_they_say(kind: str, version: int) -> None:
    assert {uuid.UUID(int=number).version for number in KINDS[kind](SMALL).keys(-1, _ALL, 500)} == {version}


def test_a_part_of_a_hundred_million_is_drawn_without_the_rest() -> None:
    ids = KINDS["version 4"](100_000_000)
    half = ids.count(-1, _ALL // 2)
    assert half == pytest.approx(50_000_000, abs=30_000)  # six standard deviations
    assert half + ids.count(_ALL // 2, _ALL) == 100_000_000
    distances = [after - before for before, after in pairwise(ids.keys(_ALL // 3, _ALL, 2_000))]
    assert sum(distances) / len(distances) == pytest.approx(_ALL / 100_000_000, rel=0.12)
    mean = sum(distances) / len(distances)
    assert sum(one > mean for one in distances) / len(distances) == pytest.approx(0.368, abs=0.05)  # as of independent ids


@pytest.mark.parametrize("kind", KINDS)
def test_the_product_plans_a_million_simulated_objects_evenly(kind: str, tmp_path: Path) -> None:
    ids = KINDS[kind](1_000_000)
    world = dual_writing(f"sqlite:///{tmp_path / 'ledger.db'}", ids, CARD, tokens=40)
    try:
        found = planned(world, kind, ids)
    finally:
        world.close()
    assert found.chunks == 10
    assert found.off < 0.2
    assert 0 < found.looks < 1_000
    assert 0 <= found.store_s <= found.seconds


def test_what_a_backfill_leaves_in_the_ledger_does_not_grow_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spending, "FOLD_EVERY", 50)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    world = dual_writing(url, SequentialIds(1_000_000), CARD, tokens=40)
    try:
        found = grown(world, url, pages=20)
    finally:
        world.close()
    assert found.pages == 20
    assert 20 * 21 <= found.requests <= 22 * 21  # twelve texts a request; two pages more were in flight
    assert found.more == {}
    assert found.rows["chunks"] == 10
    assert found.rows["spend"] <= 60
    assert found.bytes_at(10**9) == found.bytes < 3_000_000


def test_rows_that_stay_for_ever_are_found_and_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the sums of settled requests, as it was before."""
    monkeypatch.setattr(spending, "FOLD_EVERY", 10**9)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    world = dual_writing(url, SequentialIds(1_000_000), CARD, tokens=40)
    try:
        found = grown(world, url, pages=20)
    finally:
        world.close()
    assert found.more["spend"] == pytest.approx(10 * 21, abs=42)
    assert found.rows_at(100_000_000) == pytest.approx(400_000 * 21, rel=0.2)
    measured = Measured(100_000_000, (Planned("any", 0.1, 1.0, 0.5, 0.1, 3_000, 500, 0.1),), {"m": (found,)})
    assert [what.split(" is of ")[0] for what in measured.too_much()] == ["the ledger"]


def test_a_ledgers_size_is_told_by_table_and_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    world = dual_writing(url, SequentialIds(5_000), CARD, tokens=40)
    size = LedgerSize(url)
    assert size.rows()["pins"] == size.rows()["migrations"] == 1
    assert "journal" not in size.rows()
    assert size.bytes() > 100_000
    world.close()
    size.close()


def test_the_journal_of_postgresql_is_looked_at_before_and_after_cleaning(fresh_postgres_url: str) -> None:
    world = dual_writing(fresh_postgres_url, SequentialIds(100_000), CARD, tokens=40)
    try:
        found = grown(world, fresh_postgres_url, pages=20)
    finally:
        world.close()
    assert found.database == "PostgreSQL"
    assert found.rows.get("journal", 0) <= 3 * 250
    assert found.journal_bytes is not None
    assert all(number > 0 for number in found.journal_bytes)


def test_a_forecast_is_the_plans_arithmetic() -> None:
    found = forecast(CARD, 100_000_000, Given(tokens=200, store_objects_per_s=500.0, workers=4), GROWTH)
    requests = 400_000 * 21  # 250 texts a page, twelve and a witness a request
    assert (found.chunks, found.requests) == (500, requests)
    assert found.embed_hours == pytest.approx((100_000_000 + requests) / 1_600 / 60)
    assert found.bound_by == "inputs per minute"
    assert found.store_hours == pytest.approx(100_000_000 / 500 / 3_600)
    assert found.tokens == 100_000_000 * 200 + requests * WITNESS_TOKENS
    assert found.cost_usd == pytest.approx(found.tokens * 0.1 / 1e6)
    assert found.memory_gib_both == pytest.approx(2 * 2 * 4 * 1024 * 1e8 / GIB)
    assert found.disk_gib_both == pytest.approx(2 * 2 * 1e8 * (4 * 1024 + 4 * 200 + 350) / GIB)
    assert found.minutes_a_chunk == pytest.approx(found.embed_hours * 60 * 4 / 500)
    assert (found.ledger_mb, found.ledger_rows) == (2.0, 1_400)


def test_limits_and_prices_are_the_catalogues() -> None:
    cards = command._cards(None, None)
    assert {card.provider for card in cards} == {"openai", "cohere"}
    assert set(cards) <= set(load_catalogue().cards)
    assert all(card.usd_per_million_tokens > 0 and card.source for card in cards)


def test_fewer_dimensions_are_asked_only_of_models_that_have_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert command._cards(["text-embedding-3-large"], 1024)[0].dimensions == 1024
    assert command.main(["--model", "text-embedding-ada-002", "--dimensions", "256"]) == 2
    assert "256 dimensions are asked of a model that has 1536" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "number"), [("5M", 5_000_000), ("1b", 10**9), ("1_000", 1_000), ("2.5k", 2_500)])
def test_sizes_are_read_as_people_write_them(text: str, number: int) -> None:
    assert command._objects(text) == number


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--objects", "many"], "'many' is no number of objects; write 5000000, 5M or 1B"),
        (["--objects", "0"], "is no number of objects"),
        (["--tokens-per-object", "0"], "is no number of at least 1"),
        (["--store-objects-per-s", "-1"], "is no number of at least 0.001"),
        (["--pages", "ten"], "is no number of at least 20"),
    ],
)
def test_bad_input_is_refused_by_name(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_an_unknown_model_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--model", "text-embedding-9"]) == 2
    assert "Known ones like it: text-embedding-" in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    assert 'make plan-scale ARGS="--objects 20M' in capsys.readouterr().out


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    small = ("--model", "embed-v4.0", "--measure-at", "50k", "--pages", "20", "--no-postgres", "--tokens-per-object", "20")
    code = command.main([*small, *arguments])
    return code, capsys.readouterr().out


def test_the_command_tells_figures_measurements_and_assumptions(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "--objects", "1M", "--objects", "1B")
    assert code == 0
    rows = [line for line in said.splitlines() if line.startswith("| cohere/embed-v4.0")]
    assert [row.split("|")[2].strip() for row in rows[:2]] == ["1M", "1B"]
    assert "within the limits at 50k objects: planning " in said
    for assumed in ("20 tokens in an object's text", "2,000 inputs a minute; $0.12 a million tokens on 2026-11-01", "80%"):
        assert assumed in said


def test_as_json_it_is_one_object_and_over_a_limit_it_exits_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "PLANNING_S", 0.0)
    monkeypatch.setattr(measuring, "LEDGER_BYTES", 1_000)
    code, said = run(capsys, "--objects", "1M", "--json")
    found: dict[str, Any] = json.loads(said)
    assert code == 1
    assert [forecast["objects"] for forecast in found["forecasts"]] == [1_000_000]
    assert {one["ids"] for one in found["measured"]["planned"]} == set(KINDS)
    assert [what.partition(" ")[0] for what in found["over_the_limit"]] == ["planning", "the"]
