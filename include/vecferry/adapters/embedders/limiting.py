"""Requests, inputs and tokens a minute, per provider account and model, for all workers together: queries first, then
dual-writes, then the backfill."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from vecferry.adapters.embedders.deadline import Deadline
from vecferry.adapters.embedders.query_room import QueryRoom
from vecferry.adapters.embedders.rate_headers import RateHeaders
from vecferry.domain.capacity import NO_LIMITS, NOTHING, WINDOW_S, Amounts, CapacityAnswer, CapacityAsk, RateLimits
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import Retryable, UnknownOutcome, VecferryError
from vecferry.ports import CapacityLedger, Clock, Purpose

log = logging.getLogger(__name__)

VALID_S = 0.5
"""How long a slice may be used: a worker's ledger transactions are this far apart, and what a dead one had is this small."""

MOST_VALID_S = 5.0
AHEAD_S = {Purpose.WRITE: 30.0, Purpose.BACKFILL: 0.5, Purpose.JUDGE: 0.5}
"""How far ahead a slice may be booked: a dual-write finds room behind half a second of backfill at most, and a backfill finds
none while dual-writes wait."""

NEXT_LOOK_S = 0.1
"""Who found no room does not ask again sooner: slices are booked ahead, so that nothing is lost by it."""

REPORT_EVERY_S = 2.0
QUIET_REPORT_EVERY_S = 10.0
"""How often queries are told to the ledger, while documents are embedded and while none are."""

AGAIN_S = 1.0
"""Until a ledger that is away is asked again, and for how long "nobody is held" is believed where no limit is known."""

Later = Callable[[float, Callable[[], None]], None]


class Limiter(Protocol):
    def acquire(self, purpose: Purpose, *, tokens: int, inputs: int, deadline: Deadline) -> None:
        """Waits for room; raises ``Retryable`` with ``retry_after_s`` at once if the room comes after the deadline."""

    def hold(self, seconds: float) -> None:
        """The provider said to wait: nobody but queries sends before that, in no process."""

    def answered(self, purpose: Purpose, *, estimated: int, billed: int, said: RateHeaders | None) -> None:
        """What a request really used, in tokens, and what the provider said of its limits."""

    def report(self) -> None:
        """Tells the others what they do not know yet; never raises."""


@dataclass(frozen=True)
class Turn:
    """``go``: after ``wait_s`` it may be sent. Else ask again after ``wait_s``; ``why`` says what it waits for."""

    go: bool
    wait_s: float
    why: str = ""


@dataclass
class Slice:
    left: Amounts
    starts_s: float
    ends_s: float


@dataclass
class News:
    """What the ledger has not been told yet."""

    queries: Amounts = NOTHING
    correction: Amounts = NOTHING
    learned: RateLimits = NO_LIMITS
    hold: bool = False

    def with_older(self, older: News) -> News:
        return News(
            self.queries.plus(older.queries),
            self.correction.plus(older.correction),
            self.learned.or_else(older.learned),
            self.hold or older.hold,
        )


class SharedLimiter:
    """Of one process; thread-safe. Documents draw on slices that the ledger grants, one transaction for all that is sent within
    ``VALID_S``; without the ledger they wait. Queries are let through by what this process knows, and told later.

    ``later`` runs something after so many seconds, in the background.
    """

    def __init__(
        self, card: ModelCard, account: str, capacity: CapacityLedger, clock: Clock, *, later: Later | None = None
    ) -> None:
        self._where = card.space.id
        self._account = account
        self._model = card.model
        self._limits = RateLimits(card.requests_per_minute, card.tokens_per_minute, card.inputs_per_minute)
        self._capacity = capacity
        self._clock = clock
        self._later = later or _in_background
        self._asking = threading.Lock()
        self._lock = threading.Lock()
        self._slice = Slice(NOTHING, 0.0, 0.0)
        self._slot = 0
        self._recent: deque[tuple[float, Amounts]] = deque()
        self._valid_s = VALID_S
        self._held_until_s = 0.0
        self._news = News()
        self._report_due = False
        self._heard: CapacityAnswer | None = None
        self._heard_at_s = 0.0
        self._learned = NO_LIMITS
        self._queries = QueryRoom()

    def acquire(self, purpose: Purpose, *, tokens: int, inputs: int, deadline: Deadline) -> None:
        wanted = Amounts(1, tokens, inputs)
        while True:
            turn = self.attempt(purpose, wanted, deadline.left_s())
            if not turn.go and turn.wait_s >= deadline.left_s():
                raise self._no_room(turn)
            if turn.wait_s > 0:
                self._clock.sleep(turn.wait_s)
            if turn.go:
                return

    def attempt(self, purpose: Purpose, wanted: Amounts, left_s: float) -> Turn:
        """One look, without waiting; a turn that may go begins within ``left_s``."""
        if purpose is Purpose.QUERY:
            return self._query(wanted)
        with self._asking:
            held_s = self._held_until_s - self._clock.monotonic()
            if held_s > 0:
                return Turn(False, held_s, "patience: the provider said to wait")
            return self._from_slice(wanted, left_s) or self._from_ledger(purpose, wanted, left_s)

    def hold(self, seconds: float) -> None:
        with self._lock:
            self._held_until_s = max(self._held_until_s, self._clock.monotonic() + seconds)
            self._news.hold = True
        self._later(0.0, self.report)

    def answered(self, purpose: Purpose, *, estimated: int, billed: int, said: RateHeaders | None) -> None:
        beyond = Amounts(0, billed - estimated, 0)
        with self._lock:
            if purpose is Purpose.QUERY:
                self._news.queries = self._news.queries.plus(beyond)
            else:
                self._news.correction = self._news.correction.plus(beyond)
        if said is not None:
            self._learn(said)

    def report(self) -> None:
        """Tells the ledger what it does not know yet. Who only asks queries has no other occasion."""
        with self._lock:
            self._report_due = False
            if self._news == News():
                return
        try:
            self._tell()
        except VecferryError as error:
            log.warning("the use of %s is not told to the ledger yet: %s", self._where, error)
            if self._news.hold and self._held_until_s > self._clock.monotonic():
                self._report_within(AGAIN_S)

    # documents

    def _from_slice(self, wanted: Amounts, left_s: float) -> Turn | None:
        now_s = self._clock.monotonic()
        if now_s >= self._slice.ends_s or not self._slice.left.holds(wanted) or self._slice.starts_s - now_s > left_s:
            return None
        self._slice.left = self._slice.left.plus(wanted.negative())
        self._recent.append((now_s, wanted))
        return Turn(True, max(0.0, self._slice.starts_s - now_s))

    def _from_ledger(self, purpose: Purpose, wanted: Amounts, left_s: float) -> Turn:
        began_s = self._clock.monotonic()
        if self._unlimited and self._heard is not None and began_s - self._heard_at_s < AGAIN_S:
            return Turn(True, 0.0)
        spare = self._likely(began_s)
        valid_s = self._valid_s if spare != NOTHING else self._valid_s / 2
        self._give_back()
        try:
            answer = self._tell(wanted=wanted, spare=spare, valid_s=valid_s, ahead_s=min(AHEAD_S[purpose], left_s))
        except (Retryable, UnknownOutcome) as error:
            return Turn(False, AGAIN_S, f"the ledger: {error.what}")
        if answer.granted == NOTHING:
            return Turn(False, max(NEXT_LOOK_S, answer.wait_s), answer.short_of)
        return self._sliced(answer, wanted, began_s, valid_s)

    def _sliced(self, answer: CapacityAnswer, wanted: Amounts, began_s: float, valid_s: float) -> Turn:
        """Counted from before the ledger was asked, as the ledger's own time began later."""
        now_s = self._clock.monotonic()
        self._valid_s = min(MOST_VALID_S, max(VALID_S, 4 * (now_s - began_s)))
        left = Amounts(*(max(0, amount) for amount in answer.granted.plus(wanted.negative())))
        ends_s = began_s + answer.wait_s + valid_s
        self._slice, self._slot = Slice(left, now_s + answer.wait_s, ends_s), answer.slot
        if now_s > ends_s:
            self._slice.left = answer.granted
            return Turn(False, 0.01, "the ledger, which answers slowly")
        self._recent.append((now_s, wanted))
        return Turn(True, answer.wait_s)

    def _likely(self, now_s: float) -> Amounts:
        """What was sent within the last slice's time will be again; no more than that time's worth of everybody's."""
        while self._recent and self._recent[0][0] < now_s - VALID_S:
            self._recent.popleft()
        sent = NOTHING
        for _, amounts in self._recent:
            sent = sent.plus(amounts)
        rooms = zip(sent, self._in_force.for_documents, strict=True)
        return Amounts(*(n if room is None else min(n, int(room * VALID_S / WINDOW_S)) for n, room in rooms))

    def _give_back(self) -> None:
        with self._lock:
            self._news.correction = self._news.correction.plus(self._slice.left.negative())
        self._slice = Slice(NOTHING, 0.0, 0.0)

    # queries

    def _query(self, wanted: Amounts) -> Turn:
        with self._lock:
            everybodys = self._heard.queries if self._heard else NOTHING
            wait_s = self._queries.wait_s(wanted, everybodys, self._in_force, self._clock.monotonic())
            if wait_s > 0:
                return Turn(False, wait_s, "requests, tokens or inputs, of which queries use all that there is")
            if self._unlimited:
                return Turn(True, 0.0)
            self._news.queries = self._news.queries.plus(wanted)
        quiet = self._heard is not None and self._heard.documents == NOTHING
        self._report_within(QUIET_REPORT_EVERY_S if quiet else REPORT_EVERY_S)
        return Turn(True, 0.0)

    # the ledger

    def _tell(self, **more: Any) -> CapacityAnswer:
        now_s = self._clock.monotonic()
        with self._lock:
            news, self._news = self._news, News()
            hold_s = max(0.0, self._held_until_s - now_s) if news.hold else 0.0
        ask = CapacityAsk(
            self._account,
            self._model,
            limits=self._limits,
            queries=news.queries,
            correction=news.correction,
            corrected_slot=self._slot,
            hold_s=hold_s,
            learned=news.learned,
            **more,
        )
        try:
            answer = self._capacity.take_capacity(ask)
        except BaseException:
            with self._lock:
                self._news = self._news.with_older(news)
            raise
        with self._lock:
            self._heard, self._heard_at_s = answer, now_s
        return answer

    def _learn(self, said: RateHeaders) -> None:
        if said.low_for_s > 0:
            self.hold(said.low_for_s)
        if said.limits != self._learned:
            with self._lock:
                self._learned = said.limits
                self._news.learned = said.limits
            self._report_within(REPORT_EVERY_S)

    def _report_within(self, seconds: float) -> None:
        with self._lock:
            due, self._report_due = self._report_due, True
        if not due:
            self._later(seconds, self.report)

    @property
    def _in_force(self) -> RateLimits:
        return self._heard.limits if self._heard else self._limits.within(self._learned)

    @property
    def _unlimited(self) -> bool:
        return self._in_force == NO_LIMITS

    def _no_room(self, turn: Turn) -> Retryable:
        return Retryable(
            f"the limit of {turn.why} a minute leaves no room for {turn.wait_s:.1f} s, longer than this call may take"
            if turn.why in RateLimits._fields
            else f"this waits for {turn.why}, {turn.wait_s:.1f} s and longer than this call may take",
            where=self._where,
            next_action="Try again later, or raise the limit in the catalogue if the account's is higher.",
            retry_after_s=turn.wait_s,
        )


def _in_background(seconds: float, task: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, task)
    timer.daemon = True
    timer.start()
