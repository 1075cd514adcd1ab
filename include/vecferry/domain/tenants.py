"""What a tenant's activity status means for whoever must read it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

ACTIVE, INACTIVE, OFFLOADED = "ACTIVE", "INACTIVE", "OFFLOADED"
NOT_ACTIVE = "tenant not active"
"""The server's words for a read of a sleeping tenant."""
_MOVING = frozenset({"ONLOADING", "OFFLOADING", "UNFREEZING", "FREEZING"})


def covers(only: Collection[str], tenant: str | None) -> bool:
    """Whether a migration that is on trial for ``only`` these tenants moves this one's objects; of none: it moves all."""
    return not only or tenant in only


def asleep(status: str) -> bool:
    """It answers nobody until somebody activates it."""
    return status in (INACTIVE, OFFLOADED)


def on_its_way(status: str) -> bool:
    """The server is moving it, and takes no other wish meanwhile."""
    return status in _MOVING


def awake(tenants: Mapping[str, str]) -> list[str]:
    return [name for name, status in tenants.items() if status == ACTIVE]


def at_creation(tenants: Mapping[str, str]) -> dict[str, str]:
    """No tenant can be made offloaded: there is nothing of it yet that could be."""
    return {name: ACTIVE if status == ACTIVE else INACTIVE for name, status in tenants.items()}


def estimated(counted: int, tenants: Mapping[str, str]) -> int:
    """Objects of all tenants, when those of the awake ones were counted: a plan wakes nobody."""
    answering = len(awake(tenants))
    return counted if not answering else round(counted * len(tenants) / answering)


def sleeping_warning(tenants: Mapping[str, str]) -> list[str]:
    sleeping = len(tenants) - len(awake(tenants))
    if not sleeping:
        return []
    told = f"{sleeping} of {len(tenants)} tenants are asleep: their objects are estimated by those of the others"
    return [f"{told}. Each is activated while it is read, and put back as it was found"]
