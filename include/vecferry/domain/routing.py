"""Which arm serves a query, decided without I/O from a snapshot."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.spaces import EmbeddingSpace

BUCKETS = 10_000
ROUTER_ID = "router-"
"""How the ids of routers begin, and of nobody else: the ledger knows by it who must have a lease to open a row."""


class Arm(StrEnum):
    LIVE = "live"
    SHADOW = "shadow"


class Mode(StrEnum):
    """What routers do with writes: to live only, to both, hold new ones (the freeze of ``retire``)."""

    LIVE_ONLY = "live_only"
    DUAL = "dual"
    FREEZE = "freeze"


@dataclass(frozen=True)
class Routing:
    """One version of a pin's routing; versions only grow. ``percent`` of the queries go to the shadow.

    ``authority`` is the collection that holds the truth: live until the flip of ``retire``, the former shadow after.
    """

    pin: str
    version: int
    mode: Mode
    percent: int
    authority: str
    migration_id: str | None = None
    reason: str = ""
    published_at: datetime | None = None

    @property
    def seen(self) -> Seen:
        return Seen(self.version, self.published_at)

    def is_the_seen(self, seen: Seen) -> bool:
        """Not another one of that number: after a restore the numbers begin again where the backup ends.

        By a second: of a pin's first version the history and the current row were stored by two readings of one clock.
        """
        if self.published_at is None or seen.published_at is None:
            return self.version == seen.version
        apart_s = abs((self.published_at - seen.published_at).total_seconds())
        return self.version == seen.version and apart_s < 1


@dataclass(frozen=True)
class Seen:
    """A routing version that somebody remembers: a router in its memory, a shadow in its description."""

    version: int
    published_at: datetime | None


@dataclass(frozen=True)
class Snapshot:
    """Pin, routing and migration as of one ledger transaction; ``journal_*`` feed rule 17 (shadow behind)."""

    pin: Pin
    routing: Routing
    migration: Migration | None = None
    journal_rows: int = 0
    oldest_row_age_s: float = 0.0

    @property
    def copying(self) -> bool:
        return self.migration is not None and self.routing.mode is not Mode.LIVE_ONLY


@dataclass(frozen=True)
class Route:
    """Collection and embedder as one unit, the arm, and the reason; ``embedder`` is the space's id."""

    collection: str
    space: EmbeddingSpace
    arm: Arm
    reason: str
    version: int

    @property
    def embedder(self) -> str:
        return self.space.id


def bucket_of(migration_id: str, key: str) -> int:
    """0 … 9,999, sticky for a key within a migration, so that 5 ⊂ 25 ⊂ 100."""
    digest = hashlib.blake2b(key.encode(), key=migration_id.encode()[:64], digest_size=8).digest()
    return int.from_bytes(digest) % BUCKETS


TENANT_STAYS = "tenant_stays"
"""Why a query goes to live: the migration is on trial for other tenants. It is none of the migration's."""


def decide(
    snapshot: Snapshot, key: str, *, tenant: str | None = None, aside: str = "", behind_s: float, behind_rows: int
) -> Route:
    """The route of one query. ``aside`` is why the router takes no part, if it does not (rules 15 and 18): it then reads from
    live. ``behind_*`` are the limits past which the shadow is not served (rule 17)."""
    routing, pin = snapshot.routing, snapshot.pin
    live = Route(pin.collection, pin.space, Arm.LIVE, "no_migration", routing.version)
    migration = snapshot.migration
    if aside:
        return _because(live, aside)
    if migration is None or not snapshot.copying:
        return live
    if not migration.covers(tenant):
        return _because(live, TENANT_STAYS)
    if snapshot.oldest_row_age_s > behind_s or snapshot.journal_rows > behind_rows:
        return _because(live, "shadow_behind")
    if bucket_of(migration.id, key) >= routing.percent * (BUCKETS // 100):
        return _because(live, "percent")
    spec = migration.spec
    return Route(spec.shadow, spec.space, Arm.SHADOW, "percent", routing.version)


_PROVEN = frozenset({Phase.VALIDATED, Phase.SERVING})


def stand_in(snapshot: Snapshot, asked: Route, *, tenant: str | None = None, aside: str = "") -> Route | None:
    """The shadow, for a query of live whose model is dead: where parity and golden set have passed, and nobody went back.

    A router that takes no part (``aside``) may not know of a rollback; of one that is past its lease only, and knows the live
    model to be gone for good, it is known that there was none.
    """
    migration = snapshot.migration
    if migration is None or not snapshot.copying or migration.phase not in _PROVEN or not migration.covers(tenant):
        return None
    if aside and not (aside == "lease_expired" and migration.live_model_gone):
        return None
    return Route(migration.spec.shadow, migration.spec.space, Arm.SHADOW, "live_model_gone", asked.version)


def _because(route: Route, reason: str) -> Route:
    return Route(route.collection, route.space, route.arm, reason, route.version)


@dataclass(frozen=True)
class Lease:
    """A router's registration; times are the ledger database's own clock. ``where`` is host and process for people."""

    router_id: str
    pin: str
    expires_at: datetime
    lease_s: float
    acknowledged_version: int
    protocol_version: int
    where: str = ""
    dismissed_at: datetime | None = None
    """When a person said that the process is dead; the lease ended then, ``expires_at`` stays what the router may believe."""

    @property
    def ends_at(self) -> datetime:
        return self.expires_at if self.dismissed_at is None else min(self.expires_at, self.dismissed_at)


@dataclass(frozen=True)
class Barrier:
    """Whether all routers have left the older routing versions behind; ``waiting_for`` says who has not."""

    waiting: tuple[Lease, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.waiting

    @property
    def waiting_for(self) -> tuple[str, ...]:
        return tuple(f"{one.router_id} ({one.where}) at version {one.acknowledged_version}" for one in self.waiting)


def barrier(leases: list[Lease], version: int, *, now: datetime, quarantine_s: float, by_word: bool = True) -> Barrier:
    """Rules 14 and 15: each router acknowledged ``version``, or its lease ended at least ``quarantine_s`` (Q) ago.

    ``by_word``: a person's dismissal ends a lease. Not so for the flip: were the person wrong, writes that the router had
    acknowledged in the old collection would be lost.
    """
    return Barrier(
        tuple(
            lease
            for lease in leases
            if lease.acknowledged_version < version
            and (now - (lease.ends_at if by_word else lease.expires_at)).total_seconds() < quarantine_s
        )
    )
