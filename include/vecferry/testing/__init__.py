"""For application developers' tests: a Router in memory that does what it is told.

``pytest_plugins = ["vecferry.testing"]`` gives the fixture ``fake_router``; without pytest use ``FakeRouter`` as it is.
"""

from __future__ import annotations

from contextlib import suppress

from vecferry.testing.fake_router import FakeRouter
from vecferry.testing.records import SearchRecord, WriteRecord

with suppress(ImportError):  # pytest is the application's, not ours
    from vecferry.testing.fixtures import fake_router as fake_router

__all__ = ["FakeRouter", "SearchRecord", "WriteRecord"]
