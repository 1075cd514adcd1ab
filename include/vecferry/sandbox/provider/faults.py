"""Faults that tests and demos switch on: what providers do wrong, one at a time or together.

``POST /_faults`` takes one fault or a list; ``DELETE /_faults`` clears all, ``DELETE /_faults/{id}`` one; ``GET /_faults``
lists them with how often each struck. A fault is ``{"kind": …}`` with any of these:

============  =====================================================================================================
``api``       only ``"openai"`` or only ``"cohere"`` requests
``model``     only this model
``input_type``  only Cohere requests of this input type, for example ``"search_query"``
``rate``      share of the matching requests that are struck (1.0), drawn from ``seed`` (0): the same run, the same faults
``times``     strike so often, then never again (no end)
============  =====================================================================================================

and, by kind:

==================  =============================================================================================
``status``          answer ``status`` (500) with ``message``; with ``retry_after_s`` also a Retry-After header
``rate_limit``      429 with Retry-After ``retry_after_s`` (1), whole seconds as the header has them
``quota``           429 coded ``insufficient_quota``, no Retry-After
``latency``         the right answer, ``seconds`` (0.5) late
``hang``            no answer: after ``seconds`` (60) the connection is closed. The work was done, and is billed
``disconnect``      the connection is closed in the middle of the answer. Billed
``truncated``       200 and a whole HTTP body, of which the JSON is cut in half. Billed
``wrong_count``     ``delta`` (-1) vectors too few or too many
``wrong_dimensions``  vectors of ``dimensions`` (383)
``nan``             a NaN in the first vector
``zero``            the first vector is all zero
``scaled``          vectors of length ``factor`` (2.0)
``shuffled``        vectors in reverse order; OpenAI's ``index`` fields are true, Cohere has none to tell by
``foreign_space``   finite, normalised vectors of another space: turned by a rotation drawn from ``space_seed`` (1), or
                    what the model named in ``space`` gives. Only quality can tell
``silent_change``   every vector moved to cosine ``cosine`` (0.93) of the right one, each always to the same place
==================  =============================================================================================
"""

from __future__ import annotations

import itertools
import random
import threading
from dataclasses import dataclass, field
from typing import Any

from vecferry.sandbox.provider.refusal import Refusal
from vecferry.sandbox.provider.request import EmbedRequest

KINDS: dict[str, dict[str, Any]] = {
    "status": {"status": 500, "message": "The server had an error while processing your request.", "retry_after_s": None},
    "rate_limit": {"retry_after_s": 1},
    "quota": {},
    "latency": {"seconds": 0.5},
    "hang": {"seconds": 60.0},
    "disconnect": {},
    "truncated": {},
    "wrong_count": {"delta": -1},
    "wrong_dimensions": {"dimensions": 383},
    "nan": {},
    "zero": {},
    "scaled": {"factor": 2.0},
    "shuffled": {},
    "foreign_space": {"space_seed": 1, "space": None},
    "silent_change": {"cosine": 0.93},
}
AIM: dict[str, Any] = {"api": None, "model": None, "input_type": None, "rate": 1.0, "times": None, "seed": 0}


@dataclass
class Fault:
    id: int
    kind: str
    aim: dict[str, Any]
    settings: dict[str, Any]
    struck: int = 0
    dice: random.Random = field(default_factory=random.Random, repr=False)

    def concerns(self, request: EmbedRequest) -> bool:
        return all(
            self.aim[name] is None or self.aim[name] == getattr(request, name) for name in ("api", "model", "input_type")
        )

    def strikes(self) -> bool:
        if self.aim["times"] is not None and self.struck >= self.aim["times"]:
            return False
        if self.dice.random() >= self.aim["rate"]:
            return False
        self.struck += 1
        return True

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.id, "kind": self.kind, **self.aim, **self.settings, "struck": self.struck}


class Faults:
    def __init__(self, models: list[str]) -> None:
        self._models = models
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._faults: list[Fault] = []

    def add(self, given: object) -> list[dict[str, Any]]:
        """All of them or, when one is not understood, none."""
        asked = given if isinstance(given, list) else [given]
        with self._lock:
            faults = [self._read(one) for one in asked]
            self._faults += faults
            return [fault.as_dict() for fault in faults]

    def struck_by(self, request: EmbedRequest) -> list[Fault]:
        with self._lock:
            return [fault for fault in self._faults if fault.concerns(request) and fault.strikes()]

    def clear(self, fault_id: int | None = None) -> int:
        """How many were switched off."""
        with self._lock:
            kept = [fault for fault in self._faults if fault_id is not None and fault.id != fault_id]
            gone = len(self._faults) - len(kept)
            self._faults = kept
            return gone

    def as_list(self) -> list[dict[str, Any]]:
        with self._lock:
            return [fault.as_dict() for fault in self._faults]

    def _read(self, given: object) -> Fault:
        kind = given.get("kind") if isinstance(given, dict) else None
        if not isinstance(given, dict) or kind not in KINDS:
            raise Refusal(400, f"A fault needs a `kind`, one of {', '.join(KINDS)}; not {kind!r}.", param="kind")
        settings = {name: value for name, value in given.items() if name != "kind"}
        unknown = set(settings) - set(AIM) - set(KINDS[kind])
        if unknown:
            takes = ", ".join([*KINDS[kind], *AIM])
            raise Refusal(400, f"A {kind} fault has no {', '.join(sorted(unknown))}; it takes {takes}.")
        for name in ("model", "space"):
            if settings.get(name) is not None and settings[name] not in self._models:
                known = ", ".join(self._models)
                raise Refusal(400, f"`{name}` is {settings[name]!r}; there are {known}.", param=name)
        aim = {name: settings.get(name, default) for name, default in AIM.items()}
        own = {name: settings.get(name, default) for name, default in KINDS[kind].items()}
        _check_numbers({**aim, **own})
        return Fault(next(self._ids), kind, aim, own, dice=random.Random(aim["seed"]))


RANGES: dict[str, tuple[float, float]] = {
    "rate": (0, 1),
    "times": (0, float("inf")),
    "status": (400, 599),
    "retry_after_s": (0, float("inf")),
    "seconds": (0, float("inf")),
    "cosine": (-1, 1),
    "dimensions": (1, 100_000),
}


def _check_numbers(settings: dict[str, Any]) -> None:
    for name, (least, most) in RANGES.items():
        value = settings.get(name)
        if value is not None and not (isinstance(value, int | float) and least <= value <= most):
            raise Refusal(400, f"`{name}` must be a number from {least} to {most}, not {value!r}.", param=name)
