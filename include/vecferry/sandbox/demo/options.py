"""What ``make demo ARGS="…"`` takes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vecferry.sandbox.models import CHAR, HASH


@dataclass(frozen=True)
class Options:
    """``candidate`` is the model that the notice names; ``fail_canary`` breaks its queries once 25% are on it."""

    exit: bool = False
    candidate: str = CHAR
    fail_canary: bool = False
    corpus: Path | None = None
    golden: Path | None = None
    documents: int = 5000
    queries: int = 1200
    folder: Path = Path(".vecferry/demo")

    @property
    def refusal_expected(self) -> bool:
        return self.candidate == HASH


def read(arguments: Sequence[str] | None = None) -> Options:
    return Options(**vars(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "make demo ARGS=…", description="Moves a collection to another model, with an application on it. See the README."
    )
    add, default = parser.add_argument, Options()
    add("--exit", action="store_true", help="end by itself; otherwise the UI stays until Ctrl-C")
    add("--candidate", default=CHAR, choices=[CHAR, HASH], help=f"{HASH} must be refused by the golden set")
    add("--fail-canary", action="store_true", help="the new model's queries go wrong at 25%%: it must roll back by itself")
    add("--corpus", type=Path, help='your own documents: {"uuid": …, "properties": {…}} a line; needs --golden')
    add("--golden", type=Path, help='your own queries: {"query_id": …, "query": …, "relevant": {uuid: grade}} a line')
    add("--documents", type=int, default=default.documents, help="how many of the sandbox's own")
    add("--queries", type=int, default=default.queries, help="how many golden queries of the sandbox's own")
    add("--folder", type=Path, default=default.folder, help=argparse.SUPPRESS)
    return parser
