"""Pages in flight: the next is read while some are embedded, written and verified; recorded in the order of reading."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from typing import Generic, TypeVar

Page = TypeVar("Page")
Done = TypeVar("Done")


class Pipeline(Generic[Page, Done]):
    """At most ``most`` pages are in flight, and one more has been read: that is all that it holds, whatever there is to copy.

    ``copy`` runs on ``executor`` and returns when its page is confirmed; ``record`` runs on the caller's thread, for the first
    page not recorded yet, so that what is recorded is an unbroken row of confirmed pages.
    """

    def __init__(
        self, executor: Executor, most: int, *, copy: Callable[[Page], Done], record: Callable[[Page, Done], None]
    ) -> None:
        self._executor = executor
        self._most = most
        self._copy = copy
        self._record = record
        self._flying: deque[tuple[Page, Future[Done]]] = deque()

    def run(self, pages: Iterable[Page]) -> None:
        """Raises what stopped it, of reading, copying or recording, when those before it have been recorded. Those behind it
        end on their own; closing the executor waits for them."""
        try:
            for page in pages:
                while len(self._flying) >= self._most:
                    self._record_first()
                self._flying.append((page, self._executor.submit(self._copy, page)))
                while self._flying and self._flying[0][1].done():
                    self._record_first()
            while self._flying:
                self._record_first()
        except BaseException:
            self._land()
            raise

    def _record_first(self) -> None:
        """Waits for it. What fails stays the first: nothing behind it may be recorded."""
        page, future = self._flying[0]
        done = future.result()
        try:
            self._record(page, done)
        except BaseException:
            self._flying.clear()  # it may have been recorded: not a second time, and nothing behind it
            raise
        self._flying.popleft()

    def _land(self) -> None:
        """Nothing new is begun, and nothing that was confirmed before the failure is lost."""
        try:
            while self._flying:
                self._record_first()
        except Exception:
            return  # the first of them, or the one that is being raised, says why
