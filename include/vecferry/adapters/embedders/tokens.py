"""How many tokens a text has: exact where the model's encoding is on disk, else estimated. Never a download."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

CL100K_URL = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
"""Only hashed: tiktoken names its cache files by the SHA-1 of their address."""

CL100K_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
CL100K_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
CL100K_MODELS = frozenset({"text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"})

ESTIMATE = "characters/4"
EXACT = "tiktoken"
CHARACTERS_PER_TOKEN = 4


class TokenCount(NamedTuple):
    tokens: int
    method: str


def count(text: str, model: str = "") -> TokenCount:
    """``method`` says whether the count is exact (``tiktoken``) or an estimate (``characters/4``)."""
    encoding = _encoding_of(model)
    if encoding is None:
        return TokenCount(estimate(text), ESTIMATE)
    return TokenCount(len(encoding.encode_ordinary(text)), EXACT)


def estimate(text: str) -> int:
    """Four ASCII characters a token, and one token for any other character: Chinese at ÷ 4 would be far too low."""
    others = sum(1 for character in text if character > "\x7f")
    return max(1, -(-(len(text) - others) // CHARACTERS_PER_TOKEN) + others)


def truncate(text: str, max_tokens: int, model: str = "") -> str:
    """The longest beginning of at most ``max_tokens`` tokens; the text itself if it fits."""
    encoding = _encoding_of(model)
    if encoding is None:
        return _truncate_estimated(text, max_tokens)
    ids = encoding.encode_ordinary(text)
    if len(ids) <= max_tokens:
        return text
    # A cut inside a character leaves a replacement sign at the end.
    return str(encoding.decode(ids[:max_tokens])).rstrip("�")


def _truncate_estimated(text: str, max_tokens: int) -> str:
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if estimate(text[:middle]) <= max_tokens else (low, middle - 1)
    return text[:low]


def _encoding_of(model: str) -> Any:
    return _load(str(_cached_file())) if model in CL100K_MODELS else None


def _cached_file() -> Path:
    """Where tiktoken itself would look."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    name = hashlib.sha1(CL100K_URL.encode(), usedforsecurity=False).hexdigest()
    return Path(folder or Path(tempfile.gettempdir()) / "data-gym-cache") / name


@lru_cache(maxsize=4)
def _load(path: str, sha256: str = CL100K_SHA256) -> Any:
    """Built from the file directly: tiktoken's own loader goes to the network when the file is missing or damaged."""
    try:
        import tiktoken

        content = Path(path).read_bytes()
    except (ImportError, OSError):
        return None
    if hashlib.sha256(content).hexdigest() != sha256:
        return None
    return tiktoken.Encoding("cl100k_base", pat_str=CL100K_PATTERN, mergeable_ranks=_ranks(content), special_tokens={})


def _ranks(content: bytes) -> dict[bytes, int]:
    try:
        pairs = (line.split() for line in content.splitlines() if line)
        return {base64.b64decode(token): int(rank) for token, rank in pairs}
    except (ValueError, binascii.Error) as error:
        raise ValueError("not a tiktoken encoding file") from error
