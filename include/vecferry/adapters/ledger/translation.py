"""SQL's errors in vecferry's words, in one place: what may be repeated, what nobody can know, what a person mends."""

from __future__ import annotations

import sqlite3
from enum import Enum

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from vecferry.errors import BadInput, Conflict, NeedsPerson, Retryable, UnknownOutcome, VecferryError


class Moment(Enum):
    """When it failed. Before the commit was sent nothing has happened; after that only a clear answer says so."""

    BEFORE_COMMIT = "before"
    COMMITTING = "committing"


class DidNothing(Retryable):
    """The transaction was undone as a whole, and the same one may be run at once."""


_AT_ONCE = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_LATER = frozenset({"55P03", "57014", "53300", "53200", "55006", "57P03"})  # lock timeout, cancelled, too many, starting
_DENIED = frozenset({"28000", "28P01", "3D000", "42501", "25006"})  # login, no database, privileges, read-only
_NO_SCHEMA = frozenset({"42P01", "42703", "3F000"})
_SERVER_GONE = ("08", "57P0")
_DENIED_WORDS = ("authentication failed", "no password supplied", "pg_hba.conf", "does not exist")  # at login: no sqlstate


def translated(error: SQLAlchemyError, moment: Moment, where: str) -> VecferryError:
    """Never with parameters or the URL's password: ``where`` is the URL as it may be shown."""
    if isinstance(error, IntegrityError):
        return Conflict(f"a constraint refuses it: {_words(error)}", where=where, next_action="Read again, then decide.")
    if isinstance(error, PoolTimeout):
        return Retryable("all connections are busy", where=where, next_action="Retry; or use fewer threads.")
    if not isinstance(error, DBAPIError):
        return _unexpected(error, where)
    code = getattr(error.orig, "sqlstate", None)
    return _by_sqlstate(error, code, where) or _sqlite(error, where) or _lost_or_unexpected(error, code, moment, where)


def _by_sqlstate(error: DBAPIError, code: str | None, where: str) -> VecferryError | None:
    if code in _AT_ONCE:
        return DidNothing(f"another transaction was in the way: {_words(error)}", where=where, next_action="Retry.")
    if code in _LATER:
        return Retryable(_words(error), where=where, next_action="Retry.")
    if code in _DENIED or (code is None and any(words in str(error.orig) for words in _DENIED_WORDS)):
        return BadInput(_words(error), where=where, next_action="Correct the ledger's URL, or the rights of its user.")
    if code in _NO_SCHEMA:
        return _no_schema(error, where)
    return None


def _sqlite(error: DBAPIError, where: str) -> VecferryError | None:
    text = str(error.orig).lower()
    if "locked" in text or "busy" in text:
        return Retryable("another process holds the ledger's lock", where=where, next_action="Retry.")
    if "readonly" in text or "unable to open" in text:
        return BadInput(_words(error), where=where, next_action="Make the file and its folder writable.")
    if "not a database" in text:
        return BadInput("this file is not a ledger", where=where, next_action="Name another file; it was left as it is.")
    if "malformed" in text:
        return NeedsPerson("the file is damaged", where=where, next_action="Restore it from a backup, then `vecferry verify`.")
    if "is full" in text:
        return Retryable("the disk is full", where=where, next_action="Make room, then retry.")
    return _no_schema(error, where) if "no such table" in text or "no such column" in text else None


def _lost_or_unexpected(error: DBAPIError, code: str | None, moment: Moment, where: str) -> VecferryError:
    lost = error.connection_invalidated or (code or "").startswith(_SERVER_GONE) or _silent(error, code, moment)
    if lost and moment is Moment.COMMITTING:
        return UnknownOutcome(
            "the connection was lost while committing", where=where, next_action="Read the ledger before deciding."
        )
    if error.connection_invalidated:
        return DidNothing(f"the connection was lost: {_words(error)}", where=where, next_action="Retry.")
    if lost:
        return Retryable(f"the ledger cannot be reached: {_words(error)}", where=where, next_action="Start it, or retry later.")
    return _unexpected(error, where)


def _silent(error: DBAPIError, code: str | None, moment: Moment) -> bool:
    """The server gave no answer of its own, or SQLite's disk failed in a commit: nobody knows how far it came."""
    if isinstance(error.orig, sqlite3.Error):
        return moment is Moment.COMMITTING
    return code is None and isinstance(error, OperationalError | InterfaceError)


def _no_schema(error: DBAPIError, where: str) -> BadInput:
    return BadInput(
        f"this is not a ledger of this version: {_words(error)}", where=where, next_action="Run `vecferry ledger upgrade`."
    )


def _unexpected(error: SQLAlchemyError, where: str) -> NeedsPerson:
    return NeedsPerson(
        f"the database refused in a way we do not know: {_words(error)}", where=where, next_action="Report it with the log."
    )


def _words(error: SQLAlchemyError) -> str:
    """The driver's first line."""
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__
