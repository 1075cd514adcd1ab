"""The vectors of a chunk's latest distinct texts: what many objects share is embedded, and paid for, once."""

from __future__ import annotations

import hashlib
import struct
from collections import OrderedDict
from threading import Lock

from vecferry.domain.packed_vector import PackedVector

MOST_BYTES = 32 * 2**20
"""5,000 vectors of 1,536 dimensions. What a text is repeated with is mostly near, or it is repeated often."""


class RememberedVectors:
    """By the exact text, as they are stored (float32); the longest unused ones make room. Threads share it."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._vectors: OrderedDict[bytes, PackedVector] = OrderedDict()
        self._lock = Lock()

    def get(self, text: str) -> tuple[float, ...] | None:
        with self._lock:
            name = _name(text)
            found = self._vectors.get(name)
            if found is None:
                return None
            self._vectors.move_to_end(name)
        return tuple(found)

    def put(self, text: str, vector: tuple[float, ...]) -> None:
        packed, name = PackedVector(struct.pack(f"<{len(vector)}f", *vector)), _name(text)
        with self._lock:
            if name in self._vectors:
                return
            self._vectors[name] = packed
            self._bytes += len(packed.content)
            while self._bytes > self._most_bytes:
                _, oldest = self._vectors.popitem(last=False)
                self._bytes -= len(oldest.content)


def _name(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
