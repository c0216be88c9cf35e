"""Which iterations of a program's training loop are recorded: `--keep 0-2,100,every:100,last:3`."""

from __future__ import annotations

import re

import msgspec

AUTOMATIC = "0-2,every:100,last:1"
"""What is recorded of a program whose first iterations show that all of them would not fit."""


class Selection(msgspec.Struct, frozen=True):
    """Iterations of the training loop, counted from 0 over the whole run."""

    text: str
    """As it was typed."""
    ranges: list[tuple[int, int]] = []
    """The first and last of each range."""
    every: int = 0
    """All multiples of this number; 0: none."""
    last: int = 0
    """How many at the end of the loop, where its length is known when it begins."""

    def includes(self, number: int, left: int | None) -> bool:
        """Return whether an iteration is recorded; `left` is how many follow, None if that is not known."""
        if self.every and number % self.every == 0:
            return True
        if left is not None and left < self.last:
            return True
        return any(first <= number <= last for first, last in self.ranges)


def parse(text: str) -> Selection:
    """Read a selection.

    Raises:
        ValueError: It is malformed; the argument is the part that is not understood.
    """
    ranges: list[tuple[int, int]] = []
    every = last = 0
    for part in (part.strip() for part in text.split(",")):
        matched = re.fullmatch(r"(?a:(\d{1,15})(?:-(\d{1,15}))?|every:(\d{1,15})|last:(\d{1,15}))", part)
        if matched is None:
            raise ValueError(part)
        begin, end, step, count = (None if number is None else int(number) for number in matched.groups())
        if begin is not None:
            if end is not None and end < begin:
                raise ValueError(part)
            ranges.append((begin, begin if end is None else end))
        elif not (step or count):  # every:0, last:0
            raise ValueError(part)
        every, last = step or every, count or last
    return Selection(text, ranges, every, last)
