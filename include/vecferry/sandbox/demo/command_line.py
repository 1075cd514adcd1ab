"""Runs ``vecferry`` as a person would, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from vecferry.errors import NeedsPerson

_TIMEOUT_S = 180


def vecferry(env: Mapping[str, str], *arguments: str) -> Any:
    """Its ``--json`` answer. Raises ``NeedsPerson`` with what it said when it did not exit with 0."""
    command = [sys.executable, "-m", "vecferry.cli", *arguments, "--json"]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=_TIMEOUT_S)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise NeedsPerson(f"exit code {done.returncode}: {said}", where=f"vecferry {' '.join(arguments)}")
    return json.loads(done.stdout)
