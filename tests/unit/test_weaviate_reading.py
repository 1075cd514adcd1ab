"""When the id filter's word is enough, and when it is not."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from vecferry.adapters.weaviate.deadline import Deadline
from vecferry.adapters.weaviate.reading import Reading
from vecferry.domain.chunks import FIRST


def an_id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012x}"


class ScriptedServer:
    """The filter finds nothing; ``cursor`` is what a scan sees, ``stored`` what a GET finds."""

    def __init__(self, *, cursor: list[int], stored: list[int], replicas: int = 1) -> None:
        self.cursor = [an_id(n) for n in cursor]
        self.stored = {an_id(n) for n in stored}
        self.replicas = replicas
        self.asked: list[str] = []

    def raw_schema(self, collection: str) -> dict[str, Any]:
        return {"class": collection, "properties": [], "replicationConfig": {"factor": self.replicas}}

    def grpc(self, method: str, request: Any, **_: Any) -> Any:
        return SimpleNamespace(results=[])

    def page(self, collection: str, *, after: str, limit: int, tenant: str | None) -> list[str]:
        return [key for key in self.cursor if key > after][:limit]

    def ask(self, path: str, **_: Any) -> httpx.Response:
        uuid = path.rpartition("/")[2]
        self.asked.append(uuid)
        return httpx.Response(200, json={"id": uuid}) if uuid in self.stored else httpx.Response(404)

    def body(self, response: httpx.Response, **_: Any) -> Any:
        return response.json()

    def read(self, numbers: list[int]) -> set[str]:
        return set(Reading(self, self).read("Docs", [an_id(n) for n in numbers]))  # type: ignore[arg-type]


def test_one_page_of_the_cursor_settles_that_all_are_absent() -> None:
    server = ScriptedServer(cursor=[1, 90, 91, 92], stored=[])
    assert server.read(list(range(10, 80))) == set()
    assert server.asked == []


def test_what_the_filter_does_not_see_but_the_cursor_does_is_fetched() -> None:
    server = ScriptedServer(cursor=[12], stored=[12])
    assert server.read([10, 11, 12, 13]) == {an_id(12)}
    assert server.asked == [an_id(12)]


def test_beyond_the_cursors_page_each_is_asked_for() -> None:
    server = ScriptedServer(cursor=list(range(11, 60)), stored=[99])
    assert server.read([10, 98, 99]) == {an_id(99)}
    assert server.asked == [an_id(98), an_id(99)]


def test_the_all_zero_id_lies_before_every_cursor() -> None:
    server = ScriptedServer(cursor=[], stored=[0])
    assert server.read([0, 1, 2]) == {FIRST}


def test_with_replicas_every_absence_is_asked_for_at_quorum() -> None:
    """A filter and a cursor read one replica, which may lag."""
    server = ScriptedServer(cursor=[], stored=[3], replicas=3)
    assert server.read([1, 2, 3, 4]) == {an_id(3)}
    assert server.asked == [an_id(n) for n in (1, 2, 3, 4)]


def test_a_deadline_leaves_each_phase_what_is_left() -> None:
    deadline = Deadline(0.5)
    assert 0.4 < deadline.get("pool") <= 0.5
    time.sleep(0.2)
    assert deadline.get("connect") < 0.31
    assert deadline["read"] == pytest.approx(deadline.remaining_s(), abs=0.01)
    assert Deadline(-1).get("read") > 0
