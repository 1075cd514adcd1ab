"""The outside world for the length of one command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from vecferry.ports import Ports

Connect = Callable[[], AbstractContextManager["Ports"]]
"""What a test, or another program, puts into typer's ``obj`` to bring ports of its own."""


def ports_of(ctx: typer.Context) -> AbstractContextManager[Ports]:
    connect: Connect = ctx.obj if callable(ctx.obj) else connected
    return connect()


@contextmanager
def connected() -> Iterator[Ports]:
    from vecferry.bootstrap import close_ports, connect_ports

    ports = connect_ports()
    try:
        yield ports
    finally:
        close_ports(ports)
