"""The outside world for the length of one task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from vecferry.airflow.failures import told_to_airflow
from vecferry.errors import NotFound

if TYPE_CHECKING:
    from airflow.sdk import Context

    from vecferry.ports import Ports

Connect = Callable[[str], AbstractContextManager["Ports"]]
"""The pin's name ("" for none) → ports, closed by whoever opened them. The DAG factories take another one as ``connect=``."""


@contextmanager
def ports_in_task(connect: Connect, context: Context) -> Iterator[Ports]:
    """Ports for the run's collection. Errors from here on reach Airflow as it and its readers need them."""
    with told_to_airflow(), connect(str(context["params"].get("collection") or "")) as ports:
        yield ports


@contextmanager
def connected(pin: str) -> Iterator[Ports]:
    """By Airflow's Connections and the settings; a pin that names Connections of its own gets those."""
    from vecferry.airflow.connections import connection_values
    from vecferry.bootstrap import close_ports, connect_ports

    ports = connect_ports(connections=connection_values())
    try:
        if own := _own_connections(ports, pin):
            close_ports(ports)
            ports = connect_ports(connections=connection_values(own))
        yield ports
    finally:
        close_ports(ports)


def _own_connections(ports: Ports, pin: str) -> Mapping[str, str]:
    try:
        return ports.ledger.pin(pin).connections if pin else {}
    except NotFound:
        return {}  # the step itself says so, with the pins that exist
