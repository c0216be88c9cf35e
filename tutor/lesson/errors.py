"""What is said of a lesson or a script that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from tutor.i18n import N_, _
from tutor.lesson.model import joined

WRONG = 2
"""Exit status: wrong use, or a malformed file."""
MISSING = 3
"""Exit status: not there."""


UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError)
"""What Python raises where a text is none of its own, or too large or too deep for it."""


class LessonError(Exception):
    """One line for the learner: file, line, what is wrong, and what to do about it."""

    def __init__(self, what: str, *, path: str = "", line: int | None = None, mend: str = "", status: int = WRONG):
        self.what = what
        self.path = path
        self.line = line
        self.mend = mend
        self.status = status
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.path and self.line else self.path
        said = f"{place}: {self.what}" if place else self.what
        line = joined([said, self.mend]) if self.mend else said
        # A name that somebody chose may hold a line break, or what a terminal would obey.
        return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


Report: TypeAlias = Callable[[LessonError], None]
"""Is told of what is wrong: raises it, or collects it."""


def refuse(error: LessonError) -> None:
    """The report of whoever wants no lesson with something wrong in it."""
    raise error


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """The names most like this one, best first."""
    import difflib

    return difflib.get_close_matches(name, list(names), n=count, cutoff=0.5)


def one_of(name: str, names: Iterable[str]) -> str:
    """A sentence that names the nearest of these, or all of them where none is near."""
    names = list(names)
    near = nearest(name, names)
    if near:
        return _("Did you mean {names}?", names=listed(near, "or"))
    return _("There is {names}.", names=listed(names)) if names else _("There are none.")


LAST = (N_("and"), N_("or"))
"""What stands before the last of several."""


def listed(names: Iterable[object], last: str = "and") -> str:
    """`a, b and c`."""
    words = [str(name) for name in names]
    if len(words) < 2:
        return words[0] if words else _("nothing")
    said = words[0]
    for word in words[1:-1]:
        said = _("{words}, {word}", words=said, word=word)
    return f"{said} {_(last)} {words[-1]}"
