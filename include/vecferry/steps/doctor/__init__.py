"""Look a collection over and change nothing: is it what its pin says, and is anything in the way?"""

from __future__ import annotations

from collections.abc import Iterable

from vecferry.domain.mixing import USUAL_SAMPLE
from vecferry.domain.pins import Pin
from vecferry.errors import VecferryError
from vecferry.ports import Ports
from vecferry.steps.doctor import collection as of_collection
from vecferry.steps.doctor import inbound, left_behind, left_out, workers
from vecferry.steps.doctor.finding import Finding, Look, Tell
from vecferry.steps.doctor.vectors import looks_at_bare, looks_at_pinned

__all__ = ["Finding", "look_at_collection", "look_over"]


def look_over(ports: Ports, pin: Pin, tell: Tell = lambda _: None, *, sample: int | None = USUAL_SAMPLE) -> list[Finding]:
    """The pin's collection, its vectors against its model, the pin's routers, and the shadow if there is one.

    Every object is read once. ``sample`` of them are embedded again at the pin's expense; ``None``: all.
    """
    looks = [
        *of_collection.looks(ports, pin.collection, pin),
        *inbound.looks(ports, pin.collection),
        *looks_at_pinned(ports, pin, sample, tell),
        *left_out.looks(ports, pin),
        *workers.looks(ports, pin),
        *left_behind.looks(ports, pin),
    ]
    return list(_all(looks, tell))


def look_at_collection(ports: Ports, collection: str, tell: Tell = lambda _: None) -> list[Finding]:
    """A collection that has no pin: what can be said without knowing its model."""
    return list(_all([*of_collection.looks(ports, collection, None), *looks_at_bare(ports, collection, tell)], tell))


def _all(looks: Iterable[Look], tell: Tell) -> Iterable[Finding]:
    for name, look in looks:
        tell(name)
        try:
            finding = look()
        except VecferryError as error:
            finding = Finding(name, "unknown", f"could not be looked at: {error.what}", error.next_action)
        if finding is not None:
            yield Finding(name, finding.result, finding.what, finding.next_action, finding.examples)
