"""What ``make bench`` says of figures: what they must reach, the table, the exit code. The figures here are given."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from vecferry.sandbox.bench import __main__ as bench
from vecferry.sandbox.bench.copier import Copied
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.growing import Pair, figures_of
from vecferry.sandbox.bench.killed_worker import figure_of
from vecferry.sandbox.bench.table import markdown
from vecferry.sandbox.bench.world import Took

GOOD = Figure("a speed", 1.2, None, "×", "12 beside 10", least=0.8)
SHORT = Figure("a time", 3.0, 2.0, "s", "3 s beside 1 s")
UNKNOWN = Figure("a demo", None, 300, "s", "not run yet")


@pytest.mark.parametrize(
    ("value", "limit", "least", "kept"),
    [
        (2.0, 2.0, None, True),
        (2.01, 2.0, None, False),
        (0.8, None, 0.8, True),
        (0.79, None, 0.8, False),
        (1.0, 1.1, 0.9, True),
        (1.11, 1.1, 0.9, False),
        (0.89, 1.1, 0.9, False),
        (math.nan, 2.0, None, False),
        (math.nan, None, 0.8, False),
        (math.nan, None, None, False),
        (None, 2.0, None, True),
    ],
)
def test_a_figure_keeps_to_the_most_and_the_least_that_it_may_be(
    value: float | None, limit: float | None, least: float | None, kept: bool
) -> None:
    assert Figure("f", value, limit, "×", "", least=least).kept is kept


@pytest.mark.parametrize(
    ("limit", "least", "unit", "said"),
    [
        (20, None, "µs", "≤ 20 µs"),
        (None, 10_000, "objects/s", "≥ 10,000 objects/s"),
        (1.1, 0.9, "×", "0.9 – 1.1 ×"),
        (0.0, None, "", "≤ 0"),
        (None, None, "", ""),
    ],
)
def test_what_it_must_reach_is_said_for_people(limit: float | None, least: float | None, unit: str, said: str) -> None:
    assert Figure("f", 1.0, limit, unit, "", least=least).must_reach == said


def measured(*figures: Figure) -> bench.Measure:
    return lambda: iter(figures)


def broken() -> Iterator[Figure]:
    yield GOOD
    raise RuntimeError("no server")


def interrupted() -> Iterator[Figure]:
    yield SHORT
    raise KeyboardInterrupt


def test_the_exit_code_is_0_where_every_figure_reaches_what_it_must(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run({"one": measured(GOOD, UNKNOWN)}) == 0
    printed = capsys.readouterr().out
    assert "1.20 ×" in printed
    assert "≥ 0.8 ×" in printed
    assert "12 beside 10" in printed
    assert "2 figures, 1 of them not measured; none falls short" in printed


def test_the_exit_code_is_1_where_one_falls_short_and_it_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run({"one": measured(GOOD), "two": measured(SHORT)}) == 1
    printed = capsys.readouterr().out
    assert "FALLS SHORT" in printed
    assert "1 fall short: a time" in printed


def test_what_cannot_be_measured_fails_and_does_not_keep_the_others_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run({"first": broken, "second": measured(GOOD)}) == 1
    printed = capsys.readouterr().out
    assert printed.count("a speed") == 2
    assert "RuntimeError: no server" in printed
    assert "first" in printed.splitlines()[-1]


def test_nothing_measured_is_no_success() -> None:
    assert bench.run({}) == 1


def test_an_interrupt_ends_it_and_what_was_measured_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run({"one": interrupted, "two": measured(GOOD)}, to=tmp_path / "bench.md") == 130
    assert "a speed" not in capsys.readouterr().out
    written = (tmp_path / "bench.md").read_text()
    assert "a time" in written
    assert "interrupted" in written


def test_the_markdown_names_machine_date_load_commit_and_versions(tmp_path: Path) -> None:
    bench.run({"one": measured(GOOD, SHORT, UNKNOWN, Figure.failed("x", ValueError("a | b")))}, to=tmp_path / "bench.md")
    written = (tmp_path / "bench.md").read_text()
    for name in ("measured", "load", "machine", "commit", "versions"):
        assert f"- {name}: " in written
    for word in ("processors", "GiB", "Python 3.", "Weaviate 1."):
        assert word in written
    assert "| a speed | 1.20 × | ≥ 0.8 × | yes | 12 beside 10 |" in written
    assert "| a time | 3.00 s | ≤ 2 s | falls short | 3 s beside 1 s |" in written
    assert "| a demo | – | ≤ 300 s | not measured | not run yet |" in written
    assert "| x | failed |  | failed | ValueError: a \\| b |" in written


def test_json_is_a_line_for_each_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run({"one": measured(GOOD, SHORT)}, as_json=True) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["name"], row["kept"]) for row in lines] == [("a speed", True), ("a time", False)]


def test_a_table_has_a_head_even_without_figures() -> None:
    assert markdown([], {"measured": "today"}).startswith("- measured: today\n\n| figure | value | must reach |")


def test_help_has_examples_and_an_unknown_figure_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(["--help"])
    assert ended.value.code == 0
    assert 'make bench ARGS="--only parity --only limits"' in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        bench.main(["--only", "nonsense"])
    assert ended.value.code == 2


def test_only_chooses_and_large_measures_what_is_large_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(bench, "ALONE", {"route": measured(GOOD), "memory": measured(SHORT)})
    assert bench.main(["--only", "route"]) == 0
    assert bench.main(["--only", "memory"]) == 1
    with pytest.raises(SystemExit) as ended:
        bench.main(["--large", "--only", "route"])
    assert ended.value.code == 2
    assert "--large measures grow" in capsys.readouterr().err


def pair(objects: int, bare_s: float, ours_s: float, peak_mb: float) -> Pair:
    return Pair(Took(objects, bare_s), Copied(objects, ours_s, peak_mb))


@pytest.mark.parametrize(
    ("ours_s", "peak_mb", "kept"),
    [(125.0, 150.0, [True, True]), (140.0, 150.0, [False, True]), (110.0, 150.0, [False, True]), (125.0, 170.0, [True, False])],
)
def test_ten_times_the_objects_must_take_ten_times_the_time_and_no_more_memory(
    ours_s: float, peak_mb: float, kept: list[bool]
) -> None:
    figures = list(figures_of(pair(10_000, 10.0, 12.5, 150.0), pair(100_000, 100.0, ours_s, peak_mb)))
    assert [figure.kept for figure in figures] == kept
    assert "800 objects/s beside 1,000 by insert_many at 10,000" in figures[0].beside


def test_what_a_kill_costs_is_what_was_embedded_before_or_twice() -> None:
    texts = [str(number) for number in range(1_000)]
    assert figure_of([texts[:600], texts[100:]]).value == 500
    assert figure_of([texts[:600], texts[100:]]).kept
    assert figure_of([texts[:601], texts[100:]]).value == 501
    assert not figure_of([texts[:601], texts[100:]]).kept
    assert figure_of([texts[:500], texts[500:600], texts[500:]]).value == 100  # each kill by itself
    assert figure_of([texts[:500], [*texts[500:], *texts[500:700]]]).value == 200  # by a request that outlived its process
