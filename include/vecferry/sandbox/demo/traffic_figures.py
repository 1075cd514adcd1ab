"""What users noticed, from the application's own history."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
_SHADOW = "shadow"


@dataclass(frozen=True)
class Traffic:
    """``writes`` are one row each: the line before and the line after, joined."""

    searches: Sequence[Row]
    writes: Sequence[Row]

    @property
    def queries_failed(self) -> int:
        return sum(not row["ok"] for row in self.searches)

    def complaints(self) -> list[str]:
        """The different errors that users and writers were given, with how often."""
        failed = [row.get("error", "") for row in (*self.searches, *self.writes)]
        return [f"{count}× {error}" for error, count in Counter(error for error in failed if error).most_common()]

    @property
    def writes_unknown(self) -> int:
        return sum(row.get("outcome", "unknown") == "unknown" for row in self.writes)

    def served(self, version: int) -> tuple[int, float]:
        """(queries, share of them that the shadow answered) under one routing version."""
        answered = [row for row in self.searches if row["ok"] and row["version"] == version]
        shadow = sum(row["arm"] == _SHADOW for row in answered)
        return len(answered), shadow / len(answered) if answered else 0.0

    def last_served_by_shadow(self, since: float, until: float) -> float | None:
        """When the shadow's last answer between the two instants was given."""
        answers = [
            row["answered"]
            for row in self.searches
            if row["ok"] and row["arm"] == _SHADOW and since <= row["answered"] and row["invoked"] <= until
        ]
        return max(answers, default=None)

    def longest_write_s(self, since: float, until: float) -> float:
        """Of the writes that were under way between the two instants."""
        took = [w["answered"] - w["invoked"] for w in self.writes if w.get("answered", 0) >= since and w["invoked"] <= until]
        return max(took, default=0.0)


def read(history: Path) -> Traffic:
    with history.open(encoding="utf-8") as lines:
        return collect(json.loads(line) for line in lines if line.endswith("\n"))


def collect(rows: Iterable[Row]) -> Traffic:
    searches: list[Row] = []
    writes: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.get("op") == "search":
            searches.append(row)
        else:
            # The content is the checker's matter, and most of the file.
            writes.setdefault(row["id"], {}).update({name: value for name, value in row.items() if name != "content"})
    return Traffic(searches, list(writes.values()))
