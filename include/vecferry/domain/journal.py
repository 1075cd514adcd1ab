"""While a row exists, the shadow may be behind for its key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RowKind(StrEnum):
    """Who opened the row: an application's write, the backfill, a parity repair."""

    WRITE = "write"
    BACKFILL = "backfill"
    PARITY = "parity"


@dataclass(frozen=True)
class JournalRow:
    """One row an operation. ``token`` changes with every claim; who does not hold it may not delete the row."""

    id: int
    migration_id: str
    tenant: str | None
    key: str
    owner: str
    token: str
    kind: RowKind
    age_s: float = 0.0
