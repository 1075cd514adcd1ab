"""The real servers of the sandbox: they start, keep what they were given, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import sqlalchemy
import weaviate
from weaviate.classes.config import Configure, DataType, Property

from tests.support.postgres import PostgresServer
from vecferry.errors import BadInput, NeedsPerson, NotFound
from vecferry.sandbox.airflow_server import AirflowServer
from vecferry.sandbox.weaviate_server import WeaviateServer

UUID = "00000000-0000-4000-8000-000000000001"
DAG = """
import logging
from airflow.sdk import Param, dag, task

@dag(dag_id="add", schedule=None, params={"left": Param(1, type="integer"), "address": ""})
def add():
    @task
    def plus(left):
        logging.getLogger("vecferry.test").info("adding one to %s", left)
        return int(left) + 1

    @task
    def live_objects(address):
        # The clients are preloaded in the scheduler: gRPC must work in the task that was forked from it.
        import weaviate
        http, grpc = (part.rpartition(":")[2] for part in address.split())
        with weaviate.connect_to_local(host="127.0.0.1", port=int(http), grpc_port=int(grpc)) as client:
            return [str(found.uuid) for found in client.collections.use("Kept").query.fetch_objects().objects]

    plus("{{ params.left }}") >> live_objects("{{ params.address }}")

add()
"""


def connect(server: WeaviateServer, api_key: str | None = None) -> weaviate.WeaviateClient:
    return weaviate.connect_to_local(
        host="127.0.0.1", port=server.http_port, grpc_port=server.grpc_port, auth_credentials=api_key
    )


def keep_one_object(server: WeaviateServer) -> None:
    with connect(server) as client:
        kept = client.collections.create(
            "Kept",
            properties=[Property(name="title", data_type=DataType.TEXT)],
            vector_config=Configure.Vectors.self_provided(),
        )
        kept.data.insert({"title": "kept"}, uuid=UUID, vector=[1.0, 0.0])


def test_weaviate_keeps_its_data_over_a_kill_and_leaves_no_process(tmp_path: Path) -> None:
    with WeaviateServer(tmp_path / "data") as server:
        keep_one_object(server)
        address = server.http_url, server.grpc_address
        server.kill()
        assert not server.is_ready()
        server.start()
        assert (server.http_url, server.grpc_address) == address
        with connect(server) as client:
            assert client.get_meta()["version"] == "1.39.0"
            (found,) = client.collections.use("Kept").query.near_vector([1.0, 0.0], limit=1).objects
            assert str(found.uuid) == UUID
    assert server.process.members() == []


def test_weaviate_creates_no_class_by_itself(weaviate_server: WeaviateServer) -> None:
    answer = httpx.post(f"{weaviate_server.http_url}/v1/objects", json={"class": "NeverMade", "properties": {"a": "b"}})
    assert answer.status_code == 422
    assert httpx.get(f"{weaviate_server.http_url}/v1/schema/NeverMade").status_code == 404


def test_weaviate_with_an_api_key_refuses_strangers(tmp_path: Path) -> None:
    with WeaviateServer(tmp_path / "data", api_key="open-sesame") as server:
        assert httpx.get(f"{server.http_url}/v1/schema").status_code == 401
        with connect(server, "open-sesame") as client:
            assert client.collections.list_all() == {}


def test_a_frozen_weaviate_answers_again_after_it_resumes(weaviate_server: WeaviateServer) -> None:
    weaviate_server.freeze()
    try:
        assert not weaviate_server.is_ready()
    finally:
        weaviate_server.resume()
    assert weaviate_server.is_ready()


def test_a_server_whose_port_is_taken_does_not_pass_for_the_one_that_has_it(
    weaviate_server: WeaviateServer, tmp_path: Path
) -> None:
    second = WeaviateServer(tmp_path / "data", http_port=weaviate_server.http_port)
    with pytest.raises(NeedsPerson, match=f"port {weaviate_server.http_port} is taken"):
        second.start()


def test_postgres_keeps_its_data_over_a_kill_and_leaves_nothing() -> None:
    with PostgresServer() as server:
        url = server.fresh_database()
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE kept AS SELECT 42 AS number"))
        server.kill()
        server.start()
        with engine.connect() as connection:
            assert connection.scalar(sqlalchemy.text("SELECT number FROM kept")) == 42
    assert server.process.members() == []
    assert not server.folder.exists()


def test_each_fresh_database_is_another(postgres_server: PostgresServer, fresh_postgres_url: str) -> None:
    assert postgres_server.fresh_database() != fresh_postgres_url
    with sqlalchemy.create_engine(fresh_postgres_url, poolclass=sqlalchemy.NullPool).connect() as connection:
        assert sqlalchemy.inspect(connection).get_table_names() == []


@pytest.fixture
def dags_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "add.py").write_text(DAG)
    return folder


def test_airflow_runs_a_dag_restarts_and_leaves_no_process(dags_folder: Path, tmp_path: Path) -> None:
    weaviate_server = WeaviateServer(tmp_path / "weaviate")
    airflow = AirflowServer(tmp_path / "home", dags_folder)
    with weaviate_server, airflow:
        keep_one_object(weaviate_server)
        airflow.api.wait_for_dag("add")
        conf = {"left": 41, "address": f"{weaviate_server.http_url} {weaviate_server.grpc_address}"}
        run = airflow.api.trigger("add", conf, run_id="first")
        assert airflow.api.wait_for_run("add", run, deadline_s=120) == "success"
        assert airflow.api.xcom("add", run, "plus") == 42
        assert airflow.api.xcom("add", run, "live_objects") == [UUID]
        assert "adding one to 41" in airflow.api.log("add", run, "plus")

        assert airflow.api.clear("add", run, ["plus"], include_downstream=False) == ["plus"]
        airflow.api.wait_for_run("add", run, states={"queued", "running"}, deadline_s=30)
        assert airflow.api.wait_for_run("add", run, deadline_s=120) == "success"

        with pytest.raises(BadInput, match="left"):
            airflow.api.trigger("add", {"left": "many"})
        with pytest.raises(NotFound, match="subtract"):
            airflow.api.trigger("subtract")

        airflow.kill()
        assert airflow.members() == []
        airflow.start()
        assert airflow.api.run_state("add", "first") == "success"
    assert airflow.members() == []


def test_a_dags_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NeedsPerson, match="no/dags"):
        AirflowServer(tmp_path / "home", tmp_path / "no" / "dags")
