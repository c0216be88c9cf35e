"""How many bytes tensors take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from math import prod

_BITS = re.compile(r"\d+")


@lru_cache(maxsize=256)
def itemsize(dtype: str) -> int:
    """The bytes of one element: `float32` has 4, `bool` 1, `complex64` 8. Of a packed dtype, those of a pack."""
    bits = _BITS.search(dtype)
    return 1 if bits is None else max(int(bits[0]) // 8, 1)


def size_of(shape: Sequence[int], dtype: str) -> int:
    """The bytes of all elements."""
    return prod(shape) * itemsize(dtype)
