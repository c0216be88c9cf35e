"""The lessons about pitfalls: what torch says to each mistake, the answers to what they ask, and their bug hunts.

The code of a lesson is run plainly, cell by cell. Figures are worked out here without torch.
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

LESSONS = {path.stem[3:]: path for path in sorted((Path(paths.lessons_dir()) / "pitfalls").glob("*.py"))}
IDS = ["to-makes-nonleaf", "item-too-early", "detached-loss", "broadcast-loss", "carried-state", "numpy-and-grad",
       "plain-tensor-module", "eval-and-no-grad", "gan-order", "nan-where", "list-of-tensors"]  # fmt: skip
PAIRS = [(i - j) ** 2 for i in range(1, 5) for j in range(1, 5)]
ANSWERS: dict[str, list[object]] = {
    "to-makes-nonleaf": [None, True],
    "item-too-early": [None],
    "detached-loss": [3, 2 * (2.0 * 3 - 5) * 3],
    "broadcast-loss": [sum(PAIRS) / 16, 3],
    "carried-state": [1, 2],
    "numpy-and-grad": [[100.0]],
    "plain-tensor-module": [0, [2.0]],
    "eval-and-no-grad": [True, 2],
    "gan-order": [None],
    "nan-where": [3, [0.0, 1 / (2 * math.sqrt(4))]],
    "list-of-tensors": [False, 2 + 2 * 3.0],
}
# Torch's own words: the lesson prints them, or they are a warning.
SAYS = {
    "to-makes-nonleaf": "can't optimize a non-leaf Tensor",
    "item-too-early": "'float' object has no attribute 'backward'",
    "detached-loss": "element 0 of tensors does not require grad and does not have a grad_fn",
    "broadcast-loss": "Using a target size (torch.Size([4])) that is different to the input size (torch.Size([4, 1]))",
    "carried-state": "Trying to backward through the graph a second time",
    "numpy-and-grad": "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
    "plain-tensor-module": "optimizer got an empty parameter list",
    "gan-order": "one of the variables needed for gradient computation has been modified by an inplace operation",
    "list-of-tensors": "element 0 of tensors does not require grad and does not have a grad_fn",
}
# The line that is to blame, where a lesson asks for it.
GUILTY = {"item-too-early": "loss = (off**2).item()", "gan-order": "judge.step()"}

Names = dict[str, Any]


def lesson(slug: str) -> Lesson:
    return read(LESSONS[slug])


def do(source: str, names: Names) -> list[str]:
    """Runs a cell; gives what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(compile(source, "lesson", "exec"), names)
    return [str(one.message) for one in caught]


def run(slug: str) -> tuple[Names, list[object], list[str]]:
    """The names at the end of a lesson, the answers to its questions, save those for a line, and the warnings."""
    names: Names = {"__name__": "__main__"}
    answers: list[object] = []
    warned: list[str] = []
    asked: list[str] = []
    for cell in lesson(slug).cells:
        if cell.of and cell.question != "line":
            asked.append(cell.of)
        if cell.is_code:
            warned += do(cell.source, names)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a non-leaf's grad
                answers += [plain(eval(question, names)) for question in asked]
            asked = []
    return names, answers, warned


def until_exercise(slug: str) -> Names:
    """The names when the walk comes to the exercise."""
    names: Names = {"__name__": "__main__"}
    for cell in lesson(slug).code_cells:
        if cell.kind == "exercise":
            break
        do(cell.source, names)
    return names


def plain(value: object) -> object:
    return value.tolist() if isinstance(value, torch.Tensor) else value


def test_all_eleven_are_there_in_their_order() -> None:
    assert list(LESSONS) == IDS
    assert [path.name[:2] for path in LESSONS.values()] == [f"{place:02}" for place in range(1, 12)]


@pytest.mark.parametrize("slug", IDS)
def test_every_text_is_there_in_both_languages(slug: str) -> None:
    found = lesson(slug)
    assert set(found.header.title) == set(found.header.summary) == set(LANGUAGES)
    assert all(set(cell.text) == set(LANGUAGES) for cell in found.cells if not cell.is_code)


@pytest.mark.parametrize("slug", IDS)
def test_the_answers_are_those_of_the_arithmetic(slug: str) -> None:
    _, answers, _ = run(slug)
    assert len(answers) == len(ANSWERS[slug])
    for found, want in zip(answers, ANSWERS[slug], strict=True):
        assert type(found) is type(want)
        assert found == (want if want is None or isinstance(want, bool) else pytest.approx(want, rel=1e-4))


@pytest.mark.parametrize("slug", SAYS)
def test_torch_says_to_it_what_the_facts_say(slug: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, warned = run(slug)
    assert SAYS[slug] in capsys.readouterr().out + "\n".join(warned)


@pytest.mark.parametrize("slug", sorted(set(IDS) - {"broadcast-loss", "list-of-tensors"}))
def test_the_other_mistakes_are_not_warned_of(slug: str) -> None:
    assert run(slug)[2] == []


@pytest.mark.parametrize("slug", GUILTY)
def test_a_lesson_asks_for_the_guilty_line(slug: str) -> None:
    found = lesson(slug)
    (asked,) = (cell for cell in found.cells if cell.question == "line")
    names: Names = {}
    lines = found.code_cells[0].source.splitlines()
    for line in lines[: lines.index("try:")]:
        do(line, names)
        try:
            held = bool(eval(str(asked.of), names))
        except NameError:
            held = False
        if held:
            assert line == GUILTY[slug]
            return
    pytest.fail("no line is to blame")


# ---------------------------------------------------------------- what the prose claims


def test_the_moved_weight_is_no_leaf_and_the_marked_one_has_the_gradient() -> None:
    names = until_exercise("to-makes-nonleaf")
    w = names["w"]
    assert (w.is_leaf, w.grad_fn.name(), w.dtype) == (False, "ToCopyBackward0", torch.float64)
    marked = w.grad_fn.next_functions[0][0].variable
    assert (marked.grad.item(), marked.grad.dtype) == (2 * 1.0, torch.float32)
    assert names["v"].grad_fn is None


def test_the_number_made_a_tensor_again_keeps_the_gradient_for_itself() -> None:
    names = until_exercise("item-too-early")
    assert (names["loss"], names["again"].grad.tolist()) == ((1 * 3 - 6) ** 2, [1])


def test_the_cut_part_counts_in_the_loss_and_brings_nothing() -> None:
    names = until_exercise("detached-loss")
    assert names["loss"].item() == (2 * 3 - 5) ** 2 + 2**2
    assert (names["fit"].requires_grad, names["size"].requires_grad) == (True, False)


def test_each_guess_is_pulled_towards_the_mean_of_the_targets() -> None:
    names = until_exercise("broadcast-loss")
    assert names["apart"].shape == (4, 4)
    assert names["loss"].item() == pytest.approx(2.5)
    pulls = [-sum(2 * (guess - target) for target in range(1, 5)) / 16 for guess in range(1, 5)]
    assert names["pull"].flatten().tolist() == pytest.approx(pulls)
    assert names["pull"].flatten().tolist() == pytest.approx([(2.5 - guess) / 2 for guess in range(1, 5)])
    # With shapes alike, a right guess has neither loss nor pull.
    right = torch.nn.functional.mse_loss(names["guess"].squeeze(1), names["target"])
    (pull,) = torch.autograd.grad(right, names["guess"])
    assert (right.item(), pull.abs().sum().item()) == (0, 0)


def test_binary_cross_entropy_refuses_such_shapes() -> None:
    with pytest.raises(ValueError, match="Using a target size"):
        torch.nn.functional.binary_cross_entropy(torch.full((4, 1), 0.5), torch.ones(4))


def test_each_pass_with_a_kept_graph_is_longer() -> None:
    names = until_exercise("carried-state")
    h, tanhs = names["h"].grad_fn, 0
    while h is not None:
        assert h.name() == "TanhBackward0"
        tanhs += 1
        h = h.next_functions[0][0].next_functions[1][0]
    assert tanhs == 3
    # The gradient by hand: each turn's loss, back through all turns before it.
    values, slope, slopes, before = [], 0.0, 0.0, 0.0
    for x in (1.0, 2.0, 3.0):
        before = math.tanh(0.5 * x + before)
        slope = (1 - before**2) * (x + slope)
        slopes += 2 * (before - 0.5) * slope
        values.append(before)
    assert names["w"].grad.item() == pytest.approx(slopes, rel=1e-4)
    assert names["h"].item() == pytest.approx(values[-1], rel=1e-4)


def test_a_kept_graph_fails_all_the_same_once_an_optimizer_steps() -> None:
    w = torch.tensor(0.5, requires_grad=True)
    u = torch.tensor(0.5, requires_grad=True)
    optimizer = torch.optim.SGD([w, u], lr=0.1)
    h = torch.tanh(w)
    ((h - 0.5) ** 2).backward(retain_graph=True)
    optimizer.step()
    h = torch.tanh(w * 2 + u * h)
    ((h - 0.5) ** 2).backward(retain_graph=True)
    optimizer.step()
    h = torch.tanh(w * 3 + u * h)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        ((h - 0.5) ** 2).backward(retain_graph=True)


def test_numpy_wrote_into_what_was_saved() -> None:
    names = until_exercise("numpy-and-grad")
    growth = names["growth"]
    assert (growth.item(), growth._version) == (100, 0)
    assert names["percent"].__array_interface__["data"][0] == growth.data_ptr()


def test_a_copy_is_safe_to_write_to() -> None:
    w = torch.tensor([0.0], requires_grad=True)
    growth = w.exp()
    growth.detach().numpy().copy()[0] = 100
    growth.backward()
    assert w.grad is not None
    assert w.grad.item() == 1


def test_the_plain_tensor_has_a_gradient_and_is_in_no_list() -> None:
    model = until_exercise("plain-tensor-module")["model"]
    names = {"layer.weight", "layer.bias"}
    assert {name for name, _ in model.named_parameters()} == set(model.state_dict()) == names
    assert model.scale.grad is not None
    moved = model.to(torch.float64)
    assert (moved.layer.weight.dtype, moved.scale.dtype) == (torch.float64, torch.float32)


def test_dropout_ignores_no_grad_and_the_graph_ignores_eval() -> None:
    names = until_exercise("eval-and-no-grad")
    assert names["y"].tolist() == [3] * 6
    assert set(names["z"].tolist()) == {0, 6}
    assert not names["z"].requires_grad


def test_batch_norm_learns_from_a_test_under_no_grad() -> None:
    norm = torch.nn.BatchNorm1d(1)
    with torch.no_grad():
        norm(torch.tensor([[10.0], [20.0]]))
    assert norm.running_mean is not None
    assert norm.running_mean.item() == pytest.approx(0.1 * 15)


def test_the_judges_pass_reached_the_forger_in_the_first_order() -> None:
    names: Names = {}
    first, second = lesson("gan-order").code_cells[:2]
    do(first.source, names)
    g, d, lr = 0.5, 0.8, 0.01
    assert names["g"].grad.item() == pytest.approx(2 * d * 2 * g * d * 2, rel=1e-4)
    d -= lr * (2 * d * (2 * g) ** 2 + 2 * (3 * d - 1) * 3)
    assert names["d"].item() == pytest.approx(d, rel=1e-4)
    do(second.source, names)
    d -= lr * (2 * d * (2 * g) ** 2 + 2 * (3 * d - 1) * 3)
    g -= lr * 2 * (2 * d * g - 1) * 2 * d
    assert (names["g"].item(), names["d"].item()) == pytest.approx((g, d), rel=1e-4)


def test_where_gives_the_right_value_and_a_gradient_of_nan() -> None:
    names = until_exercise("nan-where")
    assert names["y"].tolist() == names["z"].tolist() == [0, 2]
    first, second = names["x"].grad.tolist()
    assert math.isnan(first)
    assert second == 0.25


def test_anomaly_detection_names_the_node_of_the_first_nan() -> None:
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    with warnings.catch_warnings(), torch.autograd.set_detect_anomaly(True):
        warnings.simplefilter("ignore")
        y = torch.where(x > 0, x.sqrt(), 0.0).sum()
        with pytest.raises(RuntimeError, match="SqrtBackward0' returned nan"):
            y.backward()


def test_to_mark_what_torch_tensor_made_brings_nothing() -> None:
    a = torch.tensor(3.0, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.tensor([a * 2, a * a], requires_grad=True).sum().backward()
    assert a.grad is None


# ---------------------------------------------------------------- the bug hunts

# What a learner might try, and a word of what the check should say then. The starter, untouched, comes first.
TRIES: dict[str, list[tuple[str, str]]] = {
    "to-makes-nonleaf": [
        ("", "still a computed tensor (ToCopyBackward0)"),
        ("weights = torch.tensor([1.0, 3.0], requires_grad=True)", "should be float64, and are torch.float32"),
        ("weights.retain_grad()", "no leaf: the optimizer will not have it"),
        ("weights = weights.detach()", "it is not marked"),
        ("weights = weights.detach().requires_grad_()", "no gradient has reached it"),
        ("weights = torch.tensor([1.0, 3.0]).to(torch.float64).requires_grad_()\n(weights**2).sum().backward()",
         "should be [0.8, 2.4], and are [1.0, 3.0]"),
    ],
    "item-too-early": [
        ("", "v is still 1"),
        ("for turn in range(3):\n    optimizer.zero_grad()\n    miss = (v * 3 - 6) ** 2\n    miss.backward()\n"
         "    optimizer.step()\n    history.append(miss)", "`history` should hold three losses, and holds 6"),
        ("history = []\nfor turn in range(3):\n    optimizer.zero_grad()\n    miss = (v * 3 - 6) ** 2\n"
         "    miss.backward()\n    optimizer.step()\n    history.append(miss)", "keeps its whole graph in memory"),
        ("history = []\nfor turn in range(3):\n    miss = (v * 3 - 6) ** 2\n    miss.backward()\n"
         "    optimizer.step()\n    history.append(miss.item())", "After three turns v should be 1.999"),
    ],
    "detached-loss": [
        ("", "`first` gets nothing"),
        ("first.grad = second.grad = None\nhidden = torch.relu(first * 4)\nanswer = hidden * second\n"
         "loss = (answer - 1) ** 2 + 0.5 * second.data**2\nloss.backward()", "there is another cut"),
        ("first.grad = second.grad = None\nhidden = torch.relu(first * 4).detach()\nanswer = hidden * second\n"
         "loss = (answer - 1) ** 2 + 0.5 * second**2\nloss.backward()", "`first` gets nothing"),
        ("first.grad = second.grad = None\nloss = (torch.relu(first * 4) * second - 1) ** 2\nloss.backward()",
         "should stay 11, and is 9"),
    ],
    "broadcast-loss": [
        ("", "still all against all"),
        ("def cost(answers, targets):\n    return ((answers.T - targets) ** 2).sum()", "not their mean"),
        ("def cost(answers, targets):\n    return (answers.squeeze(1) - targets) ** 2", "a single number, and gives 3"),
        ("def cost(answers, targets):\n    return (answers.mean() - targets.mean()) ** 2", "only one guess is wrong"),
        ("def cost(answers, targets):\n    ((answers.squeeze(1) - targets) ** 2).mean()", "should give a tensor"),
    ],
    "carried-state": [
        ("", "the past still has a say"),
        ("u.grad, slopes = None, []\nfor x in [1.0, -1.0, 2.0]:\n    state = torch.tanh(u * x)\n"
         "    loss = (state - 0.5) ** 2\n    loss.backward()\n    slopes.append(u.grad.item())\n    u.grad = None",
         "begins with an empty state"),
        ("u.grad, slopes, state = None, [], torch.tensor(0.0)\nfor x in [1.0, -1.0, 2.0]:\n"
         "    state = torch.tanh(u * x + state.detach())\n    loss = (state - 0.5) ** 2\n"
         "    loss.backward(retain_graph=True)\n    slopes.append(u.grad.item())\n    u.grad = None",
         "retain_graph=True is not needed any more"),
        ("slopes = slopes[:1]", "there are 1"),
    ],
    "numpy-and-grad": [
        ("", "`shares` has no history"),
        ("shares = torch.from_numpy(powers / powers.sum()).requires_grad_()\n(-shares[0].log()).backward()",
         "begins a new graph of its own"),
        ("powers = torch.exp(scores)\nshares = powers / powers.sum().detach()\n(-shares[0].log()).backward()",
         "Is a part still cut off?"),
        ("shares = powers / powers.sum()", "should be a tensor"),
        ("shares = scores / scores.sum()", "The shares should stay"),
    ],
    "plain-tensor-module": [
        ("", "of `last` only"),
        ("class Stack(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
         "        self.inner = nn.ModuleList([nn.Linear(2, 2)])\n        self.last = nn.Linear(2, 1)\n"
         "    def forward(self, x):\n        return self.last(self.inner[0](x))", "three layers, with six tensors"),
        ("class Stack(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
         "        self.inner = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])\n"
         "        self.last = nn.Linear(2, 1)\n    def forward(self, x):\n        return self.last(x)",
         "`forward` does not use them"),
    ],
    "eval-and-no-grad": [
        ("", "dropout is still at work"),
        ("def evaluate(net, x):\n    net.eval()\n    return net(x)", "eval() does not switch the recording off"),
        ("def evaluate(net, x):\n    net.eval()\n    with torch.no_grad():\n        return net(x)",
         "still in eval mode"),
        ("def evaluate(net, x):\n    net.eval()\n    with torch.no_grad():\n        net(x)\n    net.train()",
         "should return the answer"),
        ("def evaluate(net, x):\n    net.train()\n    with torch.no_grad():\n        return net(x)",
         "dropout is still at work"),
    ],
    "gan-order": [
        ("", "go by the forger's loss alone"),
        ("def turn(g, d, forger, judge):\n    judge.zero_grad()\n    forger.zero_grad()\n    fake = g * 2\n"
         "    ((d * fake.detach()) ** 2 + (d * 3 - 1) ** 2).backward()\n    judge.step()\n"
         "    (d * (g.detach() * 2) - 1) ** 2\n    forger.step()", "The forger does not learn any more"),
        ("def turn(g, d, forger, judge):\n    judge.zero_grad()\n    forger.zero_grad()\n"
         "    ((d.detach() * g * 2 - 1) ** 2).backward()\n    forger.step()", "The judge does not learn any more"),
        ("def turn(g, d, forger, judge):\n    forger.zero_grad()\n    fake = g * 2\n"
         "    ((d * fake.detach()) ** 2 + (d * 3 - 1) ** 2).backward()\n    judge.step()\n"
         "    ((d * fake - 1) ** 2).backward()\n    forger.step()", "The judge's part was right as it was"),
    ],
    "nan-where": [
        ("", "the logarithm still meets the 0"),
        ("def entropy(p):\n    return -(p * p.clamp(min=0.1).log()).sum() * 0", "should be 0.5623, and is"),
        ("def entropy(p):\n    p = p.detach()\n    return -torch.where(p > 0, p * p.log(), 0.0).sum()",
         "has no history"),
        ("def entropy(p):\n    return -(p * (p + 1e-10).log()).sum()", "a very small number in the place of 0"),
    ],
    "list-of-tensors": [
        ("", "not computed from `angle`"),
        ("def rotation(angle):\n    c, s = angle.cos(), angle.sin()\n"
         "    return torch.tensor([[c, -s], [s, c]], requires_grad=True)", "made a new leaf of it"),
        ("def rotation(angle):\n    c, s = angle.cos(), angle.sin()\n    return torch.stack([c, -s, s, c])",
         "two rows and two columns, and has the shape [4]"),
        ("def rotation(angle):\n    c, s = angle.cos(), angle.sin()\n"
         "    return torch.stack([c, s, -s, c]).reshape(2, 2)", "For the angle 1.2 the matrix should be"),
        ("def rotation(angle):\n    c, s = angle.cos(), angle.sin()\n"
         "    return torch.stack([c, -s.detach(), s, c]).reshape(2, 2)", "Is one of the four cut off?"),
    ],
}  # fmt: skip


def parts_of_exercise(found: Lesson) -> dict[str, Cell]:
    return {cell.kind: cell for cell in found.code_cells if cell.kind in ("exercise", "solution", "check")}


@pytest.mark.parametrize("slug", TRIES)
def test_an_exercise_is_passed_by_its_solution_and_helps_otherwise(slug: str) -> None:
    parts = parts_of_exercise(lesson(slug))
    names = until_exercise(slug)
    for wrong, helps in TRIES[slug]:
        do(parts["exercise"].source, names)
        do(wrong, names)
        with pytest.raises(AssertionError, match=re.escape(helps)):
            do(parts["check"].source, names)
    before = set(names)
    do(parts["solution"].source, names)
    assert set(names) - before <= {"optimizer", "loss"}  # which the starter that raises does not get to
    do(parts["check"].source, names)


OTHER_WAYS = {
    "broadcast-loss": "def cost(answers, targets):\n    return ((answers - targets[:, None]) ** 2).mean()",
    "plain-tensor-module": "class Stack(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.all = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))\n"
    "    def forward(self, x):\n        return self.all(x)",
    "eval-and-no-grad": "@torch.inference_mode()\ndef evaluate(net, x):\n    was = net.training\n    net.eval()\n"
    "    answer = net(x)\n    net.train(was)\n    return answer",
    "gan-order": "def turn(g, d, forger, judge):\n    judge.zero_grad()\n    fake = g * 2\n"
    "    ((d * fake.detach()) ** 2 + (d * 3 - 1) ** 2).backward()\n    judge.step()\n    forger.zero_grad()\n"
    "    ((d * fake - 1) ** 2).backward()\n    forger.step()",
    "nan-where": "def entropy(p):\n    p = p[p > 0]\n    return -(p * p.log()).sum()",
    "list-of-tensors": "def rotation(angle):\n    c, s = angle.cos(), angle.sin()\n"
    "    return torch.stack([torch.stack([c, -s]), torch.stack([s, c])])",
}


@pytest.mark.parametrize("slug", OTHER_WAYS)
def test_an_exercise_may_be_solved_in_another_way(slug: str) -> None:
    parts = parts_of_exercise(lesson(slug))
    names = until_exercise(slug)
    do(parts["exercise"].source, names)
    do(OTHER_WAYS[slug], names)
    do(parts["check"].source, names)


@pytest.mark.parametrize("slug", IDS)
def test_an_exercise_has_hints(slug: str) -> None:
    assert [cell.kind for cell in lesson(slug).cells].count("hint") in (2, 3)
