"""Repeats what may pass, as long as the call's time allows; the SDKs' own retries are off."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from vecferry.adapters.embedders.api import MaybeBilled
from vecferry.adapters.embedders.deadline import Deadline
from vecferry.errors import ModelChanged, Retryable

PAID_ATTEMPTS = 3
"""Attempts that may each have cost money, before somebody should look."""

_backoff = wait_random_exponential(multiplier=0.2, max=8.0)

T = TypeVar("T")


def retried(attempt: Callable[[], T], deadline: Deadline) -> T:
    """Until it succeeds, or the next attempt would begin after the deadline: then the last error is raised at once.

    A Retry-After is waited for as a whole; one longer than the time left is not waited for at all.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(Retryable),
        wait=_wait_s,
        stop=lambda state: _must_stop(state, deadline),
        sleep=deadline.clock.sleep,
        reraise=True,
    )
    return retrying(attempt)


def _wait_s(state: RetryCallState) -> float:
    error = _error_of(state)
    said = error.retry_after_s if isinstance(error, Retryable) else None
    return _backoff(state) if said is None else said


def _must_stop(state: RetryCallState, deadline: Deadline) -> bool:
    paid_in_vain = isinstance(_error_of(state), (MaybeBilled, ModelChanged)) and state.attempt_number >= PAID_ATTEMPTS
    return paid_in_vain or state.upcoming_sleep >= deadline.left_s()


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
