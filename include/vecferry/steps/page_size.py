"""How many objects a page has: as many as were agreed, fewer where they are large."""

from __future__ import annotations

from collections.abc import Collection

from vecferry.domain.objects import StoredObject, size_bytes

PAGE_BYTES = 16 * 2**20
"""Of one side. Some pages are held at once, of both sides, whatever there is to copy."""
_WEIGHED = 64
"""Objects of a page that are weighed for all of it."""
_FIRST = 64
"""Of a collection of which nothing is known yet."""


class PageSize:
    """``most`` is the upper limit. Each page tells how large the next one's objects may be: neighbours are alike, and where
    they are not, the store's adapter asks in parts for what is too large for an answer. Not thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.keys = min(most, _FIRST)

    def seen(self, objects: Collection[StoredObject]) -> None:
        if not objects:
            return
        some = list(objects)[:: max(1, len(objects) // _WEIGHED)]
        mean = sum(map(size_bytes, some)) / len(some)
        self.keys = max(1, min(self._most, int(PAGE_BYTES / max(mean, 1.0))))
