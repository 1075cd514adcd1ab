"""What applications import."""

from __future__ import annotations

from vecferry.router.results import Hit, Receipt, SearchHits
from vecferry.router.router import Router

__all__ = ["Hit", "Receipt", "Router", "SearchHits"]
