"""Which text each object had, and when it was replaced: only for objects of which every write was answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.nemesis.judge.seed_folder import SeedFolder
from vecferry.sandbox.checker.expectation import Content, after, is_write
from vecferry.sandbox.checker.vectors import text_of


@dataclass
class TextVersion:
    """``text`` is ``None`` for a deleted object (or one without text). ``replaced_at``: when a newer one was acknowledged."""

    text: str | None
    asked_at: float
    replaced_at: float | None = None


class TextVersions:
    def __init__(self, folder: SeedFolder) -> None:
        self._recipe: Sequence[str] = folder.seed["recipe"]
        self._versions: dict[str, list[TextVersion]] = {}
        self._contents: dict[str, Content] = {}
        self._unclear: set[str] = set()
        for row in folder.corpus:
            self._now(str(row["uuid"]), row["properties"], 0.0, 0.0)
        self._follow(folder)

    def known(self, uuid: str) -> bool:
        """Whether anybody ever wrote it, or tried to."""
        return uuid in self._versions or uuid in self._unclear

    def of(self, uuid: str) -> Sequence[TextVersion]:
        """Oldest first; none for an object with a write of unknown outcome."""
        return () if uuid in self._unclear else self._versions.get(uuid, ())

    def _follow(self, folder: SeedFolder) -> None:
        outcomes = {name: row for app in folder.apps for name, row in app.answers.items()}
        busy_until: dict[str, float] = {}
        for write in (row for row in folder.rows if is_write(row)):
            uuid, answer = write["uuid"], outcomes.get(write["id"])
            together = write["invoked"] < busy_until.get(uuid, 0.0)
            if answer is None or answer["outcome"] == "unknown" or together:
                self._unclear.add(uuid)
            elif answer["outcome"] == "ok":
                content = after(write, self._contents.get(uuid))
                self._now(uuid, content, float(write["invoked"]), float(answer["answered"]))
            busy_until[uuid] = float(answer["answered"]) if answer else float("inf")

    def _now(self, uuid: str, content: Content, asked_at: float, acknowledged_at: float) -> None:
        versions = self._versions.setdefault(uuid, [])
        text = (text_of(content, self._recipe) or None) if content is not None else None
        if versions and versions[-1].text != text:
            versions[-1].replaced_at = acknowledged_at
        if not versions or versions[-1].text != text:
            versions.append(TextVersion(text, asked_at))
        self._contents[uuid] = content
