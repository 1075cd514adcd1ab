"""``report.html``: one file, no address outside it, that says in a minute what happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from typing import Any

from vecferry.domain.routing import Mode
from vecferry.sandbox.demo import plots
from vecferry.sandbox.demo.demo import Demo
from vecferry.sandbox.demo.fill import COLLECTION
from vecferry.sandbox.demo.traffic_figures import Traffic
from vecferry.steps import report
from vecferry.steps.validate_golden_set import STAGE as GOLDEN
from vecferry.steps.validate_golden_set import paired

Figures = Mapping[str, Any]
_NOTICED = {
    "queries_failed": "queries that failed",
    "writes_lost": "acknowledged writes lost",
    "stale_objects": "stale objects",
    "resurrected_objects": "deleted objects that came back",
    "mixed_space_objects": "vectors of the wrong model",
    "unindexed_objects": "objects that the index does not find",
    "parity_differences": "differences between the two collections",
}


def page(demo: Demo, figures: Figures, traffic: Traffic, broken: Sequence[str]) -> str:
    told = report.gather(demo.ports, COLLECTION)
    template = files("vecferry.sandbox.demo").joinpath("report.html").read_text("utf-8")
    parts = {
        "TITLE": escape(f"{COLLECTION}: {told['migration']['from_space']} → {told['migration']['to_space']}"),
        "OUTCOME": _outcome(told["migration"], broken),
        "NOTICED": _rows((text, _count(figures[name])) for name, text in _NOTICED.items()),
        "COST": _rows(_cost(figures)),
        "STAGES": _stages(figures),
        "SHARES": _shares(figures),
        "PLOTS": "\n".join(_plots(demo, figures, traffic, told)),
        "EVENTS": _events(told["events"]),
    }
    for name, text in parts.items():
        template = template.replace(f"<!--{name}-->", text)
    return template


def _outcome(migration: Figures, broken: Sequence[str]) -> str:
    if not broken:
        return f'<p class="good">As promised. The migration is {escape(migration["phase"].replace("_", " "))}.</p>'
    return (
        '<div class="bad"><p>Not as promised:</p><ul>' + "".join(f"<li>{escape(text)}</li>" for text in broken) + "</ul></div>"
    )


def _cost(figures: Figures) -> list[tuple[str, str]]:
    old, new = figures["ndcg_old"], figures["ndcg_new"]
    return [
        ("objects", _count(figures["objects_live"])),
        ("queries meanwhile", _count(figures["queries_total"])),
        ("writes meanwhile", f"{figures['writes_total']:,}, {figures['writes_unknown']} of unknown outcome"),
        ("spent", f"${figures['spend_usd']:.4f} for {figures['tokens']:,} tokens"),
        ("nDCG@10", "–" if old is None else f"{old:.3f} → {new:.3f}"),
        ("the rollback was seen after", _seconds(figures["rollback_seen_s"])),
        ("writes were held for at most", _seconds(figures["write_hold_s"])),
    ]


def _stages(figures: Figures) -> str:
    rows = []
    for stage, verdict in figures["verdicts"].items():
        seconds, rows_checked = figures["seconds"].get(stage), figures["rows_checked"].get(stage)
        rows.append(
            f'<tr><td>{stage}</td><td class="{verdict["outcome"]}">{verdict["outcome"]}</td>'
            f"<td>{_count(rows_checked)}</td><td>{_seconds(seconds)}</td><td>{escape(verdict['reason'])}</td></tr>"
        )
    return "\n".join(rows)


def _shares(figures: Figures) -> str:
    return "\n".join(
        f"<tr><td>{stage}</td><td>{share['asked']:.0%}</td><td>{share['served']:.1%}</td><td>{share['queries']:,}</td></tr>"
        for stage, share in figures["shares"].items()
    )


def _plots(demo: Demo, figures: Figures, traffic: Traffic, told: Figures) -> list[str]:
    drawn = []
    if traffic.searches:
        start = min(row["invoked"] for row in traffic.searches)
        answered = _by_model(traffic.searches, told["routings"])
        marks = [(_instant(r["published_at"]) - start, _named(r)) for r in told["routings"] if r["mode"] != Mode.FREEZE]
        drawn += [plots.queries_by_arm(answered, marks, start), plots.latency_by_arm(answered, marks, start)]
    differences, _ = paired(demo.ports.ledger.measurements(told["migration"]["id"], GOLDEN))
    if differences:
        drawn.append(plots.golden_differences(list(differences.values()), demo.ports.gates.margin))
    return drawn + ([plots.seconds_by_stage(figures["seconds"])] if figures["seconds"] else [])


def _by_model(searches: Sequence[Figures], routings: Sequence[Figures]) -> list[Figures]:
    """Answered ones. After the flip the new collection is the live one: it is the model that the picture is about."""
    flips = [routing["version"] for routing in routings if routing["mode"] == Mode.LIVE_ONLY]
    flip = min(flips, default=float("inf"))
    return [{**row, "arm": "shadow" if row["version"] >= flip else row["arm"]} for row in searches if row["ok"]]


def _named(routing: Figures) -> str:
    return "retired" if routing["mode"] == Mode.LIVE_ONLY else f"{routing['percent']}%"


def _events(events: Sequence[Figures]) -> str:
    return "\n".join(
        f"<tr><td>{escape(event['at'][11:19])}</td><td>{escape(event['who'])}</td><td>{escape(event['headline'])}</td>"
        f"<td>{escape(event['why'])}</td></tr>"
        for event in events
    )


def _rows(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in pairs)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
