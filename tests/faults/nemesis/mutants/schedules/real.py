"""The schedules. Each is the story of one rule: with it nothing is lost, without it what the application was told is."""

from __future__ import annotations

import signal

from tests.faults.nemesis.mutants.schedules.world import ScheduleWorld, Script

NEW_TEXT = "a text that nobody has written before, about the ghost in the machine"
OTHER = {"body": "what is acknowledged of another object, so that there is something to judge"}


def an_application_dies_between_the_two_collections(world: ScheduleWorld) -> None:
    """Rule 1. Live has the write, and readers see it; only a row from before it tells that the shadow has not."""
    script: Script = [["update", world.key(2), OTHER], ["flush"], ["put", world.key(1), world.content(1, body=NEW_TEXT)]]
    app = world.application("a", script, {"at": "put live after", "do": "kill"})
    world.ended(app, killed=True)
    world.retired()


def an_application_dies_after_its_acknowledgement(world: ScheduleWorld) -> None:
    """Retire, steps 3 and 4. The shadow has not followed when it dies; the flip must wait for the row."""
    app = world.application(
        "a",
        [["put", world.key(1), world.content(1, body=NEW_TEXT)], ["kill"]],
        {"at": "put_batch shadow before", "do": "hold", "name": "never"},
        mutant=False,
    )
    world.ended(app, killed=True)
    world.retired(mutant=True)


def the_shadow_is_read_only_for_a_while(world: ScheduleWorld) -> None:
    """Rule 2a. A batch into a read-only shard reports success for all but its first object, and stores none."""
    world.ports.store.set_read_only(world.shadow, True)
    many = {world.key(n): world.content(n, body=f"{NEW_TEXT} {n}") for n in range(1, 6)}
    world.ended(world.application("a", [["put_many", many], ["flush"]]))
    world.ports.store.set_read_only(world.shadow, False)
    world.retired()


def a_property_changes_and_the_text_does_not(world: ScheduleWorld) -> None:
    """Rule 3."""
    world.ended(world.application("a", [["update", world.key(1), {"title": "another title"}], ["flush"]]))
    world.retired()


def a_write_to_live_times_out_and_lands_later(world: ScheduleWorld) -> None:
    """Rule 4. Whoever reads live before it lands sees the old value, and must not take the row away."""
    world.relay.hold_next(NEW_TEXT.encode())
    ghost = ["put", world.key(1), world.content(1, body=NEW_TEXT)]
    script: Script = [["update", world.key(2), OTHER], ["flush"], ghost, ["flush"], ["gate", "followed"]]
    app = world.application("a", script)
    world.waits_at("followed", app)
    world.relay.release()
    world.open("followed")
    world.ended(app)
    world.retired()


def an_unanswered_write_lands_behind_a_newer_one(world: ScheduleWorld) -> None:
    """Rule 5. It may; but whoever was told that it happened before the newer one was told wrong."""
    world.relay.hold_next(NEW_TEXT.encode())
    script: Script = [
        ["put", world.key(1), world.content(1, body=NEW_TEXT)],
        ["put", world.key(1), world.content(1, body="the newest word on this")],
        ["gate", "newer"],
    ]
    app = world.application("a", script)
    world.waits_at("newer", app)
    world.relay.release()
    world.open("newer")
    world.ended(app)
    world.retired()


def a_paused_owner_wakes_when_others_have_gone_on(world: ScheduleWorld) -> None:
    """Rule 7. Its row was worked off and a newer write followed, while it stood between reading live and writing the shadow."""
    owner = world.application(
        "owner",
        [["put", world.key(1), world.content(1, body=NEW_TEXT)], ["flush"]],
        {"at": "embedded", "do": "hold", "name": "paused"},
        {"at": "put_batch shadow after", "do": "kill"},
    )
    world.waits_at("paused", owner)
    owner.signal(signal.SIGSTOP)  # all of it: its own janitor must not be the one that takes over
    script: Script = [
        ["gate", "worked-off"],
        ["put", world.key(1), world.content(1, body="the newest word on this")],
        ["flush"],
    ]
    other = world.application("other", script, mutant=False)
    world.waits_at("worked-off", other)
    world.rows_are_gone()
    world.open("worked-off")
    world.ended(other)
    world.open("paused")
    owner.signal(signal.SIGCONT)
    world.ended(owner, killed=bool(world.mutant))
    world.retired()
