"""The lessons about the graph: the curriculum's figures, the answers to what they ask, and their exercises.

The code of a lesson is run plainly, cell by cell.
"""

from __future__ import annotations

import math
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from tutor import paths
from tutor.lesson.model import LANGUAGES, Lesson
from tutor.lesson.read import read

LESSONS = {path.stem[3:]: path for path in sorted((Path(paths.lessons_dir()) / "graph").glob("*.py"))}
IDS = ["two-paths", "dynamic", "who-requires-grad", "saved"]
ANSWERS: dict[str, list[object]] = {
    "two-paths": [[1.0 * 2 + 1 * 3], None],
    "dynamic": [2 * -2.0, 5 * 2.0**4],
    "who-requires-grad": [2, True, [2.0 * 3], 2],
    "saved": [2, 1.0 + 1.0, 1],
}

Names = dict[str, Any]


def lesson(slug: str) -> Lesson:
    return read(LESSONS[slug])


def run(slug: str) -> tuple[Names, list[object]]:
    """The names at the end of a lesson, and the answers to its questions."""
    names: Names = {"__name__": "__main__"}
    answers: list[object] = []
    asked: list[str] = []
    for cell in lesson(slug).cells:
        asked += [cell.of] if cell.of else []
        if cell.is_code:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore" if slug == "two-paths" else "error")
                exec(compile(cell.source, slug, "exec"), names)
                answers += [plain(eval(question, names)) for question in asked]
            asked = []
    return names, answers


def plain(value: object) -> object:
    return value.tolist() if isinstance(value, torch.Tensor) else value


def nodes_of(tensor: torch.Tensor) -> list[str]:
    """The operations behind a tensor, each once, from the end."""
    found: dict[Any, str] = {}
    ahead: list[Any] = [tensor.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is not None and node not in found:
            found[node] = node.name()
            ahead += [before for before, _ in node.next_functions]
    return [name for name in found.values() if "AccumulateGrad" not in name]


def test_all_four_are_there_in_their_order() -> None:
    assert list(LESSONS) == IDS
    assert [path.name[:2] for path in LESSONS.values()] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("slug", IDS)
def test_every_text_is_there_in_both_languages(slug: str) -> None:
    found = lesson(slug)
    assert set(found.header.title) == set(found.header.summary) == set(LANGUAGES)
    assert all(set(cell.text) == set(LANGUAGES) for cell in found.cells if not cell.is_code)


@pytest.mark.parametrize("slug", IDS)
def test_what_a_lesson_asks_has_this_answer(slug: str) -> None:
    answers = run(slug)[1]
    assert len(answers) == len(ANSWERS[slug])
    for answer, right in zip(answers, ANSWERS[slug], strict=True):
        assert type(answer) is type(right)
        assert answer == (pytest.approx(right, rel=1e-4) if isinstance(right, float | list) else right)


def test_two_paths() -> None:
    names, _ = run("two-paths")
    x, w, a, b, y = (names[name] for name in "xwaby")
    assert (a.item(), b.item(), y.item()) == (3, 2, 6)
    assert [tensor.is_leaf for tensor in (x, w, a, b, y)] == [True, True, False, False, False]
    assert [tensor.grad_fn.name() for tensor in (a, b, y)] == ["AddBackward0", "AddBackward0", "MulBackward0"]
    assert (w.grad.item(), x.grad.item()) == (5, 2)
    with pytest.warns(UserWarning, match="not a leaf"):
        assert (a.grad, b.grad, y.grad) == (None, None, None)


def test_dynamic_makes_another_graph_each_time() -> None:
    names, _ = run("dynamic")
    assert names["up"].grad.item() == 3
    assert nodes_of(names["y"]) == nodes_of(names["z"]) == ["MulBackward0"]
    assert names["q"].item() == 2**5
    assert len(nodes_of(names["q"])) == 4


def test_who_requires_grad() -> None:
    names, _ = run("who-requires-grad")
    marked = {name: names[name].requires_grad for name in ("w", "c", "mixed", "plain", "quiet", "cut", "fast", "y")}
    assert [name for name, marks in marked.items() if marks] == ["w", "mixed", "y"]
    assert [names[name].is_leaf for name in ("w", "c", "mixed", "plain")] == [True, True, False, True]
    assert names["again"].requires_grad
    assert names["late"] is None


def test_saved_is_let_go() -> None:
    names, _ = run("saved")
    assert names["v"].grad.item() == 2
    assert names["x"].grad.item() == pytest.approx(math.exp(2), rel=1e-4)
    with pytest.raises(RuntimeError, match="already been freed"):
        _ = names["e"].grad_fn._saved_result
    assert names["product"].grad_fn._saved_self is names["x"]
    assert names["product"].grad_fn._saved_other is names["w"]


# What a learner might try, and a word of what the check should say then. The starter, untouched, comes first.
TRIES: dict[str, list[tuple[str, str]]] = {
    "dynamic": [
        ("", "The distance of -3 is 3, and you give -3"),
        ("def distance(x):\n    return abs(x.item())", "it has left the graph"),
        ("def distance(x):\n    return torch.tensor(abs(x.item()))", "it has left the graph"),
        ("def distance(x):\n    if x > 0:\n        return x", "For -3 nothing is returned"),
        ("def distance(x):\n    return -x", "The distance of 3 is 3, and you give -3"),
        ("def distance(x):\n    return x + (x.abs() - x).detach()", "The slope at -3 is -1, and yours is 1"),
    ],
    "saved": [
        ("", "The second pass failed"),
        ("def triple(x):\n    return 3 * x", "The second pass failed"),
        ("def triple(x):\n    return x.detach() * 3", "it has left the graph"),
        ("def triple(x):\n    return 15.0", "should return a tensor"),
        ("def triple(x):\n    return x + x", "Three times 5 is 15, and you give 10"),
        ("def triple(x):\n    return x + (x + x).detach()", "brought 2"),
    ],
}


@pytest.mark.parametrize("slug", TRIES)
def test_an_exercise_is_passed_by_its_solution_and_helps_otherwise(slug: str) -> None:
    parts = {cell.kind: cell.source for cell in lesson(slug).code_cells}
    names: Names = {"torch": torch}
    for wrong, helps in TRIES[slug]:
        exec(parts["exercise"], names)
        exec(wrong, names)
        with pytest.raises(AssertionError, match=re.escape(helps)):
            exec(parts["check"], names)
    before = set(names)
    exec(parts["solution"], names)
    assert set(names) == before
    exec(parts["check"], names)


@pytest.mark.parametrize("slug", TRIES)
def test_an_exercise_has_two_hints(slug: str) -> None:
    assert [cell.kind for cell in lesson(slug).cells].count("hint") == 2
