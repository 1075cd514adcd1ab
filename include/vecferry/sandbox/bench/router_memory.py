"""What a Router adds to the libraries that any application with a vector store and a provider has loaded anyway."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.weaviate_server import WeaviateServer

_RSS = """
def rss_mb():
    with open("/proc/self/status") as status:
        (line,) = (line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
"""
# The libraries are used once, as an application has: what they load on first use is theirs.
_PROGRAM = f"""{_RSS}
import os, sys
import alembic.command, cohere, dotenv, numpy, openai, pydantic_settings, sqlalchemy, tenacity, weaviate
host, grpc = os.environ["VECFERRY_WEAVIATE_URL"], os.environ["VECFERRY_WEAVIATE_GRPC"]
client = weaviate.connect_to_local(
    host="127.0.0.1", port=int(host.rpartition(":")[2]), grpc_port=int(grpc.rpartition(":")[2])
)
client.collections.use("Docs").query.fetch_objects(limit=1)
openai.OpenAI(api_key="k").embeddings, cohere.ClientV2(api_key="k").v2
sqlalchemy.create_engine("sqlite://").connect().execute(sqlalchemy.text("select 1"))
before = rss_mb()
import vecferry
router = vecferry.Router.connect("Docs")
for number in range(1000):
    router.route(f"user-{{number}}")
print(before, rss_mb())
router.close()
client.close()
"""
_PREPARE = """
import weaviate
from vecferry.bootstrap import close_ports, connect_ports
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
ports = connect_ports()
ports.store.create({"class": "Docs", "vectorizer": "none", "properties": [{"name": "body", "dataType": ["text"]}]})
space = ports.catalogue.card("text-embedding-3-small").space
ports.ledger.save_pin(Pin("Docs", "Docs", space, TextRecipe(("body",))), who="bench", why="bench")
close_ports(ports)
"""


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, WeaviateServer(Path(folder) / "weaviate") as server:
        env = os.environ | {
            "VECFERRY_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
            "VECFERRY_WEAVIATE_URL": server.http_url,
            "VECFERRY_WEAVIATE_GRPC": server.grpc_address,
            "OPENAI_API_KEY": "k",
        }
        _run(_PREPARE, env)
        libraries, whole = (float(part) for part in _run(_PROGRAM, env).split()[-2:])
    yield Figure("memory of a Router beyond its libraries", whole - libraries, 40, "MB", f"{libraries:.0f} MB of libraries")


def _run(program: str, env: dict[str, str]) -> str:
    return subprocess.run([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
