import base64
import hashlib
import socket

import pytest

from vecferry.adapters.embedders import tokens

SMALL = "text-embedding-3-small"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and no network."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("somebody went to the network"))
    return tmp_path


def encoding_file(folder):
    """All single bytes, and two merges."""
    words = [bytes([i]) for i in range(256)] + [b"he", b"hello"[:3]]
    content = b"\n".join(base64.b64encode(word) + b" " + str(rank).encode() for rank, word in enumerate(words))
    name = hashlib.sha1(tokens.CL100K_URL.encode()).hexdigest()
    (folder / name).write_bytes(content)
    return str(folder / name), hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(("text", "count"), [("", 1), ("abcd", 1), ("abcde", 2), ("東京", 2), ("a" * 400, 100)])
def test_without_an_encoding_four_characters_are_a_token(cache, text, count):
    assert tokens.count(text, SMALL) == (count, "characters/4")


def test_a_damaged_encoding_file_is_not_used_and_not_downloaded(cache):
    encoding_file(cache)
    assert tokens.count("hello", SMALL).method == "characters/4"


def test_an_encoding_on_disk_counts_exactly(cache, monkeypatch):
    path, sha256 = encoding_file(cache)
    encoding = tokens._load(path, sha256)
    monkeypatch.setattr(tokens, "_load", lambda *_: encoding)
    assert tokens.count("hello", SMALL) == (3, "tiktoken")
    assert tokens.count("hello", "another-model").method == "characters/4"
    assert tokens.truncate("hello you", 3, SMALL) == "hello"
    assert tokens.truncate("héhé", 2, SMALL) == "h"


@pytest.mark.parametrize("text", ["short", "word " * 100, "東京" * 50, "mixed 東京 " * 20])
@pytest.mark.parametrize("limit", [1, 3, 40])
def test_a_cut_text_is_its_longest_beginning_that_fits(cache, text, limit):
    cut = tokens.truncate(text, limit, SMALL)
    assert text.startswith(cut)
    assert tokens.estimate(cut) <= limit
    assert cut == text or tokens.estimate(text[: len(cut) + 1]) > limit
