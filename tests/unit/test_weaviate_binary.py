"""Where the Weaviate program comes from: four sources in a fixed order, and an error that says why none had it."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import platform
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vecferry.errors import BadInput, Retryable
from vecferry.sandbox.weaviate_binary import VERSION, Say, answers_help, cache_path, find_weaviate_binary
from vecferry.sandbox.weaviate_build import build_with_go
from vecferry.sandbox.weaviate_download import asset_name, download_release


class Source:
    """A source that delivers ``content``, or fails with ``error``; counts how often it was asked."""

    def __init__(self, content: str = "program", error: Exception | None = None) -> None:
        self.content = content
        self.error = error
        self.asked = 0

    def __call__(self, version: str, folder: Path, say: Say) -> None:
        assert version == VERSION
        self.asked += 1
        if self.error:
            raise self.error
        (folder / "weaviate-server").write_text(self.content)


def quiet(line: str) -> None:
    pass


def find(environ: dict[str, str], download: Source, build: Source, runs: Callable[[Path], None] = lambda _: None) -> Path:
    sources = {"official release": download, "go install": build}
    return find_weaviate_binary(environ=environ, sources=sources, runs=runs, say=quiet)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_the_environment_comes_first(environ: dict[str, str], tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.touch(mode=0o755)
    download = Source()
    assert find(environ | {"WEAVIATE_BINARY": str(mine)}, download, Source()) == mine
    assert download.asked == 0


@pytest.mark.parametrize("exists", [True, False])
def test_a_named_file_that_cannot_be_executed_is_an_error_not_a_download(
    environ: dict[str, str], tmp_path: Path, exists: bool
) -> None:
    mine = tmp_path / "mine"
    if exists:
        mine.touch(mode=0o644)
    download = Source()
    with pytest.raises(BadInput, match="WEAVIATE_BINARY"):
        find(environ | {"WEAVIATE_BINARY": str(mine)}, download, Source())
    assert download.asked == 0


def test_the_release_comes_before_the_build_and_fills_the_cache(environ: dict[str, str]) -> None:
    download, build = Source("released"), Source("built")
    found = find(environ, download, build)
    assert found == cache_path(environ)
    assert found.read_text() == "released"
    assert os.access(found, os.X_OK)
    assert find(environ, download, build) == found
    assert (download.asked, build.asked) == (1, 0)
    assert sorted(path.name for path in found.parent.iterdir()) == [found.name, f"{found.name}.lock"]


def test_the_build_is_tried_when_the_release_cannot_be_reached(environ: dict[str, str]) -> None:
    found = find(environ, Source(error=Retryable("no route")), Source("built"))
    assert found.read_text() == "built"


def test_a_release_that_does_not_run_here_is_not_cached(environ: dict[str, str]) -> None:
    def runs(path: Path) -> None:
        if path.read_text() == "for another processor":
            raise BadInput("exec format error")

    assert find(environ, Source("for another processor"), Source("built"), runs).read_text() == "built"


def test_the_error_lists_all_four_sources_and_why_each_failed(environ: dict[str, str]) -> None:
    with pytest.raises(BadInput) as error:
        find(environ, Source(error=Retryable("connection refused")), Source(error=BadInput("no 'go' command")))
    for part in (
        "WEAVIATE_BINARY: not set",
        f"cache: no {cache_path(environ)}",
        "official release: connection refused",
        "go install: no 'go' command",
        "Set WEAVIATE_BINARY",
    ):
        assert part in str(error.value)
    assert not cache_path(environ).exists()


def test_two_runs_at_once_fetch_it_once(environ: dict[str, str]) -> None:
    class Slow(Source):
        def __call__(self, version: str, folder: Path, say: Say) -> None:
            both_ask.wait(20)
            super().__call__(version, folder, say)

    both_ask = threading.Event()
    download = Slow()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "another run" in line:
            both_ask.set()

    def run() -> None:
        find_weaviate_binary(environ=environ, sources={"release": download}, runs=lambda _: None, say=say)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert download.asked == 1
    assert any("another run is getting it" in line for line in said)


def test_what_is_no_weaviate_does_not_pass(tmp_path: Path) -> None:
    impostor = tmp_path / "impostor"
    impostor.write_text("#!/bin/sh\necho hello\n")
    impostor.chmod(0o755)
    with pytest.raises(BadInput, match="not a Weaviate server"):
        answers_help(impostor)


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("Linux", "x86_64", "weaviate-v1.39.0-linux-amd64.tar.gz"),
        ("Linux", "aarch64", "weaviate-v1.39.0-linux-arm64.tar.gz"),
        ("Darwin", "arm64", "weaviate-v1.39.0-darwin-all.zip"),
    ],
)
def test_asset_names(system: str, machine: str, name: str) -> None:
    assert asset_name("1.39.0", system, machine) == name


@pytest.mark.parametrize(("system", "machine"), [("Windows", "AMD64"), ("Linux", "riscv64")])
def test_machines_without_a_release_are_told_so(system: str, machine: str) -> None:
    with pytest.raises(BadInput, match="no release for"):
        asset_name("1.39.0", system, machine)


@pytest.fixture
def release(tmp_path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """A release page on loopback: its URL, and the files that it serves by name."""
    files: dict[str, bytes] = {}

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path.rpartition("/")[2])
            self.send_response(404 if content is None else 200)
            self.send_header("content-length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", files
        server.shutdown()


def archive(name: str, member: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(packed, "w") as zipped:
            zipped.writestr(member, content)
        return packed.getvalue()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def this_machines_asset() -> str:
    return asset_name(VERSION, platform.system(), platform.machine())


@pytest.mark.parametrize("published", [True, False])
def test_a_release_is_unpacked(release: tuple[str, dict[str, bytes]], tmp_path: Path, published: bool) -> None:
    url, files = release
    name = this_machines_asset()
    files[name] = archive(name, "weaviate", b"the program")
    if published:
        files[name + ".sha256"] = hashlib.sha256(files[name]).hexdigest().encode()
    download_release(VERSION, tmp_path, quiet, releases=url)
    assert (tmp_path / "weaviate-server").read_bytes() == b"the program"


def test_a_release_with_another_checksum_is_refused(release: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    url, files = release
    name = this_machines_asset()
    files[name] = archive(name, "weaviate", b"the program")
    files[name + ".sha256"] = b"0" * 64
    with pytest.raises(BadInput, match="SHA-256"):
        download_release(VERSION, tmp_path, quiet, releases=url)
    assert not (tmp_path / "weaviate-server").exists()


@pytest.mark.parametrize("content", [b"<html>log in</html>", None])
def test_what_is_no_archive_of_the_program_is_refused(
    release: tuple[str, dict[str, bytes]], tmp_path: Path, content: bytes | None
) -> None:
    url, files = release
    name = this_machines_asset()
    files[name] = content if content is not None else archive(name, "README.md", b"read me")
    with pytest.raises(BadInput, match="no program 'weaviate' inside"):
        download_release(VERSION, tmp_path, quiet, releases=url)


def test_a_missing_release_says_404(release: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="404"):
        download_release(VERSION, tmp_path, quiet, releases=release[0])


def test_an_unreachable_release_says_where(tmp_path: Path) -> None:
    with pytest.raises(Retryable, match=r"http://127\.0\.0\.1:9/"):
        download_release(VERSION, tmp_path, quiet, releases="http://127.0.0.1:9")


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a ``go`` command on the PATH whose body is the given shell script."""

    def install(body: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "go").write_text(f"#!/bin/sh\n{body}\n")
        (folder / "go").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return install


def test_go_builds_the_pinned_version_into_the_folder(fake_go: Callable[[str], None], tmp_path: Path) -> None:
    fake_go('echo "$@" > "$GOBIN/weaviate-server"')
    said: list[str] = []
    build_with_go(VERSION, tmp_path, said.append)
    assert f"weaviate/cmd/weaviate-server@v{VERSION}" in (tmp_path / "weaviate-server").read_text()
    assert "this happens once, ~6 minutes" in said[0]


def test_a_failed_build_shows_the_compilers_last_words(fake_go: Callable[[str], None], tmp_path: Path) -> None:
    fake_go("echo no space left on device >&2; exit 1")
    with pytest.raises(Exception, match=r"exit code 1(.|\n)*no space left on device"):
        build_with_go(VERSION, tmp_path, quiet)


def test_a_machine_without_go_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="no 'go' command"):
        build_with_go(VERSION, tmp_path, quiet)
