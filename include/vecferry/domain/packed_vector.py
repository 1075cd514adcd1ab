"""A vector as the store sends it: the bytes of its float32 numbers, taken apart only where somebody looks at them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:  # slow to import, and most commands never look at a vector
    import numpy as np


class PackedVector(Sequence[float]):
    """Equal to any sequence of the same numbers. ``content``: little-endian float32.

    Most vectors that are read are counted or copied and never computed with; as a tuple of floats each of their numbers would
    be an object of its own, at eight times the memory.
    """

    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        self.content = content

    @classmethod
    def of(cls, stored: np.ndarray[Any, np.dtype[np.float32]]) -> PackedVector:
        """Of one dimension."""
        return cls(stored.astype("<f4", copy=False).tobytes())

    def __len__(self) -> int:
        return len(self.content) // 4

    @overload
    def __getitem__(self, place: int) -> float: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[float, ...]: ...
    def __getitem__(self, place: int | slice) -> float | tuple[float, ...]:
        if isinstance(place, slice):
            return self._numbers()[place]
        number: float = struct.unpack_from("<f", self.content, 4 * range(len(self))[place])[0]
        return number

    def __iter__(self) -> Iterator[float]:
        return iter(self._numbers())

    def __eq__(self, other: object) -> bool:
        return self._numbers() == tuple(other) if isinstance(other, PackedVector | tuple | list) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._numbers())

    def __repr__(self) -> str:
        return repr(self._numbers())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """Read-only, unless it is made of another type."""
        import numpy as np

        stored = np.frombuffer(self.content, dtype="<f4")
        return stored if dtype is None else stored.astype(dtype, copy=bool(copy))

    def _numbers(self) -> tuple[float, ...]:
        return struct.unpack(f"<{len(self)}f", self.content)
