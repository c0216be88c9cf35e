"""What holds for each lesson: its place, its languages, the answers to what it asks, and its exercises."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from itertools import groupby

import pytest
import torch

from tests.lessons.answers import ANSWERS, LINES
from tests.lessons.plainly import LESSONS, WARNS, Names, ask, do, lesson, run
from tests.lessons.tries import backprop, graph, pitfalls, tensors, training
from tests.lessons.tries.other_ways import OTHER_WAYS
from tutor import paths
from tutor.lesson import catalog
from tutor.lesson.model import LANGUAGES

TRIES = {
    f"{module.__name__.rpartition('.')[2]}/{exercise}": tries
    for module in (backprop, graph, pitfalls, tensors, training)
    for exercise, tries in module.TRIES.items()
}
LEAVES = {
    "pitfalls/to-makes-nonleaf/float64-weights": {"loss", "optimizer"},
    "tensors/seeds/keep-pairs": {"together"},
}
"""What a solution leaves behind and its starter does not: a name of its own, or what a failing starter never makes."""
STOPPED = {"training/line-with-bias/update": [RuntimeError]}
"""Where torch itself stops a learner's code, before the check has its say."""

every_lesson = pytest.mark.parametrize("name", LESSONS)


def test_all_are_there_in_their_order() -> None:
    assert list(LESSONS) == list(ANSWERS)
    for _, family in groupby(LESSONS.values(), lambda path: path.parent):
        numbers = [path.name[:2] for path in family]
        assert len(set(numbers)) == len(numbers)
    assert not catalog.load(paths.lessons_dir()).problems


def test_the_first_training_loop_is_lesson_8_of_the_path() -> None:
    lessons = catalog.load(paths.lessons_dir()).lessons
    numbered = {number: header.id for number, header in enumerate(lessons, catalog.first_number(lessons))}
    assert numbered[0] == "start/how-to-walk"
    assert numbered[8] == "training/line-by-hand"


@every_lesson
def test_every_text_is_there_in_both_languages(name: str) -> None:
    found = lesson(name)
    assert set(found.header.title) == set(found.header.summary) == set(LANGUAGES)
    assert all(set(cell.text) == set(LANGUAGES) for cell in found.cells if not cell.is_code)


@pytest.fixture
def warned_each_time() -> Iterator[None]:
    """Torch gives some warnings once in a process, and another test may have had them."""
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(False)


@every_lesson
@pytest.mark.usefixtures("warned_each_time")
def test_what_a_lesson_asks_has_this_answer_and_nothing_else_is_warned_of(name: str) -> None:
    _, answers, warned = run(name)
    assert bool(warned) == (name in WARNS)
    assert len(answers) == len(ANSWERS[name])
    for answer, right in zip(answers, ANSWERS[name], strict=True):
        assert type(answer) is type(right)
        close = isinstance(right, float) or (isinstance(right, list) and not isinstance(next(iter(right), None), list))
        assert answer == (pytest.approx(right, rel=1e-4, nan_ok=True) if close else right)


def test_each_line_that_is_asked_for_is_known() -> None:
    asks = [name for name in LESSONS if any(cell.question == "line" for cell in lesson(name).cells)]
    assert set(asks) == set(LINES)


@pytest.mark.parametrize("name", LINES)
def test_a_lesson_asks_for_this_line(name: str) -> None:
    cells = lesson(name).cells
    (asked,) = (cell for cell in cells if cell.question == "line")
    code = next(cell for cell in cells[cells.index(asked) :] if cell.is_code)
    names = run(name, [cell for cell in cells if cell.is_code].index(code)).names
    for line in code.source.partition("try:")[0].splitlines():
        do(line, names)
        with contextlib.suppress(NameError):  # a name that is not there yet
            if ask(asked.of, names):
                assert line == LINES[name]
                return
    pytest.fail("there is no such line")


def before(exercise: str) -> tuple[dict[str, str], Names]:
    """The code of an exercise, and the names where a lesson comes to it."""
    name, _, which = exercise.rpartition("/")
    parts = {cell.kind: cell.source for cell in lesson(name).code_cells if cell.exercise == which}
    assert set(parts) == {"exercise", "solution", "check"}
    return parts, run(name, which).names


@pytest.mark.parametrize("exercise", TRIES)
def test_an_exercise_is_passed_by_its_solution_and_helps_otherwise(exercise: str) -> None:
    parts, names = before(exercise)
    warns = WARNS.get(exercise.rpartition("/")[0], "")
    for wrong, helps in TRIES[exercise]:
        starter = parts["exercise"]
        if isinstance(wrong, tuple):
            assert wrong[0] in starter
            starter, wrong = starter.replace(*wrong), ""
        with contextlib.suppress(*STOPPED.get(exercise, [])):
            do(f"{starter}\n{wrong}", names, warns)
        with pytest.raises((AssertionError, NameError), match=re.escape(helps)):
            do(parts["check"], names)
    do(parts["exercise"], names, warns)
    left = set(names)
    do(parts["solution"], names)
    assert set(names) - left == LEAVES.get(exercise, set())
    do(parts["check"], names)


@pytest.mark.parametrize("exercise", OTHER_WAYS)
def test_an_exercise_may_be_solved_in_another_way(exercise: str) -> None:
    parts, names = before(exercise)
    do(parts["exercise"], names)
    do(OTHER_WAYS[exercise], names)
    do(parts["check"], names)


def test_two_usual_wrong_attempts_at_each_exercise_have_messages_of_their_own() -> None:
    for exercise, [(_starter, unsolved), *attempts] in TRIES.items():
        assert len({helps for _attempt, helps in attempts} - {unsolved}) >= 2, exercise


def test_each_exercise_is_tried_and_has_hints() -> None:
    cells = [(name, cell) for name in LESSONS for cell in lesson(name).cells]
    assert sorted(f"{name}/{cell.exercise}" for name, cell in cells if cell.kind == "exercise") == sorted(TRIES)
    hints = [f"{name}/{cell.exercise}" for name, cell in cells if cell.kind == "hint"]
    assert all(hints.count(exercise) in (2, 3) for exercise in TRIES)
