"""What the old collection says after ``retire``: where its data has moved (retire, step 5)."""

from __future__ import annotations

from vecferry.domain.descriptions import Moved, moved
from vecferry.errors import NotFound
from vecferry.ports import Clock, VectorStore


class Signposts:
    """A collection's note is read again after ``every_s``. For a router past its lease: nobody else can tell it of the flip.

    Without them: cut off from the ledger, it serves a collection that nobody writes any more, for as long as that lasts.
    """

    def __init__(self, store: VectorStore, clock: Clock, *, every_s: float) -> None:
        self._store = store
        self._clock = clock
        self._every_s = every_s
        self._read: dict[str, tuple[float, Moved | None]] = {}

    def moved(self, collection: str) -> Moved | None:
        """Raises as the store does: what cannot be looked at is not known to be where the data is."""
        known = self._read.get(collection)
        if known is not None and self._clock.monotonic() - known[0] < self._every_s:
            return known[1]
        at = self._clock.monotonic()
        try:
            found = moved(self._store.schema(collection))
        except NotFound:  # the search itself will say so
            found = None
        self._read[collection] = (at, found)
        return found
