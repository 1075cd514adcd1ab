"""One of the applications: it writes, searches, and may be killed at any moment; its history says what it was told.

``python -m tests.faults.nemesis.application --help``. After a restart it knows its keys from its own history: those whose last
write has no answer, or an unclear one, are left alone for good, so that what became of them stays visible.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.faults.nemesis.control_client import ControlClient
from vecferry.errors import NeedsPerson, Retryable, UnknownOutcome, VecferryError
from vecferry.router import Router
from vecferry.sandbox.corpus import load_corpus, load_golden
from vecferry.sandbox.jsonl import read_objects
from vecferry.sandbox.traffic.control import Control, Wish
from vecferry.sandbox.traffic.history import History
from vecferry.sandbox.traffic.pace import Pace
from vecferry.sandbox.traffic.searcher import USERS
from vecferry.sandbox.traffic.writer import Properties, Writer, partitions

WRITERS, SEARCHERS = 2, 3
CRASHED = 70
"""Its exit code when the Router raised what is no answer of the Router's."""
_POLL_S = 0.05
_FLUSH_S = 30.0
_CONTROL_S = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    control = Control(given.control)
    signal.signal(signal.SIGTERM, lambda *_: control.ask(Wish.STOP))
    control.report(does="starting")
    own = own_keys(_part(given), mended_history(given.history))
    with History(given.history) as history, ControlClient(given.authority, history, _queries(given)):
        router = _connected(given.pin, control)
        if router is None:
            return 0
        with router:
            crashed = _Application(given, router, history, control, own).run()
    control.report(does=Wish.STOP.value, ended=True)
    return CRASHED if crashed else 0


def mended_history(path: Path) -> list[dict[str, Any]]:
    """What it has written so far, after cutting off a last line that a kill left half-written: that was no answer to anybody,
    and no write was sent before its line was whole."""
    if not path.exists():
        return []
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) != len(text):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return [row for _, row in read_objects(path)]


def own_keys(part: Mapping[str, Properties], history: Iterable[Mapping[str, Any]]) -> dict[str, Properties]:
    """uuid → properties as they are now. A key whose write has no clear answer is not among them."""
    own: dict[str, Properties] = dict(part)
    begun: dict[str, Mapping[str, Any]] = {}
    for row in history:
        if row.get("op") in ("put", "update", "delete"):
            begun[row["id"]] = row
        elif "outcome" in row:
            _apply(own, begun.pop(row["id"]), row["outcome"])
    for write in begun.values():
        own.pop(write["uuid"], None)
    return own


def _apply(own: dict[str, Properties], write: Mapping[str, Any], outcome: str) -> None:
    key = write["uuid"]
    if outcome == "unknown" or (outcome == "ok" and write["op"] == "delete"):
        own.pop(key, None)
    elif outcome == "ok":
        own[key] = {**(own.get(key, {}) if write["op"] == "update" else {}), **write["content"]}


class _Application:
    def __init__(
        self, given: argparse.Namespace, router: Router, history: History, control: Control, own: Mapping[str, Properties]
    ) -> None:
        self._router = router
        self._history = history
        self._control = control
        self._wish = Wish.RUN
        self._writing = threading.Semaphore(WRITERS)
        self._crashed = False
        self._queries = _queries(given)
        seed = f"{given.seed} {time.time_ns()}"  # a restarted one must not create the same keys again
        self._pace = {"write": Pace(given.writes_per_second), "search": Pace(given.queries_per_second)}
        samples = [row["properties"] for row in load_corpus(given.corpus)]
        self._writers = [
            Writer(router, history, part, "body", random.Random(f"{seed} w{i}"), samples) for i, part in enumerate(_split(own))
        ]
        self._dice = [random.Random(f"{seed} s{i}") for i in range(SEARCHERS)]

    def run(self) -> bool:
        """Until it is told to stop. Whether it crashed: its end is then seen, where a dead thread would look like rest."""
        loops = [lambda w=writer: self._write_on(w) for writer in self._writers]
        loops += [lambda d=dice: self._search_on(d) for dice in self._dice]
        threads = [threading.Thread(target=self._guarded, args=(loop,), daemon=True) for loop in loops]
        for thread in threads:
            thread.start()
        while self._wish is not Wish.STOP and not self._crashed:
            self._obey(self._control.wish())
            time.sleep(_POLL_S)
        self._wish = Wish.STOP
        for thread in threads:
            thread.join()
        return self._crashed

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException:
            traceback.print_exc()
            self._crashed = True

    def _write_on(self, writer: Writer) -> None:
        while self._wish is not Wish.STOP and not self._crashed:
            self._pace["write"].wait_turn()
            with self._writing:
                if self._wish is Wish.RUN:
                    writer.write_once()

    def _search_on(self, dice: random.Random) -> None:
        while self._wish is not Wish.STOP and not self._crashed:
            self._pace["search"].wait_turn()
            self._history.search(_searched(self._router, dice.choice(self._queries), f"user-{dice.randrange(USERS)}"))

    def _obey(self, wish: Wish) -> None:
        if wish is Wish.PAUSE_WRITES and self._wish is Wish.RUN:
            self._wish = wish
            for _ in range(WRITERS):
                self._writing.acquire()
            for _ in range(WRITERS):
                self._writing.release()
            self._router.flush(_FLUSH_S)
        self._wish = wish
        history = self._history
        self._control.report(does=wish.value, queries=history.queries, failed=history.queries_failed, writes=history.writes)


def _searched(router: Router, query: str, key: str) -> dict[str, Any]:
    invoked = time.time()
    asked = {"query": query, "key": key, "invoked": invoked}
    try:
        found = router.search(query, key=key)
    except VecferryError as error:
        return {"ok": False, **asked, **_timed(invoked), "error": str(error)}
    return {
        "ok": True,
        **asked,
        **_timed(invoked),
        "arm": found.arm.value,
        "reason": found.reason,
        "version": found.route.version,
        "collection": found.route.collection,
        "space": found.route.space.id,
        "hits": [[hit.uuid, hit.score] for hit in found],
    }


def _timed(invoked: float) -> dict[str, float]:
    answered = time.time()
    return {"answered": answered, "held_ms": round(1000 * (answered - invoked), 1)}


def _connected(pin: str, control: Control) -> Router | None:
    """As a supervisor would have it: again and again, until what it needs can be reached; None if told to stop before."""
    while control.wish() is not Wish.STOP:
        try:
            return Router.connect(pin)
        except (Retryable, UnknownOutcome, NeedsPerson) as error:
            print(f"not connected yet: {error}", file=sys.stderr, flush=True)
            time.sleep(_CONTROL_S)
    return None


def _part(given: argparse.Namespace) -> dict[str, Properties]:
    reserved = {key for row in load_golden(given.golden) for key in row["relevant"]}
    return partitions(load_corpus(given.corpus), reserved, given.of)[given.number]


def _split(own: Mapping[str, Properties]) -> list[dict[str, Properties]]:
    """A part for each writer."""
    parts: list[dict[str, Properties]] = [{} for _ in range(WRITERS)]
    for number, key in enumerate(sorted(own)):
        parts[number % WRITERS][key] = own[key]
    return parts


def _queries(given: argparse.Namespace) -> list[str]:
    return [row["query"] for row in load_golden(given.golden)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.faults.nemesis.application", description=__doc__)
    add = parser.add_argument
    add("--pin", required=True)
    add("--corpus", required=True, type=Path)
    add("--golden", required=True, type=Path, help="whose queries are asked, and whose answers are left alone")
    add("--history", required=True, type=Path)
    add("--control", required=True, type=Path, help="the folder to be told what to do in")
    add("--authority", required=True, type=Path, help="the file that says what the control client asks")
    add("--number", required=True, type=int, help="of this application, from 0")
    add("--of", required=True, type=int, help="applications")
    add("--seed", required=True, type=int)
    add("--queries-per-second", type=float, default=3.0)
    add("--writes-per-second", type=float, default=1.5)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
