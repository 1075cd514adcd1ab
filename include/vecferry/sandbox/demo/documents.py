"""The documents and queries of this demo: the sandbox's own, or other people's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vecferry.errors import BadInput
from vecferry.sandbox.corpus import build, load_corpus, load_golden
from vecferry.sandbox.demo.folder import DemoFolder
from vecferry.sandbox.jsonl import write_objects


@dataclass(frozen=True)
class Documents:
    """``recipe``: the text properties that are embedded, in order; writes change the last of them."""

    rows: Sequence[Mapping[str, Any]]
    golden: Sequence[Mapping[str, Any]]
    recipe: tuple[str, ...]

    @property
    def text(self) -> str:
        return self.recipe[-1]


def gather(folder: DemoFolder, corpus: Path | None, golden: Path | None, *, documents: int, queries: int) -> Documents:
    """Writes both files into the folder. Raises ``BadInput`` naming the file and the line that is not right."""
    if (corpus is None) != (golden is None):
        raise BadInput("--corpus and --golden belong together", next_action="Give both, or neither.")
    if corpus is None or golden is None:
        built = build(folder.cache / f"corpus-{documents}-{queries}", documents=documents, queries=queries)
        corpus, golden = built.corpus, built.golden
    rows, asked = load_corpus(corpus), load_golden(golden)
    _refuse_unknown_answers(rows, asked, golden)
    write_objects(folder.corpus, iter(rows))
    write_objects(folder.golden, iter(asked))
    return Documents(rows, asked, _recipe(rows, corpus))


def _recipe(rows: Sequence[Mapping[str, Any]], corpus: Path) -> tuple[str, ...]:
    """``body`` where there is one, else all properties that are text in every document that has them."""
    names = dict.fromkeys(name for row in rows for name in row["properties"])
    texts = tuple(name for name in names if all(isinstance(row["properties"].get(name, ""), str) for row in rows))
    if not texts:
        raise BadInput("no property is text", where=str(corpus), next_action="Give documents with a text to embed.")
    return ("body",) if "body" in texts else texts


def _refuse_unknown_answers(rows: Sequence[Mapping[str, Any]], golden: Sequence[Mapping[str, Any]], where: Path) -> None:
    known = {row["uuid"] for row in rows}
    missing = sorted({key for row in golden for key in row["relevant"]} - known)
    if missing:
        raise BadInput(
            f"{len(missing)} of the relevant objects are not in the corpus, e.g. {missing[0]}",
            where=str(where),
            next_action="Give a golden set whose answers are in the corpus.",
        )
