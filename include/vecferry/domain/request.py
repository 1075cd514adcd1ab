"""What a person or a notice asks for: one pin to another model, within bounds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from vecferry.domain.inbound import AliasPolicy, InboundPolicy
from vecferry.domain.shadow import OverlongPolicy, ShadowVectorizer
from vecferry.errors import BadInput

PERCENTS: tuple[int, ...] = (5, 25, 100)


@dataclass(frozen=True)
class MigrationRequest:
    """``collection`` is the pin's name. ``budget_usd`` caps the spend; ``deadline`` is the day by which it must be done;
    ``soak_minutes`` the least time at each percent; ``margin`` the tolerated loss in points of nDCG@10; ``notice_id`` names the
    notice that started it, ``who`` the person or DAG run. ``keep_days``: how long the old collection is kept after ``retire``.
    ``max_live_p99_ms``: the live searches' p99 above which the backfill slows down; without one it does not look.
    ``inbound_references``: whether references of other collections to the live one stop the plan. ``aliases``: whether the
    live collection's lead to the new one after ``retire``; ``auto``: where the server vectorizes there. ``shadow_vectorizer``:
    whether the new one keeps live's server-side vectorizer, with the new model.
    ``sweep``: some applications write the live collection natively, not through the Router; scanning finds their changes.
    ``tenants``: only those move, on trial: authority is a pin's, so a trial is not retired but discarded. Empty: all.
    """

    collection: str
    to_model: str
    percents: tuple[int, ...] = PERCENTS
    budget_usd: float | None = None
    deadline: date | None = None
    approvals: bool = True
    soak_minutes: float = 30.0
    margin: float | None = None
    chunk_concurrency: int = 4
    max_live_p99_ms: float | None = None
    overlong: OverlongPolicy = "truncate"
    keep_days: float | None = None
    sweep: bool = False
    tenants: tuple[str, ...] = ()
    inbound_references: InboundPolicy = "refuse"
    aliases: AliasPolicy = "auto"
    shadow_vectorizer: ShadowVectorizer = "plain"
    notice_id: str | None = None
    who: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        problems = []
        if not set(self.percents) <= set(PERCENTS) or 100 not in self.percents:
            problems.append(f"percents must be among {list(PERCENTS)} and end with 100")
        if self.budget_usd is not None and self.budget_usd <= 0:
            problems.append("budget_usd must be above 0")
        if self.soak_minutes < 0:
            problems.append("soak_minutes must not be negative")
        if self.margin is not None and not 0 < self.margin < 1:
            problems.append("margin must be between 0 and 1")
        if self.keep_days is not None and self.keep_days < 0:
            problems.append("keep_days must not be negative")
        if self.max_live_p99_ms is not None and self.max_live_p99_ms <= 0:
            problems.append("max_live_p99_ms must be above 0")
        if self.chunk_concurrency < 1:
            problems.append("chunk_concurrency must be at least 1")
        if twice := sorted({name for name in self.tenants if self.tenants.count(name) > 1}):
            problems.append(f"tenants named twice: {', '.join(map(repr, twice))}")
        if problems:
            raise BadInput("; ".join(problems), where=self.collection, next_action="Correct the request.")

    def options(self) -> dict[str, Any]:
        """JSON-able, as kept on the migration."""
        row = asdict(self)
        row["percents"] = sorted(self.percents)
        row["deadline"] = self.deadline.isoformat() if self.deadline else None
        return row
