"""Vendors' failures become vecferry's errors, once, here. No message of ours or theirs leaves with a key in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from vecferry.adapters.embedders.api import MaybeBilled, Rejected
from vecferry.adapters.embedders.credentials import Credential
from vecferry.errors import BadInput, ModelGone, Paused, Retryable

_NO_MODEL_CODES = {"model_not_found", "invalid_model", "unknown_model"}
_QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "access_terminated"}
_TEXT_CODES = {"context_length_exceeded", "string_above_max_length", "max_tokens_per_request", "content_filter"}
_TEXT_PARAMS = ("input", "texts", "inputs")
_TEXT_WORDS = ("token", "too long", "too large", "too many", "input", "text", "content", "length", "at most", "policy")
_REQUEST_WORDS = ("input_type", "dimension", "encoding_format", "embedding_types", "unknown parameter")


@dataclass(frozen=True)
class Failure:
    """An HTTP answer other than 2xx, whichever SDK brought it."""

    status: int
    message: str
    code: str = ""
    param: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Place:
    """What errors say about where they happened."""

    space_id: str
    model: str
    credential: Credential

    @property
    def where(self) -> str:
        return f"{self.space_id} at {self.credential.base_url}"

    def scrubbed(self, message: str) -> str:
        """Providers echo what they were sent, the key included."""
        key = self.credential.api_key.get_secret_value()
        text = message.replace(key, "***") if len(key) > 3 and key != "unused" else message
        return text.strip().rstrip(".")[:500] or "without a word"


def refused_by(failure: Failure, place: Place) -> Exception:
    """The error to raise for an HTTP answer that is not 2xx."""
    if failure.code in _QUOTA_CODES or failure.status == 402 or "/ month" in failure.message:
        return _quota(failure, place)
    if failure.status == 404 or failure.code in _NO_MODEL_CODES:
        return _no_model(place)
    if failure.status in (401, 403):
        return _bad_key(failure, place)
    if failure.status in (408, 409, 425, 429) or failure.status >= 500:
        return _may_pass(failure, place)
    if failure.status == 413 or _is_about_texts(failure):
        return Rejected(place.scrubbed(failure.message))
    return BadInput(
        f"the provider refuses the request (HTTP {failure.status}): {place.scrubbed(failure.message)}",
        where=place.where,
        next_action="Compare the model's catalogue entry with the provider's documentation.",
    )


def cause_of(error: Exception) -> Exception | None:
    """What to chain: the vendor's error, but not one about the key, since its text quotes it."""
    return None if getattr(error, "status_code", None) in (401, 403) else error


def unreachable(reason: str, place: Place) -> Retryable:
    """Nothing was sent."""
    return Retryable(
        f"the server cannot be reached: {place.scrubbed(reason)}",
        where=place.where,
        next_action="Check that it runs, and that the address is right.",
    )


def no_answer(reason: str, place: Place) -> MaybeBilled:
    """It was sent, and what became of it is unknown."""
    return MaybeBilled(place.scrubbed(reason), where=place.where, next_action="Try again.")


def bad_address(reason: str, place: Place) -> BadInput:
    return BadInput(
        f"this is no usable address: {place.scrubbed(reason)}",
        where=place.where,
        next_action="Correct base_url in the catalogue entry, or OPENAI_BASE_URL or CO_API_URL.",
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``retry-after-ms`` or ``Retry-After`` (a number or a date); names in lower case."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    said = headers.get("retry-after")
    return _number(said) if _number(said) is not None else _until(said)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _until(text: str | None) -> float | None:
    try:
        return max(0.0, (parsedate_to_datetime(text or "") - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _is_about_texts(failure: Failure) -> bool:
    """Whether the texts are refused, and not the request around them (for which halving would be in vain)."""
    if failure.code in _TEXT_CODES:
        return True
    if failure.param:
        return failure.param.split(".")[0].split("[")[0] in _TEXT_PARAMS
    message = failure.message.lower()
    return any(w in message for w in _TEXT_WORDS) and not any(w in message for w in _REQUEST_WORDS)


def _quota(failure: Failure, place: Place) -> Paused:
    return Paused(
        f"the account's quota is used up (HTTP {failure.status}): {place.scrubbed(failure.message)}",
        where=place.where,
        next_action="Raise it with the provider, then go on with: vecferry unpause.",
    )


def _no_model(place: Place) -> ModelGone:
    return ModelGone(
        f"the provider does not know the model {place.model!r}, or this account may not use it",
        where=place.where,
        next_action="Correct the name in the catalogue, or the address; vecferry models shows what is listed.",
    )


def _bad_key(failure: Failure, place: Place) -> BadInput:
    # The provider's own words are left out: they quote the key.
    return BadInput(
        f"the provider refuses the API key (HTTP {failure.status})",
        where=place.where,
        next_action=f"Put a valid key into {place.credential.key_name}.",
    )


def _may_pass(failure: Failure, place: Place) -> Retryable:
    what = "the provider limits the rate" if failure.status == 429 else "the provider fails"
    wait = "" if failure.retry_after_s is None else f" and asks to wait {failure.retry_after_s:g} s"
    return Retryable(
        f"{what} (HTTP {failure.status}){wait}: {place.scrubbed(failure.message)}",
        where=place.where,
        next_action="Try again later.",
        retry_after_s=failure.retry_after_s,
    )
