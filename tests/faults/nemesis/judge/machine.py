"""Where a run was measured: a table without that says little."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.faults.nemesis.judge.outcome import SeedOutcome

_PACKAGES = ("vecferry", "weaviate-client", "apache-airflow")


def described(outcomes: Sequence[SeedOutcome]) -> dict[str, str]:
    """Words for people: date, commit, machine, versions, seeds, duration."""
    servers = sorted({outcome.weaviate for outcome in outcomes if outcome.weaviate})
    names = [f"Python {platform.python_version()}", *(f"Weaviate {name}" for name in servers)]
    ended = max((outcome.ended for outcome in outcomes), default=0.0)
    return {
        "date": datetime.fromtimestamp(ended, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": ", ".join(sorted({outcome.commit for outcome in outcomes if outcome.commit})) or "unknown",
        "machine": f"{os.cpu_count()} cores, {_memory_gib():.0f} GiB, {platform.system()} {platform.machine()}",
        "versions": ", ".join(names + [f"{name} {found}" for name in _PACKAGES if (found := _version(name))]),
        "seeds": f"{_ranges([outcome.seed for outcome in outcomes])} ({len(outcomes)})",
        "ledgers": _counted(outcome.ledger for outcome in outcomes),
        "runners": _counted(outcome.runner for outcome in outcomes),
        "duration": f"{sum(outcome.took_s or outcome.ended - outcome.began for outcome in outcomes) / 60:.1f} minutes",
        "traffic": f"{sum(o.writes for o in outcomes):,} writes and {sum(o.queries for o in outcomes):,} searches "
        f"({sum(o.judged_answers for o in outcomes):,} judged by score, {sum(o.excused_queries for o in outcomes):,} failed "
        f"while a plain client failed too; {sum(o.forgotten for o in outcomes)} objects forgotten by a killed server's index)",
    }


def in_one_line(outcomes: Sequence[SeedOutcome]) -> str:
    told = described(outcomes)
    named = {"commit": "commit {}", "seeds": "seeds {}", "ledgers": "ledger: {}", "runners": "runner: {}"}
    order = ("date", "commit", "machine", "seeds", "duration", "ledgers", "runners", "versions", "traffic")
    return " · ".join(named.get(name, "{}").format(told[name]) for name in order) + "."


def _counted(names: Iterable[str]) -> str:
    """``postgresql 2, sqlite 1``."""
    return ", ".join(f"{name} {count}" for name, count in sorted(Counter(names).items()))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _memory_gib() -> float:
    """The container's limit where there is one, else the machine's."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return min(total, int(text) if text.isdigit() else total) / 2**30


def _ranges(numbers: Sequence[int]) -> str:
    """``1–3, 7``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
