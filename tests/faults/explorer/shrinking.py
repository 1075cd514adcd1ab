"""A failing schedule without what it does not need."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.explorer.running import DOES, Outcome, replay
from tests.faults.explorer.scenarios import Scenario

_MOST_REPLAYS = 1_500


class Shrinker:
    """Removes entries in halves, quarters … single ones, as long as the replay still breaks a promise.

    Which one may change on the way: a shorter failure is the better one.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._left = _MOST_REPLAYS

    def shrunk(self, failing: Outcome) -> Outcome:
        """Replays strictly: every entry of it is possible, and needed."""
        best = list(failing.schedule)
        before: list[str] = []
        while best != before and self._left > 0:
            before = best
            best = self._without_operations(self._without_chunks(best))
        return replay(self._scenario, self._possible(best), strict=True)

    def _without_chunks(self, schedule: list[str]) -> list[str]:
        size = max(1, len(schedule) // 2)
        while True:
            at = 0
            while at < len(schedule):
                shorter = schedule[:at] + schedule[at + size :]
                if self._fails(shorter):
                    schedule = shorter
                else:
                    at += size
            if size == 1:
                return schedule
            size //= 2

    def _without_operations(self, schedule: list[str]) -> list[str]:
        for number, entry in enumerate(schedule):
            if DOES not in entry:
                continue
            name, work = entry.split(DOES)
            for shorter in _one_less(work.split(", ") if work else []):
                changed = [*schedule[:number], f"{name}{DOES}{', '.join(shorter)}", *schedule[number + 1 :]]
                if self._fails(changed):
                    schedule = changed
                    break
        return schedule

    def _possible(self, schedule: list[str]) -> list[str]:
        """What a lenient replay did not skip."""
        return replay(self._scenario, schedule, strict=False).schedule

    def _fails(self, schedule: Sequence[str]) -> bool:
        self._left -= 1
        return self._left > 0 and bool(replay(self._scenario, schedule, strict=False).broken)


def _one_less(work: list[str]) -> list[list[str]]:
    return [work[:i] + work[i + 1 :] for i in range(len(work))]
