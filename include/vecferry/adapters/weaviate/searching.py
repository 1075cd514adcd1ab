"""Searching by a given vector, and asking the index what it can find."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from vecferry.adapters.weaviate.calls import Calls
from vecferry.adapters.weaviate.errors import AnswerTooLarge
from vecferry.adapters.weaviate.filters import to_wire
from vecferry.adapters.weaviate.objects import to_float32_bytes
from vecferry.adapters.weaviate.requests import all_properties, by_ids, keys_only, search_request
from vecferry.adapters.weaviate.values import properties_of
from vecferry.domain.objects import UNNAMED, Vector
from vecferry.errors import BadInput
from vecferry.ports import SearchHit, SearchQuery

_PAGE = 1_000


class Searching:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def search(self, collection: str, query: SearchQuery, *, timeout_s: float) -> list[SearchHit]:
        """``score`` is 1 − distance for a vector search (cosine: the similarity), the fused score for a hybrid one."""
        from weaviate.proto.v1 import search_get_pb2

        hybrid = query.profile.kind == "hybrid"
        kind = {"hybrid_search": _hybrid(query)} if hybrid else {"near_vector": _near(query.vector, query.vector_name)}
        request = search_request(
            collection,
            tenant=query.tenant,
            limit=query.limit,
            filters=to_wire(query.filters),
            metadata=search_get_pb2.MetadataRequest(uuid=True, distance=not hybrid, score=hybrid),
            **all_properties(),
            **kind,
        )
        try:
            results = self._calls.grpc("Search", request, where=collection, timeout_s=timeout_s).results
        except AnswerTooLarge as error:  # the same question has the same answer each time
            raise BadInput(error.what, where=collection, next_action="Ask with a smaller limit.") from error
        return [_hit(result, hybrid=hybrid) for result in results]

    def indexed(
        self, collection: str, vectors: Mapping[str, Vector], *, vector_name: str, tenant: str | None = None
    ) -> set[str]:
        found: set[str] = set()
        waiting = iter(vectors)
        while page := list(islice(waiting, _PAGE)):
            request = search_request(
                collection,
                tenant=tenant,
                limit=len(page),
                filters=by_ids(page),
                near_vector=_near(vectors[page[0]], vector_name),
                **keys_only(),
            )
            found |= {result.metadata.id for result in self._calls.grpc("Search", request, where=collection).results}
        return found


def _near(vector: Vector, vector_name: str) -> Any:
    from weaviate.proto.v1 import base_search_pb2

    return base_search_pb2.NearVector(vector_bytes=to_float32_bytes(vector), targets=_targets(vector_name))


def _hybrid(query: SearchQuery) -> Any:
    from weaviate.proto.v1 import base_search_pb2

    ranked = query.profile.fusion == "ranked"
    kinds = base_search_pb2.Hybrid
    return base_search_pb2.Hybrid(
        query=query.text,
        properties=list(query.profile.query_properties),
        # Servers before 1.36.7 read ``alpha``, later ones ``alpha_param``.
        alpha=query.profile.alpha,
        alpha_param=query.profile.alpha,
        use_alpha_param=True,
        fusion_type=kinds.FUSION_TYPE_RANKED if ranked else kinds.FUSION_TYPE_RELATIVE_SCORE,
        vector_bytes=to_float32_bytes(query.vector),
        targets=_targets(query.vector_name),
    )


def _targets(vector_name: str) -> Any:
    from weaviate.proto.v1 import base_search_pb2

    return base_search_pb2.Targets(target_vectors=[vector_name]) if vector_name != UNNAMED else None


def _hit(result: Any, *, hybrid: bool) -> SearchHit:
    score = result.metadata.score if hybrid else 1.0 - result.metadata.distance
    return SearchHit(result.metadata.id, score, properties_of(result.properties.non_ref_props))
