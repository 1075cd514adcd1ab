"""What the vendors' SDKs share: they send through httpx or through httpx2, which names everything alike, and raise when they
get no answer. ``http`` is the module that an SDK sends through."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from vecferry.adapters.embedders.translating import Place, bad_address, cause_of, no_answer, unreachable

T = TypeVar("T")


def answered(ask: Callable[[], T], translated: Callable[[Exception, Place], Exception], place: Place) -> T:
    """What ``ask`` returns; what it raises, as one of our errors."""
    try:
        return ask()
    except Exception as error:
        failure, cause = translated(error, place), cause_of(error)
    # Outside of the except block, where Python would chain an error that quotes the key.
    raise failure from cause


def timeout_within(timeout_s: float, http: ModuleType) -> Any:
    """Connecting may take half of the time, so that connecting and answering together stay near it."""
    return http.Timeout(timeout_s, connect=timeout_s / 2, pool=timeout_s / 2)


def transport_failure(error: BaseException, place: Place, http: ModuleType) -> Exception | None:
    """Our error for one of the transport's own; ``None`` for any other."""
    if isinstance(error, http.UnsupportedProtocol | http.InvalidURL):
        return bad_address(str(error), place)
    if isinstance(error, http.ConnectError | http.ConnectTimeout | http.PoolTimeout):
        return unreachable(str(error) or "no connection in time", place)
    if isinstance(error, http.TimeoutException):
        return no_answer("no answer in time", place)
    if isinstance(error, http.TransportError):
        return no_answer(f"the connection broke before the answer was complete ({error})", place)
    return None
