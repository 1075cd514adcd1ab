"""Start, watch and end a server as a child process, with everything that it starts in turn."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from vecferry.errors import NeedsPerson, Retryable
from vecferry.sandbox import guarded_exec
from vecferry.sandbox.wait_until import wait_until

LOOPBACK = "127.0.0.1"
_guarding: weakref.WeakSet[ChildProcess] = weakref.WeakSet()


class ChildProcess:
    """One server and all that it forks, in a session of its own, its output appended to ``log``.

    It is killed when this process ends in whatever way, ``kill -9`` included. ``ready`` says whether it serves yet;
    ``ports`` are those that it will listen on; ``user`` is the account to run it as (root only); times are seconds.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        ready: Callable[[], bool] = lambda: True,
        awaited: str = "it runs",
        deadline_s: float = 60,
        ports: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace_s: float = 15,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._ready = ready
        self._awaited = awaited
        self._deadline_s = deadline_s
        self._ports = tuple(ports)
        self._env = None if env is None else dict(env)
        self._cwd = cwd
        self._user = user or guarded_exec.NOBODY_ELSE
        self._stop_signal = stop_signal
        self._grace_s = grace_s
        self._popen: subprocess.Popen[bytes] | None = None
        self._leash: int | None = None

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return None if self._popen is None else self._popen.poll()

    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def members(self) -> list[int]:
        """The ids of all its live processes; empty once it is gone without a rest."""
        return [] if self._popen is None else guarded_exec.session_members(self._popen.pid)

    def start(self) -> Self:
        """Start it and wait until it serves; if it does not, stop it and raise ``NeedsPerson`` with its last words."""
        self.launch()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def launch(self) -> None:
        """Start it without waiting, so that several can come up together."""
        if self.is_running():
            raise RuntimeError(f"{self.name} already runs as process {self.pid}")
        self._refuse_taken_ports()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        leash_end, self._leash = os.pipe()
        wrapper = [sys.executable, "-I", "-S", guarded_exec.__file__, str(leash_end), self._user]
        try:
            with self.log.open("ab") as output:
                self._popen = subprocess.Popen(
                    wrapper + self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self._env,
                    cwd=self._cwd,
                    pass_fds=(leash_end,),
                    start_new_session=True,
                )
        finally:
            os.close(leash_end)
        _guarding.add(self)

    def wait_ready(self) -> None:
        try:
            wait_until(self._ready_or_dead, awaited=self._awaited, deadline_s=self._deadline_s)
        except Retryable as error:
            raise self._failure(f"not ready: {error.what}") from error

    def wait_exit(self, deadline_s: float) -> int:
        """Wait for it to end by itself, as a command does; returns its exit code."""
        assert self._popen is not None, f"{self.name} was never started"
        try:
            self._popen.wait(deadline_s)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise self._failure(f"still ran after {deadline_s:g} s and was killed") from error
        self._release()
        return self._popen.returncode

    def stop(self) -> None:
        """Ask the whole group to end; what is left after the grace is killed. Nothing of it runs when this returns."""
        if self._popen is None:
            return
        deadline = time.monotonic() + self._grace_s
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(self._grace_s)
        self._release()
        self._signal_rest(self._stop_signal)  # Those in groups of their own, whom the leader left behind.
        while self.members() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.kill()

    def ask_to_stop(self) -> None:
        """Send the stop signal to its group without waiting, so that several can go down together."""
        self.resume()  # A stopped process would sit out its grace.
        self._signal_group(self._stop_signal)

    def kill(self) -> None:
        """SIGKILL to all of it at once, as a machine that loses power would."""
        if self._popen is None:
            return
        guarded_exec.kill_session(self._popen.pid)
        self._popen.wait()
        wait_until(lambda: not self.members(), awaited=f"the end of all of {self.name}", deadline_s=10, poll_s=0.01)
        self._close_leash()

    def restart(self) -> Self:
        self.stop()
        return self.start()

    def freeze(self) -> None:
        """SIGSTOP to its group: it keeps its sockets and answers nobody, as on a machine that swaps or is paused."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_group(signal.SIGCONT)

    def log_tail(self, lines: int = 20) -> str:
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def __enter__(self) -> Self:
        return self if self.is_running() else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _refuse_taken_ports(self) -> None:
        # Else whoever listens there answers the readiness probe, and passes for the server that could not start.
        for port in self._ports:
            with socket.socket() as listener:
                # As servers do: connections of a predecessor that linger in TIME_WAIT are no obstacle.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    listener.bind((LOOPBACK, port))
                except OSError as error:
                    raise NeedsPerson(
                        f"port {port} is taken", where=self.name, next_action="End what listens there, or take another."
                    ) from error

    def _ready_or_dead(self) -> bool:
        if not self.is_running():
            raise self._failure(f"ended with exit code {self.exit_code} while waiting for {self._awaited}")
        return self._ready()

    def _failure(self, what: str) -> NeedsPerson:
        return NeedsPerson(
            f"{what}\nlast lines of its log:\n{self.log_tail() or '(empty)'}\n",
            where=self.name,
            next_action=f"Whole log: {self.log}",
        )

    def _signal_group(self, number: signal.Signals) -> None:
        if self._popen is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)

    def _signal_rest(self, number: signal.Signals) -> None:
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _release(self) -> None:
        if self._leash is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._leash, guarded_exec.RELEASE)
        self._close_leash()

    def _close_leash(self) -> None:
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None
        _guarding.discard(self)


def _drop_leashes_in_forked_child() -> None:
    # A fork of this process (multiprocessing, a prefork server) copies the write ends: the guardians would go on
    # waiting for the copy after this process is dead.
    for child in list(_guarding):
        child._close_leash()


os.register_at_fork(after_in_child=_drop_leashes_in_forked_child)


def free_ports(count: int) -> list[int]:
    """``count`` different free loopback ports."""
    return [ports[0] for ports in free_port_runs([1] * count)]


def free_port_runs(lengths: Sequence[int]) -> list[list[int]]:
    """For each length that many consecutive free loopback ports, all different, free for TCP and UDP.

    All are held open until the last is chosen. They lie below the range from which the kernel takes the ports of
    outgoing connections: a server that is restarted on its port would else now and then find it taken by a client.
    """
    with contextlib.ExitStack() as held:
        return [_hold_run(length, held) for length in lengths]


def _hold_run(length: int, held: contextlib.ExitStack) -> list[int]:
    for first in _candidates():
        with contextlib.ExitStack() as attempt, contextlib.suppress(OSError):
            ports = list(range(first, first + length))
            for port in ports:
                _hold(port, attempt)
            held.push(attempt.pop_all())
            return ports
    raise NeedsPerson(f"found no {length} consecutive free ports on {LOOPBACK}", next_action="Close some servers.")


def _candidates() -> Iterator[int]:
    # Not seeded: two runs that start at the same time must not try the same ports in the same order.
    chooser = random.SystemRandom()
    for _ in range(500):
        yield chooser.randrange(15_000, 32_000)


def _hold(port: int, held: contextlib.ExitStack) -> None:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        listener = held.enter_context(socket.socket(socket.AF_INET, kind))
        listener.bind((LOOPBACK, port))
