"""``phases.jsonl``: what was in force when."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.faults.nemesis.records import phase_lines
from vecferry.domain.routing import Mode, Routing
from vecferry.ports import Event


def at(second: float) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def test_each_line_says_phase_and_routing_as_they_were_and_a_rollback_when_it_was_acknowledged() -> None:
    events = [
        Event(at(1), "w", "start", "", "Docs", "m"),
        Event(at(4), "w", "move", "", "Docs", "m", {"to": "rolled_back"}),
    ]
    routings = [
        Routing("Docs", 2, Mode.DUAL, 25, "Docs", "m", "more", at(3)),
        Routing("Docs", 3, Mode.DUAL, 0, "Docs", "m", "back", at(4)),
    ]
    lines = phase_lines(events, routings, {3: 4.5})
    assert [(line["at"], line["phase"], line["percent"], line["routing_version"], line["event"]) for line in lines] == [
        (1.0, "planned", 0, 0, "start"),
        (3.0, "planned", 25, 2, "routing: more"),
        (4.0, "rolled_back", 25, 2, "move"),
        (4.0, "rolled_back", 0, 3, "routing: back"),
    ]
    assert [line.get("acknowledged_at") for line in lines] == [None, None, None, 4.5]
