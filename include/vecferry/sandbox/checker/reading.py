"""JSON Lines written by processes that may be killed in the middle of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def read_lines(path: Path) -> list[Row]:
    return [row for _, row in numbered_lines(path)]


def numbered_lines(path: Path) -> Iterator[tuple[int, Row]]:
    """(line number from 1, object). What a kill cut off was no answer to anybody, and is left out.

    A process that was started again appends to the same file: its first row then stands behind the rest of the cut one.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), start=1):
        if line.strip():
            row = _object(line) or _behind_a_cut(line)
            if row is not None:
                yield number, row


def _behind_a_cut(line: str) -> Row | None:
    start = line.find('{"', 1)
    while start > 0:
        row = _object(line[start:])
        if row is not None:
            return row if row.keys() & {"id", "op", "uuid", "at"} else None
        start = line.find('{"', start + 1)
    return None


def _object(text: str) -> Row | None:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
