"""Mistakes that raise nothing: the first nan of a pass, parameters without an optimizer, pairs instead of elements."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from tests.worker.recording import Forker, Recording
from tutor.explain.node import rule_json
from tutor.explain.step import describe_side_effects

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(0)
def leaf(*values): return torch.tensor(list(values), requires_grad=True)
"""


def said(recording: Recording, words: str) -> list[tuple[int, str]]:
    """By step: the notes with these words."""
    timeline = recording.timeline
    found = []
    for step in range(1, timeline.steps + 1):
        found += [(step, text) for text, _ in describe_side_effects(timeline, step) if words in text]
    return found


# ---------------------------------------------------------------- the first nan


@dataclass(frozen=True)
class FirstNan:
    """Code whose pass makes a nan or inf: by which node, and a fix that keeps the gradient of `x` finite."""

    code: str
    node: str
    old: str = ""
    new: str = ""


FIRST = [
    FirstNan("torch.where(x > 0, torch.sqrt(x), torch.zeros_like(x)).sum().backward()", "SqrtBackward0",
             "sqrt(x)", "sqrt(torch.where(x > 0, x, 1.0))"),
    FirstNan("torch.where(x <= 0, 0.0, x.log()).sum().backward()", "LogBackward0",
             "x.log()", "torch.where(x <= 0, 1.0, x).log()"),
    FirstNan("torch.where(x > 0, 1 / x, x).sum().backward()", "ReciprocalBackward0",
             "1 / x", "1 / torch.where(x > 0, x, 1.0)"),
    FirstNan("torch.where(x == 0, 1.0, x.sin() / x).sum().backward()", "DivBackward0",
             "x.sin() / x", "x.sin() / torch.where(x == 0, 1.0, x)"),
    FirstNan("(x * 100).exp().where(x < 0.5, x).sum().backward()", "ExpBackward0",
             "(x * 100)", "torch.where(x < 0.5, x * 100, 1.0)"),
    FirstNan("x.sqrt().masked_fill(x <= 0, 0.0).sum().backward()", "SqrtBackward0",
             "x.sqrt()", "torch.where(x <= 0, 1.0, x).sqrt()"),
    FirstNan("(x * 0).square().sum().sqrt().backward()", "SqrtBackward0",
             ".sum().sqrt()", ".sum().clamp(min=1e-8).sqrt()"),
    FirstNan("(x / (x - x).sum()).sum().backward()", "DivBackward0",
             "(x - x).sum()", "torch.where((x - x).sum() == 0, 1.0, (x - x).sum())"),
    FirstNan("(x.abs() ** 0.5).sum().backward()", "PowBackward0",
             "x.abs() **", "x.abs().clamp(min=1e-8) **"),
    FirstNan("x.abs().log().sum().backward()", "LogBackward0", "x.abs()", "x.abs().clamp(min=1e-8)"),
    FirstNan("torch.acos(x / 4).sum().backward()", "AcosBackward0", "x / 4", "(x / 4).clamp(-0.9999, 0.9999)"),
    FirstNan("(x * float('inf')).sum().backward()", "MulBackward0"),
    FirstNan("(x / (x * 0).square().sum().sqrt()).sum().backward()", "DivBackward0",
             ".square().sum()", ".square().sum().clamp(min=1e-8)"),
    FirstNan("(x.abs() ** torch.tensor(0.5)).sum().backward()", "PowBackward1", "x.abs()", "x.abs().clamp(min=1e-8)"),
    FirstNan("((x * 1e30) ** 2).sum().mul(1e30).backward()", "PowBackward0"),
]  # fmt: skip
FINITE = """\
x = leaf(-1.0, 0.0, 4.0)
x.norm().backward()
torch.atan2(x, x).sum().backward()
F.normalize(x * 0, dim=0).sum().backward()
torch.where(x > 0, torch.sqrt(torch.where(x > 0, x, 1.0)), 0.0).sum().backward()
x.relu().sum().backward()
(x ** 2).sum().backward()
torch.softmax(torch.tensor([1.0, -float('inf')]) + x[:2], 0)[0].backward()
h = leaf(1.0)
h.register_hook(lambda g: g)
(h * 2).backward(torch.tensor([float('nan')]))
"""
_zero = torch.tensor(0.0, requires_grad=True)
if torch.autograd.grad(torch.atan2(_zero, _zero), _zero)[0].isnan():  # in torch 2.9 and older
    FINITE = FINITE.replace("torch.atan2(x, x).sum().backward()\n", "")


def passes(lines: list[str]) -> str:
    return HEAD + "".join(f"x = leaf(-1.0, 0.0, 4.0)\n{line}\n" for line in lines)


@pytest.fixture(scope="module")
def first(record: Forker) -> Recording:
    return record(passes([one.code for one in FIRST]))


@pytest.mark.parametrize("number", range(len(FIRST)), ids=[one.code for one in FIRST])
def test_the_node_of_the_first_nan_is_named(first: Recording, number: int) -> None:
    info = first.timeline.passes[number]
    found = [
        (step, text) for step, text in said(first, "of this pass") if info.start_step < step < (info.end_step or 0)
    ]
    assert len(found) == 1, "one node in each pass"
    assert found[0][1].startswith(f"{FIRST[number].node} makes the first ")
    case = FIRST[number]
    if not case.new:
        assert " in place of " not in found[0][1]
    else:
        fix = found[0][1].split("there, ")[1].split(" in place of ")[0]
        assert fix in case.code.replace(case.old, case.new)


def test_the_fixes_keep_it_out(record: Forker) -> None:
    fixed = record(passes([one.code.replace(one.old, one.new) for one in FIRST if one.new]))
    assert fixed.status == 0, fixed.stderr
    assert said(fixed, "of this pass") == []


def test_where_is_said_not_to_keep_it_out(first: Recording) -> None:
    found = [text for _, text in said(first, "does not keep it out")]
    assert len(found) == 6
    assert all("0 × inf is nan" in text or "0 × nan is nan" in text for text in found)


def test_the_element_worked_out_is_one_that_is_nan(record: Forker) -> None:
    recording = record(
        HEAD
        + "x = torch.tensor([[2.0, 3.0, 1.0], [-1.0, 0.0, 4.0]], requires_grad=True)\n"
        + "torch.where(x > 0, x.sqrt(), 0.0).sum().backward()\n"
    )
    step = next(step for step, _ in said(recording, "of this pass"))
    rule = rule_json(recording.timeline, step)
    assert rule is not None
    assert rule["inputs"][0]["element"] == {"index": [1, 0], "text": "0·nan = nan", "grad": "nan"}


def test_what_stays_finite_gets_no_mark(record: Forker) -> None:
    recording = record(HEAD + FINITE)
    assert recording.status == 0, recording.stderr
    assert said(recording, "of this pass") == []


# ---------------------------------------------------------------- parameters that no optimizer changes

LOOP = """
x, y = torch.randn(8, 3), torch.randn(8, 1)
for epoch in range(3):
    opt.zero_grad()
    ((model(x) - y) ** 2).mean().backward()
    opt.step()
"""
STACK = """
class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = [nn.Linear(3, 3)]
        self.head = nn.Linear(3, 1)
    def forward(self, x):
        return self.head(self.blocks[0](x).tanh())
model = Stack()
"""
LEFT_OUT = {
    "layers in a list": (STACK + "opt = torch.optim.SGD(model.parameters(), lr=0.1)" + LOOP, "nn.ModuleList",
                         "model.blocks[0].weight"),
    "layers in a dict": (STACK.replace("[nn.Linear(3, 3)]", "{0: nn.Linear(3, 3)}")
                         + "opt = torch.optim.SGD(model.parameters(), lr=0.1)" + LOOP, "nn.ModuleDict",
                         "model.blocks[0].weight"),
    "a module replaced": ("""
model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
opt = torch.optim.Adam(model.parameters())
model[1] = nn.Linear(3, 1)
""" + LOOP, "after the optimizer", "model[1].weight"),
    "a parameter made later": ("""
layer = nn.Linear(3, 1)
opt = torch.optim.SGD(layer.parameters(), lr=0.1)
scale = nn.Parameter(torch.ones(1))
def model(x): return layer(x) * scale
""" + LOOP, "after the optimizer", "scale"),
    "a plain leaf left out": ("""
w, b = torch.randn(3, 1, requires_grad=True), torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w], lr=0.1)
def model(x): return x @ w + b
""" + LOOP, "b.requires_grad_(False)", "b"),
}  # fmt: skip
OPTIMIZED = {
    "all in one": "model = nn.Linear(3, 1)\nopt = torch.optim.SGD(model.parameters(), lr=0.1)" + LOOP,
    "a module list": STACK.replace("[nn.Linear(3, 3)]", "nn.ModuleList([nn.Linear(3, 3)])")
    + "opt = torch.optim.SGD(model.parameters(), lr=0.1)" + LOOP,
    "frozen": "model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))\nmodel[0].requires_grad_(False)\n"
    "opt = torch.optim.SGD(model[1].parameters(), lr=0.1)" + LOOP,
    "stepped by hand": "model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))\n"
    "opt = torch.optim.SGD(model[1].parameters(), lr=0.1)" + LOOP
    + "    with torch.no_grad():\n        for p in model[0].parameters(): p -= 0.1 * p.grad\n",
    "a second optimizer, less often": "model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))\n"
    "other = torch.optim.SGD(model[0].parameters(), lr=0.1)\n"
    "opt = torch.optim.SGD(model[1].parameters(), lr=0.1)" + LOOP + "    if epoch == 2: other.step()\n",
    "accumulated before a step": "model = nn.Linear(3, 1)\nopt = torch.optim.SGD(model.parameters(), lr=0.1)\n"
    "x, y = torch.randn(8, 3), torch.randn(8, 1)\nfor part in range(4):\n"
    "    ((model(x) - y) ** 2).mean().backward()\n    if part % 2: opt.step(); opt.zero_grad()\n",
    "without any optimizer": "w = leaf(1.0)\nfor i in range(3): (w * w).sum().backward()\n",
    "gradients of the input": "model = nn.Linear(3, 1)\nopt = torch.optim.SGD(model.parameters(), lr=0.1)\n"
    "x = torch.randn(2, 3, requires_grad=True)\nfor i in range(3):\n    opt.zero_grad()\n"
    "    model(x).sum().backward()\n    opt.step()\n    worst = x + 0.1 * x.grad.sign()\n",
    "what autograd.grad is asked for": "u = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))\n"
    "opt = torch.optim.Adam(u.parameters(), lr=0.01)\nt = torch.rand(4, 1, requires_grad=True)\nfor i in range(3):\n"
    "    opt.zero_grad()\n    out = u(t)\n    du, = torch.autograd.grad(out.sum(), t, create_graph=True)\n"
    "    (du - out).square().mean().backward()\n    opt.step()\n",
    "a fixed model for an image": "model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1)).eval()\n"
    "image = torch.rand(1, 3)\nshift = torch.zeros(1, 3, requires_grad=True)\n"
    "opt = torch.optim.SGD([shift], lr=0.1)\nfor i in range(3):\n    opt.zero_grad()\n"
    "    model(image + shift).sum().backward()\n    opt.step()\n",
    "two sections of a tutorial": "b = torch.tensor([3.0, 4.0], requires_grad=True)\n(b * 2).sum().backward()\n"
    "print(b.grad)\n(b * b).sum().backward()\nprint(b.grad)\nw = leaf(1.0)\nopt = torch.optim.SGD([w], lr=0.1)\n"
    "(w * w).sum().backward()\nopt.step()\nprint(w)\n",
    "two models, of which one is only looked at": "model, probe = nn.Linear(3, 1), nn.Linear(3, 1)\n"
    "for i in range(2): probe(torch.ones(1, 3)).sum().backward()\n"
    "opt = torch.optim.SGD(model.parameters(), lr=0.1)" + LOOP,
    "more than are told one by one": "model = nn.Sequential(*(nn.Linear(3, 3) for _ in range(40)), nn.Linear(3, 1))\n"
    "opt = torch.optim.SGD(model.parameters(), lr=0.1)" + LOOP,
}  # fmt: skip


@pytest.mark.parametrize("name", list(LEFT_OUT))
def test_what_no_optimizer_changes_is_marked(record: Forker, name: str) -> None:
    code, why, parameter = LEFT_OUT[name]
    recording = record(HEAD + code)
    assert recording.status == 0, recording.stderr
    found = [text for _, text in said(recording, "no optimizer changes") if why in text]
    assert found
    assert parameter in found[-1]
    assert "came in 3 passes" in found[-1]
    steps = range(1, recording.timeline.steps + 1)
    notes = [note for step in steps for note in describe_side_effects(recording.timeline, step)]
    assert {role for text, role in notes if "no optimizer" in text} == {"quiet"}


def test_the_addition_to_an_old_gradient_is_marked(record: Forker) -> None:
    recording = record(HEAD + LEFT_OUT["layers in a list"][0])
    found = said(recording, "adds up from pass to pass")
    assert [recording.timeline.kind(step) for step, _ in found] == ["accumulate"] * 4  # two parameters, two passes


@pytest.mark.parametrize("name", list(OPTIMIZED))
def test_what_is_stepped_or_meant_is_not_marked(record: Forker, name: str) -> None:
    recording = record(HEAD + OPTIMIZED[name])
    assert recording.status == 0, recording.stderr
    assert said(recording, "no optimizer") == []


# ---------------------------------------------------------------- pairs in place of elements

PAIRS = [
    ("((out - y) ** 2).mean()", "y.unsqueeze(1)", "out.squeeze(1)"),
    ("((y - out) ** 2).mean()", "y.unsqueeze(1)", "out.squeeze(1)"),
    ("(out - y).abs().sum()", "y.unsqueeze(1)", "out.squeeze(1)"),
    ("torch.mean(torch.square(out - y))", "y.unsqueeze(1)", "out.squeeze(1)"),
    ("((x @ w - y) ** 2).sum() / 3", "y.unsqueeze(1)", "(x @ w).squeeze(1)"),
    ("F.mse_loss(out, y)", "y.unsqueeze(1)", "out.squeeze(1)"),
    ("nn.L1Loss()(y, out)", "y.unsqueeze(1)", "out.squeeze(1)"),
    ("((many - y2) ** 2).mean()", "y2.unsqueeze(2)", "many.squeeze(2)"),
]
MEANT = """\
flat = out.squeeze(1)
(flat[:, None] - flat[None, :]).pow(2).sum()
((flat.unsqueeze(1) - flat) ** 2).mean()
column = flat[:, None]
((column - flat) ** 2).mean()
((torch.randn(2, 3) - torch.randn(2, 1)) ** 2).mean()
((x - x.mean(0)) ** 2).mean()
((out + b) ** 2).mean()
((out - b1) ** 2).mean()
((out - y.unsqueeze(1)) ** 2).mean()
((flat - y) ** 2).mean()
((one - y1) ** 2).mean()
far = out - y
F.mse_loss(out, y.unsqueeze(1))
torch.exp(-(out - y) ** 2) @ y
"""
DATA = """\
x, w, y = torch.randn(3, 2), torch.randn(2, 1, requires_grad=True), torch.randn(3)
b, b1, one, y1 = torch.zeros(3), torch.zeros(1), torch.ones(1, 1), torch.ones(1)
many, y2 = torch.randn(3, 3, 1), torch.randn(3, 3)
out = x @ w
"""


def test_pairs_are_marked_where_a_loss_is_made_of_them(record: Forker) -> None:
    recording = record(HEAD + DATA + "".join(f"{code}\n" for code, _, _ in PAIRS))
    assert recording.status == 0, recording.stderr
    found = [text for _, text in said(recording, "each prediction is compared with each target")]
    assert len(found) == len(PAIRS)
    for text, (_, unsqueezed, squeezed) in zip(found, PAIRS, strict=True):
        assert unsqueezed in text
        assert squeezed in text


def test_the_fixes_compare_element_by_element(record: Forker) -> None:
    lines = [f"assert (out - y.unsqueeze(1)).shape == (3, 1) == (x @ w - {PAIRS[0][1]}).shape"]
    lines += [code.replace("y", fix) for code, fix, _ in PAIRS[:3]]
    lines += [code.replace("x @ w", fix).replace("out", fix) for code, _, fix in PAIRS[:5]]
    recording = record(HEAD + DATA + "".join(f"{line}\n" for line in lines))
    assert recording.status == 0, recording.stderr
    assert said(recording, "each prediction") == []


def test_shapes_that_are_meant_to_spread_are_not_marked(record: Forker) -> None:
    recording = record(HEAD + DATA + MEANT)
    assert recording.status == 0, recording.stderr
    assert said(recording, "each prediction") == []


def test_a_condition_that_comes_later_is_no_fix(record: Forker) -> None:
    run = record(HEAD + "v = torch.zeros(3, requires_grad=True)\nlength = (v * v).sum().sqrt()\n"
                 "(v / torch.where(length == 0, 1.0, length)).sum().backward()\n")  # fmt: skip
    ((_, told),) = said(run, "makes the first nan")
    assert "where does not keep it out" in told
    assert "in place of" not in told  # length is not there yet where its input is


def test_softmax_of_a_row_that_is_masked_whole(record: Forker) -> None:
    code = """
scores = leaf(1.0, 2.0, 3.0, 4.0).reshape(2, 2)
mask = torch.tensor([[True, True], [False, False]])
torch.softmax(scores.masked_fill(~mask, -float("inf")), -1)[0, 0].backward()
"""
    ((_, told),) = said(record(HEAD + code), "makes the first nan")
    assert "where all that it is taken of is -inf, its result is nan already" in told
    assert not said(record(HEAD + code.replace("[False, False]", "[False, True]")), "makes the first")


@pytest.mark.parametrize("mask", ["[[False, True], [False, True]]", "[[False, False], [True, True]]"])
def test_softmax_goes_along_its_own_dimension(mask: str, record: Forker) -> None:
    code = f"""
scores = leaf(1.0, 2.0, 3.0, 4.0).reshape(2, 2)
mask = torch.tensor({mask})
torch.softmax(scores.masked_fill(~mask, -float("inf")), 0)[0, 1].backward()
"""
    of_columns = said(record(HEAD + code), "where all that it is taken of is -inf")
    assert len(of_columns) == (mask == "[[False, True], [False, True]]")


def test_a_network_that_an_input_is_optimized_through(record: Forker) -> None:
    code = """
net, noise = nn.Linear(3, 2), torch.zeros(2, 3, requires_grad=True)
optimizer = torch.optim.SGD([noise], lr=0.1)
for i in range(3):
    loss = -F.cross_entropy(net(torch.ones(2, 3) + noise), torch.tensor([0, 1]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    assert not said(record(HEAD + code), "no optimizer changes")
