"""What a failing connection or an odd answer means, against a server that misbehaves on request."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vecferry.adapters.weaviate.calls import READY
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.objects import StoredObject
from vecferry.errors import BadInput, NotFound, NotWritten, Retryable, UnknownOutcome, VecferryError

ID = "00000000-0000-0000-0000-000000000001"
OBJECT = StoredObject(ID, {"title": "x"})
STORED = {"id": ID, "result": {"status": "SUCCESS"}}


def failed(message: str) -> dict[str, object]:
    return {"id": ID, "result": {"status": "FAILED", "errors": {"error": [{"message": message}]}}}


class Misbehaving(ThreadingHTTPServer):
    """Answers each call by ``answer``: (status, body), or ``None`` to break the connection off."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answer: Callable[[str, str], tuple[int, object] | None] = lambda method, path: (200, [STORED])
        self.seen: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was broken off on purpose is no news."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Misbehaving

    def _any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(f"{self.command} {self.path}")
        answer = self.server.answer(self.command, self.path)
        if answer is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, body = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _any

    def log_message(self, *args: object) -> None:
        return None


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with Misbehaving() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def store(server: Misbehaving) -> Iterator[WeaviateStore]:
    store = WeaviateStore(server.url, "127.0.0.1:1", "the-secret-key", timeout_s=2, schema_timeout_s=2)
    yield store
    store.close()


def put(store: WeaviateStore, timeout_s: float = 2.0) -> None:
    store.put("Docs", OBJECT, timeout_s=timeout_s)


WRITES: dict[str, Callable[[WeaviateStore], object]] = {
    "put": put,
    "put_batch": lambda store: store.put_batch("Docs", [OBJECT], timeout_s=2),
    "merge": lambda store: store.merge("Docs", OBJECT, timeout_s=2),
    "delete": lambda store: store.delete("Docs", ID, timeout_s=2),
    "delete_batch": lambda store: store.delete_batch("Docs", [ID], timeout_s=2),
    "create": lambda store: store.create({"class": "Docs"}),
    "drop": lambda store: store.drop("Docs"),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("answer", [None, (502, b"bad gateway"), (503, b""), (500, {"error": [{"message": "oops"}]})])
def test_an_unclear_write_is_of_unknown_outcome_and_sent_once(
    server: Misbehaving, store: WeaviateStore, write: str, answer: tuple[int, object] | None
) -> None:
    server.answer = lambda method, path: answer
    with pytest.raises(UnknownOutcome):
        WRITES[write](store)
    assert len(server.seen) == 1


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(("status", "error"), [(401, BadInput), (403, BadInput), (429, NotWritten), (422, BadInput)])
def test_a_clear_refusal_is_certain(
    server: Misbehaving, store: WeaviateStore, write: str, status: int, error: type[VecferryError]
) -> None:
    server.answer = lambda method, path: (status, {"error": [{"message": "no, sorry"}]})
    with pytest.raises(error, match="no, sorry") as caught:
        WRITES[write](store)
    assert len(server.seen) == 1
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("write", WRITES)
def test_what_was_never_sent_was_not_written(write: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = WeaviateStore(f"http://127.0.0.1:{taken.getsockname()[1]}", "127.0.0.1:1")
        with pytest.raises(NotWritten):
            WRITES[write](nobody)
        assert not nobody.alive()


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("store is read-only due to: manually set by user", NotWritten),
        ('put local object: shard="a1": store is read-only due to: disk', NotWritten),
        ('put local object: shard="a1": update property-specific indices: store is read-only due to: disk', UnknownOutcome),
        ("insert to vector index: vector lengths don't match: 3 vs 2", UnknownOutcome),
        ("no such prop with name 'x' found in class 'Docs' in the schema", BadInput),
        ("invalid integer property 'n' on class 'Docs': requires an integer", BadInput),
        ("tenant not active: 'b'", BadInput),
        ("invalid cref: 'cref' Docs:wrote: no object with id 1 found", BadInput),
        ("class 'Docs' not present in schema", NotFound),
        ("broadcast: cannot reach enough replicas", UnknownOutcome),
        ("", UnknownOutcome),
    ],
)
def test_an_objects_own_error_decides(
    server: Misbehaving, store: WeaviateStore, message: str, error: type[VecferryError]
) -> None:
    server.answer = lambda method, path: (200, [failed(message)] if method == "POST" else {"classes": [{"class": "Other"}]})
    with pytest.raises(error) as caught:
        put(store)
    assert type(caught.value) is error


@pytest.mark.parametrize("body", [b"<html>", b"", {"ok": True}, [], [STORED | {"id": ID[:-1] + "2"}], [{"id": ID}]])
def test_an_answer_that_is_not_about_the_object_proves_nothing(server: Misbehaving, store: WeaviateStore, body: object) -> None:
    server.answer = lambda method, path: (200, body)
    with pytest.raises(UnknownOutcome):
        put(store)


@pytest.mark.parametrize("call", ["put", "read", "alive"])
def test_one_timeout_bounds_the_whole_call(server: Misbehaving, store: WeaviateStore, call: str) -> None:
    release = threading.Event()

    def hang(method: str, path: str) -> tuple[int, object]:
        release.wait(10)
        return 200, [STORED]

    server.answer = hang
    started = time.monotonic()
    try:
        if call == "put":
            with pytest.raises(UnknownOutcome):
                put(store, timeout_s=0.3)
        elif call == "read":
            with pytest.raises(Retryable):
                store.read("Docs", [ID])
        else:
            assert not store.alive()
        assert time.monotonic() - started < 2.5
    finally:
        release.set()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, Retryable),
        ((503, b""), Retryable),
        ((429, b""), Retryable),
        ((200, b"<html>"), Retryable),
        ((403, b""), BadInput),
    ],
)
def test_a_failed_read_is_no_absence(
    server: Misbehaving, store: WeaviateStore, answer: tuple[int, object] | None, error: type[VecferryError]
) -> None:
    server.answer = lambda method, path: answer
    with pytest.raises(error):
        store.read("Docs", [ID])


def test_a_404_is_absence_only_if_the_collection_exists(server: Misbehaving, store: WeaviateStore) -> None:
    exists = True

    def answer(method: str, path: str) -> tuple[int, object]:
        if path.startswith("/v1/objects"):
            return 404, b""
        return (200, {"class": "Docs"}) if exists or path == READY else (404, b"")

    server.answer = answer
    assert store.read("Docs", [ID]) == {}
    exists = False
    with pytest.raises(NotFound):
        store.read("Docs", [ID])


ABSENT: dict[str, Callable[[WeaviateStore], object]] = {
    "read": lambda store: store.read("Docs", [ID]),
    "keys": lambda store: store.keys("Docs", after="", until=ID, limit=1),
    "schema": lambda store: store.schema("Docs"),
    "merge": lambda store: store.merge("Docs", OBJECT, timeout_s=2),
    "delete": lambda store: store.delete("Docs", ID, timeout_s=2),
    "delete_batch": lambda store: store.delete_batch("Docs", [ID], timeout_s=2),
    "drop": lambda store: store.drop("Docs"),
}
"""Calls for which a 404 would mean: it is not there."""


@pytest.mark.parametrize("call", ABSENT)
def test_a_404_of_a_server_that_is_still_loading_says_nothing(server: Misbehaving, store: WeaviateStore, call: str) -> None:
    """For seconds after a start the schema is there and the objects are not: taken for absence it would delete copies, and
    acknowledge deletes that never happened."""
    server.answer = lambda method, path: (503, b"") if path == READY else (404, b"")
    with pytest.raises((Retryable, NotWritten)):
        ABSENT[call](store)


def test_what_a_server_did_not_find_while_loading_is_asked_for_again_once_it_is_ready(
    server: Misbehaving, store: WeaviateStore
) -> None:
    """The first 404 may be from before it was ready, though it is ready by the time that it is asked whether it is."""
    first = iter([(404, b"")])
    server.answer = lambda method, path: (
        (200, {}) if path == READY else next(first, (204 if method == "DELETE" else 200, {"id": ID}))
    )
    assert store.read("Docs", [ID]).keys() == {ID}
    first = iter([(404, b"")])
    store.delete("Docs", ID, timeout_s=2)
    assert [line.split()[0] for line in server.seen[-3:]] == ["DELETE", "GET", "DELETE"]


def test_partial_deletes_are_of_unknown_outcome(server: Misbehaving, store: WeaviateStore) -> None:
    refuse = iter([(204, b""), (500, {"error": [{"message": "store is read-only"}]})])
    server.answer = lambda method, path: next(refuse)
    with pytest.raises(UnknownOutcome, match="1 of 2"):
        store.delete_batch("Docs", [ID, ID[:-1] + "2"], timeout_s=2)


def test_names_cannot_reach_another_resource(server: Misbehaving, store: WeaviateStore) -> None:
    server.answer = lambda method, path: (200, {})
    store.drop("../objects/Docs?x=1")
    assert server.seen == ["DELETE /v1/schema/..%2Fobjects%2FDocs%3Fx%3D1"]


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", ""])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadInput, match="VECFERRY_WEAVIATE_URL"):
        WeaviateStore(url, "127.0.0.1:50051")


def test_not_a_number_is_refused_before_it_is_sent(server: Misbehaving, store: WeaviateStore) -> None:
    with pytest.raises(BadInput, match="JSON"):
        store.put("Docs", StoredObject(ID, {"n": float("nan")}), timeout_s=1)
    assert server.seen == []


def test_a_forked_child_has_connections_of_its_own(server: Misbehaving, store: WeaviateStore) -> None:
    put(store)
    before = store._connection.http()
    child = os.fork()
    if child == 0:
        put(store)
        os._exit(0 if store._connection.http() is not before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    put(store)
    assert store._connection.http() is before
    assert len(server.seen) == 3
