"""Which element of a matrix is chosen, to be worked out: by moving over its rows and columns, or by a typed index."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tutor.explain.elements import Matrix
from tutor.explain.rules.arrays import unravel_index

_LONGEST = 24
"""Most characters of a typed index."""


class ElementChoice:
    """The chosen element of each tensor. It is kept while one walks, and holds for the tensor's gradient too."""

    def __init__(self) -> None:
        self._indices: dict[str, tuple[int, ...]] = {}
        """By the key of a matrix."""
        self._last = ""
        """The key of the matrix in which an element was chosen last."""
        self.typed = ""
        """The part of an index typed so far."""
        self.revision = 0
        """Grows with each change."""

    def matrix(self, matrices: Sequence[Matrix]) -> Matrix | None:
        """Return the matrix in which elements are chosen: of several, the one in which one was chosen last, else the
        first."""
        return next((matrix for matrix in matrices if matrix.key == self._last), matrices[0] if matrices else None)

    def index(self, matrix: Matrix) -> tuple[int, ...] | None:
        """Return the index of the chosen element, within the shape of the matrix; None where none is chosen."""
        chosen, shape = self._indices.get(matrix.key), matrix.shape
        if chosen is None or not matrix.count:
            return None
        missing = len(shape) - len(chosen)
        aligned = (0,) * missing + chosen if missing > 0 else chosen[-len(shape) :] if shape else ()
        return tuple(min(position, size - 1) for position, size in zip(aligned, shape, strict=True))

    def element(self, matrix: Matrix) -> int | None:
        """Return the flat index of the chosen element; None where none is chosen."""
        index = self.index(matrix)
        return None if index is None else _flat(index, matrix.shape)

    def move(self, matrix: Matrix, rows: int, columns: int) -> None:
        """Choose another element; the first where none is chosen.

        Args:
            matrix: Where to choose it.
            rows: By how many rows to move; from the last row of a matrix on to the next one of a batch.
            columns: By how many columns to move, within the row.
        """
        index, shape = self.index(matrix), matrix.shape
        self.revision += 1
        self.typed, self._last = "", matrix.key
        if index is None or not shape:
            self._indices[matrix.key] = (0,) * len(shape)
            return
        *leading, width = shape
        count = prod(leading)
        row = max(0, min(_flat(index[:-1], leading) + rows, count - 1))
        column = max(0, min(index[-1] + columns, width - 1))
        self._indices[matrix.key] = (*unravel_index(row, tuple(leading)), column)

    def type(self, matrix: Matrix, character: str) -> None:
        """Add a digit or a comma to the typed index; a complete index chooses its element at once. What cannot
        be an index begins another one."""
        self.revision += 1
        typed = self.typed + character
        parts = typed.split(",")
        is_index = all(part.isdecimal() or (not part and place == len(parts) - 1) for place, part in enumerate(parts))
        if not is_index or len(parts) > len(matrix.shape):
            typed, parts = (character, [character]) if character.isdecimal() else ("", [])
        if len(typed) > _LONGEST:
            return
        self.typed, self._last = typed, matrix.key
        index = [int(part) for part in parts if part]
        if len(index) == len(matrix.shape) and all(
            position < size for position, size in zip(index, matrix.shape, strict=True)
        ):
            self._indices[matrix.key] = tuple(index)

    def erase(self, matrix: Matrix) -> None:
        """Remove the last typed character; with nothing typed, choose no element."""
        self.revision += 1
        if self.typed:
            self.typed = self.typed[:-1]
        else:
            self._indices.pop(matrix.key, None)


def _flat(index: Sequence[int], shape: Sequence[int]) -> int:
    """Return the flat index of an index, in row-major order."""
    place = 0
    for position, size in zip(index, shape, strict=True):
        place = place * size + position
    return place
