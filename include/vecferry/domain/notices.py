"""A provider's statement that a model ends on a date: reading it, believing it, and who it concerns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from vecferry.domain.pins import Pin
from vecferry.errors import BadInput

DatePrecision = Literal["exact", "earliest"]
_ISO = "Dates are ISO 8601, for example 2027-03-31; leave it empty if none is announced."
_LONGEST = 72
"""Three names of this length and the fixed parts stay within the 250 characters of an Airflow run id."""


@dataclass(frozen=True)
class Notice:
    """What one ``source`` says of one model. ``shutdown_on`` is ``None`` while no date is announced.

    ``date_precision``: ``exact``, or ``earliest`` for "not before". ``content_hash`` is the feed's own, of what it read.
    """

    provider: str
    model: str
    source: str
    shutdown_on: date | None = None
    announced_on: date | None = None
    replacements: tuple[str, ...] = ()
    url: str = ""
    content_hash: str = ""
    date_precision: DatePrecision = "exact"

    @property
    def id(self) -> str:
        """One per model and source, so that a source that corrects its date replaces its own row and nobody else's."""
        return f"{self.subject}.{slug(self.source)}"

    @property
    def subject(self) -> str:
        """One per model, whoever says it and whatever date: a moved date or a second feed starts no second run."""
        return f"{slug(self.provider.casefold())}.{slug(self.model.casefold())}"

    def concerns(self, provider: str, model: str) -> bool:
        return (self.provider.casefold(), self.model.casefold()) == (provider.casefold(), model.casefold())

    def as_dict(self) -> dict[str, Any]:
        """The ledger's row, of the feeds' field names and ``id``; ``parse_notice`` reads it back."""
        return {
            "id": self.id,
            "provider": self.provider,
            "model_id": self.model,
            "source": self.source,
            "shutdown_date": self.shutdown_on.isoformat() if self.shutdown_on else None,
            "announcement_date": self.announced_on.isoformat() if self.announced_on else None,
            "replacement_models": list(self.replacements),
            "url": self.url,
            "content_hash": self.content_hash,
            "date_precision": self.date_precision,
        }


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Feed:
    """A feed's readable notices, and why each other row was refused: feeds cover every model there is, and one bad row of
    a chat model must not hide an embedding model's end."""

    notices: tuple[Notice, ...]
    refused: tuple[BadInput, ...] = ()


def parse_feed(rows: Iterable[Any], *, source: str) -> Feed:
    """Rows as deprecations.info's JSON has them; unknown fields are left alone."""
    notices, refused = [], []
    for number, row in enumerate(rows, start=1):
        try:
            notices.append(parse_notice(row, source=source, where=f"{source}, row {number}"))
        except BadInput as error:
            refused.append(error)
    return Feed(tuple(notices), tuple(refused))


def parse_notice(row: Any, *, source: str = "", where: str = "notice") -> Notice:
    """One row; its own ``source``, if it has one, is used when none is given. Raises ``BadInput`` naming the row."""
    if not isinstance(row, Mapping):
        raise BadInput("the row is no JSON object", where=where, next_action="Give provider, model_id and shutdown_date.")
    provider, model = (_named(row, name, where) for name in ("provider", "model_id"))
    at = f"{where} ({provider}/{model})"
    return Notice(
        provider,
        model,
        source or str(row.get("source") or "unknown"),
        _date(row, "shutdown_date", at),
        _date(row, "announcement_date", at),
        _replacements(row),
        str(row.get("url") or ""),
        str(row.get("content_hash") or ""),
        _precision(row, at),
    )


def _named(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{name} is missing or no text: {value!r}", where=where, next_action="Name the provider and the model.")
    return value.strip()


def _date(row: Mapping[str, Any], name: str, where: str) -> date | None:
    """A date, or a time of which the day counts, in UTC. Feeds write an unknown date as null or as empty text."""
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name} {value!r} is no date", where=where, next_action=_ISO) from error
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date()


def _replacements(row: Mapping[str, Any]) -> tuple[str, ...]:
    """``replacement_models`` is a list; older rows have one ``replacement_model``; both may be null."""
    value = row.get("replacement_models") or row.get("replacement_model") or ()
    return (value,) if isinstance(value, str) else tuple(str(model) for model in value if model)


def _precision(row: Mapping[str, Any], where: str) -> DatePrecision:
    value = row.get("date_precision") or "exact"
    if value not in ("exact", "earliest"):
        raise BadInput(f"date_precision {value!r} is unknown", where=where, next_action="It is exact or earliest.")
    return "earliest" if value == "earliest" else "exact"


# --- whom it concerns -------------------------------------------------------------------------------------------------


def affected(pins: Sequence[Pin], notices: Sequence[Notice]) -> list[tuple[Pin, tuple[Notice, ...]]]:
    """The pins whose model somebody says will end, each with all notices about that model, as ``corroborate`` takes them."""
    found = [(pin, tuple(n for n in notices if n.concerns(pin.space.provider, pin.space.model))) for pin in pins]
    return [(pin, about) for pin, about in found if about]


def start_by(shutdown_on: date, *, estimate_hours: float, soak_minutes: float, margin_days: float) -> datetime:
    """The latest start (UTC) that ends ``margin_days`` before the shutdown day begins. ``soak_minutes``: all stages' sum."""
    needed = timedelta(hours=estimate_hours, minutes=soak_minutes, days=margin_days)
    return datetime.combine(shutdown_on, time(), UTC) - needed


# --- names ------------------------------------------------------------------------------------------------------------


def run_id(notice: Notice, pin: str, attempt: int) -> str:
    """``notice__<notice>__<pin>__<attempt>``; the same four give the same id, so that no notice starts a run twice.

    Only characters of Airflow's ``allowed_run_id_pattern``, and shorter than its 250.
    """
    return f"notice__{notice.subject}__{slug(pin)}__{attempt}"


def slug(text: str) -> str:
    """``text`` itself if it is safe between double underscores; else made safe, with 8 hex digits that keep it unique."""
    safe = re.sub(r"_{2,}", "_", re.sub(r"[^A-Za-z0-9.~_-]+", "-", text)).strip("_")
    if safe == text and 0 < len(safe) <= _LONGEST:
        return safe
    mark = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    return f"{safe[: _LONGEST - 9]}-{mark}"
