"""The proxy does to a connection what it says, and counts it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.nemesis.proxy import LOOPBACK, Proxies, Proxy
from vecferry.sandbox.wait_until import wait_until

pytestmark = pytest.mark.timeout(60)


class EchoServer:
    """Answers each message with itself; ``received`` is what came, ends of file as empty bytes."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            while True:
                try:
                    data = connection.recv(1024)
                    self.received.append(data)
                    if not data:
                        return
                    connection.sendall(data)
                except OSError:
                    return


@pytest.fixture
def server() -> Iterator[EchoServer]:
    made = EchoServer()
    yield made
    made.close()


@pytest.fixture
def proxy(server: EchoServer) -> Iterator[Proxy]:
    with Proxies() as proxies:
        yield proxies.open("test", LOOPBACK, server.port)


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection((LOOPBACK, proxy.port), timeout=10)


def answer_to(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return client.recv(1024)


def test_it_forwards_both_ways_and_both_ends(proxy: Proxy, server: EchoServer) -> None:
    with connected(proxy) as client:
        assert answer_to(client, b"one") == b"one"
        assert answer_to(client, b"two") == b"two"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1024) == b""
    assert server.received == [b"one", b"two", b""]
    assert proxy.lift() == {}


def test_a_delay_holds_each_chunk_both_ways_in_order(proxy: Proxy) -> None:
    with connected(proxy) as client:
        proxy.strike("delay", seconds=0.2)
        began = time.monotonic()
        assert answer_to(client, b"late") == b"late"
        assert time.monotonic() - began >= 0.4
        assert proxy.lift() == {"delayed_bytes": 8}
        began = time.monotonic()
        assert answer_to(client, b"again") == b"again"


def test_what_was_delayed_arrives_though_its_sender_has_given_up(proxy: Proxy, server: EchoServer) -> None:
    """The ghost that the protocol is about: the client timed out, and the write takes effect later."""
    proxy.strike("delay", seconds=0.3)
    with connected(proxy) as client:
        client.sendall(b"ghost")
    wait_until(lambda: b"ghost" in server.received, awaited="the delayed bytes", deadline_s=10)


def test_a_cut_resets_open_connections_and_new_ones(proxy: Proxy) -> None:
    with connected(proxy) as client:
        assert answer_to(client, b"before") == b"before"
        proxy.strike("cut")
        with pytest.raises(ConnectionResetError):
            client.recv(1024)
    with pytest.raises(ConnectionResetError), connected(proxy) as another:
        another.recv(1024)
    assert proxy.lift() == {"cut_connections": 2}
    with connected(proxy) as client:
        assert answer_to(client, b"after") == b"after"


def test_a_swallowed_answer_was_applied_and_the_client_sees_an_end(proxy: Proxy, server: EchoServer) -> None:
    with connected(proxy) as client:
        proxy.strike("swallow_answers")
        assert answer_to(client, b"write") == b""
        assert server.received == [b"write"]
        assert proxy.lift() == {"swallowed_bytes": 5}


def test_a_swallowed_request_never_arrives_and_the_server_sees_an_end(proxy: Proxy, server: EchoServer) -> None:
    with connected(proxy) as client:
        proxy.strike("swallow_requests")
        assert answer_to(client, b"write") == b""
        assert server.received == [b""]
        assert proxy.lift() == {"swallowed_bytes": 5}


def test_words_on_the_wire_are_counted_while_they_are_watched(proxy: Proxy) -> None:
    with connected(proxy) as client:
        assert answer_to(client, b"store is read-only") == b"store is read-only"
        proxy.watch(b"read-only")
        assert answer_to(client, b"store is read-only") == b"store is read-only"
        assert answer_to(client, b"fine") == b"fine"
        assert proxy.watch(b"") == 2  # there and back
        assert proxy.watch(b"") == 0


def test_a_server_that_is_away_looks_like_a_reset_and_is_found_again(server: EchoServer) -> None:
    with socket.create_server((LOOPBACK, 0)) as unused:
        port = unused.getsockname()[1]
    with Proxies() as proxies:
        proxy = proxies.open("test", LOOPBACK, port)
        with pytest.raises(ConnectionResetError), connected(proxy) as client:
            client.recv(1024)
