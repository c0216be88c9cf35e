"""Choosing one element of a tensor: by its index, typed, or by going from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod


class Choice:
    """The element that was chosen, if one was."""

    def __init__(self, shape: Sequence[int]) -> None:
        self._shape = tuple(shape)
        self._count = prod(shape)
        self.element: int | None = None
        """Its place, row by row, from 0."""
        self.typed = ""
        """What was typed of an index so far."""

    @property
    def text(self) -> str:
        """`[1, 2]`"""
        return "[" + ", ".join(map(str, self.index(self.element or 0))) + "]"

    def index(self, element: int) -> tuple[int, ...]:
        """The index of an element."""
        found = []
        for size in reversed(self._shape):
            found.append(element % size)
            element //= size
        return tuple(reversed(found))

    @property
    def possible(self) -> bool:
        """Whether there is more than one element to choose from."""
        return self._count > 1

    def step(self, by: int) -> None:
        """The next element, or the one before; from none the first."""
        self.typed = ""
        if self.possible:
            self.element = 0 if self.element is None else max(0, min(self.element + by, self._count - 1))

    def type(self, char: str) -> None:
        """A digit or a comma of an index; it counts as soon as it is one."""
        if not self.possible:
            return
        typed = self.typed + char
        parts = typed.split(",")
        if not all(part.isdecimal() or (not part and at == len(parts) - 1) for at, part in enumerate(parts)):
            typed, parts = (char, [char]) if char.isdecimal() else ("", [])
        if len(typed) > 24:
            return
        self.typed = typed
        numbers = [int(part) for part in parts if part]
        if len(numbers) == len(self._shape) and all(n < size for n, size in zip(numbers, self._shape, strict=True)):
            self.element = sum(n * prod(self._shape[at + 1 :]) for at, n in enumerate(numbers))

    def erase(self) -> None:
        """Take back what was typed last; with nothing typed, no element is chosen."""
        if self.typed:
            self.typed = self.typed[:-1]
        else:
            self.element = None
