"""What is left of an explaining line where there is no room for all of it."""

from __future__ import annotations

import pytest

from tests.explain.explained import line
from tests.worker.recording import Forker, Recording
from tutor.ui.render.segments import middle_cut, row_width, shortened, shortened_rule

SCRIPT = """\
import torch
a = torch.tensor(3.0, requires_grad=True)
b = torch.tensor(2.0, requires_grad=True)
total_of_all = (a * b) * torch.tensor(0.000239)
total_of_all.backward(retain_graph=True)
total_of_all.backward()
c = a.exp()
c += 1
third_of_all = total_of_all.detach() * b.detach() * 1.000001
d = a * b
d.backward()
try:
    c.backward()
except RuntimeError:
    pass
"""


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    return record(SCRIPT)


def explanation(run: Recording, step: int, cells: int) -> str:
    return "".join(text for text, _ in shortened(line(run.timeline, step), cells))


def test_a_pass_begins_with_its_loss_and_not_with_its_gradient_alone(run: Recording) -> None:
    first, second, *_ = run.steps_of("backward")
    whole = "backward pass 1 begins at total_of_all = 0.001434 with gradient 1 · keeps its graph"
    assert explanation(run, first, 100) == whole
    assert explanation(run, first, 76) == "backward pass 1 begins at total_of_all = 0.001434 with gradient 1"
    assert explanation(run, second, 20).startswith("backward pass 2 begins at total_of_all")


def test_the_end_of_a_pass_says_of_a_second_one_what_there_is_room_for(run: Recording) -> None:
    end = run.steps_of("backward_end")[2]
    again = "a second pass would fail"
    why = f"{again}: MulBackward0 of d had saved a and b"
    whole = f"backward pass 3 is over · 3 nodes ran · saved tensors freed · {why}"
    for cells, expected in {
        200: whole,
        105: f"backward pass 3 is over · 3 nodes ran · {why}",
        76: f"backward pass 3 is over · saved tensors freed · {again}",
        60: f"backward pass 3 is over · {again}",
        30: "backward pass 3 is over",
    }.items():
        assert explanation(run, end, cells) == expected


def test_what_went_wrong_stays_and_the_working_goes_first(run: Recording) -> None:
    broken = next(step for step in run.steps_of("op") if any(role == "error" for _, role in line(run.timeline, step)))
    assert "backward will fail" in explanation(run, broken, 118)
    product = run.op("total_of_all.detach() * b.detach() * 1.000001")
    whole = line(run.timeline, product)
    cells = row_width(whole) - 1
    assert explanation(run, product, cells) == "".join(text for text, _ in whole[:3] + whole[-2:])


def test_of_a_list_the_first_items_stay() -> None:
    sentence = "SGD.step: w1 3 - 0.1 × 2 = 2.8; w2 4 - 0.1 × 1 = 3.9; 1 more parameter"
    pieces = [("cell 1 is done", "plain"), (" · ", "quiet"), (sentence, "value")]
    short = "cell 1 is done · SGD.step: w1 3 - 0.1 × 2 = 2.8; …"
    assert "".join(text for text, _ in shortened(pieces, 70)) == short
    assert "".join(text for text, _ in shortened(pieces, 83)) == f"{short[:-1]}w2 4 - 0.1 × 1 = 3.9; …"


def test_the_code_of_an_operation_gives_way_to_its_result(run: Recording) -> None:
    product = run.op("total_of_all.detach() * b.detach() * 1.000001")
    assert explanation(run, product, 60) == "mul · third_of_all = total_of_all.detach() * b.d… = 0.002868"


def test_the_formula_of_a_node_gives_way_to_its_numbers(run: Recording) -> None:
    node = next(step for step in run.steps_of("node") if "(a * b)·torch" in explanation(run, step, 200))
    short = "".join(text for text, _ in shortened_rule(line(run.timeline, node), 76))
    assert short.startswith("MulBackward0 · grad(a * b) = 1 × 0.000239 = 0.000239")


def test_a_sum_gives_way_to_what_it_is() -> None:
    leaf = [("AccumulateGrad", "node"), (" · ", "quiet"), ("w.grad", "leaf"), (" = ", "quiet")]
    pieces = [*leaf, ("[1 2 3] + [1 1 1] = [2 3 4]", "grad")]
    assert shortened(pieces, 50) == [*leaf, ("[2 3 4]", "grad")]


@pytest.mark.parametrize(
    ("cells", "short"),
    [(30, "blocks[0].mlp[2].weight"), (15, "block…2].weight"), (8, "blo…ight"), (3, "b…t"), (1, "…")],
)
def test_a_name_is_cut_in_its_middle(cells: int, short: str) -> None:
    assert middle_cut("blocks[0].mlp[2].weight", cells) == short


def test_a_wide_name_is_cut_by_cells() -> None:
    assert middle_cut("第一层的权重", 6) == "第…重"
