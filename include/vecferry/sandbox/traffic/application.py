"""All threads of the application, and how it obeys: run, pause its writes, stop."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from vecferry.router import Router
from vecferry.sandbox.traffic.control import Control, Wish
from vecferry.sandbox.traffic.history import History
from vecferry.sandbox.traffic.pace import Pace
from vecferry.sandbox.traffic.searcher import search_on
from vecferry.sandbox.traffic.writer import Writer

_POLL_S = 0.1
_FLUSH_S = 30.0


@dataclass(frozen=True)
class Load:
    """Rates are per second, for all threads together."""

    queries_per_s: float = 30.0
    writes_per_s: float = 4.0
    searchers: int = 4
    seed: int = 1


class Application:
    def __init__(
        self,
        router: Router,
        history: History,
        control: Control,
        *,
        queries: Sequence[str],
        parts: Sequence[Mapping[str, Mapping[str, Any]]],
        text: str,
        load: Load,
    ) -> None:
        self._router = router
        self._history = history
        self._control = control
        self._writers = [Writer(router, history, own, text, random.Random(f"{load.seed} w{i}")) for i, own in enumerate(parts)]
        self._queries = queries
        self._load = load
        self._wish = Wish.RUN
        self._writing = threading.Semaphore(len(parts))
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Until somebody wishes it to stop. An error that is no answer of the Router's ends it, and is raised."""
        threads = [threading.Thread(target=self._guarded, args=(loop,), daemon=True) for loop in self._loops()]
        for thread in threads:
            thread.start()
        while self._wish is not Wish.STOP and self._failure is None:
            self._obey(self._control.wish())
            time.sleep(_POLL_S)
        self._wish = Wish.STOP
        for thread in threads:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def _loops(self) -> list[Callable[[], None]]:
        queries, writes = Pace(self._load.queries_per_s), Pace(self._load.writes_per_s)
        searching = [
            partial(self._search_on, queries, random.Random(f"{self._load.seed} s{i}")) for i in range(self._load.searchers)
        ]
        return [*searching, *(partial(self._write_on, writer, writes) for writer in self._writers)]

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:  # a thread that dies in silence would look like an application at rest
            self._failure = error

    def _goes_on(self) -> bool:
        return self._wish is not Wish.STOP

    def _search_on(self, pace: Pace, rng: random.Random) -> None:
        search_on(self._router, self._history, self._queries, pace, rng, self._goes_on)

    def _write_on(self, writer: Writer, pace: Pace) -> None:
        while self._goes_on():
            pace.wait_turn()
            with self._writing:
                if self._wish is Wish.RUN:
                    writer.write_once()

    def _obey(self, wish: Wish) -> None:
        if wish is Wish.PAUSE_WRITES and self._wish is Wish.RUN:
            self._wish = wish
            self._wait_for_writers()
        elif wish is not self._wish:
            self._wish = wish
        history = self._history
        self._control.report(
            does=self._wish.value,
            queries=history.queries,
            queries_failed=history.queries_failed,
            writes=history.writes,
            writes_unknown=history.writes_unknown,
            recent_arms=history.recent_arms(),
        )

    def _wait_for_writers(self) -> None:
        """Until no write is under way and the shadow has followed the last one."""
        for _ in self._writers:
            self._writing.acquire()
        for _ in self._writers:
            self._writing.release()
        self._router.flush(_FLUSH_S)
