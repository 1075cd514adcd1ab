"""Download the official Weaviate release for this machine, and check that it is what the release says."""

from __future__ import annotations

import hashlib
import platform
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx

from vecferry.errors import BadInput, Retryable

RELEASES = "https://github.com/weaviate/weaviate/releases/download"
MEMBER = "weaviate"
# Connecting is quick or hopeless (no network: the next source is tried); a read may stall for a while.
TIMEOUT = httpx.Timeout(30, connect=5)


def download_release(version: str, folder: Path, say: Callable[[str], None], *, releases: str = RELEASES) -> None:
    """Leave the release's program in ``folder / "weaviate-server"``. Raises ``BadInput`` or ``Retryable``."""
    name = asset_name(version, platform.system(), platform.machine())
    url = f"{releases}/v{version}/{name}"
    archive = folder / name
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as http:
            found = _stream(http, url, archive, say)
            _check(found, _published_sha256(http, url), url, say)
    except httpx.HTTPError as error:
        raise Retryable(f"{error or type(error).__name__}", where=url) from error
    _extract(archive, folder / "weaviate-server")


def asset_name(version: str, system: str, machine: str) -> str:
    """The names that the release workflow gives: one file per Linux architecture, one for all Macs."""
    if system == "Darwin":
        return f"weaviate-v{version}-darwin-all.zip"
    architecture = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(machine.lower())
    if system != "Linux" or architecture is None:
        raise BadInput(f"there is no release for {system} on {machine}", where=f"weaviate {version}")
    return f"weaviate-v{version}-linux-{architecture}.tar.gz"


def _stream(http: httpx.Client, url: str, target: Path, say: Callable[[str], None]) -> str:
    """Write the answer to ``target``; returns its SHA-256 in hexadecimal."""
    digest, received, told_at = hashlib.sha256(), 0, time.monotonic()
    with http.stream("GET", url) as answer, target.open("wb") as file:
        if answer.status_code != httpx.codes.OK:
            raise BadInput(f"answered {answer.status_code}", where=url)
        total = int(answer.headers.get("content-length", 0))
        for block in answer.iter_bytes(1 << 20):
            file.write(block)
            digest.update(block)
            received += len(block)
            if time.monotonic() - told_at > 5:
                told_at = time.monotonic()
                say(f"downloading {url}: {received / 1e6:.0f} of {total / 1e6:.0f} MB")
    return digest.hexdigest()


def _published_sha256(http: httpx.Client, url: str) -> str | None:
    answer = http.get(url + ".sha256")
    words = answer.text.split() if answer.status_code == httpx.codes.OK else []
    return words[0].lower() if words else None


def _check(found: str, published: str | None, url: str, say: Callable[[str], None]) -> None:
    if published is None:
        say(f"{url}: the release publishes no .sha256; got {found}")
    elif found != published:
        raise BadInput(f"SHA-256 is {found}, the release says {published}", where=url)


def _extract(archive: Path, target: Path) -> None:
    """Copy the one file that is wanted; nothing in the archive decides where anything is written."""
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as zipped, zipped.open(MEMBER) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
            return
        with tarfile.open(archive) as tar, target.open("wb") as file:
            member = tar.extractfile(MEMBER)
            if member is None:
                raise KeyError(MEMBER)
            shutil.copyfileobj(member, file)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise BadInput(f"no program {MEMBER!r} inside: {error}", where=archive.name) from error
