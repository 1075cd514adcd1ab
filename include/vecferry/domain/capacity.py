"""What is left of a provider's limits a minute, for all workers of an account and model together: decided here, stored by the
ledger.

Documents may use four fifths of each limit, and less when queries need more than the fifth that is kept for them. What is
granted counts from the grant until 60 s after the last moment at which it may be used, so that no sliding 60 s hold more than
the limit, however late within its slice a worker sends. Times are seconds on the ledger's clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

WINDOW_S = 60.0
SLOT_S = 0.1
"""Grants are remembered by the slot in which they end: a few hundred numbers a minute, however many workers."""

BURST_S = 6.0
"""So much of what was left unused may be made up for at once: providers also look at much shorter times than a minute."""

QUERY_SHARE = 5
"""One part in five of every limit is kept for queries."""


class Amounts(NamedTuple):
    requests: int = 0
    tokens: int = 0
    inputs: int = 0

    def plus(self, other: Amounts) -> Amounts:
        return Amounts(*(mine + its for mine, its in zip(self, other, strict=True)))

    def negative(self) -> Amounts:
        return Amounts(*(-mine for mine in self))

    def holds(self, other: Amounts) -> bool:
        return all(mine >= its for mine, its in zip(self, other, strict=True))


NOTHING = Amounts()


class RateLimits(NamedTuple):
    """A minute; ``None`` where there is no limit, or none is known."""

    requests: int | None = None
    tokens: int | None = None
    inputs: int | None = None

    def within(self, other: RateLimits) -> RateLimits:
        """The smaller of each."""
        pairs = zip(self, other, strict=True)
        return RateLimits(*(min((limit for limit in pair if limit is not None), default=None) for pair in pairs))

    def or_else(self, other: RateLimits) -> RateLimits:
        return RateLimits(*(its if mine is None else mine for mine, its in zip(self, other, strict=True)))

    @property
    def for_documents(self) -> RateLimits:
        return RateLimits(*(None if limit is None else limit - limit // QUERY_SHARE for limit in self))


NO_LIMITS = RateLimits()

Used = Mapping[int, Amounts]
"""By the number of the slot in which it counts as used."""


@dataclass(frozen=True)
class CapacityState:
    """Of one account and model. ``paced_until_s``: by dimension, until when the even flow is used up."""

    documents: Used = field(default_factory=dict)
    queries: Used = field(default_factory=dict)
    paced_until_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
    held_until_s: float = 0.0
    learned: RateLimits = NO_LIMITS

    def as_json(self) -> dict[str, Any]:
        return {
            "documents": [[slot, *amounts] for slot, amounts in self.documents.items()],
            "queries": [[slot, *amounts] for slot, amounts in self.queries.items()],
            "paced_until_s": list(self.paced_until_s),
            "held_until_s": self.held_until_s,
            "learned": list(self.learned),
        }


def state_of(stored: Mapping[str, Any]) -> CapacityState:
    """From ``as_json``."""
    requests_s, tokens_s, inputs_s = stored["paced_until_s"]
    return CapacityState(
        {slot: Amounts(*amounts) for slot, *amounts in stored["documents"]},
        {slot: Amounts(*amounts) for slot, *amounts in stored["queries"]},
        (requests_s, tokens_s, inputs_s),
        stored["held_until_s"],
        RateLimits(*stored["learned"]),
    )


@dataclass(frozen=True)
class CapacityAsk:
    """``wanted`` waits to be sent, ``spare`` is likely to follow within ``valid_s`` of the slice's beginning. The slice may
    begin up to ``ahead_s`` from now, which is what makes priority: who may book further ahead comes first.

    What a worker has to tell goes with it: what queries used since, how far the slice of ``corrected_slot`` was off
    (negative: unused), for how long the provider said to wait, and the limits that it named.
    """

    account: str
    model: str
    limits: RateLimits = NO_LIMITS
    wanted: Amounts = NOTHING
    spare: Amounts = NOTHING
    valid_s: float = 0.5
    ahead_s: float = 0.0
    queries: Amounts = NOTHING
    correction: Amounts = NOTHING
    corrected_slot: int = 0
    hold_s: float = 0.0
    learned: RateLimits = NO_LIMITS


@dataclass(frozen=True)
class CapacityAnswer:
    """``granted`` covers what was wanted, with or without what was to spare, or is nothing; a text larger than all that there
    is in a minute is granted as that. ``wait_s`` is from now until the slice begins or, with nothing granted, until asking
    again is worth while (0 if nothing was wanted and nobody is held). ``queries`` and ``documents`` are everybody's use of
    the last minute."""

    granted: Amounts
    wait_s: float
    short_of: str
    slot: int
    limits: RateLimits
    queries: Amounts
    documents: Amounts


def decide(state: CapacityState, ask: CapacityAsk, now_s: float) -> tuple[CapacityState, CapacityAnswer]:
    """What the ledger stores next, and what it answers."""
    state = _told(state, ask, now_s)
    limits = ask.limits.within(state.learned)
    start_s, short_of = _earliest(state, ask.wanted, limits, now_s)
    if ask.wanted == NOTHING or start_s - now_s > ask.ahead_s:
        wait_s = max(0.0, state.held_until_s - now_s) if ask.wanted == NOTHING else start_s - now_s - ask.ahead_s
        return state, _answer(state, NOTHING, wait_s, short_of, 0, limits)
    wanted, granted = _at_most(ask.wanted, limits), ask.wanted.plus(ask.spare)
    if _at_most(granted, limits) != granted or _earliest(state, granted, limits, now_s)[0] > start_s:
        granted = wanted
    slot = math.ceil((start_s + ask.valid_s) / SLOT_S)
    state = _booked(state, granted, slot, limits, start_s)
    return state, _answer(state, granted, start_s - now_s, "", slot, limits)


def used(slots: Used) -> Amounts:
    return _sum(slots.values())


def alive(slots: Used, now_s: float) -> dict[int, Amounts]:
    """Those that still count."""
    return {slot: amounts for slot, amounts in slots.items() if slot * SLOT_S + WINDOW_S > now_s}


def free_from_s(slots: Used, dimension: int, amount: int, room: int) -> float:
    """From when on ``amount`` fits into ``room`` beside what counts then; a larger one fits beside nothing."""
    left = sum(amounts[dimension] for amounts in slots.values())
    free_s = 0.0
    if left + min(amount, room) <= room:
        return free_s
    for slot in sorted(slots):
        if left + min(amount, room) <= room:
            break
        left -= slots[slot][dimension]
        free_s = slot * SLOT_S + WINDOW_S
    return free_s


def merged(slots: Used, slot: int, amounts: Amounts) -> dict[int, Amounts]:
    return {**slots, slot: slots.get(slot, NOTHING).plus(amounts)}


def _told(state: CapacityState, ask: CapacityAsk, now_s: float) -> CapacityState:
    now_slot = math.ceil(now_s / SLOT_S)
    queries = alive(state.queries, now_s)
    if ask.queries != NOTHING:
        queries = merged(queries, now_slot, ask.queries)
    told = replace(
        state,
        documents=alive(state.documents, now_s),
        queries=queries,
        held_until_s=max(state.held_until_s, now_s + ask.hold_s) if ask.hold_s > 0 else state.held_until_s,
        learned=ask.learned.or_else(state.learned),
    )
    return told if ask.correction == NOTHING else _corrected(told, ask, now_slot)


def _corrected(state: CapacityState, ask: CapacityAsk, now_slot: int) -> CapacityState:
    """What was used beyond the grant counts from now; what was not used is given back, unless it no longer counts."""
    beyond = Amounts(*(max(0, amount) for amount in ask.correction))
    documents = merged(state.documents, now_slot, beyond) if beyond != NOTHING else dict(state.documents)
    if ask.corrected_slot in documents:
        left = documents[ask.corrected_slot].plus(Amounts(*(min(0, amount) for amount in ask.correction)))
        documents[ask.corrected_slot] = Amounts(*(max(0, amount) for amount in left))
    paced = _paced(state, ask.correction, ask.limits.within(state.learned), 0.0)
    return replace(state, documents=documents, paced_until_s=paced)


def _earliest(state: CapacityState, wanted: Amounts, limits: RateLimits, now_s: float) -> tuple[float, str]:
    """When it may begin, and what it waits for until then."""
    both = _together(state.documents, state.queries) if state.queries else state.documents
    found = [(now_s, ""), (state.held_until_s, "patience: the provider said to wait")]
    for dimension, (name, limit) in enumerate(zip(RateLimits._fields, limits, strict=True)):
        amount, room = wanted[dimension], limits.for_documents[dimension]
        if limit is None or room is None or amount <= 0:
            continue
        found += [
            (state.paced_until_s[dimension] - BURST_S, name),
            (free_from_s(state.documents, dimension, amount, room), name),
            (free_from_s(both, dimension, min(amount, room), limit), name),
        ]
    return max(found, key=lambda one: one[0])


def _at_most(amounts: Amounts, limits: RateLimits) -> Amounts:
    """A text larger than all that there is in a minute counts as that."""
    rooms = zip(amounts, limits.for_documents, strict=True)
    return Amounts(*(amount if room is None else min(amount, room) for amount, room in rooms))


def _booked(state: CapacityState, granted: Amounts, slot: int, limits: RateLimits, start_s: float) -> CapacityState:
    documents = merged(state.documents, slot, granted)
    return replace(state, documents=documents, paced_until_s=_paced(state, granted, limits, start_s))


def _paced(state: CapacityState, amounts: Amounts, limits: RateLimits, start_s: float) -> tuple[float, float, float]:
    rooms = zip(state.paced_until_s, amounts, limits.for_documents, strict=True)
    requests_s, tokens_s, inputs_s = (
        until_s if room is None else max(until_s, start_s) + amount * WINDOW_S / room for until_s, amount, room in rooms
    )
    return requests_s, tokens_s, inputs_s


def _together(one: Used, other: Used) -> dict[int, Amounts]:
    return {slot: one.get(slot, NOTHING).plus(other.get(slot, NOTHING)) for slot in one.keys() | other.keys()}


def _sum(all_of_them: Iterable[Amounts]) -> Amounts:
    columns = list(zip(*all_of_them, strict=True))
    return Amounts(*map(sum, columns)) if columns else NOTHING


def _answer(
    state: CapacityState, granted: Amounts, wait_s: float, short_of: str, slot: int, limits: RateLimits
) -> CapacityAnswer:
    return CapacityAnswer(granted, wait_s, short_of, slot, limits, used(state.queries), used(state.documents))
