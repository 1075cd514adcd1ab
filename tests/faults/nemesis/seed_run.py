"""One seed from its empty folder to its evidence: made, driven under faults, brought to rest, counted, written down."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests.faults.nemesis import seed_world
from tests.faults.nemesis.airflow_driver import AirflowDriver
from tests.faults.nemesis.driver import Driver
from tests.faults.nemesis.injecting import Nemesis
from tests.faults.nemesis.plan import Plan
from tests.faults.nemesis.records import phase_lines, write_json, write_lines
from tests.faults.nemesis.seed_world import RECIPE, SeedWorld, patiently
from tests.faults.nemesis.servers import Servers
from vecferry.errors import VecferryError
from vecferry.sandbox.checker.inspection import Side, inspect
from vecferry.sandbox.checker.provider_rest import Model
from vecferry.sandbox.checker.vectors import not_found_by_index
from vecferry.sandbox.checker.weaviate_rest import WeaviateRest
from vecferry.sandbox.traffic.control import Wish
from vecferry.sandbox.wait_until import wait_until

_REST_S = 90.0
_AFTER_S = 2.0
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?:.*\n)*?\S.*", re.M)
_ITSELF = "vecferry itself failed"


@contextmanager
def run(plan: Plan, servers: Servers, out: Path, say: Callable[[str], None], *, keep: bool = False) -> Iterator[Path]:
    """The seed's folder, for as long as its collections are still there to be looked at."""
    folder = out / f"seed-{plan.seed}"
    dropped: list[str] = []
    try:
        with seed_world.made(plan, servers, folder) as world, _StallWatch() as stalls:
            failure = _driven(world, say)
            dropped = _write_seed(world, failure, stalls.longest_s)
        yield folder
    finally:
        if not keep:
            seed_world.drop_collections(servers, [f"Seed{plan.seed}", *dropped])


def _driven(world: SeedWorld, say: Callable[[str], None]) -> str:
    """What stopped it; empty if nothing did."""
    nemesis = Nemesis(world)
    driver = _driver(world, nemesis, say)
    failure = ""
    _write_seed(world, "", 0.0, ended=False)
    try:
        _travel(world, driver)
    except VecferryError as error:
        failure = str(error)
    except Exception:
        failure = traceback.format_exc()
    finally:
        nemesis.end()
        if world.step is not None and world.step.signal(signal.SIGKILL):  # whatever stopped us did not wait for it
            world.step.wait(_REST_S)
        world.servers.provider("DELETE", "/_faults")
        world.servers.wait_all_healthy()
    failure = failure or _at_rest(world) or _told(driver)
    _write_evidence(world, driver, nemesis)
    return failure or "; ".join(nemesis.failures)


def _driver(world: SeedWorld, nemesis: Nemesis, say: Callable[[str], None]) -> Driver | AirflowDriver:
    return AirflowDriver(world, nemesis, say, world.airflow) if world.airflow else Driver(world, nemesis, say)


def _told(driver: Driver | AirflowDriver) -> str:
    """What it could not write down of what it did."""
    try:
        driver.end()
    except VecferryError as error:
        return f"at the end: {error}"
    return ""


def _travel(world: SeedWorld, driver: Driver | AirflowDriver) -> None:
    driver.to_the_last_percent()
    _count_before_retire(world)
    driver.retire()
    world.authority_is(str(world.shadow()), "new")
    _count_after_retire(world)
    driver.after_retire()
    time.sleep(_AFTER_S)  # the applications go on with the new collection alone


def _count_before_retire(world: SeedWorld) -> None:
    """Both sides hold the same, just before authority moves once."""
    world.ask_apps(Wish.PAUSE_WRITES)
    _wait_journal_empty(world)
    found = sorted(str(stored["id"]) for stored in _stored(world, str(world.shadow())))
    write_json(world.folder / "before_retire.json", {**_inspected(world), "at": time.time(), "found": found})
    world.ask_apps(Wish.RUN)


def _count_after_retire(world: SeedWorld) -> None:
    """What searches find of the new authority, before the faults of its life alone: what they find no more afterwards, its
    server has lost."""
    world.ask_apps(Wish.PAUSE_WRITES)
    at, shadow = time.time(), str(world.shadow())
    weaviate = WeaviateRest(world.servers.weaviate.http_url)
    try:
        objects = list(weaviate.objects(shadow))
        missing = not_found_by_index(weaviate, shadow, objects)
    finally:
        weaviate.close()
    found = sorted({str(stored["id"]) for stored in objects} - set(missing))
    write_json(world.folder / "after_retire.json", {"at": at, "found": found})
    world.ask_apps(Wish.RUN)


def _stored(world: SeedWorld, collection: str) -> list[Mapping[str, Any]]:
    weaviate = WeaviateRest(world.servers.weaviate.http_url)
    try:
        return list(weaviate.objects(collection))
    finally:
        weaviate.close()


def _wait_journal_empty(world: SeedWorld) -> None:
    migration = patiently(lambda: world.ports.ledger.migrations(world.pin)[0], awaited="the ledger")
    left: Mapping[Any, int] = {}

    def empty() -> bool:
        nonlocal left
        left = patiently(lambda: world.ports.ledger.journal_counts(migration.id), awaited="the ledger")
        return not any(left.values())

    wait_until(empty, awaited="an empty journal", deadline_s=_REST_S, so_far=lambda: f"{dict(left)} rows are left")


def _inspected(world: SeedWorld) -> dict[str, Any]:
    history = world.folder / "all_writes.jsonl"
    lines = (line for path in world.histories for line in path.read_text(encoding="utf-8").splitlines())
    writes = (row for row in map(json.loads, lines) if "outcome" in row or row["op"] in ("put", "update", "delete"))
    write_lines(history, writes)
    # A key of its own: what the inspection embeds is not for the product to have paid.
    models = {side: Model(**{**model, "api_key": "inspector"}) for side, model in world.models.items()}
    weaviate = WeaviateRest(world.servers.weaviate.http_url)
    try:
        found = inspect(
            weaviate,
            Side(world.pin, models["old"]),
            Side(str(world.shadow()), models["new"]),
            corpus=world.folder / "corpus.jsonl",
            history=history,
            recipe=RECIPE,
        )
        # A server killed just after a write may store and not index it (rule 12a): parity mends that in the shadow. In live it
        # is the application's own, with or without vecferry; it is gone with live.
        in_live = not_found_by_index(weaviate, world.pin, list(weaviate.objects(world.pin)))
        found["unindexed"] -= len(in_live)
        found["unindexed_in_live"] = in_live
        if not found["unindexed"]:
            found["examples"].pop("unindexed", None)
        return found
    finally:
        weaviate.close()


def _at_rest(world: SeedWorld) -> str:
    """Writers stopped, the shadow followed, all gone in peace."""
    try:
        world.ask_apps(Wish.PAUSE_WRITES, deadline_s=_REST_S)
        for app in world.apps:
            app.not_wanted()
        world.ask_apps(Wish.STOP, deadline_s=_REST_S)
    except VecferryError as error:
        return f"at the end: {error}"
    return ""


# --- evidence ---------------------------------------------------------------------------------------------------------


def _write_evidence(world: SeedWorld, driver: Driver | AirflowDriver, nemesis: Nemesis) -> None:
    ledger, folder = world.ports.ledger, world.folder
    events = patiently(lambda: ledger.events(pin=world.pin, limit=100_000), awaited="the ledger")
    routings = patiently(lambda: ledger.routings(world.pin), awaited="the ledger")
    write_lines(folder / "phases.jsonl", phase_lines(events, routings, driver.acknowledged))
    usage, requests = (world.servers.provider("GET", path) for path in ("/_usage", "/_requests"))
    world.servers.provider("POST", "/_requests", {"kept": False})
    write_json(folder / "spend.json", {"provider": usage, "ledger": _spend_rows(world), "accepted": driver.accepted})
    write_lines(folder / "embeds.jsonl", requests)
    nemesis.write(_operations(world))


def _spend_rows(world: SeedWorld) -> list[dict[str, Any]]:
    engine = create_engine(world.ledger_url)
    try:
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT * FROM spend ORDER BY id")).mappings().all()
    finally:
        engine.dispose()
    return [{**row, "at": str(row["at"])} for row in rows]


def _operations(world: SeedWorld) -> list[tuple[float, float]]:
    """(invoked, answered) of everything that an application did."""
    begun: dict[str, float] = {}
    spans = []
    for path in world.histories:
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if "invoked" in row and "answered" in row:
                spans.append((row["invoked"], row["answered"]))
            elif "invoked" in row:
                begun[row["id"]] = row["invoked"]
            elif row["id"] in begun:
                spans.append((begun[row["id"]], row["answered"]))
    return spans


def _write_seed(world: SeedWorld, failure: str, longest_stall_s: float, *, ended: bool = True) -> list[str]:
    """Returns the shadows that there are or were."""
    migrations = patiently(lambda: world.ports.ledger.migrations(world.pin), awaited="the ledger")
    shadows = [migration.spec.shadow for migration in migrations]
    plan = world.plan
    write_json(
        world.folder / "seed.json",
        {
            "seed": plan.seed,
            "ledger": plan.ledger,
            "commit": commit(),
            "runner": plan.runner,
            "road": plan.road,
            "pin": world.pin,
            "live": world.pin,
            "shadow": shadows[0] if shadows else None,
            "dropped": shadows[1:],
            "weaviate_url": world.servers.weaviate.http_url,
            "recipe": list(RECIPE),
            "corpus": "corpus.jsonl",
            "histories": [path.name for path in world.histories],
            "models": world.models,
            "quarantine_s": plan.quarantine_s,
            "pace": plan.pace,
            "ended": ended and not failure,
            "failure": failure,
            "longest_stall_s": round(longest_stall_s, 2),
            "tracebacks": [*world.tracebacks, *_tracebacks(world.folder / "logs")],
            "exits": {one.name: one.exits for one in world.supervisor.all},
            "injections": [asdict(injection) for injection in plan.injections],
        },
    )
    return shadows


@cache
def commit() -> str:
    """Of what runs, with a plus where files were changed; empty where there is no repository."""
    told = [_git("rev-parse", "--short=10", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")]
    return told[0] + ("+" if told[0] and told[1] else "")


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _tracebacks(logs: Path) -> list[list[str]]:
    found = []
    for path in sorted(logs.glob("*.log")):
        said = path.read_text(errors="replace")
        found += [[path.name, match.group(0)[-4000:]] for match in _TRACEBACK.finditer(said)]
        found += [[path.name, line[:2000]] for line in said.splitlines() if _ITSELF in line]
    return found


class _StallWatch:
    """For how long the machine let this process wait at worst: pauses beyond Q break an assumption, whoever's they are."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _StallWatch:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._stop.wait(0.05):
            now = time.monotonic()
            self.longest_s = max(self.longest_s, now - before - 0.05)
            before = now
