"""The clients of one Weaviate: made on first use, one set a process."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import Any

import httpx

from vecferry.errors import BadInput

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_GRPC_OPTIONS = (
    # 1,000 objects with vectors pass the default of 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A restarted server is found again within a second, not after two minutes of back-off.
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A retry inside the channel would hide how old a request is.
    ("grpc.enable_retries", 0),
)


@dataclass
class _Clients:
    """A connection of the parent is shared by a forked child on the same socket: so the process is part of the key."""

    pid: int
    http: httpx.Client | None = None
    channel: Any = None
    stub: Any = None
    vendor: Any = None
    lock: threading.RLock = field(default_factory=threading.RLock)


class Connection:
    """``url`` is the REST address, ``grpc`` is host:port; gRPC is encrypted if the URL is https. Nothing connects here."""

    def __init__(self, url: str, grpc: str, api_key: str | None) -> None:
        self.url = url.rstrip("/")
        self._grpc = grpc
        self._api_key = api_key
        self._clients = _Clients(os.getpid())
        parsed = httpx.URL(self.url)
        if not parsed.host or parsed.scheme not in ("http", "https") or ":" not in grpc:
            raise BadInput(
                f"{url!r} and {grpc!r} are no Weaviate addresses",
                where="weaviate",
                next_action="Give an http(s) URL and a gRPC host:port (VECFERRY_WEAVIATE_URL, VECFERRY_WEAVIATE_GRPC).",
            )
        self._parsed = parsed
        self._local = parsed.host in _LOOPBACK

    def http(self) -> httpx.Client:
        clients = self._of_this_process()
        with clients.lock:
            if clients.http is None:
                # A proxy from the environment must not be asked for a loopback address.
                limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
                clients.http = httpx.Client(
                    base_url=self.url, headers=self._headers(), limits=limits, trust_env=not self._local
                )
            return clients.http

    def stub(self) -> Any:
        """The raw gRPC stub: the vendor client's own conversion of answers loses what a content hash must see."""
        clients = self._of_this_process()
        with clients.lock:
            if clients.stub is None:
                from weaviate.proto.v1 import weaviate_pb2_grpc

                clients.channel = self._channel()
                clients.stub = weaviate_pb2_grpc.WeaviateStub(clients.channel)  # type: ignore[no-untyped-call]
            return clients.stub

    def grpc_metadata(self) -> list[tuple[str, str]]:
        return [(name.lower(), value) for name, value in self._headers().items()]

    def vendor(self) -> Any:
        """The connected ``weaviate.WeaviateClient``."""
        clients = self._of_this_process()
        with clients.lock:
            if clients.vendor is None:
                clients.vendor = self._vendor()
            return clients.vendor

    def close(self) -> None:
        clients, self._clients = self._of_this_process(), _Clients(os.getpid())
        for opened in (clients.http, clients.channel, clients.vendor):
            if opened is not None:
                opened.close()

    def _of_this_process(self) -> _Clients:
        if self._clients.pid != os.getpid():
            # Not closed: the sockets are the parent's, and it still uses them.
            self._clients = _Clients(os.getpid())
        return self._clients

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}

    def _channel(self) -> Any:
        import grpc

        options = [*_GRPC_OPTIONS, ("grpc.enable_http_proxy", 0 if self._local else 1)]
        if self._parsed.scheme == "https":
            return grpc.secure_channel(self._grpc, grpc.ssl_channel_credentials(), options=options)
        return grpc.insecure_channel(self._grpc, options=options)

    def _vendor(self) -> Any:
        import weaviate
        from weaviate.auth import Auth
        from weaviate.connect import ConnectionParams

        host, _, port = self._grpc.rpartition(":")
        secure = self._parsed.scheme == "https"
        address = ConnectionParams.from_params(
            http_host=self._parsed.host,
            http_port=self._parsed.port or (443 if secure else 80),
            http_secure=secure,
            grpc_host=host,
            grpc_port=int(port),
            grpc_secure=secure,
        )
        auth = Auth.api_key(self._api_key) if self._api_key else None
        client = weaviate.WeaviateClient(address, auth_client_secret=auth, skip_init_checks=True)
        client.connect()
        return client
