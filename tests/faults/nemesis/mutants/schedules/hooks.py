"""Stops or kills this process at a named moment: ``put live before`` or ``put_batch shadow after`` a call of the store,
``embedded`` when a reconcile has its vectors and is about to write."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.protocol import reconcile

_CALLS = ("read", "put", "put_batch", "merge", "delete", "delete_batch")
_POLL_S = 0.01
_PATIENCE_S = 120.0


class Hooks:
    """Each of ``wanted`` strikes once: ``{"at", "do": "kill" | "hold", "name"}``; ``sides``: collection → live or shadow."""

    def __init__(self, wanted: Sequence[Mapping[str, str]], sides: Mapping[str, str], gates: Path) -> None:
        self._wanted = list(wanted)
        self._sides = sides
        self._gates = gates
        self._lock = threading.Lock()

    def install(self) -> None:
        for call in _CALLS:
            setattr(WeaviateStore, call, self._hooked(call, getattr(WeaviateStore, call)))
        vectors_for = reconcile.vectors_for

        def embedding(*given: Any, **named: Any) -> Any:
            vectors = vectors_for(*given, **named)
            self._strike("embedded")
            return vectors

        reconcile.vectors_for = embedding

    def _hooked(self, call: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(store: WeaviateStore, collection: str, *given: Any, **named: Any) -> Any:
            place = f"{call} {self._sides.get(collection, collection)}"
            self._strike(f"{place} before")
            answer = original(store, collection, *given, **named)
            self._strike(f"{place} after")
            return answer

        return hooked

    def _strike(self, point: str) -> None:
        with self._lock:
            hook = next((one for one in self._wanted if one["at"] == point), None)
            if hook is None:
                return
            self._wanted.remove(hook)
        if hook["do"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        pass_gate(self._gates, hook["name"])


def pass_gate(gates: Path, name: str) -> None:
    """Says that it is there, and waits to be let through."""
    (gates / f"at-{name}").touch()
    deadline = time.monotonic() + _PATIENCE_S
    while not (gates / f"go-{name}").exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody opened the gate {name}")
        time.sleep(_POLL_S)
