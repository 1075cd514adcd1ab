"""One call on the wire: asking (reads) and telling (writes), each with its own meaning of failure. Nothing is retried."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from vecferry.adapters.weaviate import errors
from vecferry.adapters.weaviate.connection import Connection
from vecferry.adapters.weaviate.deadline import Deadline
from vecferry.errors import BadInput, NotFound, NotWritten, Retryable, VecferryError

QUORUM = {"consistency_level": "QUORUM"}
READY = "/v1/.well-known/ready"
RECONNECT_S = 2.5
"""More than the longest back-off of a channel, ``grpc.max_reconnect_backoff_ms``."""
_BETWEEN_S = 0.05
_JSON = {"Content-Type": "application/json"}


class Calls:
    """What every part of the store talks through. ``timeout_s`` bounds one read, ``schema_timeout_s`` a schema change."""

    def __init__(self, connection: Connection, *, timeout_s: float, schema_timeout_s: float) -> None:
        self.connection = connection
        self.timeout_s = timeout_s
        self.schema_timeout_s = schema_timeout_s

    def ask(self, path: str, *, where: str, params: Mapping[str, str] | None = None, method: str = "GET") -> httpx.Response:
        """A read; 404 is handed back, for the caller knows what it means. Raises ``Retryable`` or ``BadInput``."""
        deadline = Deadline(self.timeout_s)
        try:
            response = self._send(method, path, params, None, deadline)
            if response.status_code == 404:
                self._refuse_while_loading(Retryable, where, deadline)
                response = self._send(method, path, params, None, deadline)
        except httpx.HTTPError as error:
            raise errors.read_failed(error, where=where, address=self.connection.url) from error
        if response.is_success or response.status_code == 404:
            return response
        raise self._named(errors.read_refused(response, where=where))

    def tell(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        where: str,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A write; 404 is handed back. Raises ``NotWritten``, ``UnknownOutcome`` or ``BadInput``."""
        content = None if body is None else as_json(body, where=where)
        try:
            response = self._send(method, path, params, content, deadline)
            if response.status_code == 404 and method != "POST":
                # Not a retry of something unclear: what was not found was not written.
                self._refuse_while_loading(NotWritten, where, deadline)
                response = self._send(method, path, params, content, deadline)
        except httpx.HTTPError as error:
            raise errors.write_failed(error, where=where, address=self.connection.url) from error
        if response.is_success or response.status_code == 404:
            return response
        raise self._named(errors.write_refused(response, where=where))

    def grpc(self, method: str, request: Any, *, where: str, timeout_s: float | None = None) -> Any:
        """A read over gRPC (``Search``, ``Aggregate``).

        Where the connection is gone it is asked again for a while, waiting for the next one: calls that fail at once leave
        nobody who polls the channel, which then sees only every 5 s that the server is back; and the next one may break too.
        """
        import grpc

        call, metadata = getattr(self.connection.stub(), method), self.connection.grpc_metadata()
        left_s = timeout_s or self.timeout_s
        ends_at = time.monotonic() + left_s
        reconnects_until: float | None = None
        while True:
            try:
                return call(request, timeout=left_s, metadata=metadata, wait_for_ready=reconnects_until is not None)
            except grpc.RpcError as error:
                now = time.monotonic()
                reconnects_until = reconnects_until or min(ends_at, now + RECONNECT_S)
                left_s = reconnects_until - now - _BETWEEN_S
                if error.code() is not grpc.StatusCode.UNAVAILABLE or left_s <= 0:
                    raise self._named(errors.grpc_failed(error, where=where)) from error
            time.sleep(_BETWEEN_S)

    def tell_grpc(self, method: str, request: Any, *, where: str, deadline: Deadline) -> Any:
        """A write over gRPC, sent once. Raises as ``tell`` does; nearly everything but an answer is an ``UnknownOutcome``."""
        import grpc

        left_s = deadline.remaining_s()
        if left_s <= 0:
            raise NotWritten("no time left to send it", where=where, next_action="Try again.")
        call, metadata = getattr(self.connection.stub(), method), self.connection.grpc_metadata()
        try:
            return call(request, timeout=left_s, metadata=metadata)
        except grpc.RpcError as error:
            raise self._named(errors.grpc_write_failed(error, where=where)) from error

    def _refuse_while_loading(self, error: type[VecferryError], where: str, deadline: Deadline) -> None:
        """A server that has just started answers 404 for objects of collections that it has not loaded yet (rule 3: absence is
        a positive answer). So a 404 counts where the server has said that it is ready and was then asked again."""
        try:
            ready = self._send("GET", READY, None, None, deadline).is_success
        except httpx.HTTPError:
            ready = False
        if not ready:
            raise error("not found, by a server that does not say that it is ready", where=where, next_action="Try again.")

    def body(self, response: httpx.Response, *, where: str) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise Retryable("the answer is no JSON", where=where, next_action="Is a proxy in between?") from error

    def schema_deadline(self) -> Deadline:
        return Deadline(self.schema_timeout_s)

    def raw_schema(self, collection: str) -> dict[str, Any]:
        response = self.ask(path_of("schema", collection), where=collection)
        if response.status_code == 404:
            raise self.no_such(collection)
        found: dict[str, Any] = self.body(response, where=collection)
        return found

    def names(self) -> list[str]:
        answer = self.body(self.ask("/v1/schema", where="schema"), where="schema")
        return sorted(item["class"] for item in answer.get("classes") or ())

    def no_such(self, collection: str) -> VecferryError:
        """``NotFound``; ``Retryable`` from a server that is still loading."""
        try:
            self._refuse_while_loading(Retryable, collection, Deadline(self.timeout_s))
        except Retryable as loading:
            return loading
        try:
            exist = ", ".join(self.names()) or "none"
        except VecferryError:
            exist = "not known, for the server does not say"
        return NotFound("no such collection", where=collection, next_action=f"Collections that exist: {exist}.")

    def _send(
        self, method: str, path: str, params: Mapping[str, str] | None, content: bytes | None, deadline: Deadline
    ) -> httpx.Response:
        return self.connection.http().request(
            method, path, params=params, content=content, headers=_JSON, extensions={"timeout": deadline}
        )

    def _named(self, error: VecferryError) -> VecferryError:
        """A missing collection is answered with those that exist."""
        return self.no_such(error.where.partition("/")[0]) if isinstance(error, NotFound) else error


def path_of(*parts: str) -> str:
    """Names come from users: a slash in one must not reach another resource."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def as_json(body: Any, *, where: str) -> bytes:
    try:
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise BadInput(f"not JSON: {error}", where=where, next_action="Correct the object.") from error


def per_tenant(tenant: str | None) -> dict[str, str]:
    return {"tenant": tenant} if tenant is not None else {}
