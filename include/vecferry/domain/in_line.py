"""An executor without threads: each call is made at once, by whoever asks for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

T = TypeVar("T")


class InLine(Executor):
    """What tests that list every interleaving run the pipeline on, and the least that a process needs.

    ``max_workers`` is taken as the real ones take it. What is no ``Exception`` (a signal, the end of the process) is not kept
    for the caller to find, but raised where it happens.
    """

    def __init__(self, max_workers: int = 1) -> None:
        self.max_workers = max_workers

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
