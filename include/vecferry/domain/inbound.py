"""What points to the live collection by name: references of other collections, and aliases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

InboundPolicy = Literal["refuse", "leave"]
AliasPolicy = Literal["auto", "move", "leave"]


def aliases_follow(policy: AliasPolicy, *, server_vectorizes: bool) -> bool:
    """Whether the live collection's aliases lead to the shadow after ``retire``.

    ``auto``: only where the server vectorizes there, so that who searches through them sends text. A client that brings vectors
    of its own would go on bringing the old model's: wrong answers where the lengths agree, errors where they do not.
    """
    return policy == "move" or (policy == "auto" and server_vectorizes)


@dataclass(frozen=True)
class InboundReference:
    """A property of another collection that points to the live one. ``using`` of ``sampled`` objects do, so about ``estimate``
    of its ``objects``; ``sampled`` is 0 where the collection is empty or could not be looked into."""

    collection: str
    name: str
    objects: int
    sampled: int
    using: int

    @property
    def estimate(self) -> int:
        return round(self.objects * self.using / self.sampled) if self.sampled else 0

    @property
    def told(self) -> str:
        if not self.sampled:
            return f"{self.collection}.{self.name} ({self.objects:,} objects, none could be sampled)"
        return (
            f"{self.collection}.{self.name} ({self.using:,} of {self.sampled:,} sampled objects use it, about "
            f"{self.estimate:,} of {self.objects:,})"
        )


@dataclass(frozen=True)
class Inbound:
    """Of one collection. ``aliases`` are the names that lead to it."""

    references: tuple[InboundReference, ...] = ()
    aliases: tuple[str, ...] = ()

    def as_row(self) -> dict[str, Any]:
        """JSON-able, as the plan keeps it."""
        rows = [asdict(reference) | {"estimate": reference.estimate} for reference in self.references]
        return {"inbound_references": rows, "aliases": list(self.aliases)}

    def problems(self, policy: InboundPolicy) -> list[str]:
        if policy == "leave" or not self.references:
            return []
        return [
            f"{_listed(self.references)} point to this collection by its name, and would go on pointing to the old one, which "
            "is deleted some time after retire: move these references yourself and give --inbound-references leave"
        ]

    def warnings(self, *, follow: bool, new_model: str) -> list[str]:
        """``follow``: whether the aliases move at ``retire``."""
        told = []
        if self.references:
            told.append(
                f"{_listed(self.references)} go on showing the old collection's objects after retire, as they were then; once "
                "it is deleted, the server refuses queries that ask for them"
            )
        if self.aliases and follow:
            told.append(
                f"at retire these aliases will lead to the new collection: {', '.join(self.aliases)}; who searches through "
                f"them with vectors of his own must embed with {new_model} by then"
            )
        elif self.aliases:
            told.append(
                f"these aliases stay on the old collection at retire: {', '.join(self.aliases)}; what is searched through them "
                "is then as old as that day, and writes are refused. Once nobody brings the old model's vectors through them: "
                "--aliases move"
            )
        return told


def properties_to(schema: Mapping[str, Any], collection: str) -> list[str]:
    """The names of the schema's reference properties that may point to ``collection``."""
    return [prop["name"] for prop in schema.get("properties") or () if collection in prop["dataType"]]


def points_to(value: Any, collection: str) -> bool:
    """Whether one of a reference property's beacons names ``collection``; without a name it is the property's only target."""
    return any(_collection_of(str(beacon.get("beacon", ""))) in ("", collection) for beacon in value or ())


def _collection_of(beacon: str) -> str:
    """``weaviate://localhost/Docs/<id>`` → ``Docs``; empty where the beacon has an id alone."""
    parts = beacon.removeprefix("weaviate://").split("/")
    return parts[1] if len(parts) > 2 else ""


def _listed(references: Sequence[InboundReference]) -> str:
    return ", ".join(reference.told for reference in references)
