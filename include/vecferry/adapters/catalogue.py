"""Loads the catalogue: the packaged one, and over it the user's own file (``VECFERRY_MODELS``)."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from datetime import date
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vecferry.domain.catalogue import Api, Catalogue, ModelCard
from vecferry.domain.spaces import Distance
from vecferry.errors import BadInput

_PACKAGED = "the packaged catalogue.toml"


class Entry(BaseModel):
    """One ``[[model]]`` of a file; the fields are those of ``ModelCard``, with what is right for them."""

    model_config = ConfigDict(extra="forbid")

    provider: str = Field(pattern=r"^[^/@\s]+$")
    model: str = Field(pattern=r"^[^@\s]+$")
    api: Api
    dimensions: int = Field(ge=1, le=65_535)
    max_tokens: int = Field(default=8192, ge=1)
    inputs_per_request: int = Field(default=96, ge=1)
    tokens_per_request: int = Field(default=300_000, ge=1)
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    inputs_per_minute: int | None = Field(default=None, ge=1)
    usd_per_million_tokens: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    price_date: date | None = None
    distance: Distance = "cosine"
    normalised: bool = True
    version: str = ""
    family: str = ""
    document_task: str = ""
    query_task: str = ""
    deprecated_on: date | None = None
    shutdown_on: date | None = None
    replacement: str = ""
    base_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    api_key_env: str = Field(default="", pattern=r"^[A-Za-z_0-9]*$")
    sends_dimensions: bool = False
    source: str = ""


def load_catalogue(own: Path | None = None) -> Catalogue:
    """The packaged models, and those of ``own``: an entry there replaces all of its provider and model, or adds one."""
    packaged = _cards(files("vecferry").joinpath("catalogue.toml").read_text("utf-8"), _PACKAGED)
    mine = _cards(_text_of(own), str(own)) if own else []
    replaced = {(card.provider, card.model) for card in mine}
    return Catalogue((*(c for c in packaged if (c.provider, c.model) not in replaced), *mine))


def _text_of(path: Path) -> str:
    try:
        return path.expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"the catalogue file cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}",
            where=str(path),
            next_action="VECFERRY_MODELS has to name a TOML file with [[model]] entries.",
        ) from error


def _cards(text: str, name: str) -> list[ModelCard]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"this is not TOML: {error}", where=name, next_action="Correct that line.") from error
    cards = [_card(raw, position, name) for position, raw in enumerate(_entries(content, name), start=1)]
    _refuse_doubles(cards, name)
    return cards


def _entries(content: dict[str, Any], name: str) -> list[Any]:
    entries = content.get("model", [])
    stray = sorted(set(content) - {"model"})
    if stray or not isinstance(entries, list):
        raise BadInput(
            f"only [[model]] entries belong here, not {', '.join(stray) or 'a single [model]'}",
            where=name,
            next_action="Begin each model with a line [[model]], with double brackets.",
        )
    return entries


def _card(raw: Any, position: int, name: str) -> ModelCard:
    try:
        entry = Entry.model_validate(raw)
    except ValidationError as error:
        label = f"{raw.get('provider', '?')}/{raw.get('model', '?')}" if isinstance(raw, dict) else "?"
        wrong = "; ".join(_explained(dict(e)) for e in error.errors())
        raise BadInput(
            wrong,
            where=f"{name}, [[model]] number {position} ({label})",
            next_action="Correct the entry; provider, model, api and dimensions are required.",
        ) from error
    return ModelCard(**entry.model_dump())


def _explained(error: dict[str, Any]) -> str:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        near = get_close_matches(field, [f.name for f in fields(ModelCard)], n=1)
        return f"{field}: there is no such field" + (f"; did you mean {near[0]}?" if near else "")
    if error["type"] == "missing":
        return f"{field}: is missing"
    return f"{field} = {error['input']!r}: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _refuse_doubles(cards: list[ModelCard], name: str) -> None:
    seen: set[str] = set()
    for card in cards:
        if card.space.id in seen:
            raise BadInput(f"{card.space.id} is there twice", where=name, next_action="Remove one of the entries.")
        seen.add(card.space.id)
