"""A web application for ``gunicorn --preload``: its Router is connected in the master, before the workers are forked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from vecferry import Router

router = Router.connect("Forks")
CONNECTED_IN = os.getpid()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    answer = {"/put": _put, "/search": _search}[environ["PATH_INFO"]](query)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer | whereabouts()).encode()]


def _put(query: dict[str, str]) -> dict[str, Any]:
    receipt = router.put(query["key"], {"body": query["body"]}, timeout=30)
    return {"followed": receipt.wait(60)}


def _search(query: dict[str, str]) -> dict[str, Any]:
    return {"found": [hit.uuid for hit in router.search(query["text"], key="u", limit=3, timeout=30)]}


def whereabouts() -> dict[str, Any]:
    """Who answered, and by whose lease and connections."""
    return {
        "pid": os.getpid(),
        "connected_in": CONNECTED_IN,
        "router_id": router._membership.router_id,
        "clients_of": router._store._connection._clients.pid,  # type: ignore[attr-defined]
        "threads": sum(thread.is_alive() for thread in router._threads),
    }


def worker_exit(server: object, worker: object) -> None:
    """gunicorn's hook: a lease that nobody gives back is waited for."""
    router.close()
