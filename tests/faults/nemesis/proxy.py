"""TCP between two parts, on a loopback port of its own, that can be told to delay, cut or half-close.

All proxies of a run share one event loop in one thread. What a fault did is counted: one that met nobody proves nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

LOOPBACK = "127.0.0.1"
_CHUNK = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Kind = Literal["pass", "delay", "cut", "swallow_answers", "swallow_requests"]
T = TypeVar("T")


class Proxies:
    """The thread, and every proxy opened in it; all connections end with the block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._opened: list[Proxy] = []

    def open(self, name: str, host: str, port: int) -> Proxy:
        """Listens at once; ``name`` is for people (``app-0→weaviate_http``)."""
        proxy = Proxy(name, host, port, self)
        self.run(proxy.listen()).result(10)
        self._opened.append(proxy)
        return proxy

    def close_all(self) -> None:
        """Ends every proxy opened so far; the thread goes on for the next ones."""
        opened, self._opened = self._opened, []
        for proxy in opened:
            self.run(proxy.close()).result(10)

    def run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close_all()
        self.run(_cancel_all()).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Proxy:
    """Forwards every connection to ``host:port``. One fault at a time; its counts are given back when it is lifted.

    ======================  ======================================================================================
    ``delay``               each chunk, both ways, ``seconds`` late; also when its sender has given up meanwhile
    ``cut``                 open connections are reset, new ones too
    ``swallow_answers``     requests arrive; where an answer comes back, the client gets an end of file instead
    ``swallow_requests``    where a request comes, the server gets an end of file instead
    ======================  ======================================================================================
    """

    def __init__(self, name: str, host: str, port: int, proxies: Proxies) -> None:
        self.name = name
        self.port = 0
        self._to = (host, port)
        self._proxies = proxies
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self.kind: Kind = "pass"
        self.seconds = 0.0
        self.counts: Counter[str] = Counter()
        self.watched = b""
        self.seen = 0

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def strike(self, kind: Kind, *, seconds: float = 0.0) -> None:
        self._proxies.run(self._set(kind, seconds)).result(10)

    def lift(self) -> dict[str, int]:
        """``delayed_bytes, cut_connections, swallowed_bytes`` since it was struck; only those that happened."""
        return self._proxies.run(self._lift()).result(10)

    def watch(self, words: bytes) -> int:
        """Counts chunks that carry ``words`` from now on (empty: none). Returns how often those of before were seen."""
        return self._proxies.run(self._watch(words)).result(10)

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0, limit=_CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self._connections):
            connection.reset()

    async def _set(self, kind: Kind, seconds: float) -> None:
        self.counts = Counter()
        self.kind, self.seconds = kind, seconds
        if kind == "cut":
            for connection in list(self._connections):
                self.counts["cut_connections"] += 1
                connection.reset()

    async def _lift(self) -> dict[str, int]:
        done, self.counts = dict(self.counts), Counter()
        self.kind, self.seconds = "pass", 0.0
        return done

    async def _watch(self, words: bytes) -> int:
        seen, self.seen, self.watched = self.seen, 0, words
        return seen

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.kind == "cut":
            self.counts["cut_connections"] += 1
            _reset(writer)
            return
        try:
            there = await asyncio.open_connection(*self._to, limit=_CHUNK)
        except OSError:
            _reset(writer)  # as the server's own refusal would look
            return
        connection = _Connection(self, (reader, writer), there)
        self._connections.add(connection)
        try:
            await connection.pump()
        finally:
            self._connections.discard(connection)


class _Connection:
    def __init__(
        self,
        proxy: Proxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server

    async def pump(self) -> None:
        """Until both directions have ended."""
        try:
            await asyncio.gather(
                self._direction(self._client[0], self._server[1], "swallow_requests"),
                self._direction(self._server[0], self._client[1], "swallow_answers"),
            )
        finally:
            for _, writer in (self._client, self._server):
                writer.close()

    def reset(self) -> None:
        for _, writer in (self._client, self._server):
            _reset(writer)

    async def _direction(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, swallowed_by: Kind) -> None:
        """Reading and delivering are two tasks: a delayed chunk must not delay the reading of the next."""
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivering = asyncio.create_task(_deliver(chunks, writer))
        while data := await _read(reader):
            proxy = self._proxy
            if proxy.kind == swallowed_by:
                proxy.counts["swallowed_bytes"] += len(data)
                data = b""
            if proxy.kind == "delay":
                proxy.counts["delayed_bytes"] += len(data)
            if proxy.watched and proxy.watched in data:
                proxy.seen += 1
            chunks.put_nowait((time.monotonic() + (proxy.seconds if proxy.kind == "delay" else 0.0), data))
            if not data:
                break
        else:
            chunks.put_nowait((time.monotonic(), b""))
        while await _read(reader):
            pass  # What comes after the end of file that the other side was given is nobody's.
        await delivering


async def _cancel_all() -> None:
    """What a closed connection left waiting."""
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


async def _deliver(chunks: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    """In order; an empty chunk is an end of file."""
    while True:
        at, data = await chunks.get()
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        try:
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
        except (OSError, RuntimeError):  # closed meanwhile
            return


async def _read(reader: asyncio.StreamReader) -> bytes:
    """A reset ends a direction as an end of file does: what was sent before it is still delivered."""
    try:
        return await reader.read(_CHUNK)
    except OSError:
        return b""


def _reset(writer: asyncio.StreamWriter) -> None:
    held = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
