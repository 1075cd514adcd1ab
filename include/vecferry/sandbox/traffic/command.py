"""``python -m vecferry.sandbox traffic``: the application as a process of its own."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vecferry.errors import VecferryError
from vecferry.router import Router
from vecferry.sandbox.corpus import load_corpus, load_golden
from vecferry.sandbox.traffic.application import Application, Load
from vecferry.sandbox.traffic.control import Control, Wish
from vecferry.sandbox.traffic.history import History
from vecferry.sandbox.traffic.writer import partitions


def run(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    control = Control(given.control)
    signal.signal(signal.SIGTERM, lambda *_: control.ask(Wish.STOP))
    try:
        with Router.connect(given.pin) as router, History(given.history) as history:
            _application(given, router, history, control).run()
        control.report(**{**control.reported(), "does": Wish.STOP.value, "ended": True})
    except VecferryError as error:
        print(f"traffic: {error}", file=sys.stderr)
        return 1
    return 0


def _application(given: argparse.Namespace, router: Router, history: History, control: Control) -> Application:
    golden = load_golden(given.golden)
    reserved = {key for row in golden for key in row["relevant"]}
    documents = load_corpus(given.corpus)
    parts = partitions(documents, reserved, given.writers)
    queries = [row["query"] for row in golden]
    load = Load(given.queries_per_second, given.writes_per_second, given.searchers, given.seed)
    text = given.text or next(iter(documents[0]["properties"]))
    return Application(router, history, control, queries=queries, parts=parts, text=text, load=load)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m vecferry.sandbox traffic", description=__doc__)

    def add(name: str, help: str, **more: Any) -> None:
        parser.add_argument(name, help=help, **more)

    add("--pin", "the pin's name, as vecferry status lists it", required=True)
    add("--corpus", "what the collection was filled with, JSON Lines", required=True, type=Path)
    add("--golden", "whose queries are asked, and whose answers are left alone", required=True, type=Path)
    add("--history", "the file to append to, JSON Lines", required=True, type=Path)
    add("--control", "the folder to be told what to do in", required=True, type=Path)
    add("--text", "the text property that writes change (default: the first)")
    add("--queries-per-second", "all threads together", type=float, default=Load.queries_per_s)
    add("--writes-per-second", "all threads together", type=float, default=Load.writes_per_s)
    add("--searchers", "searching threads", type=int, default=Load.searchers)
    add("--writers", "writing threads, each with keys of its own", type=int, default=3)
    add("--seed", "of all that is chosen", type=int, default=Load.seed)
    return parser
