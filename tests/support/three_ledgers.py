"""The three ledgers driven side by side: each call is made on all of them, and they must answer alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy

from tests.support.ledger_case import LedgerCase
from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.ledger.tables import metadata
from vecferry.domain.journal import JournalRow
from vecferry.domain.routing import Lease, Routing, Snapshot
from vecferry.errors import VecferryError
from vecferry.ports import Ledger, Spend

KINDS = ("memory", "sqlite", "postgresql")


@dataclass(frozen=True)
class Each:
    """One value as each ledger gave it: the rows' ids and tokens are every ledger's own."""

    values: tuple[Any, ...]

    def of(self, place: int) -> Any:
        return self.values[place]

    def at(self, index: int) -> Each:
        return Each(tuple(value[index] for value in self.values))


@dataclass(frozen=True)
class Own:
    """A number that each ledger gives as it likes."""

    value: Any


Call = Callable[..., Any]


class ThreeLedgers:
    """``processes`` of them share one database of each kind; the clocks move together."""

    def __init__(self, folder: Path, template: Path, postgres_url: str, *, processes: int) -> None:
        (folder / "ledger.db").write_bytes(template.read_bytes())
        _empty(postgres_url)
        urls = ("", f"sqlite:///{folder / 'ledger.db'}", postgres_url)
        self.cases = [LedgerCase(kind, url) for kind, url in zip(KINDS, urls, strict=True)]
        self._processes = [
            [case.ledger if number == 0 else case.another() for case in self.cases] for number in range(processes)
        ]

    def close(self) -> None:
        for case in self.cases:
            case.close()

    def advance(self, seconds: float) -> None:
        for case in self.cases:
            case.advance(seconds)

    def ask(self, call: Call, *given: Each, process: int = 0) -> Each | type[VecferryError]:
        """``call(ledger, *values)`` on each; what they gave, or the class of the error with which all of them refused."""
        answers = [_answer(call, ledger, given, place) for place, ledger in enumerate(self._processes[process])]
        shown = [_comparable(answer) for answer in answers]
        assert shown[0] == shown[1] == shown[2], _differently(shown, answers)
        first = answers[0]
        return type(first) if isinstance(first, VecferryError) else Each(tuple(answers))

    def known(self, call: Call, *given: Each) -> Any:
        """An answer that is no refusal, as the first ledger gave it."""
        answer = self.ask(call, *given)
        assert isinstance(answer, Each), answer
        return answer.of(0)


def _answer(call: Call, ledger: Ledger, given: Sequence[Each], place: int) -> Any:
    try:
        return call(ledger, *(each.of(place) for each in given))
    except VecferryError as error:
        return error


def _comparable(answer: Any) -> Any:
    """Without ids, tokens and times of day, which are each ledger's own."""
    if isinstance(answer, VecferryError):
        return type(answer).__name__
    if isinstance(answer, JournalRow):
        return (answer.migration_id, answer.tenant, answer.key, answer.owner, answer.kind)
    if isinstance(answer, Snapshot):  # without the oldest row's age: PostgreSQL's clock goes on meanwhile
        return (answer.pin, _comparable(answer.routing), answer.migration, answer.journal_rows)
    if isinstance(answer, Routing):
        return replace(answer, published_at=None)
    if isinstance(answer, Own):
        return "its own"
    if isinstance(answer, float):
        return round(answer, 6)
    if isinstance(answer, list | tuple):
        return [_comparable(item) for item in answer]
    if isinstance(answer, datetime):
        return "a time"
    if isinstance(answer, Spend | Lease):
        return {name: _comparable(value) for name, value in vars(answer).items()}
    return answer


def _differently(shown: Sequence[Any], answers: Sequence[Any]) -> str:
    return "\n".join(f"{kind}: {said} ({answer!r})" for kind, said, answer in zip(KINDS, shown, answers, strict=True))


def empty_sqlite(path: Path) -> Path:
    """A file with the tables, to copy: making them takes longer than a test."""
    open_ledger(f"sqlite:///{path}").close()
    return path


def _empty(url: str) -> None:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")  # else the triggers keep the history
        for table in set(metadata.tables) - {"moves", "works_with"}:
            connection.exec_driver_sql(f"DELETE FROM {table}")
