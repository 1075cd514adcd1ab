"""What a plain client takes for an answer: else it would say that all is well where nobody can be served."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.nemesis import control_client
from tests.faults.nemesis.control_client import DIMENSIONS, ControlClient
from tests.faults.nemesis.made_up_seed import START, MadeUpSeed, judged, only
from tests.support.fake_provider import FakeProvider
from vecferry.sandbox.models import DIMENSIONS as OF_THE_MODELS
from vecferry.sandbox.traffic.history import History


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(DIMENSIONS) as made:
        yield made


def asked(provider: FakeProvider, folder: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.5) -> dict[str, list[Any]]:
    """By what it asked of: its rows. The store is not there."""
    monkeypatch.setattr(control_client, "_EVERY_S", 0.05)
    authority = {"collection": "Docs", "api": "openai", "model": "small", "base_url": f"{provider.url}/openai/v1"}
    authority |= {"api_key": provider.key, "weaviate_url": "http://127.0.0.1:9"}
    (folder / "authority.json").write_text(json.dumps(authority))
    with History(folder / "app-0.jsonl") as history, ControlClient(folder / "authority.json", history, ["a query"]):
        time.sleep(seconds)
    rows = [json.loads(line) for line in (folder / "app-0.jsonl").read_text().splitlines()]
    return {of: [row for row in rows if row["of"] == of] for of in ("provider", "store")}


def test_the_models_are_as_long_as_it_thinks() -> None:
    assert DIMENSIONS == OF_THE_MODELS


def test_each_is_asked_whatever_becomes_of_the_other(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = asked(provider, tmp_path, monkeypatch)
    assert len(found["provider"]) > 2
    assert all(row["ok"] for row in found["provider"])
    assert found["store"]
    assert not any(row["ok"] for row in found["store"]), "nothing that was not asked counts as answered"


@pytest.mark.parametrize("wrong", [[math.nan] * DIMENSIONS, [0.5] * (DIMENSIONS - 1)], ids=["not a number", "too short"])
def test_a_vector_that_nobody_can_search_by_is_no_answer(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: list[float]
) -> None:
    monkeypatch.setattr(provider, "_vector", lambda *given: wrong)
    found = asked(provider, tmp_path, monkeypatch)
    assert found["provider"]
    assert not any(row["ok"] for row in found["provider"])


def test_a_plain_client_that_hangs_at_the_store_says_nothing_of_the_provider(made: MadeUpSeed) -> None:
    """And one that is answered by both, meanwhile, says that all is well."""
    made.failed(20.2)
    rows = made.apps["app-0.jsonl"]
    for row in [row for row in rows if row.get("op") == "control"]:
        row["of"] = "store"
        if not 18 < row["invoked"] - START < 23:
            rows.append({**row, "of": "provider"})
    assert judged(made).excused_queries == 1
    rows.append({"op": "control", "of": "provider", "invoked": START + 20.3, "answered": START + 20.4, "ok": True, "error": ""})
    only(judged(made), failed_queries=1)
