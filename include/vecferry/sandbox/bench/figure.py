"""One measured figure with what it must reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Figure:
    """``value`` must be at most ``limit`` and at least ``least``, of those that are given.

    ``value`` is ``None`` where there is nothing to measure yet, and no number where measuring failed, which keeps nothing;
    ``beside`` says what it is compared to: both raw numbers.
    """

    name: str
    value: float | None
    limit: float | None
    unit: str
    beside: str
    least: float | None = None

    @classmethod
    def failed(cls, name: str, why: object) -> Self:
        return cls(name, math.nan, None, "", f"{type(why).__name__}: {why}")

    @property
    def kept(self) -> bool:
        if self.value is None:
            return True
        lowest = -float("inf") if self.least is None else self.least
        highest = float("inf") if self.limit is None else self.limit
        return lowest <= self.value <= highest

    @property
    def must_reach(self) -> str:
        """For people: ``≥ 0.8 ×``, ``≤ 20 µs``, ``0.9 – 1.1 ×``."""
        if self.least is not None and self.limit is not None:
            words = f"{_bound(self.least)} – {_bound(self.limit)}"
        elif self.least is not None:
            words = f"≥ {_bound(self.least)}"
        else:
            words = "" if self.limit is None else f"≤ {_bound(self.limit)}"
        return f"{words} {self.unit}".strip()

    @property
    def said(self) -> str:
        """The value for people; a dash for what was not measured."""
        if self.value is None:
            return "–"
        if math.isnan(self.value):
            return "failed"
        return f"{_short(self.value)} {self.unit}".rstrip()

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "kept": self.kept}


def _bound(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.2f}"
