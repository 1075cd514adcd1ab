"""How long applications waited, as the judge counts it."""

from __future__ import annotations

import pytest

from tests.faults.nemesis.made_up_seed import START, MadeUpSeed, judged, key_of


def test_a_read_pause_is_what_the_control_client_did_not_share(made: MadeUpSeed) -> None:
    assert judged(made).longest_read_pause_s <= 0.5
    kept = [row for row in made.apps["app-1.jsonl"] if row.get("op") != "search" or not 20 < row["invoked"] - START < 25]
    made.apps["app-1.jsonl"] = kept
    assert judged(made).longest_read_pause_s == pytest.approx(5.0, abs=0.6)
    for row in kept:
        row["ok"] = row["ok"] and not (row.get("op") == "control" and 21 < row["invoked"] - START < 25) if "ok" in row else 0
    assert judged(made).longest_read_pause_s < 2.0


def test_a_stopped_process_has_no_read_pause(made: MadeUpSeed) -> None:
    rows = made.apps["app-1.jsonl"]
    made.apps["app-1.jsonl"] = [row for row in rows if not 20 < (row.get("invoked") or row["answered"]) - START < 25]
    assert judged(made).longest_read_pause_s <= 1.0


def test_the_longest_write_hold_is_found(made: MadeUpSeed) -> None:
    assert judged(made).longest_write_hold_s == pytest.approx(0.1, abs=0.01)
    made.wrote(20, "update", key_of(3), {"body": "text 3"})
    made.apps["app-0.jsonl"][-1]["answered"] = START + 22.5
    assert judged(made).longest_write_hold_s == pytest.approx(2.5, abs=0.01)


def test_a_time_is_fine_where_both_of_the_plain_clients_calls_are(made: MadeUpSeed) -> None:
    """One that hangs at the store while the other is answered by the provider shares the pause."""
    rows = made.apps["app-1.jsonl"]
    made.apps["app-1.jsonl"] = kept = [row for row in rows if row.get("op") != "search" or not 20 < row["invoked"] - START < 25]
    for row in [row for row in kept if row.get("op") == "control"]:
        row["of"] = "provider"
        kept.append({**row, "of": "store"})
    assert judged(made).longest_read_pause_s == pytest.approx(5.0, abs=0.6)
    kept[:] = [row for row in kept if row.get("of") != "store" or not 21 < row["invoked"] - START < 25]
    assert judged(made).longest_read_pause_s < 2.0
