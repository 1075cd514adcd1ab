"""``vecferry pin``: record what a collection holds, or list what is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vecferry.cli import tables
from vecferry.cli.answering import answer
from vecferry.cli.connecting import ports_of
from vecferry.cli.figures import count
from vecferry.cli.options import AsJson, Who, Why
from vecferry.cli.who import person
from vecferry.errors import BadInput

if TYPE_CHECKING:
    from vecferry.domain.pins import Pin, SearchProfile
    from vecferry.domain.recipe import TextRecipe
    from vecferry.ports import Ports

FROM_VECTORIZER = "from-vectorizer"
EXAMPLES = (
    "vecferry pin Docs --collection Docs --model text-embedding-3-small --properties title,body",
    "vecferry pin Docs --hybrid --alpha 0.6      (changes only that)",
    "vecferry pin                                (lists all pins)",
)


def run(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="PIN", help="The pin's name; without it, all pins are listed.")] = None,
    collection: Annotated[str, typer.Option(metavar="NAME", help="The Weaviate collection, or an alias of it.")] = "",
    model: Annotated[str, typer.Option(metavar="MODEL", help="The model that made the stored vectors.")] = "",
    properties: Annotated[
        str, typer.Option(metavar="LIST", help="What was embedded, in order: title,body; from-vectorizer: as the server does.")
    ] = "",
    separator: Annotated[
        str | None, typer.Option(metavar="TEXT", help=r"Between the properties' texts; \n by default.")
    ] = None,
    vector: Annotated[
        str | None, typer.Option("--vector-name", metavar="NAME", help="The named vector, if there are several.")
    ] = None,
    hybrid: Annotated[bool | None, typer.Option("--hybrid/--vector", metavar="", help="How the application searches.")] = None,
    alpha: Annotated[
        float | None, typer.Option(metavar="0…1", min=0, max=1, help="Weight of the vectors in a hybrid search.")
    ] = None,
    fusion: Annotated[str | None, typer.Option(metavar="NAME", help="ranked or relative_score.")] = None,
    query_properties: Annotated[
        str | None, typer.Option(metavar="LIST", help="What the keyword part searches: title^2,body")
    ] = None,
    connection: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="An Airflow Connection of its own: weaviate=my_weaviate")
    ] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", metavar="", help="Save it though the stored vectors disagree.")
    ] = False,
    who: Who = "",
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Record what a collection holds: its model, the text that was embedded, and how the application searches.

    A sample of the objects is embedded again and compared with the stored vectors: a wrong model or recipe is found now.
    """
    given = {
        "collection": collection,
        "model": model,
        "recipe": (_listed(properties), _unescaped(separator)),
        "profile": (hybrid, alpha, fusion, None if query_properties is None else _listed(query_properties)),
        "vector": vector,
        "connections": _pairs(connection or []),
    }
    with ports_of(ctx) as ports:
        if name is None:
            rows = [_row(ports, pin) for pin in ports.ledger.pins()]
            answer(rows, as_json, lambda console: _list(console, rows))
        elif not _anything(given) and not unverified:
            row = _row(ports, ports.ledger.pin(name))
            answer(row, as_json, lambda console: _show(console, row))
        else:
            saved = _save(ports, name, given, unverified, person(who), why or "vecferry pin")
            answer(saved, as_json, lambda console: _saved(console, saved))


def _save(ports: Ports, name: str, given: dict[str, Any], unverified: bool, who: str, why: str) -> dict[str, Any]:
    from vecferry.steps import pin as step

    known = {pin.name: pin for pin in ports.ledger.pins()}
    pin = _described(ports, name, given, known.get(name))
    return step.act(ports, pin, who=who, why=why, unverified=unverified)


def _described(ports: Ports, name: str, given: dict[str, Any], before: Pin | None) -> Pin:
    """What is not given stays as it was pinned."""
    from vecferry.domain.pins import Pin
    from vecferry.domain.recipe import TextRecipe

    properties, separator = given["recipe"]
    if not before and not given["model"]:
        raise BadInput("a new pin needs --model", where=name, next_action="vecferry pin --help has an example.")
    recipe = before.recipe if before and properties != (FROM_VECTORIZER,) else TextRecipe(())
    return Pin(
        name=name,
        collection=given["collection"] or (before.collection if before else name),
        space=ports.catalogue.card(given["model"]).space if given["model"] or not before else before.space,
        recipe=_recipe(recipe, properties, separator),
        profile=_profile(given["profile"], before),
        vector_name=given["vector"] if given["vector"] is not None else before.vector_name if before else "",
        alias=before.alias if before else None,
        connections=given["connections"] or (before.connections if before else {}),
        stamped=before.stamped if before else False,
    )


def _recipe(before: TextRecipe, properties: tuple[str, ...], separator: str | None) -> TextRecipe:
    """Without properties the step derives it where the server vectorizes; what is given stands for itself."""
    from vecferry.domain.recipe import TextRecipe

    if separator is None and properties in ((), (FROM_VECTORIZER,)):
        return before
    return TextRecipe(properties or before.properties, before.separator if separator is None else separator)


def _profile(given: tuple[Any, ...], before: Pin | None) -> SearchProfile:
    """``--alpha`` alone means hybrid: it says nothing about a vector search."""
    from vecferry.domain.pins import SearchProfile

    old = before.profile if before else SearchProfile()
    hybrid, alpha, fusion, query_properties = given
    if fusion not in (None, "ranked", "relative_score"):
        raise BadInput(f"there is no fusion {fusion!r}", where="--fusion", next_action="It is ranked or relative_score.")
    wants_hybrid = old.kind == "hybrid" or alpha is not None if hybrid is None else hybrid
    return SearchProfile(
        kind="hybrid" if wants_hybrid else "vector",
        alpha=old.alpha if alpha is None else alpha,
        fusion=fusion or old.fusion,
        query_properties=old.query_properties if query_properties is None else query_properties,
    )


def _anything(given: dict[str, Any]) -> bool:
    values = [given["collection"], given["model"], given["recipe"][0], given["connections"]]
    chosen = [given["recipe"][1], given["vector"], *given["profile"]]
    return any(values) or any(value is not None for value in chosen)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _unescaped(separator: str | None) -> str | None:
    """A shell makes it hard to type a line break."""
    return None if separator is None else separator.replace("\\n", "\n").replace("\\t", "\t")


def _pairs(connections: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in connections]
    wrong = [text for text, (service, _, name) in zip(connections, pairs, strict=True) if not (service and name)]
    if wrong:
        raise BadInput(f"{wrong[0]!r} names no Connection", where="--connection", next_action="Write weaviate=my_weaviate.")
    return {service: name for service, _, name in pairs}


# --- showing


def _row(ports: Ports, pin: Pin) -> dict[str, Any]:
    from dataclasses import asdict

    active = ports.ledger.active_migration(pin.name)
    return {
        "pin": pin.name,
        "collection": pin.collection,
        "space": pin.space.id,
        "properties": list(pin.recipe.properties),
        "separator": pin.recipe.separator,
        "vector": pin.vector_name,
        "alias": pin.alias,
        "profile": asdict(pin.profile),
        "connections": pin.connections,
        "golden_queries": len(ports.ledger.golden(pin.name)),
        "migration": active.id if active else None,
        "phase": active.phase.value if active else None,
    }


def _list(console: Console, rows: list[dict[str, Any]]) -> None:
    if not rows:
        console.print("No pins yet.")
        tables.next_action(console, "vecferry pin NAME --collection COLLECTION --model MODEL --properties title,body")
        return
    cells = [
        (r["pin"], r["collection"], r["space"], ", ".join(r["properties"]), _search(r["profile"]), r["phase"] or "–")
        for r in rows
    ]
    tables.listing(console, ("pin", "collection", "space", "text", "search", "migration"), cells)


def _show(console: Console, row: dict[str, Any]) -> None:
    tables.heading(console, row["pin"])
    tables.pairs(
        console,
        [
            ("collection", row["collection"] + (f" (alias {row['alias']})" if row["alias"] else "")),
            ("space", row["space"]),
            ("vector", row["vector"] or "(unnamed)"),
            ("text", f"{', '.join(row['properties'])}, joined by {row['separator']!r}"),
            ("search", _search(row["profile"])),
            ("golden set", f"{count(row['golden_queries'])} queries"),
            ("migration", f"{row['migration']}, {row['phase']}" if row["migration"] else "none"),
            *([("connections", ", ".join(f"{k}={v}" for k, v in row["connections"].items()))] if row["connections"] else []),
        ],
    )


def _saved(console: Console, saved: dict[str, Any]) -> None:
    tables.heading(console, f"{saved['pin']} is pinned")
    worst = saved["worst_cosine"]
    proof = (
        "no object has both text and vector"
        if worst is None
        else f"{saved['verified_on']} objects, cosine {worst:.4f} at worst"
    )
    tables.pairs(
        console,
        [
            ("collection", f"{saved['collection']}, {count(saved['objects'])} objects"),
            ("vector", saved["vector"] or "(unnamed)"),
            ("space", saved["space"]),
            ("text", ", ".join(saved["properties"])),
            ("verified on", proof),
        ],
    )
    tables.next_action(console, f"vecferry golden import FILE --pin {saved['pin']}")


def _search(profile: dict[str, Any]) -> str:
    if profile["kind"] == "vector":
        return "vector"
    over = f" over {', '.join(profile['query_properties'])}" if profile["query_properties"] else ""
    return f"hybrid, alpha {profile['alpha']:g}, {profile['fusion']}{over}"
