"""Rule 2: make the shadow's objects what the live ones say they should be. Until the flip, the only way anything writes S."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vecferry.domain.objects import StoredObject, content_hash
from vecferry.domain.shadow import ShadowSpec, differences, shadow_object
from vecferry.domain.timing import Timings
from vecferry.errors import BadInput, Retryable, VecferryError
from vecferry.ports import Clock, Embedder, Purpose, VectorStore
from vecferry.protocol.fence import Fence
from vecferry.protocol.not_indexed import not_indexed
from vecferry.protocol.vectors import Vectors, vectors_for

_MAX_DISBELIEF = 3
"""How often an object is rewritten that reads back wrong though live did not change, before it is left to the janitor."""


@dataclass
class Reconciled:
    """What one call brought into agreement. ``error`` is why it stopped early; the keys not in ``in_sync`` keep their rows.

    ``doubtful`` are keys of which the store once said that it failed to write them: not all such answers are certain, and what
    was not applied may be applied later (rule 4).
    """

    in_sync: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    written: int = 0
    deleted: int = 0
    embedded: int = 0
    tokens: int = 0
    error: VecferryError | None = None


@dataclass(frozen=True)
class ReadAhead:
    """What both sides held of a page's keys a moment before its rows were opened."""

    live: Mapping[str, StoredObject]
    shadow: Mapping[str, StoredObject]


@dataclass(frozen=True)
class Reconciler:
    """Reconciles keys of one migration. Holds no state between calls; every effect goes through a port.

    ``ahead`` serves as the first of the reads. What changed since then is seen, under the rows, by those that decide: of the
    shadow after the write, and of live after that (rules 2 and 2a).
    """

    spec: ShadowSpec
    store: VectorStore
    embedder: Embedder
    clock: Clock
    timings: Timings
    ahead: ReadAhead | None = None

    def reconcile(
        self,
        keys: Sequence[str],
        *,
        tenant: str | None,
        fence: Fence,
        purpose: Purpose,
        reinsert: Collection[str] = (),
        unconfirmed: bool = False,
    ) -> Reconciled:
        """Read L → embed → write S (delete where L has no object) → read S and L again; what differs starts over.

        Gives up at the fence: a provider that says "wait an hour" must not hold an owner. ``reinsert`` names objects whose
        stored vector is not to be trusted, not indexed or of another space: embedded anew, and deleted first, since an
        identical put heals no index (12a). ``unconfirmed``: nobody confirmed the last write of these keys, so the index is
        asked which of them it lacks.
        """
        done = Reconciled()
        pending = list(dict.fromkeys(keys))
        try:
            lacking = self._lacking(pending, tenant) if unconfirmed else frozenset()
            self._until_stable(pending, tenant, fence, purpose, lacking.union(reinsert), done)
        except VecferryError as error:  # any unclear answer, on L or S, leaves the rows (rule 4)
            done.error = error
        return done

    def _lacking(self, keys: list[str], tenant: str | None) -> frozenset[str]:
        """Without this look: what a server stored when it was killed over it is equal, and so done, and no search finds it; if
        parity has passed before, for ever."""
        stored = self._read(self.spec.shadow, keys, tenant)
        name = self.spec.vector_name
        return frozenset(not_indexed(self.store, self.spec.shadow, stored, vector_name=name, tenant=tenant))

    def _until_stable(
        self,
        pending: list[str],
        tenant: str | None,
        fence: Fence,
        purpose: Purpose,
        reinsert: frozenset[str],
        done: Reconciled,
    ) -> None:
        spec = self.spec
        live = self._read(spec.live, pending, tenant) if self.ahead is None else self.ahead.live
        known = None if self.ahead is None else self.ahead.shadow
        disbelieved: dict[str, int] = {}
        while pending:
            fence.check()
            self._write(pending, live, tenant, fence, purpose, reinsert, done, known)
            reinsert, known = frozenset(), None
            shadow = self._read(spec.shadow, pending, tenant)  # 2a: a batch's answer is no confirmation
            again = self._read(spec.live, pending, tenant)
            moved = {k for k in pending if not self._same(live.get(k), again.get(k))}
            wrong = {k for k in pending if k not in moved and differences(spec, again.get(k), shadow.get(k))}
            done.in_sync |= set(pending) - moved - wrong - done.doubtful
            self._give_up_on(wrong, disbelieved)
            pending = [k for k in pending if k in moved or k in wrong]
            live = again

    def _write(
        self,
        keys: list[str],
        live: Mapping[str, StoredObject],
        tenant: str | None,
        fence: Fence,
        purpose: Purpose,
        reinsert: frozenset[str],
        done: Reconciled,
        known: Mapping[str, StoredObject] | None = None,
    ) -> None:
        spec = self.spec
        shadow = self._read(spec.shadow, keys, tenant) if known is None else known
        stale = [k for k in keys if k in reinsert or differences(spec, live.get(k), shadow.get(k))]
        gone = [k for k in stale if k in shadow and (k not in live or k in reinsert)]
        wanted = [live[k] for k in stale if k in live]
        kept = {key: obj for key, obj in shadow.items() if key not in reinsert}
        vectors = vectors_for(spec, self.embedder, wanted, kept, purpose=purpose, timeout_s=self._budget_s(fence))
        done.embedded += vectors.embedded
        done.tokens += vectors.tokens
        self._send(gone, self._copies(wanted, vectors), tenant, fence, done)

    def _copies(self, wanted: list[StoredObject], vectors: Vectors) -> list[StoredObject]:
        at = self.clock.now()
        return [
            shadow_object(
                self.spec,
                obj,
                vectors.found.get(obj.uuid),
                skipped=vectors.skipped.get(obj.uuid),
                at=at,
                truncated=obj.uuid in vectors.truncated,
            )
            for obj in wanted
        ]

    def _send(self, gone: list[str], copies: list[StoredObject], tenant: str | None, fence: Fence, done: Reconciled) -> None:
        shadow, timeout_s = self.spec.shadow, self.timings.write_timeout_s
        if gone:
            fence.check()
            self.store.delete_batch(shadow, gone, tenant=tenant, timeout_s=timeout_s)
            done.deleted += len(gone)
        if copies:
            fence.check()
            own = [copy if copy.tenant == tenant else replace(copy, tenant=tenant) for copy in copies]
            refused = self.store.put_batch(shadow, own, timeout_s=timeout_s, unchecked_references=True)
            done.doubtful |= set(refused)
            done.written += len(copies)

    def _read(self, collection: str, keys: list[str], tenant: str | None) -> dict[str, StoredObject]:
        """Rule 13: what was in a tenant that is gone is absent. Twice positively: the read was refused for it, and the list
        of tenants does not have it. Without that the rows of a removed tenant would never clear, and block the end."""
        try:
            return self.store.read(collection, keys, tenant=tenant, vectors=self.spec.read_of(collection))
        except BadInput:
            if tenant is None or tenant in self.store.tenants(collection):
                raise
            return {}

    def _same(self, before: StoredObject | None, after: StoredObject | None) -> bool:
        if before is None or after is None:
            return before is after
        return content_hash(before, self.spec.carried) == content_hash(after, self.spec.carried)

    def _budget_s(self, fence: Fence) -> float:
        return max(0.05, fence.remaining_s)

    def _give_up_on(self, wrong: set[str], disbelieved: dict[str, int]) -> None:
        for key in wrong:
            disbelieved[key] = disbelieved.get(key, 0) + 1
        stuck = [key for key, times in disbelieved.items() if times >= _MAX_DISBELIEF]
        if stuck:
            raise Retryable(
                f"the shadow accepts {len(stuck)} objects but does not hold them, e.g. {stuck[0]}",
                where=self.spec.shadow,
                next_action="Look whether its shards are READONLY (disk threshold).",
            )
