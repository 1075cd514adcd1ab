"""Golden queries: what users ask, and which objects answer it. Read strictly: a set read wrongly judges the wrong thing."""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from vecferry.errors import BadInput

_SHAPE = '{"query_id": "q1", "query": "how do I …", "relevant": {"<uuid>": 1}, "cohort": …, "filters": …, "tenant": …}'
_FIELDS = ("query_id", "query", "relevant", "cohort", "filters", "tenant")
_RIGHT_GRADE = "Grades are whole numbers: 0 for not relevant, 1 and up for how relevant."
_RIGHT_UUID = "Use the objects' UUIDs in the collection, for example 3f1c4d5e-0a1b-4c2d-8e9f-0123456789ab."


@dataclass(frozen=True)
class GoldenQuery:
    """One query with its judgements: ``relevant`` maps UUID → grade (whole numbers; 1 and up is relevant).

    ``filters`` is a REST ``where``; ``cohort`` a name to compare groups of queries by.
    """

    query_id: str
    query: str
    relevant: Mapping[str, int]
    cohort: str = ""
    filters: Mapping[str, Any] | None = None
    tenant: str | None = None

    @property
    def graded(self) -> bool:
        """Whether any object is relevant; without one, no ranking of the answers is better than another."""
        return any(grade > 0 for grade in self.relevant.values())


@dataclass(frozen=True)
class GoldenSet:
    """All queries of a file, in its order; ``ungraded`` ones are kept and counted, though nothing can be judged by them."""

    queries: tuple[GoldenQuery, ...]

    @property
    def graded(self) -> tuple[GoldenQuery, ...]:
        return tuple(query for query in self.queries if query.graded)

    @property
    def ungraded(self) -> tuple[str, ...]:
        """Ids of the queries that have no relevant object."""
        return tuple(query.query_id for query in self.queries if not query.graded)

    @property
    def cohorts(self) -> dict[str, int]:
        """Cohort → graded queries."""
        names = [query.cohort for query in self.graded]
        return {name: names.count(name) for name in dict.fromkeys(names)}


# --- JSON Lines -------------------------------------------------------------------------------------------------------


def parse_jsonl(lines: Iterable[str], where: str) -> GoldenSet:
    """One query a line (design.md §8). ``where`` is the file's name, for messages. Raises ``BadInput`` with the line."""
    queries: dict[str, GoldenQuery] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            at = f"{where}, line {number}"
            _add(queries, query_of(_json_object(line.lstrip("\ufeff"), at), at), at)
    return _set_of(queries, where)


def query_of(row: Mapping[str, Any], where: str) -> GoldenQuery:
    """A row as JSON gives it. Raises ``BadInput`` saying what is right."""
    _refuse_misspelt(row, where)
    filters = row.get("filters")
    if filters is not None and not isinstance(filters, Mapping):
        raise BadInput("filters is not an object", where=where, next_action="Give a REST where-filter, or leave it out.")
    return GoldenQuery(
        _text(row, "query_id", where),
        _text(row, "query", where),
        _judgements(row.get("relevant"), where),
        _optional_text(row, "cohort", where) or "",
        filters,
        _optional_text(row, "tenant", where),
    )


def _json_object(line: str, where: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line, object_pairs_hook=lambda pairs: _without_twins(pairs, where))
    except json.JSONDecodeError as error:
        raise BadInput(f"not JSON ({error.msg}, column {error.colno})", where=where, next_action=f"Write {_SHAPE}") from error
    if not isinstance(row, Mapping):
        raise BadInput("not a JSON object", where=where, next_action=f"Write {_SHAPE}")
    return row


def _without_twins(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    """JSON itself lets the last of two equal keys win in silence."""
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        twin = next(key for key in keys if keys.count(key) > 1)
        raise BadInput(f"{twin!r} stands there twice", where=where, next_action="Keep one of the two.")
    return row


def _refuse_misspelt(row: Mapping[str, Any], where: str) -> None:
    """Other fields are the file owner's own; one that is nearly ours would change what is asked if it were ignored."""
    for field in row:
        near = [] if field in _FIELDS else get_close_matches(str(field).lower(), _FIELDS, n=1, cutoff=0.8)
        if near and near[0] not in row:
            raise BadInput(f"unknown field {field!r}", where=where, next_action=f"Is it {near[0]!r}? Write {_SHAPE}")


def _text(row: Mapping[str, Any], field: str, where: str) -> str:
    value = row.get(field)
    if field == "query_id" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{field} is missing or no text: {value!r}", where=where, next_action=f"Write {_SHAPE}")
    return value.strip()


def _optional_text(row: Mapping[str, Any], field: str, where: str) -> str | None:
    return None if row.get(field) is None else _text(row, field, where)


# --- judgements -------------------------------------------------------------------------------------------------------


def _judgements(relevant: Any, where: str) -> dict[str, int]:
    if not isinstance(relevant, Mapping):
        raise BadInput("relevant is missing or no object", where=where, next_action=f"Write {_SHAPE}")
    judged: dict[str, int] = {}
    for name, grade in relevant.items():
        _judge(judged, name, grade, where)
    return judged


def _judge(judged: dict[str, int], name: Any, grade: Any, where: str) -> None:
    key = _uuid(name, where)
    if key in judged:
        raise BadInput(f"{key} is judged twice", where=where, next_action="Keep one grade for each object.")
    judged[key] = _grade(grade, f"{where}, {name}")


def _uuid(name: Any, where: str) -> str:
    try:
        return str(uuid.UUID(name))
    except (ValueError, AttributeError, TypeError) as error:
        raise BadInput(f"{name!r} is not a UUID", where=where, next_action=_RIGHT_UUID) from error


def _grade(grade: Any, where: str) -> int:
    """Whole numbers, because the measures are trec_eval's, and its are."""
    number = isinstance(grade, int | float) and not isinstance(grade, bool)
    if not number or not math.isfinite(grade) or grade != int(grade):
        raise BadInput(f"{grade!r} is no grade", where=where, next_action=_RIGHT_GRADE)
    return int(grade)


# --- TREC -------------------------------------------------------------------------------------------------------------


def parse_trec(topics: Iterable[str], qrels: Iterable[str], where: str = "golden set") -> GoldenSet:
    """Topics as ``<id><tab><query>`` lines or TREC's ``<top>`` blocks; qrels as ``<id> <iteration> <uuid> <grade>``.

    A topic without qrels is kept as ungraded. Raises ``BadInput`` with the line.
    """
    texts = _topics(list(topics), f"{where}, topics")
    judged = _qrels(qrels, texts, f"{where}, qrels")
    return _set_of({name: GoldenQuery(name, text, judged[name]) for name, text in texts.items()}, where)


def _topics(lines: list[str], where: str) -> dict[str, str]:
    blocks = any(line.lstrip().lower().startswith("<top>") for line in lines)
    texts: dict[str, str] = {}
    for number, name, text in _tagged(lines) if blocks else _tabbed(lines):
        at = f"{where}, line {number}"
        if not name or not text:
            raise BadInput("no topic", where=at, next_action="Write <id><tab><query>, or <num> and <title> in a <top> block.")
        if name in texts:
            raise BadInput(f"topic {name!r} stands there twice", where=at, next_action="Give each topic an id of its own.")
        texts[name] = text
    return texts


def _tabbed(lines: list[str]) -> Iterable[tuple[int, str, str]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            name, _, text = line.strip().lstrip("\ufeff").partition("\t")
            yield number, name.strip(), text.strip()


def _tagged(lines: list[str]) -> Iterable[tuple[int, str, str]]:
    """``<title>`` is the query, as users type it; description and narrative are for the judges."""
    text = "".join(line if line.endswith("\n") else line + "\n" for line in lines)
    for block in re.finditer(r"<top>(.*?)(?=</top>|<top>|\Z)", text, re.IGNORECASE | re.DOTALL):
        number = text.count("\n", 0, block.start()) + 1
        name = re.sub(r"^number:\s*", "", _tag("num", block[1]), flags=re.IGNORECASE)
        yield number, name, re.sub(r"^topic:\s*", "", _tag("title", block[1]), flags=re.IGNORECASE)


def _tag(name: str, block: str) -> str:
    found = re.search(rf"<{name}>([^<]*)", block, re.IGNORECASE)
    return " ".join(found[1].split()) if found else ""


def _qrels(lines: Iterable[str], topics: Mapping[str, str], where: str) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {name: {} for name in topics}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            at = f"{where}, line {number}"
            name, key, grade = _qrel(line, at)
            if name not in judged:
                raise BadInput(f"no topic {name!r}", where=at, next_action="Add the topic, or take its qrels out.")
            _judge(judged[name], key, grade, at)
    return judged


def _qrel(line: str, where: str) -> tuple[str, str, int | str]:
    parts = line.split()
    if len(parts) != 4:
        right = "Write <topic id> <iteration> <uuid> <grade>, for example: 301 0 3f1c4d5e-0a1b-4c2d-8e9f-0123456789ab 1"
        raise BadInput(f"{len(parts)} fields instead of 4", where=where, next_action=right)
    name, _, key, grade = parts
    return name, key, int(grade) if re.fullmatch(r"[+-]?\d+", grade) else grade


# --- both -------------------------------------------------------------------------------------------------------------


def _add(queries: dict[str, GoldenQuery], query: GoldenQuery, where: str) -> None:
    if query.query_id in queries:
        right = "Give each query an id of its own: results are paired by it."
        raise BadInput(f"query_id {query.query_id!r} stands there twice", where=where, next_action=right)
    queries[query.query_id] = query


def _set_of(queries: Mapping[str, GoldenQuery], where: str) -> GoldenSet:
    if not queries:
        raise BadInput("there are no queries in it", where=where, next_action=f"Write one a line: {_SHAPE}")
    return GoldenSet(tuple(queries.values()))
