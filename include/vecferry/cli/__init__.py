"""The command line: one verb a file."""

from __future__ import annotations

import sys


def main() -> None:
    """The console script ``vecferry``."""
    try:
        from vecferry.cli.app import app
    except KeyboardInterrupt:  # before there is anybody to say it nicely
        sys.exit(130)
    app()
