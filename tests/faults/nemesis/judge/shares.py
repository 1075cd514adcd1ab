"""Which arm answered: the share that was asked for, sticky by key, and none by the shadow after a rollback."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.faults.nemesis.judge.outcome import Defect
from tests.faults.nemesis.judge.seed_folder import AT, SeedFolder
from vecferry.sandbox.checker.reading import Row

_BY_CHANCE = 1e-6
_ENOUGH_KEYS = 50
_ASKED_OF_THE_SHADOW = ("shadow_failed", "shadow_failing")
"""Reasons of live for having answered a query that was the shadow's."""


@dataclass
class _Keys:
    """One routing version: which keys the shadow was asked for, which live was, and a line for each."""

    shadow: dict[str, str] = field(default_factory=dict)
    live: dict[str, str] = field(default_factory=dict)


def wrong_shares(folder: SeedFolder) -> Iterator[Defect]:
    """Per routing version: nobody at 0%, everybody at 100%, between them what chance allows; a key keeps its arm."""
    percents = {row["routing_version"]: float(row["percent"]) for row in folder.routings}
    for version, keys in sorted(_by_version(folder).items()):
        for key in sorted(keys.shadow.keys() & keys.live.keys()):
            where = (keys.shadow[key], keys.live[key])
            yield Defect("wrong_share", f"version {version} {key}", "asked of both arms", where)
        if version in percents:
            yield from _unlike_asked(version, keys, percents[version])


def served_after_rollback(folder: SeedFolder) -> Iterator[Defect]:
    """Begun after the rollback was acknowledged by all, before it was reopened (or another attempt served)."""
    for row in folder.phases:
        if row.get("acknowledged_at"):
            until = _serves_again_at(folder.routings, row)
            for app in folder.apps:
                for search in app.searches:
                    if search["ok"] and search.get("arm") == "shadow" and row["acknowledged_at"] < search["invoked"] < until:
                        late = search["invoked"] - row["acknowledged_at"]
                        what = f"answered by the shadow {late:.2f} s after the rollback was acknowledged"
                        yield Defect("shadow_after_rollback", f"{app.name} {search['invoked']:.3f}", what, (search[AT],))


def _by_version(folder: SeedFolder) -> dict[int, _Keys]:
    found: dict[int, _Keys] = defaultdict(_Keys)
    for app in folder.apps:
        for row in app.searches:
            asked = _asked(row)
            if asked:
                getattr(found[row["version"]], asked).setdefault(row["key"], row[AT])
    return found


def _asked(row: Row) -> str:
    """The arm that the routing chose; empty where something else than the percent decided."""
    if not row["ok"]:
        return ""
    reason = str(row.get("reason", ""))
    if row["arm"] == "shadow" or reason.startswith(_ASKED_OF_THE_SHADOW):
        return "shadow"
    return "live" if reason == "percent" else ""


def _unlike_asked(version: int, keys: _Keys, percent: float) -> Iterator[Defect]:
    served, total = len(keys.shadow), len(keys.shadow) + len(keys.live)
    certain = percent in (0, 100)
    if total < (1 if certain else _ENOUGH_KEYS) or _chance(served, total, percent / 100) >= _BY_CHANCE:
        return
    odd = keys.live if percent == 100 else keys.shadow
    what = f"{served} of {total} keys went to the shadow, {percent:g}% were asked for"
    yield Defect("wrong_share", f"version {version}", what, tuple(odd.values())[:3])


def _chance(served: int, total: int, share: float) -> float:
    """Of so few, or of so many, whichever is less, if ``share`` holds: the smaller tail of the binomial distribution."""
    if share in (0.0, 1.0):
        return float(served == total * share)
    terms = [_log_term(k, total, share) for k in range(total + 1)]
    below, above = terms[: served + 1], terms[served:]
    return min(sum(map(math.exp, below)), sum(map(math.exp, above)))


def _log_term(k: int, total: int, share: float) -> float:
    ways = math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1)
    return ways + k * math.log(share) + (total - k) * math.log1p(-share)


def _serves_again_at(routings: Sequence[Row], rolled_back: Row) -> float:
    later = (float(row["at"]) for row in routings if row["at"] > rolled_back["at"] and (row.get("percent") or 0) > 0)
    return next(later, math.inf)
