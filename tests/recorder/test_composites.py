"""Composites of torch are recorded from inside, and stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from tests.worker.recording import Forker, value_in
from tutor.recorder.op_kinds import COMPOSITES, PRODUCTS, _DispatchedCalls, is_composite
from tutor.trace import events as ev
from tutor.trace import navigation


def _given() -> dict[str, Any]:
    torch.manual_seed(3)
    return {
        "x": torch.randn(4, 3, requires_grad=True), "z": torch.randn(4, 3), "w": torch.randn(5, 3, requires_grad=True),
        "b": torch.randn(5, requires_grad=True), "t": torch.tensor([0, 2, 1, 0]), "s": torch.ones(4),
        "q": torch.randn(2, 4, 3, requires_grad=True), "m": torch.randn(2, 3, 2),
    }  # fmt: skip


CALLS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "linear": (F.linear, lambda g: F.linear(g["x"], g["w"], g["b"])),
    "linear without bias": (F.linear, lambda g: F.linear(g["x"], g["w"])),
    "linear in three dimensions": (F.linear, lambda g: F.linear(g["q"], g["w"], g["b"])),
    "cross entropy": (F.cross_entropy, lambda g: F.cross_entropy(g["x"], g["t"])),
    "cross entropy, weighted": (F.cross_entropy, lambda g: F.cross_entropy(g["x"], g["t"], torch.ones(3) / 2)),
    "cross entropy, smoothed": (F.cross_entropy, lambda g: F.cross_entropy(g["x"], g["t"], label_smoothing=0.2)),
    "cross entropy, probabilities": (F.cross_entropy, lambda g: F.cross_entropy(g["x"], g["z"].softmax(1))),
    "cosine similarity": (F.cosine_similarity, lambda g: F.cosine_similarity(g["x"], g["z"])),
    "kl_div": (F.kl_div, lambda g: F.kl_div(g["x"], g["z"].softmax(1), reduction="batchmean")),
    "triplet": (F.triplet_margin_loss, lambda g: F.triplet_margin_loss(g["x"], g["z"], g["z"] + 1)),
    "margin ranking": (F.margin_ranking_loss, lambda g: F.margin_ranking_loss(g["x"][:, 0], g["z"][:, 0], g["s"])),
    "hinge": (F.hinge_embedding_loss, lambda g: F.hinge_embedding_loss(g["x"], torch.ones(4, 3))),
    "cosine embedding": (F.cosine_embedding_loss, lambda g: F.cosine_embedding_loss(g["x"], g["z"], g["s"])),
    "multilabel": (F.multilabel_soft_margin_loss, lambda g: F.multilabel_soft_margin_loss(g["x"], torch.ones(4, 3))),
    "normalize": (F.normalize, lambda g: F.normalize(g["x"])),
    "pairwise": (F.pairwise_distance, lambda g: F.pairwise_distance(g["x"], g["z"])),
    "poisson": (F.poisson_nll_loss, lambda g: F.poisson_nll_loss(g["x"], torch.ones(4, 3))),
    "gaussian": (F.gaussian_nll_loss, lambda g: F.gaussian_nll_loss(g["x"], g["z"], torch.ones(4, 3))),
    "rms norm": (F.rms_norm, lambda g: F.rms_norm(g["x"], (3,))),
    "matmul": (torch.matmul, lambda g: torch.matmul(g["q"], g["w"].T)),
    "matmul in batches": (torch.Tensor.matmul, lambda g: g["q"].matmul(g["m"])),
    "@": (torch.Tensor.__matmul__, lambda g: g["q"] @ g["m"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_looking_inside_changes_neither_values_nor_graph(name: str) -> None:
    call = CALLS[name][1]
    plain, seen = call(_given()), None
    with _DispatchedCalls(lambda *inner: None):
        seen = call(_given())
    assert torch.equal(plain, seen)
    assert _graph(plain) == _graph(seen)


def test_every_composite_is_compared() -> None:
    assert {func for func, _ in CALLS.values()} == COMPOSITES | PRODUCTS


def _graph(tensor: torch.Tensor) -> list[tuple[str, list[int]]]:
    """Names and inputs of all nodes, in the order of a walk."""
    numbers: dict[Any, int] = {}
    found: list[tuple[str, list[int]]] = []

    def walk_from(node: Any) -> int:
        if node is None:
            return -1
        if node not in numbers:
            numbers[node] = len(numbers)
            found.append((type(node).__name__, [walk_from(following) for following, _ in node.next_functions]))
        return numbers[node]

    walk_from(tensor.grad_fn)
    return found


LOSS = """\
import torch
import torch.nn.functional as F
scores = torch.tensor([[1.0, 2.0], [3.0, 0.0]], requires_grad=True)
target = torch.tensor([1, 0])
loss = F.cross_entropy(scores, target)
loss.backward()
"""


def test_cross_entropy_is_log_softmax_and_nll_loss(record: Forker) -> None:
    recording = record(LOSS)
    timeline = recording.timeline
    outer = recording.op("F.cross_entropy(scores, target)", 3)
    steps = [timeline.view(step) for step in range(outer - 2, outer + 1)]
    assert [(view.site.op, view.depth, view.site.parent) for view in steps if view.site] == [
        ("log_softmax", 1, "cross_entropy"), ("nll_loss", 1, "cross_entropy"), ("cross_entropy", 0, None),
    ]  # fmt: skip
    inner = timeline.event(outer - 2)
    assert isinstance(inner, ev.Op)
    state = timeline.state(outer - 2)
    # log softmax of (1, 2) is (-1 - ln(1 + 1/e), -ln(1 + 1/e)), and ln(1 + e^-1) = 0.31326, ln(1 + e^-3) = 0.04859
    expected = [[-1.31326, -0.31326], [-0.04859, -3.04859]]
    assert value_in(state, inner.outputs[0]) == [pytest.approx(row, abs=1e-5) for row in expected]
    # (0.31326 + 0.04859) / 2
    assert recording.value("loss") == pytest.approx(0.180925, abs=1e-5)
    nodes = {node.name: node for node in state.nodes.values()}
    assert nodes["LogSoftmaxBackward0"].tensor == inner.outputs[0]


def test_the_arrow_passes_over_and_i_goes_in(record: Forker) -> None:
    recording = record(LOSS)
    timeline = recording.timeline
    outer = recording.op("F.cross_entropy(scores, target)", 3)
    line = recording.line(5)
    assert navigation.forward(timeline, line) == outer
    assert navigation.into(timeline, line) == outer - 2
    assert navigation.into(timeline, outer) == outer - 2
    assert navigation.out(timeline, outer - 2) == outer
    assert navigation.back(timeline, outer) == line
    made = timeline.changed(outer).tensors
    assert recording.names()["loss"] in made


def test_what_an_in_place_call_inside_changes_is_told_as_it_was(record: Forker) -> None:
    recording = record(LOSS.replace("target)", "target, label_smoothing=0.5, ignore_index=1)"))
    timeline = recording.timeline
    neg = next(step for step in recording.steps_of("op") if timeline.view(step).site.op == "neg")  # type: ignore[union-attr]
    event = timeline.event(neg)
    assert isinstance(event, ev.Op)
    # the negated sums of both rows of log softmax: 1.31326 + 0.31326, 0.04859 + 3.04859
    before, after = timeline.state(neg), timeline.state(neg + 2)
    assert value_in(before, event.outputs[0]) == [pytest.approx(1.62652, abs=1e-4), pytest.approx(3.09718, abs=1e-4)]
    assert value_in(after, event.outputs[0]) == [0.0, pytest.approx(3.09718, abs=1e-4)]


def test_a_composite_that_fails_has_the_traceback_of_a_plain_run(record: Forker) -> None:
    recording = record(LOSS.replace("[1, 0]", "[1, 7]"))
    assert recording.status == 1
    assert "Target 7 is out of bounds" in recording.stderr
    assert "_ops.py" not in recording.stderr
    assert "tutor" not in recording.stderr


@pytest.mark.parametrize(
    "call",
    [
        lambda g: g["q"].mT @ g["q"],
        lambda g: g["q"] @ g["q"].mT,
        lambda g: g["q"][:1] @ g["m"],
        lambda g: g["x"] @ g["m"],
        lambda g: F.linear(g["q"][..., ::2], g["w"][:, :2]),
        lambda g: F.linear(g["q"].transpose(0, 1), g["w"], g["b"]),
    ],
)
def test_what_a_look_inside_could_change_is_left_alone(call: Callable[[dict[str, Any]], torch.Tensor]) -> None:
    plain = call(_given())
    with _Looking():
        seen = call(_given())
    assert torch.equal(plain, seen)
    assert _graph(plain) == _graph(seen)


class _Looking(TorchFunctionMode):
    """Looks inside wherever the recorder would."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if is_composite(func, args):
            with _DispatchedCalls(lambda *inner: None):
                return func(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))
