"""Compile the Weaviate server from its published Go module: for machines that reach no release."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from vecferry.errors import BadInput, VecferryError
from vecferry.sandbox.processes import ChildProcess

MODULE = "github.com/weaviate/weaviate/cmd/weaviate-server"
DEADLINE_S = 45 * 60
TELL_EVERY_S = 30


def build_with_go(version: str, folder: Path, say: Callable[[str], None]) -> None:
    """Leave the program in ``folder / "weaviate-server"``. Takes about 6 minutes and 4 GB of Go's caches, once."""
    go = shutil.which("go")
    if go is None:
        raise BadInput("there is no 'go' command on PATH")
    # -w: no debug information, as in the official release.
    command = [go, "install", "-ldflags=-w", f"{MODULE}@v{version}"]
    env = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
    # A ChildProcess: whoever interrupts the wait does not leave a compiler behind that loads the machine.
    build = ChildProcess("go install", command, log=folder / "go.log", env=env, cwd=folder)
    build.launch()
    try:
        _watch(build, say)
    finally:
        build.stop()


def _watch(build: ChildProcess, say: Callable[[str], None]) -> None:
    started = time.monotonic()
    told_at = -float(TELL_EVERY_S)
    while build.is_running():
        elapsed_s = time.monotonic() - started
        if elapsed_s > DEADLINE_S:
            raise BadInput(f"not done after {DEADLINE_S / 60:.0f} minutes:\n{build.log_tail()}")
        if elapsed_s - told_at >= TELL_EVERY_S:
            told_at = elapsed_s
            say(f"go install {MODULE}: {elapsed_s:.0f} s; compiling: this happens once, ~6 minutes on 2 cores")
        time.sleep(0.2)
    if build.exit_code != 0:
        raise VecferryError(f"exit code {build.exit_code}:\n{build.log_tail()}")
