"""Runs the checker as a process of its own, that has nothing of vecferry in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from vecferry.domain.catalogue import Catalogue
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import NeedsPerson
from vecferry.sandbox import checker
from vecferry.sandbox.demo.documents import Documents
from vecferry.sandbox.demo.folder import DemoFolder

Collection = tuple[str, EmbeddingSpace]
"""A collection and the space that its vectors must be of."""


def check(
    folder: DemoFolder, documents: Documents, env: dict[str, str], catalogue: Catalogue, authority: Collection,
    other: Collection | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What the checker found; nobody may write meanwhile. Raises ``NeedsPerson`` when it could not look."""
    command = [sys.executable, "-m", "checker", "--weaviate", env["VECFERRY_WEAVIATE_URL"]]
    command += ["--authority", _side(catalogue, authority)]
    if other:
        command += ["--other", _side(catalogue, other)]
    command += ["--corpus", str(folder.corpus), "--history", str(folder.history), "--recipe", ",".join(documents.recipe)]
    path = Path(checker.__file__).parent.parent
    done = subprocess.run(command, env={**os.environ, **env, "PYTHONPATH": str(path)}, capture_output=True, text=True)
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise NeedsPerson(f"it could not look: {done.stderr.strip()[-2000:]}", where="checker")
    return dict(json.loads(done.stdout))


def _side(catalogue: Catalogue, collection: Collection) -> str:
    name, space = collection
    card = catalogue.card(space.id)
    return f"{name}={card.api}:{card.model}@{card.base_url}"
