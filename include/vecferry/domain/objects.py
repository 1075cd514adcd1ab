"""Objects as the store holds them, and the hash that decides whether two of them are the same."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vecferry.domain.packed_vector import PackedVector

UNNAMED = ""
"""The key of a collection's single unnamed (legacy) vector in ``StoredObject.vectors``."""

STAMP_MODEL = "embedding_model"
STAMP_VERSION = "embedding_version"
STAMP_AT = "embedded_at"
STAMP_TEXT_HASH = "embedding_text_hash"
STAMP_CONTENT_HASH = "embedding_content_hash"
STAMP_SKIPPED = "embedding_skipped"
STAMPS = (STAMP_MODEL, STAMP_VERSION, STAMP_AT, STAMP_TEXT_HASH, STAMP_CONTENT_HASH, STAMP_SKIPPED)
"""Properties that vecferry writes on every shadow object; the application may not use their names."""

_STAMPS = frozenset(STAMPS)

HASH_VERSION = 1
"""Fixed by a migration at its start (protocol rule 18)."""
SERVER_TEXT_HASH_VERSION = 2
"""The same hashes over texts by the server's own rules: a release that does not know these must not take part."""

SOME_TENANTS_HASH_VERSION = 3
"""Either of these, of some tenants alone: a release that would copy the others too must not take part."""

Vector = Sequence[float]


@dataclass(frozen=True)
class StoredObject:
    """One object: ``properties`` as the server's JSON has them, ``vectors`` by name (``UNNAMED`` for the legacy one).

    A value: nobody changes what is in it. So its content hash is found out once.
    """

    uuid: str
    properties: Mapping[str, Any]
    vectors: Mapping[str, Vector] = field(default_factory=dict)
    tenant: str | None = None
    _hashes: dict[tuple[str, ...], str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def stamp(self, name: str) -> str | None:
        value = self.properties.get(name)
        return None if value is None else str(value)


def size_bytes(obj: StoredObject) -> int:
    """About what it is in a message: four bytes a dimension, texts and blobs by their characters."""
    return sum(4 * len(vector) for vector in obj.vectors.values()) + _size_of(obj.properties)


def _size_of(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(name) + _size_of(part) for name, part in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_size_of, value))
    return 8


def content_hash(obj: StoredObject, carried_vectors: Sequence[str] = ()) -> str:
    """Over every property but the stamps, and over the carried vectors (protocol rule 3); 64 hex digits.

    Not over the migrated vector, which differs by intent, and never over times: identical puts change those.
    A property that is null and one that is absent are the same to the server, and so here.
    """
    carried = tuple(sorted(carried_vectors))
    if carried not in obj._hashes:
        obj._hashes[carried] = _content_hash(obj, carried)
    return obj._hashes[carried]


def _content_hash(obj: StoredObject, carried: tuple[str, ...]) -> str:
    digest = hashlib.blake2b(digest_size=32)
    digest.update(hashed_text(obj.properties).encode())
    for name in carried:
        vector = obj.vectors.get(name)
        if vector is not None:
            digest.update(name.encode() + b"\x00" + _float32_bytes(vector))
    return digest.hexdigest()


def hashed_text(properties: Mapping[str, Any]) -> str:
    """The canonical JSON of all but the stamps. That of texts, integers and booleans alone is made at a third of the encoder's
    price, to the letter the same."""
    content = {k: v for k, v in properties.items() if k not in _STAMPS}
    return _flat(content) or canonical_json(content)


def canonical_json(value: Any) -> str:
    """One text for one content: sorted keys, no nulls, integral floats as integers (as the server prints them)."""
    return _ENCODER.encode(_canonical(value))


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_text: Callable[[str], str] = json.encoder.encode_basestring
_BOOL = {True: "true", False: "false"}


def _flat(properties: Mapping[str, Any]) -> str | None:
    """``None`` where something else is in it."""
    parts = []
    for name in sorted(properties):
        part = properties[name]
        kind = type(part)
        if kind is str:
            parts.append(f"{_text(name)}:{_text(part)}")
        elif kind is int:
            parts.append(f"{_text(name)}:{part}")
        elif kind is bool:
            parts.append(f"{_text(name)}:{_BOOL[part]}")
        elif part is not None:
            return None
    return "{" + ",".join(parts) + "}"


_AS_THEY_ARE = frozenset({str, int, bool, type(None)})


def _canonical(value: Any) -> Any:
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, Mapping):
        return {str(k): _canonical(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _float32_bytes(vector: Vector) -> bytes:
    return vector.content if isinstance(vector, PackedVector) else struct.pack(f"<{len(vector)}f", *vector)
