"""What a lesson is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

FAMILIES = ("tensors", "graph", "backprop", "training", "pitfalls", "gpu")
"""In the order in which one learns."""
LANGUAGES = ("en", "zh")
NEEDS = ("cuda",)
"""What a lesson may need of the machine."""

UNSEEN = ("solution", "check")
"""The kinds of code cells that a learner does not walk."""

Setting: TypeAlias = bool | int | float | str
"""What a knob can be set to."""


_WIDE = r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"
_POINTS = r"[\u3000-\u303f\uff00-\uff0f\uff1a-\uff1f]"
NO_SPACE = re.compile(rf"({_WIDE}\**) (?=\**{_WIDE})|({_POINTS}\**) | (?=\**{_POINTS})")


def joined(lines: Iterable[str]) -> str:
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
        return self.number is not None or (self.kind in UNSEEN and not self.text)

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
