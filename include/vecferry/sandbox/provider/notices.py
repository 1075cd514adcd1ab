"""What the provider says of its models' ends: in a feed, in the model lists, or in both.

The two are set apart on purpose: one source can be wrong, and what asks for corroboration needs both cases to test.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from vecferry.sandbox.provider.refusal import Refusal

FIELDS = (
    "provider",
    "model_id",
    "model_name",
    "announcement_date",
    "shutdown_date",
    "replacement_models",
    "deprecation_context",
    "url",
    "content_hash",
)


@dataclass(frozen=True)
class Listing:
    """What the model lists say. ``shutdown_date`` is OpenAI's field, ``is_deprecated`` Cohere's; neither implies the other."""

    shutdown_date: str | None = None
    is_deprecated: bool = False


class Notices:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._feed: list[dict[str, Any]] = []
        self._listings: dict[str, Listing] = {}

    def publish(self, given: dict[str, Any]) -> dict[str, Any]:
        """The notice as the feed has it. ``in_feed`` and ``in_model_list`` (both true) say where it stands."""
        places = {name: given.get(name, True) for name in ("in_feed", "in_model_list")}
        notice = _complete({name: value for name, value in given.items() if name not in places})
        with self._lock:
            if places["in_feed"]:
                self._feed.append(notice)
            if places["in_model_list"]:
                self._listings[notice["model_id"]] = Listing(notice["shutdown_date"], is_deprecated=True)
        return notice

    def feed(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._feed)

    def listing(self, model: str) -> Listing:
        with self._lock:
            return self._listings.get(model, Listing())

    def set_listing(self, model: str, given: dict[str, Any]) -> Listing:
        unknown = set(given) - {"shutdown_date", "is_deprecated"}
        if unknown:
            raise Refusal(400, f"A model has no field {', '.join(sorted(unknown))}; shutdown_date, is_deprecated.")
        with self._lock:
            before = self._listings.get(model, Listing())
            self._listings[model] = Listing(
                _day("shutdown_date", given.get("shutdown_date", before.shutdown_date)),
                bool(given.get("is_deprecated", before.is_deprecated)),
            )
            return self._listings[model]

    def clear(self) -> None:
        with self._lock:
            self._feed.clear()
            self._listings.clear()


def _complete(given: dict[str, Any]) -> dict[str, Any]:
    unknown = set(given) - set(FIELDS)
    if unknown:
        raise Refusal(400, f"A notice has no field {', '.join(sorted(unknown))}; it has {', '.join(FIELDS)}.")
    if not given.get("model_id"):
        raise Refusal(400, "A notice needs a `model_id`.", param="model_id")
    notice = {
        "provider": "sandbox",
        "model_name": given["model_id"],
        "announcement_date": datetime.now(UTC).date().isoformat(),
        "shutdown_date": None,
        "replacement_models": [],
        "deprecation_context": "",
        "url": "",
        **given,
    }
    for name in ("announcement_date", "shutdown_date"):
        notice[name] = _day(name, notice[name])
    said = json.dumps({name: notice[name] for name in sorted(notice) if name != "content_hash"})
    notice.setdefault("content_hash", hashlib.sha256(said.encode()).hexdigest()[:16])
    return {name: notice[name] for name in FIELDS}


def _day(name: str, value: object) -> str | None:
    if value in (None, ""):
        return None
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise Refusal(400, f"`{name}` must be a date like 2027-03-31, not {value!r}.", param=name) from None
