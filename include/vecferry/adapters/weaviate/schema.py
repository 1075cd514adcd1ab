"""Collections, tenants, shards and aliases, as raw JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vecferry.adapters.weaviate.calls import Calls, path_of
from vecferry.adapters.weaviate.schema_shape import is_multi_tenant
from vecferry.errors import BadInput, Conflict

_MOST_TENANTS = 100
_STATUS = {"HOT": "ACTIVE", "COLD": "INACTIVE", "FROZEN": "OFFLOADED"}
_READ_ONLY, _READY = "READONLY", "READY"


class Schema:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def collections(self) -> list[str]:
        return self._calls.names()

    def schema(self, collection: str) -> dict[str, Any]:
        return self._calls.raw_schema(collection)

    def create(self, schema: Mapping[str, Any]) -> None:
        name = schema["class"]
        try:
            self._tell("POST", "/v1/schema", dict(schema), where=name)
        except BadInput as error:
            if "already exists" in error.what:
                raise Conflict(error.what, where=name, next_action="Choose another name.") from error
            raise

    def drop(self, collection: str) -> None:
        # By an alias the server answers 200 and drops nothing; a missing collection is 200 too.
        self._tell("DELETE", path_of("schema", collection), where=collection)

    def change(self, collection: str, **settings: Any) -> None:
        schema = self._calls.raw_schema(collection) | settings
        self._tell("PUT", path_of("schema", schema["class"]), schema, where=collection)

    def tenants(self, collection: str) -> dict[str, str]:
        if not is_multi_tenant(self._calls.raw_schema(collection)):
            return {}
        response = self._calls.ask(path_of("schema", collection, "tenants"), where=collection)
        found = self._calls.body(response, where=collection)
        return {item["name"]: _STATUS.get(status := item.get("activityStatus", "HOT"), status) for item in found}

    def add_tenants(self, collection: str, tenants: Mapping[str, str]) -> None:
        self._tell_tenants("POST", collection, tenants)

    def set_tenants(self, collection: str, tenants: Mapping[str, str]) -> None:
        self._tell_tenants("PUT", collection, tenants)

    def remove_tenants(self, collection: str, tenants: Sequence[str]) -> None:
        for start in range(0, len(tenants), _MOST_TENANTS):
            names = list(tenants[start : start + _MOST_TENANTS])
            self._tell("DELETE", path_of("schema", collection, "tenants"), names, where=collection)

    def add_property(self, collection: str, definition: Mapping[str, Any]) -> None:
        self._tell("POST", path_of("schema", collection, "properties"), dict(definition), where=collection)

    def shards(self, collection: str) -> dict[str, str]:
        """By the nodes' report, for ``/shards`` fails as soon as one tenant is inactive. The worst replica counts."""
        found: dict[str, str] = {}
        for shard in self._shards(collection):
            status = str(shard.get("vectorIndexingStatus") or "UNKNOWN")
            if found.get(shard["name"]) != _READ_ONLY:
                found[shard["name"]] = status
        return found

    def set_read_only(self, collection: str, read_only: bool) -> None:
        status, name = _READ_ONLY if read_only else _READY, self._calls.raw_schema(collection)["class"]
        for shard in self.shards(name):
            self._tell("PUT", path_of("schema", name, "shards", shard), {"status": status}, where=f"{name}/{shard}")

    def index_queue(self, collection: str) -> int:
        return sum(int(shard.get("vectorQueueLength") or 0) for shard in self._shards(collection))

    def incarnations(self) -> dict[str, str]:
        """A lone server elects itself anew at each start, which is a new term; each of several says how far its log was then.
        Empty for a key that may not read the cluster's state."""
        try:
            response = self._calls.ask("/v1/cluster/statistics", where="cluster")
        except BadInput:
            return {}
        if response.status_code == 404:
            return {}
        nodes = self._calls.body(response, where="cluster").get("statistics") or ()
        return {
            str(node.get("name")): f"{node['raft']['term']}:{node.get('initialLastAppliedIndex', 0)}"
            for node in nodes
            if (node.get("raft") or {}).get("term")
        }

    def aliases(self) -> dict[str, str]:
        found = self._calls.body(self._calls.ask("/v1/aliases", where="aliases"), where="aliases")
        return {item["alias"]: item["class"] for item in found.get("aliases") or ()}

    def set_alias(self, alias: str, collection: str) -> None:
        target = self._calls.raw_schema(collection)["class"]
        if alias in self._calls.names():
            raise Conflict("a collection has this name", where=alias, next_action="Choose another alias.")
        method, path = ("PUT", path_of("aliases", alias)) if alias in self.aliases() else ("POST", "/v1/aliases")
        self._tell(method, path, {"alias": alias, "class": target}, where=alias)

    def _shards(self, collection: str) -> list[dict[str, Any]]:
        name = self._calls.raw_schema(collection)["class"]
        response = self._calls.ask(path_of("nodes", name), where=name, params={"output": "verbose"})
        if response.status_code == 404:
            raise self._calls.no_such(name)
        nodes = self._calls.body(response, where=name).get("nodes") or ()
        return [shard for node in nodes for shard in node.get("shards") or () if shard.get("class") == name]

    def _tell_tenants(self, method: str, collection: str, tenants: Mapping[str, str]) -> None:
        rows = [{"name": name, "activityStatus": status} for name, status in tenants.items()]
        for start in range(0, len(rows), _MOST_TENANTS):
            self._tell(method, path_of("schema", collection, "tenants"), rows[start : start + _MOST_TENANTS], where=collection)

    def _tell(self, method: str, path: str, body: Any = None, *, where: str) -> None:
        response = self._calls.tell(method, path, body, where=where, deadline=self._calls.schema_deadline())
        if response.status_code == 404:
            raise self._calls.no_such(where.partition("/")[0])
