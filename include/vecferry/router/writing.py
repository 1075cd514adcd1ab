"""put, update, delete and their many-forms: objects are completed by the pin's model, then sent by the DualWriter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from vecferry.domain.objects import STAMP_AT, STAMP_SKIPPED, StoredObject, Vector, canonical_json
from vecferry.domain.pins import Pin
from vecferry.domain.shadow import MODEL_GONE, TRUNCATED, stamps
from vecferry.domain.timing import Timings
from vecferry.errors import BadInput, ModelGone, NotFound, NotWritten, Paused, Retryable, UnknownOutcome, VecferryError
from vecferry.ports import Clock, Embedders, Purpose, Refused, VectorStore
from vecferry.router.dual_writer import DualWriter, Sending, WriteOperation
from vecferry.router.results import Receipt
from vecferry.router.validation import (
    checked_items,
    checked_merge,
    checked_properties,
    checked_tenant,
    checked_uuid,
    checked_uuids,
    checked_vector,
)

Item = tuple[str, Mapping[str, Any]]
Vectors = dict[str, Vector]
_MAX_REREADS = 5


class _PartlyUnknown(UnknownOutcome):
    """Carries a receipt out of an operation that must count as unfinished for Q (rule 14)."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__("some objects may land later")
        self.receipt = receipt


@dataclass(frozen=True)
class _Merge:
    """What is merged into an object, and the text that it must have afterwards for the vector to be right."""

    obj: StoredObject
    text: str | None


class Writing:
    """The write half of a Router. The application's timeout bounds holding, embedding and sending together."""

    def __init__(
        self, *, dual_writer: DualWriter, store: VectorStore, embedders: Embedders, clock: Clock, timings: Timings
    ) -> None:
        self._dual = dual_writer
        self._store = store
        self._embedders = embedders
        self._clock = clock
        self._timings = timings

    def put(
        self,
        uuid: str,
        properties: Mapping[str, Any],
        *,
        vector: Sequence[float] | None,
        tenant: str | None,
        timeout_s: float,
    ) -> Receipt:
        key, tenant = checked_uuid(uuid), checked_tenant(tenant)
        with self._dual.operation(timeout_s) as operation:
            obj = self._complete(operation, key, properties, vector, tenant, timeout_s)
            with self._dual.sending(operation, [key], tenant) as sending:
                self._store.put(operation.pin.collection, obj, timeout_s=self._send_s(timeout_s))
            return _receipt([key], operation, sending)

    def put_many(self, items: Sequence[Item], *, tenant: str | None, timeout_s: float) -> Receipt:
        tenant = checked_tenant(tenant)
        keys, properties = checked_items(items)
        try:
            with self._dual.operation(timeout_s) as operation:
                objects = self._complete_many(operation, keys, properties, tenant, timeout_s)
                receipt = self._send_many(operation, objects, tenant, timeout_s)
                if receipt.unknown:
                    raise _PartlyUnknown(receipt)
                return receipt
        except _PartlyUnknown as partly:
            return partly.receipt

    def _send_many(
        self, operation: WriteOperation, objects: Sequence[StoredObject], tenant: str | None, timeout_s: float
    ) -> Receipt:
        keys = [obj.uuid for obj in objects]
        with self._dual.sending(operation, keys, tenant) as sending:
            refused = self._store.put_batch(operation.pin.collection, objects, timeout_s=self._send_s(timeout_s))
            landed, unknown = self._confirmed(operation.pin, objects, refused, tenant)
            sending.unclear = frozenset(unknown)  # rule 4: their rows stay
        return replace(_receipt(landed, operation, sending), unknown=tuple(unknown), refused=dict(refused))

    def update(self, uuid: str, properties: Mapping[str, Any], *, tenant: str | None, timeout_s: float) -> Receipt:
        """Merges; embeds again if the text changed, and once more if another writer changed it meanwhile."""
        key, tenant = checked_uuid(uuid), checked_tenant(tenant)
        with self._dual.operation(timeout_s) as operation:
            pin = operation.pin
            changes = checked_properties(pin, key, properties, complete=False)
            current = self._read_one(pin, key, tenant)
            checked_merge(pin, key, current.properties, {**current.properties, **changes})
            merge = self._merge_of(operation, current, changes, timeout_s)
            with self._dual.sending(operation, [key], tenant) as sending:
                self._merge_until_it_fits(operation, merge, sending, timeout_s)
            return _receipt([key], operation, sending)

    def delete(self, uuid: str, *, tenant: str | None, timeout_s: float) -> Receipt:
        key, tenant = checked_uuid(uuid), checked_tenant(tenant)
        with self._dual.operation(timeout_s) as operation:
            with self._dual.sending(operation, [key], tenant) as sending:
                self._store.delete(operation.pin.collection, key, tenant=tenant, timeout_s=self._send_s(timeout_s))
            return _receipt([key], operation, sending)

    def delete_many(self, uuids: Sequence[str], *, tenant: str | None, timeout_s: float) -> Receipt:
        keys, tenant = checked_uuids(uuids), checked_tenant(tenant)
        with self._dual.operation(timeout_s) as operation:
            collection = operation.pin.collection
            with self._dual.sending(operation, keys, tenant) as sending:
                self._store.delete_batch(collection, keys, tenant=tenant, timeout_s=self._send_s(timeout_s))
                if self._store.read(collection, keys, tenant=tenant):
                    raise UnknownOutcome("some of the objects are still there", where=collection)
            return _receipt(keys, operation, sending)

    @contextmanager
    def change(self, uuids: Sequence[str], *, tenant: str | None, timeout_s: float) -> Iterator[Any]:
        """Rows for the keys → the application's own native writes in the block → re-embed → reconcile.

        An exception in the block may have left anything half-done, so the rows stay to the janitor.
        """
        keys, tenant = checked_uuids(uuids), checked_tenant(tenant)
        with self._dual.operation(timeout_s) as operation:
            pin = operation.pin
            before = self._store.read(pin.collection, keys, tenant=tenant)
            with self._dual.sending(operation, keys, tenant) as sending:
                sending.by_the_application = True
                yield self._store.native(pin.collection, tenant=tenant)
                sending.fence.check()
                with _written_before():
                    self._re_embed(operation, before, keys, tenant, timeout_s)

    def _merge_until_it_fits(self, operation: WriteOperation, merge: _Merge, sending: Sending, timeout_s: float) -> None:
        """A vector belongs to the text that stands beside it: two merges of different properties may cross.

        Where they cannot, no vector is sent after the merge: unanswered, it could land beside a newer text.
        """
        pin, key, tenant = operation.pin, merge.obj.uuid, merge.obj.tenant
        if not self._store.merge(pin.collection, merge.obj, timeout_s=self._send_s(timeout_s)):
            raise _no_such(pin, key)
        may_misfit = _may_misfit(pin, merge.obj)
        if not may_misfit and not pin.stamped:
            return
        with _written_before():
            for _ in range(_MAX_REREADS):
                sending.fence.check()
                now = self._read_one(pin, key, tenant)
                if pin.recipe.text_of(now.properties) == merge.text:
                    return
                # Not the changes: a newer write may stand.
                merge = self._merge_of(operation, now, {}, timeout_s, embed=may_misfit)
                self._store.merge(pin.collection, merge.obj, timeout_s=self._send_s(timeout_s))
            raise UnknownOutcome("other writers change this object all the time", where=key, next_action="Write it again.")

    # --- completing objects ---------------------------------------------------------------------------------------------

    def _complete(
        self,
        operation: WriteOperation,
        key: str,
        properties: Mapping[str, Any],
        vector: Sequence[float] | None,
        tenant: str | None,
        timeout_s: float,
    ) -> StoredObject:
        pin = operation.pin
        checked = checked_properties(pin, key, properties, complete=True)
        if vector is not None:
            own = {pin.vector_name: checked_vector(pin, key, vector)}
            return self._stamped(pin, StoredObject(key, checked, own, tenant), brought=True)
        (vectors,) = self._embed(operation, [checked], timeout_s)
        return self._stamped(pin, StoredObject(key, checked, vectors, tenant))

    def _complete_many(
        self,
        operation: WriteOperation,
        keys: Sequence[str],
        properties: Sequence[Mapping[str, Any]],
        tenant: str | None,
        timeout_s: float,
    ) -> list[StoredObject]:
        pin = operation.pin
        checked = [checked_properties(pin, key, p, complete=True) for key, p in zip(keys, properties, strict=True)]
        vectors = self._embed(operation, checked, timeout_s)
        objects = (StoredObject(key, p, v, tenant) for key, p, v in zip(keys, checked, vectors, strict=True))
        return [self._stamped(pin, obj) for obj in objects]

    def _read_one(self, pin: Pin, key: str, tenant: str | None) -> StoredObject:
        found = self._store.read(pin.collection, [key], tenant=tenant).get(key)
        if found is None:
            raise _no_such(pin, key)
        return found

    def _merge_of(
        self,
        operation: WriteOperation,
        current: StoredObject,
        changes: Mapping[str, Any],
        timeout_s: float,
        *,
        embed: bool = False,
    ) -> _Merge:
        """The changes, with a vector only where the text changes: one that was read could be older than the text by now.

        A merge cannot take a vector away, so where the live model is gone the old one stays beside the new text, and the stamp
        says so.
        """
        pin = operation.pin
        after = {**current.properties, **changes}
        text = pin.recipe.text_of(after)
        vectors: Vectors = {}
        changed = text != pin.recipe.text_of(current.properties) or pin.vector_name not in current.vectors
        if text is not None and (changed or embed):
            (vectors,) = self._embed(operation, [after], timeout_s)
            skipped = self._cut(pin, text) if vectors else MODEL_GONE
        else:
            vectors = _against_the_servers_own(pin, current)
            skipped = current.stamp(STAMP_SKIPPED) or ""
        stamps = self._stamps(pin, StoredObject(current.uuid, after, {**current.vectors, **vectors}), skipped)
        return _Merge(StoredObject(current.uuid, {**changes, **stamps}, vectors, current.tenant), text)

    def _stamped(self, pin: Pin, obj: StoredObject, *, brought: bool = False) -> StoredObject:
        """``brought``: the application gave the vector, and we do not know of how much of the text."""
        cut = "" if brought else self._cut(pin, pin.recipe.text_of(obj.properties))
        skipped = cut if pin.vector_name in obj.vectors else MODEL_GONE
        return replace(obj, properties={**obj.properties, **self._stamps(pin, obj, skipped)})

    def _cut(self, pin: Pin, text: str | None) -> str:
        """``truncated`` where the vector is of the beginning of the text only; asked for stamped collections alone."""
        fits = not pin.stamped or text is None or self._embedders.of(pin.space, pin=pin).fits(text)
        return "" if fits else TRUNCATED

    def _stamps(self, pin: Pin, obj: StoredObject, skipped: str) -> dict[str, str]:
        """A collection that was a shadow once keeps saying what is in it."""
        if not pin.stamped:
            return {}
        carried = tuple(sorted(name for name in obj.vectors if name != pin.vector_name))
        return stamps(pin.space, pin.recipe, obj, carried=carried, at=self._clock.now()) | {STAMP_SKIPPED: skipped}

    def _embed(self, operation: WriteOperation, properties: Sequence[Mapping[str, Any]], timeout_s: float) -> list[Vectors]:
        """With the live model, by vector name; nothing has been written yet, so a failure is ``NotWritten``.

        None where that model is declared gone: live stays the authority for the content, and the shadow gets its vector from
        the text, by the new model.
        """
        pin = operation.pin
        if operation.live_model_gone:
            return [{} for _ in properties]
        embedder = self._embedders.of(pin.space, pin=pin)
        texts = [embedder.truncate(pin.recipe.text_of(p) or "") for p in properties]
        try:
            answer = embedder.embed_documents(texts, purpose=Purpose.WRITE, timeout_s=self._send_s(timeout_s))
        except (Retryable, Paused) as error:
            raise NotWritten(
                f"the text could not be embedded ({error.what})",
                where=pin.name,
                next_action=error.next_action or "Try again.",
            ) from error
        except ModelGone as error:
            raise NotWritten(
                f"the text could not be embedded ({error.what})", where=pin.name, next_action=_if_gone(operation, error)
            ) from error
        refused = [v.reason for v in answer.vectors if isinstance(v, Refused)]
        if refused:
            raise BadInput(f"{pin.space.id} refuses the text: {refused[0]}", where=pin.name, next_action="Change the text.")
        return [{pin.vector_name: v} for v in answer.vectors if not isinstance(v, Refused)]

    def _re_embed(
        self,
        operation: WriteOperation,
        before: Mapping[str, StoredObject],
        keys: Sequence[str],
        tenant: str | None,
        timeout_s: float,
    ) -> None:
        """Objects whose text the block changed without bringing a new vector."""
        pin = operation.pin
        if operation.live_model_gone:
            return
        after = self._store.read(pin.collection, keys, tenant=tenant)
        changed = [obj for key, obj in after.items() if _needs_vector(pin, before.get(key), obj)]
        if not changed:
            return
        vectors = self._embed(operation, [obj.properties for obj in changed], timeout_s)
        for obj, embedded in zip(changed, vectors, strict=True):
            mended = replace(obj, properties={}, vectors={**obj.vectors, **embedded})
            self._store.merge(pin.collection, mended, timeout_s=self._send_s(timeout_s))

    # --- acknowledging --------------------------------------------------------------------------------------------------

    def _confirmed(
        self, pin: Pin, objects: Sequence[StoredObject], refused: Mapping[str, str], tenant: str | None
    ) -> tuple[list[str], list[str]]:
        """Rule 2a: acknowledged where a read-back finds the content; anything else is refused or unknown."""
        found: Mapping[str, StoredObject] = {}
        try:
            found = self._store.read(pin.collection, [obj.uuid for obj in objects], tenant=tenant)
        except BadInput:
            if len(refused) == len(objects):  # a tenant that does not exist, for both: nothing was written
                raise
        except VecferryError:
            pass
        landed = sorted(obj.uuid for obj in objects if obj.uuid in found and _same_content(obj, found[obj.uuid]))
        unknown = [obj.uuid for obj in objects if obj.uuid not in {*landed, *refused}]
        if refused and not landed and not unknown:
            raise NotWritten(next(iter(refused.values())), where=pin.collection, next_action="Correct the objects.")
        return landed, unknown

    def _send_s(self, timeout_s: float) -> float:
        return min(timeout_s, self._timings.write_timeout_s)


@contextmanager
def _written_before() -> Iterator[None]:
    """Something of this operation is in the store already, so that a later failure is not ``NotWritten``."""
    try:
        yield
    except NotFound:
        return  # deleted by somebody else meanwhile: what was merged is gone with it
    except (NotWritten, BadInput, Retryable, Paused) as error:
        raise UnknownOutcome(
            f"written, but not with the vector of its text ({error.what})", where=error.where, next_action="Write it again."
        ) from error


def _receipt(keys: Sequence[str], operation: WriteOperation, sending: Sending) -> Receipt:
    return Receipt(tuple(keys), operation.snapshot.routing.version, progress=sending.progress)


def _if_gone(operation: WriteOperation, error: ModelGone) -> str:
    if operation.snapshot.migration is None:
        return error.next_action
    return f"If the old model has ended, say so, and writes go on: vecferry live-model-gone {operation.pin.name} --why …"


def _may_misfit(pin: Pin, merged: StoredObject) -> bool:
    """Whether this merge can leave a vector beside a text that is not its own, if it crosses another write.

    It cannot if it brings neither, nor if it brings the whole text together with its vector.
    """
    parts = [name for name in pin.recipe.properties if name in merged.properties]
    whole = len(parts) == len(pin.recipe.properties) and bool(merged.vectors)
    return not whole and bool(parts or merged.vectors)


def _against_the_servers_own(pin: Pin, current: StoredObject) -> Vectors:
    """Where live vectorizes by itself, it embeds what is merged without a vector: once more, and with dates among the texts,
    which it leaves out everywhere else. If another write crosses, the vector is seen not to fit, and made anew."""
    vector = current.vectors.get(pin.vector_name)
    return {} if pin.recipe.server is None or vector is None else {pin.vector_name: vector}


def _no_such(pin: Pin, key: str) -> NotFound:
    return NotFound(f"there is no object {key}", where=pin.name, next_action="Use put to create it.")


def _same_content(sent: StoredObject, stored: StoredObject) -> bool:
    wanted = {k: v for k, v in sent.properties.items() if v is not None and k != STAMP_AT}
    return canonical_json(wanted) == canonical_json({k: stored.properties.get(k) for k in wanted})


def _needs_vector(pin: Pin, before: StoredObject | None, after: StoredObject) -> bool:
    text = pin.recipe.text_of(after.properties)
    if text is None:
        return False
    vector = after.vectors.get(pin.vector_name)
    if vector is None or before is None:
        return vector is None
    return text != pin.recipe.text_of(before.properties) and vector == before.vectors.get(pin.vector_name)
