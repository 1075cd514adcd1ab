"""What the server's and the transports' failures mean: translated here and nowhere else."""

from __future__ import annotations

import re
from typing import Any

import httpx

from vecferry.errors import BadInput, NotFound, NotWritten, Retryable, UnknownOutcome, VecferryError

_NO_COLLECTION = re.compile(
    r"could not find class|not present in schema|non-existing index|class \S+ not found|failed to get class|Cannot query field",
    re.I,
)
_INVALID = re.compile(
    r"no such prop|invalid \S+( array)? property|multi-tenancy|tenant not (found|active)|vector lengths|vector dimensions|"
    r"vector with length|does not have|must be of type|unknown primitive data type|not configured|"
    r"could not find (property|target vector)|target vector|invalid cref",
    re.I,
)
_NO_ACCESS = re.compile(r"unauthori[sz]ed|forbidden|invalid api key", re.I)
_READ_ONLY = re.compile(r'(^|local object: shard="[^"]*": )store is read-only')
"""Refused at the shard's door. A shard that turns read-only (disk threshold) in the middle of a write has stored the object
and fails at its index ("update property-specific indices: store is read-only"): that was written, whatever it says."""
_BEGUN = re.compile(r"insert to vector index")
"""The object is stored by then."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

_NEVER_SENT = re.compile(r"failed to connect to all addresses", re.I)
"""gRPC's words for a channel without a connection; a connection that broke says something else."""

_ANSWER_TOO_LARGE = "trying to send message larger than max"
_MESSAGE_TOO_LARGE = "received message larger than max"
"""gRPC's words, the server's both: of the first the call was done, of the second nothing was read. Weaviate's limit is 100 MB
(``grpcMaxMessageSize`` in /v1/meta)."""

_SEE_KEY = "Check VECFERRY_WEAVIATE_API_KEY and the key's permissions on this collection."
_SEE_OBJECT = "Correct the request; it fails the same way each time."


class AnswerTooLarge(Retryable):
    """More than one message of the server may hold: in parts it is answered."""


class MessageTooLarge(NotWritten):
    """More than the server takes in one message. Refused at the door, before anything of it was read."""


def message_of(response: httpx.Response) -> str:
    """The server's own words; never the request, which may hold secrets."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:500] or response.reason_phrase
    if isinstance(body, dict):
        found = body.get("error") or body.get("errors") or body.get("message") or body
        if isinstance(found, list):
            found = "; ".join(str(item.get("message", item)) if isinstance(item, dict) else str(item) for item in found)
        return str(found)[:500]
    return str(body)[:500]


def is_missing_collection(message: str) -> bool:
    return bool(_NO_COLLECTION.search(message))


def definite(message: str, *, where: str) -> VecferryError | None:
    """The error for a message that leaves no doubt (nothing was written, nothing will be), or ``None``."""
    if is_missing_collection(message):
        return NotFound(message, where=where, next_action="See the collections that exist.")
    if _BEGUN.search(message):
        return None
    if _READ_ONLY.search(message):
        return NotWritten(message, where=where, next_action="Free disk space, or set the shard READY.")
    if _INVALID.search(message):
        return BadInput(message, where=where, next_action=_SEE_OBJECT)
    return None


def read_failed(error: httpx.HTTPError, *, where: str, address: str) -> Retryable:
    if isinstance(error, _NOT_SENT):
        return Retryable(
            f"Weaviate cannot be reached at {address}",
            where=where,
            next_action="Start it, or correct VECFERRY_WEAVIATE_URL (in Airflow: the Connection vecferry_weaviate).",
        )
    return Retryable(f"Weaviate at {address} did not answer ({type(error).__name__})", where=where, next_action="Try again.")


def read_refused(response: httpx.Response, *, where: str) -> VecferryError:
    message = message_of(response)
    if response.status_code in (401, 403):
        return BadInput(message, where=where, next_action=_SEE_KEY)
    if response.status_code >= 500 or response.status_code in (408, 429):
        return definite(message, where=where) or Retryable(message, where=where, next_action="Try again.")
    if response.status_code == 404:
        return NotFound(message, where=where, next_action="See the collections that exist.")
    return BadInput(message, where=where, next_action=_SEE_OBJECT)


def write_failed(error: httpx.HTTPError, *, where: str, address: str) -> VecferryError:
    """Only what failed before anything was sent is certain."""
    if isinstance(error, _NOT_SENT):
        return NotWritten(f"no connection to Weaviate at {address}", where=where, next_action="Try again.")
    return unknown(f"no answer ({type(error).__name__})", where=where)


def write_refused(response: httpx.Response, *, where: str) -> VecferryError:
    message = message_of(response)
    if response.status_code in (401, 403):
        return BadInput(message, where=where, next_action=_SEE_KEY)
    if response.status_code == 429:
        return NotWritten(message, where=where, next_action="Try again later.")
    if response.status_code >= 500 or response.status_code == 408:
        return definite(message, where=where) or unknown(message, where=where)
    return definite(message, where=where) or BadInput(message, where=where, next_action=_SEE_OBJECT)


def unknown(message: str, *, where: str) -> UnknownOutcome:
    return UnknownOutcome(message, where=where, next_action="Read it back before deciding; it may still take effect.")


def grpc_failed(error: Any, *, where: str) -> VecferryError:
    """For reads: Weaviate answers nearly everything with UNKNOWN and a text."""
    code, message = error.code().name, error.details() or error.code().name
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED") or _NO_ACCESS.search(message):
        return BadInput(message, where=where, next_action=_SEE_KEY)
    if code == "INVALID_ARGUMENT":
        return definite(message, where=where) or BadInput(message, where=where, next_action=_SEE_OBJECT)
    if code == "RESOURCE_EXHAUSTED" and _ANSWER_TOO_LARGE in message:
        return AnswerTooLarge(message, where=where, next_action="Ask for fewer objects at once.")
    found = definite(message, where=where) if code == "UNKNOWN" else None
    return found or Retryable(f"{code}: {message}", where=where, next_action="Try again.")


def grpc_write_failed(error: Any, *, where: str) -> VecferryError:
    """Only a refusal at the door, a message that leaves no doubt, and a channel without a connection are certain."""
    code, message = error.code().name, error.details() or error.code().name
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED") or _NO_ACCESS.search(message):
        return BadInput(message, where=where, next_action=_SEE_KEY)
    if code == "UNAVAILABLE" and _NEVER_SENT.search(message):
        return NotWritten("no connection to Weaviate's gRPC port", where=where, next_action="Try again.")
    if code == "RESOURCE_EXHAUSTED" and _MESSAGE_TOO_LARGE in message:
        return MessageTooLarge(message, where=where, next_action="Send fewer objects at once.")
    found = definite(message, where=where) if code in ("UNKNOWN", "INVALID_ARGUMENT") else None
    return found or unknown(f"{code}: {message}", where=where)
