"""Whether what is stored is what the application was told: lost, stale, resurrected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .expectation import Content, Expectation

STAMPS = frozenset(
    {
        "embedding_model",
        "embedding_version",
        "embedded_at",
        "embedding_text_hash",
        "embedding_content_hash",
        "embedding_skipped",
    }
)
"""Properties that the migrated collection has besides the application's own: written here anew, not imported."""
_DATE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


@dataclass
class Defects:
    """Uuids. ``lost``: an acknowledged write is absent or wrong; ``stale``: an older state of the same object stands there;
    ``resurrected``: deleted, or never written by anybody, and there."""

    lost: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    resurrected: list[str] = field(default_factory=list)


def defects(expected: Mapping[str, Expectation], stored: Mapping[str, Mapping[str, Any]]) -> Defects:
    """``stored``: uuid → properties, stamps included or not."""
    found = Defects()
    for uuid in expected.keys() | stored.keys():
        kind = _defect(expected.get(uuid, Expectation()), stored.get(uuid))
        if kind:
            getattr(found, kind).append(uuid)
    return found


def own(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Without stamps and without nulls, dates as instants: what two JSON forms of one content have in common."""
    return {name: _plain(value) for name, value in properties.items() if value is not None and name not in STAMPS}


def _defect(expectation: Expectation, stored: Content) -> str:
    if _among(stored, expectation.allowed):
        return ""
    if stored is not None and all(content is None for content in expectation.allowed):
        return "resurrected"
    if stored is not None and _among(stored, expectation.past):
        return "stale"
    return "lost"


def _among(stored: Content, contents: Iterable[Content]) -> bool:
    if stored is None:
        return any(content is None for content in contents)
    here = own(stored)
    return any(content is not None and own(content) == here for content in contents)


def _plain(value: Any) -> Any:
    if isinstance(value, str) and _DATE.match(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value
