"""The explaining line of each kind of step."""

from __future__ import annotations

import pytest

from tests.explain.explained import line
from tests.worker.recording import Forker, Recording
from tutor.explain import plain
from tutor.explain.formatting import ROLES, code, first_line, joined, term

TWO_PATHS = """\
import torch
x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)
a = x + w
b = w + 1
y = a * b
y.backward()
"""

MUCH = """\
import torch
w = torch.tensor([1.0], requires_grad=True)  # w[i] stays w[i]
def model(x):
    return w * x
for i in range(2):
    loss = (model(3.0) - 5) ** 2
    loss.backward(retain_graph=True)
    with torch.no_grad():
        w -= 0.1 * w.grad
g, = torch.autograd.grad(loss, w)
h = w * 2
h.retain_grad()
h.register_hook(lambda grad: grad * 10)
(h * h).backward()
w.grad = None
M = torch.ones(2, 3) @ torch.ones(3, 2)
t = torch.empty(3)
t.fill_(7)
print(loss.item())
1 / 0
"""


@pytest.fixture(scope="module")
def two_paths(record: Forker) -> Recording:
    return record(TWO_PATHS)


@pytest.fixture(scope="module")
def much(record: Forker) -> Recording:
    return record(MUCH)


def said(recording: Recording, step: int) -> str:
    return "".join(text for text, _ in line(recording.timeline, step))


def all_plain(recording: Recording, kind: str) -> list[str]:
    return [plain(recording.timeline, step) for step in recording.steps_of(kind)]


def test_the_line_of_the_design(two_paths: Recording) -> None:
    step = two_paths.steps_of("node")[0]
    assert said(two_paths, step) == (
        "MulBackward0 · y = a·b · ∂y/∂a = b · ∂y/∂b = a · grad(a) = 1 × 2 = 2 · grad(b) = 1 × 3 = 3"
    )
    roles = dict(line(two_paths.timeline, step))
    assert roles["MulBackward0"] == "node"
    assert roles["grad(a) = 1 × 2 = 2"] == "grad"


def test_both_sums_of_accumulation(two_paths: Recording, much: Recording) -> None:
    assert all_plain(two_paths, "accumulate") == [
        "x.grad was None; 2 arrives; it is now 2.",
        "w.grad was None; 3 + 2 = 5 arrives; it is now 5.",
    ]
    assert said(two_paths, two_paths.steps_of("accumulate")[1]) == (
        "AccumulateGrad · 3 + 2 = 5 arrived · w.grad: None → 5"
    )
    assert all_plain(much, "accumulate")[1].startswith("w.grad was -12; ")


def test_operations_with_their_numbers(two_paths: Recording) -> None:
    assert all_plain(two_paths, "op")[2:] == [
        "add: a = x + w = 2 + 1 = 3",
        "add: b = w + 1 = 1 + 1 = 2",
        "mul: y = a * b = 3 × 2 = 6",
    ]


def test_operations_of_all_sorts(much: Recording) -> None:
    told = all_plain(much, "op")
    assert "mul: w * x = 1 × 3 = 3" in told
    assert "sub: model(3.0) - 5 = 3 - 5 = -2" in told
    assert "pow: loss = (model(3.0) - 5) ** 2 = (-2) ^ 2 = 4" in told
    assert any(text.startswith("sub_: w -= 0.1 * w.grad; w was 1 and is now 2.2") for text in told)
    assert any(text.startswith("set_grad: w.grad was ") and text.endswith(" and is now None.") for text in told)
    assert "matmul: M = torch.ones(2, 3) @ torch.ones(3, 2) (2×3 · 3×2) = [[3 3] [3 3]]" in told
    assert "empty: t = torch.empty(3) = memory not yet filled" in told
    assert "fill_: t.fill_(7) = [7 7 7]" in told
    assert "item: loss.item() ≈ 2.56" in told


def test_lines_say_where_they_are(much: Recording) -> None:
    told = all_plain(much, "line")
    assert told[1] == "Line 2: w = torch.tensor([1.0], requires_grad=True)"
    assert "Line 4, in model, iteration 2: return w * x" in told
    assert "Line 8, iteration 1: with torch.no_grad():" in told


def test_the_backward_pass_from_start_to_end(much: Recording) -> None:
    assert all_plain(much, "backward")[0] == "backward pass 1 begins at loss = 4 with gradient 1, keeps its graph"
    assert all_plain(much, "backward")[3].startswith("backward pass 4 begins at (h * h) = ")
    assert all_plain(much, "backward_end")[0] == "backward pass 1 is over, 4 nodes ran, its graph is kept"
    assert all_plain(much, "captured")[0].startswith("autograd.grad returns ")
    assert all_plain(much, "captured")[0].endswith(" for w")
    assert all_plain(much, "hook")[0].startswith("hook <lambda> on h changes the gradient: ")
    assert all_plain(much, "retained")[0].startswith("retain_grad, h.grad ≈ ")


def test_a_cell_and_its_failure(much: Recording) -> None:
    assert all_plain(much, "cell") == ["cell 1 begins"]
    assert all_plain(much, "failed") == ["ZeroDivisionError: division by zero"]
    assert all_plain(much, "cell_end") == ["the script has failed: ZeroDivisionError"]


def test_every_step_has_a_line_whatever_comes_first(two_paths: Recording, much: Recording) -> None:
    for recording in (two_paths, much):
        steps = range(1, recording.timeline.steps + 1)
        forward = [line(recording.timeline, step) for step in steps]
        assert all(forward)
        assert {role for parts in forward for _, role in parts} <= set(ROLES)
        assert [line(recording.timeline, step) for step in reversed(steps)] == forward[::-1]
    assert line(much.timeline, 0) == []
    assert line(much.timeline, much.timeline.steps + 1) == []
    assert plain(much.timeline, 0) == ""


def test_words() -> None:
    assert term("-1") == "(-1)"
    assert joined([]) == ""
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert code("a  +\n  b") == "a + b"
    assert code("x" * 99, 10) == "x" * 9 + "…"
    assert first_line("for x in y:\n    pass") == "for x in y: …"


def test_what_was_changed_in_place_in_each_turn_is_told_however_many_turns_there_were(record: Forker) -> None:
    recording = record(
        """
import torch
w = torch.tensor([1.0], requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.0, momentum=0.5)
for turn in range(300):
    optimizer.zero_grad()
    (3 * w).sum().backward()
    optimizer.step()
"""
    )
    # The momentum comes to 3 + 6/2 = 6; the first thing that a turn does with it is to halve it.
    assert "was 6 and is now 3" in all_plain(recording, "op")[-3]


def test_numbers_that_the_code_works_out(record: Forker) -> None:
    """The number that an operation was given is in the recording, whatever the code says."""
    recording = record(
        "import torch\nw = torch.tensor(2.0, requires_grad=True)\nn, powers = 2, {'cube': 3}\n"
        "y = w * (n + 1)\nz = w ** powers['cube']\nv = (n - 3) - w\n(y + z).backward()\n"
    )
    ops = {step: plain(recording.timeline, step) for step in recording.steps_of("op")}
    assert ops[recording.op("w * (n + 1)")] == "mul: y = w * (n + 1) = 2 × 3 = 6"
    assert ops[recording.op("(n - 3) - w")] == "rsub: v = (n - 3) - w = (-1) - 2 = -3"
    assert ops[recording.op("w ** powers['cube']")] == "pow: z = w ** powers['cube'] = 2 ^ 3 = 8"


@pytest.mark.parametrize(
    ("code", "numbers"),
    [
        ("(n + 1) * w.sqrt()", "3 × 2 = 6"),
        ("w.sqrt() * (n + 1)", "2 × 3 = 6"),
        ("(n + 1) + w.sqrt()", "3 + 2 = 5"),
        ("n * w.grad", "2 × 1 = 2"),
        ("w.grad * n", "1 × 2 = 2"),
        ("len(sizes) * w.sqrt()", "3 × 2 = 6"),
        ("-n + w.grad", "-2 + 1 = -1"),
    ],
)
def test_the_order_of_numbers_and_tensors_without_a_name(code: str, numbers: str, record: Forker) -> None:
    recording = record(
        "import torch\nw = torch.tensor(4.0, requires_grad=True)\nw.grad = torch.tensor(1.0)\n"
        f"n, sizes = 2, [1, 2, 3]\ny = {code}\n"
    )
    said = plain(recording.timeline, recording.op(code))
    assert said.partition(f"y = {code} = ")[2].replace("(-2)", "-2") == numbers


def test_the_name_of_what_an_operation_in_the_statement_made(record: Forker) -> None:
    recording = record(
        "import torch\nn = 2\nw = torch.tensor(4.0, requires_grad=True)\ny = (n + 1) + w.sqrt()\ny.backward()\n"
    )
    sentence = plain(recording.timeline, recording.steps_of("node")[0])
    assert "w.sqrt() gets 1 × 1 = 1" in sentence
    assert "n + 1 gets" not in sentence
