"""The shadow's vectors embedded again: which of them are not what the new model gives for their text."""

from __future__ import annotations

from collections.abc import Collection

from vecferry.domain.lifecycle import Migration
from vecferry.errors import NeedsPerson
from vecferry.ports import Ports
from vecferry.steps.reembedding import Key, Reembedded, VectorOf, reembed
from vecferry.steps.sampling import every_key, spread_keys

_FEW, _MOST = 20, 0.05


def embed_again(ports: Ports, migration: Migration, sample: int | None, suspects: Collection[Key]) -> Reembedded:
    """``sample`` drawn evenly, and the suspects; ``None``: all. At the migration's expense."""
    spec = migration.spec
    what = VectorOf(spec.shadow, spec.vector_name, spec.recipe)
    embedder = ports.embedders.of(spec.space, migration_id=migration.id)
    if sample is None:
        return reembed(ports.store, what, embedder, every_key(ports.store, spec.shadow))
    drawn = spread_keys(ports.store, spec.shadow, sample)
    return reembed(ports.store, what, embedder, sorted({*drawn, *suspects}, key=lambda key: (key[0] or "", key[1])))


def refuse_to_mend_a_changed_model(migration: Migration, found: Reembedded) -> None:
    """A few are somebody's mistake and are mended. Many mean that the model itself answers differently than it did."""
    if len(found.foreign) > max(_FEW, found.compared * _MOST):
        raise NeedsPerson(
            f"{len(found.foreign):,} of {found.compared:,} vectors are not what {migration.spec.space.id} gives now, "
            f"e.g. {found.told(3)}",
            where=migration.spec.shadow,
            next_action="If the model changed under its name, discard and start anew; vecferry doctor compares fingerprints.",
        )
