import os
import threading

import pytest

from vecferry.adapters.embedders.api import MaybeBilled
from vecferry.adapters.embedders.budget import Budget, Payer
from vecferry.adapters.embedders.query_spending import QuerySpending
from vecferry.adapters.embedders.spending import LedgerSpending
from vecferry.adapters.memory.clock import ManualClock
from vecferry.domain.budget import backfill_budget_usd
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import Paused, Retryable
from vecferry.ports import Purpose

CARD = ModelCard("acme", "m", "openai", 8, usd_per_million_tokens=1_000_000.0)
"""One dollar a token, so that the sums can be read."""

PAYER = Payer("Docs", "m1")


class Books:
    """A ledger's spend, and nothing else of it."""

    def __init__(self, budget_usd=None):
        self.options = {} if budget_usd is None else {"budget_usd": budget_usd}
        self.reserved, self.settled, self.purposes = {}, {}, []
        self.down = self.settle_down = False
        self.called = threading.Event()

    def migration(self, migration_id):
        return self

    def reserve(self, *, pin, migration_id, purpose, tokens, cost_usd, budget_usd):
        self.called.set()
        if self.down:
            raise Retryable("the ledger is away")
        if budget_usd is not None and self.spent() + cost_usd > budget_usd:
            raise Paused("over the budget")
        self.purposes.append(purpose)
        self.reserved[len(self.purposes)] = cost_usd
        return len(self.purposes)

    def settle(self, reservation, *, tokens, cost_usd):
        if self.settle_down:
            raise Retryable("the ledger is away")
        self.settled[reservation] = cost_usd

    def spent(self):
        return sum(self.settled.get(number, cost) for number, cost in self.reserved.items())


def spending(books, clock=None):
    return LedgerSpending(CARD, books, PAYER, Budget(books, PAYER, clock or ManualClock()))


def send(some, purpose=Purpose.BACKFILL, estimate=10, billed=None, error=None):
    with some.sending(purpose, estimate) as bill:
        bill.tokens = billed
        if error:
            raise error


def test_the_bill_replaces_the_estimate():
    books = Books()
    send(spending(books), estimate=10, billed=7)
    assert (books.reserved, books.settled) == ({1: 10}, {1: 7})


def test_an_unknown_outcome_stays_as_spent():
    books = Books()
    with pytest.raises(MaybeBilled):
        send(spending(books), estimate=10, error=MaybeBilled("no answer in time"))
    assert (books.settled, books.spent()) == ({}, 10)


def test_an_unusable_answer_that_was_billed_is_booked_as_billed():
    books = Books()
    with pytest.raises(MaybeBilled):
        send(spending(books), estimate=10, billed=7, error=MaybeBilled("NaN"))
    assert books.settled == {1: 7}


def test_a_refusal_costs_nothing():
    books = Books()
    with pytest.raises(Retryable):
        send(spending(books), error=Retryable("HTTP 429"))
    assert books.spent() == 0


def test_an_interrupted_request_stays_as_spent():
    books = Books()
    with pytest.raises(KeyboardInterrupt):
        send(spending(books), error=KeyboardInterrupt())
    assert (books.settled, books.spent()) == ({}, 10)


def test_over_the_budget_nothing_is_sent():
    sent = []
    with pytest.raises(Paused), spending(Books(budget_usd=9)).sending(Purpose.BACKFILL, 10):
        sent.append(1)
    assert sent == []


def test_the_last_tenth_of_a_budget_is_for_dual_write_alone():
    books = Books(budget_usd=100)
    some = spending(books)
    send(some, billed=90, estimate=90)
    with pytest.raises(Paused):
        send(some, Purpose.BACKFILL, 1)
    with pytest.raises(Paused):
        send(some, Purpose.JUDGE, 1)
    send(some, Purpose.WRITE, 10, billed=10)
    with pytest.raises(Paused):
        send(some, Purpose.WRITE, 1)
    assert backfill_budget_usd(100) == 90


def test_a_raised_budget_is_noticed():
    books, clock = Books(budget_usd=1), ManualClock()
    some = spending(books, clock)
    with pytest.raises(Paused):
        send(some)
    books.options["budget_usd"] = 100
    clock.advance(11)
    send(some, billed=10)
    assert books.spent() == 10


def test_a_ledger_that_fails_after_the_answer_does_not_cost_the_answer():
    books = Books()
    books.settle_down = True
    send(spending(books), billed=7)
    assert books.spent() == 10


def test_queries_never_ask_the_ledger_and_are_booked_in_one_sum():
    books = Books(budget_usd=0.0)
    some = spending(books)
    for _ in range(5):
        send(some, Purpose.QUERY, 3, billed=2)
    with pytest.raises(MaybeBilled):
        send(some, Purpose.QUERY, 3, error=MaybeBilled("no answer in time"))
    assert books.reserved == {}
    some.flush()
    assert (books.settled, books.purposes) == ({1: 13}, [Purpose.QUERY])
    some.flush()
    assert len(books.reserved) == 1


def test_queries_are_booked_by_themselves_after_a_while():
    books = Books()
    QuerySpending(CARD, books, PAYER, book_every_s=0.01).add(4)
    assert books.called.wait(10), "the timer did not book"


def test_queries_are_kept_while_the_ledger_is_away():
    books = Books()
    books.down = True
    some = QuerySpending(CARD, books, PAYER, book_every_s=3600)
    some.add(4)
    some.flush()
    books.down = False
    some.add(1)
    some.flush()
    assert books.settled == {1: 5}


def test_a_forked_child_does_not_book_its_parents_queries():
    books = Books()
    some = QuerySpending(CARD, books, PAYER, book_every_s=3600)
    some.add(4)
    child = os.fork()
    if child == 0:
        some.flush()
        os._exit(len(books.reserved))
    assert os.waitpid(child, 0)[1] == 0
    some.flush()
    assert books.settled == {1: 4}
