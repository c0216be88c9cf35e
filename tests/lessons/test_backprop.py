"""The lessons about backpropagation: the curriculum's figures, the answers to what they ask, and their exercises.

The code of a lesson is run plainly, cell by cell. Figures stand in the curriculum, or are worked out here
without torch.
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
from tutor.lesson.model import LANGUAGES, Cell, Lesson
from tutor.lesson.read import read

LESSONS = {path.stem[3:]: path for path in sorted((Path(paths.lessons_dir()) / "backprop").glob("*.py"))}
IDS = ["one-sample", "chain", "power", "retain-grad", "retain-graph", "vector", "second-order", "accumulate",
       "in-place", "your-own"]  # fmt: skip
ANSWERS: dict[str, list[object]] = {
    "one-sample": [-2.0, -8.0],
    "chain": [2 * (120 - 1) * 5 * 1 * 4 * 2.0, 0.0],
    "power": [12.0, 8 * math.log(2), math.nan],
    "retain-grad": [[2.0], None, None],
    "retain-graph": [[5.0], [10.0]],
    "vector": [[9.0], [7.0]],
    "second-order": [None, 2.0],
    "accumulate": [[20.0], None],
    "in-place": [2],
    "your-own": [6.0, 12.0],
}

Names = dict[str, Any]


def lesson(slug: str) -> Lesson:
    return read(LESSONS[slug])


def do(source: str, names: Names) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(source, "lesson", "exec"), names)


def run(slug: str) -> tuple[Names, list[object]]:
    """The names at the end of a lesson, and the answers to its questions, save those for a line."""
    names: Names = {"__name__": "__main__"}
    answers: list[object] = []
    asked: list[str] = []
    for cell in lesson(slug).cells:
        if cell.of and cell.question != "line":
            asked.append(cell.of)
        if cell.is_code:
            do(cell.source, names)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a worker asks quietly
                answers += [plain(eval(question, names)) for question in asked]
            asked = []
    return names, answers


def plain(value: object) -> object:
    return value.tolist() if isinstance(value, torch.Tensor) else value


def test_all_ten_are_there_in_their_order() -> None:
    assert list(LESSONS) == IDS
    assert [path.name[:2] for path in LESSONS.values()] == [f"{place:02}" for place in range(1, 11)]


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
        close = isinstance(right, float | list)
        assert answer == (pytest.approx(right, rel=1e-4, nan_ok=True) if close else right)


def test_one_sample(capsys: pytest.CaptureFixture[str]) -> None:
    names, _ = run("one-sample")
    assert capsys.readouterr().out.startswith("before: None\n")
    assert (names["first"], names["w"].grad.item()) == (2 * (1 - 2) * 1, 2 * (2 - 4) * 2)


def test_chain() -> None:
    names, _ = run("chain")
    assert names["loss"].item() == 14161
    to_y = 2 * 119
    assert [names[name].grad.item() for name in ("w1", "w2", "w3")] == [to_y * 5 * 4 * 2, to_y * 5 * 6, to_y * 24]
    assert [names[name].grad.item() for name in ("v1", "v2", "v3")] == [0, 0, 0]
    assert names["miss"].item() == 1


def test_power(capsys: pytest.CaptureFixture[str]) -> None:
    names, _ = run("power")
    assert names["y"].item() == 8
    assert names["w"].grad.item() == pytest.approx(5.5452, rel=1e-4)
    measured = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    # The measurement shown last is close enough to be an answer.
    assert measured[-1] == pytest.approx(8 * math.log(2), rel=1e-3)
    assert measured == sorted(measured, reverse=True)


def test_retain_grad() -> None:
    names, _ = run("retain-grad")
    assert names["a"].grad.item() == 2
    with pytest.warns(UserWarning, match="not a leaf"):
        assert (names["b"].grad, names["y"].grad) == (None, None)


def test_retain_graph(capsys: pytest.CaptureFixture[str]) -> None:
    names, _ = run("retain-graph")
    assert names["once"] == 5
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == ["Trying to backward through the graph a second time", "first pass: 5.0", "second pass: 10.0"]
    assert names["s"].grad.item() == 2 * (9 - 4) * 6 + 2 * (9 - 10) * 6


def test_vector() -> None:
    names: Names = {}
    first, second, third, *_ = (cell.source for cell in lesson("vector").code_cells)
    do(first, names)
    assert names["loss"].tolist() == [6, 5]
    do(second, names)
    assert (names["w"].grad.item(), names["x"].grad.item()) == (1 * 5 + 2 * 2, 1 * 2 + 2 * 1)
    do(third, names)
    assert (names["w"].grad.item(), names["x"].grad.item()) == (5 + 2, 2 + 1)


def test_second_order() -> None:
    names, _ = run("second-order")
    assert (names["g"].item(), names["first"].item(), names["second"].item()) == (6, 2 * 3, 2)
    assert (names["x"].grad, names["u"].grad) == (None, None)


def test_accumulate(capsys: pytest.CaptureFixture[str]) -> None:
    names, _ = run("accumulate")
    said = [line.rpartition(" ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said[:6] == ["5.0", "10.0", "15.0", "20.0", "0.0", "None"]
    assert names["whole"].item() == sum(2 * (0.5 * x - 3) * x for x in (1, 2, 3, 4)) / 4


def test_in_place() -> None:
    names, _ = run("in-place")
    assert names["v"].grad.item() == pytest.approx(3.7183, rel=1e-4)
    assert names["right"].item() == pytest.approx(2.7183, rel=1e-4)
    assert names["w"].tolist() == [1]  # both writes to the leaf failed


def test_in_place_asks_for_the_guilty_line() -> None:
    found = lesson("in-place")
    (asked,) = (cell for cell in found.cells if cell.question == "line")
    names: Names = {}
    do(found.code_cells[0].source, names)
    lines = found.code_cells[1].source.splitlines()
    changed = []
    for line in lines[: lines.index("try:")]:
        do(line, names)
        if eval(str(asked.of), names):
            changed.append(line)
    assert changed[0] == "a += 1"


# What a learner might try, and a word of what the check should say then. The starter, untouched, comes first.
TRIES: dict[str, list[tuple[str, str]]] = {
    "one-sample": [
        ("", "It is -2 for weight 1, value 1 and target 2, and you have 0"),
        ("def slope(w, x, t):\n    return 2 * (t - w * x) * x", "The sign is the wrong way round"),
        ("def slope(w, x, t):\n    return (w * x - t) * x", "-1 is half of it"),
        ("def slope(w, x, t):\n    return 2 * (w * x - t)", "-7 lacks a factor for weight 0.5, value -3"),
        ("def slope(w, x, t):\n    2 * (w * x - t) * x", "returns nothing"),
    ],
    "retain-grad": [
        ("", "Not each `h` was asked to keep its gradient: [False, False, False]"),
        ("for h in turns:\n    h.retain_grad()", "asked too late"),
        ("turns = turns[:2]", "holds 2"),
        ("turns = []\nfor factor in (1.0, 2.0, 4.0):\n    h = s * factor\n    h.retain_grad()\n"
         "    (h**2).backward()\n    turns.append(h)", "Leave the numbers of the loop"),
        ("turns = []\nfor factor in (1.0, 2.0, 3.0):\n    h = s * factor\n    h.retain_grad()\n"
         "    (h**3).backward()\n    turns.append(h)", "The gradients should be [4.0, 8.0, 12.0]"),
    ],
    "chain": [
        ("", "The second network: for weight 1 you have 80"),
        ("def slopes(w1, w2, w3, x=2.0, t=1.0):\n    return 0.0, 0.0, 0.0", "The first network: for weight 1"),
        ("def slopes(w1, w2, w3, x=2.0, t=1.0):\n    return 9520.0, 7140.0, 5712.0", "fed a negative number"),
        ("def slopes(*weights):\n    pass", "three numbers"),
    ],
    "retain-graph": [
        ("", "share of `near` alone"),
        ("s = torch.tensor(3.0, requires_grad=True)\nh = s * s\nnear = (h - 4) ** 2\nfar = (h - 10) ** 2\n"
         "near.backward(retain_graph=True)\nfar.backward(retain_graph=True)", "the last pass needs no"),
        ("s = torch.tensor(3.0, requires_grad=True)\nh = s * s\nnear = (h - 4) ** 2\nnear.backward()\n"
         "s.grad = None\nh = s * s\n((h - 10) ** 2).backward()", "share of `far` alone"),
        ("s = torch.tensor(3.0, requires_grad=True)\nh = s * s\nnear = (h - 4) ** 2\nfar = (h - 10) ** 2\n"
         "near.backward(retain_graph=True)\nnear.backward(retain_graph=True)\nfar.backward()", "each of them once"),
        ("s = torch.tensor(3.0, requires_grad=True)\nh = (s * s).detach()", "s.grad is None"),
    ],
    "vector": [
        ("", "so far no part is worth anything"),
        ("v.grad = None\nparts = torch.stack([v * v, 5 * v, v + 7, v * v * v])\nworth = torch.ones(4)\n"
         "parts.backward(worth)", "what the sum would give"),
        ("v.grad = None\nparts = torch.stack([v * v, 5 * v, v + 7, v * v * v])\n"
         "worth = torch.tensor([1.0, 0, 0, 0])\nparts.backward(worth)", "all parts are worth the same"),
        ("v.grad = None\nparts = torch.stack([v * v, 5 * v, v + 7, v * v * v])\nworth = torch.full((4,), 0.5)\n"
         "parts.backward(worth)", "their mean is 5.5. v.grad is 11"),
        ("v.grad = None", "No pass has reached v"),
    ],
    "second-order": [
        ("", "`curve` is still None"),
        ("def slope_and_curve(f, at):\n    x = torch.tensor(at, requires_grad=True)\n"
         "    (slope,) = torch.autograd.grad(f(x), x)\n    (curve,) = torch.autograd.grad(slope, x)\n"
         "    return slope, curve", "left no record of itself"),
        ("def slope_and_curve(f, at):\n    x = torch.tensor(at, requires_grad=True)\n"
         "    (slope,) = torch.autograd.grad(f(x), x, create_graph=True)\n"
         "    curve = torch.autograd.grad(slope, x)\n    return slope, curve", "unpack it"),
        ("def slope_and_curve(f, at):\n    return torch.tensor(6.0), torch.tensor(4.0)", "Is a number typed in"),
        ("def slope_and_curve(f, at):\n    x = torch.tensor(at, requires_grad=True)\n    y = f(x)\n"
         "    (slope,) = torch.autograd.grad(y, x, retain_graph=True)\n"
         "    (curve,) = torch.autograd.grad(y, x)\n    return slope, curve", "bends by 4 everywhere, and you have 6"),
    ],
    "accumulate": [
        ("", "twice the -7.5 of the whole batch"),
        ("for half in (batch[:2], batch[2:]):\n    v.grad = None\n    ((v * half - 3) ** 2).mean().backward()",
         "Do not clear it"),
        ("for half in (batch[:2], batch[2:]):\n    v.grad = None\n    (((v * half - 3) ** 2).mean() / 2).backward()",
         "Do not clear it"),
        ("v.grad = None\n((v * batch - 3) ** 2).sum().backward()", "v.grad should be -7.5, and is -30"),
        ("whole = v.grad", "Leave `whole` alone"),
        ("v.grad = None", "must not be cleared at the end"),
    ],
    "in-place": [
        ("", "Sigmoid saved its result, then it was changed"),
        ("def model(u):\n    a = u * 2\n    a += 1\n    b = torch.sigmoid(a)\n    b.data *= 10\n    c = b + 4\n"
         "    c -= 0.5\n    return c.sum()", "No error, but a wrong gradient"),
        ("def model(u):\n    a = u * 2\n    a += 1\n    b = torch.sigmoid(a).detach()\n    b *= 10\n    c = b + 4\n"
         "    c -= 0.5\n    return c.sum()", "has no history"),
        ("def model(u):\n    a = u * 2\n    a += 1\n    b = torch.sigmoid(a)\n    c = b + 4\n    c -= 0.5\n"
         "    return c.sum()", "must give what it gave before"),
        ("def model(u):\n    a = u * 2 + 1\n    b = torch.sigmoid(a)\n    b *= 10\n    c = b + 3.5\n"
         "    return c.sum()", "The pass still breaks"),
    ],
    "your-own": [
        ("", "x should get [90.0, 40.0], and you send [0.0, 0.0]"),
        ("Lens.backward = staticmethod(lambda ctx, grad: (ctx.saved_tensors[1] ** 2, grad))", "slope alone"),
        ("Lens.backward = staticmethod(lambda ctx, grad: grad * ctx.saved_tensors[1] ** 2)", "each of the two inputs"),
        ("Lens.backward = staticmethod(lambda ctx, grad: (grad * ctx.saved_tensors[1] ** 2, None))", "nothing to w"),
        ("Lens.backward = staticmethod(lambda ctx, grad: (grad * ctx.saved_tensors[1] ** 2,"
         " grad * 2 * ctx.saved_tensors[1]))", "w should get"),
    ],
}  # fmt: skip


def parts_of_exercise(found: Lesson) -> dict[str, Cell]:
    return {cell.kind: cell for cell in found.code_cells if cell.kind in ("exercise", "solution", "check")}


@pytest.mark.parametrize("slug", TRIES)
def test_an_exercise_is_passed_by_its_solution_and_helps_otherwise(slug: str) -> None:
    found = lesson(slug)
    parts = parts_of_exercise(found)
    names: Names = {}
    for cell in found.code_cells:
        if cell is parts["exercise"]:
            break
        do(cell.source, names)
    for wrong, helps in TRIES[slug]:
        do(parts["exercise"].source, names)
        do(wrong, names)
        with pytest.raises(AssertionError, match=re.escape(helps)):
            do(parts["check"].source, names)
    before = set(names)
    do(parts["solution"].source, names)
    assert set(names) == before
    do(parts["check"].source, names)


def test_retain_graph_may_be_solved_in_two_passes() -> None:
    names: Names = {"torch": torch}
    do("s = torch.tensor(3.0, requires_grad=True)\nh = s * s\n((h - 4) ** 2).backward(retain_graph=True)\n"
       "((h - 10) ** 2).backward()", names)  # fmt: skip
    do(parts_of_exercise(lesson("retain-graph"))["check"].source, names)


@pytest.mark.parametrize("slug", TRIES)
def test_an_exercise_has_hints(slug: str) -> None:
    assert [cell.kind for cell in lesson(slug).cells].count("hint") in (2, 3)
