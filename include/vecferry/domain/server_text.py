"""The text that Weaviate itself embeds where a collection has a server-side text2vec vectorizer, rule by rule.

Read in the server's source (1.39.0, ``usecases/modulecomponents/vectorizer/object_texts.go`` and ``settings``), and proven on
each collection by embedding a sample again: LOWERCASE_VECTORIZATION_INPUT, for one, is the server's own environment.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

SUPPORTED = ("text2vec-cohere", "text2vec-openai")
_TEXTS = ("text", "text[]", "string", "string[]")
_TEXTS_AT_A_MERGE = ("date", "date[]", "uuid", "uuid[]")


@dataclass(frozen=True)
class ServerText:
    """``collection`` is the name that is embedded, in words, first of all (``class_named``) or where there is nothing else
    (``fallback``). ``labelled`` properties have their own name, in words, before each value. ``lower``: all in lower case."""

    collection: str
    class_named: bool = True
    fallback: bool = True
    labelled: tuple[str, ...] = ()
    lower: bool = False

    def text_of(self, names: tuple[str, ...], properties: Mapping[str, Any]) -> str:
        """``names`` in the server's order, by their code points. Values are neither trimmed nor left out when empty."""
        parts = [self._words(self.collection)] if self.class_named else []
        parts += [self._value(name, text) for name in names for text in _texts(properties.get(name))]
        if not parts and self.fallback:
            parts = [self._words(self.collection)]
        return " ".join(parts)

    def _value(self, name: str, text: str) -> str:
        value = _lower(text) if self.lower else text
        return f"{self._words(name)} {value}" if name in self.labelled else value

    def _words(self, name: str) -> str:
        words = " ".join(part for part in camel_case_parts(name) if part != " ")
        return _lower(words) if self.lower else words


def server_rules(schema: Mapping[str, Any], vector_name: str) -> tuple[tuple[str, ...], ServerText] | None:
    """The properties that the server embeds, in its order, and how; ``None`` where clients bring the vectors.

    Raises ``ValueError`` where a rule is of a kind that is not known here: another vectorizer, or values that are no text.
    """
    module, settings = settings_of(schema, vector_name)
    if module is None:
        return None
    if module not in SUPPORTED:
        raise ValueError(f"the rules of the vectorizer {module} are not known to this release")
    chosen = settings.get("properties") or ()
    kinds = {prop["name"]: str(prop["dataType"][0]) for prop in schema.get("properties") or ()}
    odd = [name for name in chosen if kinds.get(name, "text") not in _TEXTS]  # what is not there yet has no values
    if odd:
        raise ValueError(f"the vectorizer's properties {', '.join(odd)} are not text: how the server writes them is not known")
    own = {prop["name"]: (prop.get("moduleConfig") or {}).get(module) or {} for prop in schema.get("properties") or ()}
    names = [name for name, kind in kinds.items() if kind in _TEXTS and _embedded(name, chosen, own[name])]
    labelled = [name for name in names if own[name].get("vectorizePropertyName") is True]
    return tuple(sorted(names)), ServerText(
        collection=str(schema["class"]),
        class_named=settings.get("vectorizeClassName") is not False,
        fallback=not chosen,
        labelled=tuple(sorted(labelled)),
    )


def names_after_a_merge(schema: Mapping[str, Any], vector_name: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The properties that the server embeds of an object one of whose texts was changed in place, without a vector: dates and
    uuids are texts to it then, unless the vectorizer has a list of its properties. Measured on 1.39.0."""
    module, settings = settings_of(schema, vector_name)
    if module is None or settings.get("properties"):
        return names
    more = [prop for prop in schema.get("properties") or () if str(prop["dataType"][0]) in _TEXTS_AT_A_MERGE]
    own = {prop["name"]: (prop.get("moduleConfig") or {}).get(module) or {} for prop in more}
    return tuple(sorted({*names, *(name for name in own if _embedded(name, (), own[name]))}))


def settings_of(schema: Mapping[str, Any], vector_name: str) -> tuple[str | None, Mapping[str, Any]]:
    """The vectorizer's module and its settings: of a named vector in its own part, of the unnamed one in the collection's
    ``moduleConfig``; ``(None, {})`` where clients bring the vectors."""
    if vector_name:
        vectorizer = (schema.get("vectorConfig") or {}).get(vector_name, {}).get("vectorizer") or {}
        module = next((name for name in vectorizer if name != "none"), None)
        return module, (vectorizer[module] or {}) if module else {}
    module = schema.get("vectorizer") or "none"
    return (None, {}) if module == "none" else (module, (schema.get("moduleConfig") or {}).get(module) or {})


def vectorizer_of(schema: Mapping[str, Any], vector_name: str) -> str | None:
    """The module with which the server itself vectorizes; ``None`` where clients bring the vectors."""
    return settings_of(schema, vector_name)[0]


def camel_case_parts(name: str) -> list[str]:
    """``PDFLoaderV2`` → PDF, Loader, V, 2: as github.com/fatih/camelcase splits."""
    runs = ["".join(run) for _, run in groupby(name, key=_kind)]
    kinds = [_kind(run[0]) for run in runs]
    for place in range(len(runs) - 1):
        if kinds[place] == "upper" and kinds[place + 1] == "lower":  # the last capital begins the next word
            runs[place], runs[place + 1] = runs[place][:-1], runs[place][-1] + runs[place + 1]
    return [run for run in runs if run]


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    return {"Ll": "lower", "Lu": "upper", "Nd": "digit"}.get(category, "other")


def _embedded(name: str, chosen: Any, own: Mapping[str, Any]) -> bool:
    return name in chosen if chosen else own.get("skip") is not True


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        yield from (item for item in value if isinstance(item, str))


def _lower(text: str) -> str:
    """Letter by letter, as Go does it: no final sigma, and one letter for one."""
    return "".join(character.lower()[:1] for character in text)
