"""``make demo`` itself, on a small corpus: a real Airflow, a real Weaviate, and an application that never stops."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(900)
KEYS = {
    *("objects_live", "objects_shadow", "parity_differences", "queries_total", "queries_failed"),
    *("writes_total", "writes_unknown", "writes_lost", "stale_objects", "resurrected_objects", "mixed_space_objects"),
    *("unindexed_objects", "ndcg_old", "ndcg_new", "verdicts", "shares", "rollback_seen_s", "write_hold_s"),
    *("spend_usd", "tokens", "seconds", "rows_checked"),
}
NOTHING = {name for name in KEYS if name.endswith(("_failed", "_lost", "_objects", "_differences", "_unknown"))}
STAGES = {
    *("check_deprecation", "plan", "create_shadow", "enable_dual_write", "backfill", "verify_parity"),
    *("validate_golden_set", "cut_over_5", "cut_over_25", "cut_over_100", "retire"),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs share what they fitted, and the demo's folder: each finds what the one before left."""
    return tmp_path_factory.mktemp("e2e")


def started(base: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vecferry.sandbox.demo", "--documents", "600", "--queries", "200"]
    # Without .pyc files every process of it would import for three times as long.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(
        [*command, "--folder", str(base / "demo"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
    )


def ended(base: Path, *arguments: str) -> dict[str, Any]:
    """The report of a demo that had to end by itself, with exit code 0."""
    demo = started(base, "--exit", *arguments)
    try:
        said, _ = demo.communicate(timeout=840)
    finally:
        demo.kill()
    assert demo.returncode == 0, said[-6000:]
    assert "ResourceWarning" not in said, said[-3000:]
    assert processes_of(base) == []
    report = json.loads((base / "demo" / "report.json").read_text())
    assert set(report) == KEYS
    assert {name: report[name] for name in NOTHING} == dict.fromkeys(NOTHING, 0), said[-3000:]
    return dict(report)


def processes_of(base: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(base) in command and "pytest" not in command:
            found.append(command)
    return found


def test_the_whole_way_back_once_and_on_to_the_end(base: Path) -> None:
    report = ended(base)
    assert report["objects_live"] == report["objects_shadow"] > 500
    assert report["queries_total"] >= 1000
    assert report["writes_total"] >= 300
    assert report["ndcg_new"] > report["ndcg_old"] > 0
    assert set(report["verdicts"]) - {"roll_back"} == STAGES
    assert {verdict["outcome"] for verdict in report["verdicts"].values()} == {"PASS"}
    assert {stage: share["asked"] for stage, share in report["shares"].items()} == {
        "cut_over_5": 0.05,
        "cut_over_25": 0.25,
        "cut_over_100": 1.0,
    }
    assert report["shares"]["cut_over_25"]["served"] == pytest.approx(0.25, abs=0.08)
    assert 0 <= report["rollback_seen_s"] < 20
    assert 0 < report["write_hold_s"] < 2.5
    assert report["spend_usd"] > 0
    assert report["tokens"] > 0
    assert set(report["seconds"]) >= STAGES
    assert all(rows > 0 for rows in report["rows_checked"].values())
    assert set(report["rows_checked"]) >= STAGES - {"check_deprecation"}
    page = (base / "demo" / "report.html").read_text()
    assert page.count("<svg") == 4
    # Self-contained: nothing is fetched from anywhere (SVG's own namespaces are names, not addresses).
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_a_candidate_that_is_worse_is_refused_and_nothing_is_cut_over(base: Path) -> None:
    report = ended(base, "--candidate", "sandbox-hash-bad")
    assert report["verdicts"]["validate_golden_set"]["outcome"] == "FAIL"
    assert report["ndcg_new"] < report["ndcg_old"]
    assert report["shares"] == {}
    assert report["rollback_seen_s"] is None


def test_a_canary_whose_answers_go_wrong_is_rolled_back_by_the_run_itself(base: Path) -> None:
    report = ended(base, "--fail-canary")
    assert report["verdicts"]["cut_over_5"]["outcome"] == "PASS"
    assert report["verdicts"]["cut_over_25"]["outcome"] == "FAIL"
    assert "cut_over_100" not in report["shares"]
    assert report["rollback_seen_s"] < 10


def test_ctrl_c_ends_every_process_and_a_second_demo_meanwhile_is_refused_by_name(base: Path) -> None:
    base = base / "interrupted"  # what the demos before it left is evidence when they fail
    demo = started(base, "--exit")
    try:
        _wait_for(demo, "provider: ")
        second = started(base, "--exit")
        said, _ = second.communicate(timeout=60)
        assert second.returncode == 1
        assert f"another demo runs here, as process {demo.pid}" in said
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=60)
        assert demo.returncode == 130
    finally:
        demo.kill()
    deadline = time.monotonic() + 20
    while processes_of(base) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes_of(base) == []


def _wait_for(demo: subprocess.Popen[str], text: str) -> None:
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line)
        if text in line:
            return
    raise AssertionError(f"it ended before it said {text!r}: {''.join(said)}")
