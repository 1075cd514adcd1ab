"""Going back by the command, by the DAG and by the page: the same one write to the ledger."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from tests.dags.world import NEW, OLD
from vecferry.adapters.ledger.database import Database
from vecferry.airflow import embedding_rollback_dag
from vecferry.bootstrap import close_ports, connect_ports
from vecferry.cli.app import app
from vecferry.domain.lifecycle import FORWARD, Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Mode
from vecferry.domain.shadow import ShadowSpec
from vecferry.ports import Ports

pytestmark = [pytest.mark.usefixtures("airflow_database"), pytest.mark.timeout(240)]
WHY = "users complain"
_SPEC = ShadowSpec(live="Docs", shadow="Docs_new_1", recipe=TextRecipe(("body",)), space=NEW.space)
_MOMENTS = ("at", "published_at")
Rows = dict[str, Counter[tuple[tuple[str, Any], ...]]]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger in the middle of the switch: 25% are on the shadow."""
    file = tmp_path_factory.mktemp("ledger") / "serving.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VECFERRY_LEDGER_URL", f"sqlite:///{file}")
        ports = connect_ports()
        ports.ledger.save_pin(Pin("Docs", "Docs", OLD.space, _SPEC.recipe), who="test", why="test")
        migration = ports.ledger.start_migration(
            Migration("docs-1", "Docs", Phase.PLANNED, 1, _SPEC, OLD.space), who="test", why="test"
        )
        for phase in FORWARD[1:-2]:
            migration = ports.ledger.move(migration, phase, who="test", why="test")
        ports.ledger.move(migration, Phase.SERVING, who="test", why="test", routing=(Mode.DUAL, 25))
        close_ports(ports)
    return file


def by_the_command() -> None:
    said = CliRunner().invoke(app, ["rollback", "Docs", "--why", WHY, "--who", "ada"])
    assert said.exit_code == 0, said.output


def by_the_dag() -> None:
    run = embedding_rollback_dag(connect=_connect).test(run_conf={"collection": "Docs", "why": WHY})
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    assert states["roll_back.act"] == states["roll_back.ready"] == "success", states


def by_the_page() -> None:
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    with TestClient(create_app(), base_url="http://testserver") as client:
        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ada", role="ADMIN"))
        url = "/vecferry/api/migrations/docs-1/rollback"
        answer = client.post(url, json={"why": WHY}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text


def test_the_command_the_dag_and_the_page_write_the_same_rows_in_one_transaction(
    serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = {way.__name__: _written(way, serving, tmp_path, monkeypatch) for way in (by_the_command, by_the_dag, by_the_page)}
    rows, transactions = written["by_the_command"]
    assert set(rows) == {"migrations", "routing", "routing_versions", "events"}, "and nothing else"
    assert transactions == 1
    assert written["by_the_page"] == (rows, 1)
    by_the_dag_too, of_the_dag = written["by_the_dag"]
    judged = by_the_dag_too.pop("verdicts")  # its check's, which the others leave to people
    assert by_the_dag_too == rows
    assert of_the_dag == 1 + judged.total()
    new = [dict(row) for row in rows["routing_versions"]]
    assert [(row["mode"], row["percent"], row["reason"]) for row in new] == [("dual", 0, WHY)], "dual-write stays on"
    assert sorted(dict(row)["what"] for row in rows["events"]) == ["move", "publish"]


def _written(way: Callable[[], None], serving: Path, folder: Path, patch: pytest.MonkeyPatch) -> tuple[Rows, int]:
    """The rows that the way back left in a copy of the ledger, and in how many transactions."""
    file = folder / f"{way.__name__}.db"
    shutil.copy(serving, file)
    before, transactions, write = _rows(file), 0, Database.write

    def counted(self: Database, *given: Any, **named: Any) -> Any:
        nonlocal transactions
        transactions += 1
        return write(self, *given, **named)

    with patch.context() as during:
        during.setenv("VECFERRY_LEDGER_URL", f"sqlite:///{file}")
        during.setattr(Database, "write", counted)
        way()
    after = _rows(file)
    return {table: added for table in after if (added := after[table] - before.get(table, Counter()))}, transactions


def _rows(file: Path) -> Rows:
    """Of all tables. Times differ from run to run, and so does how each way names the person."""
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    try:
        return {
            table: Counter(
                tuple((key, row[key]) for key in row.keys() if key not in (*_MOMENTS, "who"))  # noqa: SIM118  no mapping
                for row in connection.execute(f"SELECT * FROM {table}")
            )
            for table in tables
            if not table.startswith("sqlite_")
        }
    finally:
        connection.close()


@contextmanager
def _connect(_pin: str) -> Iterator[Ports]:
    ports = connect_ports()
    try:
        yield ports
    finally:
        close_ports(ports)
