"""What the supervisor promises: nothing of a server survives its stop, or the death of whoever started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vecferry.errors import NeedsPerson, Retryable
from vecferry.sandbox.guarded_exec import session_members
from vecferry.sandbox.processes import LOOPBACK, ChildProcess, free_port_runs, free_ports
from vecferry.sandbox.wait_until import wait_until

linux_only = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
# A server that forks a helper into a process group of its own, as Airflow does with its tasks.
FORKING = """
import os, time
if os.fork() == 0:
    os.setpgid(0, 0)
print("up", flush=True)
time.sleep(600)
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


def python(tmp_path: Path, source: str, *, ups: int = 1, **options: object) -> ChildProcess:
    log = tmp_path / "child.log"
    options = {"grace_s": 5, "deadline_s": 20, "awaited": "it to say up"} | options
    return ChildProcess(
        "the child",
        [sys.executable, "-c", source],
        log=log,
        ready=lambda: log.exists() and log.read_text().count("up") >= ups,
        **options,  # type: ignore[arg-type]
    )


@linux_only
def test_stop_ends_forked_helpers_in_groups_of_their_own_too(tmp_path: Path) -> None:
    child = python(tmp_path, FORKING, ups=2).start()
    assert len(child.members()) == 3, "the server, its helper and the guardian"
    child.stop()
    assert child.members() == []
    assert child.exit_code == -signal.SIGTERM


def test_what_ignores_the_stop_signal_is_killed_after_the_grace(tmp_path: Path) -> None:
    child = python(tmp_path, STUBBORN, grace_s=0.3).start()
    child.stop()
    assert child.exit_code == -signal.SIGKILL
    assert child.members() == []


def test_a_polite_server_is_not_killed(tmp_path: Path) -> None:
    child = python(tmp_path, "import time; print('up', flush=True); time.sleep(600)").start()
    child.stop()
    assert child.exit_code == -signal.SIGTERM


@linux_only
def test_everything_dies_with_a_starter_that_is_killed(tmp_path: Path) -> None:
    starter = f"""
import time
from pathlib import Path
from tests.unit.test_processes import FORKING, python
child = python(Path({str(tmp_path)!r}), FORKING, ups=2).start()
print(child.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        session = int(parent.stdout.readline())
        assert len(session_members(session)) == 3
        parent.kill()
    wait_until(lambda: not session_members(session), awaited="the end of the orphans", deadline_s=10)


@linux_only
def test_a_frozen_server_dies_with_its_starter_too(tmp_path: Path) -> None:
    starter = f"""
import os, signal
from pathlib import Path
from tests.unit.test_processes import FORKING, python
child = python(Path({str(tmp_path)!r}), FORKING, ups=2).start()
child.freeze()
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True, timeout=60)
    session = int(done.stdout)
    wait_until(lambda: not session_members(session), awaited="the end of the orphans", deadline_s=10)


def test_a_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    child = python(tmp_path, FORKING, ups=2)
    thread = threading.Thread(target=child.start)
    thread.start()
    thread.join()
    assert child.is_running()
    child.stop()


@linux_only
def test_a_fork_of_the_starter_does_not_keep_the_server_alive(tmp_path: Path) -> None:
    starter = f"""
import os, signal, time
from pathlib import Path
from tests.unit.test_processes import FORKING, python
child = python(Path({str(tmp_path)!r}), FORKING, ups=2).start()
forked = os.fork()
if forked == 0:
    time.sleep(600)
print(child.pid, forked, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        session, forked = map(int, parent.stdout.readline().split())
        try:
            wait_until(lambda: not session_members(session), awaited="the end of the orphans", deadline_s=10)
        finally:
            os.kill(forked, signal.SIGKILL)


def test_the_error_names_the_process_what_was_awaited_and_its_last_words(tmp_path: Path) -> None:
    child = python(tmp_path, "print('no space left'); raise SystemExit(3)", awaited="a miracle")
    with pytest.raises(NeedsPerson) as error:
        child.start()
    for part in ("the child", "exit code 3", "a miracle", "no space left", str(child.log)):
        assert part in str(error.value)


def test_a_server_that_never_becomes_ready_is_ended(tmp_path: Path) -> None:
    child = python(tmp_path, "import time; print('trying', flush=True); time.sleep(600)", deadline_s=0.5)
    with pytest.raises(NeedsPerson, match=r"waited 0.5 s for it to say up(.|\n)*trying"):
        child.start()
    assert child.members() == []


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    child = ChildProcess("ghost", ["/no/such/program"], log=tmp_path / "log", ready=lambda: False)
    with pytest.raises(NeedsPerson, match="/no/such/program"):
        child.start()


def test_restart_is_a_new_process_and_appends_to_the_log(tmp_path: Path) -> None:
    with python(tmp_path, "import time; print('up', flush=True); time.sleep(600)") as child:
        first = child.pid
        child.restart()
        assert child.pid != first
        wait_until(lambda: child.log.read_text().count("up") == 2, awaited="two starts in the log", deadline_s=10)


def test_freeze_and_resume(tmp_path: Path) -> None:
    source = "import time\nwhile True: print('up', flush=True); time.sleep(0.02)"
    with python(tmp_path, source) as child:
        child.freeze()
        wait_until(lambda: _stands_still(child), awaited="a log that no longer grows", deadline_s=10)
        size = child.log.stat().st_size
        child.resume()
        wait_until(lambda: child.log.stat().st_size > size, awaited="a log that grows again", deadline_s=10)


def _stands_still(child: ChildProcess) -> bool:
    before = child.log.stat().st_size
    threading.Event().wait(0.2)
    return child.log.stat().st_size == before


def test_wait_exit_returns_the_exit_code(tmp_path: Path) -> None:
    child = python(tmp_path, "raise SystemExit(7)")
    child.launch()
    assert child.wait_exit(20) == 7


def test_wait_until_says_what_was_awaited_and_what_is_known() -> None:
    with pytest.raises(Retryable, match=r"waited 0 s for rain, in vain\nclouds: 3"):
        wait_until(lambda: None, awaited="rain", deadline_s=0, so_far=lambda: "clouds: 3")


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports:
        with socket.socket() as listener:
            listener.bind((LOOPBACK, port))


def test_port_runs_are_consecutive_and_do_not_overlap() -> None:
    runs = free_port_runs([2, 2, 3])
    assert [len(run) for run in runs] == [2, 2, 3]
    assert all(run == list(range(run[0], run[0] + len(run))) for run in runs)
    assert len({port for run in runs for port in run}) == 7
