"""What a freeze would wait for in vain: looked at while nobody's writes are held."""

from __future__ import annotations

from dataclasses import dataclass

from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration
from vecferry.ports import Ports


@dataclass(frozen=True)
class Obstacle:
    """``gone_in_s``: when it should be over; ``None`` where nobody can say."""

    waiting_for: str
    gone_in_s: float | None = None


def obstacle(ports: Ports, migration: Migration) -> Obstacle | None:
    """``None`` where a freeze may end within the routers' patience. Looking proves nothing: the freeze asks for itself.

    Without the look: a write of unknown outcome keeps its row for longer than any hold, and each attempt meanwhile holds all
    writers in vain.
    """
    return _of_rows(ports, migration) or _of_routers(ports, migration)


def _of_rows(ports: Ports, migration: Migration) -> Obstacle | None:
    """Copiers' rows come by the page; a row older than 2δ, the turn that its owner was in and its own, is left to the janitor.
    Younger ones are what a freeze is for: nothing new comes, and the queue empties."""
    counts = ports.ledger.journal_counts(migration.id)
    rows, of_copiers = sum(counts.values()), sum(n for kind, n in counts.items() if kind is not RowKind.WRITE)
    if not rows:
        return None
    oldest_s = ports.ledger.oldest_row_age_s(migration.id)
    if not of_copiers and oldest_s < 2 * ports.timings.delta_s:
        return None
    told = f"{rows:,} journal rows ({of_copiers:,} of copiers), the oldest {oldest_s:.0f} s old"
    taken_over_in_s = ports.timings.takeover_s - oldest_s
    if taken_over_in_s <= 0:
        return Obstacle(f"{told}: janitors are late; if no router runs: vecferry janitor {migration.pin}")
    return Obstacle(f"{told}; a janitor takes over what its owner left", taken_over_in_s + ports.timings.delta_s)


def _of_routers(ports: Ports, migration: Migration) -> Obstacle | None:
    """Routers that can acknowledge nothing any more: the flip waits for their expiry and Q, whatever a person says."""
    leases, now = ports.ledger.leases(migration.pin)
    gone = [lease for lease in leases if lease.ends_at <= now]
    left = {one.router_id: ports.timings.quarantine_s - (now - one.expires_at).total_seconds() for one in gone}
    late = {router_id: left_s for router_id, left_s in left.items() if left_s > ports.timings.freeze_hold_s}
    if not late:
        return None
    last_s = max(late.values())
    return Obstacle(f"what {', '.join(sorted(late))} may have sent before its lease ended, {last_s:.0f} s", last_s)
