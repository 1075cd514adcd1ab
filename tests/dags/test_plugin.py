"""The page inside Airflow, by Airflow's own api-server and its own idea of who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.dags.world import NEW, OLD
from vecferry.bootstrap import close_ports, connect_ports
from vecferry.domain.lifecycle import FORWARD, Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Mode
from vecferry.domain.shadow import ShadowSpec

_SPEC = ShadowSpec(live="Docs", shadow="Docs_new_1", recipe=TextRecipe(("body",)), space=NEW.space)
pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    from airflow.api_fastapi.app import create_app

    folder: Path = tmp_path_factory.mktemp("ledger")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VECFERRY_LEDGER_URL", f"sqlite:///{folder / 'ledger.db'}")
        _serving(Migration("docs-2", "Docs", Phase.PLANNED, 1, _SPEC, OLD.space), percent=25)
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


def test_pins_and_migrations_as_the_ledger_has_them(api_server: TestClient) -> None:
    (pin,) = api_server.get("/vecferry/api/pins", headers=_as("vic", "VIEWER")).json()
    assert (pin["pin"], pin["routing"]["percent"], pin["migration"]) == ("Docs", 25, "docs-2")
    (migration,) = api_server.get("/vecferry/api/migrations", headers=_as("vic", "VIEWER")).json()
    assert (migration["phase"], migration["to"], migration["can_roll_back"]) == ("serving", "memory/new@32", True)
    detail = api_server.get("/vecferry/api/migrations/docs-2", headers=_as("vic", "VIEWER")).json()
    assert detail["journal"] == {"rows": {}, "oldest_s": 0.0}
    assert detail["events"][-1]["why"] == "test"


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


def test_the_button_makes_the_same_one_write_as_the_command(api_server: TestClient) -> None:
    url = "/vecferry/api/migrations/docs-2/rollback"
    back = api_server.post(url, json={"why": "users complain"}, headers=_as("ada", "ADMIN")).json()
    assert (back["phase"], back["percent"], back["from_percent"]) == ("rolled_back", 0, 25)
    detail = api_server.get("/vecferry/api/migrations/docs-2", headers=_as("vic", "VIEWER")).json()
    assert (detail["phase"], detail["can_roll_back"]) == ("rolled_back", False)
    assert (detail["events"][-1]["who"], detail["events"][-1]["why"]) == ("ada", "users complain")


def _serving(migration: Migration, percent: int) -> None:
    """A ledger as it is in the middle of the switch."""
    ports = connect_ports()
    ports.ledger.save_pin(Pin("Docs", "Docs", OLD.space, _SPEC.recipe), who="test", why="test")
    migration = ports.ledger.start_migration(migration, who="test", why="test")
    for phase in FORWARD[1:-2]:
        migration = ports.ledger.move(migration, phase, who="test", why="test")
    ports.ledger.move(migration, Phase.SERVING, who="test", why="test", routing=(Mode.DUAL, percent))
    close_ports(ports)


def _roll_back(api_server: TestClient, headers: dict[str, str], body: dict[str, Any]) -> Any:
    return api_server.post("/vecferry/api/migrations/docs-1/rollback", json=body, headers=headers)
