"""Turn into another program, and leave a guardian behind that kills it if the starter dies.

Run as a script, by path, with ``python -I -S``: ``guarded_exec.py FD USER COMMAND...``. FD is the read end of a pipe
whose only write end the starter holds, so its death, also by ``kill -9``, is an end of file here.

Why not ``PR_SET_PDEATHSIG``: it is sent when the *thread* that started the child ends, reaches the child but none of
the processes it forks, is forgotten when a program changes its user, and exists on Linux only. Why not a
``preexec_fn``: it runs Python between fork and exec, and can deadlock when the starter has threads.

Only the standard library: this file is executed outside of any virtual environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

RELEASE = b"release"
NOBODY_ELSE = "-"


def session_members(session: int) -> list[int]:
    """The ids of the live processes of a session (zombies do not count), the guardian's among them.

    A session, not a process group: programs put some of their children into groups of their own. Without ``/proc``
    (macOS) the answer is the leader alone, as long as its group exists.
    """
    if not Path("/proc/self/stat").exists():
        return [session] if _group_exists(session) else []
    processes = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in processes if _session_of(pid) == session]


def _session_of(pid: int) -> int | None:
    try:
        # The second field is the program's name in brackets and may hold anything, brackets included.
        state, _parent, _group, session = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except OSError:
        return None  # It ended between the listing and the reading.
    return None if state in "ZX" else int(session)


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def kill_session(session: int) -> None:
    """SIGKILL to every process of the session but the caller; done when this returns, but for the reaping."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal.SIGKILL)
    for pid in session_members(session):
        if pid != os.getpid():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _guard(fd: int, session: int) -> None:
    # A group of its own: signals to the guarded group (TERM, and above all STOP) must not reach the guardian.
    os.setpgid(0, 0)
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    _detach_from_the_starters_files()
    if os.read(fd, len(RELEASE)) != RELEASE:
        kill_session(session)
    os._exit(0)


def _detach_from_the_starters_files() -> None:
    # Whoever reads the child's output through a pipe waits for its end: the guardian must not hold it open.
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)


def _become(user: str) -> None:
    if user == NOBODY_ELSE:
        return
    import pwd  # Here: it does not exist everywhere, and almost nobody asks for it.

    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def main(fd: int, user: str, command: list[str]) -> None:
    session = os.getpid()  # Not getppid() in the guardian: that is 1 if this process is already dead.
    if os.fork() == 0:
        _guard(fd, session)
    os.close(fd)
    _become(user)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and exec would hand that on.
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
