"""The judge finds each kind of defect, and none where there is none: one that cannot fail would make every run a success."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults.nemesis import judge
from tests.faults.nemesis.judge import Injection, SeedOutcome, judge_seed
from tests.faults.nemesis.judge.__main__ import main
from tests.faults.nemesis.judge.outcome import read_outcome
from tests.faults.nemesis.judge.table import make_table
from tests.faults.nemesis.made_up_seed import (
    FLIPPED,
    LIVE,
    NEW,
    OLD,
    SHADOW,
    SPACE,
    START,
    MadeUpSeed,
    judged,
    key_of,
    only,
    similarity,
    vector_of,
)

ROOT = Path(__file__).parents[3]
FOLDER = Path(judge.__file__).parent
pytestmark = pytest.mark.timeout(120)


# --- a sound run


def test_a_sound_run_has_zeros_and_says_what_they_rest_on(made: MadeUpSeed) -> None:
    outcome = judged(made)
    only(outcome)
    assert outcome.clean
    assert (outcome.objects, outcome.writes, outcome.queries) == (41, 4, 560)
    assert outcome.judged_answers == 560
    assert (outcome.excused_queries, outcome.unjudged_answers, outcome.re_embedded) == (0, 0, 0)
    assert outcome.weaviate == "1.2.3"
    assert outcome.injections[0] == Injection("kill_app", "backfill", "app-0", True)
    assert read_outcome(made.path) == outcome


def test_what_was_planned_and_never_came_to_be_was_not_witnessed(made: MadeUpSeed) -> None:
    done = made.injections[0]
    made.seed["injections"] = [
        {"id": done["id"], "fault": "kill_app", "phase": "backfill", "target": "app-0"},
        {"id": "never", "fault": "lock_ledger", "phase": "retired", "target": "ledger"},
    ]
    assert [(one.fault, one.witnessed) for one in judged(made).injections] == [
        ("kill_app", True),
        ("proxy_cut", True),
        ("lock_ledger", False),
    ]


# --- what is stored


def test_an_acknowledged_write_that_is_gone_is_lost_and_the_lines_that_show_it_are_named(made: MadeUpSeed) -> None:
    made.wrote(20, "put", key_of(2000), {"body": "mine", "views": 1})
    begun, ended = made.apps["app-0.jsonl"][-2:]
    outcome = judged(made)
    only(outcome, lost=1)
    (defect,) = outcome.defects
    assert defect.subject == key_of(2000)
    assert defect.lines == (made.line("app-0.jsonl", begun), made.line("app-0.jsonl", ended))


def test_an_acknowledged_write_that_is_undone_is_stale(made: MadeUpSeed) -> None:
    made.wrote(20, "update", key_of(3), {"views": 2})
    only(judged(made), stale=1)


def test_an_acknowledged_delete_that_is_undone_is_resurrected(made: MadeUpSeed) -> None:
    made.wrote(20, "delete", key_of(3), None)
    only(judged(made), resurrected=1)


@pytest.mark.parametrize("outcome", ["unknown", None])
def test_a_write_of_unknown_outcome_may_have_happened_or_not_but_only_as_asked(made: MadeUpSeed, outcome: str | None) -> None:
    made.wrote(20, "put", key_of(3), {"body": "ghost", "views": 1}, outcome)
    only(judged(made))
    made.store(key_of(3), {"body": "ghost", "views": 1})
    only(judged(made))
    made.store(key_of(3), {"body": "half a ghost", "views": 1})
    only(judged(made), lost=1)


def test_a_write_of_unknown_outcome_may_land_behind_a_newer_one(made: MadeUpSeed) -> None:
    made.wrote(20, "put", key_of(3), {"body": "ghost", "views": 1}, "unknown")
    made.wrote(21, "put", key_of(3), {"body": "newer", "views": 1}, app="app-1.jsonl")
    made.store(key_of(3), {"body": "ghost", "views": 1})
    only(judged(made))
    made.store(key_of(3), {"body": "text 3", "views": 1})
    only(judged(made), stale=1)


def test_a_partial_update_of_unknown_outcome_leaves_the_other_properties_as_they_were_acknowledged(made: MadeUpSeed) -> None:
    made.wrote(20, "update", key_of(3), {"views": 2}, "unknown")
    made.wrote(21, "update", key_of(3), {"body": "newer"})
    for views in (1, 2):
        made.store(key_of(3), {"body": "newer", "views": views})
        only(judged(made))
    made.store(key_of(3), {"body": "text 3", "views": 2})
    only(judged(made), stale=1)


def test_a_write_that_readers_saw_until_the_flip_undid_it_is_stale(made: MadeUpSeed) -> None:
    """The histories alone allow both: only the old collection knows which one it was."""
    made.wrote(20, "put", key_of(3), {"body": "ghost", "views": 1}, "unknown")
    made.store(key_of(3), {"body": "ghost", "views": 1}, only=LIVE)
    only(judged(made), stale=1)


def test_writes_after_the_flip_are_not_held_against_the_old_collection(made: MadeUpSeed) -> None:
    made.wrote(66, "update", key_of(3), {"views": 2})
    made.store(key_of(3), {"body": "text 3", "views": 2}, only=SHADOW)
    only(judged(made))


def test_a_write_that_was_held_over_the_flip_and_never_answered_is_not_held_against_the_old_collection(
    made: MadeUpSeed,
) -> None:
    made.wrote(60.5, "update", key_of(3), {"views": 2}, None)
    made.wrote(60.6, "update", key_of(4), {"views": 2})
    made.apps["app-0.jsonl"][-1]["answered"] = START + 61.5
    for number in (3, 4):
        made.store(key_of(number), {"body": f"text {number}", "views": 2}, only=SHADOW)
    only(judged(made))


def test_a_vector_of_the_old_space_is_mixed(made: MadeUpSeed) -> None:
    made.stored[SHADOW][key_of(3)]["vector"] = vector_of(OLD, "text 3")
    only(judged(made), mixed=1)


def test_an_object_that_no_search_finds_is_unindexed(made: MadeUpSeed) -> None:
    made.hidden.add(key_of(3))
    only(judged(made), unindexed=1)


@pytest.mark.parametrize(
    ("killed_at", "found", "written", "unindexed"),
    [
        (START + FLIPPED + 1, True, False, 0),
        (START + 55, True, False, 1),  # before the flip: retire had to look again
        (START + 45, True, False, 1),  # before all was counted
        (START + FLIPPED + 1, False, False, 1),
        (START + FLIPPED + 1, True, True, 1),
    ],
    ids=["lost by a kill after the flip", "killed before the flip", "killed before", "never found", "written since"],
)
def test_what_a_killed_servers_index_forgets_of_what_was_found_is_the_servers_own(
    made: MadeUpSeed, killed_at: float, found: bool, written: bool, unindexed: int
) -> None:
    uuid = key_of(3)
    made.hidden.add(uuid)
    made.more["before_retire.json"] = {"at": START + 50, "found": [uuid] if found else []}
    made.injections.append({**_killed(made), "began": killed_at})
    if written:
        made.wrote(56, "update", uuid, {"body": "text 3"})
    outcome = judged(made)
    assert (outcome.unindexed, outcome.forgotten) == (unindexed, 1 - unindexed)
    assert outcome.clean == (not unindexed)


@pytest.mark.parametrize(
    ("killed_at", "written_at", "unindexed"),
    [(67, 55, 0), (67, 63, 1), (62, 55, 1), (67, 66, 0), (62, 60.5, 0), (60, 59, 1)],
    ids=["found", "written since", "killed before", "just written", "just before the flip", "killed before the flip"],
)
def test_what_was_found_after_retire_is_the_servers_own_to_lose_too(
    made: MadeUpSeed, killed_at: float, written_at: float, unindexed: int
) -> None:
    uuid = key_of(3)
    made.hidden.add(uuid)
    made.more["before_retire.json"] = {"at": START + 50, "found": [uuid]}
    made.more["after_retire.json"] = {"at": START + 62.5, "found": [uuid]}
    made.injections.append({**_killed(made), "began": START + killed_at})
    made.wrote(written_at, "update", uuid, {"body": "text 3"})
    outcome = judged(made)
    assert (outcome.unindexed, outcome.forgotten) == (unindexed, 1 - unindexed)


def _killed(made: MadeUpSeed) -> dict[str, Any]:
    return {**made.injections[0], "id": "7-retire-9", "fault": "kill_weaviate", "phase": "retire", "target": "weaviate"}


def test_what_was_seen_on_both_sides_before_the_flip_counts_too(made: MadeUpSeed) -> None:
    seen = {"lost": 0, "mixed": 1, "parity": 7, "examples": {"mixed": [key_of(1)], "parity": [key_of(2)]}}
    made.more["before_retire.json"] = seen
    only(judged(made), mixed=1, stale=7)


def test_a_run_that_was_not_retired_is_judged_by_live(made: MadeUpSeed) -> None:
    made.phases = made.phases[:-2]
    for app in made.apps.values():
        app[:] = [row for row in app if (row.get("invoked") or row["answered"]) < START + 59]
    made.stored[SHADOW].clear()
    only(judged(made))
    made.stored[LIVE][key_of(3)]["vector"] = vector_of(NEW, "text 3")
    only(judged(made), mixed=1)


# --- searches


def test_an_answer_of_another_space_than_was_said_is_mixed(made: MadeUpSeed) -> None:
    made.searched(20, hits=[[key_of(1), similarity(NEW, "what?", "text 1")]])
    outcome = judged(made)
    only(outcome, mixed_answers=1)
    assert outcome.defects[0].lines == (f"app-0.jsonl:{len(made.apps['app-0.jsonl'])}",)


def test_scores_that_stand_one_hit_too_early_behind_one_that_was_just_deleted_are_weaviates(made: MadeUpSeed) -> None:
    right = sorted(((similarity(OLD, "what?", f"text {n}"), key_of(n)) for n in range(1, 11)), reverse=True)
    scores, keys = [score for score, _ in right], [key for _, key in right]
    shifted = [[key, score] for key, score in zip(keys[:3] + keys[4:], scores, strict=False)]
    made.searched(20, hits=shifted)
    only(judged(made))
    made.searched(21, hits=[[key, score + 0.05] for key, score in shifted])
    only(judged(made), mixed_answers=1)


def test_a_collection_that_is_asked_with_the_other_model_is_mixed(made: MadeUpSeed) -> None:
    made.searched(20, space=SPACE[SHADOW])
    made.searched(21, collection=SHADOW, space=SPACE[LIVE])
    only(judged(made), mixed_answers=2)


def test_an_object_that_nobody_wrote_in_an_answer_is_found(made: MadeUpSeed) -> None:
    made.searched(20, hits=[[key_of(9999), 0.5]])
    only(judged(made), mixed_answers=1)


def test_scores_while_the_provider_gave_other_vectors_are_not_judged(made: MadeUpSeed) -> None:
    row = {"fault": "provider_silent_change", "phase": "serving", "began": START + 19, "ended": START + 21, "witnessed": True}
    made.injections.append({"id": "x", "target": "old", "witness": {}, **row})
    made.searched(20, hits=[[key_of(1), -0.5]])
    outcome = judged(made)
    only(outcome)
    assert outcome.unjudged_answers > 1
    made.searched(30, hits=[[key_of(1), -0.5]])
    only(judged(made), mixed_answers=1)


def test_how_old_a_text_was_that_an_answer_rests_on_is_measured(made: MadeUpSeed) -> None:
    changed = list(made.texts)[-1]
    made.searched(9, hits=[[changed, similarity(OLD, "what?", "changed")]])
    assert judged(made).worst_staleness_s == 0.0
    made.searched(9, hits=[[changed, similarity(OLD, "what?", made.texts[changed])]])
    outcome = judged(made)
    only(outcome)
    assert outcome.worst_staleness_s == pytest.approx(2.9, abs=0.01)


def test_a_failed_search_counts_unless_a_plain_client_failed_at_the_same_time(made: MadeUpSeed) -> None:
    made.failed(20)
    outcome = judged(made)
    only(outcome, failed_queries=1)
    assert (outcome.failed_queries, outcome.excused_queries) == (1, 0)
    made.controlled(21.9, ok=False)
    outcome = judged(made)
    only(outcome)
    assert outcome.excused_queries == 1


@pytest.mark.parametrize(("at", "app"), [(22.2, "app-0.jsonl"), (17.0, "app-0.jsonl"), (20.5, "app-1.jsonl")])
def test_a_plain_client_that_failed_at_another_time_or_elsewhere_excuses_nothing(made: MadeUpSeed, at: float, app: str) -> None:
    made.failed(20)
    made.controlled(at, ok=False, app=app)
    only(judged(made), failed_queries=1)


def test_a_plain_client_that_is_silent_from_then_on_is_no_witness(made: MadeUpSeed) -> None:
    """Stopped together with its application; one call after the search began, and it would have been a witness."""
    made.failed(20.2)
    rows = made.apps["app-0.jsonl"]
    until = next(row["answered"] for row in rows if not row.get("ok", True)) + 1.0
    heard = [row for row in rows if row.get("op") == "control" and row["answered"] >= START + 20.2 and row["invoked"] <= until]
    rows[:] = [row for row in rows if row not in heard]
    assert judged(made).excused_queries == 1
    rows.append(heard[0])
    only(judged(made), failed_queries=1)


def test_a_failed_search_without_an_error_is_never_excused(made: MadeUpSeed) -> None:
    made.failed(20, error="")
    made.controlled(20.2, ok=False)
    only(judged(made), failed_queries=1)


# --- the routing


def test_a_share_that_chance_does_not_explain_is_wrong(made: MadeUpSeed) -> None:
    for number in range(400):
        made.searched(20, key=f"more-{number}", version=3, collection=LIVE, arm="live", reason="percent")
    only(judged(made), wrong_share=1)


def test_queries_that_live_answered_for_the_shadow_were_asked_of_the_shadow(made: MadeUpSeed) -> None:
    for app in made.apps.values():
        for row in app:
            if row.get("arm") == "shadow" and row["version"] == 3:
                row.update(made.searched(0), arm="live", reason="shadow_failed: Retryable", version=3, key=row["key"])
    only(judged(made))


def test_one_query_on_the_wrong_arm_is_too_many_at_0_and_at_100_percent(made: MadeUpSeed) -> None:
    made.searched(10, key="odd", version=2, collection=SHADOW, arm="shadow", reason="percent")
    made.searched(50, key="odd", version=5, collection=LIVE, arm="live", reason="percent")
    only(judged(made), wrong_share=2)


def test_a_key_that_changes_its_arm_within_a_version_is_found(made: MadeUpSeed) -> None:
    made.searched(20, key="odd", version=3, collection=SHADOW, arm="shadow", reason="percent")
    made.searched(21, key="odd", version=3, collection=LIVE, arm="live", reason="percent")
    only(judged(made), wrong_share=1)


def test_an_answer_by_the_shadow_after_a_rollbacks_acknowledgement_is_found(made: MadeUpSeed) -> None:
    made.searched(37, key="user-100", version=3, collection=SHADOW, arm="shadow", reason="percent")
    only(judged(made), shadow_after_rollback=1)


# --- runs that show nothing


def test_a_run_that_did_not_end_is_no_success(made: MadeUpSeed) -> None:
    made.seed |= {"ended": False, "failure": "backfill did not end in 120 s"}
    outcome = judged(made)
    only(outcome, unfinished=1)
    assert "120 s" in outcome.defects[0].what


def test_a_traceback_in_a_log_is_no_success(made: MadeUpSeed) -> None:
    made.seed["tracebacks"] = [["app-1.log", "Traceback …\nKeyError: 'x'"]]
    only(judged(made), unfinished=1)


def test_a_run_in_which_nothing_happened_is_no_success(made: MadeUpSeed) -> None:
    for rows in made.apps.values():
        rows.clear()
    assert judged(made).unfinished >= 3


def test_a_judge_that_cannot_look_says_so(made: MadeUpSeed) -> None:
    made.seed["weaviate_url"] = "http://127.0.0.1:1"
    outcome = judged(made)
    assert outcome.unfinished >= 1
    assert not outcome.clean
    assert "could not look" in " ".join(defect.what for defect in outcome.defects)


def test_histories_that_a_kill_cut_off_in_the_middle_of_a_line_are_read(made: MadeUpSeed) -> None:
    made.wrote(20, "put", key_of(3), {"body": "answer cut off", "views": 1})
    path = made.save() / "app-0.jsonl"
    text = path.read_text()
    path.write_text(text[:-20])
    only(judge_seed(made.path))  # the answer's line is the last: unknown, so that both are right
    made.store(key_of(3), {"body": "answer cut off", "views": 1})
    only(judge_seed(made.path))
    path.write_text(text[:-20] + json.dumps({"id": "z", "op": "delete", "uuid": key_of(4), "invoked": START + 30}) + "\n")
    with path.open("a") as file:
        file.write(json.dumps({"id": "z", "answered": START + 31, "outcome": "ok"}) + "\n")
    only(judge_seed(made.path), resurrected=1)  # what a restarted process wrote behind the cut counts


# --- the table


def outcome_of(seed: int, *faults: tuple[str, str], **figures: object) -> SeedOutcome:
    injections = tuple(Injection(fault, phase, "x", True) for fault, phase in faults)
    return SeedOutcome(seed, "sqlite", "steps", injections=injections, **figures)  # type: ignore[arg-type]


def test_the_table_has_a_line_for_each_fault_and_phase_with_the_seeds_that_met_it() -> None:
    both = outcome_of(
        1, ("kill_app", "backfill"), ("kill_app", "backfill"), ("cut", "retire"), lost=2, longest_read_pause_s=3.0
    )
    table = make_table([both, outcome_of(2, ("cut", "retire"), mixed=1, mixed_answers=1, worst_staleness_s=4.0)])
    cut, kill = table.lines
    assert (cut.fault, cut.phase, cut.runs, cut.witnessed, cut.lost, cut.mixed) == ("cut", "retire", 2, 2, 2, 2)
    assert (kill.runs, kill.injected, kill.lost, kill.mixed) == (1, 2, 2, 0)
    assert (cut.longest_read_pause_s, cut.worst_staleness_s, kill.worst_staleness_s) == (3.0, 4.0, None)
    assert (table.total.runs, table.total.lost, table.total.injected) == (2, 2, 4)
    assert not table.clean


def test_what_was_witnessed_less_than_three_times_does_not_count_and_the_table_says_so() -> None:
    seeds = [outcome_of(n, ("kill_app", "backfill"), ("cut", "backfill")) for n in range(2)]
    assert make_table(seeds).too_few == {"fault cut": 2, "fault kill_app": 2}
    missed = SeedOutcome(2, "sqlite", "steps", injections=(Injection("cut", "backfill", "x", False),))
    assert make_table([*seeds, outcome_of(3, ("kill_app", "retire")), missed]).too_few == {"fault cut": 2, "phase retire": 1}


def test_the_command_prints_writes_and_judges(tmp_path: Path, made: MadeUpSeed, capsys: pytest.CaptureFixture[str]) -> None:
    judged(made)
    assert main([str(made.path.parent)]) == 0
    assert "kill_app" in capsys.readouterr().out
    written = json.loads((made.path.parent / "table.json").read_text())
    assert written["clean"] is True
    assert written["total"]["lost"] == 0
    markdown = (made.path.parent / "table.md").read_text()
    assert "| kill_app | backfill | 1 | 1 | 0 |" in markdown
    assert "Weaviate 1.2.3" in markdown
    assert "cores" in markdown
    assert "does not count: fault kill_app (1)" in markdown


def test_the_command_fails_with_seed_uuid_lines_and_how_to_replay(made: MadeUpSeed, capsys: pytest.CaptureFixture[str]) -> None:
    made.wrote(20, "put", key_of(2000), {"body": "mine", "views": 1})
    made.seed["longest_stall_s"] = 9.0
    judged(made)
    assert main([str(made.path.parent)]) == 1
    said = capsys.readouterr().out
    lines = len(made.apps["app-0.jsonl"])
    assert "make faults SEED=7" in said
    assert f"lost {key_of(2000)}" in said
    assert f"app-0.jsonl:{lines - 1}, app-0.jsonl:{lines}" in said
    assert "stood still for 9.0 s" in said


def test_the_tables_by_fault_and_by_phase_count_each_seed_once_a_row() -> None:
    first = outcome_of(1, ("cut", "plan"), ("cut", "retire"), ("kill_app", "retire"), lost=1)
    table = make_table([first, outcome_of(2, ("cut", "plan"), stale=1)])
    assert [(line.fault, line.phase, line.runs, line.witnessed, line.lost, line.stale) for line in table.by_fault] == [
        ("cut", "all", 2, 3, 1, 1),
        ("kill_app", "all", 1, 1, 1, 0),
    ]
    assert [(line.fault, line.phase, line.runs, line.witnessed, line.lost, line.stale) for line in table.by_phase] == [
        ("all", "plan", 2, 2, 1, 1),
        ("all", "retire", 1, 2, 1, 0),
    ]


def test_the_markdown_is_generated_with_where_when_and_of_what(made: MadeUpSeed, tmp_path: Path) -> None:
    made.seed |= {"runner": "airflow", "commit": "abc1234"}
    replace(judged(made), took_s=120.0).write(made.path)
    file = tmp_path / "summary.md"
    assert main([str(made.path.parent), "--markdown", str(file)]) == 0
    text = file.read_text()
    assert "commit abc1234 · " in text
    assert " · seeds 7 (1) · 2.0 minutes · ledger: sqlite 1 · runner: airflow 1 · " in text
    assert "1 of 1 seeds clean" in text
    assert "| fault | runs | witnessed | lost | stale | resurrected | mixed | unindexed | failed queries |" in text
    assert "| kill_app | 1 | 1 | 0 |" in text
    assert "| backfill | 1 | 1 | 0 |" in text


def test_a_seed_that_was_begun_and_never_judged_is_no_success(made: MadeUpSeed, capsys: pytest.CaptureFixture[str]) -> None:
    made.save()
    assert main([str(made.path.parent)]) == 1
    assert "it was interrupted" in capsys.readouterr().out


def test_a_folder_without_seeds_is_no_success(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 1


# --- it is nobody's friend


def test_the_judge_names_nothing_of_the_product_but_the_checker() -> None:
    allowed = ("vecferry.sandbox.checker", "tests.faults.nemesis.judge")
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            ours = [name for name in names if name.split(".")[0] in ("vecferry", "tests")]
            assert all(name.startswith(allowed) for name in ours), file.name


def test_the_judges_process_loads_nothing_of_the_product() -> None:
    program = "import tests.faults.nemesis.judge.__main__, sys, json; print(json.dumps([*sys.modules]))"
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True)
    loaded = {name for name in json.loads(answer.stdout) if name.split(".")[0] == "vecferry"}
    assert {name for name in loaded if not name.startswith("vecferry.sandbox.checker")} == {"vecferry", "vecferry.sandbox"}
