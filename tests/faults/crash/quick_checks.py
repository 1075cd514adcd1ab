"""Great Expectations takes 0.2 s to judge rows and judges the same rows the same way: so they are judged once."""

from __future__ import annotations

import copy
import pkgutil
from collections.abc import Callable, Sequence
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from vecferry import checks
from vecferry.checks.expectations import CheckResult, run_suite

_judged: dict[str, CheckResult] = {}


def judge_the_same_rows_once(patch: pytest.MonkeyPatch) -> None:
    """The answers are real, and kept by everything that they depend on."""

    def kept(name: str, rows: Sequence[Any], expectations: Sequence[Any], *given: Any, **named: Any) -> CheckResult:
        asked = repr((name, rows, [(type(e).__name__, vars(e)) for e in expectations], given, named))
        if asked not in _judged:
            _judged[asked] = run_suite(name, rows, expectations, *given, **named)
        return copy.deepcopy(_judged[asked])

    _replace(patch, "run_suite", kept)


def pass_without_judging(patch: pytest.MonkeyPatch) -> None:
    """For listing effects while tests are collected, when nobody wants to wait for Great Expectations' import."""

    class Anything:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            return SimpleNamespace

    def passed(name: str, rows: Sequence[Any], *given: Any, **named: Any) -> CheckResult:
        return CheckResult(name, True, {}, [], len(rows))

    _replace(patch, "run_suite", passed)
    _replace(patch, "expectation_classes", Anything)


def _replace(patch: pytest.MonkeyPatch, name: str, by: Any) -> None:
    for found in pkgutil.iter_modules(checks.__path__):
        module = import_module(f"{checks.__name__}.{found.name}")
        if hasattr(module, name) and module.__name__ != run_suite.__module__:
            patch.setattr(module, name, by)
