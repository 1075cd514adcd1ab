"""Which text of an object is embedded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vecferry.domain.server_text import ServerText


@dataclass(frozen=True)
class TextRecipe:
    """The properties, in order, whose texts are joined by ``separator``; missing and empty ones are left out.

    With ``server`` the text is what the server's own vectorizer makes of these properties, to the last space.
    """

    properties: tuple[str, ...]
    separator: str = "\n"
    server: ServerText | None = None

    def text_of(self, properties: Mapping[str, Any]) -> str | None:
        """The text to embed, or ``None`` if the object has none."""
        if self.server is not None:
            whole = self.server.text_of(self.properties, properties)
            return whole if whole.strip() else None
        parts = [text for name in self.properties for text in _texts(properties.get(name))]
        joined = self.separator.join(parts).strip()
        return joined or None

    def not_text(self, properties: Mapping[str, Any]) -> tuple[str, ...]:
        """Those of the recipe's properties whose value is neither text, nor a list of texts, nor null: they are left out."""
        return tuple(name for name in self.properties if not _is_text(properties.get(name)))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, list | tuple):
        return [item for item in value if isinstance(item, str) and item.strip()]
    return []


def _is_text(value: Any) -> bool:
    items = value if isinstance(value, list | tuple) else [value]
    return all(item is None or isinstance(item, str) for item in items)


def text_hash(text: str | None) -> str:
    """Of the embedded text; equal hashes allow to keep the vector (32 hex digits)."""
    return hashlib.blake2b((text or "").encode(), digest_size=16).hexdigest()
