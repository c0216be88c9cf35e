"""What is read aloud at a backward node: whole sentences, against values worked out by hand."""

from __future__ import annotations

import pytest

from tests.explain.explained import line
from tests.worker.recording import Forker
from tutor.explain import plain

SCRIPT = """\
import torch
import torch.nn.functional as F
x = torch.tensor([-1.0, 0.0, 4.0], requires_grad=True)
torch.where(x > 0, x.sqrt(), torch.zeros(3)).sum().backward()

w = torch.tensor(2.0, requires_grad=True)
h = w * 3
(h * h + h).backward()

u = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
i = 1
v = u * 2
v[i] = w
v[:2].mul_(5)
v.backward(torch.tensor([1.0, 10.0, 100.0]))

m = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
loss = F.cross_entropy(m, target=torch.tensor([1, 0]), reduction="sum")
loss.backward()

g, = torch.autograd.grad(w ** 3, w, create_graph=True)
g.backward()
m.t()[0].sum().backward()
"""


@pytest.fixture(scope="module")
def said(record: Forker) -> dict[int, list[str]]:
    """By line of the script: what is said of the nodes that run there."""
    run = record(SCRIPT)
    assert run.status == 0, run.stderr
    found: dict[int, list[str]] = {}
    for step in run.steps_of("node"):
        found.setdefault(run.timeline.view(step).line or 0, []).append(plain(run.timeline, step))
        assert line(run.timeline, step)
    return found


def test_where_nan_comes_from(said: dict[int, list[str]]) -> None:
    # d√x/dx is nan below 0, infinite at 0 and 1/4 at 4; and 0 times either is nan
    assert said[4][-1] == (
        "SqrtBackward0, of √x: the gradient [0 0 1] arrives. x gets [0 0 1] × [nan inf 0.25] = "
        "[nan nan 0.25], as d/dx = 1/(2·x.sqrt()); SqrtBackward0 makes the first nan of this pass; where does not keep "
        "it out: what is not chosen gets the gradient 0, and 0 × inf is nan; give the operation another input there, "
        "torch.where(x > 0, x, 1.0) in place of x"
    )


def test_what_several_send_is_added_where_it_arrives(said: dict[int, list[str]]) -> None:
    # h = 6: h·h sends 6 twice, and the sum of h·h and h sends 1
    assert said[8][-1] == (
        "MulBackward0, of h = w·3: the gradient 1 + 6 + 6 = 13 arrives. w gets 13 × 3 = 39, as dh/dw = 3."
    )


def test_writes_to_a_part(said: dict[int, list[str]]) -> None:
    changed, stored, made = said[15]
    assert changed == (
        "CopySlices, of v = (old v), with (old v[:2])·5 in v[:2]: the gradient G, [1 10 100], arrives. "
        "old v gets [5 50 100], which is G, but G·5 in v[:2]."
    )
    assert stored == (
        "CopySlices, of v = (old v), with w stored at [i]: the gradient G, [5 50 100], arrives. "
        "old v gets [5 0 100], which is G, but 0 at [i]. w gets 50, which is G at [i]."
    )
    assert "u gets [5 0 100] × 2 = [10 0 200]" in made


def test_inside_of_a_composite(said: dict[int, list[str]]) -> None:
    nll, log_softmax = said[19]
    assert nll == (
        "NllLossBackward0, of loss = sum of -log_softmax(m)[torch.tensor([1, 0])]: the gradient 1 arrives. "
        "log_softmax(m) gets [[0 -1] [-1 0]], as dloss/d(log_softmax(m)) = -1 at the class that "
        "torch.tensor([1, 0]) says, else 0. Its element [0, 1] is 1·(-1) = -1."
    )
    # softmax([1, 2]) is 0.268941 and 0.731059; the class is the second
    assert log_softmax == (
        "LogSoftmaxBackward0, of log(softmax(m)): the gradient G, [[0 -1] [-1 0]], arrives. m gets "
        "[[0.26894 -0.26894] [-0.73106 0.73106]], which is G - softmax(m)·ΣG. Its element [0, 0] is "
        "0·0.73106 + (-1)·(-0.26894) = 0.26894."
    )


def test_the_graph_of_a_gradient_is_said_to_be_one(said: dict[int, list[str]]) -> None:
    assert said[22]
    assert all(", of the graph that pass 5 made: " in text for text in said[22])


def test_a_part_of_a_view(said: dict[int, list[str]]) -> None:
    # m.t()[0] is the first column of m
    assert said[23][-1] == (
        "TBackward0, of mᵀ: the gradient G, [[1 1] [0 0]], arrives. m gets [[1 0] [1 0]], which is Gᵀ. "
        "Its element [0, 0] is 1·1 = 1."
    )
