"""A made-up seed with servers that show it, for the tests of the judge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.nemesis.made_up_seed import MadeUpSeed, Servers


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with Servers().running() as running:
        yield running


@pytest.fixture
def made(tmp_path: Path, servers: Servers) -> MadeUpSeed:
    servers.seed = MadeUpSeed(tmp_path / "seed-7", servers.url)
    return servers.seed
