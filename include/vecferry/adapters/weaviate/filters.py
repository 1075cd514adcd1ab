"""What callers filter by → the wire's form: a client ``Filter``, a REST ``where``, or a mapping of equal values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vecferry.errors import BadInput

_OPERATORS = {
    "Equal": "equal",
    "NotEqual": "not_equal",
    "GreaterThan": "greater_than",
    "GreaterThanEqual": "greater_or_equal",
    "LessThan": "less_than",
    "LessThanEqual": "less_or_equal",
    "Like": "like",
    "IsNull": "is_none",
    "ContainsAny": "contains_any",
    "ContainsAll": "contains_all",
    "ContainsNone": "contains_none",
}


def to_wire(filters: Any) -> Any:
    """A ``Filters`` message, or ``None`` for no filter."""
    if filters is None or (isinstance(filters, Mapping) and not filters):
        return None
    from weaviate.collections.filters import _FilterToGRPC

    wanted = _of_mapping(filters) if isinstance(filters, Mapping) else filters
    try:
        return _FilterToGRPC.convert(wanted)
    except (AttributeError, AssertionError, TypeError) as error:
        raise _not_a_filter(filters) from error


def _of_mapping(filters: Mapping[str, Any]) -> Any:
    from weaviate.classes.query import Filter

    if "operator" in filters:
        return _of_where(filters)
    return Filter.all_of([Filter.by_property(name).equal(value) for name, value in filters.items()])


def _of_where(where: Mapping[str, Any]) -> Any:
    from weaviate.classes.query import Filter

    operator = where["operator"]
    if operator in ("And", "Or"):
        join = Filter.all_of if operator == "And" else Filter.any_of
        return join([_of_where(operand) for operand in where.get("operands") or ()])
    values = [value for name, value in where.items() if name.startswith("value")]
    path: list[str] = list(where.get("path") or [])
    if operator not in _OPERATORS or len(path) != 1 or len(values) != 1:
        raise _not_a_filter(where)
    target = Filter.by_id() if path[0] == "id" else Filter.by_property(path[0])
    return getattr(target, _OPERATORS[operator])(values[0])


def _not_a_filter(filters: Any) -> BadInput:
    return BadInput(
        f"not a filter: {filters!r:.200}",
        where="filters",
        next_action="Give a weaviate Filter, a REST where of one property a path, or a mapping property → value.",
    )
