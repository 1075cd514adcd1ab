"""When the old model ends, as far as it is believed, and whether a percent may still soak before."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, time, timedelta

from vecferry.domain.corroboration import corroborate
from vecferry.domain.lifecycle import Migration
from vecferry.domain.pins import Pin
from vecferry.domain.request import MigrationRequest
from vecferry.domain.stages import BY_NAME
from vecferry.errors import NeedsPerson, VecferryError
from vecferry.ports import ListedModel, Ports
from vecferry.steps.check_deprecation import listed, notices_about


def model_end(ports: Ports, pin: Pin) -> datetime | None:
    """The begin (UTC) of the earliest day that enough independent sources agree on; ``None`` if there is none."""
    said: list[ListedModel] = []
    with suppress(VecferryError):  # the notices alone may be enough
        said = listed(ports, pin)
    found = corroborate(notices_about(ports, pin), said, needed=ports.gates.corroboration_sources)
    return datetime.combine(found.shutdown_on, time(), UTC) if found.confirmed and found.shutdown_on else None


def soak_end(ports: Ports, migration: Migration) -> datetime:
    """When a percent that is served from now on will have soaked."""
    return ports.ledger.now() + timedelta(minutes=float(migration.options.get("soak_minutes") or 0))


def why_no_soak(ports: Ports, migration: Migration) -> str:
    """Why a percent cannot soak while there is a way back; empty if it can."""
    model = migration.from_space.id
    if migration.live_model_gone:
        return f"{model} is gone, so there is no way back from any percent"
    end, soaked = model_end(ports, ports.ledger.pin(migration.pin)), soak_end(ports, migration)
    if end is None or soaked <= end:
        return ""
    return f"{model} ends on {end:%Y-%m-%d}, and the soak would on {soaked:%Y-%m-%d %H:%M} UTC: then there is no way back"


def refuse_a_soak_past_the_end(ports: Ports, migration: Migration, stage: str) -> None:
    if why := why_no_soak(ports, migration):
        raise NeedsPerson(
            f"{BY_NAME[stage].percent}% is not served: {why}",
            where=migration.id,
            next_action=f"A person may send everything to the new model at once: vecferry force-100 {migration.pin} --why …",
        )


def percents_past_the_end(ports: Ports, pin: Pin, request: MigrationRequest, *, hours_before: float) -> list[str]:
    """A warning for the plan if there are some: ``hours_before`` is what copying takes until the first percent."""
    end = model_end(ports, pin)
    if end is None:
        return []
    started = ports.ledger.now() + timedelta(hours=hours_before)
    soaked = {p: started + timedelta(minutes=request.soak_minutes * n) for n, p in enumerate(sorted(request.percents), start=1)}
    late = [f"{percent}%" for percent, at in soaked.items() if at > end]
    if not late:
        return []
    return [
        f"{pin.space.id} ends on {end:%Y-%m-%d}: {', '.join(late)} would not have soaked by then and will be refused; "
        "soak for less, or force 100% in the end"
    ]
