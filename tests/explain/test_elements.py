"""One element worked out in full: of gradients, of results, of updates. Each working is evaluated again."""

from __future__ import annotations

import math
import re

import pytest

from tests.worker.recording import Forker, Recording
from tutor.explain import plain
from tutor.explain.elements import Matrix, default_element, matrices_of, work_out
from tutor.trace.values import elements

PRODUCT = """\
import torch
X = torch.tensor([[1.0, 0.0, 2.0], [2.0, -1.0, 0.5]])
W = torch.tensor([[3.0, 1.0], [0.0, 2.0], [-2.0, 4.0]], requires_grad=True)
H = X @ W
R = H.relu()
loss = R.sum()
loss.backward()
(W * W).sum().backward()
"""

NETWORK = """\
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.1)
x = torch.randn(5, 3)
a = x.mean(dim=1)
b = x.sum(0, keepdim=True)
c = x * 2 - b
w = torch.randn(4, 2, requires_grad=True)
moved = torch.cat([w.T, w.reshape(2, 4)])
batch = torch.randn(2, 3, 4) @ w
for k in range(2):
    loss = net(x).pow(2).mean()
    loss.backward()
    opt.step()
    opt.zero_grad()
"""

NUMBERS = re.compile(r"[\d.e+\-*/() ]+")


def text_of(recording: Recording, matrix: Matrix, element: int, width: int = 10_000) -> list[str]:
    lines = work_out(recording.timeline, matrix, element, width)
    return ["".join(text for text, _role in line) for line in lines]


def at(recording: Recording, step: int, name: str) -> Matrix:
    return next(matrix for matrix in matrices_of(recording.timeline, step) if matrix.name == name)


def node(recording: Recording, name: str) -> int:
    timeline = recording.timeline
    return next(step for step in recording.steps_of("node") if plain(timeline, step).startswith(name))


@pytest.fixture
def product(record: Forker) -> Recording:
    return record(PRODUCT)


def test_every_term_of_a_matrix_product_is_there_and_zeros_too(product: Recording) -> None:
    step = product.op("X @ W")
    assert text_of(product, at(product, step, "H"), 0) == [
        "H[0, 0] = 1·3 + 0·0 + 2·(-2) = -1", "row 0 of X, column 0 of W"
    ]  # fmt: skip
    assert text_of(product, at(product, step, "H"), 2)[0] == "H[1, 0] = 2·3 + (-1·0) + 0.5·(-2) = 5"


def test_a_gradient_of_a_product_has_its_factors_in_the_order_of_its_formula(product: Recording) -> None:
    """G is [[0, 1], [1, 1]]: relu lets three of the ones through."""
    matrix = at(product, node(product, "MmBackward0"), "grad(W)")
    assert text_of(product, matrix, 0) == ["grad(W)[0, 0] = 1·0 + 2·1 = 2", "row 0 of Xᵀ, column 0 of G"]
    assert text_of(product, matrix, 5) == ["grad(W)[2, 1] = 2·1 + 0.5·1 = 2.5", "row 2 of Xᵀ, column 1 of G"]


def test_a_gradient_that_accumulates_is_the_old_one_and_what_each_node_sent(product: Recording) -> None:
    first, second = product.steps_of("accumulate")
    assert text_of(product, at(product, first, "W.grad"), 1) == ["W.grad[0, 1] = 3"]
    assert text_of(product, at(product, second, "W.grad"), 5) == ["W.grad[2, 1] = 2.5 + 4 + 4 = 10.5"]


def test_a_longer_sum_says_how_many_terms_are_left_out(product: Recording) -> None:
    matrix = at(product, product.op("X @ W"), "H")
    assert text_of(product, matrix, 0, 10)[0] == "H[0, 0] = 1·3 + … (2 more terms) = -1"


def test_all_workings_give_the_recorded_number(record: Forker) -> None:
    """Every element of both programs, worked out as text and evaluated by Python; most of them have a working."""
    worked = total = 0
    for script in (PRODUCT, NETWORK):
        recording = record(script)
        for step in range(1, recording.timeline.steps + 1):
            for matrix in matrices_of(recording.timeline, step):
                flat = elements(matrix.value) or []
                for element, recorded in enumerate(flat):
                    said = text_of(recording, matrix, element)
                    if matrix.kind == "parameter":
                        said = said[-1:]
                    working, separator, result = said[0].replace(" ≈ ", " = ").rpartition(" = ")
                    assert float(result.lstrip("≈")) == pytest.approx(recorded, rel=2e-4, nan_ok=True), said
                    total += 1
                    terms = working.rpartition(" = ")[2] if separator else ""
                    terms = re.sub(r"√(\S+)", r"(\1)**0.5", terms).replace("^", "**").replace("²", "**2")
                    terms = terms.replace("·", "*").replace("×", "*")
                    if matrix.kind == "parameter" or not NUMBERS.fullmatch(terms):
                        continue
                    worked += 1
                    assert eval(terms) == pytest.approx(recorded, rel=2e-3, abs=2e-4), said
    assert total > 1_000
    assert worked > 600


def test_an_element_is_found_in_views_joins_and_batches(record: Forker) -> None:
    recording = record(NETWORK)
    moved = at(recording, recording.op("torch.cat([w.T, w.reshape(2, 4)])"), "moved")
    assert re.fullmatch(r"moved\[0, 1\] = w\.T\[0, 1\] = -?[\d.]+", text_of(recording, moved, 1)[0])
    assert re.fullmatch(r"moved\[3, 3\] = .*reshape.*\[1, 3\] = -?[\d.]+", text_of(recording, moved, 15)[0])
    bound = next(
        s for s in recording.steps_of("op") if any(m.name == "batch" for m in matrices_of(recording.timeline, s))
    )
    batch = at(recording, bound, "batch")
    assert text_of(recording, batch, 11)[0].count("·") == 4


def test_an_update_is_in_the_optimizers_own_formula_with_its_state_by_name(record: Forker) -> None:
    """Adam's first step moves each weight by lr against the sign of its gradient: m̂/√v̂ is that sign."""
    recording = record(NETWORK)
    step, parameter = next(
        (step, matrix)
        for step in range(1, recording.timeline.steps + 1)
        for matrix in matrices_of(recording.timeline, step)
        if matrix.kind == "parameter" and matrix.name == "net[2].bias"
    )
    said = text_of(recording, parameter, 1)
    assert [line.partition(" = ")[0] for line in said] == ["w", "m (exp_avg)", "v (exp_avg_sq)", "m̂", "v̂", "w"]
    before = recording.value("net[2].bias", step - 1)
    assert any("net[2].bias[1]" in line for line in said)
    after = recording.value("net[2].bias", step)[1]
    assert float(said[-1].rpartition(" = ")[2]) == pytest.approx(after, rel=1e-4)
    assert before is not None


def test_what_is_worked_out_without_a_choice(record: Forker) -> None:
    recording = record("import torch\nx = torch.tensor([0.0, -1.0, 4.0])\ny = x + 0\nz = x.sqrt()\n")
    timeline = recording.timeline
    assert default_element(timeline, at(recording, recording.op("x + 0"), "y")) == 1
    root = at(recording, recording.op("x.sqrt()"), "z")
    assert default_element(timeline, root) == 1
    assert text_of(recording, root, 1) == ["z[1] = nan"]
    assert math.isnan((elements(root.value) or [])[1])


def test_nothing_is_claimed_of_values_that_were_not_recorded(record: Forker) -> None:
    recording = record("import torch\nbig = torch.ones(40, 40)\nc = torch.ones(2, dtype=torch.complex64) * 2\n")
    for step in range(1, recording.timeline.steps + 1):
        for matrix in matrices_of(recording.timeline, step):
            assert work_out(recording.timeline, matrix, 0, 80) == []
            assert work_out(recording.timeline, matrix, 5_000, 80) == []
