"""Real processes on one SQLite ledger, against a provider that counts by sliding minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from vecferry.domain.capacity import RateLimits
from vecferry.sandbox.bench.limited_world import ROUTER, Request, limited_provider
from vecferry.sandbox.wait_until import wait_until

NAMES = ["worker 1", "worker 2", "worker 3", ROUTER]


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def test_processes_share_a_limit_and_a_429_holds_all_of_them(ledger_url: str) -> None:
    with limited_provider(RateLimits(requests=1500, tokens=120_000)) as provider:

        def served() -> list[Request]:
            return [one for one in provider.requests() if not one.is_query and one.status == 200]

        def refused() -> list[Request]:
            return [one for one in provider.requests() if one.status == 429]

        def during() -> None:
            wait_until(lambda: len(served()) >= 20, awaited="20 requests for documents", deadline_s=60)
            provider.say_wait(8)
            wait_until(lambda: bool(refused()), awaited="the refusal", deadline_s=60)
            wait_until(lambda: served()[-1].at_s > refused()[0].at_s + 8, awaited="documents after the hold", deadline_s=60)

        delayed = provider.run(ledger_url, NAMES, during)
        documents = served()
        (only,) = refused()  # none but the one that was asked for
    # A slice that was granted before is used up, and what is under way arrives.
    assert [one for one in documents if only.at_s + 4 < one.at_s < only.at_s + 7.9] == []
    assert delayed == 0
