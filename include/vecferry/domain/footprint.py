"""Memory, disk and their price while two collections stand side by side."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 2**30
_FLOAT_BYTES = 4
_MEMORY_FACTOR = 2
"""Weaviate's own rule (docs, "Resource Planning"): memory ≈ 2 × 4 B × dimensions × objects, garbage collection included."""
_DISK_FACTOR = 2
"""An LSM store writes a merged segment before it deletes the old ones: up to as much again, for a while."""


@dataclass(frozen=True)
class StorageRates:
    """US dollars a month; give your own where you know them. The defaults are list prices of one cloud, us-east-1: memory as
    r6g.xlarge on demand ($0.2016/h × 730 h ÷ 32 GiB, its 4 vCPUs included), disk as EBS gp3."""

    usd_per_gib_memory_month: float = 4.60
    usd_per_gib_disk_month: float = 0.08
    source: str = "AWS us-east-1 list prices: r6g.xlarge on demand, EBS gp3"


@dataclass(frozen=True)
class Footprint:
    """Of one collection, one replica, uncompressed."""

    memory_bytes: int
    disk_bytes: int

    def plus(self, other: Footprint) -> Footprint:
        return Footprint(self.memory_bytes + other.memory_bytes, self.disk_bytes + other.disk_bytes)

    def times(self, replicas: int) -> Footprint:
        return Footprint(self.memory_bytes * replicas, self.disk_bytes * replicas)

    def monthly_usd(self, rates: StorageRates) -> float:
        memory = self.memory_bytes / GIB * rates.usd_per_gib_memory_month
        return memory + self.disk_bytes / GIB * rates.usd_per_gib_disk_month


def footprint(objects: int, dimensions: int, payload_bytes: float = 0.0) -> Footprint:
    """Of ``objects`` with vectors of ``dimensions`` float32 in sum over their named vectors; ``payload_bytes``: properties
    and their inverted index, mean per object."""
    vectors = _FLOAT_BYTES * dimensions * objects
    return Footprint(_MEMORY_FACTOR * vectors, round(_DISK_FACTOR * (vectors + payload_bytes * objects)))
