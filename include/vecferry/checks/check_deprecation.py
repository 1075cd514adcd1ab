"""Notices: known model, parsable dates, replacement in the catalogue, not past."""

from __future__ import annotations

from typing import Any

from vecferry.checks.expectations import expectation_classes, run_suite
from vecferry.checks.verdict_of import verdict_of
from vecferry.domain.notices import Notice, parse_notice
from vecferry.domain.request import MigrationRequest
from vecferry.domain.verdicts import Verdict
from vecferry.errors import BadInput
from vecferry.ports import Ports

_COLUMNS = ("source", "model", "model_known", "replacement_known", "days_left")


def judge(ports: Ports, request: MigrationRequest) -> Verdict:
    """A row for the request and one per notice about the pin's model; nothing about it is also an answer."""
    gxe = expectation_classes()

    pin = ports.ledger.pin(request.collection)
    notices = [n for n in map(parse_notice, ports.ledger.notices()) if n.concerns(pin.space.provider, pin.space.model)]
    rows = [_request_row(ports, pin.space.id, request), *(_row(ports, pin.space.id, n, request) for n in notices)]
    expectations = [
        gxe.ExpectColumnValuesToBeInSet(column="model_known", value_set=[True]),
        gxe.ExpectColumnValuesToBeInSet(column="replacement_known", value_set=[True]),
        gxe.ExpectColumnValuesToBeBetween(column="days_left", min_value=0),
    ]
    result = run_suite("check_deprecation", rows, expectations, expected_rows=1 + len(notices), columns=_COLUMNS, key="source")
    return verdict_of("check_deprecation", result)


def _request_row(ports: Ports, model: str, request: MigrationRequest) -> dict[str, Any]:
    return {
        "source": "request",
        "model": model,
        "model_known": _known(ports, model),
        "replacement_known": _known(ports, request.to_model),
        "days_left": (request.deadline - ports.clock.now().date()).days if request.deadline else 0,
    }


def _row(ports: Ports, model: str, notice: Notice, request: MigrationRequest) -> dict[str, Any]:
    return {
        "source": notice.source,
        "model": model,
        "model_known": _known(ports, model),
        "replacement_known": any(_known(ports, name) for name in (request.to_model, *notice.replacements)),
        "days_left": (notice.shutdown_on - ports.clock.now().date()).days if notice.shutdown_on else 0,
    }


def _known(ports: Ports, model: str) -> bool:
    try:
        ports.catalogue.card(model)
    except BadInput:
        return False
    return True
