"""The demo's processes, each with its own log and in a session of its own; all end with the demo."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from vecferry.sandbox.demo.documents import Documents
from vecferry.sandbox.demo.fill import COLLECTION
from vecferry.sandbox.demo.folder import DemoFolder
from vecferry.sandbox.processes import LOOPBACK, ChildProcess, free_ports
from vecferry.sandbox.provider import Address

_KEY = "sandbox"


def provider(folder: DemoFolder) -> tuple[ChildProcess, Address]:
    """Fitting the models takes up to a minute the first time; they are kept for the next."""
    address = Address(LOOPBACK, free_ports(1)[0])
    command = _python("provider", "--port", str(address.port), "--corpus", folder.corpus, "--cache", folder.cache)
    process = ChildProcess(
        "provider",
        command,
        log=folder.log("provider"),
        ready=lambda: _answers(f"{address.url}/_health"),
        awaited=f"{address.url}/_health",
        deadline_s=300,
        ports=(address.port,),
    )
    return process, address


def application(folder: DemoFolder, documents: Documents, env: Mapping[str, str]) -> ChildProcess:
    command = _python(
        "traffic", "--pin", COLLECTION, "--text", documents.text, "--corpus", folder.corpus, "--golden", folder.golden,
        "--history", folder.history, "--control", folder.control,
    )  # fmt: skip
    return ChildProcess("application", command, log=folder.log("application"), env={**os.environ, **env}, grace_s=20)


def settings(folder: DemoFolder, provider: Address, weaviate_url: str, weaviate_grpc: str) -> dict[str, str]:
    """What the CLI, the tasks and the application read; times and gates are made for minutes where production has days."""
    return {
        "VECFERRY_LEDGER_URL": f"sqlite:///{folder.ledger}",
        "VECFERRY_WEAVIATE_URL": weaviate_url,
        "VECFERRY_WEAVIATE_GRPC": weaviate_grpc,
        "VECFERRY_MODELS": str(folder.models),
        "VECFERRY_NOTICES": provider.notices_url,
        # Two cores are shared by everything here, the checks and the canary's own replays too: latencies say little.
        "VECFERRY_GATES__CANARY_LATENCY_SLACK_MS": "250",
        "VECFERRY_GATES__CANARY_MIN_QUERIES": "25",
        "OPENAI_API_KEY": _KEY,
        "OPENAI_BASE_URL": provider.openai_url,
        "CO_API_KEY": _KEY,
        "CO_API_URL": provider.cohere_url,
        # A proxy from the environment must not be asked for a loopback address.
        **{name: ",".join(filter(None, [os.environ.get(name), LOOPBACK, "localhost"])) for name in ("NO_PROXY", "no_proxy")},
    }


def _python(*arguments: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", "vecferry.sandbox", *arguments]


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False
