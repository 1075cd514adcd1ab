"""One seed, judged: every promise against the histories, the servers that still run, and what the provider billed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.faults.nemesis.judge import failures, stored
from tests.faults.nemesis.judge.answers import Answers, judge_answers
from tests.faults.nemesis.judge.outcome import MUST_BE_ZERO, SHOWN_OF_A_KIND, Defect, SeedOutcome
from tests.faults.nemesis.judge.pauses import longest_read_pause_s, longest_write_hold_s
from tests.faults.nemesis.judge.payments import Payments, judge_payments
from tests.faults.nemesis.judge.seed_folder import SeedFolder
from tests.faults.nemesis.judge.shares import served_after_rollback, wrong_shares
from vecferry.sandbox.checker.weaviate_rest import WeaviateRest


def judge_seed(folder: Path) -> SeedOutcome:
    """Reads the folder, Weaviate (by plain REST) and the provider; nobody may write meanwhile. Also writes ``outcome.json``.

    What it cannot look at counts as a defect of the kind ``unfinished``, never as nothing found.
    """
    seed = SeedFolder.read(folder)
    found = [*_unfinished(seed), *stored.before_retire(seed), *_of_histories(seed)]
    there, answers, payments = _Stored(), Answers(), judge_payments(seed)
    try:
        there = _look(seed)
        answers = judge_answers(seed)
    except (RuntimeError, OSError, httpx.HTTPError, KeyError) as error:
        found.append(Defect("unfinished", "judge", f"it could not look: {type(error).__name__}: {error}"))
    if seed.apps and not answers.judged:
        found.append(Defect("unfinished", "searches", "no answer had a score that could be judged"))
    found += [*there.defects, *answers.defects, *payments.double_paid]
    outcome = _outcome(seed, found, answers, there, payments)
    outcome.write(folder)
    return outcome


@dataclass
class _Stored:
    """What Weaviate showed."""

    version: str = ""
    objects: int = 0
    defects: list[Defect] = field(default_factory=list)


def _unfinished(seed: SeedFolder) -> Iterator[Defect]:
    """A run that stopped half-way, or in which nothing happened, has shown nothing."""
    if not seed.seed["ended"]:
        yield Defect("unfinished", "run", str(seed.seed.get("failure") or "it did not come to its end"))
    for log, text in seed.seed.get("tracebacks", ()):
        yield Defect("unfinished", str(log), f"a traceback in its log: {str(text)[-300:]}")
    happened = {
        "an acknowledged write": any(row["outcome"] == "ok" for app in seed.apps for row in app.answers.values()),
        "an answered search": any(row["ok"] for app in seed.apps for row in app.searches),
        "a control call that succeeded": any(row["ok"] for app in seed.apps for row in app.controls),
    }
    for what in (what for what, there in happened.items() if not there):
        yield Defect("unfinished", what, "not in any of the histories")


def _of_histories(seed: SeedFolder) -> Iterator[Defect]:
    for app in seed.apps:
        yield from failures.unexcused(app)
    yield from wrong_shares(seed)
    yield from served_after_rollback(seed)


def _look(seed: SeedFolder) -> _Stored:
    weaviate = WeaviateRest(seed.seed["weaviate_url"])
    try:
        objects = list(weaviate.objects(seed.authority))
        found = list(stored.of_the_authority(seed, weaviate, objects))
        if seed.authority != seed.live and seed.live in weaviate.collections():
            found += stored.left_behind(seed, list(weaviate.objects(seed.live)), objects)
        return _Stored(weaviate.version(), len(objects), found)
    finally:
        weaviate.close()


def _outcome(seed: SeedFolder, found: Iterable[Defect], answers: Answers, there: _Stored, payments: Payments) -> SeedOutcome:
    defects = list({(defect.kind, defect.subject): defect for defect in found}.values())
    counts = Counter(defect.kind for defect in defects)
    given = seed.seed
    times = [float(row["invoked"]) for app in seed.apps for row in (*app.searches, *app.writes)]
    return SeedOutcome(
        seed=given["seed"],
        ledger=given["ledger"],
        runner=given["runner"],
        **{kind: counts[kind] for kind in MUST_BE_ZERO},
        forgotten=counts["forgotten"],
        re_embedded=payments.re_embedded,
        excused_queries=sum(failures.excused(app) for app in seed.apps),
        unjudged_answers=answers.unjudged,
        judged_answers=answers.judged,
        worst_staleness_s=answers.worst_staleness_s,
        longest_read_pause_s=_longest(longest_read_pause_s(app) for app in seed.apps),
        longest_write_hold_s=_longest(longest_write_hold_s(app) for app in seed.apps),
        objects=there.objects,
        queries=sum(len(app.searches) for app in seed.apps),
        writes=sum(len(app.writes) for app in seed.apps),
        began=min(times, default=0.0),
        ended=max(times, default=0.0),
        longest_stall_s=float(given.get("longest_stall_s") or 0.0),
        quarantine_s=float(given.get("quarantine_s") or 0.0),
        weaviate=there.version,
        commit=str(given.get("commit") or ""),
        injections=seed.injections,
        defects=tuple(_some_of_each(defects)),
    )


def _longest(seconds: Iterable[float]) -> float:
    return round(max(seconds, default=0.0), 3)


def _some_of_each(defects: Iterable[Defect]) -> Iterator[Defect]:
    shown: Counter[str] = Counter()
    for defect in defects:
        shown[defect.kind] += 1
        if shown[defect.kind] <= SHOWN_OF_A_KIND:
            yield defect
