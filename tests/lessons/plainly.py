"""A lesson run plainly, cell by cell: with nothing that records it, and no warning that is not expected."""

from __future__ import annotations

import re
import sys
import warnings
from functools import cache
from typing import Any, NamedTuple

import torch

from tutor import paths
from tutor.lesson.model import Lesson
from tutor.lesson.parser import read

LESSONS = {f"{path.parent.name}/{path.stem[3:]}": path for path in sorted(paths.lessons_dir().glob("*/*.py"))}
NO_LEAF = r"The \.grad attribute"
WARNS = {
    "graph/two-paths": NO_LEAF,
    "pitfalls/broadcast-loss": "Using a target size",
    "pitfalls/list-of-tensors": "Converting a tensor",
    "training/update": NO_LEAF,
}
"""The warnings that belong to a lesson."""
with warnings.catch_warnings(record=True) as _warned:
    warnings.simplefilter("always")
    float(torch.ones(1, requires_grad=True))
if not _warned:  # torch 2.6 does not
    del WARNS["pitfalls/list-of-tensors"]

Names = dict[str, Any]
Tries = dict[str, list[tuple[str | tuple[str, str], str]]]
"""For each exercise what is run after the starter, or replaced in it; and a word of what the check should say then.
The starter as it is comes first."""


class Run(NamedTuple):
    """What a run has left."""

    names: Names
    answers: list[object]
    """To the questions, save those for a line."""
    warned: list[str]


@cache
def lesson(name: str) -> Lesson:
    """A lesson by its id, read once."""
    return read(LESSONS[name])


def do(source: str, names: Names, warns: str = "") -> list[str]:
    """Runs code; gives what was warned of, and raises where that was not to be expected."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        if warns:
            warnings.filterwarnings("always", warns)
        exec(compile(source, "lesson", "exec"), names)
    return [str(one.message) for one in caught]


def ask(question: str | None, names: Names) -> object:
    """The answer to a question at this point of a run."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", NO_LEAF)  # a worker asks quietly
        return plain(eval(str(question), names))


def plain(value: object) -> object:
    """A tensor as its numbers."""
    return value.tolist() if isinstance(value, torch.Tensor) else value


def run(name: str, until: str | int | None = None, **knobs: object) -> Run:
    """Runs a lesson to its end, or until it comes to a kind of cell, an exercise, or this many cells have run."""
    for module in [module for module in sys.modules if module.partition(".")[0] == "plotext"]:
        del sys.modules[module]  # it has one figure for all, and what another lesson left in it
    folder = str(LESSONS[name].parent)
    sys.path.insert(0, folder)  # as Python does for a script
    try:
        return _run(name, until, knobs)
    finally:
        sys.path.remove(folder)


def _run(name: str, until: str | int | None, knobs: dict[str, object]) -> Run:
    found = Run({"__name__": "__main__"}, [], [])
    asked: list[str] = []
    ran = 0
    for cell in lesson(name).cells:
        if cell.of and cell.question != "line":
            asked.append(cell.of)
        if not cell.is_code:
            continue
        if until in (cell.kind, cell.exercise, ran) and until is not None:
            break
        source = cell.source
        for knob in cell.knobs:
            if knob.name in knobs:
                source = re.sub(rf"^{knob.name} = \S+", f"{knob.name} = {knobs[knob.name]}", source, flags=re.MULTILINE)
        found.warned.extend(do(source, found.names, WARNS.get(name, "")))
        found.answers.extend(ask(question, found.names) for question in asked)
        asked.clear()
        ran += 1
    return found
