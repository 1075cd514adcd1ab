"""Which machine, code and versions a measurement is of."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from vecferry.sandbox.weaviate_binary import VERSION as WEAVIATE_VERSION

_GIB = 2**30
_PACKAGES = ("weaviate-client", "sqlalchemy", "psycopg", "numpy")


def about() -> dict[str, str]:
    """By name, in the order in which they are told; ``load`` is the machine's when this is asked."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    return {
        "machine": f"{os.cpu_count()} processors, {memory:.0f} GiB of memory, {platform.system()} {platform.machine()}",
        "commit": _commit(),
        "versions": ", ".join(
            [f"Python {platform.python_version()}", f"Weaviate {WEAVIATE_VERSION}", *(f"{n} {version(n)}" for n in _PACKAGES)]
        ),
    }


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def _commit() -> str:
    """With a word on what is not committed; a copy without history says so."""
    here = Path(__file__).parent
    try:
        commit, changed = (
            subprocess.run(["git", "-C", str(here), *command], capture_output=True, text=True, check=True).stdout.strip()
            for command in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.CalledProcessError):
        return "not a checkout"
    return f"{commit} and changes" if changed else commit
