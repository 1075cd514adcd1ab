"""A whole migration by hand, and what each verb says on the way."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.cli_world import World, document, golden_lines
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import PROTOCOL_VERSION, Phase
from vecferry.domain.routing import Lease
from vecferry.domain.verdicts import Outcome, Verdict
from vecferry.errors import Paused
from vecferry.ports import Purpose
from vecferry.steps.verify_parity import CLEAN_PASS

FILL = ("plan", "create_shadow", "enable_dual_write", "backfill", "verify_parity")


@pytest.fixture
def started(tmp_path):
    world = World().started()
    file = tmp_path / "golden.jsonl"
    file.write_text(golden_lines(), encoding="utf-8")
    world.done("golden", "import", str(file), "--pin", "Docs")
    return world


@pytest.fixture
def serving(started):
    """At 5%."""
    return started.proven_up_to(Phase.SERVING)


def advance(world, stage):
    assert world.run("step", stage, "Docs", "--timeout", "1").code == 1
    world.ask()
    world.stepped(stage)


def test_from_plan_to_retire_with_a_rollback_on_the_way(started):
    for stage in (*FILL, "validate_golden_set"):
        assert started.done("status", "Docs")["next"] == f"vecferry step {stage} Docs"
        started.stepped(stage)
    for stage in ("cut_over_5", "cut_over_25"):
        advance(started, stage)
    back = started.done("rollback", "Docs", "--why", "trying it")
    assert (back["from_percent"], started.migration.phase) == (25, Phase.ROLLED_BACK)
    assert started.run("reopen", "Docs", "--why", "mended").code == 1  # no parity pass since
    assert started.done("verify", "Docs", "--repair")["outcome"] == "PASS"
    assert started.done("reopen", "Docs", "--why", "mended")["percent"] == 5
    started.ask()
    started.stepped("cut_over_5")
    for stage in ("cut_over_25", "cut_over_100"):
        advance(started, stage)
    retired = started.run("step", "retire", "Docs")
    kept_until = started.clock.now() + timedelta(days=14)
    assert f"next: vecferry drop-old Docs, from {kept_until:%Y-%m-%d %H:%M} UTC on" in retired.out
    assert f"{kept_until:%Y-%m-%d %H:%M:%S} UTC" in retired.out
    assert kept_until.isoformat() not in retired.out
    assert started.done("step", "retire", "Docs")["next"] == f"vecferry drop-old Docs, from {kept_until:%Y-%m-%d %H:%M} UTC on"
    assert started.ledger.pin("Docs").collection == started.migration.spec.shadow
    said = " ".join(started.run("status", "Docs").out.split())
    assert "old collection Docs, kept read-only until" in said
    assert "to look at it: vecferry doctor --collection Docs" in said
    assert set(started.store.shards("Docs").values()) == {"READONLY"}
    assert started.run("doctor", "--collection", "Docs", "--fail-on", "never").code == 0
    assert started.run("rollback", "Docs").code == 1  # authority has moved
    assert started.stepped("verify_parity")  # cleared after the end: changes nothing, fails nobody
    report = started.done("report", "Docs")
    assert [row["stage"] for row in report["stages"]][-2:] == ["cut_over_100", "retire"]
    assert report["shares"]["cut_over_25"] == pytest.approx(report["shares"]["cut_over_25"] | {"asked": 0.25, "served": 0.25})
    assert [(r["who"], r["why"]) for r in report["rollbacks"]] == [("tester", "trying it")]


def test_status_tells_of_backfill_and_verdicts(started):
    started.stepped("plan").proven_up_to(Phase.BACKFILLED)
    status = started.done("status", "Docs")
    assert status["next"] == "vecferry step verify_parity Docs"
    assert status["backfill"]["objects"] == status["backfill"]["objects_expected"] == 60
    assert status["verdicts"]["plan"]["outcome"] == "PASS"
    assert "backfill" in started.run("status").out


def test_a_percent_that_was_not_judged_yet_is_the_next_stage_itself(serving):
    assert serving.done("status", "Docs")["next"] == "vecferry step cut_over_5 Docs"


def test_a_stage_that_is_not_confirmed_in_time_says_what_it_waits_for(serving):
    said = serving.run("step", "cut_over_5", "Docs", "--timeout", "2")
    assert said.code == 1
    assert "queries on the shadow: 0 of 20" in said.err
    assert "--timeout 8" in said.err


def test_a_stage_out_of_order_is_bad_input(started):
    said = started.run("step", "retire", "Docs")
    assert said.code == 2
    assert "retire comes after the phase serving" in said.err


def test_inconclusive_exits_3_until_a_named_person_accepts(tmp_path):
    world = World().pinned()
    file = tmp_path / "golden.jsonl"
    file.write_text(golden_lines(6), encoding="utf-8")
    world.done("golden", "import", str(file), "--pin", "Docs")
    world.done("plan", "Docs", "--to", "sandbox-char-2", "--margin", "0.02", "--soak-minutes", "0", "--start")
    world.proven_up_to(Phase.VERIFIED)
    said = world.run("step", "validate_golden_set", "Docs", "--json")
    assert (said.code, said.json["verdict"]["outcome"]) == (3, "INCONCLUSIVE")
    assert "vecferry accept Docs validate_golden_set" in said.json["next"]
    assert world.run("accept", "Docs", "validate_golden_set").code == 2  # without a reason
    accepted = world.done("accept", "Docs", "validate_golden_set", "--who", "ana", "--why", "six are enough")
    assert accepted["accepted_by"] == "ana"
    again = world.done("step", "validate_golden_set", "Docs")
    assert again["verdict"]["accepted_why"] == "six are enough"
    assert world.migration.phase is Phase.VALIDATED
    stages = {row["stage"]: row for row in world.done("report", "Docs")["stages"]}
    assert stages["validate_golden_set"]["accepted_by"] == "ana"


def test_an_unknown_stage_and_those_with_verbs_of_their_own(started):
    assert "There are: check_deprecation, plan" in started.run("step", "nope", "Docs").err
    assert "vecferry rollback Docs" in started.run("step", "roll_back", "Docs").err
    assert "check_deprecation, plan" in started.run("accept", "Docs", "nope", "--why", "x").err
    assert "no stage 'roll_back' to accept" in started.run("accept", "Docs", "roll_back", "--why", "x").err


def test_without_great_expectations_step_says_what_to_install_and_does_nothing(started, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = started.run("step", "create_shadow", "Docs")
    assert said.code == 2
    assert "pip install 'vecferry[gx]'" in said.err
    assert started.migration.phase is Phase.PLANNED
    assert started.done("status", "Docs")["migration"]["phase"] == "planned"


def test_check_deprecation_before_there_is_a_migration():
    world = World().pinned()
    assert "--to MODEL" in world.run("step", "check_deprecation", "Docs").err
    done = world.done("step", "check_deprecation", "Docs", "--to", "sandbox-char-2")
    assert done["verdict"]["outcome"] == "PASS"
    assert done["next"] == "vecferry plan Docs --to MODEL --start"


def test_pause_holds_the_migration_and_unpause_lets_it_go(started):
    started.done("pause", "Docs", "--why", "incident")
    assert "paused: incident" in started.run("status", "Docs").out
    said = started.run("step", "create_shadow", "Docs")
    assert said.code == 1
    assert "vecferry unpause Docs" in said.err
    assert started.done("unpause", "Docs")["was_paused"] == "incident"
    assert started.done("unpause", "Docs")["was_paused"] is None
    started.stepped("create_shadow")


def test_verify_exits_1_with_examples_and_repairs(started):
    started.proven_up_to(Phase.BACKFILLED)
    spec = started.migration.spec
    lost = started.store.keys(spec.shadow, after="", until="f" * 8 + "-ffff-ffff-ffff-" + "f" * 12, limit=1)[0]
    started.store.delete(spec.shadow, lost, timeout_s=1)
    said = started.run("verify", "Docs", "--json")
    assert (said.code, said.json["outcome"]) == (1, "FAIL")
    assert said.json["evidence"]["kinds"] == {"missing": 1}
    assert lost in started.run("verify", "Docs").out
    assert started.done("verify", "Docs", "--repair")["evidence"]["passes"] == 2
    assert started.run("verify", "Docs").code == 0


def test_verify_says_how_many_keys_are_in_flight_when_the_counts_differ(started):
    started.proven_up_to(Phase.BACKFILLED)
    migration, new = started.migration, document(60)
    started.ledger.open_rows(migration.id, [new.uuid], tenant=None, owner="an application", kind=RowKind.WRITE)
    started.store.put("Docs", new, timeout_s=1)
    found = started.done("verify", "Docs")
    evidence = found["evidence"]
    assert (evidence["objects_live"], evidence["objects_shadow"], evidence["in_flight"]) == (61, 60, 1)
    assert found["reason"] == (
        "61 objects, no differences; 1 key is in flight under journal rows and will agree when these are worked off, "
        "until then the counts may differ"
    )
    assert "1 key under journal rows" in started.run("verify", "Docs").out


def test_verify_explains_counts_that_differ_by_a_delete_between_two_looks(started, monkeypatch):
    started.proven_up_to(Phase.BACKFILLED)
    store, spec = started.store, started.migration.spec
    page = store.page

    def delete_before_the_shadow_is_read(collection, **options):
        if collection == spec.shadow:
            for side in (spec.live, spec.shadow):
                store.delete(side, document(7).uuid, timeout_s=1)
        return page(collection, **options)

    monkeypatch.setattr(store, "page", delete_before_the_shadow_is_read)
    found = started.done("verify", "Docs")
    assert (found["evidence"]["objects_live"], found["evidence"]["objects_shadow"]) == (60, 59)
    assert found["reason"] == "60 objects, no differences; the counts differ by what was written between the two looks"
    assert started.done("verify", "Docs")["reason"] == "59 objects, no differences"


def test_verify_of_contents_alone_looks_at_no_vector_and_is_no_pass_that_gates_ask_for(started):
    started.proven_up_to(Phase.BACKFILLED)
    store, migration = started.store, started.migration
    shadow, key = migration.spec.shadow, document(3).uuid
    store.unindex(shadow, key)
    before = len(started.ledger.events(migration_id=migration.id, what=CLEAN_PASS))
    found = started.done("verify", "Docs", "--contents")
    assert found["reason"] == "60 objects, no differences of contents and stamps, vectors not looked at"
    assert (found["outcome"], found["evidence"]["objects_shadow"], found["evidence"]["vectors"]) == ("PASS", 60, False)
    assert "not looked at" in started.run("verify", "Docs", "--contents").out
    assert len(started.ledger.events(migration_id=migration.id, what=CLEAN_PASS)) == before
    (copy,) = store.read(shadow, [key]).values()
    store.put(shadow, replace(copy, properties={**copy.properties, "title": "changed by hand"}), timeout_s=1)
    assert started.run("verify", "Docs", "--contents", "--json").json["evidence"]["kinds"] == {"content": 1}
    for other in (("--repair",), ("--sample", "all")):
        assert "Leave out --repair" in started.run("verify", "Docs", "--contents", *other).err


def test_verify_before_there_is_a_shadow_says_what_to_run(started):
    said = started.run("verify", "Docs")
    assert said.code == 2
    assert "vecferry step create_shadow Docs" in said.err


def test_rollback_waits_for_routers_and_says_who_is_missing(serving):
    lease = Lease("r1", "Docs", serving.clock.now(), 10.0, 3, PROTOCOL_VERSION, "host:1")
    serving.ledger.register(lease)
    said = serving.run("rollback", "Docs", "--why", "x", "--timeout", "2")
    assert said.code == 1
    assert "host:1" in said.err
    assert "The rollback is written" in said.err
    assert serving.ledger.snapshot("Docs").routing.percent == 0
    assert "host:1 is still at version 3" in serving.run("status", "Docs").out


def test_rollback_before_anything_is_served(started):
    assert started.done("rollback", "Docs")["from_percent"] == 0
    assert "Nothing to roll back" in started.run("rollback", "Docs").out


def test_discard_drops_the_shadow_and_can_be_run_again(started):
    started.proven_up_to(Phase.SHADOW_CREATED)
    shadow = started.migration.spec.shadow
    assert started.run("discard", "Docs").code == 2  # a reason is wanted
    done = started.done("discard", "Docs", "--why", "no better")
    assert (done["dropped"], done["verdict"]["outcome"]) == (shadow, "PASS")
    assert shadow not in started.store.collections()
    assert started.done("discard", "Docs", "--why", "again")["phase"] == "discarded"
    assert started.done("status", "Docs")["next"] == "vecferry plan Docs --to MODEL"
    assert "no migration is under way" in started.run("pause", "Docs").err


def test_step_retire_waits_for_a_row_before_it_freezes_and_works_it_off_meanwhile(started):
    """Nobody else does: no router runs."""
    started.proven_up_to(Phase.SERVING)
    for stage in ("cut_over_5", "cut_over_25", "cut_over_100"):
        started.ask()
        started.stepped(stage) if stage == "cut_over_5" else advance(started, stage)
    key = started.store.keys("Docs", after="", until="f" * 36, limit=1)
    started.ledger.open_rows(started.migration.id, key, tenant=None, owner="a crashed one", kind=RowKind.WRITE)
    started.clock.advance(5.0)
    retired = started.run("step", "retire", "Docs")
    assert retired.code == 0, retired.err
    assert "retire: waiting for 1 journal rows (0 of copiers), the oldest 5 s old" in " ".join(retired.err.split())
    assert [routing.mode.value for routing in started.ledger.routings("Docs")].count("freeze") == 1


def test_a_discard_after_which_live_is_not_as_it_was_says_so_and_exits_1(started):
    started.proven_up_to(Phase.SHADOW_CREATED)

    def lose_live_too(name, collection, call):
        if name == "drop" and collection != "Docs":
            started.store.before = lambda *given: None
            started.store.set_read_only("Docs", True)

    started.store.before = lose_live_too
    said = started.run("discard", "Docs", "--why", "no better")
    assert said.code == 1
    assert "is discarded" in said.out
    assert "read-only shards" in said.out


def test_discard_of_what_serves_is_refused(serving):
    said = serving.run("discard", "Docs", "--why", "x")
    assert said.code == 2
    assert "vecferry rollback Docs" in said.err


def test_the_report_as_a_page_is_self_contained_and_escaped(serving, tmp_path):
    serving.done("rollback", "Docs", "--why", "<script>alert(1)</script>")
    file = tmp_path / "report.html"
    serving.done("report", "Docs", "--html", str(file))
    page = file.read_text(encoding="utf-8")
    assert "serving → rolled_back" in page
    assert "<script" not in page
    assert "src=" not in page
    assert "href=" not in page


def test_a_rollback_took_what_it_took_and_not_the_hours_at_the_percent_before(serving):
    serving.clock.advance(3600)
    serving.done("rollback", "Docs", "--why", "x")
    serving.clock.advance(2)
    serving.ledger.record_verdict(serving.migration.id, Verdict("roll_back", Outcome.PASS, "as the DAG's last task judges"))
    stages = {row["stage"]: row["seconds"] for row in serving.done("report", "Docs")["stages"]}
    assert stages["roll_back"] == 2


def test_a_report_of_a_pin_that_never_moved():
    said = World().pinned().run("report", "Docs")
    assert said.code == 2
    assert "no migration yet" in said.err


def test_watching_in_a_log_says_what_has_changed_until_ctrl_c(started, monkeypatch):
    looks = iter([lambda: None, lambda: started.ledger.set_paused(started.migration.id, "incident", who="x")])

    def sleep(_seconds):
        for change in looks:
            return change()
        raise KeyboardInterrupt

    monkeypatch.setattr(started.clock, "sleep", sleep)
    said = started.run("status", "Docs", "--watch")
    assert said.code == 130
    assert said.out.count("Docs: planned") == 2
    assert said.out.count("Docs: planned, paused: incident") == 1


def test_status_cannot_watch_and_be_one_document():
    assert "--watch never ends" in World().pinned().run("status", "--watch", "--json").err


def test_a_budget_that_is_used_up_says_how_to_raise_it_and_raised_the_backfill_goes_on():
    world = World().started()
    for stage in ("plan", "create_shadow", "enable_dual_write"):
        world.stepped(stage)
    world.done("budget", "Docs", "--usd", "0.01", "--why", "a small one")
    costs = {"pin": "Docs", "migration_id": world.migration.id, "tokens": 1, "purpose": Purpose.BACKFILL}
    with pytest.raises(Paused, match=r"vecferry budget Docs --usd … --why …"):
        world.ledger.reserve(**costs, cost_usd=0.02, budget_usd=0.009)
    raised = world.done("budget", "Docs", "--usd", "5", "--why", "approved", "--who", "ana")
    assert (raised["was_usd"], raised["budget_usd"]) == (0.01, 5.0)
    world.ledger.reserve(**costs, cost_usd=4.6, budget_usd=4.7)
    assert "Used up: everything but dual-writes stops at $4.50." in world.run("budget", "Docs", "--usd", "5", "--why", "x").out
    assert "of $5.00" in world.run("status", "Docs").out
    world.stepped("backfill")


@pytest.mark.parametrize("asked", [[], ["--usd", "3", "--no-limit"], ["--usd", "0"], ["--usd", "nan"], ["--usd", "inf"]])
def test_a_budget_that_is_none_is_refused(asked):
    world = World().started()
    world.stepped("plan")
    refused = world.run("budget", "Docs", *asked, "--why", "x")
    assert refused.code == 2
    assert "budget_usd" not in world.migration.options or world.migration.options["budget_usd"] is None


def test_a_report_is_compared_with_what_the_provider_counts():
    world = World().started()
    world.stepped("plan")
    costs = {"pin": "Docs", "migration_id": world.migration.id, "purpose": Purpose.BACKFILL, "budget_usd": None}
    world.ledger.settle(world.ledger.reserve(**costs, tokens=900, cost_usd=0.9), tokens=1_000, cost_usd=1.0)
    booked = world.done("report", "Docs")["spend"]["tokens"]
    assert world.done("report", "Docs", "--provider-tokens", str(booked))["provider"]["difference"] == 0
    said = " ".join(world.run("report", "Docs", "--provider-tokens", str(booked + 500)).out.split())
    assert f"{booked + 500:,} tokens, 500 (" in said
    assert "more than the ledger: does another program use the same account and model?" in said
    world.ledger.reserve(**costs, tokens=100, cost_usd=0.1)
    said = " ".join(world.run("report", "Docs", "--provider-tokens", str(booked)).out.split())
    assert "less than the ledger: 1 requests of unknown outcome are booked as estimated" in said
    assert "1 of them without an answer that says what it cost" in said
