"""The sandbox's corpus: real text that is on every machine, with questions whose answers are known.

The text is the docstrings of installed packages, read from their sources by :mod:`ast` and never imported. A document is
a docstring *without* its summary; the summary, cut out, is the query that should find it (known-item search). Which
documents and queries are taken is fixed by the seed before any model has seen them, so no model is favoured.

Files, both JSON Lines::

    corpus.jsonl  {"uuid": "…", "properties": {"title": "pandas.core.frame.DataFrame.merge", "package": "pandas", "body": "…"}}
    golden.jsonl  {"query_id": "q-0001", "query": "…", "relevant": {"<uuid>": 1}, "cohort": "pandas"}
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import inspect
import json
import random
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vecferry.errors import BadInput
from vecferry.sandbox.jsonl import read_objects, write_objects

PACKAGES = (
    "airflow",
    "fastapi",
    "great_expectations",
    "httpx",
    "numpy",
    "pandas",
    "pydantic",
    "sklearn",
    "sqlalchemy",
    "weaviate",
)
DISTRIBUTIONS = {"airflow": "apache-airflow-core", "sklearn": "scikit-learn", "weaviate": "weaviate-client"}
SKIPPED_FOLDERS = frozenset({"tests", "testing", "migrations", "_vendor"})
SUMMARY_CHARS = (25, 200)
# The upper bound keeps every text under 8,192 tokens at four characters a token: the demo shows a migration, not a policy.
BODY_CHARS = (150, 24_000)
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://vecferry.invalid/sandbox/corpus")
SHAPE = 1  # raise it when the shape of the lines changes: old caches are then built anew


@dataclass(frozen=True)
class Docstring:
    title: str
    package: str
    summary: str
    body: str

    @property
    def uuid(self) -> str:
        return str(uuid.uuid5(NAMESPACE, self.title))


@dataclass(frozen=True)
class BuiltCorpus:
    """Where the two files are and how many lines they have. ``key`` is the hash of all that they were made from."""

    corpus: Path
    golden: Path
    documents: int
    queries: int
    key: str


def build(
    folder: Path | str,
    documents: int = 5000,
    queries: int = 1200,
    seed: int = 20261101,
    packages: Sequence[str] = PACKAGES,
) -> BuiltCorpus:
    """Write ``corpus.jsonl`` and ``golden.jsonl`` into ``folder``; about 10 s, and nothing at all when they are current.

    Packages that are not installed are left out. Fewer documents or queries than asked for are written when there are
    no more; :class:`BadInput` when there are none at all.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"the folder cannot be made ({error.strerror})", where=str(folder), next_action="Give another folder."
        ) from error
    made_from: dict[str, Any] = {
        "shape": SHAPE,
        "documents": documents,
        "queries": queries,
        "seed": seed,
        "packages": {name: _version(name) for name in sorted(packages) if _roots(name)},
    }
    key = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
    cached = _cached(folder, key)
    if cached:
        return cached

    found = [entry for name in made_from["packages"] for entry in docstrings_of(name)]
    if not found:
        raise BadInput(
            "no docstring of the right length was found",
            where=f"packages {', '.join(packages) or '(none)'}",
            next_action="Install one of: " + ", ".join(PACKAGES) + ".",
        )
    chosen = _sample(found, documents, seed)
    asked = _questions(chosen, queries, seed)
    return _write(folder, key, chosen, asked)


def load_corpus(path: Path | str) -> list[dict[str, Any]]:
    """Lines ``{"uuid", "properties": {…}}`` in file order; :class:`BadInput` names file, line and what is wrong."""
    records: list[dict[str, Any]] = []
    first_line: dict[str, int] = {}
    for number, record in read_objects(path):
        where = f"{path}:{number}"
        try:
            record["uuid"] = str(uuid.UUID(record["uuid"]))
        except KeyError:
            raise _bad_line(where, 'there is no "uuid"', CORPUS_LINE) from None
        except (ValueError, TypeError, AttributeError):
            raise _bad_line(where, f'"uuid" is {record["uuid"]!r}, which is not a UUID', CORPUS_LINE) from None
        properties = record.get("properties")
        if not isinstance(properties, dict) or not properties:
            raise _bad_line(where, '"properties" is missing, empty or not an object', CORPUS_LINE)
        if record["uuid"] in first_line:
            earlier = first_line[record["uuid"]]
            raise _bad_line(where, f"the uuid {record['uuid']} was already on line {earlier}", CORPUS_LINE)
        first_line[record["uuid"]] = number
        records.append(record)
    if not records:
        raise BadInput("the corpus is empty", where=str(path), next_action=f"Give lines like {CORPUS_LINE}.")
    return records


def load_golden(path: Path | str) -> list[dict[str, Any]]:
    """Raw golden lines with at least a query and one relevant uuid; grades are judged by the golden set's own reader."""
    records = []
    for number, record in read_objects(path):
        where = f"{path}:{number}"
        if not isinstance(record.get("query"), str) or not record["query"].strip():
            raise _bad_line(where, '"query" is missing, empty or not a string', GOLDEN_LINE)
        if not isinstance(record.get("relevant"), dict) or not record["relevant"]:
            raise _bad_line(where, '"relevant" is missing, empty or not an object of uuid: grade', GOLDEN_LINE)
        records.append(record)
    if not records:
        raise BadInput("the golden set is empty", where=str(path), next_action=f"Give lines like {GOLDEN_LINE}.")
    return records


def texts_of(records: Iterable[dict[str, Any]], recipe: Sequence[str] = ("body",)) -> list[str]:
    """One text per record: the recipe's properties joined by newlines, or every string property where none is there."""
    texts = []
    for record in records:
        properties = record["properties"]
        named = [properties[name] for name in recipe if isinstance(properties.get(name), str)]
        texts.append("\n".join(named or [value for value in properties.values() if isinstance(value, str)]))
    return texts


def docstrings_of(package: str) -> Iterator[Docstring]:
    """The usable docstrings of one installed package, in the order of its sorted files; nothing is imported."""
    for root in _roots(package):
        for source in sorted(root.rglob("*.py")):
            inside = source.relative_to(root)
            if SKIPPED_FOLDERS.isdisjoint(inside.parts):
                yield from _in_file(source, package, _module_name(package, inside))


def split(docstring: str) -> tuple[str, str] | None:
    """(summary, body) with the summary cut out of the body wherever it stands; None when either has the wrong length."""
    head, _, rest = inspect.cleandoc(docstring).partition("\n\n")
    words = head.split()
    summary = " ".join(words)
    if not SUMMARY_CHARS[0] <= len(summary) <= SUMMARY_CHARS[1]:
        return None
    body = _without(rest, words) if summary.casefold() in " ".join(rest.split()).casefold() else rest.strip()
    return (summary, body) if BODY_CHARS[0] <= len(body) <= BODY_CHARS[1] else None


def _without(text: str, words: Sequence[str]) -> str:
    """``text`` less every run of ``words``, however it is wrapped or capitalised."""
    again = re.compile(r"\s+".join(re.escape(word) for word in words), re.IGNORECASE)
    return again.sub(" ", text).strip()


CORPUS_LINE = '{"uuid": "…", "properties": {"title": "…", "body": "…"}}'
GOLDEN_LINE = '{"query_id": "…", "query": "…", "relevant": {"<uuid>": 1}}'


def _bad_line(where: str, what: str, example: str) -> BadInput:
    return BadInput(what, where=where, next_action=f"Write it like {example}.")


def _roots(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return sorted(Path(place) for place in spec.submodule_search_locations or ()) if spec else []


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(package, package))
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _module_name(package: str, inside: Path) -> str:
    parts = [package, *inside.with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _in_file(source: Path, package: str, module: str) -> Iterator[Docstring]:
    text = source.read_text(encoding="utf-8", errors="replace")
    if '"""' not in text:  # most generated files have none, and parsing is what costs
        return
    try:
        tree = ast.parse(text)
    except SyntaxError:  # templates and code for other Python versions ship inside packages
        return
    for title, docstring in _documented(tree, module):
        parts = split(docstring)
        if parts:
            yield Docstring(title, package, *parts)


def _documented(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, str]]:
    for child in node.body:
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        title = f"{prefix}.{child.name}"
        docstring = ast.get_docstring(child, clean=False)
        if docstring:
            yield title, docstring
        if isinstance(child, ast.ClassDef):
            yield from _documented(child, title)


def _sample(found: Sequence[Docstring], documents: int, seed: int) -> list[Docstring]:
    """``documents`` of them by seed. Of equal names (overloads) or bodies (inherited docstrings) the first is kept."""
    titles: set[str] = set()
    bodies: set[str] = set()
    distinct = []
    for entry in found:
        if entry.title not in titles and entry.body not in bodies:
            titles.add(entry.title)
            bodies.add(entry.body)
            distinct.append(entry)
    rng = random.Random(f"documents {seed}")
    return sorted(rng.sample(distinct, min(documents, len(distinct))), key=lambda entry: entry.title)


def _questions(chosen: Sequence[Docstring], queries: int, seed: int) -> list[Docstring]:
    """``queries`` of the documents by seed; a summary that two documents share has no single right answer, so is not asked."""
    shared = Counter(entry.summary.casefold() for entry in chosen)
    askable = [entry for entry in chosen if shared[entry.summary.casefold()] == 1]
    return random.Random(f"queries {seed}").sample(askable, min(queries, len(askable)))


def _write(folder: Path, key: str, chosen: Sequence[Docstring], asked: Sequence[Docstring]) -> BuiltCorpus:
    built = BuiltCorpus(folder / "corpus.jsonl", folder / "golden.jsonl", len(chosen), len(asked), key)
    write_objects(
        built.corpus,
        (
            {"uuid": entry.uuid, "properties": {"title": entry.title, "package": entry.package, "body": entry.body}}
            for entry in chosen
        ),
    )
    write_objects(
        built.golden,
        (
            {"query_id": f"q-{n:04d}", "query": entry.summary, "relevant": {entry.uuid: 1}, "cohort": entry.package}
            for n, entry in enumerate(asked, start=1)
        ),
    )
    # Last: a build that was interrupted has no stamp, and is done again.
    stamp = {"key": key, "documents": built.documents, "queries": built.queries}
    _stamp(folder).write_text(json.dumps(stamp) + "\n", encoding="utf-8")
    return built


def _stamp(folder: Path) -> Path:
    return folder / "corpus.stamp.json"


def _cached(folder: Path, key: str) -> BuiltCorpus | None:
    corpus, golden = folder / "corpus.jsonl", folder / "golden.jsonl"
    try:
        stamp = json.loads(_stamp(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if stamp.get("key") != key or not (corpus.exists() and golden.exists()):
        return None
    return BuiltCorpus(corpus, golden, stamp["documents"], stamp["queries"], key)
