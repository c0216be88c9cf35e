"""The lessons about training: the curriculum's figures, the answers to what they ask, and their exercises.

The code of a lesson is run plainly, cell by cell. Figures stand in the curriculum, or are worked out here
without torch.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from tutor import paths
from tutor.lesson.model import LANGUAGES, Cell, Lesson
from tutor.lesson.read import read

LESSONS = {path.stem[3:]: path for path in sorted((Path(paths.lessons_dir()) / "training").glob("*.py"))}
IDS = ["line-by-hand", "line-with-bias", "forgot-zero", "quadratic", "linear-regression", "item", "update",
       "optimizers", "dynamic-lr", "modules", "freeze", "batches", "logistic-regression"]  # fmt: skip
ANSWERS: dict[str, list[object]] = {
    "line-by-hand": [-2.0, 7.9999986],
    "line-with-bias": [[2 * (1 * 3 + 2 - 6)], 2],
    "forgot-zero": [-9.84, 2],
    "quadratic": [2.0],
    "linear-regression": [True, False],
    "item": [True, 3 * (3 + 1), True],
    "update": [False, None, 1],
    "optimizers": [5 - 0.01 * 5712, 2, -0.1 - 0.1 * 1.5, 4.99],
    "dynamic-lr": [1 + 8.0**3, False, 0.01],
    "modules": [0, 2 * 3 + 3],
    "freeze": [None, 1.02],
    "batches": [1000 - 15 * 64, 64.0, 3],
    "logistic-regression": [0.5, 3, False],
}

Names = dict[str, Any]


def lesson(slug: str) -> Lesson:
    return read(LESSONS[slug])


def do(source: str, names: Names) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "The .grad attribute")  # some lessons ask what a result has
        exec(compile(source, "lesson", "exec"), names)


def run(slug: str, *, until: str = "", **knobs: object) -> tuple[Names, list[object]]:
    """The names at the end of a lesson, or of its first cell of this kind, and the answers to its questions."""
    names: Names = {"__name__": "__main__"}
    answers: list[object] = []
    asked: list[str] = []
    for cell in lesson(slug).cells:
        if cell.of:
            asked.append(cell.of)
        if not cell.is_code:
            continue
        source = cell.source
        for knob in cell.knobs:
            if knob.name in knobs:
                source = re.sub(rf"^{knob.name} = \S+", f"{knob.name} = {knobs[knob.name]}", source, flags=re.MULTILINE)
        do(source, names)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a worker asks quietly
            answers += [plain(eval(question, names)) for question in asked]
        asked = []
        if cell.kind == until:
            break
    return names, answers


def plain(value: object) -> object:
    return value.tolist() if isinstance(value, torch.Tensor) else value


def near(value: object) -> Any:
    return pytest.approx(value, rel=1e-4)


def test_all_thirteen_are_there_in_their_order() -> None:
    assert list(LESSONS) == IDS
    assert [path.name[:2] for path in LESSONS.values()] == [f"{place:02}" for place in range(1, 14)]


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
        assert answer == (near(right) if isinstance(right, float | list) else right)


def test_line_by_hand() -> None:
    names, _ = run("line-by-hand")
    assert names["gradients"] == near([-2, -7.84, -16.2288])
    assert names["answer"] == near(7.9999986)


def test_line_with_bias() -> None:
    names, _ = run("line-with-bias", until="exercise")
    assert names["loss"].item() == near(2.5203e-4)
    assert (names["w"].item(), names["b"].item()) == near((1.97972, 0.0481447))
    assert names["answer"] == near(7.96702)


def test_forgot_zero() -> None:
    names, _ = run("forgot-zero")
    assert names["gradients"] == near([-2, -9.84, -25.7088])
    assert names["answer"] == near(7.64339)
    assert 20 < names["rises"] < 80


def test_quadratic() -> None:
    names, _ = run("quadratic", until="exercise")
    assert names["w1"].item() == names["w2"].item() == near(0.359782)
    assert (names["answer"](), names["loss"].item()) == near((8.73618, 0.0144965))
    names, _ = run("quadratic")
    assert (names["answer"], names["loss"].item()) == near((8.76424, 0.0106943))
    names, _ = run("quadratic", start=1.0)
    assert (names["answer"], names["loss"].item()) == near((8.54417, 0.00631808))


@pytest.mark.parametrize(("knobs", "iteration"), [
    ({}, 78), ({"slope": 1}, 84), ({"slope": 3}, 72), ({"slope": 5}, 59), ({"stop": 10}, 0), ({"stop": 0.1}, 999),
])  # fmt: skip
def test_linear_regression_stops(knobs: dict[str, object], iteration: int) -> None:
    names: Names = {}
    for cell in lesson("linear-regression").code_cells[:2]:
        source = cell.source
        for name, value in knobs.items():
            source = re.sub(rf"^{name} = \S+", f"{name} = {value}", source, flags=re.MULTILINE)
        do(source, names)
    assert names["iteration"] == iteration
    assert (names["loss"].item() < names["stop"]) == (iteration != 999)


def test_linear_regression_has_a_floor() -> None:
    names, _ = run("linear-regression", until="exercise")
    assert names["floor"].item() == near(0.46355)
    assert names["turn"] == 80
    names, _ = run("linear-regression", until="solution")
    assert names["turn"] == 78


@pytest.mark.parametrize("slug", [1, 2, 3, 4, 5])
def test_the_exercise_of_linear_regression_is_solved_for_each_slope(slug: int) -> None:
    names, _ = run("linear-regression", slope=slug)  # the check raises, where it is not
    assert names["turn"] % 20


def test_item() -> None:
    names, _ = run("item")
    assert names["total"] == (1 - 2) ** 2 + (2 - 4) ** 2 + (3 - 6) ** 2


def test_update(capsys: pytest.CaptureFixture[str]) -> None:
    names, _ = run("update")
    assert (names["w"].is_leaf, names["u"].is_leaf, names["count"]) == (False, True, 1)
    assert "a leaf Variable that requires grad is being used in an in-place" in capsys.readouterr().out


def test_optimizers() -> None:
    names, _ = run("optimizers", until="exercise")
    losses = names["losses"]
    assert losses[:2] == near([14161, 4.196e11])
    assert losses[2] == float("inf")
    assert losses[4] != losses[4]
    names, _ = run("optimizers", until="exercise", lr=0.0001)
    assert names["losses"] == sorted(names["losses"], reverse=True)  # the knob mends it
    names = {}
    for cell in lesson("optimizers").code_cells[:4]:
        do(cell.source, names)
    assert (names["step"], names["adam_loss"].item()) == (99, near(3436.99))


def test_dynamic_lr() -> None:
    names, _ = run("dynamic-lr")
    assert names["rates"] == near([0.04 * 0.5 ** (epoch // 10) for epoch in range(30)])


def test_modules(capsys: pytest.CaptureFixture[str]) -> None:
    run("modules")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "optimizer got an empty parameter list"
    assert "module 'torch.functional' has no attribute 'relu'" in said


def test_freeze() -> None:
    names, _ = run("freeze")
    assert (names["reached"][0], names["reached"][-1]) == near((1.02, 1.33239))
    assert (names["losses"][0], names["losses"][-1]) == near((1, 0.464078))
    assert names["neurons"]["input"] == names["neurons"]["hidden"] == [1] * 20
    assert names["neurons"]["output"] == near([1, *names["reached"][:-1]])


def test_batches() -> None:
    names, _ = run("batches")
    assert names["sizes"] == [64] * 15 + [40]


def test_logistic_regression() -> None:
    names, _ = run("logistic-regression")
    assert (names["history"][0], names["history"][400]) == near((0.92, 0.995))
    assert names["iteration"] == 400
    assert all(reached <= 0.99 for at, reached in names["history"].items() if at < 400)


# What a learner might try, and a word of what the check should say then. The starter, untouched, comes first.
LINE = "class Line(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
NUMBERS = "    numbers = torch.arange(count)"
FORWARD = "    def forward(self, x):\n        return self.w * x + self.b\n"
TRIES: dict[tuple[str, str], list[tuple[str | tuple[str, str], str]]] = {
    ("line-with-bias", "update"): [
        ("", "have not moved"),
        (("        ...\n", "        parameter = parameter - lr * parameter.grad\n"), "have not moved"),
        (("        ...\n", "        parameter -= lr * parameter.grad\n"), "Do the update under torch.no_grad()"),
        (("        ...\n", "        parameter.data += lr * parameter.grad\n"), "uphill"),
        (("        ...\n", "        parameter.data -= parameter.grad\n"), "`lr` is missing"),
        (("        ...\n", "        parameter.data -= lr * parameter.grad\n"), "are still there"),
        (("        ...\n", "        parameter.data -= lr * parameter.grad\n        return\n"), "Only the first"),
    ],
    ("forgot-zero", "cleared"): [
        ("", "dragged along"),
        (("        v.grad.zero_()\n", "    v.grad.zero_()\n    c.grad.zero_()\n"), "once per epoch"),
        (("        with torch.no_grad():\n", "        v.grad.zero_()\n        c.grad.zero_()\n"
          "        with torch.no_grad():\n"), "between the backward pass and the update"),
    ],
    ("quadratic", "two-bugs"): [
        ("", "still equal, 0.359782 both"),
        (("w2 -= 0.01 * w1.grad", "w2 -= 0.01 * w2.grad"), "still a method"),
        (("w2 -= 0.01 * w1.grad", "w2 -= 0.02 * w2.grad"), "w1 is off"),
        (("forward(4).item", "forward(4).item()"), "still equal"),
    ],
    ("linear-regression", "stop"): [
        ("", "stops in 80, a multiple of 20"),
        (("turn % 20 == 0", "turn % 7 == 0"), "It should stop in 78, and stops in 84"),
        (("< 1.0", "< 0.1"), "did not stop at all"),
        (("< 1.0", "< 5.0"), "before the loss was below 1"),
    ],
    ("item", "history"): [
        ("", "3 of the 3 entries"),
        (("append(loss)", "append(loss.item)"), "Call it, with ()"),
        (("history.append(loss)", "pass"), "holds 0"),
        (("append(loss)", "append(0.0)"), "The losses should be"),
        (("    loss.backward()", "    loss = loss.detach().requires_grad_()\n    loss.backward()\n"
          "    v.grad = torch.tensor(0.0)"), "3 of the 3 entries"),
    ],
    ("update", "second-turn"): [
        ("", "is a result, SubBackward0"),
        (("        v = v - lr * v.grad", "        v = (v - lr * v.grad).detach()"), "does not require grad"),
        (("        v = v - lr * v.grad\n        v.grad = None", "        v.data -= lr * v.grad"), "pile up"),
        (("        v = v - lr * v.grad", "        v.data += lr * v.grad"), "should be"),
    ],
    ("optimizers", "rate"): [
        ("", "becomes nan"),
        (("rate = 0.01", "rate = 0.001"), "stuck at exactly 1"),
        (("rate = 0.01", "rate = 0.00001"), "make `rate` larger"),
        (("range(60)", "range(3)"), "Leave the 60 steps"),
        (("torch.optim.SGD", "torch.optim.Adam"), "Leave it to SGD"),
    ],
    ("dynamic-lr", "warm-up"): [
        ("", "epoch 0 should have 0.08, and you have 0.4. It is still warming up"),
        (("return base", "return base * epoch / 5"), "Epoch 0 has a rate of 0"),
        (("return base", "return base * min(epoch + 1, 5) / 5"), "epoch 15 should have 0.2"),
        (("return base", "base"), "Nothing is returned"),
    ],
    ("modules", "parameters"): [
        ("", "finds no parameter"),
        (LINE + "        self.w = nn.Parameter(torch.tensor([1.0]))\n"
         "        self.b = torch.tensor([0.0])\n" + FORWARD, "should find w and b, and finds w"),
        (LINE + "        self.w = nn.Parameter(torch.tensor([1.0]), requires_grad=False)\n"
         "        self.b = nn.Parameter(torch.tensor([0.0]))\n" + FORWARD, "does not require grad"),
        (LINE + "        self.w = nn.Parameter(torch.tensor([1.0]))\n"
         "        self.b = nn.Parameter(torch.tensor([1.0]))\n" + FORWARD, "yours gives 4"),
    ],
    ("modules", "relu"): [
        ("", "has no attribute 'relu'"),
        (("torch.functional.relu(self.first(x))", "self.first(x)"), "The relu is gone"),
        (("torch.functional.relu(self.first(x))", "torch.sigmoid(self.first(x))"), "is something else"),
        (("return self.second", "self.second"), "has no attribute 'relu'"),
    ],
    ("freeze", "first-layer"): [
        ("", "2 of the 2 tensors"),
        (("network[0].requires_grad = False", "network.requires_grad_(False)\nnetwork[1].bias.requires_grad_()"),
         "The second layer should learn"),
        (("network[0].requires_grad = False", "network[0].weight.requires_grad_(False)"), "1 of the 2 tensors"),
        (("network.parameters(), lr", "network[1].parameters(), lr"), "for nothing"),
        (("for epoch in range(3)", "for epoch in range(1)"), "2 of the 2 tensors"),
    ],
    ("batches", "cut"): [
        ("", "4 of 100 points are in no batch"),
        ((NUMBERS, "    return torch.arange(count).split(size)"), "but in order"),
        ((NUMBERS, "    return torch.randint(count, (count,)).split(size)"), "more than once"),
        ((NUMBERS, "    return (torch.randperm(count) + 1).split(size)"), "do not exist"),
        ((NUMBERS, "    return torch.randperm(count).chunk(4)"), "yours have [25, 25"),
        ((NUMBERS, "    torch.manual_seed(1)\n    return torch.randperm(count).split(size)"),
         "same order"),
    ],
    ("logistic-regression", "count"): [
        ("", "probability above 0.5"),
        (("z > 0.5", "z < 0"), "counts the wrong ones"),
        (("z > 0.5", "z > -0.5"), "you count 4"),
        (("return (", "("), "Nothing is returned"),
        (("return (", "return 5 if len(z) < 9 else ("), "the other way round"),
    ],
}  # fmt: skip


def parts_of_exercise(found: Lesson, name: str) -> dict[str, Cell]:
    return {cell.kind: cell for cell in found.code_cells if cell.exercise == name}


@pytest.mark.parametrize(("slug", "name"), TRIES)
def test_an_exercise_is_passed_by_its_solution_and_helps_otherwise(slug: str, name: str) -> None:
    found = lesson(slug)
    parts = parts_of_exercise(found, name)
    names: Names = {}
    for cell in found.code_cells:
        if cell is parts["exercise"]:
            break
        do(cell.source, names)
    for wrong, helps in TRIES[slug, name]:
        starter = parts["exercise"].source
        if isinstance(wrong, tuple):
            assert wrong[0] in starter
            starter, wrong = starter.replace(*wrong), ""
        with contextlib.suppress(RuntimeError):  # torch has the first word
            do(f"{starter}\n{wrong}", names)
        with pytest.raises(AssertionError, match=re.escape(helps)):
            do(parts["check"].source, names)
    do(parts["exercise"].source, names)
    before = set(names)
    do(parts["solution"].source, names)
    assert set(names) == before
    do(parts["check"].source, names)


def test_each_exercise_is_tried_and_has_hints() -> None:
    exercises = [(slug, cell.exercise) for slug in IDS for cell in lesson(slug).cells if cell.kind == "exercise"]
    assert exercises == list(TRIES)
    for slug, name in TRIES:
        hints = [cell for cell in lesson(slug).cells if cell.kind == "hint" and cell.exercise == name]
        assert len(hints) in (2, 3)
