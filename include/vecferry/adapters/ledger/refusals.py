"""What the ledger says when it refuses: one wording for the memory fake and for SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from vecferry.domain.chunks import Chunk
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import MOVES, Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Lease, Mode, Routing, Seen
from vecferry.errors import BadInput, Conflict, LedgerRestored, NeedsPerson, NotFound, Paused

WHERE = "ledger"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def no_pin(name: str, known: Iterable[str]) -> NotFound:
    return NotFound(
        f"there is no pin {name!r}",
        where=WHERE,
        next_action=f"Pins that exist: {_listed(known)}. `vecferry pin` makes one.",
    )


def no_migration(migration_id: str, known: Iterable[str]) -> NotFound:
    return NotFound(
        f"there is no migration {migration_id!r}", where=WHERE, next_action=f"Migrations that exist: {_listed(known)}."
    )


def no_chunk(chunk: Chunk) -> NotFound:
    return NotFound(
        f"migration {chunk.migration_id} has no chunk {chunk.label}", where=WHERE, next_action="Plan the chunks first."
    )


def no_reservation(reservation: int) -> NotFound:
    return NotFound(f"there is no reservation {reservation}", where=WHERE, next_action="Reserve before settling.")


def pin_in_migration(pin: Pin, migration_id: str) -> Conflict:
    return Conflict(
        f"migration {migration_id} of this pin is active, so its collection and space stay as they are",
        where=f"pin {pin.name}",
        next_action="Finish or discard the migration first.",
    )


def second_migration(pin: str, active: str) -> Conflict:
    return Conflict(
        f"migration {active} is active, and a pin has one at a time",
        where=f"pin {pin}",
        next_action=f"Finish or discard {active}, or go on with it.",
    )


def same_migration_id(migration_id: str) -> Conflict:
    return Conflict(f"migration {migration_id} exists already", where=WHERE, next_action="Read it again, then decide.")


def shadow_used_before(migration: Migration, earlier: str) -> Conflict:
    """Rule 16: a new attempt goes into a new name, or an old copier writes into the recreated collection."""
    return Conflict(
        f"collection {migration.spec.shadow} was the shadow of migration {earlier} already",
        where=f"pin {migration.pin}",
        next_action="A new attempt goes into a new collection name.",
    )


def pin_moved_meanwhile(migration: Migration, pin: Pin) -> Conflict:
    return Conflict(
        f"the migration was planned from {migration.spec.live}, and the pin is at {pin.collection}",
        where=f"pin {pin.name}",
        next_action="Plan again from the pin as it is.",
    )


def not_planned(migration: Migration) -> BadInput:
    return BadInput(
        f"a migration starts in phase planned at 0%, not in {migration.phase} at {migration.percent}%",
        where=f"migration {migration.id}",
        next_action="Move it along from there.",
    )


def moved_first(migration: Migration, stored: Migration) -> Conflict:
    return Conflict(
        f"somebody was first: it is {stored.phase} at version {stored.version}, "
        f"not {migration.phase} at version {migration.version}",
        where=f"migration {migration.id}",
        next_action="Read it again, then decide.",
    )


def illegal_move(migration: Migration, to: Phase) -> BadInput:
    ways = _listed(str(target) for origin, target in MOVES if origin == migration.phase)
    return BadInput(
        f"{migration.phase} cannot become {to}",
        where=f"migration {migration.id}",
        next_action=f"From here it may become: {ways}.",
    )


def no_way_back(migration: Migration) -> NeedsPerson:
    """Live holds objects without a vector by now, and no query can be embedded for it."""
    return NeedsPerson(
        f"there is no way back: {migration.from_space.id} is gone, and what was written since has no vector in "
        f"{migration.spec.live}",
        where=f"migration {migration.id}",
        next_action="If the model answers again: vecferry rollback "
        f"{migration.pin} --force --why … (searches will miss what was written meanwhile).",
    )


def retired_by_flip_only(migration: Migration) -> BadInput:
    """A plain move would change the authority without the freeze: acknowledged writes would be lost."""
    return BadInput(
        "only the flip at the end of a freeze retires",
        where=f"migration {migration.id}",
        next_action="Run the stage `retire`.",
    )


def already_ended(migration: Migration) -> Conflict:
    return Conflict(
        f"it ended: {migration.phase}; nothing is routed or copied for it any more",
        where=f"migration {migration.id}",
        next_action="Start a new migration if one is wanted.",
    )


def unroutable(migration: Migration, broken: list[str]) -> BadInput:
    return BadInput(
        f"this routing cannot be: {'; '.join(broken)}",
        where=f"migration {migration.id}",
        next_action="Choose mode and percent that the phase allows.",
    )


def rows_refused(migration_id: str, routing: Routing, kind: RowKind) -> Conflict:
    ours = routing.migration_id == migration_id
    state = f"mode is {routing.mode}" if ours else "the routing is not this migration's"
    return Conflict(
        f"no {kind} row may be opened: {state} (routing version {routing.version})",
        where=f"migration {migration_id}",
        next_action="Hold the write and read the routing again." if ours and routing.mode is Mode.FREEZE else "Do not copy.",
    )


def copying_over(migration: Migration, routing: Routing) -> Conflict:
    return Conflict(
        f"backfill may not start again: phase is {migration.phase}, mode is {routing.mode} (routing version {routing.version})",
        where=f"migration {migration.id}",
        next_action="Leave it; the copying of this migration is over, or frozen.",
    )


def claim_lost(chunk: Chunk) -> Conflict:
    return Conflict(
        f"chunk {chunk.label} was taken over since claim {chunk.token}",
        where=f"migration {chunk.migration_id}",
        next_action="Stop; its new owner goes on from the last checkpoint.",
    )


def lease_gone(router_id: str, pin: str) -> Conflict:
    return Conflict(f"router {router_id} has no lease", where=f"pin {pin}", next_action="Register anew.")


def dismissed(lease: Lease) -> Conflict:
    return Conflict(
        f"router {lease.router_id} was dismissed: a person said that its process is dead",
        where=f"pin {lease.pin}",
        next_action="Register anew.",
    )


def no_router(router_id: str, pin: str, known: Iterable[str]) -> NotFound:
    return NotFound(
        f"there is no router {router_id!r}", where=f"pin {pin}", next_action=f"Routers that have a lease: {_listed(known)}."
    )


def protocol_refused(lease: Lease, migration: Migration) -> BadInput:
    """Rule 18: which router, where, what version, what to do."""
    return BadInput(
        f"router {lease.router_id} at {lease.where} speaks protocol {lease.protocol_version}, and migration {migration.id} "
        f"protocol {migration.protocol_version}: it may read, from {migration.spec.live}, and not write",
        where=f"pin {migration.pin}",
        next_action="Upgrade vecferry in that process to the release of the migration, or to the one before or after.",
    )


def row_without_lease(owner: str, migration_id: str) -> Conflict:
    return Conflict(
        f"router {owner} has no lease that the migration accepts, so it opens no row",
        where=f"migration {migration_id}",
        next_action="Register anew.",
    )


def claim_refused(owner: str, migration_id: str) -> Conflict:
    return Conflict(
        f"router {owner} speaks a protocol too far from the migration's, so its janitor takes over no row",
        where=f"migration {migration_id}",
        next_action="Upgrade vecferry in its process.",
    )


def restored(pin: str, seen: Seen, current: Routing) -> LedgerRestored:
    when = f" of {seen.published_at:%Y-%m-%d %H:%M:%S} UTC" if seen.published_at else ""
    return LedgerRestored(
        f"the ledger was restored from a backup: it is at routing version {current.version} and does not know version "
        f"{seen.version}{when}",
        where=f"pin {pin}",
        next_action=f"Bring the right ledger back; or, if this one is to count: vecferry routers {pin} --accept-restored "
        f"--why …, then vecferry verify {pin}.",
    )


def acknowledged_the_future(router_id: str, acknowledged: int, routing: Routing) -> Conflict:
    """After a ledger was restored from a backup, an old acknowledgement must not count for a new version of that number."""
    return Conflict(
        f"router {router_id} acknowledges routing version {acknowledged}, but the ledger is at {routing.version} "
        "(restored from a backup?)",
        where=f"pin {routing.pin}",
        next_action="Register anew, then `vecferry verify`.",
    )


def flip_refused(migration: Migration, because: str) -> Conflict:
    return Conflict(
        f"not retired: {because}",
        where=f"migration {migration.id}",
        next_action="The freeze is or will be undone; run `retire` again.",
    )


def wrong_new_pin(migration: Migration, pin: Pin) -> BadInput:
    return BadInput(
        f"the retired pin must be {migration.pin} at {migration.spec.shadow} in {migration.spec.space.id}, "
        f"not {pin.name} at {pin.collection} in {pin.space.id}",
        where=f"migration {migration.id}",
        next_action="Make it from the migration's spec.",
    )


def over_budget(pin: str, migration_id: str | None, spent_usd: float, cost_usd: float, budget_usd: float) -> Paused:
    """``budget_usd``: what may be spent for this purpose; a tenth of the migration's is kept for dual-writes."""
    return Paused(
        f"the budget of ${budget_usd:.2f} is used up: ${spent_usd:.4f} are spent or reserved, "
        f"this request costs ${cost_usd:.4f}",
        where=migration_id or pin,
        next_action=f"Run: vecferry budget {pin} --usd … --why … (a tenth of it is kept for dual-writes); what waits for it "
        "goes on by itself. Or discard.",
    )


def settled_before(reservation: int) -> Conflict:
    return Conflict(f"reservation {reservation} is settled already", where=WHERE, next_action="Nothing to do.")


def negative_spend(tokens: int, cost_usd: float) -> BadInput:
    return BadInput(
        f"spend is never negative: {tokens} tokens, ${cost_usd}", where=WHERE, next_action="Correct the estimate or the bill."
    )


def refuse_repeated_queries(pin: str, query_ids: Sequence[str]) -> None:
    repeated = [query for query, count in Counter(query_ids).items() if count > 1]
    if repeated:
        raise BadInput(
            f"{len(repeated)} query ids stand in the golden set more than once, for example {repeated[0]!r}",
            where=f"pin {pin}",
            next_action="Give each query an id of its own.",
        )
