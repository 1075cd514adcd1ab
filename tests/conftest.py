"""The real servers that tests share: started when the first test asks, stopped with the session."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.postgres import PostgresServer
from vecferry.errors import BadInput
from vecferry.sandbox.weaviate_server import WeaviateServer


@pytest.fixture(scope="session")
def weaviate_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WeaviateServer]:
    """One server for all tests: use collection names of your own, and never kill it."""
    with WeaviateServer(tmp_path_factory.mktemp("weaviate") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer()
    except BadInput as missing:
        if os.environ.get("CI"):  # There a skipped contract would look like a kept one.
            raise
        pytest.skip(str(missing))
    with server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    return postgres_server.url


@pytest.fixture
def fresh_postgres_url(postgres_server: PostgresServer) -> str:
    """A new, empty database for this test."""
    return postgres_server.fresh_database()
