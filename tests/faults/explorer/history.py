"""What applications asked for and were told, and which values that allows in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any


@dataclass(eq=False)
class Operation:
    """One write to one key. ``changes``: property → value (``None``: absent afterwards). Times are steps of the engine.

    ``outcome``: acknowledged, refused (certainly not written, now or later), or unknown: it may land until ``end``.
    """

    what: str
    key: str
    changes: Mapping[str, Any]
    began: int
    outcome: str = "unknown"
    end: float = inf

    def ends(self, step: int) -> None:
        """No trace of it is on its way any more."""
        if self.outcome == "unknown":
            self.end = step


@dataclass
class History:
    """Every write of a run; the objects that were there before count as acknowledged."""

    operations: list[Operation] = field(default_factory=list)

    def begin(self, what: str, key: str, changes: Mapping[str, Any], step: int) -> Operation:
        made = Operation(what, key, changes, step)
        self.operations.append(made)
        return made

    def why_impossible(self, key: str, name: str, value: Any) -> str | None:
        """Why the property cannot hold this value in the end; ``None`` if it can.

        Allowed is what an operation wrote that was not refused, unless an acknowledged one began after it had ended.
        """
        writes = [op for op in self.operations if op.key == key and name in op.changes]
        candidates = [op for op in writes if op.changes[name] == value]
        if not candidates:
            return "nobody wrote that"
        why = ""
        for op in candidates:
            if op.outcome == "refused":
                why = why or f"{op.what} was refused as certainly not written"
                continue
            newer = next((o for o in writes if o.outcome == "acknowledged" and o.began > op.end), None)
            if newer is None:
                return None
            why = f"{newer.what} was acknowledged after {op.what} ({op.outcome}) had ended"
        return why
