import pytest

from vecferry.cli.figures import duration, size, usd
from vecferry.cli.progress import _words_from_the_first, pace, progress, waiting


def test_in_a_log_progress_is_plain_lines_on_stderr(capsys):
    with progress("backfill", 1000) as tell:
        tell(1)
        tell(2)  # too soon after the first
        tell(1000)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("backfill: 1 of 1,000 objects (0%)")
    assert lines[1].startswith("backfill: 1,000 of 1,000 objects (100%)")


def test_what_was_deleted_meanwhile_is_not_missing_at_the_end(capsys):
    with progress("backfill", 1000) as tell:
        tell(500)
        tell(950)
    first, last = capsys.readouterr().err.strip().splitlines()
    assert first.startswith("backfill: 500 of 1,000 objects (50%)")
    assert last.startswith("backfill: 950 of 950 objects (100%)")


def test_what_was_added_meanwhile_does_not_pass_the_end(capsys):
    with progress("verify_parity", 1000) as tell:
        tell(1050)
        tell(1060)
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("verify_parity: 1,050 of 1,050 objects (100%)")
    assert lines[-1].startswith("verify_parity: 1,060 of 1,060 objects (100%)")


def interrupted_after(done: int) -> None:
    with progress("backfill", 1000) as tell:
        tell(done)
        raise KeyboardInterrupt


def test_what_has_failed_is_not_said_to_be_complete(capsys):
    with pytest.raises(KeyboardInterrupt):
        interrupted_after(500)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("backfill: 500 of 1,000 objects (50%)")


def test_all_but_a_little_is_not_all(capsys):
    with pytest.raises(KeyboardInterrupt):
        interrupted_after(999)
    assert "(99%)" in capsys.readouterr().err


def test_the_pace_counts_from_the_first_answer_and_is_silent_until_it_has_settled():
    at = 0.0
    words = _words_from_the_first(lambda: at)
    at = 8.0  # connecting, importing
    assert words(4, 1000) == ""
    at = 9.0
    assert words(14, 1000) == ""
    at = 18.0
    assert words(104, 1000) == "10/s, about 1 min 30 s left"
    at = 19.0
    assert words(1, 1000) == ""  # the next pass


def test_in_a_log_waiting_is_said_once_for_each_thing(capsys):
    with waiting("cut_over_5") as tell:
        for words in ("the soak", "the soak", "queries"):
            tell(words)
    assert capsys.readouterr().err.splitlines() == ["cut_over_5: the soak", "cut_over_5: queries"]


def test_the_pace_leaves_out_what_was_done_before():
    assert pace(100, 400, 10) == "10/s, about 40 s left"
    assert pace(5, 5, 10) == "0.5/s, about 10 s left"
    assert pace(0, 400, 10) == ""
    assert pace(100, 0, 10) == "10/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.25, "1.2 s"), (42, "42 s"), (60, "1 min"), (250, "4 min 10 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (59.9, "60 s")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(None, "–"), (0, "$0.00"), (12.345, "$12.35"), (0.0123, "$0.012"), (1e-7, "under $0.0001")],
)
def test_money(amount, text):
    assert usd(amount) == text


def test_sizes():
    assert (size(5 * 2**20), size(3 * 2**30)) == ("5.0 MiB", "3.0 GiB")
