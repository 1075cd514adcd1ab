"""The sandbox's own routes, all under ``/_`` but the feed: what a test or a demo switches and reads.

=======================================  ===========================================================================
``GET /_health``                         ``{"ready": true, "models": […]}``
``GET /_models``                         each model: dimensions, and what the model lists say of it
``POST /_models/{name}``                 ``{"shutdown_date": "2027-03-31", "is_deprecated": true}``: the model lists alone
``GET``, ``DELETE /_usage``              requests, failures, billed inputs and tokens, by model, input type, key, API
``GET``, ``POST /_requests``             each request with its texts, once ``{"kept": true}`` is posted; DELETE is ``/_usage``'s
``GET``, ``POST``, ``DELETE /_faults``   see :mod:`vecferry.sandbox.provider.faults`
``GET``, ``POST``, ``DELETE /_limits``   ``{"model": null, "requests_per_minute": 60, "tokens_per_minute": null,
                                         "inputs_per_minute": null, "burst_s": 60}``
``GET``, ``POST``, ``DELETE /_notices``  ``{"model_id": "sandbox-word-1", "shutdown_date": "2027-03-31",
                                         "replacement_models": ["sandbox-char-2"], "in_feed": true,
                                         "in_model_list": true}``; DELETE also clears the model lists
``GET /notices.json``                    the feed, in deprecations.info's form: a JSON list
=======================================  ===========================================================================
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from vecferry.sandbox.models import DIMENSIONS
from vecferry.sandbox.provider.limits import Limit
from vecferry.sandbox.provider.refusal import Refusal, unknown_model
from vecferry.sandbox.provider.state import ProviderState

LIMIT_FIELDS = ("requests_per_minute", "tokens_per_minute", "inputs_per_minute", "burst_s")


def control_routes(state: ProviderState) -> APIRouter:
    routes = APIRouter()
    _add_models_and_usage(routes, state)
    _add_faults(routes, state)
    _add_limits(routes, state)
    _add_notices(routes, state)
    return routes


def _add_models_and_usage(routes: APIRouter, state: ProviderState) -> None:
    @routes.get("/_health")
    async def health() -> dict[str, Any]:
        return {"ready": True, "models": list(state.models)}

    @routes.get("/_models")
    async def models() -> list[dict[str, Any]]:
        return [_described(state, name) for name in state.models]

    @routes.post("/_models/{name}")
    async def list_model(name: str, request: Request) -> dict[str, Any]:
        if name not in state.models:
            raise unknown_model(name, list(state.models))
        state.notices.set_listing(name, await _object(request))
        return _described(state, name)

    @routes.get("/_usage")
    async def usage() -> dict[str, object]:
        return state.usage.as_dict()

    @routes.delete("/_usage")
    async def clear_usage() -> dict[str, object]:
        state.usage.clear()
        return state.usage.as_dict()

    @routes.get("/_requests")
    async def requests() -> list[dict[str, object]]:
        return state.usage.requests()

    @routes.post("/_requests")
    async def keep_requests(request: Request) -> dict[str, bool]:
        state.usage.detailed = bool((await _object(request)).get("kept"))
        return {"kept": state.usage.detailed}


def _add_faults(routes: APIRouter, state: ProviderState) -> None:
    @routes.get("/_faults")
    async def faults() -> list[dict[str, Any]]:
        return state.faults.as_list()

    @routes.post("/_faults")
    async def add_faults(request: Request) -> list[dict[str, Any]]:
        return state.faults.add(await _given(request))

    @routes.delete("/_faults")
    async def clear_faults() -> dict[str, int]:
        return {"cleared": state.faults.clear()}

    @routes.delete("/_faults/{fault_id}")
    async def clear_fault(fault_id: int) -> dict[str, int]:
        return {"cleared": state.faults.clear(fault_id)}


def _add_limits(routes: APIRouter, state: ProviderState) -> None:
    @routes.get("/_limits")
    async def limits() -> dict[str, dict[str, Any]]:
        return state.limits.as_dict()

    @routes.post("/_limits")
    async def set_limit(request: Request) -> dict[str, dict[str, Any]]:
        given = await _object(request)
        model = given.pop("model", None)
        unknown = set(given) - set(LIMIT_FIELDS)
        if unknown:
            raise Refusal(400, f"A limit has no {', '.join(sorted(unknown))}; it has {', '.join(LIMIT_FIELDS)}, model.")
        if model is not None:
            state.known(model)
        state.limits.set(model, Limit(**given))
        return state.limits.as_dict()

    @routes.delete("/_limits")
    async def clear_limits() -> dict[str, dict[str, Any]]:
        state.limits.clear()
        return state.limits.as_dict()


def _add_notices(routes: APIRouter, state: ProviderState) -> None:
    @routes.get("/notices.json")
    @routes.get("/_notices")
    async def feed() -> list[dict[str, Any]]:
        return state.notices.feed()

    @routes.post("/_notices")
    async def publish(request: Request) -> dict[str, Any]:
        return state.notices.publish(await _object(request))

    @routes.delete("/_notices")
    async def clear_notices() -> list[dict[str, Any]]:
        state.notices.clear()
        return []


def _described(state: ProviderState, name: str) -> dict[str, Any]:
    listing = state.notices.listing(name)
    return {
        "id": name,
        "dimensions": DIMENSIONS,
        "shutdown_date": listing.shutdown_date,
        "is_deprecated": listing.is_deprecated,
    }


async def _given(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise Refusal(400, f"The body is not JSON ({error}).") from None


async def _object(request: Request) -> dict[str, Any]:
    given = await _given(request)
    if not isinstance(given, dict):
        raise Refusal(400, "The body must be a JSON object.")
    return given
