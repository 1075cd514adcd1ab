"""The page inside Airflow, by Airflow's own api-server and its own idea of who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    from airflow.api_fastapi.app import create_app

    folder: Path = tmp_path_factory.mktemp("ledger")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VECFERRY_LEDGER_URL", f"sqlite:///{folder / 'ledger.db'}")
        with TestClient(create_app(), base_url="http://testserver") as client:
            yield client


def _as(name: str, role: str) -> dict[str, str]:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    user = SimpleAuthManagerUser(username=name, role=role)
    return {"Authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}


@pytest.mark.parametrize("path", ["/vecferry/migrations", "/vecferry/api/pins", "/vecferry/api/migrations"])
def test_nobody_sees_anything_without_logging_in(api_server: TestClient, path: str) -> None:
    assert api_server.get(path).status_code == 401


def test_the_page_needs_nothing_from_elsewhere(api_server: TestClient) -> None:
    page = api_server.get("/vecferry/migrations", headers=_as("vic", "VIEWER"))
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "innerHTML" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_an_empty_ledger_is_an_empty_page(api_server: TestClient) -> None:
    assert api_server.get("/vecferry/api/pins", headers=_as("vic", "VIEWER")).json() == []
    assert api_server.get("/vecferry/api/migrations", headers=_as("vic", "VIEWER")).json() == []


def test_who_may_only_look_may_not_roll_back(api_server: TestClient) -> None:
    assert _roll_back(api_server, _as("vic", "VIEWER"), {"why": "worse"}).status_code == 403
    assert _roll_back(api_server, {}, {"why": "worse"}).status_code == 401


def test_a_rollback_needs_a_reason_and_a_migration_that_exists(api_server: TestClient) -> None:
    ada = _as("ada", "ADMIN")
    assert _roll_back(api_server, ada, {"why": ""}).status_code == 422
    missing = _roll_back(api_server, ada, {"why": "worse"})
    assert missing.status_code == 404
    assert "docs-1" in str(missing.json())


def test_a_form_of_another_site_is_no_rollback(api_server: TestClient) -> None:
    answer = api_server.post("/vecferry/api/migrations/docs-1/rollback", data={"why": "worse"}, headers=_as("ada", "ADMIN"))
    assert answer.status_code == 422


def _roll_back(api_server: TestClient, headers: dict[str, str], body: dict[str, Any]) -> Any:
    return api_server.post("/vecferry/api/migrations/docs-1/rollback", json=body, headers=headers)
