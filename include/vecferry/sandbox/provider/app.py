"""The provider's routes: two APIs by their base paths, and the sandbox's own under ``/_``.

========================  ==================================================================================
base URL                  for
========================  ==================================================================================
``…/openai/v1``           OpenAI's SDK (``OPENAI_BASE_URL``)
``…/cohere``              Cohere's SDK (``CO_API_URL``)
``…``                     Weaviate's modules: ``/v1/embeddings`` (OpenAI) and ``/v2/embed`` (Cohere). ``/v1/models``, a
                          path of both APIs, answers with the fields of both
========================  ==================================================================================
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vecferry.sandbox.provider import cohere_api, openai_api
from vecferry.sandbox.provider.answering import answer
from vecferry.sandbox.provider.control_api import control_routes
from vecferry.sandbox.provider.refusal import Refusal, unknown_model
from vecferry.sandbox.provider.request import EmbedRequest
from vecferry.sandbox.provider.state import ProviderState
from vecferry.sandbox.provider.usage import masked


def create_app(state: ProviderState) -> FastAPI:
    app = FastAPI(title="vecferry sandbox provider", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(Refusal, _refused)
    app.include_router(_embedding(state, openai_api, "/v1/embeddings"), prefix="/openai")
    app.include_router(_embedding(state, openai_api, "/v1/embeddings"))
    app.include_router(_embedding(state, cohere_api, "/v2/embed"), prefix="/cohere")
    app.include_router(_embedding(state, cohere_api, "/v2/embed"))
    app.include_router(_models(state, openai_api.model_list, openai_api.model_entry), prefix="/openai")
    app.include_router(_models(state, cohere_api.model_list, cohere_api.model_entry), prefix="/cohere")
    app.include_router(_models(state, _both(openai_api.model_list, cohere_api.model_list), _both_entries))
    app.include_router(control_routes(state))
    return app


def _embedding(state: ProviderState, api: ModuleType, path: str) -> APIRouter:
    routes = APIRouter()

    @routes.post(path)
    async def embeddings(request: Request) -> Response:
        key = _key(request)
        name = "cohere" if api is cohere_api else "openai"
        try:
            state.let_in(key)
            body = await _json_object(request)
            asked = api.read(state, body, masked(key))
        except Refusal as refusal:
            # In the books like any other: a caller that hammers with bad requests must show.
            state.usage.count(EmbedRequest(name, "(refused)", [], None, masked(key)), refusal.status, billed=False)
            raise
        return await answer(state, asked, lambda i, v: api.rendered(asked, body, i, v), request)

    return routes


def _models(
    state: ProviderState,
    listed: Callable[[ProviderState], dict[str, Any]],
    entry: Callable[[ProviderState, str], dict[str, Any]],
) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/models")
    async def every_model(request: Request) -> dict[str, Any]:
        state.let_in(_key(request))
        return listed(state)

    @routes.get("/v1/models/{name}")
    async def one_model(name: str, request: Request) -> dict[str, Any]:
        state.let_in(_key(request))
        if name not in state.models:
            raise unknown_model(name, list(state.models))
        return entry(state, name)

    return routes


def _both(*lists: Callable[[ProviderState], dict[str, Any]]) -> Callable[[ProviderState], dict[str, Any]]:
    return lambda state: {field: value for listed in lists for field, value in listed(state).items()}


def _both_entries(state: ProviderState, name: str) -> dict[str, Any]:
    return {**cohere_api.model_entry(state, name), **openai_api.model_entry(state, name)}


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    headers = {}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(refusal.retry_after_s))
    path = request.url.path
    speaks = cohere_api if path.startswith("/cohere/") or path == "/v2/embed" else openai_api
    return JSONResponse(speaks.error(refusal), status_code=refusal.status, headers=headers)


async def _json_object(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise Refusal(400, f"We could not parse the JSON body of your request ({error}).") from None
    if not isinstance(body, dict):
        raise Refusal(400, "The JSON body of your request must be an object.")
    return body


def _key(request: Request) -> str | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None
