"""What the demo opened it closes: a socket left to the interpreter's end is a ResourceWarning under its last line."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vecferry.sandbox.demo.folder import DemoFolder
from vecferry.sandbox.demo.setting_up import _airflow


class ApiServer(ThreadingHTTPServer):
    """Answers as Airflow's api-server does, and counts connections that are open."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.open = 0
        self.changed = threading.Condition()
        super().__init__(("127.0.0.1", port), _Handler)

    def count(self, step: int) -> None:
        with self.changed:
            self.open += step
            self.changed.notify_all()


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer
    protocol_version = "HTTP/1.1"  # or it would close each connection itself

    def setup(self) -> None:
        super().setup()
        self.server.count(+1)

    def finish(self) -> None:
        super().finish()
        self.server.count(-1)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def do_GET(self) -> None:
        content = json.dumps({"access_token": "t"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_the_connections_to_airflow_end_with_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # without plugins of its own
    with ExitStack() as stack:
        folder = DemoFolder(tmp_path / "demo")
        folder.root.mkdir()
        airflow = _airflow(folder, {}, stack)
        with ApiServer(airflow.port) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            airflow.api.health()
            assert server.open == 1
            stack.close()
            with server.changed:
                assert server.changed.wait_for(lambda: server.open == 0, timeout=30), "the connection is still open"
            server.shutdown()
