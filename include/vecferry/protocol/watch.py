"""What one janitor remembers of the journal (rule 9): rows, and since when it has seen each of them unchanged."""

from __future__ import annotations

from collections.abc import Sequence

from vecferry.domain.journal import JournalRow
from vecferry.ports import Clock, Ledger

PAGE = 500
WINDOW = 20_000
"""Rows remembered at a time, some 5 MB: after an outage of hours there are a million."""
AT_ONCE = 4_000
"""Rows that a round takes on: it holds them in memory, and its owner's thread has other work."""
_FEW = 1_000
"""Up to here it costs nothing to look each second, from each router."""


class Watch:
    """Looks at the oldest rows. As they are closed, younger ones come into the window; rows that cannot be closed now are
    passed over once they had their turn, and come again when the end has been reached."""

    def __init__(self, ledger: Ledger, clock: Clock, *, takeover_s: float) -> None:
        self._ledger = ledger
        self._clock = clock
        self._takeover_s = takeover_s
        self.seen: dict[int, tuple[str, float]] = {}
        self._behind = 0
        self._had_their_turn: set[int] = set()
        self._look_at = float("-inf")

    def forget(self) -> None:
        self._begin_behind(0)
        self._look_at = float("-inf")

    @property
    def due(self) -> bool:
        """Whether a look could find anything to do. Many rows are looked at when the first of them could be stale."""
        return self._clock.monotonic() >= self._look_at

    def stale(self, migration_id: str) -> list[JournalRow]:
        """Looks once; up to ``AT_ONCE`` rows that are unchanged for ``takeover_s`` (T) on this janitor's own clock."""
        before, self.seen = self.seen, {}
        first, again = list[JournalRow](), list[JournalRow]()
        after, whole = self._behind, False
        while len(self.seen) < WINDOW:
            asked_at = self._clock.monotonic()
            page = self._ledger.rows(migration_id, limit=PAGE, after_id=after)
            if not page:
                whole = True
                break
            self._note(page, before)
            for row in self.unchanged_for_long(page, asked_at):
                (again if row.id in self._had_their_turn else first).append(row)
            del first[AT_ONCE:], again[AT_ONCE:]
            after = page[-1].id
        self._had_their_turn &= set(self.seen)
        if self._behind or not whole:
            self._pass_over(0 if whole else after)
        self._look_again()
        return (first + again)[:AT_ONCE]

    def changed(self, rows: Sequence[JournalRow]) -> None:
        """Our own claim counts as a change, for us too."""
        now = self._clock.monotonic()
        self.seen |= {row.id: (row.token, now) for row in rows}
        self._had_their_turn |= {row.id for row in rows}

    def unchanged_for_long(self, rows: Sequence[JournalRow], asked_at: float) -> list[JournalRow]:
        """``asked_at``: before they were read, while what is remembered counts from after: a slow ledger adds nothing to T."""
        return [row for row in rows if asked_at - self.seen[row.id][1] >= self._takeover_s]

    def _note(self, page: Sequence[JournalRow], before: dict[int, tuple[str, float]]) -> None:
        now = self._clock.monotonic()
        for row in page:
            token, since = before.get(row.id, (row.token, now))
            self.seen[row.id] = (row.token, since if token == row.token else now)
            if token != row.token:  # another janitor's claim
                self._had_their_turn.add(row.id)

    def _pass_over(self, to: int) -> None:
        """Where each row of the window had its turn and is still there: on to those behind it, at the end to the first."""
        if len(self._had_their_turn) == len(self.seen):
            self._begin_behind(to)

    def _begin_behind(self, row_id: int) -> None:
        self._behind = row_id
        self._had_their_turn.clear()
        self.seen.clear()

    def _look_again(self) -> None:
        self._look_at = float("-inf")
        if len(self.seen) > _FEW:
            now = self._clock.monotonic()
            first = min(since for _, since in self.seen.values())
            self._look_at = min(first + self._takeover_s, now + self._takeover_s / 4)
