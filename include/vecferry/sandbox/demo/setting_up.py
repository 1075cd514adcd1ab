"""Brings everything up: what does not need each other, at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import weaviate
from openai import OpenAI

from vecferry.bootstrap import close_ports, connect_ports
from vecferry.sandbox.airflow_server import AirflowServer
from vecferry.sandbox.demo import dag_files, servers
from vecferry.sandbox.demo.command_line import vecferry
from vecferry.sandbox.demo.demo import Demo
from vecferry.sandbox.demo.documents import Documents, gather
from vecferry.sandbox.demo.fill import COLLECTION, fill
from vecferry.sandbox.demo.folder import DemoFolder, taken
from vecferry.sandbox.demo.migration_run import MIGRATION, WATCH
from vecferry.sandbox.demo.models_file import write_models
from vecferry.sandbox.demo.options import Options
from vecferry.sandbox.demo.screen import Screen
from vecferry.sandbox.demo.watching import Watching
from vecferry.sandbox.models import WORD
from vecferry.sandbox.processes import LOOPBACK
from vecferry.sandbox.traffic.control import Control, Wish
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_binary import find_weaviate_binary
from vecferry.sandbox.weaviate_server import WeaviateServer


@contextmanager
def running(options: Options, screen: Screen) -> Iterator[Demo]:
    """All servers and the application with traffic; everything ends with the block, whatever happens in it."""
    with ExitStack() as stack:
        folder = stack.enter_context(taken(options.folder))
        binary = find_weaviate_binary(say=screen.say)
        documents = gather(folder, options.corpus, options.golden, documents=options.documents, queries=options.queries)
        screen.say(f"{len(documents.rows):,} documents, {len(documents.golden):,} golden queries; logs: {folder.log('*')}")
        yield _brought_up(options, screen, folder, documents, binary, stack)


def _brought_up(
    options: Options, screen: Screen, folder: DemoFolder, documents: Documents, binary: Path, stack: ExitStack
) -> Demo:
    process, provider = servers.provider(folder)
    server = WeaviateServer(folder.weaviate, log=folder.log("weaviate"), binary=binary)
    for child in (process, server.process):
        stack.callback(child.stop)
        child.launch()
    env = servers.settings(folder, provider, server.http_url, server.grpc_address)
    write_models(folder.models, provider)
    os.environ.update(env)  # for what runs in this process: the ports, the providers' SDKs
    airflow = _airflow(folder, env, stack)
    with ThreadPoolExecutor(1) as meanwhile:
        started = meanwhile.submit(airflow.start)
        _fill(screen, documents, server, provider.openai_url, process.wait_ready)
        _pin(screen, folder, documents, env)
        ports = connect_ports()
        stack.callback(close_ports, ports)
        control = _start_application(screen, folder, documents, env, stack)
        started.result()
    login = f"{airflow.url} (user {airflow.user}, password {airflow.password})"
    for dag in (WATCH, MIGRATION):
        airflow.api.wait_for_dag(dag)
    screen.say(f"Airflow: {login}")
    watching = stack.enter_context(Watching(screen, ports, control, login))
    return Demo(options, folder, documents, provider, env, ports, airflow, control, screen, watching)


def _fill(screen: Screen, documents: Documents, server: WeaviateServer, openai_url: str, provider_ready: object) -> None:
    server.process.wait_ready()
    screen.say(f"Weaviate: {server.http_url}")
    assert callable(provider_ready)
    provider_ready()  # up to a minute the first time: the models are fitted
    screen.say(f"provider: {openai_url}")
    with (
        OpenAI(api_key=os.environ["OPENAI_API_KEY"], base_url=openai_url) as openai,
        weaviate.connect_to_local(host=LOOPBACK, port=server.http_port, grpc_port=int(server.grpc_port)) as client,
    ):
        fill(client, openai, documents, lambda done, total: None)
    screen.say(f"{COLLECTION} is filled: {len(documents.rows):,} objects with vectors of {WORD}")


def _pin(screen: Screen, folder: DemoFolder, documents: Documents, env: dict[str, str]) -> None:
    vecferry(env, "pin", COLLECTION, "--collection", COLLECTION, "--model", WORD, "--properties", ",".join(documents.recipe))
    vecferry(env, "golden", "import", str(folder.golden), "--pin", COLLECTION)
    screen.say(f"$ vecferry pin {COLLECTION} …; vecferry golden import {folder.golden.name} --pin {COLLECTION}")


def _start_application(
    screen: Screen, folder: DemoFolder, documents: Documents, env: dict[str, str], stack: ExitStack
) -> Control:
    application = servers.application(folder, documents, env)
    stack.callback(application.stop)
    application.launch()
    control = Control(folder.control)
    control.ask(Wish.RUN)
    wait_until(
        lambda: control.reported().get("writes", 0) > 0 or not application.is_running(),
        awaited="the application's first write",
        deadline_s=60,
        so_far=application.log_tail,
    )
    screen.say("an application searches, puts, updates and deletes")
    return control


def _airflow(folder: DemoFolder, env: dict[str, str], stack: ExitStack) -> AirflowServer:
    dag_files.write_dags(folder.dags)
    plugins = Path("plugins")
    airflow = AirflowServer(folder.airflow, folder.dags, plugins if plugins.is_dir() else None, env=env)
    stack.push(airflow)  # not entered: it starts beside the rest; its exit closes the client's connections too
    return airflow
