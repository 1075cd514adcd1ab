"""The demo's folder: what lies where, and that one demo at a time uses it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vecferry.errors import NeedsPerson

_MARK = "made-by-vecferry-demo"


@dataclass(frozen=True)
class DemoFolder:
    """``root`` is ``.vecferry/demo``; the fitted models are kept beside it, since fitting takes a minute."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root.parent / "sandbox"

    @property
    def corpus(self) -> Path:
        return self.root / "corpus.jsonl"

    @property
    def golden(self) -> Path:
        return self.root / "golden.jsonl"

    @property
    def models(self) -> Path:
        return self.root / "models.toml"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.db"

    @property
    def weaviate(self) -> Path:
        return self.root / "weaviate"

    @property
    def airflow(self) -> Path:
        return self.root / "airflow"

    @property
    def dags(self) -> Path:
        return self.root / "dags"

    @property
    def history(self) -> Path:
        return self.root / "history.jsonl"

    @property
    def control(self) -> Path:
        return self.root / "control"

    @property
    def report_json(self) -> Path:
        return self.root / "report.json"

    @property
    def report_html(self) -> Path:
        return self.root / "report.html"

    @property
    def elapsed(self) -> Path:
        return self.root / "elapsed.json"

    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"


@contextmanager
def taken(root: Path) -> Iterator[DemoFolder]:
    """An empty folder, held until the block ends. Raises ``NeedsPerson`` naming the process of another demo that holds it."""
    root = root.absolute()
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_name(root.name + ".lock").open("a+") as lock:
        _hold(lock.fileno(), root)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _empty(root)
        yield DemoFolder(root)  # The kernel lets go of the lock when the file is closed or the process dies.


def _hold(descriptor: int, root: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(descriptor, 20, 0).decode() or "unknown"
        raise NeedsPerson(
            f"another demo runs here, as process {pid}",
            where=str(root),
            next_action=f"End it with Ctrl-C in its terminal (or: kill {pid}), or run this one in another clone.",
        ) from None


def _empty(root: Path) -> None:
    """Only what an earlier demo made is removed: a folder of somebody else's files is refused."""
    if root.exists() and any(root.iterdir()):
        if not (root / _MARK).exists():
            raise NeedsPerson("this folder holds files that are not the demo's", where=str(root), next_action="Move them away.")
        shutil.rmtree(root)
    root.mkdir(exist_ok=True)
    (root / _MARK).touch()
