"""The report as one self-contained page: nothing is fetched, so it can be mailed and kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from vecferry.cli.figures import moment
from vecferry.cli.report import EVENT_HEADERS, SHARE_HEADERS, STAGE_HEADERS, event_cells, facts, share_cells, stage_cells

_OUTCOMES = ("PASS", "FAIL", "INCONCLUSIVE", "NO_DATA")


def page(found: dict[str, Any]) -> str:
    """``found`` as ``steps.report.gather`` gives it."""
    migration = found["migration"]
    template = Template(files("vecferry.cli").joinpath("report_page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(f"{found['pin']}: {migration['from_space']} → {migration['to_space']}"),
        at=escape(moment(found["at"])),
        facts=_facts(facts(found)),
        stages=_table(STAGE_HEADERS, stage_cells(found)),
        shares=_table(SHARE_HEADERS, share_cells(found)) if found["shares"] else "<p>No query was sent to the new model.</p>",
        events=_table(EVENT_HEADERS, event_cells(found)),
    )


def _facts(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in headers)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: str) -> str:
    mark = f' class="{value.lower()}"' if value in _OUTCOMES else ""
    return f"<td{mark}>{escape(value)}</td>"
