"""What is explained of a step: its rule with the reason, the numbers apart from it, and what runs next."""

from __future__ import annotations

import re

import pytest

from tests.worker.recording import Forker, Recording
from tutor import i18n
from tutor.explain import Explained, formatting, lines
from tutor.explain.elements import Matrix
from tutor.explain.node import Phrase
from tutor.trace import number_format

SCRIPT = """\
import torch
X = torch.tensor([[1.0, 2.0], [0.0, -1.0], [2.0, 0.5]])
W = torch.tensor([[1.0, -2.0], [3.0, 4.0]], requires_grad=True)
v = torch.tensor([2.0, -1.0], requires_grad=True)
H = X @ W
y = (torch.relu(H) @ v).sum()
y.backward()
big = torch.ones(3, 9, requires_grad=True)
(torch.ones(2, 3) @ big).sum().backward()
opt = torch.optim.Adam([W, v], lr=0.1)
opt.step()
opt.zero_grad()
end = 1
"""


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    recording = record(SCRIPT)
    assert recording.status == 0, recording.stderr
    return recording


def text(phrases: Phrase | list[Phrase]) -> str:
    parts = [part for phrase in phrases for part in ([phrase] if isinstance(phrase, tuple) else [*phrase, (" · ", "")])]
    return "".join(text for text, _role in parts).removesuffix(" · ")


def of_node(run: Recording, name: str) -> list[Explained]:
    found = [lines(run.timeline, step) for step in run.steps_of("node")]
    return [explained for explained in found if explained.rule[0][0][0] == name]


def test_a_matrix_product_has_rule_reason_factors_and_one_element(run: Recording) -> None:
    (product, _big) = of_node(run, "MmBackward0")
    assert text(list(product.rule)) == (
        "MmBackward0 · H = X·W · grad(W) = Xᵀ·G · because each H[i,j] took W[k,j] times X[i,k]"
    )
    # G is v below each positive element of H = [[7, 6], [-3, -4], [3.5, -2]]
    assert product.product is not None
    grids = [(grid.name, grid.grid.flat) for grid in (*product.product.factors, product.product.result)]
    assert grids == [("Xᵀ", (1, 0, 2, 2, -1, 0.5)), ("G", (2, -1, 0, 0, 2, 0)), ("grad(W)", (6, -1, 5, -2))]
    assert product.element is not None
    assert text(product.element(60)) == "grad(W)[0, 0] = 1·2 + 0·0 + 2·2 = 6 · row 0 of Xᵀ, column 0 of G"
    assert [text(phrase) for phrase in product.numbers] == [
        "2×3 · 3×2 → 2×2", "grad(W) = [[6 -1] [5 -2]]", "G = [[2 -1] [0 0] [2 0]] arrived"
    ]  # fmt: skip


def test_a_vector_is_a_column_of_a_product(run: Recording) -> None:
    explained = lines(run.timeline, run.op("torch.relu(H) @ v"))
    assert explained.product is not None
    assert [grid.grid.shape for grid in explained.product.factors] == [(3, 2), (2, 1)]
    assert text(list(explained.numbers)) == "3×2 · 2 → 3 · [8 0 7]"
    (mv,) = of_node(run, "MvBackward0")
    assert "because each" in text(list(mv.rule))


def test_a_product_of_more_than_eight_columns_is_not_shown_as_grids(run: Recording) -> None:
    (_small, big) = of_node(run, "MmBackward0")
    assert big.product is None
    assert text(big.numbers[0]) == "3×2 · 2×9 → 3×9"
    assert big.element is not None
    assert text(big.element(60)[0]) == "grad(big)[0, 0] = 1·1 + 1·1 = 2"


def test_a_derivative_by_element_is_shown_beside_what_arrived(run: Recording) -> None:
    (relu,) = of_node(run, "ReluBackward0")
    assert relu.product is not None
    assert relu.product.sign == "×"
    assert [grid.grid.flat for grid in relu.product.factors] == [(2, -1, 2, -1, 2, -1), (1, 1, 0, 0, 1, 0)]
    assert relu.product.result.grid.flat == (2, -1, 0, 0, 2, 0)


def test_the_chosen_element_is_worked_out(run: Recording) -> None:
    step = next(step for step in run.steps_of("node") if "MmBackward0" in text(list(lines(run.timeline, step).rule)))

    def last(matrices: list[Matrix]) -> tuple[Matrix, int]:
        return matrices[0], 3

    explained = lines(run.timeline, step, choose=last)  # type: ignore[arg-type]
    assert explained.product is not None
    assert explained.product.chosen == 3
    assert explained.element is not None
    assert text(explained.element(60)[0]) == "grad(W)[1, 1] = 2·(-1) + (-1·0) + 0.5·0 = -2"


def test_an_optimizer_is_explained_by_one_weight_its_formula_before_its_numbers(run: Recording) -> None:
    (step,) = [
        step for step in range(1, run.timeline.steps + 1)
        if run.timeline.kind(step) == "line" and "Adam.step" in text(list(lines(run.timeline, step).rule))
    ]  # fmt: skip
    explained = lines(run.timeline, step)
    assert text(list(explained.rule)) == (
        "Adam.step · W[0, 0] = w - lr·m̂/(√v̂ + ε) · 1 more parameter · line 11 · opt.step()"
    )
    first, *states = [text(phrase) for phrase in explained.numbers]
    assert re.fullmatch(r"W\[0, 0\] = 1 - 0\.1·≈?6/\(√≈?36 \+ 1e-8\) = 0\.9", first)
    assert [state.partition(" = ")[0] for state in states] == ["m (exp_avg)", "v (exp_avg_sq)", "m̂", "v̂"]


def test_before_a_statement_what_ran_is_the_step_before_it(run: Recording) -> None:
    product = run.op("X @ W")
    assert run.timeline.kind(product + 1) == "line"
    explained = lines(run.timeline, product + 1)
    assert explained.step == product
    assert text(list(explained.rule)) == "matmul · H = X @ W"
    assert text(explained.next).startswith("line 6 · y = ")


def test_what_runs_next_is_said_at_each_step_and_not_beyond_the_limit(run: Recording) -> None:
    for step in range(1, run.timeline.steps):
        assert lines(run.timeline, step).next, step
    assert not lines(run.timeline, run.timeline.steps).next
    product = run.op("X @ W")
    assert text(lines(run.timeline, product, limit=product).next) == "a question"
    assert text(lines(run.timeline, product, limit=product + 1).next).startswith("line 6")


def test_the_rule_comes_before_the_numbers_and_no_shape_stands_for_a_value(run: Recording) -> None:
    shape = re.compile(r"(?<==) \d+×\d+|[=×] \[\d+(, \d+)*\]")
    for step in run.steps_of("node"):
        explained = lines(run.timeline, step)
        rule = text(list(explained.rule))
        assert "grad(" in rule or "∂" in rule or "each gets" in rule
        assert not shape.search(text(explained.ran()))
        assert not any(number_format.BETWEEN in phrase[0][0] for phrase in explained.rule)


def test_a_sum_says_how_many_terms_it_leaves_out() -> None:
    terms = ["1·2", "3·4", "5·6"]
    assert formatting.sum_text(terms, 15) == "1·2 + 3·4 + 5·6"
    assert formatting.sum_text([*terms, "77777·88888"], 22) == "1·2 + … (3 more terms)"
    assert formatting.sum_text([*terms, "7·8"], 10) == "1·2 + … (3 more terms)"
    assert formatting.sum_text(["11·22", "333333333333333333·444444444444"], 28) == "11·22 + … (1 more term)"


def test_plurals_and_reasons_in_chinese(run: Recording) -> None:
    i18n.use("zh")
    try:
        (product, _big) = of_node(run, "MmBackward0")
        assert "因为每个 H[i,j] 里有 W[k,j] 乘 X[i,k]" in text(list(product.rule))
        assert formatting.sum_text(["1·2", "3·4"], 5) == "1·2 + …（还有 1 项）"
    finally:
        i18n.use("en")
