"""Fixtures for pytest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vecferry.testing.fake_router import FakeRouter


@pytest.fixture
def fake_router() -> Iterator[FakeRouter]:
    """Empty; ``put`` what the test needs. The embedded property is ``text``: make a ``FakeRouter`` of your own for others."""
    with FakeRouter() as router:
        yield router
