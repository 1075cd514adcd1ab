"""The three ledgers, for tests that hold on each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ledger_case import LedgerCase
from vecferry.ports import Ledger

SQL = ("sqlite", "postgresql")


@pytest.fixture(params=("memory", *SQL))
def ledger_case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerCase]:
    case = LedgerCase(request.param, _url(request, tmp_path))
    yield case
    case.close()


@pytest.fixture(params=SQL)
def sql_case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerCase]:
    """Only the ledgers that somebody can reach behind our back."""
    case = LedgerCase(request.param, _url(request, tmp_path))
    yield case
    case.close()


@pytest.fixture
def ledger(ledger_case: LedgerCase) -> Ledger:
    return ledger_case.ledger


def _url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("fresh_postgres_url"))
    return f"sqlite:///{tmp_path / 'ledger.db'}"
