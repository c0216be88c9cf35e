"""Where the nan and inf of a run come from, which failures and mistakes it has, and where `!` leads."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tests.worker.recording import Forker, Recording
from tutor.lesson.catalog import Target
from tutor.study.cards import card_at
from tutor.study.commands import is_possible
from tutor.study.model import Model
from tutor.study.problems import Problem, Problems
from tutor.trace.nonfinite import Counts, NonFinite, count_nonfinite

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(0)
"""
TRACE = Target("trace", Path("run.trace"), "run.trace")
SQUARE_ROOT = (
    HEAD
    + """\
X = torch.randn(16, 4)
w = torch.randn(4, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, b], lr=0.1)
for epoch in range(5):
    s = X @ w + b
    y = torch.sqrt(s)
    loss = (y - 1).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
)


def search(recording: Recording) -> Problems:
    problems = Problems(recording.timeline)
    assert problems.read()
    return problems


def nonfinite(problems: Problems) -> list[Problem]:
    return [problem for problem in problems.all() if problem.kind == "nonfinite"]


def only(recording: Recording) -> tuple[Problem, str]:
    """The only nan or inf that is a problem, and what is said of it."""
    problems = search(recording)
    (problem,) = nonfinite(problems)
    assert problem.origin is not None
    return problem, problems.report(problem.origin).sentence


# ---------------------------------------------------------------- where a nan begins


def test_the_square_root_of_what_is_negative(record: Forker) -> None:
    recording = record(SQUARE_ROOT)
    torch.manual_seed(0)
    s = torch.randn(16, 4) @ torch.randn(4)
    negative = int((s < 0).sum())
    first = int((s < 0).nonzero()[0])
    problem, sentence = only(recording)
    assert recording.timeline.view(problem.step).code == "torch.sqrt(s)"
    assert problem.origin is not None
    assert problem.origin.counts == Counts(negative, 0, 16)
    assert sentence == (
        f"y = torch.sqrt(s) is nan where s is negative: {negative} of its 16 elements, s[{first}] = {s[first]:.5g}"
    )
    report = search(recording).report(problem.origin)
    loss = recording.steps_of("backward")[0]
    accumulated = recording.steps_of("accumulate")
    names = [name for name in ("y", "loss", "b.grad", "w.grad", "w", "b") if f" {name} " in f" {report.chain} "]
    assert report.chain.startswith(f"y {problem.step} → loss {loss} → b.grad {accumulated[0]}, w.grad {accumulated[1]}")
    assert names == ["y", "loss", "b.grad", "w.grad", "w", "b"]
    assert report.fix == "s.clamp(min=1e-6) in place of s"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = torch.tensor([1.0, 0.0])\ny = torch.log(x)",
         "y = torch.log(x) is -inf where x is 0: 1 of its 2 elements, x[1] = 0"),
        ("x = torch.tensor([[1.0, -2.0]])\ny = x.log()",
         "y = x.log() is nan where x is negative: 1 of its 2 elements, x[0, 1] = -2"),
        ("z = torch.tensor([0.0])\ny = z / z", "y = z / z is nan, since it is 0 / 0"),
        ("x = torch.tensor([3.0, 1.0])\nd = torch.tensor([0.0, 2.0])\ny = x / d",
         "y = x / d is inf where d is 0: 1 of its 2 elements, d[0] = 0"),
        ("x = torch.tensor([2.0, 0.0])\ny = 1 / x", "y = 1 / x is inf where x is 0: 1 of its 2 elements, x[1] = 0"),
        ("x = torch.tensor([1.0, 200.0])\ny = x.exp()",
         "y = x.exp() is inf where x is above 88.723: 1 of its 2 elements, x[1] = 200"),
        ("i = torch.tensor([float('inf')])\ny = i - i", "y = i - i is nan, since it is inf - inf"),
        ("i = torch.tensor([float('inf')])\ny = i * 0", "y = i * 0 is nan, since it is 0 × inf"),
        ("x = torch.tensor([-8.0])\ny = x ** 0.5",
         "y = x ** 0.5 is nan, since x is negative and its exponent 0.5 is no whole number"),
        ("x = torch.tensor([1e30])\ny = x * x",
         "y = x * x is inf: too large for float32, which ends at 3.4028e38"),
        ("x = torch.tensor(7e4)\ny = x.half()", "y = x.half() is inf: too large for float16, which ends at 65504"),
        ("x = torch.tensor([5.0])\ny = x.std()",
         "y = x.std() is nan, since it is taken of one element, which has no spread"),
        ("x = torch.zeros(0)\ny = x.mean()", "y = x.mean() is nan, since it is the mean of no elements"),
        ("a = torch.full((2, 3), float('-inf'))\ny = a.softmax(1)",
         "y = a.softmax(1) is nan where all numbers along dim 1 are -inf: 6 of its 6 elements, a[0, 0] = -inf"),
        ("p = torch.randn(2, 3)\nt = torch.tensor([-100, -100])\ny = F.cross_entropy(p, t)",
         "nll_loss in F.cross_entropy(p, t) is nan, since all targets are -100, which do not count"),
    ],
)  # fmt: skip
def test_what_made_it(record: Forker, code: str, said: str) -> None:
    assert only(record(HEAD + code))[1] == said


DELIBERATE = [
    "a = torch.randn(3, 3).masked_fill(torch.ones(3, 3).triu(1).bool(), float('-inf'))\np = a.softmax(1)",
    "m = torch.full((3, 3), float('-inf')).triu(1)\nq = torch.randn(1, 3, 4)\n"
    "p = F.scaled_dot_product_attention(q, q, q, attn_mask=m)",
    "s = torch.randn(3, 3, requires_grad=True)\nm = torch.ones(3, 3).triu(1).bool()\n"
    "s.masked_fill(m, float('-inf')).softmax(1)[0, 0].backward()",
    "z = torch.zeros(3)\nz[1] = float('-inf')\np = z.softmax(0)",
    "best = torch.full((2,), float('inf'))\nbest = torch.minimum(best, torch.ones(2))",
    "x = torch.tensor([1.0, float('nan')])\nmissing = torch.isnan(x)\nk = x[~missing].mean()",
    "v = torch.zeros(2).fill_(float('nan'))\nc = torch.nan_to_num(v)",
    "k = torch.tensor([1.0, 0.0])\np = torch.log(k).softmax(0)",
    "w = torch.where(torch.tensor([True, False]), torch.ones(2), float('-inf'))\np = w.max()",
]


@pytest.mark.parametrize("code", DELIBERATE)
def test_what_is_wanted_is_no_problem(record: Forker, code: str) -> None:
    assert nonfinite(search(record(HEAD + code))) == []


def test_a_nan_in_the_data_is_a_problem_once_it_reaches_the_loss(record: Forker) -> None:
    code = """\
x = torch.tensor([1.0, float("nan")])
w = torch.ones(2, requires_grad=True)
loss = (x * w).sum()
"""
    assert nonfinite(search(record(HEAD + code))) == []
    recording = record(HEAD + code + "loss.backward()\n")
    problem, sentence = only(recording)
    assert recording.code(problem.step) == 'torch.tensor([1.0, float("nan")])'
    assert sentence == 'x = torch.tensor([1.0, float("nan")]) has nan in 1 of 2 elements from the beginning'


def test_a_learning_rate_that_is_too_large_gives_inf_and_then_nan(record: Forker) -> None:
    recording = record(HEAD + """\
X = torch.randn(8, 2)
Y = X.sum(1)
w = torch.zeros(2, requires_grad=True)
for epoch in range(60):
    loss = ((X @ w - Y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 50.0 * w.grad
    w.grad = None
""")  # fmt: skip
    first, *_others = nonfinite(search(recording))
    assert first.origin is not None
    assert first.origin.name == "inf"
    report = search(recording).report(first.origin)
    points = [point.value for point in recording.timeline.series["loss"] if math.isfinite(point.value)]
    assert "too large for float32" in report.sentence
    assert report.fix.startswith("a smaller learning rate: loss grew from ")
    assert report.fix.endswith(f" in {len(points)} passes")
    assert "nan" in report.chain


def test_a_node_that_makes_the_first_inf_of_a_pass(record: Forker) -> None:
    recording = record(HEAD + "x = torch.zeros(1, requires_grad=True)\nx.sqrt().sum().backward()\n")
    problem, sentence = only(recording)
    assert sentence.startswith("SqrtBackward0 makes the first inf of this pass; ")
    assert recording.timeline.kind(problem.step) == "node"
    assert problem.origin is not None
    assert [place.what for place in problem.origin.reached] == ["grad"]


def test_large_tensors_are_known_by_their_counts(record: Forker) -> None:
    recording = record(HEAD + "x = torch.randn(50, 50)\ny = x.sqrt()\n")
    torch.manual_seed(0)
    count = int((torch.randn(50, 50) < 0).sum())
    problem, sentence = only(recording)
    assert problem.origin is not None
    assert problem.origin.counts == Counts(count, 0, 2500)
    assert sentence == f"y = x.sqrt() is nan in {count} of 2500 elements, and nothing that it was given is"


def test_reading_as_it_grows_finds_the_same(record: Forker) -> None:
    timeline = record(SQUARE_ROOT).timeline
    whole, growing = NonFinite(timeline), NonFinite(timeline)
    whole.read()
    while not growing.read(1):
        pass
    assert [vars(origin) for origin in whole.origins] == [vars(origin) for origin in growing.origins]


def test_a_sum_that_overflows_is_no_inf() -> None:
    assert count_nonfinite([1e308, 1e308]) is None
    assert count_nonfinite([math.inf, -math.inf, 1.0]) == Counts(0, 2, 3)
    assert count_nonfinite([[1.0, math.nan], [2.0, 3.0]]) == Counts(1, 0, 4)


# ---------------------------------------------------------------- failures

MODULE = (
    HEAD
    + """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.fc2 = nn.Linear(3, 1)
    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))
net = Net()
loss = net(torch.randn(4, 8)).sum()
"""
)
IN_PLACE = (
    HEAD
    + """\
a = torch.ones(3, requires_grad=True)
b = a.exp()
c = b * 2
b += 1
d = c.sum() + b.sum()
d.backward()
"""
)


def test_a_shape_in_a_module(record: Forker) -> None:
    recording = record(MODULE)
    problems = search(recording)
    failure = problems.failure()
    assert failure is not None
    assert recording.timeline.view(failure.step).code == "self.fc2(torch.relu(self.fc1(x)))"
    model = Model(TRACE, timeline=recording.timeline)
    model.begin()
    assert model.cursor == failure.step
    card = card_at(model)
    assert card is not None
    assert card.title == "RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x16 and 3x1)"
    assert card.texts[0][0].startswith("net.fc2 takes 3 numbers in each row")
    model.go(model.timeline.steps)  # the end of the cell, after the failure
    assert card_at(model) == card
    assert model.last().moved
    assert model.cursor == failure.step


def test_from_a_failure_to_its_cause_and_back(record: Forker) -> None:
    recording = record(IN_PLACE)
    model = Model(TRACE, timeline=recording.timeline)
    model.begin()
    failure, cause = model.cursor, recording.op("b += 1")
    assert recording.timeline.kind(failure) == "failed"
    for _round in range(2):
        result = model.next_problem()
        assert (result.outcome, result.text, model.cursor) == ("cause", str(failure), cause)
        result = model.next_problem()
        assert (result.outcome, model.cursor) == ("", failure)
        model.next_problem()  # the next problem after the failure: that which is marked where it was caused
        assert model.cursor == cause
        model.next_problem()
        assert model.cursor == failure


def test_a_failure_that_was_caught_ends_no_run(record: Forker) -> None:
    recording = record(HEAD + """\
x = torch.ones(2, 3)
try:
    x @ x
except RuntimeError:
    pass
try:
    int("a")
except ValueError:
    pass
y = x + 1
""")  # fmt: skip
    problems = search(recording)
    (problem,) = problems.all()
    assert problem.caught
    assert recording.timeline.view(problem.step).code == "x @ x"
    assert problems.failure() is None
    model = Model(TRACE, timeline=recording.timeline)
    model.begin()
    assert model.cursor == 0
    model.next_problem()
    card = card_at(model)
    assert card is not None
    assert card.texts[-1][0] == "The program caught this error and went on."
    assert model.next_problem().text == "this is the only problem"


def test_a_mistake_that_raises_nothing_is_found_once(record: Forker) -> None:
    recording = record(HEAD + """\
w = torch.ones(2, requires_grad=True)
for k in range(6):
    s = w.exp()
    s.data.mul_(2)
    s.sum().backward()
""")  # fmt: skip
    silent = [problem for problem in search(recording).all() if problem.kind == "silent"]
    sites = [recording.timeline.columns.sites[problem.step - 1] for problem in silent]
    assert silent
    assert len(set(zip(sites, [recording.timeline.kind(problem.step) for problem in silent], strict=True))) == len(
        sites
    )


LOST_LEAF = (
    HEAD
    + """\
w = torch.tensor([2.0], requires_grad=True)
w = w * 3
(w * w).sum().backward()
"""
)


def test_a_mistake_that_raises_nothing_has_a_card_and_leads_to_its_cause(record: Forker) -> None:
    recording = record(LOST_LEAF)
    model = Model(TRACE, timeline=recording.timeline)
    model.next_problem()
    (marked,) = recording.steps_of("accumulate")
    assert model.cursor == marked
    card = card_at(model)
    assert card is not None
    assert (card.kind, card.leads) == ("silent", True)
    made = recording.op("w * 3")
    assert [text for text, _ in card.texts] == [
        "since line 6 w means another tensor, which is no leaf: w.grad gets nothing.",
        f"Inevitable since step {made}, line 6: w * 3.",
    ]
    result = model.next_problem()
    assert (result.outcome, model.cursor) == ("cause", made)
    assert card_at(model) is None
    model.next_problem()
    assert model.cursor == marked


def test_a_run_without_problems_says_so(record: Forker) -> None:
    model = Model(TRACE, timeline=record(HEAD + "x = torch.ones(2)\n").timeline)
    assert model.next_problem().text == "nothing went wrong here: no error, no nan, no inf"
    assert not is_possible(model, "problem")


# ---------------------------------------------------------------- the end of a run


def test_the_end_says_what_became_of_the_run(record: Forker) -> None:
    recording = record(HEAD + """\
net = nn.ModuleDict({"used": nn.Linear(2, 1), "unused": nn.Linear(2, 1)})
x = torch.randn(4, 2)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(3):
    loss = net["used"](x).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
""")  # fmt: skip
    model = Model(TRACE, timeline=recording.timeline)
    model.problems.read()
    model.last()
    card = card_at(model)
    assert card is not None
    steps = recording.timeline.steps
    assert card.texts[0][0].startswith(f"{steps} steps and 3 backward passes · loss ")
    names = [name for name in recording.names() if "unused" in name]
    assert card.texts[1][0] == f"Never got a gradient: {names[0]} and {names[1]} (2 of 4 parameters)."
