"""Notices from a file or a URL, in the deprecations.info form: a JSON list, or an object that holds one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from vecferry.errors import BadInput, Retryable

_TIMEOUT_S = 15.0


class FileOrUrlFeed:
    """``place``: a path or an http(s) address; empty means that there is no feed, and no rows."""

    def __init__(self, place: str) -> None:
        self._place = place

    def rows(self) -> list[Mapping[str, Any]]:
        if not self._place:
            return []
        try:
            content = json.loads(self._text())
        except json.JSONDecodeError as error:
            raise BadInput(f"the notices are no JSON ({error})", where=self._place, next_action=_SHAPE) from error
        if isinstance(content, dict):
            content = next((value for value in content.values() if isinstance(value, list)), None)
        if not isinstance(content, list):
            raise BadInput("the notices are no JSON list", where=self._place, next_action=_SHAPE)
        return content

    def _text(self) -> str:
        if self._place.startswith(("http://", "https://")):
            return self._fetched()
        try:
            return Path(self._place).read_text(encoding="utf-8")
        except OSError as error:
            why = error.strerror or str(error)
            raise BadInput(why, where=self._place, next_action="Correct VECFERRY_NOTICES.") from error

    def _fetched(self) -> str:
        try:
            answer = httpx.get(self._place, timeout=_TIMEOUT_S, follow_redirects=True)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Retryable(
                f"the notices could not be fetched ({error})", where=self._place, next_action="Try again later."
            ) from error
        return answer.text


_SHAPE = "It is a list of objects with provider, model_id, shutdown_date and replacement_models."
