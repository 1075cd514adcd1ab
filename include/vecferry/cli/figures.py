"""How figures are written for people."""

from __future__ import annotations

from datetime import datetime

_GIB, _MIB = 2**30, 2**20


def count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def counted(number: int, singular: str, plural: str = "") -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def usd(amount: float | None) -> str:
    """Cents, or as many digits as a small amount needs to be more than nothing."""
    if amount is None:
        return "–"
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.2g}" if amount >= 0.0001 else "under $0.0001"


def size(number: float) -> str:
    return f"{number / _GIB:,.1f} GiB" if number >= _GIB else f"{max(number, 0) / _MIB:,.1f} MiB"


def duration(seconds: float) -> str:
    """The two largest units: ``2 d 3 h``, ``4 min 10 s``, ``1.3 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest_s, "s")]
    first = next(i for i, (value, _) in enumerate(parts) if value)
    return " ".join(f"{value} {unit}" for value, unit in parts[first : first + 2] if value)


def moment(at: datetime | str | None) -> str:
    """In UTC, to the second."""
    if at is None:
        return "–"
    value = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{value:%Y-%m-%d %H:%M:%S}"


def percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 1 else f"{share:.0%}"
