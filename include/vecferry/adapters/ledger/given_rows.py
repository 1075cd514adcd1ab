"""Python sequences as a relation in SQL: one statement of constant text, however long the sequence is.

PostgreSQL unnests arrays, SQLite reads a JSON text; neither has a limit on bound parameters to run into.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Integer, Text, bindparam, column, func, select
from sqlalchemy.sql.selectable import FromClause

KEYS = "given_keys"
IDS = "given_ids"
TOKENS = "given_tokens"


def keys_relation(dialect: str) -> FromClause:
    """Columns ``key`` and ``place`` (ascending), of the parameter that ``keys_parameter`` makes."""
    if dialect == "sqlite":
        each = func.json_each(bindparam(KEYS, type_=Text)).table_valued(column("value", Text), column("key", Integer))
        return select(each.c.value.label("key"), each.c.key.label("place")).subquery("given")
    unnested = func.unnest(bindparam(KEYS, type_=ARRAY(Text)))
    return unnested.table_valued(column("key", Text), with_ordinality="place", name="given").render_derived()


def keys_parameter(dialect: str, keys: Sequence[str]) -> Mapping[str, Any]:
    return {KEYS: json.dumps(list(keys)) if dialect == "sqlite" else list(keys)}


def tokens_relation(dialect: str) -> FromClause:
    """Columns ``id`` and ``token``, of the parameters that ``tokens_parameter`` makes."""
    if dialect == "sqlite":
        each = func.json_each(bindparam(TOKENS, type_=Text)).table_valued(column("value", Text))
        pair = (func.json_extract(each.c.value, f"$[{place}]") for place in (0, 1))
        return select(*(part.label(name) for part, name in zip(pair, ("id", "token"), strict=True))).subquery("given")
    unnested = func.unnest(bindparam(IDS, type_=ARRAY(BigInteger)), bindparam(TOKENS, type_=ARRAY(Text)))
    return unnested.table_valued(column("id", BigInteger), column("token", Text), name="given").render_derived()


def tokens_parameter(dialect: str, pairs: Sequence[tuple[int, str]]) -> Mapping[str, Any]:
    if dialect == "sqlite":
        return {TOKENS: json.dumps(pairs)}
    return {IDS: [row_id for row_id, _ in pairs], TOKENS: [token for _, token in pairs]}
