"""What each object may be by now, from what it was at the start and what the application was told since."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Content = Mapping[str, Any] | None
"""An object's properties; ``None`` for an object that is not there."""
Write = Mapping[str, Any]


@dataclass(frozen=True)
class _State:
    """One history that agrees with all answers: what is there, and what was sent and may land yet."""

    content: str
    pending: frozenset[str] = frozenset()


class Expectation:
    """All that one object may be, by every order in which its writes may have taken effect.

    A write takes effect once, at any time from its invocation; if it was acknowledged, not after that. One of unknown outcome
    may take effect later too, behind newer writes, but only as what was asked. One that was refused never does.
    """

    def __init__(self, at_first: Content = None) -> None:
        self._states = {_State(_frozen(at_first))}
        self._past: dict[str, None] = {}
        self._writes: dict[str, Write] = {}

    @property
    def allowed(self) -> list[Content]:
        """What the object may be; more than one while a write is of unknown outcome."""
        return [json.loads(content) for content in sorted({state.content for state in self._states})]

    @property
    def past(self) -> list[Content]:
        """What it was once, and may no longer be."""
        now = {state.content for state in self._states}
        return [json.loads(content) for content in self._past if content not in now]

    def begun(self, name: str, write: Write) -> None:
        self._writes[name] = write
        self._states = self._landings({_State(state.content, state.pending | {name}) for state in self._states})

    def ended(self, name: str, outcome: str) -> None:
        if outcome == "ok":
            self._past |= dict.fromkeys(state.content for state in self._states if name in state.pending)
            self._states = {state for state in self._states if name not in state.pending}
        elif outcome != "unknown":
            kept = {state for state in self._states if name in state.pending}
            self._states = {_State(state.content, state.pending - {name}) for state in kept}

    def _landings(self, states: set[_State]) -> set[_State]:
        """These, and those after any of what is pending has landed, in any order."""
        found, open_ends = set(states), list(states)
        while open_ends:
            state = open_ends.pop()
            for name in state.pending:
                after = _State(_after(self._writes[name], state.content), state.pending - {name})
                if after not in found:
                    found.add(after)
                    open_ends.append(after)
        return found


def replay(corpus: Iterable[Mapping[str, Any]], history: Iterable[Mapping[str, Any]]) -> dict[str, Expectation]:
    """uuid → what may be there. The rows of ``history`` are in the order of time, of however many applications.

    A write without an answer counts as unknown, like one that was told so; one that was refused changed nothing.
    """
    expected = {str(row["uuid"]): Expectation(row["properties"]) for row in corpus}
    begun: dict[str, str] = {}
    for row in history:
        if is_write(row):
            begun[row["id"]] = row["uuid"]
            expected.setdefault(row["uuid"], Expectation()).begun(row["id"], row)
        elif "outcome" in row and row["id"] in begun:
            expected[begun.pop(row["id"])].ended(row["id"], row["outcome"])
    return expected


def is_write(row: Mapping[str, Any]) -> bool:
    """The first of a write's two lines."""
    return row.get("op") in ("put", "update", "delete") and "invoked" in row


def after(write: Write, before: Content) -> Content:
    """The object once ``write`` has taken effect; an update of what is not there does nothing."""
    if write["op"] == "delete":
        return None
    if write["op"] == "update":
        return None if before is None else {**before, **write["content"]}
    return dict(write["content"])


def _after(write: Write, before: str) -> str:
    return _frozen(after(write, json.loads(before)))


def _frozen(content: Content) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False)
