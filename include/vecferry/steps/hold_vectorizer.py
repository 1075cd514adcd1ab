"""A shadow's own vectorizer is held from its creation until ``retire`` lets it go."""

from __future__ import annotations

from vecferry.domain.kept_vectorizer import NOTHING
from vecferry.domain.lifecycle import Migration
from vecferry.domain.server_text import settings_of
from vecferry.errors import BadInput, NeedsPerson
from vecferry.ports import Ports


def hold(ports: Ports, migration: Migration) -> None:
    """Before anything is written to it: the server embeds no copy that is to have no vector. Idempotent."""
    _set(ports, migration, [NOTHING])


def let_go(ports: Ports, migration: Migration) -> str:
    """After the flip: objects that come without a vector get one by the new model. Idempotent; says what came of it."""
    kept = migration.spec.vectorizer
    if kept is None:
        return "none"
    if ports.ledger.pin(migration.pin).collection != migration.spec.shadow:
        return f"{kept.module} stays as it is: the pin has moved on"
    try:
        _set(ports, migration, list(kept.properties))
    except BadInput as error:
        raise NeedsPerson(
            f"authority has moved, but the server does not let {kept.module} be switched on: {error.what}",
            where=migration.spec.shadow,
            next_action="Searches by text work; what is written without a vector gets none. Did the server's release change "
            f"since the plan? Then clear retire.act, or move on to plain vectors: vecferry plan {migration.pin}.",
        ) from error
    return f"{kept.module} embeds with {kept.model}"


def _set(ports: Ports, migration: Migration, properties: list[str]) -> None:
    spec, store = migration.spec, ports.store
    _, now = settings_of(store.schema(spec.shadow), spec.vector_name)
    if list(now.get("properties") or ()) != properties:
        store.set_vectorizer(spec.shadow, spec.vector_name, {"properties": properties})
