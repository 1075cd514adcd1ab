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
    confirmed, why = _weighed(_independent(agreeing), needed, sources, dates, against)
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
    """From each date on those within the tolerance; most independent sources win, then the earliest date: late is worse."""
    starts = sorted({s.shutdown_on for s in statements if s.shutdown_on})
    windows = [[s for s in statements if s.shutdown_on and start <= s.shutdown_on <= start + tolerance] for start in starts]
    best: list[_Statement] = max(windows, key=_independent, default=[])
    return best + [s for s in statements if s.shutdown_on is None]


def _independent(statements: Iterable[_Statement]) -> int:
    """Neither one feed that says it twice nor two feeds that read one page count as two."""
    said = list(statements)
    return min(len({s.source for s in said}), len({s.origin for s in said}))


def _of_notice(notice: Notice) -> _Statement:
    page = notice.url.partition("#")[0].rstrip("/").casefold()
    return _Statement(notice.source, page or notice.source, notice.shutdown_on)


def _of_listing(listed: Listing) -> _Statement:
    name = _list_name(listed)
    return _Statement(name, name, _listed_date(listed))


def _list_name(listed: Listing) -> str:
    return f"{listed.provider} model list"


def _listed_date(listed: Listing) -> date | None:
    if not listed.shutdown_on:
        return None
    try:
        return datetime.fromisoformat(listed.shutdown_on).date()
    except ValueError as error:
        raise BadInput(
            f"shutdown_on {listed.shutdown_on!r} is no date",
            where=f"{_list_name(listed)}, {listed.model}",
            next_action="The adapter of this provider's list must give ISO 8601, for example 2027-03-31.",
        ) from error


def _says_ends(listed: Listing) -> bool:
    return bool(listed.shutdown_on) or listed.deprecated is True


def _against(statements: list[_Statement], agreeing: list[_Statement], listed: Sequence[Listing]) -> tuple[str, ...]:
    others = [f"{s.source} says {s.shutdown_on}" for s in statements if s not in agreeing]
    denials = [f"{_list_name(m)} says not deprecated" for m in listed if m.deprecated is False and not m.shutdown_on]
    return tuple(dict.fromkeys(others + denials))


def _one_model(notices: Sequence[Notice], listed: Sequence[Listing]) -> None:
    named = {(n.provider.casefold(), n.model.casefold()) for n in notices}
    named |= {(m.provider.casefold(), m.model.casefold()) for m in listed}
    if len(named) > 1:
        models = ", ".join(sorted("/".join(name) for name in named))
        raise BadInput(f"notices of several models at once: {models}", next_action="Corroborate one model at a time.")
