"""Scanning and counting: keys in order, how many, and how many of each stamp."""

from __future__ import annotations

from vecferry.adapters.weaviate.calls import QUORUM, Calls, path_of, per_tenant
from vecferry.adapters.weaviate.requests import keys_only, search_request
from vecferry.domain.chunks import FIRST
from vecferry.errors import BadInput

MOST_GROUPS = 10_000
"""Each shard cuts its own groups at the limit, and what it cuts is missing in the others' sums."""


class Keys:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def keys(self, collection: str, *, after: str, until: str, limit: int, tenant: str | None = None) -> list[str]:
        after, until, found = after.lower(), until.lower(), []
        if not after:
            # The cursor starts behind its ``after``, and an empty one is no cursor: a listing, whose order is not promised.
            found, after = self._if_stored(collection, FIRST, tenant), FIRST
        if len(found) < limit:
            found += self.page(collection, after=after, limit=limit - len(found), tenant=tenant)
        return [uuid for uuid in found if uuid <= until]

    def page(self, collection: str, *, after: str, limit: int, tenant: str | None) -> list[str]:
        """Up to ``limit`` keys behind ``after``, ascending, to the end of the collection."""
        request = search_request(collection, tenant=tenant, limit=limit, after=after, **keys_only())
        return [result.metadata.id for result in self._calls.grpc("Search", request, where=collection).results]

    def count(self, collection: str, *, tenant: str | None = None) -> int:
        from weaviate.proto.v1 import aggregate_pb2

        request = aggregate_pb2.AggregateRequest(collection=collection, tenant=tenant, objects_count=True)
        return int(self._calls.grpc("Aggregate", request, where=collection).single_result.objects_count)

    def stamp_counts(self, collection: str, stamp: str, *, tenant: str | None = None) -> dict[str, int]:
        from weaviate.proto.v1 import aggregate_pb2

        group_by = aggregate_pb2.AggregateRequest.GroupBy(collection=collection, property=stamp)
        request = aggregate_pb2.AggregateRequest(
            collection=collection, tenant=tenant, objects_count=True, group_by=group_by, limit=MOST_GROUPS
        )
        groups = self._calls.grpc("Aggregate", request, where=collection).grouped_results.groups
        if len(groups) >= MOST_GROUPS:
            raise BadInput(
                f"{stamp} has {MOST_GROUPS} values or more",
                where=collection,
                next_action="Count a property with few values, such as the model.",
            )
        return {group.grouped_by.text: int(group.objects_count) for group in groups}

    def _if_stored(self, collection: str, uuid: str, tenant: str | None) -> list[str]:
        where = f"{collection}/{uuid}"
        params = {**QUORUM, **per_tenant(tenant)}
        response = self._calls.ask(path_of("objects", collection, uuid), where=where, params=params)
        if response.status_code == 404:
            self._calls.raw_schema(collection)
            return []
        return [uuid]
