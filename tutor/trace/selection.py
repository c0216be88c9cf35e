"""What is recorded of a long program: iterations of its training loop (`--keep 0-2,100,every:100,last:3`), or a part
(`--from line:40#2`, `--only model.py:forward`, `--for 5`, `--steps 500`)."""

from __future__ import annotations

import ast
import re

import msgspec

_COUNT = r"0*[1-9][0-9]{0,8}"
"""A number from 1."""
_LINE = rf"(?:cell:({_COUNT}):)?({_COUNT})"
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


class CodeLine(msgspec.Struct, frozen=True):
    """A line of a script, or of a code cell of a notebook."""

    number: int
    cell: int = 0
    """0: it is a line of a script."""


class Part(msgspec.Struct, frozen=True):
    """A part of a program: where it begins, and how long it is."""

    text: str = ""
    """The option by which it begins, as it was typed."""
    line: CodeLine | None = None
    """It begins with a statement on this line, when that runs for the `count`-th time; None: elsewhere."""
    count: int = 1
    name: str = ""
    """It begins when this name gets the value; empty: elsewhere."""
    value: int | float | bool | str | None = None
    is_mark: bool = False
    """Whether it begins with the first `breakpoint()`."""
    file: str = ""
    function: str = ""
    """It is the calls of this function of this file; empty: it goes on."""
    iterations: int = 0
    """How many iterations of the training loop it has; 0: any number."""
    steps: int = 0
    """How many steps it has; 0: any number."""

    def is_function(self, qualified: str) -> bool:
        """Return whether it is the calls of a function of this qualified name, if that is in the file."""
        name = qualified.replace(".<locals>", "")
        return name == self.function or name.endswith("." + self.function)

    def limited(self, iterations: int, steps: int) -> Part:
        """Return the part, limited to a number of iterations and of steps."""
        return msgspec.structs.replace(self, iterations=iterations, steps=steps)


def parse_beginning(text: str) -> Part:
    """Read `line:N` or `cell:C:N` (with `#K` for the K-th time), `NAME=VALUE`, or `mark`.

    Raises:
        ValueError: It is none of these.
    """
    option = f"--from {text}"
    if text == "mark":
        return Part(option, is_mark=True)
    matched = re.fullmatch(rf"(?:line:(?!cell)|(?=cell:))(?P<line>{_LINE})(?:#(?P<count>{_COUNT}))?", text)
    if matched is not None:
        return Part(option, line=parse_line(matched["line"]), count=int(matched["count"] or 1))
    name, sign, value = text.partition("=")
    if not (sign and name.isidentifier() and value) or value.startswith("="):
        raise ValueError(text)
    try:
        read = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        read = value  # a word: phase=train
    if type(read) not in (int, float, bool, str) or (type(read) is int and not -(1 << 63) <= read < 1 << 63):
        raise ValueError(text)
    return Part(option, name=name, value=read)


def parse_line(text: str) -> CodeLine:
    """Read `N`, a line of a script, or `cell:C:N`, one of a cell of a notebook.

    Raises:
        ValueError: It is neither.
    """
    matched = re.fullmatch(_LINE, text)
    if matched is None:
        raise ValueError(text)
    return CodeLine(int(matched[2]), int(matched[1] or 0))


def parse_function(text: str) -> Part:
    """Read `FILE:FUNCTION`.

    Raises:
        ValueError: It is malformed.
    """
    file, _, function = text.rpartition(":")
    if not file.strip() or not all(part.isidentifier() for part in function.split(".")):
        raise ValueError(text)
    return Part(f"--only {text}", file=file.removeprefix("./"), function=function)
