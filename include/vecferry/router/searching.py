"""The read half of a Router: one arm, one embedding, and live whenever the shadow cannot."""

from __future__ import annotations

import uuid as uuids
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vecferry.domain.objects import STAMPS, Vector
from vecferry.domain.pins import Pin
from vecferry.domain.routing import TENANT_STAYS, Arm, Route, Snapshot, decide, stand_in
from vecferry.domain.timing import Timings
from vecferry.errors import BadInput, ModelGone, Retryable, VecferryError
from vecferry.ports import Clock, Embedders, SearchQuery, VectorStore
from vecferry.router.breaker import Breaker
from vecferry.router.counts import Counts
from vecferry.router.membership import Membership
from vecferry.router.results import Hit, SearchHits

_SHADOW_SHARE = 0.5
"""Of the caller's timeout: what the shadow may use before live is asked, so that the call still ends in time."""
_MOVED = "moved_while_expired"
_REMEMBERED = 10_000
"""Queries whose feedback can still be matched to their arm."""


@dataclass(frozen=True)
class _Question:
    """What the user asked, whichever arm answers."""

    text: str
    limit: int
    filters: Any
    tenant: str | None


class ArmHandle:
    """One arm for an application's own queries: the vendor client's collection, and the embedder that belongs to it."""

    def __init__(self, route: Route, collection: Any, embed: Any, expires_at: float, clock: Clock) -> None:
        self.route = route
        self._collection = collection
        self._embed = embed
        self._expires_at = expires_at
        self._clock = clock

    @property
    def collection(self) -> Any:
        self._refuse_if_expired()
        return self._collection

    def embed(self, text: str) -> list[float]:
        self._refuse_if_expired()
        return list(self._embed(text))

    def _refuse_if_expired(self) -> None:
        if self._clock.monotonic() > self._expires_at:
            raise BadInput(
                "this arm has expired; routing may have moved on",
                where=self.route.collection,
                next_action="Open router.arm(key) anew for each request.",
            )


class Searching:
    """Decides the route without I/O, embeds with that arm's model, searches that arm's collection."""

    def __init__(
        self,
        *,
        membership: Membership,
        store: VectorStore,
        embedders: Embedders,
        counts: Counts,
        clock: Clock,
        timings: Timings,
    ) -> None:
        self._membership = membership
        self._store = store
        self._embedders = embedders
        self._counts = counts
        self._clock = clock
        self._timings = timings
        self._breaker = Breaker(clock)
        self._arms_of: OrderedDict[str, tuple[int, Arm]] = OrderedDict()

    def route(self, key: str, tenant: str | None) -> tuple[Snapshot, Route]:
        """The route of ``key`` now; no I/O."""
        snapshot = self._membership.snapshot
        route = decide(
            snapshot,
            key,
            tenant=tenant,
            aside=self._membership.aside,
            behind_s=self._timings.behind_s,
            behind_rows=self._timings.behind_rows,
        )
        if route.arm is Arm.SHADOW and not self._breaker.allows():
            return snapshot, _live(snapshot, "shadow_failing")
        return snapshot, route

    def served_by(self, key: str, tenant: str | None) -> Route:
        """As ``route``, and what stands in for live where its model is gone."""
        return self._in_its_stead(*self.route(key, tenant), tenant)

    def search(self, text: str, *, key: str, limit: int, filters: Any, tenant: str | None, timeout_s: float) -> SearchHits:
        if not text.strip():
            raise BadInput("the query is empty", where="search", next_action="Give some text.")
        snapshot, asked = self._standing_route(key, tenant)
        question = _Question(text, limit, filters, tenant)
        started = self._clock.monotonic()
        try:
            found, route = self._answer(snapshot, asked, question, timeout_s)
        except VecferryError:
            self._counts.failed(_counted_under(asked), asked.arm)
            raise
        latency_ms = (self._clock.monotonic() - started) * 1000
        served = route.arm is asked.arm
        self._counts.answered(_counted_under(asked), asked.arm, served=served, hits=len(found), latency_ms=latency_ms)
        return SearchHits(tuple(found), route, self._remember(route), latency_ms)

    @contextmanager
    def arm(self, key: str, *, tenant: str | None, timeout_s: float) -> Iterator[ArmHandle]:
        """The application's own queries on one arm. A failure on the shadow counts, and rests it for everybody's sake."""
        snapshot, route = self._standing_route(key, tenant)
        route = self._in_its_stead(snapshot, route, tenant)
        embedder = self._embedder(snapshot, route)
        started = self._clock.monotonic()
        handle = ArmHandle(
            route,
            self._store.native(route.collection, tenant=tenant),
            lambda text: embedder.embed_query(text, timeout_s=timeout_s),
            started + timeout_s,
            self._clock,
        )
        try:
            yield handle
        except Exception:
            self._counts.failed(_counted_under(route), route.arm)
            if route.arm is Arm.SHADOW:
                self._breaker.failed()
            raise
        latency_ms = (self._clock.monotonic() - started) * 1000
        self._counts.answered(_counted_under(route), route.arm, served=True, hits=1, latency_ms=latency_ms)
        if route.arm is Arm.SHADOW:
            self._breaker.succeeded()

    def feedback(self, query_id: str, *, useful: bool) -> bool:
        """``False`` if the query is not remembered any more (or was another process's)."""
        known = self._arms_of.pop(query_id, None)
        if known is None:
            return False
        version, arm = known
        self._counts.judged(version, arm, useful=useful)
        return True

    def _standing_route(self, key: str, tenant: str | None) -> tuple[Snapshot, Route]:
        """The route, once the collection itself was asked whether it still holds the data, where nobody else can tell.

        Retire, step 5. A router past its lease that knows the migration follows it to the new collection, from which nothing
        leads back; one that does not know the new model refuses.
        """
        snapshot, route = self.route(key, tenant)
        if route.reason not in ("lease_expired", "ledger_restored"):
            return snapshot, route
        gone = self._membership.signposts.moved(route.collection)
        if gone is None:
            return snapshot, route
        migration = snapshot.migration
        if migration is None or (migration.id, migration.spec.shadow) != (gone.migration_id, gone.collection):
            raise Retryable(
                f"{route.collection} is the old collection: its data moved to {gone.collection} while this router was cut off "
                "from the ledger",
                where=snapshot.pin.name,
                next_action="It serves again as soon as it reaches the ledger; check VECFERRY_LEDGER_URL and the database.",
            )
        return snapshot, Route(gone.collection, migration.spec.space, Arm.SHADOW, _MOVED, route.version)

    def _answer(self, snapshot: Snapshot, asked: Route, question: _Question, timeout_s: float) -> tuple[list[Hit], Route]:
        if asked.arm is Arm.LIVE:
            return self._live_or_stand_in(snapshot, asked, question, timeout_s)
        if asked.reason == _MOVED:
            return self._ask(snapshot, asked, question, timeout_s), asked
        return self._shadow_or_live(snapshot, asked, question, timeout_s)

    def _in_its_stead(self, snapshot: Snapshot, route: Route, tenant: str | None) -> Route:
        """The shadow for live, where live's model is declared gone."""
        gone = route.arm is Arm.LIVE and snapshot.migration is not None and snapshot.migration.live_model_gone
        return (stand_in(snapshot, route, tenant=tenant, aside=self._membership.aside) if gone else None) or route

    def _live_or_stand_in(
        self, snapshot: Snapshot, asked: Route, question: _Question, timeout_s: float
    ) -> tuple[list[Hit], Route]:
        """Live's model may be dead, declared or not: then the shadow answers, once it is proven as good."""
        deadline = self._clock.monotonic() + timeout_s
        route = self._in_its_stead(snapshot, asked, question.tenant)
        try:
            return self._ask(snapshot, route, question, timeout_s), route
        except ModelGone as error:
            instead = stand_in(snapshot, asked, tenant=question.tenant, aside=self._membership.aside)
            if asked.reason == TENANT_STAYS:
                raise
            if route is not asked or instead is None:
                raise _model_gone(snapshot, error) from error
            return self._ask(snapshot, instead, question, deadline - self._clock.monotonic()), instead

    def _shadow_or_live(
        self, snapshot: Snapshot, asked: Route, question: _Question, timeout_s: float
    ) -> tuple[list[Hit], Route]:
        """A failing shadow, or one slower than its share of the timeout, never fails a user.

        Whatever it was, a defect of ours too: live decides. Where live refuses the same question, the question was at fault.
        """
        deadline = self._clock.monotonic() + timeout_s
        try:
            found = self._ask(snapshot, asked, question, timeout_s * _SHADOW_SHARE)
        except Exception as error:
            live = _live(snapshot, f"shadow_failed: {type(error).__name__}")
            try:
                found = self._ask(snapshot, live, question, deadline - self._clock.monotonic())
            except ModelGone:  # what failed first is what there is to mend
                self._breaker.failed()
                raise Retryable(
                    f"the shadow failed ({error}), and the live model is gone", where=asked.collection, next_action="Try again."
                ) from error
            self._breaker.failed()
            return found, live
        self._breaker.succeeded()
        return found, asked

    def _ask(self, snapshot: Snapshot, route: Route, question: _Question, timeout_s: float) -> list[Hit]:
        deadline = self._clock.monotonic() + timeout_s
        vector: Vector = self._embedder(snapshot, route).embed_query(question.text, timeout_s=timeout_s)
        left_s = deadline - self._clock.monotonic()
        if left_s <= 0:
            raise Retryable("embedding the query took too long", where=route.embedder)
        query = SearchQuery(
            question.text,
            vector,
            snapshot.pin.profile,
            _vector_name(snapshot, route),
            limit=question.limit,
            filters=question.filters,
            tenant=question.tenant,
        )
        hits = self._store.search(route.collection, query, timeout_s=left_s)
        return [Hit(hit.uuid, hit.score, _without_stamps(hit.properties)) for hit in hits]

    def _embedder(self, snapshot: Snapshot, route: Route) -> Any:
        migration = snapshot.migration if route.arm is Arm.SHADOW else None
        return self._embedders.of(route.space, pin=snapshot.pin, migration_id=migration.id if migration else None)

    def _remember(self, route: Route) -> str:
        query_id = uuids.uuid4().hex
        self._arms_of[query_id] = (_counted_under(route), route.arm)
        if len(self._arms_of) > _REMEMBERED:
            self._arms_of.popitem(last=False)
        return query_id


def _counted_under(route: Route) -> int:
    """Of a tenant that does not move nothing is told of the migration: it is counted under no version, for live's p99 alone."""
    return 0 if route.reason == TENANT_STAYS else route.version


def _live(snapshot: Snapshot, reason: str) -> Route:
    pin: Pin = snapshot.pin
    return Route(pin.collection, pin.space, Arm.LIVE, reason, snapshot.routing.version)


def _model_gone(snapshot: Snapshot, error: ModelGone) -> ModelGone:
    migration = snapshot.migration
    if migration is None:
        return error
    return ModelGone(
        error.what,
        where=error.where,
        next_action=f"{migration.spec.space.id} answers once it is validated and nobody has gone back; this migration is "
        f"{migration.phase.replace('_', ' ')}. vecferry status {migration.pin} shows what comes next.",
    )


def _vector_name(snapshot: Snapshot, route: Route) -> str:
    if route.arm is Arm.SHADOW and snapshot.migration is not None:
        return snapshot.migration.spec.vector_name
    return snapshot.pin.vector_name


def _without_stamps(properties: Any) -> dict[str, Any]:
    return {k: v for k, v in properties.items() if k not in STAMPS}
