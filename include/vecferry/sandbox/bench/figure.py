"""One measured figure with its limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """``value`` is ``None`` where there is nothing to measure yet; ``beside`` says what it is compared to."""

    name: str
    value: float | None
    limit: float
    unit: str
    beside: str

    @property
    def kept(self) -> bool:
        return self.value is None or self.value <= self.limit

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "kept": self.kept}
