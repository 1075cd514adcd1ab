"""What an outage of hours leaves in the journal: routers answer from live, polls stay quick, the janitor catches up in pages.

Here with 50,000 rows; ``python -m tests.faults.long.million_rows`` prints the figures of a million.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.ledger_case import LedgerCase
from tests.support.long_journal import catch_up, embedders, fill, janitor, store_of, times_ms
from vecferry.adapters.memory.store import Call
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Arm
from vecferry.domain.timing import Timings
from vecferry.errors import BadInput
from vecferry.router import Router

ROWS, KEYS = 50_000, 1_000
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def case(sql_case: LedgerCase) -> LedgerCase:
    sql_case.at(Phase.SERVING)
    return sql_case


def test_a_poll_is_as_quick_with_many_rows_and_says_that_the_shadow_is_behind(case: LedgerCase) -> None:
    quick = min(times_ms(lambda: case.ledger.snapshot("Docs")))
    router = Router(
        "Docs",
        ledger=case.ledger,
        store=store_of(0),
        embedders=embedders(),
        clock=case.clock,
        timings=Timings(),
        threads=False,
    )
    assert router.route("u").arm is Arm.SHADOW
    fill(case, ROWS, KEYS)
    assert min(times_ms(lambda: case.ledger.snapshot("Docs"))) < quick + 40  # 1 ms to count, on an idle machine
    router.refresh()
    assert (router.route("u").arm, router.route("u").reason) == (Arm.LIVE, "shadow_behind")
    assert case.ledger.snapshot("Docs").oldest_row_age_s > 3_600


def test_many_young_rows_alone_say_that_the_shadow_is_behind(case: LedgerCase) -> None:
    fill(case, ROWS, KEYS)
    assert case.ledger.snapshot("Docs").journal_rows > Timings().behind_rows


def test_a_limit_that_no_count_would_reach_is_refused() -> None:
    with pytest.raises(BadInput, match="behind_rows < 20000"):
        Timings(behind_rows=20_000)


def test_the_janitor_catches_up_in_pages(case: LedgerCase) -> None:
    fill(case, ROWS, KEYS)
    store = store_of(KEYS)
    written: Counter[str] = Counter()
    store.after = lambda name, collection, call: _count(written, name, collection, call)
    done = catch_up(case, janitor(case, store))
    assert done.closed == ROWS
    assert store.count("Docs_v2") == KEYS
    assert set(written.values()) == {1}, "rows of one key are worked off together, and a copy that is right is left alone"
    assert done.rss_mb[1] - done.rss_mb[0] < 100, done  # the shadow's vectors, in this process, are most of it


def _count(written: Counter[str], name: str, collection: str, call: Call) -> None:
    if name == "put_batch":
        written.update(call.uuids)
