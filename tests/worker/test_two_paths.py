"""y = (x + w)(w + 1), worked out by hand: x = 2 and w = 1 give 3 and 2, so 6; w gets 2 and 3, x gets 2."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker, Recording, plain_value
from tutor.trace import events as ev
from tutor.trace.graph import gradient_parts
from tutor.trace.operands import op_inputs, op_output

SCRIPT = """\
import torch
x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)
y = (x + w) * (w + 1)
y.backward()
"""


@pytest.fixture(scope="module")
def two_paths(record: Forker) -> Recording:
    return record(SCRIPT)


def test_operations_and_their_places(two_paths: Recording) -> None:
    assert two_paths.ops()[2:] == [("add", "x + w"), ("add", "w + 1"), ("mul", "(x + w) * (w + 1)")]
    timeline = two_paths.timeline
    step = two_paths.op("w + 1")
    assert timeline.view(step).span == (4, 15, 4, 20)
    assert op_inputs(timeline, step) == ["w", "1"]
    assert op_output(timeline, step) is None
    assert op_output(timeline, two_paths.op("(x + w) * (w + 1)")) == "y"
    assert two_paths.value("y", two_paths.op("(x + w) * (w + 1)")) == [6.0]


def test_the_pass(two_paths: Recording) -> None:
    timeline = two_paths.timeline
    nodes = [two_paths.timeline.event(step) for step in two_paths.steps_of("node")]
    shown = []
    for step, node in zip(two_paths.steps_of("node"), nodes, strict=True):
        assert isinstance(node, ev.Node)
        name = timeline.state(step).nodes[node.node].name
        shown.append((name, node.grad_outputs, node.grad_inputs))
    assert shown[0] == ("MulBackward0", [[1.0]], [[2.0], [3.0]])
    # The one of a sends 2 both ways, the one of b sends 3 to w and nothing to the constant.
    assert sorted(shown[1:], key=repr) == [
        ("AddBackward0", [[2.0]], [[2.0], [2.0]]),
        ("AddBackward0", [[3.0]], [[3.0], None]),
    ]
    written = {}
    for step in two_paths.steps_of("accumulate"):
        event = timeline.event(step)
        assert isinstance(event, ev.Accumulate)
        before = timeline.state(step - 1)
        assert before.tensors[event.tensor].grad is None
        name = next(name for name, number in two_paths.names(step).items() if number == event.tensor)
        parts = sorted(gradient_parts(timeline.state(step), event.node))
        written[name] = (plain_value(event.incoming), plain_value(event.new), parts)
    assert written == {
        "w": ([5.0], [5.0], [("AddBackward0", [2.0]), ("AddBackward0", [3.0])]),
        "x": ([2.0], [2.0], [("AddBackward0", [2.0])]),
    }


def test_the_end(two_paths: Recording) -> None:
    assert (two_paths.grad("w"), two_paths.grad("x")) == ([5.0], [2.0])
    assert two_paths.grad("w", two_paths.line(5)) is None
    assert two_paths.status == 0
    assert two_paths.stderr == "" == two_paths.raw["stderr"]
