"""What each class of error means for a task: try again, wait, or fail for a person to read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException

from vecferry.errors import NotWritten, NotYet, Paused, Retryable, UnknownOutcome, VecferryError

if TYPE_CHECKING:
    from airflow.sdk import Context

_log = logging.getLogger(__name__)
PAUSE_POLL_S = 60.0
"""How often a paused task looks whether somebody said go on."""


class TryAgain(AirflowException):
    """Retries apply; ``retry_after_s`` is the provider's own word, which is kept whole."""

    def __init__(self, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class AsTold(RetryPolicy):
    """The wait that the other side asked for, else the task's own."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        wait_s = getattr(exception, "retry_after_s", None)
        return RetryDecision.default() if wait_s is None else RetryDecision.retry(delay=timedelta(seconds=wait_s))

    def serialize(self) -> dict[str, Any]:
        return {}


@contextmanager
def told_to_airflow() -> Iterator[None]:
    """The error's text is what people see first, so it comes without our own chain; that is logged before it."""
    try:
        yield
    except VecferryError as error:
        if error.__cause__ is not None:
            _log.info("caused by %r", error.__cause__)
        raise _for_airflow(error) from None


def _for_airflow(error: VecferryError) -> AirflowException:
    if isinstance(error, Paused):
        # A pause may last a weekend: it must use up no retries and hold no worker, so the task is put off, not failed.
        _log.warning("%s (looked at again in %.0f s)", error, PAUSE_POLL_S)
        return put_off(PAUSE_POLL_S)
    if isinstance(error, NotYet) and error.retry_after_s is not None:
        _log.warning("%s (in %.0f s)", error, error.retry_after_s)
        return put_off(error.retry_after_s)
    if isinstance(error, Retryable | NotWritten | UnknownOutcome):  # acts may be run again whatever happened
        return TryAgain(str(error), getattr(error, "retry_after_s", None))
    return AirflowFailException(str(error))


def put_off(seconds: float) -> AirflowRescheduleException:
    return AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=seconds))  # type: ignore[no-untyped-call]
