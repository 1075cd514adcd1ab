"""Puts a mutant in place: at once, or as soon as a process imports what connects it to the world."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_WITH = "vecferry.bootstrap"
"""Whoever is to write or to route imports it first, and nothing has been done by then."""


def install_when_imported(name: str) -> None:
    """Costs a process that never imports the product nothing."""
    if _WITH in sys.modules:
        install(name)
    else:
        sys.meta_path.insert(0, _Finder(name))


def install(name: str) -> int:
    """How many places it patched. For good: the process is this mutant until it ends."""
    from tests.faults.nemesis.mutants.dropped import mutant_of

    patch = ForGood()
    mutant_of(name)(patch)
    print(f"mutant {name}: {patch.patched} places", file=sys.stderr, flush=True)
    return patch.patched


class ForGood:
    """What the mutants use of pytest's ``MonkeyPatch``, without its undoing."""

    def __init__(self) -> None:
        self.patched = 0

    def setattr(self, target: Any, name: str, value: Any) -> None:
        if not hasattr(target, name):
            raise AttributeError(f"{target!r} has no {name!r} (any more): the mutant drops nothing")
        setattr(target, name, value)
        self.patched += 1


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module as the others would, and has its loader install the mutant afterwards."""

    def __init__(self, mutant: str) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _WITH:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._mutant)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: Any, mutant: str) -> None:
        self._loader = loader
        self._mutant = mutant

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        install(self._mutant)
