"""What was measured, as people read it: a line for each figure as it comes, and a table with the machine it is of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from vecferry.sandbox.bench.figure import Figure

NAME_WIDTH, VALUE_WIDTH = 46, 18
HEAD = f"{'figure':{NAME_WIDTH}} {'value':>{VALUE_WIDTH}}  {'must reach':{VALUE_WIDTH}}  measured"


def line(figure: Figure, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(figure.as_dict(), ensure_ascii=False)
    verdict = "" if figure.kept else f"  {_verdict(figure).upper()}"
    cells = f"{figure.name:{NAME_WIDTH}} {figure.said:>{VALUE_WIDTH}}  {figure.must_reach:{VALUE_WIDTH}}"
    return f"{cells}  {figure.beside}{verdict}"


def markdown(figures: Sequence[Figure], about: Mapping[str, str]) -> str:
    """``about`` what and where: machine, date, versions."""
    rows = [_row("figure", "value", "must reach", "kept", "measured"), "|---|---|---|---|---|"]
    for figure in figures:
        rows.append(_row(figure.name, figure.said, figure.must_reach, _verdict(figure), figure.beside))
    return "\n".join([*(f"- {name}: {value}" for name, value in about.items()), "", *rows]) + "\n"


def summary(figures: Sequence[Figure]) -> str:
    short = [figure.name for figure in figures if not figure.kept]
    missing = sum(figure.value is None and figure.kept for figure in figures)
    words = f"{len(figures)} figures"
    words += f", {missing} of them not measured" if missing else ""
    return f"{words}; {len(short)} fall short: {', '.join(short)}" if short else f"{words}; none falls short"


def _verdict(figure: Figure) -> str:
    if figure.value is None:
        return "not measured"
    if figure.said == "failed":
        return figure.said
    return "yes" if figure.kept else "falls short"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
