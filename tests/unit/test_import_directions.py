"""Imports point one way; what is heavy is imported where it is used; nothing without a name has a place."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import pytest

Node = TypeVar("Node", bound=ast.AST)
ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "include" / "vecferry"

LAYERS = {
    "errors": 0,
    "domain": 1,
    "settings": 2,
    "ports": 2,
    "protocol": 3,
    **dict.fromkeys(("router", "adapters", "checks", "steps"), 4),
    **dict.fromkeys(("bootstrap", "testing"), 5),
    **dict.fromkeys(("cli", "airflow", "sandbox"), 6),
    **dict.fromkeys(("dags", "plugins"), 7),
}
FORBIDDEN_SIBLINGS = {"adapters": {"steps", "router", "checks"}, "router": {"steps", "checks", "adapters"}}
UPWARD = {("router/router.py", "bootstrap", True)}
"""``Router.connect``, inside the function: documented in design §2."""
HEAVY = ("airflow", "great_expectations", "pandas", "sklearn", "weaviate", "openai", "cohere")
NAMELESS = {"utils", "helpers", "common", "manager", "core", "misc"}


@dataclass(frozen=True)
class Import:
    """``part`` imports ``target`` (dotted, absolute); ``lazy`` if inside a function."""

    file: str
    part: str
    target: str
    lazy: bool

    @property
    def of_ours(self) -> str | None:
        """The part of vecferry that is imported; empty for the package itself."""
        words = self.target.split(".")
        return (words[1] if len(words) > 1 else "") if words[0] == "vecferry" else None


def test_imports_point_one_way():
    wrong = [found for found in imports() if not _allowed(found)]
    assert not wrong, "\n".join(f"{found.file}: {found.part} → {found.target}" for found in wrong)


def test_packages_do_not_import_each_other_in_a_circle():
    """Counted on what runs at import: ``stage_runner`` asks the gates, which read through steps, inside a function."""
    arrows = {(i.part, i.of_ours) for i in imports() if i.of_ours and not i.lazy and i.part != i.of_ours}
    circles = sorted((a, b) for a, b in arrows if b is not None and a in _reached(b, arrows))
    assert not circles


def test_the_domain_needs_only_the_standard_library_and_numpy():
    allowed = sys.stdlib_module_names | {"numpy", "vecferry"}
    assert not [i for i in imports() if i.part == "domain" and i.target.split(".")[0] not in allowed]


def test_airflow_is_imported_in_its_own_places_only():
    places = {"airflow", "dags", "plugins"}
    assert not [i for i in imports() if i.target.split(".")[0] == "airflow" and i.part not in places]


def test_the_checker_of_the_sandbox_knows_nothing_of_what_it_checks():
    mine = [i for i in imports() if i.file.startswith("sandbox/checker")]
    if not mine:
        pytest.skip("there is no checker yet")
    assert not [i for i in mine if i.of_ours is not None and not i.target.startswith("vecferry.sandbox.checker")]


@pytest.mark.parametrize("module", ["vecferry", "vecferry.router", "vecferry.testing", "vecferry.settings"])
def test_importing_what_applications_import_is_cheap(module):
    found = _modules_after(f"import {module}")
    assert not found & set(HEAVY)
    if module == "vecferry":
        assert not {name for name in found if name.startswith("vecferry.")}


def test_nothing_is_named_after_nothing():
    files = [path for path in _files() if path.stem in NAMELESS or path.parent.name in NAMELESS]
    assert not files


def test_only_what_talks_to_people_prints():
    talking = ("cli/", "sandbox/")
    assert not [file for file, node in _calls("print") if not file.startswith(talking)], "print( outside of cli and sandbox"


def test_nobody_compares_phases_by_order():
    ordered = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
    wrong = [
        f"{file}:{node.lineno}"
        for file, node in _nodes(ast.Compare)
        if any(isinstance(op, ordered) for op in node.ops) and any(_is_phase(side) for side in (node.left, *node.comparators))
    ]
    assert not wrong


def test_a_wrong_arrow_would_be_found():
    assert not _allowed(Import("domain/x.py", "domain", "vecferry.ports", False))
    assert not _allowed(Import("domain/x.py", "domain", "vecferry.ports", True))
    assert not _allowed(Import("router/x.py", "router", "vecferry.adapters.memory.clock", True))
    assert not _allowed(Import("router/router.py", "router", "vecferry.bootstrap", False))
    assert not _allowed(Import("steps/x.py", "steps", "vecferry.cli.app", True))
    assert not _allowed(Import("steps/x.py", "steps", "vecferry.new_package", True))
    assert _is_phase(ast.parse("migration.phase", mode="eval").body)
    assert _is_phase(ast.parse("Phase.SERVING", mode="eval").body)


# --- the graph


def _allowed(found: Import) -> bool:
    target = found.of_ours
    if target is None or target == found.part:
        return True
    if target in ("", "__version__") or found.part == "__init__":
        return found.part not in ("errors", "domain")
    if (found.file, target, found.lazy) in UPWARD:
        return True
    if target in FORBIDDEN_SIBLINGS.get(found.part, ()) or target not in LAYERS:
        return False
    return LAYERS[target] <= LAYERS[found.part]


def _reached(start: str, arrows: set[tuple[str, str | None]]) -> set[str]:
    reached, open_ends = set(), [start]
    while open_ends:
        here = open_ends.pop()
        for origin, target in arrows:
            if origin == here and target is not None and target not in reached:
                reached.add(target)
                open_ends.append(target)
    return reached


@lru_cache
def imports() -> tuple[Import, ...]:
    return tuple(found for path in _files() for found in _imports_of(path))


def _imports_of(path: Path) -> Iterator[Import]:
    tree = _tree(path)
    lazy = {id(node) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(f)}
    for node in ast.walk(tree):
        for target in _targets(node, path):
            yield Import(_named(path), _part(path), target, id(node) in lazy)


def _targets(node: ast.AST, path: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        package = path.parent.relative_to(PACKAGE.parent).parts
        base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
    return [f"{base}.{alias.name}" for alias in node.names] if base == "vecferry" else [base]


def _files() -> list[Path]:
    return sorted(path for folder in (PACKAGE, ROOT / "dags", ROOT / "plugins") for path in folder.rglob("*.py"))


def _named(path: Path) -> str:
    return str(path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT))


def _part(path: Path) -> str:
    return Path(_named(path)).parts[0].removesuffix(".py")


@lru_cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _nodes(kind: type[Node]) -> Iterator[tuple[str, Node]]:
    for path in _files():
        for node in ast.walk(_tree(path)):
            if isinstance(node, kind):
                yield _named(path), node


def _calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    return ((file, node) for file, node in _nodes(ast.Call) if isinstance(node.func, ast.Name) and node.func.id == name)


def _is_phase(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "phase" or (isinstance(node.value, ast.Name) and node.value.id == "Phase")
    return isinstance(node, ast.Name) and node.id == "phase"


def _modules_after(statement: str) -> set[str]:
    """Top-level names that are loaded, and vecferry's own modules in full."""
    code = f"{statement}\nimport sys\nfor name in sys.modules: print(name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    names = done.stdout.split()
    return {name.split(".")[0] for name in names} | {name for name in names if name.startswith("vecferry.")}
