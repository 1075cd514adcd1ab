"""A throw-away PostgreSQL server from the installed Debian packages, on a free loopback port."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy

from vecferry.errors import BadInput
from vecferry.sandbox.processes import LOOPBACK, ChildProcess, free_ports

ENV = "POSTGRES_BIN"
SUPERUSER = "postgres"


def find_postgres_bin() -> Path:
    """The folder of ``initdb`` and ``postgres``: ``POSTGRES_BIN``, else Debian's newest version."""
    named = os.environ.get(ENV)
    installed = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
    for folder in reversed(installed):
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise BadInput(
        "PostgreSQL's server is not installed",
        where=named or "/usr/lib/postgresql/*/bin",
        next_action=f"apt-get install postgresql, or set {ENV} to the folder of initdb and postgres.",
    )


def _version(bin_folder: Path) -> float:
    try:
        return float(bin_folder.parent.name)
    except ValueError:
        return 0.0


class PostgresServer:
    """One server with a folder of its own under the system's temporary folder; gone, folder and all, after ``stop``.

    As root it runs as the user ``postgres``, or ``nobody``: PostgreSQL refuses to run as root.
    """

    def __init__(self) -> None:
        self._bin = find_postgres_bin()
        self._user = _unprivileged_user() if os.geteuid() == 0 else None
        self._numbers = itertools.count(1)
        self.port = free_ports(1)[0]
        self.folder = Path(tempfile.mkdtemp(prefix="vecferry-postgres-"))
        self.process = ChildProcess(
            f"postgres on port {self.port}",
            self._command(),
            log=self.folder / "postgres.log",
            ready=self._accepts,
            awaited=f"{LOOPBACK}:{self.port} to take a connection",
            ports=(self.port,),
            cwd=self.folder,
            user=self._user,
            stop_signal=signal.SIGINT,  # "Fast": SIGTERM would wait until every client has gone.
        )

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database that every server has."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql+psycopg://{SUPERUSER}@{LOOPBACK}:{self.port}/{database}"

    def fresh_database(self) -> str:
        """Create an empty database and return its SQLAlchemy URL."""
        return self._created("template1")

    def copied_database(self, url: str) -> str:
        """A copy of one that nobody is connected to."""
        return self._created(str(sqlalchemy.make_url(url).database))

    def _created(self, template: str) -> str:
        name = f"fresh_{next(self._numbers)}"
        engine = sqlalchemy.create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return self.url_of(name)

    def start(self) -> Self:
        if not (self.folder / "data").exists():
            self._initdb()
        self.process.start()
        return self

    def kill(self) -> None:
        """``kill -9`` to the server and its backends; ``start()`` recovers from the write-ahead log."""
        self.process.kill()

    def stop(self) -> None:
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _initdb(self) -> None:
        if self._user:
            shutil.chown(self.folder, user=self._user)
        command: list[str | Path] = [self._bin / "initdb", "--pgdata", self.folder / "data", "--username", SUPERUSER]
        options = ["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        done = subprocess.run(command + options, cwd=self.folder, user=self._user, capture_output=True, text=True)
        if done.returncode != 0:
            raise BadInput(f"initdb: exit code {done.returncode}:\n{done.stderr}", where=str(self.folder))

    def _command(self) -> list[str | Path]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 600,
        }
        assignments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self._bin / "postgres", "-D", self.folder / "data", *assignments]

    def _accepts(self) -> bool:
        # A port that listens is not enough: during recovery the server refuses sessions.
        asked: list[str | Path] = [self._bin / "pg_isready", "-q", "-h", LOOPBACK, "-p", str(self.port)]
        if (self._bin / "pg_isready").exists():
            return subprocess.run(asked).returncode == 0
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self.port)) == 0


def _unprivileged_user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
