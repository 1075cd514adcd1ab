"""SIGTERM in the middle of a chunk: no further page is begun, those in flight end and are recorded, then it takes effect."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from vecferry.errors import Retryable


@contextmanager
def ending_at_a_boundary() -> Iterator[Callable[[], None]]:
    """Yields what raises ``Retryable`` once the process has been asked to end. On the way out the signal is sent anew, to
    whoever handled it before. Off the main thread, where no handler can be set, it changes nothing.

    Without it nothing is lost either, as after a kill −9: the rows in flight wait for the janitor, and are paid for again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    asked: list[int] = []

    def refuse() -> None:
        if asked:
            raise Retryable(
                "asked to end in the middle of a chunk", next_action="It goes on from its checkpoint when it is run again."
            )

    before: Any = signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    try:
        yield refuse
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)
        if asked:
            os.kill(os.getpid(), asked[0])
