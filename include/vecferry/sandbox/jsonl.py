"""JSON Lines: one object a line, with errors that name the file and the line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vecferry.errors import BadInput


def read_objects(path: Path | str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) for each line that is not blank; :class:`BadInput` at the first that is no object."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise BadInput(
            f"the file cannot be read ({error.strerror})", where=str(path), next_action="Give the path of a file."
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"byte {error.start} is not UTF-8", where=str(path), next_action="Save the file as UTF-8.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _object(line, f"{path}:{number}")


def write_objects(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    """All or nothing: a reader never sees half a file, whoever else writes it at the same time."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)
    partial.replace(path)


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise BadInput(
            f"not JSON: {error}", where=where, next_action="Put one JSON object on each line (JSON Lines)."
        ) from error
    if not isinstance(value, dict):
        raise BadInput(
            f"a JSON {type(value).__name__}, not an object", where=where, next_action="Put one JSON object on each line."
        )
    return value
