"""Which database a URL names, and the URL as it may be shown."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from vecferry.errors import BadInput

WHERE = "VECFERRY_LEDGER_URL"
_SPELLINGS = "Write sqlite:////data/ledger.db or postgresql://user:password@host:5432/database."
_POSTGRES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_SQLITE = frozenset({"sqlite", "sqlite+pysqlite"})
_SECRETS = frozenset({"password", "sslpassword"})


def parsed(url: str) -> URL:
    """With the driver that we use. Raises ``BadInput``; never shows what it could not parse: that may be a password."""
    try:
        made = make_url(url)
    except (ArgumentError, ValueError):
        raise BadInput("the ledger's URL cannot be read", where=WHERE, next_action=_SPELLINGS) from None
    if made.drivername in _POSTGRES:
        return made.set(drivername="postgresql+psycopg")
    if made.drivername not in _SQLITE:
        raise BadInput(f"the ledger cannot live in {made.drivername}", where=WHERE, next_action=_SPELLINGS)
    if made.database in (None, "", ":memory:"):
        raise BadInput("a ledger in memory would forget the migration", where=WHERE, next_action=_SPELLINGS)
    return made.set(drivername="sqlite+pysqlite")


def shown(url: URL) -> str:
    """Without any password, wherever it stands."""
    hidden = {key: "***" for key in url.query if key in _SECRETS}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def made_folder(url: URL) -> Path:
    """The SQLite file's path, its folder made if it was missing."""
    path = Path(str(url.database).removeprefix("file:").partition("?")[0])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"its folder cannot be made: {error.strerror}",
            where=f"ledger {path}",
            next_action=f"Make {path.parent} writable, or set {WHERE}.",
        ) from error
    return path
