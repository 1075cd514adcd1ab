import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.cli_world import World
from vecferry.errors import BadInput
from vecferry.steps.watch_notices import affected_runs

ROW = {
    "provider": "sandbox",
    "model_id": "sandbox-word-1",
    "shutdown_date": "2026-12-31",
    "replacement_models": ["sandbox-char-2"],
    "url": "https://example.org/notices",
}


@pytest.fixture
def world():
    return World().pinned()


def test_nothing_is_known_at_first(world):
    assert world.done("notices") == {"read": None, "notices": [], "pins": []}
    assert "vecferry notices --read" in world.run("notices").out


def test_read_stores_the_feed_and_says_by_when_each_pin_must_start(world):
    world.feed.given = [ROW]
    found = world.done("notices", "--read")
    assert (found["read"], found["notices"][0]["model_id"]) == (1, "sandbox-word-1")
    pin = found["pins"][0]
    assert (pin["pin"], pin["shutdown_on"], pin["replacements"]) == ("Docs", "2026-12-31", ["sandbox-char-2"])
    assert pin["start_by"].startswith("2026-12-22T22:30")  # a week, a day and the soaks before
    assert "start by" in world.run("notices").out


def test_the_command_and_the_watch_tell_the_same_latest_start(world):
    world.feed.given = [ROW]
    said = world.done("notices", "--read")["pins"][0]["start_by"]
    affected_runs(world.ports)
    weighed = [event.why for event in world.ledger.events() if event.what == "notice_weighed"][-1]
    assert f"start by {datetime.fromisoformat(said):%Y-%m-%d %H:%M} UTC" in weighed


def test_a_planned_migration_counts_its_own_hours():
    world = World().started()
    world.feed.given = [ROW]
    hours = world.migration.plan["total_hours"]
    said = world.done("notices", "--read")["pins"][0]["start_by"]
    assert datetime.fromisoformat(said) == datetime(2026, 12, 24, tzinfo=UTC) - timedelta(hours=hours)


def test_a_list_that_wants_a_key_does_not_hide_the_notices(world, monkeypatch):
    def no_key(card):
        raise BadInput("no API key", where=card.space.id, next_action="Set it.")

    world.feed.given = [ROW]
    monkeypatch.setattr(world.model_lists, "listed", no_key)
    assert len(world.done("notices", "--read")["pins"]) == 1


def test_models_lists_price_limits_and_one_in_full(world):
    assert [row["model"] for row in world.done("models")] == ["sandbox-word-1", "sandbox-char-2"]
    one = world.done("models", "sandbox-word-1")
    assert (one["dimensions"], one["usd_per_million_tokens"]) == (16, 0.02)
    said = world.run("models", "nope")
    assert said.code == 2
    assert "VECFERRY_MODELS" in said.err
    assert "0.02" in world.run("models").out


def test_ledger_upgrade_makes_the_tables_and_then_has_nothing_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("VECFERRY_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    first, second = (World(0).done("ledger", "upgrade") for _ in range(2))
    assert (first["changed"], first["before"], second["changed"]) == (True, None, False)


def test_a_ledger_url_that_cannot_be_right(monkeypatch):
    monkeypatch.setenv("VECFERRY_LEDGER_URL", "mysql://root@nowhere/x")
    said = World(0).run("ledger", "upgrade", "--json")
    assert said.code == 2
    assert json.loads(said.err)["next"]
