"""The lessons that come with gradtutor: their figures, and the answers to what they ask.

The figures are worked out here once more without torch, or stand in the curriculum, which was run before.
"""

from __future__ import annotations

import ast
import random
import runpy
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from tutor import paths
from tutor.lesson import catalog, knobs
from tutor.lesson.model import Header, live_values
from tutor.lesson.read import read

LESSONS = {header.id: header for header in catalog.load(paths.lessons_dir()).lessons}
ANSWERS: dict[str, list[object]] = {
    "tensors/first-look": [4.0],
    "tensors/making": [False, True],
    "tensors/attributes": [[2.0, 4.0, 6.0], True],
    "graph/two-paths": [[5.0], None],
    "backprop/one-sample": [-2.0, -8.0],
    "backprop/accumulate": [[20.0], None],
    "training/line-by-hand": [-2.0, 7.9999986],
    "training/linear-regression": [True, False],
}


def run(lesson: str, settings: dict[str, str] | None = None) -> tuple[dict[str, Any], list[object]]:
    """The names at the end, and the answers, as a worker would find them."""
    found = read(Path(LESSONS[lesson].path))
    found = knobs.apply(found, knobs.resolve(found, settings or {}))
    names: dict[str, Any] = {"__name__": "__main__"}
    answers: list[object] = []
    asked: list[str] = []
    for cell in found.cells:
        asked += [cell.of] if cell.of else []
        if cell.is_code:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(compile(cell.source, lesson, "exec"), names)
                answers += [copied(eval(question, names)) for question in asked]
            asked = []
    return names, answers


def copied(answer: object) -> object:
    return answer.tolist() if isinstance(answer, torch.Tensor) else answer


def test_all_eight_are_there() -> None:
    assert list(LESSONS) == list(ANSWERS)
    assert catalog.load(paths.lessons_dir()).problems == ()


@pytest.mark.parametrize("lesson", ANSWERS)
def test_what_a_lesson_asks_has_this_answer(lesson: str) -> None:
    answers = run(lesson)[1]
    assert [type(answer) for answer in answers] == [type(answer) for answer in ANSWERS[lesson]]
    for answer, right in zip(answers, ANSWERS[lesson], strict=True):
        assert answer == (pytest.approx(right, rel=1e-4) if isinstance(right, float | list) else right)


@pytest.mark.parametrize("header", LESSONS.values(), ids=LESSONS)
def test_a_lesson_is_well_made(header: Header) -> None:
    lesson = read(Path(header.path))
    assert 3 <= len(lesson.cells) <= 8
    assert any(cell.question == "predict" for cell in lesson.cells)
    assert header.title["en"]
    assert 20 < len(header.summary["en"]) < 110
    # A live value can be computed as soon as the code above it has run.
    names: dict[str, Any] = {"__name__": "__main__"}
    for at, cell in enumerate(lesson.cells):
        if cell.is_code:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(cell.source, names)
        for text in cell.text.values():
            for live in live_values(text):
                assert isinstance(ast.parse(live.expression, mode="eval"), ast.Expression)
                assert eval(live.expression, names) is not None, f"cell {at}: {live.expression}"


@pytest.mark.parametrize("header", LESSONS.values(), ids=LESSONS)
def test_a_lesson_runs_as_a_script(header: Header, capfd: pytest.CaptureFixture[str]) -> None:
    before = random.getstate()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        runpy.run_path(header.path, run_name="__main__")
    out, err = capfd.readouterr()
    assert len(out.splitlines()) <= 8
    assert err == ""
    assert len(warned) == (1 if header.id == "graph/two-paths" else 0)
    assert random.getstate() == before


def test_making() -> None:
    names, _ = run("tensors/making")
    dtypes = {name: str(names[name].dtype).removeprefix("torch.") for name in ("a", "b", "zeros", "ones", "sevens")}
    assert dtypes == {"a": "int64", "b": "float32", "zeros": "float32", "ones": "float32", "sevens": "int64"}
    assert names["result"].dtype == torch.float64
    assert names["result"].tolist() == [[1.0] * 3] * 2
    assert names["room"].tolist() == [[0.25] * 3] * 2


def test_two_paths() -> None:
    names, _ = run("graph/two-paths")
    x, w, a, b, y = (names[name] for name in "xwaby")
    assert [tensor.shape for tensor in (x, w, a, b, y)] == [(1,)] * 5
    assert (a.item(), b.item(), y.item()) == (3.0, 2.0, 6.0)
    assert (w.grad.item(), x.grad.item()) == (1 * 2 + 1 * 3, 1 * 2)
    assert [tensor.is_leaf for tensor in (x, w, a, b, y)] == [True, True, False, False, False]
    with pytest.warns(UserWarning, match="not a leaf"):
        assert a.grad is None


def test_accumulate(capsys: pytest.CaptureFixture[str]) -> None:
    run("backprop/accumulate")
    said = [line.rpartition(" ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said == ["5.0", "10.0", "15.0", "20.0", "0.0", "None"]


def test_line_by_hand() -> None:
    w = 1.0
    gradients = []
    for _ in range(100):
        for x, target in ((1.0, 2.0), (2.0, 4.0), (3.0, 6.0)):
            gradients.append(2 * (w * x - target) * x)
            w -= 0.01 * gradients[-1]
    names, _ = run("training/line-by-hand")
    assert names["gradients"] == pytest.approx(gradients[:3], rel=1e-4)
    assert names["gradients"] == pytest.approx([-2, -7.84, -16.2288], rel=1e-4)
    assert names["forward"](4).item() == pytest.approx(w * 4, rel=1e-4)
    assert names["forward"](4).item() == pytest.approx(7.9999986, rel=1e-6)


@pytest.mark.parametrize(("slope", "iteration"), [("1", 84), ("2", 78), ("3", 72), ("5", 59)])
def test_linear_regression_stops(slope: str, iteration: int) -> None:
    names, _ = run("training/linear-regression", {"slope": slope})
    assert names["iteration"] == iteration
    assert names["loss"].item() < 1


def test_linear_regression_has_a_floor() -> None:
    assert run("training/linear-regression", {"stop": "10"})[0]["iteration"] == 0
    names, _ = run("training/linear-regression", {"stop": "0.1"})
    assert names["iteration"] == 999
    # The best line by the textbook's formula, in Python's own floats.
    xs, ys = (names[name].flatten().double().tolist() for name in "xy")
    mean_x, mean_y = sum(xs) / 20, sum(ys) / 20
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum((x - mean_x) ** 2 for x in xs)
    floor = sum(0.5 * (y - mean_y - slope * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True)) / 20
    assert floor == pytest.approx(0.46355, rel=1e-4)
    assert names["floor"].item() == pytest.approx(floor, rel=1e-4)
    assert names["loss"].item() > floor
