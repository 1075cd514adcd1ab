"""What an application asked of its FakeRouter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vecferry.router.results import SearchHits


@dataclass(frozen=True)
class WriteRecord:
    """One call, recorded however it ended. ``method`` is the Router's (``put``, ``delete_many``, …); ``items`` holds the given
    properties by uuid, none for deletes and ``change``; ``error`` is the name of what was raised, empty if it was acknowledged.
    """

    method: str
    uuids: tuple[str, ...]
    items: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tenant: str | None = None
    error: str = ""


@dataclass(frozen=True)
class SearchRecord:
    """One search and its answer (``None`` if it raised)."""

    text: str
    key: str
    limit: int
    filters: Any
    tenant: str | None
    answer: SearchHits | None
