"""What a value on the wire may be, as types that are checked when an event is decoded: it may come from a stranger.

`Value` is that of a tensor, `Scalar` that of a name, `Data` anything else that is written down as it is: knobs,
options, cells, answers. Type checkers see `Any`: they have no lists of lists of any depth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypedDict

import msgspec

DIMENSIONS = 66
"""How deep the lists of a value go: torch has 64 dimensions, and a complex number is a pair."""
DEPTH = 5
"""How deep other data goes."""
MOST_BYTES = 1 << 16
"""The raw bytes of a value are at most so many: 1,000 elements are."""

MOST_ITEMS = 4096
"""A list in a value has at most so many items: 1,000 numbers are written out."""
MOST_GRADIENTS = 1 << 17
"""So many gradients reach a node at most, or are sent on by it."""

Number = bool | int | float | None
Raw = Annotated[bytes, msgspec.Meta(max_length=MOST_BYTES)]


def _lists(kind: Any, depth: int) -> Any:
    """`kind`, or lists of these up to a depth."""
    nested: Any = kind
    for _ in range(depth):
        nested = kind | Annotated[list[nested], msgspec.Meta(max_length=MOST_ITEMS)]
    return nested


def _data(depth: int) -> Any:
    scalar = Number | str
    nested: Any = scalar
    for _ in range(depth):
        nested = scalar | list[nested] | dict[str | int, nested]
    return nested


class Blob(TypedDict, total=False):
    """The value of a tensor that is no list of numbers; see `events`."""

    shape: list[int]
    code: str
    data: Raw
    dtype: str
    stats: dict[str, Number] | None
    note: str | None
    corners: _lists(Number, 4)  # type: ignore[valid-type]
    heat: list[int | float | Raw | None] | None


if TYPE_CHECKING:
    Value: TypeAlias = Any
    Data: TypeAlias = Any
    Scalar: TypeAlias = Any
else:
    Value = _lists(Number, DIMENSIONS) | Blob
    Data = _data(DEPTH)
    Scalar = Number | str
Gradients = Annotated[list[Value], msgspec.Meta(max_length=MOST_GRADIENTS)]
