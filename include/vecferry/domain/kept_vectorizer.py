"""A shadow that keeps its server-side vectorizer, with the new model; and how it is kept from embedding until ``retire``.

The server embeds every object that comes without a vector, and a copy that is to have none (refused by the provider, too long)
would get one behind our back, or take its whole batch down with it. So until ``retire`` the vectorizer may embed one property
only, which no object has. Searches by text are answered all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vecferry.domain.catalogue import Api, ModelCard
from vecferry.domain.server_text import settings_of

NOTHING = "embedding_nothing"
"""The property that no object has. It is in no schema either: the server does not ask."""
MODULE_OF: Mapping[Api, str] = {"openai": "text2vec-openai", "cohere": "text2vec-cohere"}

_MODEL_SETTINGS = frozenset({"model", "modelVersion", "type", "dimensions"})
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    # Its address is said: the server (1.39) lets settings be changed in place only where one that it once renamed is there.
    "text2vec-openai": {"baseURL": "https://api.openai.com"},
    "text2vec-cohere": {"baseURL": "https://api.cohere.ai", "baseUrl": "https://api.cohere.ai", "truncate": "END"},
}


@dataclass(frozen=True)
class KeptVectorizer:
    """The vectorizer as it is to be. ``properties`` are those that it is told to embed; none: all that are text.
    ``dimensions``: where the model takes a number; ``base_url``: where the module is another one than live's, and the model has
    an address of its own."""

    module: str
    model: str
    properties: tuple[str, ...] = ()
    dimensions: int | None = None
    base_url: str = ""


def kept_vectorizer(live: Mapping[str, Any], vector_name: str, card: ModelCard) -> KeptVectorizer:
    """Of live's vectorizer for the new model. The module's own address is kept: the server may reach the provider by another
    road than vecferry does."""
    module = MODULE_OF[card.api]
    same = settings_of(live, vector_name)[0] == module
    address = "" if same else card.base_url.removesuffix("/").removesuffix("/v1")
    dimensions = card.dimensions if card.sends_dimensions else None
    return KeptVectorizer(module, card.model, source_properties(live, vector_name), dimensions, address)


def settings(live: Mapping[str, Any], vector_name: str, kept: KeptVectorizer, *, vectorizing: bool) -> dict[str, Any]:
    """The module's settings in the shadow: without the collection's name in the text, for every attempt has another one."""
    module, before = settings_of(live, vector_name)
    own = {name: value for name, value in before.items() if name not in _MODEL_SETTINGS} if module == kept.module else {}
    own = {**_DEFAULTS[kept.module], **own, "model": kept.model, "vectorizeClassName": False}
    own |= {"dimensions": kept.dimensions} if kept.dimensions else {}
    own |= {"baseURL": kept.base_url} if kept.base_url else {}
    own.pop("properties", None)
    chosen = list(kept.properties) if vectorizing else [NOTHING]
    return own | ({"properties": chosen} if chosen else {})


def source_properties(live: Mapping[str, Any], vector_name: str) -> tuple[str, ...]:
    return tuple(settings_of(live, vector_name)[1].get("properties") or ())


def put_into(
    shadow: dict[str, Any], live: Mapping[str, Any], vector_name: str, kept: KeptVectorizer, chosen: dict[str, Any]
) -> None:
    """``chosen`` in the place of live's settings; what properties say to live's module they say to the new one."""
    before, module = settings_of(live, vector_name)[0], kept.module
    for prop in shadow.get("properties") or ():
        said = prop.get("moduleConfig") or {}
        if before in said:
            said[module] = said.pop(before)
    if vector_name:
        shadow["vectorConfig"][vector_name]["vectorizer"] = {module: chosen}
        return
    others = {name: value for name, value in (shadow.get("moduleConfig") or {}).items() if name != before}
    shadow |= {"vectorizer": module, "moduleConfig": others | {module: chosen}}
