"""Cross-references as raw JSON: lists of beacons.

The server looks every target up when an object is put, and refuses the object if one is gone. A copy must hold a dangling
reference as its original does; adding references to a stored object is the road on which nothing is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vecferry.adapters.weaviate.schema_shape import is_reference
from vecferry.domain.objects import StoredObject

_DANGLING = re.compile(r"cref.*no object with id", re.I)


def is_dangling(message: str) -> bool:
    """Whether an object was refused for a reference whose target is not there."""
    return bool(_DANGLING.search(message))


def reference_names(schema: Mapping[str, Any]) -> list[str]:
    return [prop["name"] for prop in schema.get("properties") or () if is_reference(prop)]


def without_beacons(obj: StoredObject, names: Sequence[str]) -> StoredObject:
    """An empty list stays: to the server it is not the same as none, and it refuses to add to one."""
    return replace(obj, properties={name: value for name, value in obj.properties.items() if name not in names or not value})


def beacon_rows(collection: str, obj: StoredObject, names: Sequence[str]) -> list[dict[str, Any]]:
    """For ``POST /v1/batch/references``, in the order in which they are stored."""
    tenant = {} if obj.tenant is None else {"tenant": obj.tenant}
    return [
        {"from": f"weaviate://localhost/{collection}/{obj.uuid}/{name}", "to": beacon["beacon"], **tenant}
        for name in names
        for beacon in obj.properties.get(name) or ()
    ]
