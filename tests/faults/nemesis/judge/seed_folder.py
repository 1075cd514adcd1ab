"""What the harness left of one seed, read once; every row of a history knows where it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.faults.nemesis.judge.outcome import Injection
from vecferry.sandbox.checker.expectation import is_write
from vecferry.sandbox.checker.provider_rest import Model
from vecferry.sandbox.checker.reading import Row, numbered_lines, read_lines

AT = "judge_line"
"""The key under which a row of a history carries its place: ``app-0.jsonl:12``."""


@dataclass(frozen=True)
class AppHistory:
    """One application's rows, in the order of its file."""

    name: str
    rows: Sequence[Row]

    @cached_property
    def searches(self) -> list[Row]:
        return sorted((row for row in self.rows if row.get("op") == "search"), key=lambda row: row["invoked"])

    @cached_property
    def controls(self) -> list[Row]:
        return sorted((row for row in self.rows if row.get("op") == "control"), key=lambda row: row["invoked"])

    @cached_property
    def writes(self) -> list[Row]:
        return [row for row in self.rows if is_write(row)]

    @cached_property
    def answers(self) -> dict[str, Row]:
        """Write id → its second line, where there is one."""
        return {row["id"]: row for row in self.rows if "outcome" in row}


@dataclass(frozen=True)
class SeedFolder:
    path: Path
    seed: Mapping[str, Any]
    apps: Sequence[AppHistory]

    @classmethod
    def read(cls, path: Path) -> SeedFolder:
        seed = json.loads((path / "seed.json").read_text(encoding="utf-8"))
        apps = [AppHistory(name, _located(path / name)) for name in seed["histories"] if (path / name).exists()]
        return cls(path, seed, apps)

    @cached_property
    def corpus(self) -> list[Row]:
        return read_lines(self.path / self.seed["corpus"])

    @cached_property
    def rows(self) -> list[Row]:
        """Of all applications, writes only, in the order of time; a file's own order decides where times are equal."""
        return sorted((row for app in self.apps for row in app.rows if is_write(row) or "outcome" in row), key=_time)

    @cached_property
    def phases(self) -> list[Row]:
        return sorted(self._lines("phases.jsonl"), key=lambda row: row["at"])

    @cached_property
    def routings(self) -> list[Row]:
        """Of ``phases``, those that a routing version wrote; the others are events, which say nothing new of the routing."""
        return [row for row in self.phases if str(row.get("event", "routing")).startswith("routing")]

    @cached_property
    def stages(self) -> list[Row]:
        return self._lines("stages.jsonl")

    @cached_property
    def injected(self) -> list[Row]:
        return self._lines("injections.jsonl")

    @cached_property
    def embeds(self) -> list[Row]:
        return sorted(self._lines("embeds.jsonl"), key=lambda row: row["at"])

    @cached_property
    def before_retire(self) -> Mapping[str, Any] | None:
        """What :mod:`vecferry.sandbox.checker` saw on both sides just before the flip."""
        return self._counted("before_retire.json")

    @cached_property
    def after_retire(self) -> Mapping[str, Any] | None:
        """What searches found then. ``None`` if the run did not come so far."""
        return self._counted("after_retire.json")

    def _counted(self, name: str) -> Mapping[str, Any] | None:
        path = self.path / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    @property
    def injections(self) -> tuple[Injection, ...]:
        """Those that were planned and never came to be too: nobody witnessed them."""
        done = {row["id"] for row in self.injected}
        missed = [row for row in self.seed.get("injections", ()) if row["id"] not in done]
        return tuple(
            Injection(row["fault"], row["phase"], str(row.get("target", "")), bool(row.get("witnessed")))
            for row in (*self.injected, *missed)
        )

    @property
    def live(self) -> str:
        return str(self.seed["live"])

    @property
    def shadows(self) -> list[str]:
        """The last attempt's first; those of attempts that were discarded behind it."""
        return [name for name in (self.seed.get("shadow"), *self.seed.get("dropped", ())) if name]

    @property
    def authority(self) -> str:
        """The collection that holds the truth at the end, by the last routing that was seen."""
        names = [row["authority"] for row in self.phases if row.get("authority")]
        return str(names[-1]) if names else self.live

    def model(self, collection: str) -> Model:
        given = self.seed["models"]["old" if collection == self.live else "new"]
        return Model(given["name"], given["api"], given["base_url"], given["api_key"])

    def _lines(self, name: str) -> list[Row]:
        path = self.path / name
        return read_lines(path) if path.exists() else []


def lines_of(uuid: str, rows: Sequence[Row]) -> tuple[str, ...]:
    """Where the histories speak of one object: its writes and their answers."""
    writes = {row["id"]: row for row in rows if is_write(row) and row["uuid"] == uuid}
    return tuple(row[AT] for row in rows if row.get("id") in writes)


def _located(path: Path) -> list[Row]:
    return [{**row, AT: f"{path.name}:{number}"} for number, row in numbered_lines(path)]


def _time(row: Row) -> float:
    return float(row["answered"] if "outcome" in row else row["invoked"])
