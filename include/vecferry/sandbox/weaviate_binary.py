"""Find the Weaviate server program, or get it: from the environment, the cache, the official release, or its source."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from vecferry.errors import BadInput, VecferryError
from vecferry.sandbox.weaviate_build import build_with_go
from vecferry.sandbox.weaviate_download import download_release

VERSION = "1.39.0"
ENV = "WEAVIATE_BINARY"
Say = Callable[[str], None]
Fetch = Callable[[str, Path, Say], None]  # (version, folder to put the file "weaviate-server" into, progress)
SOURCES: Mapping[str, Fetch] = {"official release": download_release, "go install": build_with_go}


def say_on_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def find_weaviate_binary(
    *,
    environ: Mapping[str, str] = os.environ,
    sources: Mapping[str, Fetch] = SOURCES,
    runs: Callable[[Path], None] | None = None,
    say: Say = say_on_stderr,
) -> Path:
    """The path of an executable Weaviate server, version 1.39.0.

    Order: ``WEAVIATE_BINARY``, the cache, then each of ``sources``; what a source delivers must pass ``runs`` before it
    is moved into the cache. Raises ``BadInput`` that lists what was tried and why each failed.
    """
    if named := environ.get(ENV):
        return _checked(Path(named))
    cached = cache_path(environ)
    if cached.exists():
        return cached
    with _one_at_a_time(cached.with_name(cached.name + ".lock"), say):
        if not cached.exists():  # Another run may have put it there while this one waited.
            _fetch(cached, sources, runs or answers_help, say)
    return cached


def cache_path(environ: Mapping[str, str] = os.environ) -> Path:
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home()) / ".cache"
    return Path(base) / "vecferry" / f"weaviate-server-v{VERSION}"


def answers_help(binary: Path) -> None:
    """Raise ``BadInput`` unless the file is a Weaviate server that this machine can execute."""
    try:
        answer = subprocess.run([binary, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BadInput(f"what arrived does not run here: {error}", where=str(binary)) from error
    if "Weaviate" not in answer:
        raise BadInput("what arrived is not a Weaviate server", where=str(binary))


def _checked(named: Path) -> Path:
    if not (named.is_file() and os.access(named, os.X_OK)):
        raise BadInput(
            f"{ENV} does not name an executable file",
            where=str(named),
            next_action=f"Correct it, or unset it to use the cache or a download of {VERSION}.",
        )
    return named.absolute()


def _fetch(cached: Path, sources: Mapping[str, Fetch], runs: Callable[[Path], None], say: Say) -> None:
    failures = [f"{ENV}: not set", f"cache: no {cached}"]
    for source, fetch in sources.items():
        # A folder beside the cached file: the move is then a rename, and nobody ever sees half a program.
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=cached.parent) as folder:
            arrived = Path(folder) / "weaviate-server"
            try:
                fetch(VERSION, Path(folder), say)
                arrived.chmod(0o755)
                runs(arrived)
            except (VecferryError, OSError) as error:
                failures.append(f"{source}: {error}")
                say(f"weaviate {VERSION}: {failures[-1]}")
                continue
            arrived.replace(cached)
            say(f"weaviate {VERSION}: {source} -> {cached}")
            return
    raise BadInput(
        "no source has it:\n" + "".join(f"  - {failure}\n" for failure in failures),
        where=f"Weaviate server {VERSION}",
        next_action=f"Set {ENV} to a server program, or install Go (1.26 or newer) and run this again.",
    )


@contextlib.contextmanager
def _one_at_a_time(lock: Path, say: Say, poll_s: float = 1.0) -> Iterator[None]:
    """Hold a file lock: the second of two runs waits for the first one's download or build instead of repeating it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        waited_s = 0.0
        while not _try_lock(handle.fileno()):
            if waited_s % 30 == 0:
                say(f"weaviate {VERSION}: another run is getting it; waiting ({waited_s:.0f} s)")
            time.sleep(poll_s)
            waited_s += poll_s
        yield  # Closing the file, or the death of the process, releases the lock.


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    print(find_weaviate_binary())
