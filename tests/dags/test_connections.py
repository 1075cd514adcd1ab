"""Airflow Connections as people write them, in the environment or in the form."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from airflow.sdk import Connection

from vecferry.airflow.connections import connection_values


def _values(uris: Mapping[str, str], ids: Mapping[str, str] | None = None) -> dict[str, str | None]:
    known = {conn_id: Connection.from_uri(uri, conn_id=conn_id) for conn_id, uri in uris.items()}
    return connection_values(ids, lookup=known.get)


def test_without_connections_the_settings_decide() -> None:
    assert _values({}) == {}


def test_weaviate_with_key_and_grpc_port() -> None:
    assert _values({"vecferry_weaviate": "http://user:p%40ss@127.0.0.1:8080/?grpc_port=50061"}) == {
        "weaviate_url": "http://127.0.0.1:8080",
        "weaviate_grpc": "127.0.0.1:50061",
        "weaviate_api_key": "p@ss",
    }


def test_weaviate_over_https_without_a_key() -> None:
    values = _values({"vecferry_weaviate": "https://vectors.example.com"})
    assert values["weaviate_url"] == "https://vectors.example.com"
    assert values["weaviate_grpc"] == "vectors.example.com:50051"
    assert values["weaviate_api_key"] is None


def test_a_provider_of_ones_own() -> None:
    values = _values({"vecferry_openai": "http://:sk-1@127.0.0.1:9999/v1", "vecferry_cohere": "cohere://:co-2@"})
    assert values == {
        "openai_api_key": "sk-1",
        "openai_base_url": "http://127.0.0.1:9999/v1",
        "cohere_api_key": "co-2",
        "cohere_base_url": None,
    }


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("postgres://me:p%2Fw@db:5432/vecferry", "postgresql+psycopg://me:p%2Fw@db:5432/vecferry"),
        ("postgresql://db/vecferry", "postgresql+psycopg://db/vecferry"),
        ("sqlite:////data/ledger.db", "sqlite:////data/ledger.db"),
        ("sqlite:///?url=sqlite%3A%2F%2F%2F%2Fdata%2Fledger.db", "sqlite:////data/ledger.db"),
    ],
)
def test_the_ledgers_url(uri: str, url: str) -> None:
    assert _values({"vecferry_ledger": uri}) == {"ledger_url": url}


def test_a_pin_may_name_other_connections() -> None:
    uris = {"vecferry_openai": "openai://:ours@", "team_b": "openai://:theirs@"}
    assert _values(uris, {"openai": "team_b"})["openai_api_key"] == "theirs"
