"""Types of the values on the wire, with limits that are checked when an event is decoded: recordings are not trusted.

`Value` is the value of a tensor, `Scalar` of a name, `Data` anything else that is stored as it is: knobs, options,
cells, answers. Type checkers see `Any`: they have no lists of any depth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypedDict

import msgspec

DIMENSIONS = 66
"""Maximum depth of the lists of a value: torch has 64 dimensions, and a complex number is a pair."""
DEPTH = 5
"""Maximum depth of other data."""
MOST_BYTES = 1 << 16
"""Maximum length of the raw bytes of a value; there are up to 1,000 elements."""

MOST_ITEMS = 4096
"""Maximum number of items of a list in a value; there are up to 1,000 numbers."""
MOST_GRADIENTS = 1 << 17
"""Maximum number of gradients that reach a node or are sent on by it."""

Number = bool | int | float | None
Raw = Annotated[bytes, msgspec.Meta(max_length=MOST_BYTES)]
Places = Raw
"""Up to 1,000 flat indices: little-endian u16; see `values.places`."""


def _lists(kind: Any, depth: int) -> Any:
    """Return the type of `kind` or nested lists of it, up to a depth."""
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
    """A tensor's value that is not a list of numbers; see `events`."""

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
