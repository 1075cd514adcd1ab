"""The provider as a process: it starts, says where it is, and stops."""

import contextlib
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from vecferry.sandbox.models import WORD
from vecferry.sandbox.provider import ProviderState, running


def test_the_provider_stops_with_a_request_hanging(models):
    with running(ProviderState(models)) as address:
        httpx.post(f"{address.url}/_faults", json={"kind": "hang", "seconds": 60}).raise_for_status()

        def hang():
            with contextlib.suppress(httpx.HTTPError):
                httpx.post(f"{address.url}/v1/embeddings", json={"model": WORD, "input": "x"}, timeout=30)

        asking = threading.Thread(target=hang)
        asking.start()
        end_s = time.monotonic() + 5
        while not httpx.get(f"{address.url}/_faults").json()[0]["struck"] and time.monotonic() < end_s:
            time.sleep(0.02)
        began_s = time.monotonic()
    asking.join(10)
    assert not asking.is_alive()
    assert time.monotonic() - began_s < 10
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address.url}/_health")


def test_the_command_serves_on_a_free_port_and_says_where(tmp_path):
    corpus = tmp_path / "docs.jsonl"
    corpus.write_text(
        "".join(
            f'{{"uuid": "00000000-0000-0000-0000-{n:012d}", "properties": {{"body": "text number {n} of some"}}}}\n'
            for n in range(5)
        )
    )
    command = [sys.executable, "-m", "vecferry.sandbox", "provider", "--corpus", corpus, "--cache", tmp_path / "cache"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            settings = dict(process.stdout.readline().strip().split("=", 1) for _ in range(3))
            answer = httpx.post(f"{settings['OPENAI_BASE_URL']}/embeddings", json={"model": WORD, "input": "text"})
            assert len(answer.json()["data"][0]["embedding"]) == 384
            assert settings["CO_API_URL"].endswith("/cohere")
            assert httpx.get(settings["VECFERRY_NOTICES"]).json() == []
        finally:
            process.terminate()
            process.wait(20)


def test_a_taken_port_and_a_bad_corpus_end_the_command_with_what_to_do(tmp_path):
    corpus = tmp_path / "docs.jsonl"
    corpus.write_text('{"uuid": "x"}\n')
    command = [sys.executable, "-m", "vecferry.sandbox", "provider", "--corpus", corpus, "--cache", tmp_path]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=140)
    assert ended.returncode == 2
    assert f"{corpus}:1" in ended.stderr
    corpus.write_text('{"uuid": "00000000-0000-0000-0000-000000000001", "properties": {"body": "some text"}}\n')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run([*command, "--port", port], capture_output=True, text=True, timeout=140)
    assert ended.returncode == 2
    assert "Use --port 0" in ended.stderr
