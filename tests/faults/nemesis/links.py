"""What each process is told: addresses of its own proxies, so that one part can lose sight of another alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from tests.faults.nemesis.plan import CLIENTS, QUARANTINE_S
from tests.faults.nemesis.proxy import LOOPBACK, Proxy
from tests.faults.nemesis.servers import Servers
from vecferry.sandbox.demo.models_file import write_models
from vecferry.sandbox.provider import Address

KEY = "sandbox"
TIMINGS = {
    "write_timeout_s": 1.2,
    "delta_s": 1.0,
    "quarantine_s": QUARANTINE_S,
    "row_deadline_s": 4.0,
    "takeover_s": 8.0,
    "poll_s": 0.25,
    "freeze_poll_s": 0.05,
    "lease_s": 2.0,
    "idle_lease_s": 8.0,
    "freeze_hold_s": 3.0,
    "behind_s": 15.0,
}
"""Seconds where production has minutes, on a machine that has time for us; the same inequalities hold."""
GATES = {
    # Whether a canary is judged rightly is other tests' matter: under faults its figures say only that there are faults.
    "canary_min_queries": 2,
    "canary_max_error_rate": 1.0,
    "canary_max_fallback_rate": 1.0,
    "canary_max_empty_increase": 1.0,
    "canary_latency_slack_ms": 60_000.0,
    "canary_golden_queries": 30,
    "canary_golden_margin": 0.9,
    "split_tolerance_sigmas": 20.0,
    "margin": 0.2,
}
SHELL = ("PATH", "HOME", "TMPDIR", "LANG", "TZ", "TIKTOKEN_CACHE_DIR", "VECFERRY_TRACEBACK", "PYTHONPATH")


@dataclass(frozen=True)
class Links:
    """``envs``: what each client reads; ``proxies``: by ``client→server``; ``direct``: the same, by no proxy."""

    envs: Mapping[str, Mapping[str, str]]
    proxies: Mapping[str, Proxy]
    direct: Mapping[str, str]


def timings(pace: float) -> dict[str, float]:
    """``pace`` times as long, for a machine that others use too. A poll is no promise, and stays."""
    return {name: value if "poll" in name else value * pace for name, value in TIMINGS.items()}


def linked(servers: Servers, folder: Path, ledger_url: str, pace: float) -> Links:
    """``folder`` gets a catalogue file for each client: the provider's address stands there."""
    proxies = {
        f"{client}→{server}": servers.proxies.open(f"{client}→{server}", *address)
        for client in CLIENTS
        for server, address in _addresses(servers, ledger_url).items()
    }
    envs = {client: _through(client, proxies, folder, ledger_url) | _timed(pace) for client in CLIENTS}
    weaviate = servers.weaviate
    direct = _env(folder / "models-direct.toml", servers.address, weaviate.http_url, weaviate.grpc_address, ledger_url)
    direct |= _timed(pace)
    return Links(envs, proxies, direct)


def _addresses(servers: Servers, ledger_url: str) -> dict[str, tuple[str, int]]:
    found = {
        "weaviate_http": (LOOPBACK, servers.weaviate.http_port),
        "weaviate_grpc": (LOOPBACK, servers.weaviate.grpc_port),
        "provider": (LOOPBACK, servers.address.port),
    }
    if ledger_url.startswith("postgresql"):
        found["ledger"] = (LOOPBACK, servers.postgres.port)
    return found


def _through(client: str, proxies: Mapping[str, Proxy], folder: Path, ledger_url: str) -> dict[str, str]:
    url = make_url(ledger_url)
    if url.get_backend_name() == "postgresql":
        url = url.set(port=proxies[f"{client}→ledger"].port)
    return _env(
        folder / f"models-{client}.toml",
        Address(LOOPBACK, proxies[f"{client}→provider"].port),
        f"http://{proxies[f'{client}→weaviate_http'].address}",
        proxies[f"{client}→weaviate_grpc"].address,
        url.render_as_string(hide_password=False),
    )


def _timed(pace: float) -> dict[str, str]:
    return {f"VECFERRY_TIMINGS__{name.upper()}": str(value) for name, value in timings(pace).items()}


def _env(models: Path, provider: Address, weaviate_url: str, weaviate_grpc: str, ledger_url: str) -> dict[str, str]:
    write_models(models, provider)
    return {
        **{name: os.environ[name] for name in SHELL if name in os.environ},
        **{f"VECFERRY_GATES__{name.upper()}": str(value) for name, value in GATES.items()},
        "VECFERRY_LEDGER_URL": ledger_url,
        "VECFERRY_WEAVIATE_URL": weaviate_url,
        "VECFERRY_WEAVIATE_GRPC": weaviate_grpc,
        "VECFERRY_MODELS": str(models),
        "VECFERRY_WHO": "nemesis",
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": provider.openai_url,
        "CO_API_KEY": KEY,
        "CO_API_URL": provider.cohere_url,
        # A proxy from the environment must not be asked for a loopback address.
        "NO_PROXY": f"{LOOPBACK},localhost",
        "no_proxy": f"{LOOPBACK},localhost",
    }
