"""``FakeRouter``: the real Router over the shipped fakes, with a made-up migration, so that a test may choose the arm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

from vecferry.adapters.memory.clock import ManualClock
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.domain.pins import SearchProfile
from vecferry.domain.timing import Timings
from vecferry.errors import BadInput, VecferryError
from vecferry.router.results import Receipt, SearchHits
from vecferry.router.router import Router
from vecferry.router.writing import Item
from vecferry.testing import forced_failures, made_up_migration
from vecferry.testing.records import SearchRecord, WriteRecord

Documents = Mapping[str, Mapping[str, Any]] | Iterable[Item]
Matches = Callable[[Any, Mapping[str, Any]], bool]
_A_READ = 500


class FakeRouter(Router):
    """Every public method of ``Router``, with its results and errors; no server, no threads, nothing to clean up.

    ``documents`` (uuid → properties, or pairs) are in both arms from the start, and in each of ``tenants``. ``text`` names the
    properties that are embedded; searches find what shares words with the query, best first. ``percent`` of the keys are
    served by the shadow, unless ``force_arm`` says otherwise. ``matches(filters, properties)`` reads the filters of your
    application; without it a filter is a callable over the properties, or a mapping of equal values.

    The shadow follows each write before it returns. Time stands still: ``clock.advance(seconds)`` moves it. The native handles
    of ``arm`` and ``change`` stand for a vendor's client that is not there: they give ``store``, ``collection``, ``tenant``.
    """

    def __init__(
        self,
        documents: Documents = (),
        *,
        pin: str = "Docs",
        text: Sequence[str] = ("text",),
        tenants: Sequence[str] = (),
        percent: int = 0,
        profile: SearchProfile | None = None,
        matches: Matches | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.writes: list[WriteRecord] = []
        self.searches: list[SearchRecord] = []
        self._percent = percent
        self._matches = matches
        described = made_up_migration.pin_named(pin, text, profile or SearchProfile())
        spec = made_up_migration.spec_of(described)
        self._forced = forced_failures.ForcedFailures(spec.live)
        store = made_up_migration.OpenStore(before=self._forced.before_store)
        ledger = MemoryLedger(self.clock)
        embedders = made_up_migration.make_embedders()
        embedders[spec.space.id].before = self._forced.before_shadow_embedder
        made_up_migration.make_collections(store, spec, tenants)
        self._migration = made_up_migration.serve(ledger, described, spec, percent)
        self._fake_ledger = ledger
        super().__init__(
            pin,
            ledger=ledger,
            store=store,
            embedders=embedders,
            clock=self.clock,
            timings=Timings(),
            threads=False,
            counted=False,
        )
        self._fill(documents, tenants)

    @classmethod
    def connect(cls, pin: str, **settings: Any) -> FakeRouter:
        """For ``monkeypatch.setattr(vecferry.Router, "connect", FakeRouter.connect)``: empty, whatever the environment says."""
        return cls(pin=pin)

    # --- what a test decides

    def force_arm(self, arm: Literal["live", "shadow"] | None) -> None:
        """All keys from here on; ``None``: by ``percent`` again."""
        if arm not in ("live", "shadow", None):
            raise BadInput(f"there is no arm {arm!r}", where="force_arm", next_action="Say live, shadow or None.")
        percent = {"live": 0, "shadow": 100, None: self._percent}[arm]
        self._migration = made_up_migration.set_percent(self._fake_ledger, self._migration, percent)
        self.refresh()

    def force_fallback(self) -> None:
        """The next query on the shadow fails there, and live answers; a query that live serves anyway does not use it up."""
        self._forced.next_shadow_query()

    def force_unknown_outcome(self, *, landed: bool = False) -> None:
        """The next write raises ``UnknownOutcome``; ``landed`` says whether live has it all the same."""
        self._forced.next_write(forced_failures.unknown_outcome(), landed=landed)

    def force_not_written(self) -> None:
        """The next write raises ``NotWritten``."""
        self._forced.next_write(forced_failures.not_written())

    # --- the Router's methods, recorded

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
        answer = None
        try:
            given = self._readable(filters)
            answer = super().search(text, key=key, limit=limit, filters=given, tenant=tenant, timeout=timeout)
            return answer
        finally:
            self.searches.append(SearchRecord(text, key, limit, filters, tenant, answer))

    def put(
        self,
        uuid: str,
        properties: Mapping[str, Any],
        *,
        vector: Sequence[float] | None = None,
        tenant: str | None = None,
        timeout: float = 10.0,
    ) -> Receipt:
        with self._recorded("put", {uuid: properties}, tenant):
            return super().put(uuid, properties, vector=vector, tenant=tenant, timeout=timeout)

    def put_many(self, items: Iterable[Item], *, tenant: str | None = None, timeout: float = 30.0) -> Receipt:
        given = list(items)
        with self._recorded("put_many", dict(given), tenant):
            return super().put_many(given, tenant=tenant, timeout=timeout)

    def update(self, uuid: str, properties: Mapping[str, Any], *, tenant: str | None = None, timeout: float = 10.0) -> Receipt:
        with self._recorded("update", {uuid: properties}, tenant):
            return super().update(uuid, properties, tenant=tenant, timeout=timeout)

    def delete(self, uuid: str, *, tenant: str | None = None, timeout: float = 10.0) -> Receipt:
        with self._recorded("delete", [uuid], tenant):
            return super().delete(uuid, tenant=tenant, timeout=timeout)

    def delete_many(self, uuids: Iterable[str], *, tenant: str | None = None, timeout: float = 30.0) -> Receipt:
        given = list(uuids)
        with self._recorded("delete_many", given, tenant):
            return super().delete_many(given, tenant=tenant, timeout=timeout)

    def change(self, uuids: Iterable[str], *, tenant: str | None = None, timeout: float = 30.0) -> AbstractContextManager[Any]:
        given = list(uuids)
        return self._changing(given, tenant, super().change(given, tenant=tenant, timeout=timeout))

    def flush(self, timeout: float = 10.0) -> bool:
        self._follow()
        return super().flush(timeout)

    def close(self, timeout: float = 10.0) -> None:
        self._follow()
        super().close(timeout)

    def __enter__(self) -> FakeRouter:
        return self

    # --- how

    def _fill(self, documents: Documents, tenants: Sequence[str]) -> None:
        items = list(documents.items() if isinstance(documents, Mapping) else documents)
        places: list[str | None] = [*tenants] or [None]
        for tenant in places:
            for start in range(0, len(items), _A_READ):
                self.put_many(items[start : start + _A_READ], tenant=tenant)
        self.writes.clear()

    @contextmanager
    def _recorded(
        self, method: str, given: Mapping[str, Mapping[str, Any]] | Sequence[str], tenant: str | None
    ) -> Iterator[None]:
        error = ""
        try:
            yield
        except VecferryError as raised:
            error = type(raised).__name__
            raise
        finally:
            items = dict(given) if isinstance(given, Mapping) else {}
            self.writes.append(WriteRecord(method, tuple(given), items, tenant, error))
            self._follow()

    @contextmanager
    def _changing(self, uuids: Sequence[str], tenant: str | None, block: AbstractContextManager[Any]) -> Iterator[Any]:
        with self._recorded("change", uuids, tenant), block as live:
            yield live
            self._forced.raise_for_write()

    def _follow(self) -> None:
        """What the Router's threads do in production."""
        while self._queue.run_once():
            pass

    def _readable(self, filters: Any) -> Any:
        matches = self._matches
        if filters is None or matches is None:
            return self._known(filters)
        return lambda properties: matches(filters, properties)

    @staticmethod
    def _known(filters: Any) -> Any:
        if filters is None or callable(filters) or isinstance(filters, Mapping):
            return filters
        raise BadInput(
            f"a FakeRouter cannot read a {type(filters).__name__}",
            where="filters",
            next_action="Give FakeRouter(matches=lambda filters, properties: …), which decides for one object.",
        )
