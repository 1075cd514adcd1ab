"""``python -m vecferry.sandbox.demo``: what ``make demo`` runs."""

from __future__ import annotations

import json
import signal
import sys
import threading

from vecferry.errors import VecferryError
from vecferry.sandbox.demo import road_refused, road_to_retire, traffic_figures
from vecferry.sandbox.demo.demo import Demo
from vecferry.sandbox.demo.migration_run import RunEnded
from vecferry.sandbox.demo.options import Options, read
from vecferry.sandbox.demo.promises import broken
from vecferry.sandbox.demo.report_data import figures
from vecferry.sandbox.demo.report_page import page
from vecferry.sandbox.demo.road_to_retire import Journey
from vecferry.sandbox.demo.screen import Screen
from vecferry.sandbox.demo.setting_up import running

_INTERRUPTED = 130
_COMPLAINTS = 5


def main() -> int:
    options = read()
    # A supervisor's or a CI's stop must leave no process behind either.
    for number in (signal.SIGTERM, signal.SIGINT):  # the latter is ignored by what a script starts in the background
        signal.signal(number, signal.default_int_handler)
    try:
        with Screen() as screen, running(options, screen) as demo:
            ready_s = screen.elapsed_s
            kept = _report(demo, _travel(demo))
            if not options.exit:
                _stay(demo)
        screen.say("all processes have ended")
        if options.exit:
            _write_elapsed(demo, ready_s)
    except VecferryError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; all processes have ended", file=sys.stderr)
        return _INTERRUPTED
    return 0 if kept else 1


def _travel(demo: Demo) -> Journey:
    """The report is written whatever became of the run: then it is wanted most."""
    try:
        return _road(demo)
    except RunEnded as error:
        demo.say(f"NOT AS PROMISED: {error}")
        assert demo.watching.run is not None
        return road_refused.ended(demo, Journey(demo.watching.run, {}))


def _road(demo: Demo) -> Journey:
    options: Options = demo.options
    if options.refusal_expected:
        return road_refused.refused_by_golden_set(demo)
    return road_refused.canary_fails(demo) if options.fail_canary else road_to_retire.travel(demo)


def _report(demo: Demo, journey: Journey) -> bool:
    """Writes both reports; returns whether all promises were kept."""
    traffic = traffic_figures.read(demo.folder.history)
    demo.watching.look()  # the last tasks may have ended since the thread looked
    found = figures(demo, journey, traffic)
    not_kept = broken(demo.options, found, phase=demo.migration().phase, state=journey.run.state)
    demo.folder.report_json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    demo.folder.report_html.write_text(page(demo, found, traffic, not_kept), encoding="utf-8")
    demo.say(f"report: {demo.folder.report_html} and {demo.folder.report_json.name}")
    for text in not_kept:
        demo.say(f"NOT AS PROMISED: {text}")
    for text in traffic.complaints()[:_COMPLAINTS]:
        demo.say(f"the application was told: {text}")
    if not not_kept:
        demo.say(f"as promised: {_in_short(demo)}")
    return not not_kept


def _write_elapsed(demo: Demo, ready_s: float) -> None:
    """For ``make bench``."""
    times = {"elapsed_s": demo.screen.elapsed_s, "ready_s": ready_s, "documents": len(demo.documents.rows)}
    demo.folder.elapsed.write_text(json.dumps(times) + "\n")


def _in_short(demo: Demo) -> str:
    if demo.options.refusal_expected:
        return "the golden set refused the candidate, and nothing was cut over"
    return "the canary failed and was rolled back" if demo.options.fail_canary else "moved, and nobody noticed"


def _stay(demo: Demo) -> None:
    demo.say(f"Airflow stays at {demo.airflow.url} until Ctrl-C")
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
