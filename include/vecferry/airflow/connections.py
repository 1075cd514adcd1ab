"""Airflow Connections → the values that ``bootstrap.connect_ports`` takes; what has no Connection comes from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

SERVICES = ("ledger", "weaviate", "openai", "cohere")
Lookup = Callable[[str], Any]
"""Connection id → Connection, or ``None`` if there is none."""


def connection_values(ids: Mapping[str, str] | None = None, *, lookup: Lookup | None = None) -> dict[str, str | None]:
    """``ids`` names other Connections by service (a pin's ``connections``); the default is ``vecferry_<service>``."""
    find = lookup or in_a_task
    read: dict[str, Callable[[Any], dict[str, str | None]]] = {
        "ledger": _ledger,
        "weaviate": _weaviate,
        "openai": lambda connection: _provider("openai", connection),
        "cohere": lambda connection: _provider("cohere", connection),
    }
    values: dict[str, str | None] = {}
    for service in SERVICES:
        connection = find((ids or {}).get(service, f"vecferry_{service}"))
        if connection is not None:
            values |= read[service](connection)
    return values


def in_a_task(conn_id: str) -> Any:
    """The Connection as a task sees it: environment, secrets backends, then Airflow's own database."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return Connection.get(conn_id)
    except AirflowNotFoundException:
        return None


def in_the_api_server(conn_id: str) -> Any:
    """The same Connection where there is no task to ask through: the api-server reads its own database."""
    from airflow.models.connection import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return Connection.get_connection_from_secrets(conn_id)
    except AirflowNotFoundException:
        return None


def _weaviate(connection: Any) -> dict[str, str | None]:
    """The password is the API key; gRPC is on the same host unless the extras ``grpc_host``, ``grpc_port`` say otherwise."""
    extra = connection.extra_dejson
    grpc_host = extra.get("grpc_host") or connection.host
    return {
        "weaviate_url": _url(connection),
        "weaviate_grpc": f"{grpc_host}:{extra.get('grpc_port') or 50051}",
        "weaviate_api_key": connection.password or None,
    }


def _provider(service: str, connection: Any) -> dict[str, str | None]:
    base_url = connection.extra_dejson.get("base_url") or (_url(connection) if connection.host else None)
    return {f"{service}_api_key": connection.password or None, f"{service}_base_url": base_url}


def _ledger(connection: Any) -> dict[str, str | None]:
    """An SQLAlchemy URL: the extra ``url`` as it is, else made of the fields; SQLite's file is the host or the schema."""
    extra = connection.extra_dejson
    if extra.get("url"):
        return {"ledger_url": str(extra["url"])}
    kind = (connection.conn_type or "").replace("-", "_")
    if kind.startswith("sqlite"):
        return {"ledger_url": f"sqlite:///{connection.host or connection.schema}"}
    user = quote(connection.login or "", safe="")
    password = f":{quote(connection.password, safe='')}" if connection.password else ""
    at = f"{user}{password}@" if user or password else ""
    port = f":{connection.port}" if connection.port else ""
    return {"ledger_url": f"postgresql+psycopg://{at}{connection.host or ''}{port}/{connection.schema or ''}"}


def _url(connection: Any) -> str:
    secure = connection.conn_type == "https" or str(connection.extra_dejson.get("http_secure", "")).lower() == "true"
    host = connection.host or ""
    if "://" not in host:
        host = f"{'https' if secure else 'http'}://{host}"
    port = f":{connection.port}" if connection.port else ""
    path = f"/{connection.schema.strip('/')}" if connection.schema else ""
    return f"{host}{port}{path}"
