"""What the server says to whoever would rewrite other collections' references to a new collection (decision 0026)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from vecferry.sandbox.weaviate_server import WeaviateServer

pytestmark = pytest.mark.timeout(300)
Key = str


class Library:
    """``live`` and ``shadow`` hold the same id with other titles; ``notes`` refers to live by ``about``."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        end = uuid.uuid4().hex[:6]
        self.live, self.shadow, self.notes, self.alias = (f"{name}{end}" for name in ("Docs", "New", "Notes", "Alias"))
        self.doc, self.note = str(uuid.uuid4()), str(uuid.uuid4())
        self.make(self.live)
        self.make(self.shadow)
        self.make(self.notes, {"name": "about", "dataType": [self.live]})
        for name in (self.live, self.shadow):
            self.put(name, self.doc, title=name)
        self.put(self.notes, self.note, title="a note", about=[self.beacon(self.live)])

    def make(self, name: str, *properties: dict[str, Any]) -> None:
        own = [{"name": "title", "dataType": ["text"]}, *properties]
        self.sent("POST", "/v1/schema", {"class": name, "vectorizer": "none", "properties": own}).raise_for_status()

    def put(self, name: str, key: Key, **properties: Any) -> None:
        self.sent("POST", "/v1/objects", {"class": name, "id": key, "properties": properties}).raise_for_status()

    def beacon(self, name: str) -> dict[str, str]:
        return {"beacon": f"weaviate://localhost/{name}/{self.doc}"}

    def sent(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self.http.request(method, path, json=body)

    def asked(self) -> dict[str, Any]:
        """A query for what the note is about, by the type that the property names."""
        query = f"{{Get{{{self.notes}{{about{{... on {self.live}{{title}}}}}}}}}}"
        found: dict[str, Any] = self.sent("POST", "/v1/graphql", {"query": query}).json()
        return found

    def drop(self) -> None:
        self.sent("DELETE", f"/v1/aliases/{self.live}")
        for name in (self.live, self.shadow, self.notes):
            self.sent("DELETE", f"/v1/schema/{name}")


@pytest.fixture
def library(weaviate_server: WeaviateServer) -> Iterator[Library]:
    with httpx.Client(base_url=weaviate_server.http_url, timeout=30, trust_env=False) as http:
        made = Library(http)
        yield made
        made.drop()


def test_what_a_property_points_to_is_fixed(library: Library) -> None:
    path = f"/v1/schema/{library.notes}"
    schema = library.sent("GET", path).json()
    (about,) = [prop for prop in schema["properties"] if prop["name"] == "about"]
    about["dataType"] = [library.live, library.shadow]
    extended = library.sent("PUT", path, schema)
    assert (extended.status_code, "cannot be updated" in extended.text) == (422, True)
    again = library.sent("POST", f"{path}/properties", {"name": "about", "dataType": [library.live, library.shadow]})
    assert (again.status_code, "already in use" in again.text) == (422, True)
    assert {library.sent(m, f"{path}/properties/about", about).status_code for m in ("DELETE", "PUT", "PATCH")} == {404}
    assert library.asked()["data"]["Get"][library.notes] == [{"about": [{"title": library.live}]}]


def test_a_beacon_to_the_new_collection_is_taken_and_queries_go_on_showing_the_old_ones_object(library: Library) -> None:
    path = f"/v1/objects/{library.notes}/{library.note}"
    library.sent("PUT", f"{path}/references/about", [library.beacon(library.shadow)]).raise_for_status()
    stored = library.sent("GET", path).json()["properties"]["about"]
    assert [reference["beacon"] for reference in stored] == [library.beacon(library.shadow)["beacon"]]
    assert library.asked()["data"]["Get"][library.notes] == [{"about": [{"title": library.live}]}]


def test_without_the_collection_that_it_names_a_property_breaks_the_queries_that_ask_for_it(library: Library) -> None:
    library.sent("PUT", f"/v1/objects/{library.notes}/{library.note}/references/about", [library.beacon(library.shadow)])
    library.sent("DELETE", f"/v1/schema/{library.live}").raise_for_status()
    assert library.asked()["errors"]
    library.sent("POST", "/v1/aliases", {"alias": library.live, "class": library.shadow}).raise_for_status()
    assert library.sent("GET", f"/v1/objects/{library.live}/{library.doc}").is_success, "found by the old name"
    assert library.asked()["errors"], "and not by reference"
