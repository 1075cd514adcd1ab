"""Whether a notice may be acted on. One source can be wrong: in April 2026 a provider's own pages called a current model
deprecated for some hours, and whoever copies such a page repeats its mistake."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from vecferry.domain.notices import Notice
from vecferry.errors import BadInput

TOLERANCE_DAYS = 7


class Listing(Protocol):
    """A model as its provider's own API lists it (``ports.ListedModel``); ``None`` where the list does not say."""

    @property
    def provider(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def deprecated(self) -> bool | None: ...
    @property
    def shutdown_on(self) -> str | None: ...


@dataclass(frozen=True)
class Corroboration:
    """``sources`` agree with each other, ``against`` do not. ``shutdown_on``: the earliest date among those that agree."""

    confirmed: bool
    sources: tuple[str, ...]
    why: str
    shutdown_on: date | None = None
    against: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Statement:
    """``origin`` is what was read: two feeds that copy one page are one source."""

    source: str
    origin: str
    shutdown_on: date | None


def corroborate(
    notices: Sequence[Notice],
    listed: Sequence[Listing] = (),
    *,
    needed: int = 2,
    tolerance_days: int = TOLERANCE_DAYS,
    started_by: str = "",
) -> Corroboration:
    """Confirmed if ``needed`` independent sources agree on the model's end within ``tolerance_days`` and the provider's own
    list does not contradict them, or if a named person started the run. All answers are about one model, else ``BadInput``.

    Of a provider's list that says "deprecated" without a date (Cohere's) it is taken that it means the announced date.
    """
    _one_model(notices, listed)
    statements = [_of_notice(n) for n in notices if n.shutdown_on] + [_of_listing(m) for m in listed if _says_ends(m)]
    agreeing = _largest_agreement(statements, timedelta(days=tolerance_days))
    sources = tuple(sorted({s.source for s in agreeing}))
    dates = sorted(s.shutdown_on for s in agreeing if s.shutdown_on)
    against = _against(statements, agreeing, listed)
    if started_by:
        return Corroboration(True, sources, f"started by {started_by}", dates[0] if dates else None, against)
    confirmed, why = _weighed(len({s.origin for s in agreeing}), needed, sources, dates, against)
    return Corroboration(confirmed, sources, why, dates[0] if dates else None, against)


def _weighed(
    independent: int, needed: int, sources: tuple[str, ...], dates: list[date], against: tuple[str, ...]
) -> tuple[bool, str]:
    named = ", ".join(sources) or "no source"
    if not dates:
        return False, f"no shutdown date is announced ({named})"
    if any("model list" in source for source in against):
        return False, f"the provider's own list contradicts {named}: {', '.join(against)}; a person decides"
    if independent < needed:
        return (
            False,
            f"{independent} independent of {needed} needed sources give {dates[0]} ({named}); a person may start the run",
        )
    return True, f"{independent} independent sources give {dates[0]} ({named})"


def _largest_agreement(statements: list[_Statement], tolerance: timedelta) -> list[_Statement]:
    """Around each date those within the tolerance after it; most origins win, then the earliest date: late is worse."""
    dated = sorted((s.shutdown_on, s) for s in statements if s.shutdown_on) if False else []
    undated = [s for s in statements if s.shutdown_on is None]
    starts = sorted({s.shutdown_on for s in statements if s.shutdown_on})
    windows = [[s for s in statements if s.shutdown_on and start <= s.shutdown_on <= start + tolerance] for start in starts]
    best = max(windows, key=lambda window: len({s.origin for s in window}), default=dated)
    return best + undated
