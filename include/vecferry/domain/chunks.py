"""Ranges of UUIDs: the unit of backfill, retry and checkpoint."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum

FIRST = "00000000-0000-0000-0000-000000000000"
LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class ChunkState(StrEnum):
    OPEN = "open"
    DONE = "done"


@dataclass(frozen=True)
class Chunk:
    """``(start, end]`` of one tenant; the first chunk's ``start`` is empty, so that the all-zero UUID belongs to it.

    ``cursor`` is the last key confirmed under the claim; ``token`` the claim's. Keyed by its range, never by a position
    in a list: re-planning must not move anybody's checkpoint.
    """

    migration_id: str
    start: str
    end: str
    tenant: str | None = None
    state: ChunkState = ChunkState.OPEN
    cursor: str = ""
    owner: str = ""
    token: int = 0
    rows_in: int = 0
    rows_out: int = 0
    failed: int = 0

    @property
    def label(self) -> str:
        where = f"{self.tenant}: " if self.tenant else ""
        return f"{where}{self.start[:8] or '00000000'}…{self.end[:8]}"


def even_ranges(count: int) -> list[tuple[str, str]]:
    """``count`` ranges of equal width over the whole UUID space, in order, without gap or overlap."""
    if count < 1:
        raise ValueError("at least one range")
    edges = [uuid.UUID(int=(2**128 * i) // count - 1) for i in range(1, count + 1)]
    starts = ["", *(str(edge) for edge in edges[:-1])]
    return list(zip(starts, (str(edge) for edge in edges), strict=True))
