"""A read whose connection is gone is asked again for a while; what else fails is not."""

from __future__ import annotations

import time
from typing import Any

import grpc
import pytest

from vecferry.adapters.weaviate.calls import RECONNECT_S, Calls
from vecferry.errors import Retryable


class Failed(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "Socket closed"


class BrokenConnection:
    """Its first calls fail."""

    url = "http://weaviate"

    def __init__(self, fails: int, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self.fails, self.code = fails, code
        self.asked: list[dict[str, Any]] = []

    def stub(self) -> BrokenConnection:
        return self

    def grpc_metadata(self) -> None:
        return None

    def Search(self, request: Any, **given: Any) -> str:
        self.asked.append(given)
        if len(self.asked) <= self.fails:
            raise Failed(self.code)
        return "found"


def calls(connection: Any) -> Calls:
    return Calls(connection, timeout_s=10.0, schema_timeout_s=10.0)


def test_a_connection_that_breaks_several_times_within_a_second_fails_no_read() -> None:
    connection = BrokenConnection(6)
    assert calls(connection).grpc("Search", None, where="Docs") == "found"
    assert [given["wait_for_ready"] for given in connection.asked] == [False, *[True] * 6]
    assert all(given["timeout"] <= RECONNECT_S for given in connection.asked[1:])


def test_it_gives_up_in_time() -> None:
    connection = BrokenConnection(1_000)
    started = time.monotonic()
    with pytest.raises(Retryable, match="UNAVAILABLE: Socket closed"):
        calls(connection).grpc("Search", None, where="Docs", timeout_s=0.5)
    assert time.monotonic() - started < 0.7
    assert len(connection.asked) > 3


def test_what_is_no_broken_connection_is_asked_once() -> None:
    connection = BrokenConnection(1, grpc.StatusCode.DEADLINE_EXCEEDED)
    with pytest.raises(Retryable, match="DEADLINE_EXCEEDED"):
        calls(connection).grpc("Search", None, where="Docs")
    assert len(connection.asked) == 1
