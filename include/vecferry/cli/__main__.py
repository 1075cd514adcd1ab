"""``python -m vecferry.cli``, for where the console script is not on the path."""

from __future__ import annotations

from vecferry.cli import main

main()
