"""The three ledgers, for tests that hold on each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from tests.support.ledger_case import LedgerCase
from tests.support.postgres import PostgresServer
from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.ledger.tables import metadata
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
def postgres_case(postgres_ledger_url: str) -> Iterator[LedgerCase]:
    case = LedgerCase("postgresql", postgres_ledger_url)
    yield case
    case.close()


@pytest.fixture
def ledger(ledger_case: LedgerCase) -> Ledger:
    return ledger_case.ledger


@pytest.fixture(scope="session")
def ledger_database(postgres_server: PostgresServer) -> str:
    """One database with the tables for all these tests: a new one for each would cost a second a test."""
    url = postgres_server.fresh_database()
    open_ledger(url).close()
    return url


@pytest.fixture
def postgres_ledger_url(ledger_database: str) -> Iterator[str]:
    yield ledger_database
    engine = sqlalchemy.create_engine(ledger_database, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")  # else the triggers keep the history
        for table in set(metadata.tables) - {"moves", "works_with"}:
            connection.exec_driver_sql(f"DELETE FROM {table}")


def _url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_ledger_url"))
    return f"sqlite:///{tmp_path / 'ledger.db'}"
