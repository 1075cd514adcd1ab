"""What must hold whatever happened. Compares contents by itself: a product that judges itself would agree with itself."""

from __future__ import annotations

from tests.faults.explorer.requests import Kind, Request
from tests.faults.explorer.templates import LIVE, NEW, OLD
from tests.faults.explorer.world import World
from tests.support.memory_world import key_of
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import STAMP_MODEL, UNNAMED, StoredObject

_PROPERTIES = ("body", "title")


class Judge:
    """Watches each effect and judges the end. ``broken``: the first promise that did not hold, empty if all did."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._flipped = self._rolled_back = False
        self.broken = ""
        world.engine.after_effect = self._after_effect

    def breaks(self, promise: str) -> None:
        self.broken = self.broken or promise

    def at_the_end(self) -> None:
        """Everybody has ended, every ghost has landed, the janitor has had its time."""
        for actor in self._world.engine.actors.values():
            if actor.error is not None:
                self.breaks(f"{actor.name} died of {actor.error!r}")
        snapshot = self._world.raw_ledger.snapshot(LIVE)
        if snapshot.copying:
            if snapshot.journal_rows:
                self.breaks(f"the journal does not empty itself: {snapshot.journal_rows} rows are left")
            self._equal("in the end")
        if self._rolled_back and snapshot.routing.percent:
            self.breaks(f"{snapshot.routing.percent}% of the queries are on the shadow after a rollback that nobody reopened")
        self._nothing_lost(snapshot.routing.authority)

    def everything_is_found(self) -> None:
        """Rule 12a, after a parity pass."""
        store, shadow = self._world.raw_store, self._world.migration.spec.shadow
        objects = store.read(shadow, self._keys(shadow))
        vectors = {key: obj.vectors[UNNAMED] for key, obj in objects.items()}
        for key in sorted(set(vectors) - store.indexed(shadow, vectors, vector_name=UNNAMED)):
            self.breaks(f"no search finds {self._name(key)}, and parity has not mended it")

    def _after_effect(self, request: Request) -> None:
        if request.refusal is not None:
            return
        if request.name == "move" and self._world.migration.phase is Phase.ROLLED_BACK:
            self._rolled_back = True
        if request.name == "flip":
            self._flipped = True
            self._equal("at the flip")
        elif self._flipped and request.where == "L" and request.kind is Kind.DATA:
            self.breaks(f"{request.name} takes effect in the old collection after the flip")

    def _equal(self, when: str) -> None:
        """Shadow = f(live) for every key."""
        spec = self._world.migration.spec
        if spec.shadow not in self._world.raw_store.collections():
            self.breaks(f"{when} the shadow is gone")
            return
        keys = sorted({*self._keys(spec.live), *self._keys(spec.shadow)})
        live, shadow = (self._world.raw_store.read(c, keys) for c in (spec.live, spec.shadow))
        for key in keys:
            why = _why_no_copy(live.get(key), shadow.get(key))
            if why:
                self.breaks(f"{when} the shadow's {self._name(key)} is not f(live): {why}")

    def _nothing_lost(self, authority: str) -> None:
        """What readers of the authority find is what the history allows, with a vector of its own text."""
        space = OLD.space if authority == LIVE else NEW.space
        for name in sorted({op.key for op in self._world.history.operations}):
            found = self._world.raw_store.read(authority, [key_of(name)]).get(key_of(name))
            for prop in _PROPERTIES:
                value = found.properties.get(prop) if found else None
                why = self._world.history.why_impossible(name, prop, value)
                if why:
                    self.breaks(f"{name}.{prop} is {value!r} in {authority}, which is impossible: {why}")
            if found is not None and found.vectors.get(UNNAMED) != vector_of(space, str(found.properties["body"])):
                self.breaks(f"the vector of {name} in {authority} is not its text's")

    def _keys(self, collection: str) -> list[str]:
        return self._world.raw_store.keys(collection, after="", until="f" * 36, limit=1000)

    def _name(self, key: str) -> str:
        return next((op.key for op in self._world.history.operations if key_of(op.key) == key), key)


def _why_no_copy(live: StoredObject | None, shadow: StoredObject | None) -> str:
    if live is None or shadow is None:
        return "" if live is shadow else ("an orphan" if live is None else "missing")
    for name in _PROPERTIES:
        if live.properties.get(name) != shadow.properties.get(name):
            return f"{name} is {shadow.properties.get(name)!r}, not {live.properties.get(name)!r}"
    if shadow.stamp(STAMP_MODEL) != NEW.space.id:
        return f"its stamp is {shadow.stamp(STAMP_MODEL)}"
    if shadow.vectors.get(UNNAMED) != vector_of(NEW.space, str(live.properties["body"])):
        return "its vector is not the text's in the new space"
    return ""
