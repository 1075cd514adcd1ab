"""Weaviate by its REST and GraphQL addresses, nothing between."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

JSON = dict[str, Any]
_PAGE = 500


class WeaviateRest:
    def __init__(self, url: str) -> None:
        # trust_env: a proxy from the environment must not be asked for a loopback address.
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False, verify=url.startswith("https:"))

    def version(self) -> str:
        return str(self._get("/v1/meta")["version"])

    def collections(self) -> set[str]:
        return {str(one["class"]) for one in self._get("/v1/schema")["classes"] or ()}

    def objects(self, collection: str) -> Iterator[JSON]:
        """All of them with vectors, by cursor, and counted against the server's own count."""
        after, seen = "", 0
        while page := self._page(collection, after):
            yield from page
            seen += len(page)
            after = page[-1]["id"]
        counted = self.count(collection)
        if seen != counted:
            raise RuntimeError(
                f"{collection}: the cursor gave {seen} objects, the server counts {counted}; is somebody writing?"
            )

    def count(self, collection: str) -> int:
        answer = self._graphql(f"{{ Aggregate {{ {collection} {{ meta {{ count }} }} }} }}")
        return int(answer["Aggregate"][collection][0]["meta"]["count"])

    def found_near(self, collection: str, vector: Sequence[float], uuids: Sequence[str]) -> set[str]:
        """Which of ``uuids`` the vector index finds when it is asked for them alone, and for as many as they are."""
        ids = json.dumps(list(uuids))
        where = f'{{path: ["id"], operator: ContainsAny, valueText: {ids}}}'
        near = f"{{vector: {json.dumps(list(vector))}}}"
        query = (
            f"{{ Get {{ {collection}(limit: {len(uuids)}, nearVector: {near}, where: {where}) {{ _additional {{ id }} }} }} }}"
        )
        return {row["_additional"]["id"] for row in self._graphql(query)["Get"][collection]}

    def close(self) -> None:
        self._http.close()

    def _page(self, collection: str, after: str) -> list[JSON]:
        params: Mapping[str, Any] = {"class": collection, "limit": _PAGE, "include": "vector", "after": after}
        return list(self._get("/v1/objects", params)["objects"] or [])

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> JSON:
        answer = self._http.get(path, params=params)
        answer.raise_for_status()
        return dict(answer.json())

    def _graphql(self, query: str) -> JSON:
        answer = self._http.post("/v1/graphql", json={"query": query})
        answer.raise_for_status()
        body = answer.json()
        if body.get("errors"):
            raise RuntimeError(f"GraphQL: {body['errors'][0]['message']}")
        return dict(body["data"])
