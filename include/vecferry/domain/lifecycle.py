"""Where a migration is, and the moves it may make. Nobody compares phases with ``<``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any

from vecferry.domain.objects import HASH_VERSION, SERVER_TEXT_HASH_VERSION, SOME_TENANTS_HASH_VERSION
from vecferry.domain.shadow import ShadowSpec
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.domain.tenants import covers

PROTOCOL_VERSION = 1
"""What this release speaks. It grows with each release that changes what routers, janitors and copiers must agree on; a new
hash version comes with a new protocol version."""
RELEASES_APART = 1
"""Rule 18: a router of the release before or after the migration's works with it; the ledger's triggers hold the same."""
KNOWN_HASH_VERSIONS = frozenset({HASH_VERSION, SERVER_TEXT_HASH_VERSION, SOME_TENANTS_HASH_VERSION})


LIVE_MODEL_GONE = "live_model_gone"
"""The option that says that the old model answers no more: live takes objects without a vector, and nothing leads back."""


class Phase(StrEnum):
    PLANNED = "planned"
    SHADOW_CREATED = "shadow_created"
    DUAL_WRITING = "dual_writing"
    BACKFILLED = "backfilled"
    VERIFIED = "verified"
    VALIDATED = "validated"
    SERVING = "serving"
    RETIRED = "retired"
    ROLLED_BACK = "rolled_back"
    DISCARDED = "discarded"


FORWARD: tuple[Phase, ...] = (
    Phase.PLANNED,
    Phase.SHADOW_CREATED,
    Phase.DUAL_WRITING,
    Phase.BACKFILLED,
    Phase.VERIFIED,
    Phase.VALIDATED,
    Phase.SERVING,
    Phase.RETIRED,
)
ENDED = frozenset({Phase.RETIRED, Phase.DISCARDED})
UNDONE = frozenset({Phase.ROLLED_BACK, Phase.DISCARDED})

MOVES: frozenset[tuple[Phase, Phase]] = frozenset(
    {
        *pairwise(FORWARD),
        (Phase.SERVING, Phase.SERVING),  # another percent
        (Phase.SERVING, Phase.ROLLED_BACK),
        (Phase.ROLLED_BACK, Phase.SERVING),  # reopen
        *((phase, Phase.DISCARDED) for phase in FORWARD[:6]),
        (Phase.ROLLED_BACK, Phase.DISCARDED),
    }
)
"""The only moves there are; the ledger's constraint and every act read this table."""


@dataclass(frozen=True)
class Migration:
    """One pin moving from its space to another. ``version`` grows with each change (compare-and-set)."""

    id: str
    pin: str
    phase: Phase
    version: int
    spec: ShadowSpec
    from_space: EmbeddingSpace
    percent: int = 0
    attempt: int = 1
    notice_id: str | None = None
    paused: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    protocol_version: int = PROTOCOL_VERSION

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    @property
    def sweeps(self) -> bool:
        """Some applications write live natively: their changes are found by scanning."""
        return bool(self.options.get("sweep"))

    @property
    def only_tenants(self) -> Sequence[str]:
        """On trial for these alone; empty: all move."""
        return self.options.get("tenants") or ()

    def covers(self, tenant: str | None) -> bool:
        """Whether the tenant's objects move; those of a collection without tenants do."""
        return covers(self.only_tenants, tenant)

    @property
    def live_model_gone(self) -> bool:
        return bool(self.options.get(LIVE_MODEL_GONE))


def understands(speaks: int, migration: Migration) -> bool:
    """Rule 18: whether a process that speaks protocol ``speaks`` may take part. ``hash_version`` is the spec's.

    Without it: a router of long ago copies by its own f, its copies compare equal to its own hash, and to nobody else's.
    """
    return within_reach(speaks, migration.protocol_version) and migration.spec.hash_version in KNOWN_HASH_VERSIONS


def within_reach(speaks: int, protocol_version: int) -> bool:
    return abs(speaks - protocol_version) <= RELEASES_APART


def allowed(phase: Phase, to: Phase) -> bool:
    return (phase, to) in MOVES


def has_reached(phase: Phase, target: Phase) -> bool:
    """The forward road has passed ``target`` and nothing undid it."""
    return phase in FORWARD and phase in FORWARD[FORWARD.index(target) :]
