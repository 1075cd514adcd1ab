"""Whether the server makes collections by itself when somebody writes to one that is missing (AUTOSCHEMA_ENABLED)."""

from __future__ import annotations

import uuid
from typing import Any

from vecferry.adapters.weaviate import errors
from vecferry.adapters.weaviate.calls import Calls
from vecferry.errors import Retryable

_BY_ITSELF = "auto-schema"


def creates_collections(calls: Calls, like: str) -> bool:
    """No setting that a client can read says so, and it may be changed while the server runs.

    The object has a property of a reserved name: without auto-schema its collection is missing, with it the collection
    cannot be made. Either way nothing is written.
    """
    name = f"{like}_{uuid.uuid4().hex[:8]}"
    probe: dict[str, Any] = {"class": name, "id": str(uuid.uuid4()), "properties": {"id": "vecferry asks whether it may"}}
    response = calls.tell("POST", "/v1/batch/objects", {"objects": [probe]}, where=name, deadline=calls.schema_deadline())
    message = str(calls.body(response, where=name))
    if errors.is_missing_collection(message):
        return False
    if _BY_ITSELF in message:
        return True
    raise Retryable(
        f"the server does not say whether it creates collections by itself: {message[-200:]}",
        where=like,
        next_action="Look whether AUTOSCHEMA_ENABLED is false on every node.",
    )
