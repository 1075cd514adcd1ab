"""The old model has ended before ``retire``: said by a person, because nothing leads back from there."""

from __future__ import annotations

from typing import Any

from vecferry.domain.lifecycle import Migration
from vecferry.domain.schema import server_side_model
from vecferry.errors import BadInput, ModelGone, NeedsPerson, Retryable
from vecferry.ports import Ports
from vecferry.steps import only_tenants


def act(ports: Ports, migration_id: str, *, who: str, why: str, force: bool = False) -> dict[str, Any]:
    """From now on live takes objects without a vector, and there is no rollback. Idempotent.

    The provider is asked first: it must say that it does not know the model. ``force`` takes the person's word instead.
    """
    migration = ports.ledger.migration(migration_id)
    if not (who and why):
        raise BadInput("this needs a person and a reason", where=migration_id, next_action="Give --who and --why.")
    only_tenants.refuse_to_stand_in(migration)
    if not (force or migration.live_model_gone):
        _refuse_if_it_answers(ports, migration)
    ports.ledger.set_live_model_gone(migration_id, True, who=who, why=why)
    return {"model": migration.from_space.id, "gone": True, "warnings": _warnings(ports, migration)}


def _refuse_if_it_answers(ports: Ports, migration: Migration) -> None:
    embedder = ports.embedders.of(migration.from_space, pin=ports.ledger.pin(migration.pin))
    try:
        embedder.check()
    except ModelGone:
        return
    except Retryable as error:
        raise NeedsPerson(
            f"the provider of {migration.from_space.id} cannot be asked ({error.what})",
            where=migration.id,
            next_action="Try again; with --force if you know that the model has ended.",
        ) from error
    raise BadInput(
        f"{migration.from_space.id} answers",
        where=migration.id,
        next_action="Nothing is to be done; with --force if what answers is not that model any more.",
    )


def _warnings(ports: Ports, migration: Migration) -> list[str]:
    """A server that vectorizes by itself asks the dead model for each object that comes without a vector."""
    pin = ports.ledger.pin(migration.pin)
    model = server_side_model(ports.store.schema(migration.spec.live), pin.vector_name)
    if model is None:
        return []
    return [f"the server vectorizes {migration.spec.live} itself, with {model}: it will refuse writes, so retire it soon"]
