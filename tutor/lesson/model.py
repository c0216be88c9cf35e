"""The structure of a lesson, and the error for a lesson or script that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from tutor.i18n import N_, _

# ---------------------------------------------------------------- lessons

FAMILIES = ("start", "tensors", "graph", "backprop", "training", "pitfalls", "gpu")
"""The families of gradtutor's own lessons, in learning order; those of others come after them, by name."""
_FAMILY = re.compile(r"[^\W_][\w-]*")
LANGUAGES = ("en", "zh")
NEEDS = ("cuda",)
"""Hardware that a lesson may need."""

HIDDEN_KINDS = ("solution", "check")
"""Kinds of code cells that run but are not shown to the learner."""

FRONTS = ("screen", "plain")
"""The front ends that a prose cell may be for: the screen, and `--plain`, which is written for the ear."""

Setting: TypeAlias = bool | int | float | str
"""Value of a knob."""

_WIDE = r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"
_POINTS = r"[\u3000-\u303f\uff00-\uff0f\uff1a-\uff1f]"
NO_SPACE = re.compile(rf"({_WIDE}\**) (?=\**{_WIDE})|({_POINTS}\**) | (?=\**{_POINTS})")


def join_lines(lines: Iterable[str]) -> str:
    """Join the lines of a paragraph, with spaces except between Chinese characters and beside their punctuation."""
    return NO_SPACE.sub(r"\1\2", " ".join(lines))


def is_family(name: str) -> bool:
    """Return whether a folder of this name is a family of lessons: any is, but for hidden ones and odd names."""
    return _FAMILY.fullmatch(name) is not None


def family_place(name: str) -> tuple[int, str]:
    """Return what families are sorted by."""
    return FAMILIES.index(name) if name in FAMILIES else len(FAMILIES), name


class Header(msgspec.Struct, frozen=True):
    """The header of a lesson, which can be read without its cells."""

    id: str
    """`family/slug`; for a script that is not a lesson, its path."""
    family: str
    """Empty for a script outside of the folders of families."""
    slug: str
    title: dict[str, str]
    """By language; empty for a script without a header."""
    summary: dict[str, str]
    needs: tuple[str, ...]
    path: str
    order: int | None = None
    """Its place on the path: lessons with smaller numbers come before it; 0 is before the first one. None for a side
    road."""
    topics: dict[str, tuple[str, ...]] = {}
    """What it is about, in words to look for, by language."""
    aliases: tuple[str, ...] = ()
    """Ids that it, or a longer lesson of which it is a part, had before."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages in which it has a title."""
        return tuple(self.title)

    def topics_in(self, language: str) -> tuple[str, ...]:
        """Return its topics in a language, else in English."""
        return self.topics.get(language, self.topics.get("en", ()))


class Knob(msgspec.Struct, frozen=True):
    """A line `name = literal  # @param {…}`: a value that the learner may change before a run.

    None as a bound: there is none.
    """

    name: str
    type: str
    """number, boolean, text or choice."""
    default: Setting
    line: int
    """Line in the file, from 1."""
    start: int
    end: int
    """Columns of the literal, in characters from 0, the end exclusive."""
    choices: tuple[Setting, ...] = ()
    min: float | None = None
    max: float | None = None
    step: float | None = None


class RawCell(msgspec.Struct, frozen=True):
    """A cell as it is in the file."""

    code: bool
    source: str
    """Code unchanged; prose without its `# `."""
    first_line: int
    attributes: dict[str, Any]


class Cell(msgspec.Struct, frozen=True):
    """A cell, in one language or several."""

    kind: str
    """prose, question, diagnosis, hint (text to read); code, exercise, solution, check (code to run)."""
    index: int
    """Index in `Lesson.cells`, from 0."""
    first_line: int
    """First line of its text in the file, from 1."""
    lines: int
    """Number of lines."""
    number: int | None = None
    """Number among the code cells that are shown, from 1; None for prose, solutions and checks."""
    source: str = ""
    """Code, unchanged."""
    text: dict[str, str] = {}
    """Markdown by language; the key is empty for a text that serves all languages."""
    text_lines: dict[str, int] = {}
    """By language: first line of the text in the file."""
    attributes: dict[str, Any] = {}
    knobs: tuple[Knob, ...] = ()
    question: str | None = None
    """predict, choice or line."""
    of: str | None = None
    """Expression whose value at the end of the next code cell is the answer; of a `line` question, the condition that
    the right statement makes true."""
    options: dict[str, list[str]] = {}
    """Options of a choice, by language as in `text`."""
    exercise: str | None = None
    """Id of the exercise that the cell is part of."""
    when: str | None = None
    """Of prose: the expression that makes it shown, if it is true at the end of the code cell before it."""
    front: str | None = None
    """Of prose: the front end that alone shows it, one of `FRONTS`; None for both."""
    wrong: str | None = None
    """Of a diagnosis: the expression for the wrong answer that it explains, worked out as `of` of the question before
    it."""
    vary: str | None = None
    """Of a question: other numbers with which it can be asked again; see `variation`."""

    @property
    def is_code(self) -> bool:
        """Whether it is a code cell, hidden or not."""
        return self.number is not None or (self.kind in HIDDEN_KINDS and not self.text)

    def text_in(self, language: str) -> str:
        """Return the text in a language; see `in_language`."""
        return in_language(self.text, language)


class Lesson(msgspec.Struct, frozen=True):
    """A lesson, or a plain script or notebook: its header has no title."""

    header: Header
    cells: tuple[Cell, ...]
    is_notebook: bool = False
    """Whether the lines of its code are counted in each cell, and its code may have commands of IPython."""

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
    """Return the text in a language; else the one for all languages, the English one, the first one, or none."""
    for key in (language, "", "en"):
        if key in texts:
            return texts[key]
    return next(iter(texts.values()), "")


# ---------------------------------------------------------------- errors

WRONG = 2
"""Exit status: wrong usage, or a malformed file."""
MISSING = 3
"""Exit status: file or lesson not found."""

UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError)
"""Exceptions that Python raises for a text that it cannot parse, or that is too large or nested too deeply."""


class LessonError(Exception):
    """An error in a lesson or script, as one line of text: place, what is wrong, and how to fix it.

    Args:
        what: What is wrong, a sentence without its subject.
        path: The file; empty if it is about none.
        line: The line in it, from 1.
        fix: How to fix it, a sentence.
        status: The exit status of the command.
    """

    def __init__(self, what: str, *, path: str = "", line: int | None = None, fix: str = "", status: int = WRONG):
        self.what = what
        self.path = path
        self.line = line
        self.fix = fix
        self.status = status
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.path and self.line else self.path
        message = f"{place}: {self.what}" if place else self.what
        line = join_lines([message, self.fix]) if self.fix else message
        # A file name may contain line breaks or terminal escapes.
        return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)


Report: TypeAlias = Callable[[LessonError], None]
"""Called with each error: raises it, or collects it."""


def raise_error(error: LessonError) -> None:
    """Raise the error: the `Report` that stops at the first one."""
    raise error


def closest_names(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return the names most similar to `name`, best first."""
    import difflib

    return difflib.get_close_matches(name, list(names), n=count, cutoff=0.5)


def suggest(name: str, names: Iterable[str]) -> str:
    """Return a sentence that names the most similar names, or all if none is similar."""
    names = list(names)
    matches = closest_names(name, names)
    if matches:
        return _("Did you mean {names}?", names=join_words(matches, "or"))
    return _("There is {names}.", names=join_words(names)) if names else _("There are none.")


LAST = (N_("and"), N_("or"))
"""Conjunctions for `join_words`."""


def join_words(names: Iterable[object], last: str = "and") -> str:
    """Join names to `a, b and c`, with `last` before the last one."""
    words = [str(name) for name in names]
    if len(words) < 2:
        return words[0] if words else _("nothing")
    text = words[0]
    for word in words[1:-1]:
        text = _("{words}, {word}", words=text, word=word)
    return f"{text} {_(last)} {words[-1]}"
