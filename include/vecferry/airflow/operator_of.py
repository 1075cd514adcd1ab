"""Airflow's decorators hand out the output of a task; the graph is wired with the task itself."""

from __future__ import annotations

from airflow.sdk import BaseOperator, XComArg
from airflow.sdk.definitions.mappedoperator import MappedOperator


def operator_of(output: XComArg) -> BaseOperator:
    (operator,) = {operator for operator, _ in output.iter_references()}
    assert isinstance(operator, BaseOperator), output
    return operator


def mapped_operator_of(output: XComArg) -> MappedOperator:
    (operator,) = {operator for operator, _ in output.iter_references()}
    assert isinstance(operator, MappedOperator), output
    return operator
