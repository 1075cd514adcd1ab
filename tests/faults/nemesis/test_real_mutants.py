"""Without each of these rules real processes lose data, and the judge of ``make faults`` sees it; with it they do not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.nemesis.judge.outcome import MUST_BE_ZERO, SeedOutcome
from tests.faults.nemesis.mutants import MUTANTS, VARIABLE, mutant_environment
from tests.faults.nemesis.mutants.dropped import mutant_of
from tests.faults.nemesis.mutants.installing import ForGood
from tests.faults.nemesis.mutants.schedules import real
from tests.faults.nemesis.mutants.schedules.world import Parts, ScheduleWorld, schedule_world
from tests.faults.nemesis.servers import DOCUMENTS, QUERIES
from tests.faults.nemesis.warm import WarmForks
from vecferry.sandbox.corpus import build, load_corpus
from vecferry.sandbox.postgres_server import PostgresServer
from vecferry.sandbox.provider import provider_state, running
from vecferry.sandbox.weaviate_server import WeaviateServer

CACHE = Path(".vecferry/sandbox")
OBJECTS = 24
pytestmark = pytest.mark.timeout(240)

LOSSES: dict[str, tuple[Callable[[ScheduleWorld], None], dict[str, int]]] = {
    "writers_open_their_rows_afterwards": (real.an_application_dies_between_the_two_collections, {"stale": 1}),
    "without_the_read_back_of_the_shadow": (real.the_shadow_is_read_only_for_a_while, {"stale": 4}),
    "only_the_text_is_compared": (real.a_property_changes_and_the_text_does_not, {"stale": 1}),
    "unknown_live_writes_are_followed": (real.a_write_to_live_times_out_and_lands_later, {"stale": 1}),
    "ambiguous_live_writes_are_retried": (real.an_unanswered_write_lands_behind_a_newer_one, {"stale": 1}),
    "owners_do_not_fence_themselves": (real.a_paused_owner_wakes_when_others_have_gone_on, {"stale": 1}),
    "the_flip_ignores_the_journal": (real.an_application_dies_after_its_acknowledgement, {"stale": 1}),
}


@pytest.fixture(scope="module")
def parts(weaviate_server: WeaviateServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    corpus = build(CACHE / f"corpus-{DOCUMENTS}-{QUERIES}", documents=DOCUMENTS, queries=QUERIES).corpus
    forks = WarmForks(tmp_path_factory.mktemp("forks") / "forks.log")
    forks.launch()
    try:
        with running(provider_state(corpus, CACHE)) as provider:
            forks.wait_ready()
            yield Parts(weaviate_server, provider, forks, load_corpus(corpus)[:OBJECTS])
    finally:
        forks.stop()


@pytest.mark.parametrize("mutant", LOSSES)
def test_without_the_rule_it_is_lost_and_with_it_it_is_not(
    parts: Parts, postgres_server: PostgresServer, tmp_path: Path, mutant: str
) -> None:
    """Both at once, since each mostly waits for leases and janitors."""
    _, losses = LOSSES[mutant]
    ledgers = [postgres_server.fresh_database() if _on_postgres(mutant) else "" for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        without = pool.submit(_outcome, parts, tmp_path / "without", mutant, True, ledgers[0])
        with_it = pool.submit(_outcome, parts, tmp_path / "with", mutant, False, ledgers[1])
    assert _defects(with_it.result()) == {}, with_it.result().defects
    assert _defects(without.result()) == losses, without.result().defects
    assert all(defect.lines for defect in without.result().defects), "the lines that show it"


def _outcome(parts: Parts, folder: Path, mutant: str, dropped: bool, ledger: str) -> SeedOutcome:
    schedule, _ = LOSSES[mutant]
    name = f"Mutant{list(LOSSES).index(mutant)}{'Without' if dropped else 'With'}"
    with schedule_world(parts, folder, name, mutant if dropped else "", ledger) as world:
        schedule(world)
        return world.judged()


def _defects(outcome: SeedOutcome) -> dict[str, int]:
    return {kind: getattr(outcome, kind) for kind in MUST_BE_ZERO if getattr(outcome, kind)}


def _on_postgres(mutant: str) -> bool:
    """By turns, so that both ledgers lose and keep."""
    return list(LOSSES).index(mutant) % 2 == 1


# --- mutants as such


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_drops_something(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patched: list[str] = []

    class Noted(ForGood):
        def setattr(self, target: object, name: str, value: object) -> None:
            assert getattr(target, name) is not value
            patched.append(name)
            monkeypatch.setattr(target, name, value)

    mutant_of(name)(Noted())
    assert patched


def test_a_process_with_the_mutants_environment_is_the_mutant_and_so_is_what_it_starts() -> None:
    inner = "import vecferry.bootstrap; from vecferry.protocol.fence import Fence; print(Fence.check(None))"
    outer = f"import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', {inner!r}], text=True))"
    env = {**os.environ, **mutant_environment("owners_do_not_fence_themselves")}
    done = subprocess.run([sys.executable, "-c", outer], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
    assert "mutant owners_do_not_fence_themselves: 1 places" in done.stderr


def test_a_process_that_imports_nothing_of_the_product_pays_nothing_for_it() -> None:
    program = "import sys; print(any(name.startswith('vecferry') for name in sys.modules))"
    env = {**os.environ, **mutant_environment("owners_do_not_fence_themselves")}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_a_misspelt_mutant_is_refused() -> None:
    with pytest.raises(KeyError, match="there is no mutant 'x'; there are writers_open"):
        mutant_environment("x")


def test_a_mutant_of_what_is_no_longer_there_is_refused() -> None:
    with pytest.raises(AttributeError, match="drops nothing"):
        ForGood().setattr(object(), "gone", None)


def test_nothing_in_the_product_knows_the_variable() -> None:
    product = Path(__file__).parents[3] / "include"
    assert not [path for path in product.rglob("*.py") if VARIABLE in path.read_text(encoding="utf-8")]
