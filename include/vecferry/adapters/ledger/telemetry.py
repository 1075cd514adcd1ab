"""Routers' counts in SQL: a row per router, so that they do not wait for each other."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.engine import RowMapping

from vecferry.adapters.ledger.insert_new import insert_new
from vecferry.adapters.ledger.stored_events import clock_of
from vecferry.adapters.ledger.tables import observations
from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation, total

_COUNTS = ("queries", "served", "fallbacks", "errors", "empty", "useful", "useless")


def add_observation(connection: Connection, seen: Observation, router_id: str) -> None:
    """The row is made empty if need be, locked, and added to: two processes of one router id lose nothing."""
    key = {"pin": seen.pin, "version": seen.version, "arm": seen.arm.value, "router_id": router_id}
    zeros: dict[str, Any] = dict.fromkeys(_COUNTS, 0)
    insert_new(connection, observations, [key | zeros | {"latency": {}}])
    mine = [observations.c[name] == value for name, value in key.items()]
    row = connection.execute(select(observations).where(*mine).with_for_update()).mappings().one()
    added = _observation_of(row).plus(seen if seen.served_ago_s is None else seen.stored_at(clock_of(connection)))
    latency = {str(bucket): count for bucket, count in added.latency.items()}
    values = {name: getattr(added, name) for name in _COUNTS} | {"latency": latency}
    values |= {"last_served_at": added.last_served_at}
    connection.execute(update(observations).where(*mine).values(values))


def summed_observations(connection: Connection, pin: str) -> list[Observation]:
    """By version and arm."""
    rows = connection.execute(select(observations).where(observations.c.pin == pin)).mappings()
    seen = sorted((_observation_of(row) for row in rows), key=_version_and_arm)
    sums = (total(group) for _, group in groupby(seen, key=_version_and_arm))
    return [added for added in sums if added is not None]


def _version_and_arm(seen: Observation) -> tuple[int, str]:
    return seen.version, seen.arm


def _observation_of(row: RowMapping) -> Observation:
    latency = {int(bucket): count for bucket, count in row["latency"].items()}
    counts = {name: row[name] for name in _COUNTS}
    return Observation(
        row["pin"], row["version"], Arm(row["arm"]), latency=latency, last_served_at=row["last_served_at"], **counts
    )
