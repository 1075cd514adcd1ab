"""Seeds side by side: a process a lane, each with servers of its own, which takes the next seed that nobody has taken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

MOST = 8
CORES_A_LANE = 2
SEEDS_A_LANE = 5
"""Below that, a lane's servers cost more time than they save."""
_CLAIMS = "claims"
_STOPS_WITHIN_S = 120


def usual(seeds: int) -> int:
    """A lane keeps a core busy, and what is late for want of another would look like a fault."""
    return max(1, min(MOST, (os.cpu_count() or 1) // CORES_A_LANE, seeds // SEEDS_A_LANE))


def claimed(seeds: Iterable[int], out: Path) -> Iterator[int]:
    """Each seed once over all lanes, in the order given."""
    for seed in seeds:
        (out / _CLAIMS).mkdir(parents=True, exist_ok=True)
        try:
            (out / _CLAIMS / str(seed)).mkdir()
        except FileExistsError:
            continue
        yield seed


def run(arguments: Sequence[str], lanes: int, out: Path) -> int:
    """The first that is not 0 of the lanes' exit codes. Interrupted, it ends them, and waits until their servers have ended."""
    for claim in (out / _CLAIMS).glob("*"):
        claim.rmdir()
    command = [sys.executable, "-m", "tests.faults.nemesis", *arguments, "--lane"]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for lane in range(1, lanes + 1):
            running.append(subprocess.Popen([*command, str(lane)], start_new_session=True))  # a Ctrl-C is ours to pass on
            _wait_for_a_claim(running[0], out)  # what all use, corpus and fitted models, has been built by then
        return next((code for code in [process.wait() for process in running] if code), 0)
    finally:
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(_STOPS_WITHIN_S)


def _wait_for_a_claim(first: subprocess.Popen[bytes], out: Path) -> None:
    while first.poll() is None and not any((out / _CLAIMS).glob("*")):
        time.sleep(0.2)
