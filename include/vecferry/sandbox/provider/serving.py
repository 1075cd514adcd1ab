"""Runs the provider on a loopback port: in the foreground, or in a thread for as long as a ``with`` block lasts."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from vecferry.errors import BadInput
from vecferry.sandbox.corpus import build, load_corpus, texts_of
from vecferry.sandbox.models import load_models
from vecferry.sandbox.provider.app import create_app
from vecferry.sandbox.provider.state import ProviderState

LOOPBACK = "127.0.0.1"
CACHE = Path(".vecferry/sandbox")
START_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Address:
    """``url`` is for Weaviate's modules and the sandbox's own routes; each SDK has a base URL of its own."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/openai/v1"

    @property
    def cohere_url(self) -> str:
        return f"{self.url}/cohere"

    @property
    def notices_url(self) -> str:
        return f"{self.url}/notices.json"


def provider_state(
    corpus: Path | str | None = None, cache: Path | str | None = CACHE, keys: Sequence[str] = ()
) -> ProviderState:
    """Models fitted on ``corpus`` (JSON Lines; by default the sandbox's own, built into ``cache``) and kept in ``cache``."""
    path = corpus or build(Path(cache or CACHE)).corpus
    return ProviderState(load_models(texts_of(load_corpus(path)), cache), keys)


def serve(
    port: int = 0,
    corpus: Path | str | None = None,
    cache: Path | str | None = CACHE,
    *,
    host: str = LOOPBACK,
    keys: Sequence[str] = (),
    ready: Callable[[Address], None] = lambda address: print(f"listening on {address.url}", flush=True),
) -> None:
    """Answers until it is interrupted. Port 0 takes a free one; ``ready`` is told the address once it listens."""
    app = create_app(provider_state(corpus, cache, keys))
    listening, address = _listen(host, port)
    server = _server(app)
    announced = threading.Thread(target=_announce, args=(server, address, ready), daemon=True)
    announced.start()
    server.run(sockets=[listening])


@contextmanager
def running(state: ProviderState, port: int = 0, host: str = LOOPBACK) -> Iterator[Address]:
    """The provider in a thread of this process; requests still open after a second are dropped at the end."""
    listening, address = _listen(host, port)
    server = _server(create_app(state))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True, name="sandbox-provider")
    thread.start()
    try:
        if not _started(server, thread.is_alive):
            raise TimeoutError(f"the provider was not ready on {address.url} within {START_TIMEOUT_S:.0f} s")
        yield address
    finally:
        server.should_exit = True
        thread.join(START_TIMEOUT_S)
        listening.close()


def _server(app: FastAPI) -> uvicorn.Server:
    # Critical only: cutting answers off is a feature here, and uvicorn reports each one as an error.
    return uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=1))


def _listen(host: str, port: int) -> tuple[socket.socket, Address]:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise BadInput(
            f"the port cannot be had ({error.strerror})", where=f"{host}:{port}", next_action="Use --port 0 for a free one."
        ) from error
    return listening, Address(host, listening.getsockname()[1])


def _started(server: uvicorn.Server, alive: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + START_TIMEOUT_S
    while not server.started and alive() and time.monotonic() < end_s:
        time.sleep(0.01)
    return server.started


def _announce(server: uvicorn.Server, address: Address, ready: Callable[[Address], None]) -> None:
    if _started(server, lambda: True):
        ready(address)
