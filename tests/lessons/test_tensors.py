"""The lessons about tensors: the curriculum's figures, the answers to what they ask, and their exercises.

The code of a lesson is run plainly, cell by cell. Figures stand in the curriculum, or are worked out here
without torch.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from tutor import paths
from tutor.lesson.model import LANGUAGES, Cell, Lesson
from tutor.lesson.read import read

FAMILY = Path(paths.lessons_dir()) / "tensors"
LESSONS = {path.stem[3:]: path for path in sorted(FAMILY.glob("*.py"))}
IDS = ["first-look", "making", "ranges", "random", "attributes", "memory", "joining", "selecting", "shaping", "math",
       "matmul"]  # fmt: skip

ANSWERS: dict[str, list[object]] = {
    "first-look": [4.0],
    "making": [False, 3, True],
    "ranges": [[2, 4, 6, 8], 8 / 6, [1.0, 10.0, 100.0]],
    "random": [1, 5, 3],
    "attributes": [3, [2.0, 4.0, 6.0], True],
    "memory": [[99.0, 1.0], [[0, 1, 2], [100, 4, 5]], False],
    "joining": [[4, 3], [2, 2, 3], [3, 3, 1]],
    "selecting": [[3, 0, 0], [6]],
    "shaping": [[2, 6], [1, 2, 3, 1], False],
    "math": [[21.0, 50.0, 180.0], [-3.0, 10.0, 108.0], [3, 4]],
    "matmul": [[[10.0, 2.0], [30.0, 4.0]], [2, 4], 2],
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
            answers += [plain(eval(question, names)) for question in asked]
            asked = []
    return names, answers


def plain(value: object) -> object:
    return value.tolist() if isinstance(value, torch.Tensor) else value


def figures(slug: str) -> dict[str, Any]:
    return {name: plain(value) for name, value in run(slug)[0].items()}


def test_all_eleven_are_there_in_their_order() -> None:
    assert list(LESSONS) == IDS
    assert [path.name[:2] for path in LESSONS.values()] == [f"{place:02}" for place in range(1, 12)]


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
        nested = isinstance(right, list) and isinstance(right[0], list)
        assert answer == (pytest.approx(right, rel=1e-4) if isinstance(right, float | list) and not nested else right)


def test_making_chooses_types() -> None:
    names, _ = run("making")
    assert [names[name].dtype for name in ("a", "sevens")] == [torch.int64] * 2
    assert [names[name].dtype for name in ("b", "zeros", "ones", "halves", "identity")] == [torch.float32] * 5
    target = names["target"]
    assert (names["result"] is target, target.shape, target.dtype) == (True, (2, 3), torch.float64)


def test_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures("ranges")
    assert found["evens"] == [2, 4, 6, 8]
    assert found["gap"] == pytest.approx(1.3333, rel=1e-4)
    assert found["points"] == pytest.approx([2 + place * 8 / 6 for place in range(7)], rel=1e-4)
    assert found["tens"] == pytest.approx([1, 10, 100], rel=1e-4)
    assert found["twos"] == pytest.approx([1, 2, 4, 8], rel=1e-4)
    assert "linspace() received an invalid combination of arguments" in capsys.readouterr().out


def test_random_combines_means_and_spreads_in_four_ways(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures("random")
    assert found["first"] == found["third"] != found["second"]
    assert set(found["rolls"]) == {1, 2, 3, 4, 5}
    assert sorted(found["places"]) == list(range(5))
    assert (found["coins"][0], found["coins"][2]) == (0, 1)
    assert [len(found[name]) for name in ("pairs", "one_spread", "one_mean", "neither")] == [3, 3, 3, 4]
    assert found["pairs"][0] == found["one_mean"][0] == 0  # where the spread is zero
    assert "normal() received an invalid combination of arguments" in capsys.readouterr().out


def test_attributes() -> None:
    names, _ = run("attributes")
    w, total, plain = names["w"], names["total"], names["plain"]
    assert (w.requires_grad, w.is_leaf, w.grad_fn) == (True, True, None)
    assert (total.requires_grad, total.is_leaf, total.grad_fn.name()) == (True, False, "SumBackward0")
    assert (plain.requires_grad, plain.data_ptr()) == (False, w.data_ptr())
    assert type(names["v"]) is torch.Tensor


def test_memory_is_shared_or_copied() -> None:
    names, _ = run("memory")
    assert names["array"].tolist() == names["shared"].tolist() == [99, 50, 3]
    assert names["copied"].tolist() == [1, 2, 3]
    m, t, row, flat = (names[name] for name in ("m", "t", "row", "flat"))
    assert m.data_ptr() == t.data_ptr() == row.data_ptr() != flat.data_ptr()
    assert (m.stride(), t.stride(), t.is_contiguous()) == ((3, 1), (1, 3), False)
    assert flat.tolist() == [-1, 100, 1, 4, 2, 5]


def test_joining(capsys: pytest.CaptureFixture[str]) -> None:
    names, _ = run("joining")
    assert [list(names[name].shape) for name in ("below", "beside", "stacked")] == [[4, 3], [2, 6], [2, 2, 3]]
    parts = {name: [len(part) for part in names[name]] for name in ("thirds", "four_wanted", "pairs", "by_list")}
    assert parts == {"thirds": [3, 3, 1], "four_wanted": [2, 2, 2], "pairs": [2, 2, 2, 1], "by_list": [4, 1, 2]}
    assert "sum exactly to 7" in capsys.readouterr().out


def test_selecting() -> None:
    names: Names = {}
    changed: list[str] = []
    found = lesson("selecting")
    (asked,) = (cell for cell in found.cells if cell.question == "line")
    for cell in found.code_cells[:2]:
        do(cell.source, names)
    assert names["large"].tolist() == [6, 7, 8, 9, 10, 11]
    assert (names["mask"].dtype, list(names["mask"].shape)) == (torch.bool, [3, 4])
    assert (names["small"].tolist(), names["exactly"].tolist()) == ([0, 1, 2], [4, 5])
    for line in found.code_cells[2].source.splitlines():
        do(line, names)
        if eval(str(asked.of), names):
            changed.append(line)
    assert changed == ["row += 50"]


def test_shaping() -> None:
    names, _ = run("shaping")
    shapes = {name: list(names[name].shape) for name in ("cube", "flat", "bare", "first_gone", "same", "as_row")}
    assert shapes == {"cube": [2, 3, 2], "flat": [12], "bare": [2, 3], "first_gone": [2, 3, 1],
                      "same": [1, 2, 3, 1], "as_row": [1, 4]}  # fmt: skip
    assert list(names["as_column"].shape) == [4, 1]
    assert names["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert names["refilled"].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_math() -> None:
    found = figures("math")
    a, b, u = [1, 10, 100], [2, 4, 8], [-1, 0, 0.5]
    assert (found["a"], found["b"], found["u"]) == (a, b, u)
    close = {
        "cmul": [-3, 10, 108],
        "cdiv": [0, 10, 100.125],
        "total": [x + 10 * y for x, y in zip(a, b, strict=True)],
        "minus": [-1, 6, 92],
        "times": [2, 40, 800],
        "ratio": [0.5, 2.5, 12.5],
        "twos": [math.log2(y) for y in b],
        "digits": [math.log10(x) for x in a],
        "back": a,
        "squares": [4, 16, 64],
        "sizes": [1, 0, 0.5],
        "ones": [1, 1, 1],
    }
    assert {name: found[name] for name in close} == {
        name: pytest.approx(right, rel=1e-4, abs=1e-6) for name, right in close.items()
    }
    assert found["grid"] == [[x + y for y in (0, 10, 20, 30)] for x in (1, 2, 3)]


def test_matmul(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures("matmul")
    assert found["elements"] == [[10, 0], [0, 4]]
    assert found["dot"] == 1 * 4 + 2 * 5 + 3 * 6
    assert found["works"] == [True, False]
    said = capsys.readouterr().out
    assert "shapes cannot be multiplied (3x4 and 2x3)" in said
    assert "same dtype" in said


# What a learner might try, and a word of what the check should say then. The starter, untouched, comes first.
TRIES: dict[str, list[tuple[str, str]]] = {
    "making": [
        ("", "still torch.int64"),
        ("scores = torch.full((4,), 7)\nscores[0] = torch.tensor(7.5)", "still torch.int64"),
        ("scores = torch.full((4,), 7.5)", "others should still have 7"),
        ("scores = torch.full((4,), 7).float()", "should have 7.5"),
    ],
    "ranges": [
        ("", "11 marks"),
        ("axis = torch.linspace(0, 1, 10)", "counts points"),
        ("axis = torch.linspace(0, 1.1, 11)", "last mark"),
        ("axis = torch.arange(0, 1.2, 0.1)", "11 marks"),
        ("axis = torch.logspace(-1, 0, 11)", "first mark"),
    ],
    "random": [
        ("", "are torn"),
        ("x = torch.arange(8.0)\ny = 10 * x", "nothing is shuffled"),
        ("x = torch.randint(0, 8, (8,)).float()\ny = 10 * x", "are gone"),
    ],
    "memory": [
        ("", "looks at the storage"),
        ("weights = torch.tensor([[1., 2.], [3., 4.]])\nbefore = weights.flatten()\nweights *= 10\nchange = weights",
         "looks at the storage"),
        ("weights = torch.tensor([[1., 2.], [3., 4.]])\nweights *= 10\nbefore = weights.clone()\nchange = weights",
         "before the weights grow"),
        ("weights = torch.tensor([[1., 2.], [3., 4.]])\nbefore = weights.clone()\nchange = weights - before",
         "grow tenfold"),
    ],
    "joining": [
        ("", "not filled in"),
        ("three = torch.cat([monday, tuesday, wednesday])\nfive = torch.cat([three, more.flatten()])", "into one row"),
        ("three = torch.stack([monday, tuesday, wednesday], dim=1)\nfive = ...", "stand as columns"),
        ("three = torch.stack([monday, tuesday, wednesday])", "five is not filled in"),
        ("three = torch.stack([monday, tuesday, wednesday])\nfive = torch.cat([more, three])", "more below it"),
    ],
    "selecting": [
        ("", "not filled in"),
        ("good = raw > -50", "mask itself"),
        ("good = raw[raw > -50]", "repaired is not filled in"),
        ("good = raw[raw > -50]\nrepaired = raw\nrepaired[raw < -50] = good.mean()", "clone"),
        ("good = raw[raw > -50]\nrepaired = good.clone()", "all five"),
        ("good = raw[raw > -50]\nrepaired = raw.clone()", "still has broken"),
        ("good = raw[raw > -50]\nrepaired = raw.clone()\nrepaired[raw < -50] = 0", "mean of"),
    ],
    "shaping": [
        ("", "eight rows of three"),
        ("rows = pictures.reshape(-1)", "one long row"),
        ("rows = pictures.reshape(-1, 3).T", "turn a wrong reshape over"),
        ("rows = pictures.reshape(6, -1)", "a row per picture"),
    ],
    "math": [
        ("", "means of the rows"),
        ("centred = table - table.mean(dim=0)", "Now the columns"),
        ("centred = table - table.mean()", "means of the rows"),
        ("centred = torch.zeros(3, 3)", "Row 1"),
        ("centred = table[0]", "3 by 3"),
    ],
    "matmul": [
        ("", "not filled in"),
        ("out = samples @ weight.T", "add the bias"),
        ("out = samples @ weight.reshape(3, 2) + bias", "transpose it"),
        ("out = weight @ samples.T", "shape [5, 2]"),
    ],
}  # fmt: skip


def parts_of_exercise(found: Lesson) -> dict[str, Cell]:
    return {cell.kind: cell for cell in found.code_cells if cell.kind in ("exercise", "solution", "check")}


@pytest.mark.parametrize("slug", TRIES)
def test_an_exercise_is_passed_by_its_solution_and_helps_otherwise(slug: str) -> None:
    found = lesson(slug)
    parts = parts_of_exercise(found)
    before = found.code_cells[: parts["exercise"].number - 1]  # type: ignore[operator]
    names: Names = {}
    for cell in before:
        do(cell.source, names)
    for wrong, helps in TRIES[slug]:
        do(parts["exercise"].source, names)
        do(wrong, names)
        with pytest.raises(AssertionError, match=helps.replace("[", r"\[")):
            do(parts["check"].source, names)
    starter = set(names)
    do(parts["solution"].source, names)
    do(parts["check"].source, names)
    assert set(parts) == {"exercise", "solution", "check"}
    assert {name for name in names if name not in starter} <= {"order"}


@pytest.mark.parametrize("slug", TRIES)
def test_an_exercise_has_two_hints(slug: str) -> None:
    assert [cell.kind for cell in lesson(slug).cells].count("hint") == 2
