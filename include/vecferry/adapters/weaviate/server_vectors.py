"""What the server vectorizes itself: which modules it has, their settings in a collection, and an object that it embeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from vecferry.adapters.weaviate import errors
from vecferry.adapters.weaviate.calls import Calls, path_of
from vecferry.adapters.weaviate.deadline import Deadline
from vecferry.adapters.weaviate.objects import to_rest
from vecferry.domain.catalogue import Api, ModelCard
from vecferry.domain.objects import StoredObject
from vecferry.domain.server_text import settings_of
from vecferry.errors import BadInput

KeyOf = Callable[[ModelCard], str]
_HEADERS: Mapping[Api, str] = {"openai": "X-OpenAI-Api-Key", "cohere": "X-Cohere-Api-Key"}


def no_key(card: ModelCard) -> str:
    raise BadInput("there is no key to send along", where=card.space.id, next_action="Give the server one of its own.")


class ServerVectors:
    def __init__(self, calls: Calls, key_of: KeyOf) -> None:
        self._calls = calls
        self._key_of = key_of

    def modules(self) -> frozenset[str]:
        answer = self._calls.body(self._calls.ask("/v1/meta", where="modules"), where="modules")
        return frozenset(answer.get("modules") or ())

    def change(self, collection: str, vector_name: str, settings: Mapping[str, Any]) -> None:
        schema = self._calls.raw_schema(collection)
        module, before = settings_of(schema, vector_name)
        if module is None:
            raise BadInput("the server vectorizes nothing here", where=collection, next_action="See its schema.")
        own = {module: {**before, **settings}}
        if vector_name:
            schema["vectorConfig"][vector_name]["vectorizer"] = own
        else:
            schema["moduleConfig"] = {**(schema.get("moduleConfig") or {}), **own}
        path = path_of("schema", schema["class"])
        response = self._calls.tell("PUT", path, schema, where=collection, deadline=self._calls.schema_deadline())
        if response.status_code == 404:
            raise self._calls.no_such(collection)

    def let_vectorize(self, collection: str, obj: StoredObject, *, key_of: ModelCard | None, timeout_s: float) -> None:
        """One by one: a batch needs the tokenizer's file, which a server without the internet does not have."""
        where = f"{collection}/{obj.uuid}"
        body = {name: value for name, value in to_rest(collection, obj).items() if name not in ("vector", "vectors")}
        headers = {} if key_of is None else {_HEADERS[key_of.api]: self._key_of(key_of)}
        try:
            response = self._calls.connection.http().post(
                "/v1/objects", json=body, headers=headers, extensions={"timeout": Deadline(timeout_s)}
            )
        except httpx.HTTPError as error:
            raise errors.write_failed(error, where=where, address=self._calls.connection.url) from error
        if not response.is_success:
            raise errors.write_refused(response, where=where)
