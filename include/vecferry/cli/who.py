"""Who stands for what is done: every event in the ledger names somebody."""

from __future__ import annotations

import getpass


def person(given: str) -> str:
    """``--who``, else the settings' ``who``, else the operating system's user name."""
    if given.strip():
        return given.strip()
    from vecferry import settings

    return settings.load().who or _user()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"
