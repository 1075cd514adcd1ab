"""From a request in order to its answer: limits, faults, vectors, and one line in the books whatever happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vecferry.sandbox.provider.faults import Fault
from vecferry.sandbox.provider.refusal import Refusal, out_of_quota, rate_limited
from vecferry.sandbox.provider.request import EmbedRequest
from vecferry.sandbox.provider.state import ProviderState
from vecferry.sandbox.provider.vectors import embed

CLOSED = 0  # the books' status of a connection that was closed instead of an answer
Render = Callable[[list[int], list[np.ndarray]], dict[str, Any]]


async def answer(state: ProviderState, asked: EmbedRequest, render: Render, request: Request) -> Response:
    """Raises the :class:`Refusal` that limits or faults ask for; it is in the books by then."""
    try:
        headers = state.limits.take(asked)
        faults = state.faults.struck_by(asked)
        for fault in faults:
            _refuse(fault)
    except Refusal as refusal:
        state.usage.count(asked, refusal.status, billed=False)
        raise
    body = await run_in_threadpool(_body, state, asked, render, faults)
    response = await _delivered(body, headers, {fault.kind: fault for fault in faults}, request)
    state.usage.count(asked, CLOSED if isinstance(response, CutOff) else 200, billed=True)
    return response


class CutOff(Response):
    """Announces a whole body, sends the first ``sent`` bytes of it, and has the server close the connection."""

    def __init__(self, body: bytes, sent: int) -> None:
        super().__init__(body, media_type="application/json")
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[: self._sent], "more_body": True})


def _refuse(fault: Fault) -> None:
    match fault.kind:
        case "status":
            retry_after_s = fault.settings["retry_after_s"]
            raise Refusal(
                fault.settings["status"],
                fault.settings["message"],
                kind="server_error" if fault.settings["status"] >= 500 else "invalid_request_error",
                retry_after_s=retry_after_s,
            )
        case "rate_limit":
            raise rate_limited("a fault asks for it", float(fault.settings["retry_after_s"]))
        case "quota":
            raise out_of_quota()


def _body(state: ProviderState, asked: EmbedRequest, render: Render, faults: list[Fault]) -> bytes:
    # Not Starlette's JSONResponse: it refuses NaN, and a NaN is what one of the faults sends.
    answered = render(*embed(state.models, asked.model, asked.texts, faults))
    return json.dumps(answered, separators=(",", ":")).encode()


async def _delivered(body: bytes, headers: Mapping[str, str], faults: dict[str, Fault], request: Request) -> Response:
    if "hang" in faults:
        await _wait(faults["hang"].settings["seconds"], request)
        return CutOff(body, sent=0)
    if "latency" in faults:
        await _wait(faults["latency"].settings["seconds"], request)
    if "disconnect" in faults:
        return CutOff(body, sent=len(body) // 2)
    if "truncated" in faults:
        body = body[: len(body) // 2]
    return Response(body, media_type="application/json", headers=dict(headers))


async def _wait(seconds: float, request: Request) -> None:
    """Until then, or until nobody waits for the answer any more."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + seconds
    while (left_s := end_s - loop.time()) > 0 and not await request.is_disconnected():
        await asyncio.sleep(min(left_s, 0.2))
