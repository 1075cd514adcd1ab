"""Run a bare Weaviate server on free loopback ports, with its data in a folder of yours."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from vecferry.sandbox.processes import LOOPBACK, ChildProcess, free_port_runs, free_ports
from vecferry.sandbox.weaviate_binary import find_weaviate_binary

# The server reads some 200 environment variables. A sandbox that took them from the shell would behave differently on
# each machine, so only these are handed on; all else is said here or by ``env``.
INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "TIKTOKEN_CACHE_DIR")
API_KEY_USER = "sandbox"


class WeaviateServer:
    """One node. The ports are chosen once, so that clients find it again after ``kill()`` and ``start()``.

    ``disk_readonly_percent`` is the disk usage above which the server turns its shards read-only. ``env`` overrides
    any of the server's settings. Raises ``NeedsPerson`` with the server's last words when it does not come up.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        log: Path | None = None,
        api_key: str | None = None,
        async_indexing: bool = False,
        disk_readonly_percent: int = 98,
        env: Mapping[str, str] | None = None,
        binary: Path | None = None,
        http_port: int | None = None,
        grpc_port: int | None = None,
        deadline_s: float = 90,
    ) -> None:
        self.data_dir = data_dir
        free = free_ports(2)
        self.http_port = http_port or free[0]
        self.grpc_port = grpc_port or free[1]
        data_dir.mkdir(parents=True, exist_ok=True)
        settings = _settings(data_dir, self.grpc_port) | _access(api_key)
        settings["ASYNC_INDEXING"] = str(async_indexing).lower()
        settings["DISK_USE_READONLY_PERCENTAGE"] = str(disk_readonly_percent)
        settings["DISK_USE_WARNING_PERCENTAGE"] = str(min(95, disk_readonly_percent))
        self.process = ChildProcess(
            f"weaviate on port {self.http_port}",
            [binary or find_weaviate_binary(), "--scheme", "http", "--host", LOOPBACK, "--port", str(self.http_port)],
            log=log or data_dir.with_name(data_dir.name + ".log"),
            ready=self.is_ready,
            awaited=f"{self.http_url}/v1/.well-known/ready and gRPC on {self.grpc_address}",
            deadline_s=deadline_s,
            ports=(self.http_port, self.grpc_port),
            env={name: os.environ[name] for name in INHERITED if name in os.environ} | settings | dict(env or {}),
            grace_s=20,
        )

    @property
    def http_url(self) -> str:
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def grpc_address(self) -> str:
        return f"{LOOPBACK}:{self.grpc_port}"

    @property
    def log(self) -> Path:
        return self.process.log

    def is_ready(self) -> bool:
        try:
            # trust_env: a proxy from the environment must not be asked for a loopback address.
            ready = httpx.get(f"{self.http_url}/v1/.well-known/ready", timeout=2, trust_env=False).is_success
            with socket.create_connection((LOOPBACK, self.grpc_port), timeout=2):
                return ready
        except (httpx.TransportError, OSError):
            return False

    def start(self) -> Self:
        self.process.start()
        return self

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        """``kill -9``: what was acknowledged must survive it; start() again brings it back on the same ports."""
        self.process.kill()

    def restart(self) -> Self:
        self.process.restart()
        return self

    def freeze(self) -> None:
        """It keeps its connections and answers nobody until ``resume()``; then it applies what it was sent."""
        self.process.freeze()

    def resume(self) -> None:
        self.process.resume()

    def __enter__(self) -> Self:
        return self if self.process.is_running() else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _settings(data_dir: Path, grpc_port: int) -> dict[str, str]:
    # Weaviate wants these pairs side by side: data = gossip + 1, internal RPC = RAFT + 1.
    (gossip, data), (raft, raft_rpc) = free_port_runs([2, 2])
    return {
        "PERSISTENCE_DATA_PATH": str(data_dir.absolute()),
        # The node's name is part of its RAFT state: the same folder must keep it, whatever the ports.
        "CLUSTER_HOSTNAME": "sandbox",
        "CLUSTER_IN_LOCALHOST": "true",
        "CLUSTER_ADVERTISE_ADDR": LOOPBACK,
        "CLUSTER_GOSSIP_BIND_PORT": str(gossip),
        "CLUSTER_DATA_BIND_PORT": str(data),
        "RAFT_PORT": str(raft),
        "RAFT_INTERNAL_RPC_PORT": str(raft_rpc),
        "RAFT_JOIN": f"sandbox:{raft}",
        "RAFT_BOOTSTRAP_EXPECT": "1",
        # The default of 5 spares real clusters needless elections; a lone node only waits for itself (10 s a start).
        "RAFT_TIMEOUTS_MULTIPLIER": "1",
        "GRPC_PORT": str(grpc_port),
        "GO_PROFILING_DISABLE": "true",
        "DISABLE_TELEMETRY": "true",
        "LOG_LEVEL": "warning",
        "DEFAULT_VECTORIZER_MODULE": "none",
        # On, a write to a deleted class creates it anew, also through a dangling alias.
        "AUTOSCHEMA_ENABLED": "false",
    }


def _access(api_key: str | None) -> dict[str, str]:
    if api_key is None:
        return {"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true"}
    return {
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
        "AUTHENTICATION_APIKEY_ENABLED": "true",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS": api_key,
        "AUTHENTICATION_APIKEY_USERS": API_KEY_USER,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run a server in the foreground until Ctrl-C or SIGTERM; prints the settings that point vecferry at it."""
    parser = argparse.ArgumentParser(prog="python -m vecferry.sandbox weaviate", description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path(".vecferry/weaviate"), help="folder of its data (kept)")
    parser.add_argument("--port", type=int, default=None, help="HTTP port (default: a free one)")
    parser.add_argument("--grpc-port", type=int, default=None, help="gRPC port (default: a free one)")
    parser.add_argument("--async-indexing", action="store_true")
    chosen = parser.parse_args(argv)
    server = WeaviateServer(
        chosen.data, http_port=chosen.port, grpc_port=chosen.grpc_port, async_indexing=chosen.async_indexing
    )
    asked_to_end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_end.set())
    with server:
        print(f"VECFERRY_WEAVIATE_URL={server.http_url}\nVECFERRY_WEAVIATE_GRPC={server.grpc_address}", flush=True)
        while server.process.is_running() and not asked_to_end.wait(0.5):
            pass
        return 0 if asked_to_end.is_set() else 1


if __name__ == "__main__":
    raise SystemExit(main())
