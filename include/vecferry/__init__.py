"""vecferry: move a Weaviate collection from one embedding model to another while it serves traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vecferry.router import Router as Router

__all__ = ["Router", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Router":  # lazily: importing vecferry costs nothing
        from vecferry.router import Router

        return Router
    raise AttributeError(f"module 'vecferry' has no attribute {name!r}")
