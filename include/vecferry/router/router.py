"""What applications hold: decides per request which collection *and* model serve it, and writes to both."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

from vecferry.domain.routing import Route
from vecferry.domain.timing import Timings
from vecferry.errors import VecferryError
from vecferry.ports import Clock, Embedders, Ledger, VectorStore
from vecferry.protocol.janitor import Janitor
from vecferry.router.counts import Counts
from vecferry.router.dual_writer import DualWriter
from vecferry.router.membership import Membership
from vecferry.router.reconcile_queue import ReconcileQueue
from vecferry.router.results import Receipt, SearchHits
from vecferry.router.searching import ArmHandle, Searching
from vecferry.router.writing import Item, Writing

_log = logging.getLogger("vecferry.router")
_OBSERVE_S = 1.0
_JANITOR_S = 1.0
_RECONCILERS = 2


class Router:
    """Thread-safe; one a process and pin. ``Router.connect`` makes it from the environment.

    Threads refresh the routing, bring the shadow up to date after writes, and work off what crashed owners left. After a fork
    the child's first call registers anew and starts threads of its own; a child that never calls has no lease. ``close`` (or
    the end of ``with``) finishes what is queued and deregisters.
    """

    @classmethod
    def connect(cls, pin: str, **settings: Any) -> Router:
        """From ``VECFERRY_…`` in the environment or ``.env``; ``settings`` override them. Raises ``NotFound`` for an unknown
        pin, naming those that exist."""
        from vecferry.bootstrap import connect_router  # the only place that chooses adapters

        return connect_router(pin, **settings)

    def __init__(
        self,
        pin: str,
        *,
        ledger: Ledger,
        store: VectorStore,
        embedders: Embedders,
        clock: Clock,
        timings: Timings,
        threads: bool = True,
        counted: bool = True,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.pin = pin
        self._ledger = ledger
        self._store = store
        self._embedders = embedders
        self._clock = clock
        self._timings = timings
        self._with_threads = threads
        self._counted = counted
        self._on_close = on_close
        self._closed = False
        self._forked = False
        self._waking = threading.Lock()
        self._start()
        _alive.add(self)

    # --- reading ----------------------------------------------------------------------------------------------------------

    def search(
        self,
        text: str,
        *,
        key: str,
        limit: int = 10,
        filters: Any = None,
        tenant: str | None = None,
        timeout: float = 10.0,
    ) -> SearchHits:
        """By the pin's search profile. ``key`` (a user or session id) keeps its arm for the whole migration; ``filters`` is the
        Weaviate client's ``Filter``; ``timeout`` in seconds, embedding and fallback included."""
        return self._here()._searching.search(text, key=key, limit=limit, filters=filters, tenant=tenant, timeout_s=timeout)

    def arm(self, key: str, *, tenant: str | None = None, timeout: float = 30.0) -> AbstractContextManager[ArmHandle]:
        """For your own Weaviate queries: ``arm.collection`` and ``arm.embed`` belong together, for ``timeout`` seconds."""
        return self._here()._searching.arm(key, tenant=tenant, timeout_s=timeout)

    def route(self, key: str, *, tenant: str | None = None) -> Route:
        """Where ``key`` would be served now, and why; no I/O."""
        return self._here()._searching.served_by(key, tenant)

    def feedback(self, query_id: str, *, useful: bool) -> bool:
        """Whether the answer helped; counted for its arm. ``False`` if the query is no longer known here."""
        return self._here()._searching.feedback(query_id, useful=useful)

    # --- writing ----------------------------------------------------------------------------------------------------------

    def put(
        self,
        uuid: str,
        properties: Mapping[str, Any],
        *,
        vector: Sequence[float] | None = None,
        tenant: str | None = None,
        timeout: float = 10.0,
    ) -> Receipt:
        """Replaces or creates. The text is embedded unless you bring the live model's ``vector``; the text is needed anyway.

        Raises ``BadInput``, ``NotWritten`` (it did not happen and will not) or ``UnknownOutcome`` (it may have, or may yet).
        """
        return self._here()._anew(lambda: self._writing.put(uuid, properties, vector=vector, tenant=tenant, timeout_s=timeout))

    def put_many(self, items: Iterable[Item], *, tenant: str | None = None, timeout: float = 30.0) -> Receipt:
        """``(uuid, properties)`` pairs; the receipt says which are acknowledged, refused and unknown."""
        given = list(items)
        return self._here()._anew(lambda: self._writing.put_many(given, tenant=tenant, timeout_s=timeout))

    def update(self, uuid: str, properties: Mapping[str, Any], *, tenant: str | None = None, timeout: float = 10.0) -> Receipt:
        """Merges into an object; raises ``NotFound`` if it does not exist."""
        return self._here()._anew(lambda: self._writing.update(uuid, properties, tenant=tenant, timeout_s=timeout))

    def delete(self, uuid: str, *, tenant: str | None = None, timeout: float = 10.0) -> Receipt:
        """Deleting what does not exist succeeds."""
        return self._here()._anew(lambda: self._writing.delete(uuid, tenant=tenant, timeout_s=timeout))

    def delete_many(self, uuids: Iterable[str], *, tenant: str | None = None, timeout: float = 30.0) -> Receipt:
        given = list(uuids)
        return self._here()._anew(lambda: self._writing.delete_many(given, tenant=tenant, timeout_s=timeout))

    def change(self, uuids: Iterable[str], *, tenant: str | None = None, timeout: float = 30.0) -> AbstractContextManager[Any]:
        """Any native write to these keys: yields the live collection's native handle; on leaving the block, texts that
        changed are embedded again and the shadow follows."""
        return self._here()._writing.change(list(uuids), tenant=tenant, timeout_s=timeout)

    # --- life -------------------------------------------------------------------------------------------------------------

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until the shadow has followed all writes of this router; ``False`` if ``timeout`` seconds were not enough."""
        return self._here()._queue.wait_idle(timeout)

    def close(self, timeout: float = 10.0) -> None:
        """Finishes the queue (at most ``timeout`` seconds; the janitor does the rest), reports, deregisters. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if not self._forked:  # else all that there is, lease included, is the parent's
            self._leave(timeout)
        if self._on_close:
            self._on_close()

    def _leave(self, timeout: float) -> None:
        self._queue.wait_idle(timeout)
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout)
        with suppress(VecferryError):
            self._observe()
        with suppress(VecferryError):
            self._membership.leave()

    def __enter__(self) -> Router:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def refresh(self) -> bool:
        """One turn of the routing thread: adopts and acknowledges. For applications without threads, and tests."""
        return self._here()._membership.refresh()

    # --- threads ----------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        parts = {"ledger": self._ledger, "store": self._store, "clock": self._clock, "timings": self._timings}
        self._stop = threading.Event()
        self._counts = Counts(self.pin, self._clock)
        self._membership = Membership(self.pin, self._ledger, self._store, self._clock, self._timings)
        self._queue = ReconcileQueue(embedders=self._embedders, **parts)  # type: ignore[arg-type]
        self._dual_writer = DualWriter(
            membership=self._membership,
            ledger=self._ledger,
            queue=self._queue,
            clock=self._clock,
            timings=self._timings,
        )
        self._anew = self._dual_writer.anew_if_rerouted
        self._writing = Writing(
            dual_writer=self._dual_writer,
            store=self._store,
            embedders=self._embedders,
            clock=self._clock,
            timings=self._timings,
        )
        self._searching = Searching(
            membership=self._membership,
            store=self._store,
            embedders=self._embedders,
            counts=self._counts,
            clock=self._clock,
            timings=self._timings,
        )
        self._janitor = Janitor(self.pin, embedders=self._embedders, owner=self._membership.router_id, **parts)  # type: ignore[arg-type]
        self._threads = self._start_threads() if self._with_threads else []

    def _start_threads(self) -> list[threading.Thread]:
        loops: list[Callable[[], None]] = [self._refreshing, self._observing, self._cleaning]
        loops += [self._reconciling] * _RECONCILERS
        threads = [threading.Thread(target=loop, name=f"vecferry{loop.__name__}", daemon=True) for loop in loops]
        for thread in threads:
            thread.start()
        return threads

    def _every(self, seconds: Callable[[], float], turn: Callable[[], Any]) -> None:
        while not self._stop.wait(seconds()):
            try:
                turn()
            except VecferryError as error:
                _log.warning("router %s: %s", self.pin, error)
            except Exception:  # a thread that dies in silence is worse than a noisy log
                _log.exception("router %s", self.pin)

    def _refreshing(self) -> None:
        self._every(lambda: self._membership.poll_s, self._membership.refresh)

    def _observing(self) -> None:
        self._every(lambda: _OBSERVE_S, self._observe)

    def _cleaning(self) -> None:
        self._every(lambda: _JANITOR_S, self._janitor.run_once)

    def _reconciling(self) -> None:
        queue = self._queue
        self._every(lambda: 0.0, lambda: queue.run_once() if queue.wait_for_work(0.5) else None)

    def _observe(self) -> None:
        seen = self._counts.take()
        if not seen or not self._counted:
            return
        try:
            self._ledger.observe(seen, router_id=self._membership.router_id)
        except VecferryError:
            self._counts.give_back(seen)
            raise

    # --- after a fork

    def _here(self) -> Router:
        """This router in this process. Raises as ``__init__`` does where it begins anew in a child."""
        if self._forked:
            with self._waking:
                if self._forked:
                    self._start()
                    self._forked = False
        return self

    def _forget_the_parent(self) -> None:
        """No I/O and no lock: another thread may have held any of them at the fork. What is replaced here is all that the
        parent's threads could hold; the rest is made anew by the first call."""
        self._forked = not self._closed
        self._waking = threading.Lock()


_alive: weakref.WeakSet[Router] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for router in list(_alive):
        router._forget_the_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)
