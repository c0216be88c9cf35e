"""Rules against the engine: each is claimed where it holds, and never where it does not."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker, Recording
from tutor.explain.grid import Grid
from tutor.explain.nodes import NodeStory, story
from tutor.explain.rules import RULES, Explanation, Local, NodeView
from tutor.explain.saying import line, plain

SCALARS = """\
import torch
torch.manual_seed(SEED)
def leaf():
    return (torch.rand(SHAPE) + 0.5).requires_grad_()
c = 1.5
for turn in range(2):
    a, b, t = leaf(), leaf(), leaf()
    for result in (
        a + b, 1 + a, a + 2, a - b, 3 - a, a - c, a * b, 2 * a, a * c, a / b, a / 4, -a, a ** 3, a ** 0.5, a ** -1,
        a.relu(), (-a).relu(), a.exp(), a.log(), a.sigmoid(), a.tanh(), a.mean(), a.sum(), a * a,
        torch.add(a, b), torch.mul(a, c), a.add(b), torch.nn.functional.mse_loss(a, t),
    ):
        result.sum().backward()
"""

MATRICES = """\
import torch
from torch import nn
torch.manual_seed(SEED)
A, B, C = (torch.randn(shape, requires_grad=True) for shape in ([2, 3], [3, 4], [4]))
net = nn.Linear(3, 4)
for result in (A @ B, A.mm(B), torch.addmm(C, A, B), net(A), nn.functional.linear(A, net.weight), A * C[:3], A / C[0]):
    result.sum().backward()
"""

STORIES = (
    "AddBackward0", "SubBackward0", "RsubBackward1", "MulBackward0", "DivBackward0", "NegBackward0", "PowBackward0",
    "SumBackward0", "MeanBackward0", "ReluBackward0", "ExpBackward0", "LogBackward0", "SigmoidBackward0",
    "TanhBackward0", "MseLossBackward0",
)  # fmt: skip


def stories(recording: Recording) -> list[tuple[int, NodeStory]]:
    told = [(step, story(recording.timeline, step)) for step in recording.steps_of("node")]
    return [(step, one) for step, one in told if one is not None]


@pytest.fixture(scope="module")
def matrices(record: Forker) -> Recording:
    return record(MATRICES.replace("SEED", "3"))


@pytest.mark.parametrize(
    ("seed", "shape"), [(0, "[]"), (1, "[1]"), (2, "[3]"), (3, "[2, 3]"), (4, "[1], dtype=torch.float64")]
)
def test_every_rule_is_claimed_where_it_holds(record: Forker, seed: int, shape: str) -> None:
    recording = record(SCALARS.replace("SEED", str(seed)).replace("SHAPE", shape))
    assert recording.status == 0
    told = stories(recording)
    assert {one.node for _, one in told} >= set(STORIES)
    for step, one in told:
        if one.node in RULES:
            assert len(one.claims) == len(one.sent), (recording.code(step), one)


def test_rules_for_matrices(matrices: Recording) -> None:
    assert matrices.status == 0
    told = [one for _, one in stories(matrices) if one.node in ("MmBackward0", "AddmmBackward0")]
    assert len(told) == 5
    assert all(len(one.claims) == len(one.sent) > 0 for one in told)
    said = {text for step, _ in stories(matrices) for text, _ in line(matrices.timeline, step)}
    assert {"A·B + C", "G·Bᵀ", "Aᵀ·G", "G·net.weight", "grad(B) = [3, 4] = [3, 2]·[2, 4]"} <= said


def test_the_rest_claims_nothing_and_shows_its_numbers(matrices: Recording) -> None:
    (step, one) = next((step, one) for step, one in stories(matrices) if one.node == "SelectBackward0")
    assert not one.claims
    assert plain(matrices.timeline, step).startswith("SelectBackward0: the gradient ")


def test_a_rule_that_is_wrong_is_not_believed(record: Forker, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = record("import torch\nx = torch.tensor(2., requires_grad=True)\ny = x.exp()\ny.backward()\n")

    def wrong(node: NodeView) -> Explanation:
        return Explanation("2·x", [Local(node.operands[0], "2", Grid.full((), 2.0))])

    (step,) = recording.steps_of("node")
    assert "∂y/∂x = y" in "".join(text for text, _ in line(recording.timeline, step))
    monkeypatch.setitem(RULES, "ExpBackward0", wrong)
    assert line(recording.timeline, step) == [
        ("ExpBackward0", "node"), (" · arrives ", "quiet"), ("1.0", "grad"), (" → ", "quiet"),
        ("grad(x) = 7.38906", "grad"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "code",
    [
        "y = torch.add(a, b, alpha=2)",  # the usual rule does not hold
        "y = a / (a - a)",  # Python does not divide by zero
        "y = (a - 2) ** 0.5 + b",  # nan
        "y = a * torch.tensor(1 + 2j)",  # complex numbers
        "y = 3 / a",  # two nodes for one operation
        "y = a * torch.tensor([1., 2.]).to_sparse()",
    ],
)
def test_nothing_is_claimed_that_is_not_known(record: Forker, code: str) -> None:
    recording = record(
        "import torch\na, b = (torch.tensor([1.5, 2.5], requires_grad=True) for _ in range(2))\n"
        f"{code}\ny.abs().sum().to_dense().backward()\n"
    )
    for step, one in stories(recording):
        assert len(one.claims) in (0, len(one.sent))
        assert plain(recording.timeline, step)
        if (one.node, code[:13]) in (("AddBackward0", "y = torch.add"), ("DivBackward0", "y = a / (a - ")):
            assert not one.claims
