"""Writing objects: each call once, over REST (lossless) or gRPC (batches of plain ones), its answer read object by object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx

from vecferry.adapters.weaviate import errors
from vecferry.adapters.weaviate.batch_message import batch_message
from vecferry.adapters.weaviate.calls import QUORUM, Calls, path_of, per_tenant
from vecferry.adapters.weaviate.deadline import Deadline
from vecferry.adapters.weaviate.objects import to_rest
from vecferry.adapters.weaviate.references import beacon_rows, is_dangling, reference_names, without_beacons
from vecferry.domain.object_ids import canonical_uuid
from vecferry.domain.objects import StoredObject
from vecferry.errors import BadInput, NotFound, NotWritten

_BY_GRPC_FROM = 3
"""Below this the quicker road gains nothing, and REST knows more often that nothing was sent."""
_ONE_BY_ONE = 20
_MOST_IN_A_FILTER = 1_000
"""Deleting by a filter stops silently at 10,000 objects; this stays far below."""


class Writing:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def put(self, collection: str, obj: StoredObject, *, timeout_s: float) -> None:
        """A batch of one: PUT does not create, POST does not replace, and between the two lies a race."""
        where = f"{collection}/{obj.uuid}"
        refused = self._batch(collection, [obj], where, Deadline(timeout_s))
        for message in refused.values():
            error = errors.definite(message, where=where) or errors.unknown(message, where=where)
            raise self._calls.no_such(collection) if isinstance(error, NotFound) else error

    def put_batch(
        self,
        collection: str,
        objects: Sequence[StoredObject],
        *,
        timeout_s: float,
        unchecked_references: bool = False,
    ) -> dict[str, str]:
        if len({canonical_uuid(obj.uuid) for obj in objects}) < len(objects):
            # The server keeps one of them and says nothing.
            raise BadInput("an id is twice in one batch", where=collection, next_action="Give each object once.")
        deadline = Deadline(timeout_s)
        refused = self._batch(collection, objects, collection, deadline) if objects else {}
        if unchecked_references:
            refused = self._put_dangling(collection, objects, refused, deadline)
        if any(errors.is_missing_collection(message) for message in refused.values()):
            raise self._calls.no_such(collection)
        unclear = [message for message in refused.values() if errors.definite(message, where=collection) is None]
        if unclear:  # a failure that we do not know may have written, or may yet
            raise errors.unknown(f"{len(unclear)} of {len(objects)} objects: {unclear[0]}", where=collection)
        return refused

    def merge(self, collection: str, obj: StoredObject, *, timeout_s: float) -> bool:
        where = f"{collection}/{obj.uuid}"
        path, body = path_of("objects", collection, canonical_uuid(obj.uuid)), to_rest(collection, obj)
        response = self._calls.tell("PATCH", path, body, where=where, deadline=Deadline(timeout_s), params=QUORUM)
        if response.status_code == 404:
            self._calls.raw_schema(collection)
            return False
        return True

    def delete(self, collection: str, uuid: str, *, tenant: str | None = None, timeout_s: float) -> None:
        self._delete(collection, uuid, tenant, Deadline(timeout_s))

    def delete_batch(self, collection: str, uuids: Sequence[str], *, tenant: str | None = None, timeout_s: float) -> None:
        """By filter, then one by one what the filter did not find: an object may be invisible to id filters alone."""
        deadline, wanted = Deadline(timeout_s), list(dict.fromkeys(map(canonical_uuid, uuids)))
        by_filter, rest, deleted = wanted if len(wanted) > _ONE_BY_ONE else [], wanted, 0
        try:
            for start in range(0, len(by_filter), _MOST_IN_A_FILTER):
                gone = self._delete_by_filter(collection, by_filter[start : start + _MOST_IN_A_FILTER], tenant, deadline)
                deleted, rest = deleted + len(gone), [uuid for uuid in rest if uuid not in gone]
            for uuid in rest:
                self._delete(collection, uuid, tenant, deadline)
                deleted += 1
        except (NotWritten, BadInput) as error:
            if not deleted:
                raise
            raise errors.unknown(f"{deleted} of {len(uuids)} deleted, then: {error.what}", where=collection) from error

    def _batch(self, collection: str, objects: Sequence[StoredObject], where: str, deadline: Deadline) -> dict[str, str]:
        message = batch_message(collection, objects) if len(objects) >= _BY_GRPC_FROM else None
        if message is not None:
            try:
                return self._batch_by_grpc(message, where, deadline)
            except errors.MessageTooLarge:
                return self._in_halves(collection, objects, where, deadline)
        body = {"objects": [to_rest(collection, obj) for obj in objects]}
        response = self._calls.tell("POST", "/v1/batch/objects", body, where=where, deadline=deadline, params=QUORUM)
        answers = _json_of(response, where)
        if response.status_code == 404 or not isinstance(answers, list):
            raise errors.unknown(f"not a batch's answer (status {response.status_code})", where=where)
        if {answer.get("id") for answer in answers} != {item["id"] for item in body["objects"]}:
            raise errors.unknown("the answer is not about the objects that were sent", where=where)
        return {answer["id"]: _failure(answer) for answer in answers if _failure(answer)}

    def _in_halves(self, collection: str, objects: Sequence[StoredObject], where: str, deadline: Deadline) -> dict[str, str]:
        middle = len(objects) // 2
        refused = self._batch(collection, objects[:middle], where, deadline)
        try:
            return refused | self._batch(collection, objects[middle:], where, deadline)
        except (NotWritten, BadInput) as error:
            raise errors.unknown(f"{middle} of {len(objects)} objects were sent before: {error}", where=where) from error

    def _batch_by_grpc(self, message: Any, where: str, deadline: Deadline) -> dict[str, str]:
        """Its answer names the objects that failed; a batch's answer is no confirmation either way (rule 2a)."""
        reply = self._calls.tell_grpc("BatchObjects", message, where=where, deadline=deadline)
        if any(not 0 <= error.index < len(message.objects) for error in reply.errors):
            raise errors.unknown("the answer is not about the objects that were sent", where=where)
        return {message.objects[error.index].uuid: error.error or "failed, without a reason" for error in reply.errors}

    def _put_dangling(
        self, collection: str, objects: Sequence[StoredObject], refused: Mapping[str, str], deadline: Deadline
    ) -> dict[str, str]:
        """What was refused for a reference without a target, in two steps; returns what is refused now."""
        again = [obj for obj in objects if is_dangling(refused.get(canonical_uuid(obj.uuid), ""))]
        if not again:
            return dict(refused)
        still = {uuid: message for uuid, message in refused.items() if not is_dangling(message)}
        names = reference_names(self._calls.raw_schema(collection))
        failed = self._batch(collection, [without_beacons(obj, names) for obj in again], collection, deadline)
        stored = [replace(obj, uuid=uuid) for obj in again if (uuid := canonical_uuid(obj.uuid)) not in failed]
        return still | failed | self._add_beacons(collection, stored, names, deadline)

    def _add_beacons(
        self, collection: str, objects: Sequence[StoredObject], names: Sequence[str], deadline: Deadline
    ) -> dict[str, str]:
        rows = [(obj.uuid, row) for obj in objects for row in beacon_rows(collection, obj, names)]
        if not rows:
            return {}
        body, path = [row for _, row in rows], "/v1/batch/references"
        response = self._calls.tell("POST", path, body, where=collection, deadline=deadline, params=QUORUM)
        answers = _json_of(response, collection)
        if response.status_code == 404 or not isinstance(answers, list) or len(answers) != len(rows):
            raise errors.unknown(f"not a batch's answer (status {response.status_code})", where=collection)
        found = ((uuid, _failure(answer)) for (uuid, _), answer in zip(rows, answers, strict=True))
        return {uuid: message for uuid, message in found if message}

    def _delete(self, collection: str, uuid: str, tenant: str | None, deadline: Deadline) -> None:
        where = f"{collection}/{uuid}"
        if deadline.remaining_s() <= 0:
            raise NotWritten("no time left to send it", where=where, next_action="Try again.")
        params = {**QUORUM, **per_tenant(tenant)}
        response = self._calls.tell(
            "DELETE", path_of("objects", collection, canonical_uuid(uuid)), where=where, deadline=deadline, params=params
        )
        if response.status_code == 404:
            self._calls.raw_schema(collection)

    def _delete_by_filter(self, collection: str, uuids: Sequence[str], tenant: str | None, deadline: Deadline) -> set[str]:
        """Of one page of ids those that it deleted."""
        where = {"path": ["id"], "operator": "ContainsAny", "valueTextArray": list(uuids)}
        body = {"match": {"class": collection, "where": where}, "output": "verbose"}
        params = {**QUORUM, **per_tenant(tenant)}
        response = self._calls.tell("DELETE", "/v1/batch/objects", body, where=collection, deadline=deadline, params=params)
        if response.status_code == 404:
            raise self._calls.no_such(collection)
        objects = (_json_of(response, collection).get("results") or {}).get("objects") or ()
        return {item["id"] for item in objects if item.get("status") == "SUCCESS"}


def _json_of(response: httpx.Response, where: str) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise errors.unknown("the answer is no JSON", where=where) from error


def _failure(answer: Mapping[str, Any]) -> str:
    """Empty for a success. Anything else than a clear SUCCESS is a failure."""
    result = answer.get("result") or {}
    if result.get("status") == "SUCCESS" and not result.get("errors"):
        return ""
    found = (result.get("errors") or {}).get("error") or ()
    return "; ".join(str(item.get("message")) for item in found) or f"status {result.get('status')}"
