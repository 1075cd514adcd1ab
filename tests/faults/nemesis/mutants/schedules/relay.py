"""TCP to one server that keeps one request back, whatever becomes of its sender: the ghost that the protocol is about."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from vecferry.sandbox.processes import LOOPBACK

_CHUNK = 65_536
_ANSWER_S = 20.0


class Relay:
    """Forwards everything; ``hold_next`` arms it for one request."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._marker = b""
        self.held = threading.Event()
        """Set once the request has come, of which the server knows nothing yet."""
        self._released = threading.Event()
        self._answered = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def hold_next(self, marker: bytes) -> None:
        """The first request from now on whose bytes contain ``marker``; those that follow it are forwarded."""
        with self._lock:
            self._marker = marker

    def release(self) -> None:
        """It arrives now; returns when the server has answered it, to whomever."""
        assert self.held.is_set(), "nothing is held"
        self._released.set()
        if not self._answered.wait(_ANSWER_S):
            raise TimeoutError("the server did not answer what was held")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._released.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((LOOPBACK, self._to))
                holding = threading.Event()
                for pump in (self._requests, self._answers):
                    threading.Thread(target=pump, args=(client, server, holding), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket, holding: threading.Event) -> None:
        before = b""
        with contextlib.suppress(OSError):
            while chunk := _received(client):
                if self._is_wanted(before + chunk):
                    holding.set()
                    self.held.set()
                    self._released.wait()
                server.sendall(chunk)
                before = chunk[-100:]
            if holding.is_set():  # its sender is gone; were the server told so, it might drop the request
                self._answered.wait(_ANSWER_S)
            server.shutdown(socket.SHUT_WR)

    def _answers(self, client: socket.socket, server: socket.socket, holding: threading.Event) -> None:
        while chunk := _received(server):
            if holding.is_set() and self._released.is_set():
                self._answered.set()
            with contextlib.suppress(OSError):
                client.sendall(chunk)
        for end in (client, server):
            end.close()

    def _is_wanted(self, seen: bytes) -> bool:
        with self._lock:
            if not self._marker or self._marker not in seen:
                return False
            self._marker = b""
            return True


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(_CHUNK)
    except OSError:
        return b""
