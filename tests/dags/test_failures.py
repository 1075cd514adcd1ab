"""Each class of error, as Airflow and the reader of its log get it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException

from vecferry.airflow.failures import AsTold, TryAgain, told_to_airflow
from vecferry.errors import (
    BadInput,
    Conflict,
    NeedsPerson,
    NeedsRollback,
    NotFound,
    NotWritten,
    NotYet,
    Paused,
    Retryable,
    UnknownOutcome,
    VecferryError,
)


def _told(error: VecferryError) -> BaseException:
    try:
        with told_to_airflow():
            raise error
    except AirflowException as told:
        return told
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("kind", [BadInput, NotFound, Conflict, NeedsPerson, NeedsRollback])
def test_what_cannot_pass_by_itself_fails_at_once_with_the_text_alone(kind: type[VecferryError]) -> None:
    told = _told(kind("it is empty", where="Docs", next_action="Fill it."))
    assert isinstance(told, AirflowFailException)
    assert str(told) == "Docs: it is empty. Fill it."
    assert told.__suppress_context__


@pytest.mark.parametrize("kind", [Retryable, NotWritten, UnknownOutcome])
def test_what_may_pass_is_tried_again(kind: type[VecferryError]) -> None:
    told = _told(kind("no answer", where="weaviate"))
    assert type(told) is TryAgain
    assert str(told) == "weaviate: no answer"


def test_the_providers_own_wait_is_kept_whole() -> None:
    told = _told(Retryable("429", retry_after_s=3600.0))
    decision = AsTold().evaluate(told, try_number=1, max_tries=4)
    assert decision.retry_delay == timedelta(hours=1)
    assert AsTold().evaluate(TryAgain("timeout"), try_number=1, max_tries=4).retry_delay is None


def test_a_pause_is_waited_for_without_using_up_retries(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"):
        told = _told(Paused("the budget is spent", where="docs-1", next_action="Run: vecferry unpause Docs"))
    assert isinstance(told, AirflowRescheduleException)
    assert "vecferry unpause Docs" in caplog.text


def test_what_ends_by_itself_is_waited_for_without_using_up_retries(caplog: pytest.LogCaptureFixture) -> None:
    """A retire that meets a row of unknown outcome nine times is not a retire that failed."""
    before = datetime.now(UTC)
    with caplog.at_level("WARNING"):
        told = _told(NotYet("retire waits for 1 journal row", where="docs-1", retry_after_s=20.0))
    assert isinstance(told, AirflowRescheduleException)
    assert timedelta(seconds=19) < told.reschedule_date - before < timedelta(seconds=40)
    assert "docs-1: retire waits for 1 journal row" in caplog.text


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), told_to_airflow():
        _ = 1 / 0
