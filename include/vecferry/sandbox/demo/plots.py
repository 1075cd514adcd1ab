"""The report's pictures, as SVG to stand inside the page."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LIVE, SHADOW, INK = "#8a94a6", "#1f77b4", "#2b2f36"
_WIDTH_IN = 9.0
Mark = tuple[float, str]
"""Seconds since the start, and what happened then."""


def queries_by_arm(searches: Sequence[Mapping[str, Any]], marks: Sequence[Mark], start: float) -> str:
    """Answers per second, stacked: what the old model gave and what the new."""
    figure, axes = _figure(2.6)
    edges = np.arange(0, max(row["answered"] for row in searches) - start + 1, 2.0)
    times = [[row["answered"] - start for row in searches if row.get("arm") == arm] for arm in ("live", "shadow")]
    counts = [np.histogram(each, edges)[0] / 2 for each in times]
    axes.stackplot(edges[:-1], counts, colors=[LIVE, SHADOW], labels=["old model", "new model"], linewidth=0)
    axes.set_ylabel("answers per second")
    _mark(axes, marks)
    axes.legend(loc="lower right", frameon=True, fontsize=8)
    return _svg(figure, axes)


def latency_by_arm(searches: Sequence[Mapping[str, Any]], marks: Sequence[Mark], start: float) -> str:
    """Median (line) and 95th percentile (dots) of what users waited, over 5 seconds each."""
    figure, axes = _figure(2.6)
    for arm, color, name in (("live", LIVE, "old model"), ("shadow", SHADOW, "new model")):
        at, p50, p95 = _percentiles([row for row in searches if row.get("arm") == arm], start)
        axes.plot(at, p50, color=color, label=f"{name}, median")
        axes.plot(at, p95, ".", color=color, markersize=4, label=f"{name}, 95th percentile")
    axes.set_ylabel("milliseconds")
    axes.set_ylim(bottom=0)
    _mark(axes, marks)
    axes.legend(loc="upper left", fontsize=7, ncol=2)
    return _svg(figure, axes)


def golden_differences(differences: Sequence[float], margin: float) -> str:
    """New − old nDCG@10 of each golden query; the margin is on the mean, not on a query."""
    figure, axes = _figure(2.2)
    axes.hist(differences, bins=np.linspace(-1, 1, 41), color=SHADOW)
    axes.set_yscale("log")
    mean = float(np.mean(differences)) if len(differences) else 0.0
    axes.axvline(mean, color=INK, linewidth=1.2, label=f"mean {mean:+.3f}")
    axes.axvline(-margin, color="#c0392b", linewidth=1.2, linestyle="--", label=f"tolerated mean −{margin:g}")
    axes.set_xlabel("new − old nDCG@10 of a query")
    axes.set_ylabel("golden queries")
    axes.legend(fontsize=8)
    return _svg(figure, axes)


def seconds_by_stage(seconds: Mapping[str, float]) -> str:
    figure, axes = _figure(0.28 * len(seconds) + 0.6)
    names = list(seconds)[::-1]
    bars = axes.barh(names, [seconds[name] for name in names], color=SHADOW, height=0.7)
    axes.bar_label(bars, fmt="%.1f s", fontsize=8, padding=3)
    axes.set_xlabel("seconds, all attempts together")
    axes.margins(x=0.12)
    return _svg(figure, axes)


def _percentiles(rows: Sequence[Mapping[str, Any]], start: float) -> tuple[list[float], list[float], list[float]]:
    slots: dict[int, list[float]] = {}
    for row in rows:
        slots.setdefault(int((row["answered"] - start) // 5), []).append(row["latency_ms"])
    at = sorted(slots)
    return (
        [slot * 5 + 2.5 for slot in at],
        [float(np.percentile(slots[slot], 50)) for slot in at],
        [float(np.percentile(slots[slot], 95)) for slot in at],
    )


def _figure(height_in: float) -> tuple[Any, Any]:
    # Not pyplot: it keeps figures alive and looks for a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    return figure, axes


def _mark(axes: Any, marks: Sequence[Mark]) -> None:
    top = axes.get_ylim()[1]
    for at, name in marks:
        axes.axvline(at, color=INK, linewidth=0.6, linestyle=":")
        axes.text(at + 0.5, top, name, rotation=90, va="top", ha="left", fontsize=6.5, color=INK)
    axes.set_xlabel("seconds since the application began")


def _svg(figure: Any, axes: Any) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()[out.getvalue().index("<svg") :]
