"""Say why to move and by when: notices and the provider's own list for the pin's model."""

from __future__ import annotations

from typing import Any

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.corroboration import Corroboration, corroborate
from vecferry.domain.notices import Notice, parse_notice
from vecferry.domain.pins import Pin
from vecferry.domain.request import MigrationRequest
from vecferry.errors import BadInput, Retryable
from vecferry.ports import Event, ListedModel, Ports
from vecferry.steps.readiness import YES, Ready


def act(ports: Ports, request: MigrationRequest) -> dict[str, Any]:
    """The notices that concern the pin's model and whether they are believed; ``why`` is for people."""
    pin = ports.ledger.pin(request.collection)
    result = weigh(ports, pin, request)
    summary = {
        "pin": pin.name,
        "model": pin.space.id,
        "to_model": request.to_model,
        "confirmed": result.confirmed,
        "why": result.why,
        "shutdown_on": result.shutdown_on.isoformat() if result.shutdown_on else None,
        "sources": list(result.sources),
        "against": list(result.against),
    }
    who = request.who or "vecferry"
    ports.ledger.record_event(Event(ports.clock.now(), who, "deprecation_checked", result.why, pin.name, detail=summary))
    return summary


def ready(ports: Ports, request: MigrationRequest) -> Ready:
    """Corroborated, or a person started the run."""
    result = weigh(ports, ports.ledger.pin(request.collection), request)
    return YES if result.confirmed else Ready(False, result.why)


def weigh(ports: Ports, pin: Pin, request: MigrationRequest) -> Corroboration:
    notices = notices_about(ports, pin)
    person = "" if request.notice_id else (request.who or "a person")
    return corroborate(notices, listed(ports, pin), needed=ports.gates.corroboration_sources, started_by=person)


def notices_about(ports: Ports, pin: Pin) -> list[Notice]:
    known = [parse_notice(row) for row in ports.ledger.notices()]
    return [notice for notice in known if notice.concerns(pin.space.provider, pin.space.model)]


def listed(ports: Ports, pin: Pin) -> list[ListedModel]:
    """The provider's own word, if its list can be had and the model is in the catalogue."""
    card = card_of(ports, pin)
    if card is None:
        return []
    try:
        answer = ports.model_lists.listed(card)
    except Retryable:
        return []
    return [answer] if answer else [ListedModel(card.provider, card.model, deprecated=True)]


def card_of(ports: Ports, pin: Pin) -> ModelCard | None:
    try:
        return ports.catalogue.card(pin.space.id)
    except BadInput:
        return None
