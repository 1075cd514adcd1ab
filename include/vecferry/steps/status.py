"""Where a pin's migration stands, from the ledger alone: it must be told while Weaviate or a provider is down."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from vecferry.domain.chunks import Chunk, ChunkState
from vecferry.domain.lifecycle import FORWARD, Migration, Phase
from vecferry.domain.routing import Lease
from vecferry.domain.stages import BY_NAME, STAGES
from vecferry.ports import Ports
from vecferry.steps import discard, old_collection, only_tenants, sweeps
from vecferry.steps.backfill import PLANNED
from vecferry.steps.routers import too_old


def look(ports: Ports, pin_name: str) -> dict[str, Any]:
    """JSON-able. ``migration`` is the one under way, else the newest, else ``None``."""
    pin = ports.ledger.pin(pin_name)
    snapshot = ports.ledger.snapshot(pin.name)
    newest = next(iter(ports.ledger.migrations(pin.name)), None)
    migration = snapshot.migration or newest
    routing = snapshot.routing
    found = {
        "pin": pin.name,
        "collection": pin.collection,
        "space": pin.space.id,
        "routing": {
            "version": routing.version,
            "mode": routing.mode.value,
            "percent": routing.percent,
            "authority": routing.authority,
            "published_at": routing.published_at.isoformat() if routing.published_at else None,
        },
        "routers": _routers(ports, pin.name, routing.version),
        "migration": None if migration is None else migration_row(migration),
    }
    if migration is not None:
        found |= _of_migration(ports, migration)
    return found | {"hints": _hints(ports, migration, found), "next": next_action(ports, migration, pin.name)}


def migration_row(migration: Migration) -> dict[str, Any]:
    return {
        "id": migration.id,
        "phase": migration.phase.value,
        "percent": migration.percent,
        "paused": migration.paused,
        "from_space": migration.from_space.id,
        "to_space": migration.spec.space.id,
        "shadow": migration.spec.shadow,
        "attempt": migration.attempt,
        "only_tenants": sorted(migration.only_tenants),
        "ended": migration.ended,
    }


def newest_verdicts(ports: Ports, migration_id: str) -> dict[str, dict[str, Any]]:
    """Stage → its newest verdict, in the order of the road; without the evidence, which is long."""
    newest = {verdict.stage: (at, verdict) for at, verdict in ports.ledger.verdicts(migration_id)}
    order = [stage.name for stage in STAGES]
    names = sorted(newest, key=lambda name: order.index(name) if name in order else len(order))
    return {
        name: {
            "outcome": newest[name][1].outcome.value,
            "reason": newest[name][1].reason,
            "at": newest[name][0].isoformat(),
            "accepted_by": newest[name][1].accepted_by,
            "accepted_why": newest[name][1].accepted_why,
        }
        for name in names
    }


def next_stage(ports: Ports, migration: Migration) -> str | None:
    """The stage that comes next on the forward road; the same again if its act is done and its check is not."""
    if migration.phase not in FORWARD or migration.ended:
        return None
    if unproven := _unproven(ports, migration):
        return unproven
    wanted = set(migration.options.get("percents") or [s.percent for s in STAGES if s.percent])
    for stage in STAGES:
        if stage.percent is not None and (stage.percent not in wanted or stage.percent <= migration.percent):
            continue
        if stage.name == "retire" and migration.percent < 100:
            continue
        if migration.phase in stage.needs:
            return stage.name
    return None


def _unproven(ports: Ports, migration: Migration) -> str | None:
    """The stage whose act made the phase, without a passing verdict; one from before a rollback proves no percent."""
    made_by = [s for s in STAGES if s.moved_by == "act" and s.gives is migration.phase]
    stage = next((s for s in made_by if s.percent in (None, migration.percent)), None)
    if stage is None:
        return None
    since = ports.ledger.snapshot(migration.pin).routing.published_at if stage.percent is not None else None
    judged = [(at, verdict) for at, verdict in ports.ledger.verdicts(migration.id) if verdict.stage == stage.name]
    at, newest = judged[-1] if judged else (None, None)
    stale = since is not None and at is not None and at < since
    return stage.name if newest is None or not newest.passes or stale else None


def next_action(ports: Ports, migration: Migration | None, pin: str) -> str:
    """A command to go on with; empty if there is none."""
    if migration is not None and migration.id in {left.id for left in discard.still_to_drop(ports, migration.pin)}:
        return f"vecferry discard {pin} --why …"
    if migration is None or migration.phase is Phase.DISCARDED:
        return f"vecferry plan {pin} --to MODEL"
    if migration.phase is Phase.RETIRED:
        return f"vecferry drop-old {pin}" if old_collection.is_due(ports, migration) else ""
    if migration.paused:
        return f"vecferry unpause {pin}"
    if migration.phase is Phase.ROLLED_BACK:
        return f"vecferry verify {pin} --repair, then vecferry reopen {pin} --why …; or vecferry discard {pin} --why …"
    stage = next_stage(ports, migration)
    if stage == "retire" and migration.only_tenants:
        return only_tenants.way_out(migration)
    if migration.live_model_gone and stage in BY_NAME and BY_NAME[stage].percent not in (None, migration.percent):
        return f"vecferry force-100 {pin} --why …"
    return f"vecferry step {stage} {pin}" if stage else ""


def _of_migration(ports: Ports, migration: Migration) -> dict[str, Any]:
    spend = ports.ledger.spend(migration_id=migration.id)
    journal = ports.ledger.journal_counts(migration.id)
    return {
        "backfill": _backfill(ports, migration),
        "journal": {
            "rows": sum(journal.values()),
            "by_kind": {kind.value: count for kind, count in journal.items() if count},
            "oldest_row_age_s": round(ports.ledger.oldest_row_age_s(migration.id), 1),
        },
        "spend": asdict(spend) | {"budget_usd": migration.options.get("budget_usd")},
        "verdicts": newest_verdicts(ports, migration.id),
        "old_collection": old_collection.as_row(ports, migration),
        "sweep": sweeps.as_row(ports, migration),
    }


# --- backfill


def _backfill(ports: Ports, migration: Migration) -> dict[str, Any]:
    chunks = ports.ledger.chunks(migration.id)
    done = sum(chunk.rows_in for chunk in chunks)
    total = max(int(migration.plan.get("objects") or 0), done)
    found: dict[str, Any] = {
        "chunks": len(chunks),
        "chunks_done": sum(chunk.state is ChunkState.DONE for chunk in chunks),
        "objects": done,
        "objects_expected": total,
        "failed": sum(chunk.failed for chunk in chunks),
    }
    return found | _pace(ports, migration, chunks, done, total)


def _pace(ports: Ports, migration: Migration, chunks: list[Chunk], done: int, total: int) -> dict[str, float | None]:
    """Averaged since the chunks were first planned, pauses included; ``None`` when nothing is being copied."""
    running = migration.phase is Phase.DUAL_WRITING and any(chunk.state is ChunkState.OPEN for chunk in chunks)
    planned = next((e.at for e in ports.ledger.events(migration_id=migration.id, what=PLANNED)), None)
    elapsed_s = (ports.ledger.now() - planned).total_seconds() if planned and running else 0.0
    if elapsed_s <= 0 or not done:
        return {"rate_per_s": None, "eta_s": None}
    rate = done / elapsed_s
    return {"rate_per_s": round(rate, 1), "eta_s": round((total - done) / rate, 1)}


# --- routers and hints


def _routers(ports: Ports, pin: str, version: int) -> list[dict[str, Any]]:
    leases, now = ports.ledger.leases(pin)
    return [_router(lease, now, version) for lease in leases]


def _router(lease: Lease, now: datetime, version: int) -> dict[str, Any]:
    return {
        "router": lease.router_id,
        "where": lease.where,
        "acknowledged_version": lease.acknowledged_version,
        "up_to_date": lease.acknowledged_version >= version,
        "alive": lease.ends_at > now,
        "protocol_version": lease.protocol_version,
        "expires_in_s": round((lease.ends_at - now).total_seconds(), 1),
    }


def _hints(ports: Ports, migration: Migration | None, found: dict[str, Any]) -> list[str]:
    """What a person should look at; empty when there is nothing."""
    behind = [r for r in found["routers"] if r["alive"] and not r["up_to_date"]]
    hints = [f"{len(behind)} routers have not acknowledged routing version {found['routing']['version']} yet"] if behind else []
    hints += _shadows_left(ports, migration)
    if migration is None or migration.ended:
        return hints
    for lease in too_old(ports, migration):
        speaks = f"protocol {lease.protocol_version}, the migration {migration.protocol_version}"
        hints.append(f"router {lease.router_id} at {lease.where} speaks {speaks}: it may only read; upgrade vecferry there")
    if migration.paused:
        hints.append(f"paused: {migration.paused}")
    if migration.live_model_gone:
        hints.append(f"{migration.from_space.id} is gone: live takes objects without a vector, and nothing leads back")
    if (swept := found["sweep"]) and swept["waits_for"] and not migration.paused and migration.percent:
        hints.append(f"queries go to a copy that waits for {swept['waits_for']}: vecferry sweep {migration.pin}")
    journal = found["journal"]
    if journal["oldest_row_age_s"] > ports.timings.takeover_s + 2 * ports.timings.delta_s:
        alive = any(router["alive"] for router in found["routers"])
        cure = "routers work them off" if alive else f"no router runs to work them off: vecferry janitor {migration.pin}"
        hints.append(f"{journal['rows']} journal rows, the oldest {journal['oldest_row_age_s']:.0f} s old; {cure}")
    return hints


def _shadows_left(ports: Ports, newest: Migration | None) -> list[str]:
    """A discard ends the migration first and drops last; an earlier migration's has to be named."""
    if newest is None:
        return []
    left = discard.still_to_drop(ports, newest.pin)
    again = {m.id: f"vecferry discard {m.pin}" + (f" --migration {m.id}" if m.id != newest.id else "") for m in left}
    return [f"shadow {m.spec.shadow} is still to be dropped: run vecferry discard again ({again[m.id]} --why …)" for m in left]
