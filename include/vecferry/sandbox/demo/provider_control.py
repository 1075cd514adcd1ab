"""What the demo makes the provider say and do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from vecferry.sandbox.models import WORD
from vecferry.sandbox.provider import Address

_NOTICE_DAYS = 120


def publish_notice(provider: Address, replacement: str) -> str:
    """In the feed and in the provider's own model list: two sources, which corroborate each other. Returns the last day."""
    last_day = (datetime.now(UTC) + timedelta(days=_NOTICE_DAYS)).date().isoformat()
    _post(
        provider,
        "/_notices",
        {
            "provider": "openai",
            "model_id": WORD,
            "shutdown_date": last_day,
            "replacement_models": [replacement],
            "deprecation_context": "The sandbox's first model ends; its successor is better at everything.",
        },
    )
    return last_day


def break_queries(provider: Address, model: str) -> None:
    """Queries are answered by finite, normalised vectors of another space: nothing but the quality of the answers can tell."""
    _post(provider, "/_faults", {"kind": "foreign_space", "model": model, "input_type": "search_query"})


def _post(provider: Address, path: str, body: dict[str, Any]) -> None:
    httpx.post(provider.url + path, json=body, timeout=10, trust_env=False).raise_for_status()
