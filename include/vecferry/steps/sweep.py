"""One pass over both sides where applications bypass the Router: what they wrote natively is brought to the shadow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import groupby
from typing import Any

from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.sweeping import Sweep, in_words
from vecferry.errors import BadInput, NeedsPerson, Retryable, VecferryError
from vecferry.ports import Event, Ports
from vecferry.steps import drift, restored_ledger, sweeps
from vecferry.steps.copying import copy_keys
from vecferry.steps.entrance import refuse_another_protocol
from vecferry.steps.readiness import recorded
from vecferry.steps.standing import refuse_if_paused
from vecferry.steps.verify_parity import Pass, compare

STOPPED = "sweep_stopped"
_SWEPT = frozenset({Phase.BACKFILLED, Phase.VERIFIED, Phase.VALIDATED, Phase.SERVING, Phase.ROLLED_BACK})
_EXAMPLES = 10
Progress = Callable[[Pass], None]


def act(ports: Ports, migration_id: str, progress: Progress | None = None, *, anew: bool = False) -> Sweep:
    """A whole pass with repair; it goes on where one was interrupted, unless ``anew``. Native changes raise no alarm here.

    A pass that goes on counts from when it first began: the staleness bound is of the whole.
    """
    migration = ports.ledger.migration(migration_id)
    refuse_unswept(migration)
    refuse_if_paused(migration)
    refuse_another_protocol(migration)
    restored_ledger.refuse(ports, migration)
    drift.follow(ports, migration)
    so_far = Pass() if anew else _where_it_stopped(ports, migration)
    try:
        compare(ports, migration, repair=True, progress=progress, sample=0, so_far=so_far)
    except (KeyboardInterrupt, VecferryError) as stopped:
        _note_where(ports, migration, so_far, stopped)
        raise
    done = so_far.as_sweep(ports.ledger.now())
    sweeps.record(ports, migration, done)
    return done


def keep_fresh(ports: Ports, migration_id: str) -> None:
    """Sweeps when nobody else does: where the last one is not clean, or older than half of what gates take."""
    migration = ports.ledger.migration(migration_id)
    if not migration.sweeps or migration.phase not in _SWEPT or migration.paused:
        return
    newest = next(iter(sweeps.last_sweeps(ports, migration, 1)), None)
    too_old_s = ports.gates.sweep_max_age_s / 2
    if newest is None or not newest.clean or sweeps.age_s(newest, ports.ledger.now()) >= too_old_s:
        act(ports, migration_id)


def follow(ports: Ports, migration: Migration, keys: Iterable[tuple[str | None, str]]) -> None:
    """Brings these natively written objects up to date, under rows (rule 12): what a gate meets since the last sweep."""
    began = ports.ledger.now()
    for tenant, each in groupby(sorted(keys, key=lambda key: (key[0] or "", key[1])), key=lambda key: key[0]):
        page = [k for _, k in each]
        sweeps.note_native_writes(ports, migration, page[:_EXAMPLES], since=began)
        copy_keys(ports, migration, page, tenant=tenant, owner="sweep:gate", kind=RowKind.PARITY)


def writers_moved(ports: Ports, migration_id: str, *, who: str, why: str, progress: Progress | None = None) -> dict[str, Any]:
    """A person's word that nobody writes live natively any more. What was sent before it may land for Q, and is caught up
    with before the word counts: whatever is found after it was written in spite of it."""
    migration = ports.ledger.migration(migration_id)
    refuse_unswept(migration)
    if not (who and why):
        raise BadInput(
            "the word that writers have moved needs a person and a reason",
            where=migration_id,
            next_action="Give --who and --why.",
        )
    ports.clock.sleep(ports.timings.quarantine_s)
    caught_up = act(ports, migration_id, progress, anew=True)
    if not caught_up.clean:
        raise Retryable(f"the sweep is not clean: {in_words(caught_up)}", where=migration_id, next_action="Run it again.")
    detail = {"caught_up": caught_up.findings, "seconds": caught_up.seconds}
    ports.ledger.record_event(Event(ports.clock.now(), who, sweeps.WRITERS_MOVED, why, migration.pin, migration.id, detail))
    return {"migration_id": migration.id, "who": who, "why": why, **detail}


def refuse_while_natively_written(ports: Ports, migration: Migration) -> None:
    """Before the freeze: routers hold their writes, a bypassing writer holds nothing, and what it writes then is lost.

    So a person's word, and a whole sweep of ``retire``'s own that finds nothing.
    """
    if not migration.sweeps:
        return
    say = f"vecferry sweep {migration.pin} --writers-moved --why …"
    given = sweeps.word(ports, migration)
    if given is None:
        raise NeedsPerson(
            "nobody has said that the applications that bypass the Router write through it now",
            where=migration.id,
            next_action=f"Move the writers; then: {say}",
        )
    if sweeps.taken_back(ports, migration, given) is None:
        last = act(ports, migration.id, anew=True)
        if not last.clean:
            raise Retryable(f"the sweep is not clean: {in_words(last)}", where=migration.id, next_action="It is tried again.")
    if (found := sweeps.taken_back(ports, migration, given)) is not None:
        raise NeedsPerson(
            f"somebody writes {migration.spec.live} natively: {found.why}, e.g. {', '.join(found.detail['examples'][:3])}",
            where=migration.id,
            next_action=f"Find the writer of these objects and move it; then again: {say}",
        )


def refuse_unswept(migration: Migration) -> None:
    if not migration.sweeps:
        raise BadInput(
            "this migration was planned without sweep: every writer goes through the Router",
            where=migration.id,
            next_action=f"If one bypasses it: vecferry discard {migration.pin} --why …, then plan again with --sweep.",
        )
    if migration.phase not in _SWEPT:
        raise BadInput(
            f"sweeping begins when the backfill is complete, and ends at retire; this migration is {migration.phase}",
            where=migration.id,
            next_action=f"vecferry status {migration.pin} shows what comes next.",
        )


def _where_it_stopped(ports: Ports, migration: Migration) -> Pass:
    """Anew if a whole sweep has ended since it began. The counts go on too, so that a finding is in exactly one sweep."""
    stopped = next(iter(ports.ledger.events(migration_id=migration.id, what=STOPPED, limit=1)), None)
    complete = next(iter(sweeps.last_sweeps(ports, migration, 1)), None)
    so_far = Pass.stopped_at(stopped.detail["pass"]) if stopped else Pass()
    if so_far.began is None or (complete is not None and complete.ended > so_far.began):
        return Pass()
    return so_far


def _note_where(ports: Ports, migration: Migration, so_far: Pass, why: BaseException) -> None:
    """Where nothing was done yet there is nothing to go on with; an unreachable ledger costs the next pass a scan."""
    if so_far.after:
        with suppress(VecferryError):
            recorded(ports, migration, STOPPED, str(why) or "interrupted", **{"pass": so_far.as_progress()})
