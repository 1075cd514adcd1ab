"""``python -m vecferry.sandbox.plan_scale``: exit 1 where planning or the ledger is over its limit, 2 for bad input."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from vecferry.adapters.catalogue import load_catalogue
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.estimate import Assumptions
from vecferry.errors import BadInput
from vecferry.sandbox.plan_scale import showing
from vecferry.sandbox.plan_scale.forecast import Given, forecast
from vecferry.sandbox.plan_scale.measuring import measured
from vecferry.settings import load

SIZES = (1_000_000, 100_000_000, 1_000_000_000)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
_EXAMPLES = """examples:
  make plan-scale
  make plan-scale ARGS="--objects 20M --model text-embedding-3-large --dimensions 1024"
  make plan-scale ARGS="--tokens-per-object 80 --store-objects-per-s 3500 --workers 16 --json"
  VECFERRY_MODELS=ours.toml python -m vecferry.sandbox.plan_scale --model ours/our-model --objects 5M --no-postgres
"""


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        return _run(given)
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(given: argparse.Namespace) -> int:
    cards = _cards(given.model, given.dimensions)
    assumed = Given(given.tokens_per_object, given.store_objects_per_s, given.workers)
    if not given.json:
        print("The planner and the ledger are measured; this takes a minute or two …", flush=True)
    found = measured(cards, given.measure_at, tokens=given.tokens_per_object, pages=given.pages, postgres=not given.no_postgres)
    sizes = given.objects or list(SIZES)
    largest = {model: max(each, key=lambda one: one.bytes) for model, each in found.growth.items()}
    rows = [forecast(card, objects, assumed, largest[card.space.id]) for card in cards for objects in sizes]
    assumptions = showing.assumptions(cards, assumed)
    if given.json:
        answer = {"assumptions": assumptions, "forecasts": [row.as_dict() for row in rows], "measured": found.as_dict()}
        print(json.dumps(answer | {"over_the_limit": found.too_much()}, ensure_ascii=False))
    else:
        parts = (showing.forecasts(rows), showing.planner(found), showing.ledgers(found), showing.verdict(found))
        print("\n\n".join("\n".join(part) for part in (*parts, [f"- {line}" for line in assumptions])))
    return 1 if found.too_much() else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m vecferry.sandbox.plan_scale",
        description="What a migration of a size costs that nobody tries out: hours, money, disk, memory, requests, ledger rows "
        "and Airflow tasks at the limits and prices of the catalogue (VECFERRY_MODELS adds yours), and the planner and the "
        "ledger measured on simulated ids.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--objects", action="append", type=_objects, metavar="N", help="a size, 5M or 1B too; may be given several times")
    add("--model", action="append", help="of the catalogue; may be given several times (default: OpenAI's and Cohere's)")
    add("--dimensions", type=_at_least(int, 1), help="of the vectors, for models that can be asked for fewer")
    add("--tokens-per-object", type=_at_least(int, 1), default=200, help="mean length of a text (default: %(default)s)")
    usual = Assumptions().store_objects_per_s
    add("--store-objects-per-s", type=_at_least(float, 0.001), default=usual, help="in sum (default: %(default)s)")
    add("--workers", type=_at_least(int, 1), default=4, help="chunks at once (default: %(default)s)")
    add("--measure-at", type=_objects, default=100_000_000, metavar="N", help="simulated objects (default: 100M)")
    add("--pages", type=_at_least(int, 20), default=60, help="copied to see the ledger grow (default: %(default)s)")
    add("--no-postgres", action="store_true", help="measure on SQLite alone")
    add("--json", action="store_true", help="one JSON object")
    return parser


def _cards(names: Sequence[str] | None, dimensions: int | None) -> list[ModelCard]:
    catalogue = load_catalogue(load().models)
    if names:
        cards = [catalogue.card(name) for name in names]
    else:
        cards = [card for card in catalogue.cards if card.provider in ("openai", "cohere") and not card.base_url]
    return [_shaped(card, dimensions) for card in cards]


def _shaped(card: ModelCard, dimensions: int | None) -> ModelCard:
    if dimensions is None or dimensions == card.dimensions:
        return card
    if not card.sends_dimensions or dimensions > card.dimensions:
        raise BadInput(
            f"{dimensions} dimensions are asked of a model that has {card.dimensions}",
            where=f"{card.provider}/{card.model}",
            next_action="Leave --dimensions out, or name the models with --model.",
        )
    return replace(card, dimensions=dimensions)


def _objects(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmb]?)", text.replace(",", "").replace("_", "").lower())
    number = round(float(found[1]) * _UNITS[found[2]]) if found else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of objects; write 5000000, 5M or 1B")
    return number


def _at_least(kind: Callable[[str], float], least: float) -> Callable[[str], float]:
    def checked(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = least - 1
        if not number >= least:
            raise argparse.ArgumentTypeError(f"{text!r} is no number of at least {least:g}")
        return number

    return checked


if __name__ == "__main__":
    sys.exit(main())
