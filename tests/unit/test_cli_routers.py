"""``vecferry routers``: who has a lease, and a person's word about it."""

import pytest

from tests.support.cli_world import World
from tests.support.ledger_case import lease
from vecferry.domain.lifecycle import Phase
from vecferry.ports import Event
from vecferry.protocol import restored


@pytest.fixture
def world():
    made = World().pinned()
    made.ledger.register(lease("router-1", lease_s=3600))
    return made


def test_it_lists_who_where_what_version_until_when_and_what_protocol(world):
    [row] = world.done("routers", "Docs")
    assert (row["router"], row["where"], row["acknowledged_version"], row["protocol_version"]) == ("router-1", "host:1", 1, 1)
    assert (row["alive"], row["expires_in_s"], row["dismissed_at"], row["may_write"]) == (True, 3600, None, True)
    shown = world.run("routers", "Docs").out
    assert all(text in shown for text in ("router-1", "host:1", "2026-01-01 01:00:00", "1 h left"))


def test_nobody_is_said_so():
    assert "No router has a lease." in World().pinned().run("routers", "Docs").out


def test_a_dismissal_is_an_event_and_says_until_when_the_router_could_write(world):
    said = world.run("routers", "Docs", "--dismiss", "router-1", "--why", "its node is gone")
    assert said.code == 0
    assert "router-1 (host:1) is dismissed" in said.out
    assert "it may write until 2026-01-01 01:00:00 UTC" in said.out
    assert "vecferry verify Docs" in said.out
    [event] = [e for e in world.ledger.events(pin="Docs") if e.what == "dismiss_router"]
    assert (event.who, event.why, event.detail["router"]) == ("tester", "its node is gone", "router-1")
    assert world.done("routers", "Docs")[0]["alive"] is False


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--dismiss", "router-1"], "this needs a person and a reason"),
        (["--dismiss", "nobody", "--why", "x"], "Routers that have a lease: router-1"),
        (["--accept-restored", "--why", "x"], "nobody has found this ledger to be restored"),
        (["--dismiss", "router-1", "--accept-restored"], "give one of --dismiss and --accept-restored"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(world, args, words):
    said = world.run("routers", "Docs", *args)
    assert said.code == 2
    assert words in said.err
    assert world.done("routers", "Docs")[0]["dismissed_at"] is None


def test_help_says_what_happens_if_the_person_is_wrong(world):
    shown = " ".join(world.run("routers", "--help").out.split())
    assert all(words in shown for words in ("DEAD", "CUT OFF from the ledger", "alarm", "retire never trusts a dismissal"))


def test_a_restored_ledger_is_accepted_by_name(world):
    world.ledger.record_event(Event(world.clock.now(), "router-1 at host:1", restored.FOUND, "it forgot version 9", "Docs"))
    done = world.done("routers", "Docs", "--accept-restored", "--why", "the newest there is")
    assert (done["found_by"], done["found"], done["accepted_by"]) == ("router-1 at host:1", "it forgot version 9", "tester")
    assert restored.standing(world.ledger, "Docs") is None


def test_status_doctor_and_the_barrier_name_a_router_that_is_too_old(world):
    world.ledger.register(lease("router-0", lease_s=3600, speaks=-1))
    world.started().proven_up_to(Phase.SHADOW_CREATED)
    world.ledger.register(lease("router-1", lease_s=0.1))  # gone
    world.clock.advance(60)
    assert "router router-0 at host:1 speaks protocol -1, the migration 1" in " ".join(world.run("status", "Docs").out.split())
    findings = {f["looked_at"]: f for f in world.run("doctor", "Docs", "--json").json["findings"]}
    assert "router-0 at host:1 speaks protocol -1" in findings["routers"]["what"]
    waits = world.run("step", "enable_dual_write", "Docs", "--timeout", "1").err
    assert "router-0 (host:1)" in waits
    assert "upgrade vecferry there, or wait" in waits
