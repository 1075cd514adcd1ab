"""Who pays: documents are booked before they are sent, queries are added up and booked beside the road."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from vecferry.adapters.embedders.api import MaybeBilled
from vecferry.adapters.embedders.budget import Budget, Payer
from vecferry.adapters.embedders.query_spending import QuerySpending
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import VecferryError
from vecferry.ports import Purpose, RecordLedger

log = logging.getLogger(__name__)


class Bill:
    """``tokens``: what the provider billed, ``None`` until it has said so."""

    def __init__(self) -> None:
        self.tokens: int | None = None


class Spending(Protocol):
    def sending(self, purpose: Purpose, tokens: int) -> AbstractContextManager[Bill]:
        """Around exactly one request that is estimated at ``tokens``; raises ``Paused`` before it if the budget is used up.

        Booked are: the bill, if it was told; nothing, if the provider refused; the estimate, if nobody knows.
        """

    def flush(self) -> None:
        """Books what is not booked yet."""


class Unbooked:
    """For calls that nobody pays for yet, such as checking a key before there is a pin."""

    @contextmanager
    def sending(self, purpose: Purpose, tokens: int) -> Iterator[Bill]:
        yield Bill()

    def flush(self) -> None:
        return


class LedgerSpending:
    """Per request and not per call: of a call's three attempts, the two that timed out may have cost money as well."""

    def __init__(self, card: ModelCard, ledger: RecordLedger, payer: Payer, budget: Budget) -> None:
        self._card = card
        self._ledger = ledger
        self._payer = payer
        self._budget = budget
        self._queries = QuerySpending(card, ledger, payer)

    @contextmanager
    def sending(self, purpose: Purpose, tokens: int) -> Iterator[Bill]:
        bill = Bill()
        reservation = None if purpose is Purpose.QUERY else self._reserve(purpose, tokens)
        unknown = False
        try:
            yield bill
        except MaybeBilled:
            unknown = bill.tokens is None
            raise
        except (KeyboardInterrupt, SystemExit):
            unknown = True
            raise
        except Exception:
            bill.tokens = bill.tokens or 0
            raise
        finally:
            self._book(reservation, tokens if bill.tokens is None else bill.tokens, unknown=unknown)

    def flush(self) -> None:
        self._queries.flush()

    def _reserve(self, purpose: Purpose, tokens: int) -> int:
        return self._ledger.reserve(
            pin=self._payer.pin,
            migration_id=self._payer.migration_id,
            purpose=purpose,
            tokens=tokens,
            cost_usd=self._card.cost_usd(tokens),
            budget_usd=self._budget.for_purpose(purpose),
        )

    def _book(self, reservation: int | None, tokens: int, *, unknown: bool) -> None:
        if reservation is None:
            self._queries.add(tokens)
        elif not unknown:
            self._settle(reservation, tokens)

    def _settle(self, reservation: int, tokens: int) -> None:
        try:
            self._ledger.settle(reservation, tokens=tokens, cost_usd=self._card.cost_usd(tokens))
        except VecferryError as error:
            # The vectors are paid for and good. The reservation stands as spent, which errs on the safe side.
            log.warning("spend of %s stays at its estimate: %s", self._card.space.id, error)
