"""What a lesson is made of.

What is said of a lesson or a script that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from tutor.i18n import N_, _

FAMILIES = ("tensors", "graph", "backprop", "training", "pitfalls", "gpu")
"""In the order in which one learns."""
LANGUAGES = ("en", "zh")
NEEDS = ("cuda",)
"""What a lesson may need of the machine."""

HIDDEN_KINDS = ("solution", "check")
"""The kinds of code cells that a learner does not walk."""

Setting: TypeAlias = bool | int | float | str
"""What a knob can be set to."""


_WIDE = r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"
_POINTS = r"[\u3000-\u303f\uff00-\uff0f\uff1a-\uff1f]"
NO_SPACE = re.compile(rf"({_WIDE}\**) (?=\**{_WIDE})|({_POINTS}\**) | (?=\**{_POINTS})")


def join_lines(lines: Iterable[str]) -> str:
    """The lines of a paragraph in one: between Chinese, and beside its punctuation, there is no space."""
    return NO_SPACE.sub(r"\1\2", " ".join(lines))


class Header(msgspec.Struct, frozen=True):
    """What the list of lessons says of one, read without its cells."""

    id: str
    """`family/slug`; for a script that is no lesson, its path."""
    family: str
    """Empty for a script that stands in no family's folder."""
    slug: str
    title: dict[str, str]
    """By language; empty for a script without a header."""
    summary: dict[str, str]
    needs: tuple[str, ...]
    path: str
    order: int = 0
    """The `<nn>` of its file name."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that it is written in: each has a title."""
        return tuple(self.title)


class Knob(msgspec.Struct, frozen=True):
    """A line `name = literal  # @param {…}`: a value that the learner may change before a run."""

    name: str
    type: str
    """number, boolean, text or choice."""
    default: Setting
    line: int
    """In the file, from 1."""
    start: int
    end: int
    """The columns of the literal, in characters, the end exclusive."""
    choices: tuple[Setting, ...] = ()
    min: float | None = None
    max: float | None = None
    step: float | None = None


class RawCell(msgspec.Struct, frozen=True):
    """A cell as it stands in the file."""

    code: bool
    source: str
    """The code unchanged; prose without its `# `."""
    first_line: int
    attributes: dict[str, Any]


class Cell(msgspec.Struct, frozen=True):
    """A cell, in one language or several."""

    kind: str
    """prose, question, hint (text to read); code, exercise, solution, check (code to run)."""
    index: int
    """Its place in `Lesson.cells`, from 0."""
    first_line: int
    """Of its text in the file, from 1."""
    lines: int
    number: int | None = None
    """Which of the code cells that a learner walks it is, from 1; a solution and a check are none of them."""
    source: str = ""
    """The code, unchanged."""
    text: dict[str, str] = {}
    """Markdown by language; the key is empty where it serves all of them."""
    text_lines: dict[str, int] = {}
    """Where in the file each language's text begins."""
    attributes: dict[str, Any] = {}
    knobs: tuple[Knob, ...] = ()
    question: str | None = None
    """predict, choice or line."""
    of: str | None = None
    """The expression whose value, when the next code cell has ended, is the answer; of a `line`, the condition that
    the statement asked for makes true."""
    options: dict[str, list[str]] = {}
    """Of a choice, by language as in `text`."""
    exercise: str | None = None
    """The id of the exercise that the cell is part of."""

    @property
    def is_code(self) -> bool:
        return self.number is not None or (self.kind in HIDDEN_KINDS and not self.text)

    def text_in(self, language: str) -> str:
        """The text in this language, or in the first one that there is."""
        return in_language(self.text, language)


class Lesson(msgspec.Struct, frozen=True):
    """A lesson, or a plain script, which is a lesson of one cell without a header."""

    header: Header
    cells: tuple[Cell, ...]

    @property
    def id(self) -> str:
        return self.header.id

    @property
    def path(self) -> str:
        return self.header.path

    @property
    def code_cells(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.is_code]

    @property
    def knobs(self) -> dict[str, Knob]:
        return {knob.name: knob for cell in self.cells for knob in cell.knobs}


def in_language(texts: dict[str, str], language: str) -> str:
    """The text in this language; else that for all, the English one, the first one, or nothing."""
    for key in (language, "", "en"):
        if key in texts:
            return texts[key]
    return next(iter(texts.values()), "")


WRONG = 2
"""Exit status: wrong use, or a malformed file."""
MISSING = 3
"""Exit status: not there."""


UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError)
"""What Python raises where a text is none of its own, or too large or too deep for it."""


class LessonError(Exception):
    """One line for the learner: file, line, what is wrong, and what to do about it."""

    def __init__(self, what: str, *, path: str = "", line: int | None = None, fix: str = "", status: int = WRONG):
        self.what = what
        self.path = path
        self.line = line
        self.fix = fix
        self.status = status
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.path and self.line else self.path
        said = f"{place}: {self.what}" if place else self.what
        line = join_lines([said, self.fix]) if self.fix else said
        # A name that somebody chose may hold a line break, or what a terminal would obey.
        return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


Report: TypeAlias = Callable[[LessonError], None]
"""Is told of what is wrong: raises it, or collects it."""


def raise_error(error: LessonError) -> None:
    """The report of whoever wants no lesson with something wrong in it."""
    raise error


def closest_names(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """The names most like this one, best first."""
    import difflib

    return difflib.get_close_matches(name, list(names), n=count, cutoff=0.5)


def suggest(name: str, names: Iterable[str]) -> str:
    """A sentence that names the nearest of these, or all of them where none is near."""
    names = list(names)
    near = closest_names(name, names)
    if near:
        return _("Did you mean {names}?", names=join_words(near, "or"))
    return _("There is {names}.", names=join_words(names)) if names else _("There are none.")


LAST = (N_("and"), N_("or"))
"""What stands before the last of several."""


def join_words(names: Iterable[object], last: str = "and") -> str:
    """`a, b and c`."""
    words = [str(name) for name in names]
    if len(words) < 2:
        return words[0] if words else _("nothing")
    said = words[0]
    for word in words[1:-1]:
        said = _("{words}, {word}", words=said, word=word)
    return f"{said} {_(last)} {words[-1]}"
