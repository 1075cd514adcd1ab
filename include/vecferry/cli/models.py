"""``vecferry models``: the catalogue."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.figures import count
from vecferry.cli.options import AsJson
from vecferry.domain.catalogue import ModelCard

EXAMPLES = ("vecferry models", "vecferry models text-embedding-3-small", "VECFERRY_MODELS=my-models.toml vecferry models")


def run(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="One model, with all that is known.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the embedding models that vecferry knows: price and its date, limits, and when they end.

    Your own models, or other prices and limits, go into a TOML file of [[model]] entries that VECFERRY_MODELS names.
    """
    with ports_of(ctx) as ports:
        cards = [ports.catalogue.card(model)] if model else list(ports.catalogue.cards)
    rows = [_row(card) for card in cards]
    if model:
        answer(rows[0], as_json, lambda console: _show(console, rows[0]))
    else:
        answer(rows, as_json, lambda console: _list(console, cards))


def _row(card: ModelCard) -> dict[str, Any]:
    return {"id": card.space.id, **asdict(card)}


def _show(console: Console, row: dict[str, Any]) -> None:
    tables.heading(console, row["id"])
    known = {name: value for name, value in row.items() if name != "id" and value not in (None, "", False)}
    tables.pairs(console, [(name.replace("_", " "), _plain(value)) for name, value in known.items()])


def _plain(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _list(console: Console, cards: list[ModelCard]) -> None:
    headers = ("model", "length", "$ per 1M tokens", "price of", "max tokens", "limits a minute", "ends", "replaced by")
    rows = [
        (
            f"{card.provider}/{card.model}",
            count(card.dimensions),
            f"{card.usd_per_million_tokens:g}",
            str(card.price_date or "–"),
            count(card.max_tokens),
            _limits(card),
            _end(card),
            card.replacement or "–",
        )
        for card in cards
    ]
    tables.listing(console, headers, rows, right=("length", "$ per 1M tokens", "max tokens"))


def _limits(card: ModelCard) -> str:
    limits = ((card.requests_per_minute, "requests"), (card.tokens_per_minute, "tokens"), (card.inputs_per_minute, "texts"))
    return ", ".join(f"{number:,} {unit}" for number, unit in limits if number) or "–"


def _end(card: ModelCard) -> str:
    if card.shutdown_on:
        return str(card.shutdown_on)
    return f"deprecated {card.deprecated_on}" if card.deprecated_on else "–"
