"""Queries must not wait for the ledger: what they cost is added up here and booked every few seconds by a timer."""

from __future__ import annotations

import logging
import os
import threading

from vecferry.adapters.embedders.budget import Payer
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import VecferryError
from vecferry.ports import Purpose, RecordLedger

log = logging.getLogger(__name__)

BOOK_EVERY_S = 5.0


class QuerySpending:
    """Thread-safe. Not for use across a fork: make one per process. ``flush`` at the end, or the last seconds are lost."""

    def __init__(self, card: ModelCard, ledger: RecordLedger, payer: Payer, *, book_every_s: float = BOOK_EVERY_S) -> None:
        self._card = card
        self._ledger = ledger
        self._payer = payer
        self._book_every_s = book_every_s
        self._lock = threading.Lock()
        self._tokens = 0
        self._timer: threading.Timer | None = None
        self._pid = os.getpid()

    def add(self, tokens: int) -> None:
        """Never waits for I/O."""
        if not tokens:
            return
        with self._lock:
            self._tokens += tokens
            if self._timer is None:
                self._timer = threading.Timer(self._book_every_s, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        if os.getpid() != self._pid:
            return  # A forked child would book its parent's queries a second time.
        with self._lock:
            tokens, self._tokens = self._tokens, 0
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if tokens:
            self._book(tokens)

    def _book(self, tokens: int) -> None:
        try:
            self._reserve_and_settle(tokens)
        except VecferryError as error:
            log.warning("spend of queries on %s is not booked yet: %s", self._card.space.id, error)
            with self._lock:
                self._tokens += tokens  # The next query's timer tries again.

    def _reserve_and_settle(self, tokens: int) -> None:
        cost_usd = self._card.cost_usd(tokens)
        reservation = self._ledger.reserve(
            pin=self._payer.pin,
            migration_id=self._payer.migration_id,
            purpose=Purpose.QUERY,
            tokens=tokens,
            cost_usd=cost_usd,
            budget_usd=None,
        )
        try:
            self._ledger.settle(reservation, tokens=tokens, cost_usd=cost_usd)
        except VecferryError as error:
            # Booked already, only unsettled: booking it again would count it twice.
            log.warning("spend of queries on %s stays unsettled: %s", self._card.space.id, error)
