"""The only place that chooses adapters: settings in, ports out."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import SecretStr

from vecferry import settings as settings_module
from vecferry.errors import VecferryError
from vecferry.ports import Ports
from vecferry.router import Router
from vecferry.settings import Settings
from vecferry.steps.sampling import tenants_of

_SETTING_OF = {"ledger_url", "weaviate_url", "weaviate_grpc", "weaviate_api_key"}
_VARIABLE_OF = {
    "openai_api_key": "OPENAI_API_KEY",
    "openai_base_url": "OPENAI_BASE_URL",
    "cohere_api_key": "CO_API_KEY",
    "cohere_base_url": "CO_API_URL",
}


def connect_ports(settings: Settings | None = None, connections: Mapping[str, Any] | None = None) -> Ports:
    """Everything a step needs, connected lazily where it can be. ``connections`` (Airflow's) override the environment.

    Raises ``BadInput`` for settings that cannot be right and for a ledger of another revision, ``Retryable`` for one that
    cannot be reached.
    """
    from vecferry.adapters.catalogue import load_catalogue
    from vecferry.adapters.embedders.credentials import from_environment
    from vecferry.adapters.embedders.embedders import ProviderEmbedders
    from vecferry.adapters.embedders.model_lists import ProviderModelLists
    from vecferry.adapters.ledger.schema_version import open_ledger
    from vecferry.adapters.notice_feed import FileOrUrlFeed
    from vecferry.adapters.system_clock import SystemClock
    from vecferry.adapters.weaviate.store import WeaviateStore

    given = {name: value for name, value in (connections or {}).items() if value}
    chosen = _with_connections(settings or settings_module.load(), given)
    credentials = from_environment(_variables(given))
    catalogue = load_catalogue(chosen.models)
    clock = SystemClock()
    ledger = open_ledger(chosen.resolved_ledger_url(), clock=clock)
    key = chosen.weaviate_api_key.get_secret_value() if chosen.weaviate_api_key else None
    return Ports(
        ledger=ledger,
        store=WeaviateStore(
            chosen.weaviate_url,
            chosen.weaviate_grpc,
            key,
            key_of=lambda card: credentials.of(card).api_key.get_secret_value(),
        ),
        embedders=ProviderEmbedders(catalogue, ledger, credentials, clock),
        model_lists=ProviderModelLists(credentials),
        notice_feed=FileOrUrlFeed(chosen.notices),
        catalogue=catalogue,
        clock=clock,
        timings=chosen.timings,
        gates=chosen.gates,
        executor=ThreadPoolExecutor,
    )


def close_ports(ports: Ports) -> None:
    """Closes what was opened; what fails to close must not hide what the caller has to say."""
    close_embedders = getattr(ports.embedders, "close", None)
    for close in (close_embedders, ports.store.close, ports.ledger.close):
        if close is None:
            continue
        try:
            close()
        except VecferryError:
            continue


def connect_router(pin: str, **settings: Any) -> Router:
    """A Router over real adapters; closes them when it is closed."""
    ports = connect_ports(settings_module.load(**settings))
    try:
        _warm_up(ports, pin)
        return Router(
            pin,
            ledger=ports.ledger,
            store=ports.store,
            embedders=ports.embedders,
            clock=ports.clock,
            timings=ports.timings,
            on_close=lambda: close_ports(ports),
        )
    except VecferryError:
        close_ports(ports)
        raise


def _warm_up(ports: Ports, pin: str) -> None:
    """The first gRPC call of a process imports the vendor's client, a second or more: not on a user's time."""
    collection = ports.ledger.pin(pin).collection
    for tenant in tenants_of(ports.store, collection)[:1]:
        ports.store.count(collection, tenant=tenant)


def _with_connections(settings: Settings, given: Mapping[str, Any]) -> Settings:
    own = {name: value for name, value in given.items() if name in _SETTING_OF}
    if "weaviate_api_key" in own:
        own["weaviate_api_key"] = SecretStr(own["weaviate_api_key"])
    return settings.model_copy(update=own)


def _variables(given: Mapping[str, Any]) -> dict[str, str]:
    """The connections by the names of the variables that they stand for."""
    return {_VARIABLE_OF[name]: str(value) for name, value in given.items() if name in _VARIABLE_OF}
