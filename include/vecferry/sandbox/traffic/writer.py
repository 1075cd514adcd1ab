"""One writing thread: puts, updates and deletes keys that are its alone, so that its history of a key has one order."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vecferry.errors import NotWritten, UnknownOutcome, VecferryError
from vecferry.router import Router
from vecferry.sandbox.traffic.history import History, Outcome

Properties = Mapping[str, Any]
_MIX = {"create": 3, "replace": 3, "update": 3, "delete": 2}


class Writer:
    """``own``: uuid → properties as they are now; nobody else writes these keys.

    A key whose write had an unknown outcome is left alone from then on: whatever came later would hide what became of it.
    ``samples`` are what new objects are made of, for a writer that may begin without any of its own.
    """

    def __init__(
        self,
        router: Router,
        history: History,
        own: Mapping[str, Properties],
        text: str,
        rng: random.Random,
        samples: Sequence[Properties] = (),
    ) -> None:
        self._router = router
        self._history = history
        self._own = {key: dict(properties) for key, properties in own.items()}
        self._samples = list(samples or self._own.values())
        self._text = text
        self._rng = rng

    def write_once(self) -> None:
        kinds = list(_MIX) if self._own else ["create"]
        (kind,) = self._rng.choices(kinds, [_MIX[name] for name in kinds])
        {"create": self._create, "replace": self._replace, "update": self._update, "delete": self._delete}[kind]()

    def _create(self) -> None:
        self._put(str(uuid.UUID(int=self._rng.getrandbits(128), version=4)))

    def _replace(self) -> None:
        self._put(self._rng.choice(list(self._own)))

    def _put(self, key: str) -> None:
        content = dict(self._rng.choice(self._samples))
        content[self._text] = self._new_text()
        self._sent("put", key, content, lambda: self._router.put(key, content))

    def _update(self) -> None:
        key = self._rng.choice(list(self._own))
        changes = {self._text: self._new_text()}
        self._sent("update", key, changes, lambda: self._router.update(key, changes))

    def _delete(self) -> None:
        key = self._rng.choice(list(self._own))
        self._sent("delete", key, None, lambda: self._router.delete(key))

    def _sent(self, op: str, key: str, content: Properties | None, send: Callable[[], object]) -> None:
        name = self._history.begin_write(op, key, content)
        outcome, error = _outcome_of(send)
        self._history.end_write(name, outcome, error)
        if outcome == "unknown":
            self._own.pop(key, None)
        elif outcome == "ok":
            self._remember(op, key, content)

    def _remember(self, op: str, key: str, content: Properties | None) -> None:
        if op == "delete":
            del self._own[key]
        else:
            self._own[key] = {**(self._own[key] if op == "update" else {}), **(content or {})}

    def _new_text(self) -> str:
        """Half of one document and half of another: real words, in a text that nobody has seen."""
        first, second = (str(self._rng.choice(self._samples).get(self._text) or "") for _ in range(2))
        return f"{first[: len(first) // 2]} {second[len(second) // 2 :]} revision {self._rng.getrandbits(40):x}".strip()


def _outcome_of(send: Callable[[], object]) -> tuple[Outcome, str]:
    try:
        send()
    except UnknownOutcome as error:
        return "unknown", str(error)
    except NotWritten as error:
        return "not_written", str(error)
    except VecferryError as error:
        return "failed", str(error)
    return "ok", ""


def partitions(documents: Sequence[Mapping[str, Any]], reserved: set[str], count: int) -> list[dict[str, Properties]]:
    """uuid → properties for each of ``count`` writers. ``reserved`` keys (those that golden queries ask for) are nobody's:
    deleting the right answers would make both models look worse, and by chance one more than the other."""
    parts: list[dict[str, Properties]] = [{} for _ in range(count)]
    free = (document for document in documents if document["uuid"] not in reserved)
    for number, document in enumerate(free):
        parts[number % count][document["uuid"]] = document["properties"]
    return parts
