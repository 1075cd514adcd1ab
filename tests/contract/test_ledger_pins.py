"""Pins: the answer to "what is in there?"."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.ledger_case import NEW, PIN, WHO, LedgerCase, planned
from vecferry.domain.lifecycle import Phase
from vecferry.domain.pins import SearchProfile
from vecferry.domain.routing import Mode
from vecferry.errors import Conflict, NotFound
from vecferry.ports import Ledger


def test_a_pin_comes_back_exactly_as_it_was_saved(ledger: Ledger) -> None:
    pin = replace(
        PIN,
        space=replace(PIN.space, document_task="passage: ", family="f", normalised=False),
        profile=SearchProfile("hybrid", 0.1 + 0.2, "ranked", ("title^2", "body")),
        alias="Döcs",
        connections={"openai": "vecferry_openai"},
        fingerprint=((0.1, -1e-17, 1.0 / 3), (5e-324, 2.0, 3.0)),
    )
    ledger.save_pin(pin, **WHO)
    assert ledger.pin("Docs") == pin
    assert ledger.pins() == [pin]


def test_an_unknown_pin_is_answered_with_those_that_exist(ledger: Ledger) -> None:
    ledger.save_pin(PIN, **WHO)
    for ask in (ledger.pin, ledger.snapshot, ledger.routings):
        with pytest.raises(NotFound, match=r"no pin 'Dogs'.*Pins that exist: Docs"):
            ask("Dogs")


def test_a_new_pin_is_routed_to_live_only_at_version_1(ledger: Ledger) -> None:
    ledger.save_pin(PIN, **WHO)
    routing = ledger.snapshot("Docs").routing
    assert (routing.version, routing.mode, routing.percent, routing.authority) == (1, Mode.LIVE_ONLY, 0, "Docs_v1")


def test_a_pin_that_is_saved_again_keeps_its_routing_version(ledger: Ledger) -> None:
    ledger.save_pin(PIN, **WHO)
    ledger.save_pin(replace(PIN, alias="Docs"), **WHO)
    assert [routing.version for routing in ledger.routings("Docs")] == [1]


def test_a_pin_that_means_another_collection_gets_a_routing_version_that_says_so(ledger: Ledger) -> None:
    ledger.save_pin(PIN, **WHO)
    ledger.save_pin(replace(PIN, collection="Docs_other"), **WHO)
    assert [(r.version, r.authority) for r in ledger.routings("Docs")] == [(1, "Docs_v1"), (2, "Docs_other")]


def test_a_pin_whose_queries_take_another_model_gets_a_routing_version(ledger: Ledger) -> None:
    """Routers acknowledge it, so that it is known when the last one has left the old model."""
    ledger.save_pin(PIN, **WHO)
    ledger.save_pin(replace(PIN, space=NEW), **WHO)
    assert [(r.version, r.authority) for r in ledger.routings("Docs")] == [(1, "Docs_v1"), (2, "Docs_v1")]
    assert ledger.snapshot("Docs").pin.space == NEW


@pytest.mark.parametrize("change", [{"collection": "Docs_v3"}, {"space": NEW}])
def test_collection_and_space_stay_while_a_migration_is_active(ledger_case: LedgerCase, change: dict[str, object]) -> None:
    ledger_case.at(Phase.DUAL_WRITING)
    with pytest.raises(Conflict, match="m1"):
        ledger_case.ledger.save_pin(replace(PIN, **change), **WHO)  # type: ignore[arg-type]
    assert ledger_case.ledger.pin("Docs") == PIN


def test_the_rest_of_a_pin_may_change_while_a_migration_is_active(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.DUAL_WRITING)
    ledger_case.ledger.save_pin(replace(PIN, alias="Docs"), **WHO)
    assert ledger_case.ledger.pin("Docs").alias == "Docs"


def test_saving_a_pin_is_an_event(ledger: Ledger) -> None:
    ledger.save_pin(PIN, who="ada", why="first pin")
    [event] = ledger.events(pin="Docs")
    assert (event.who, event.what, event.why, event.detail["collection"]) == ("ada", "pin", "first pin", "Docs_v1")


def test_a_migration_of_an_unknown_pin_is_refused(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no pin 'Docs'"):
        ledger.start_migration(planned(), **WHO)
