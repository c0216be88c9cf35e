"""Backward passes, with figures worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.worker.recording import Forker, Recording, plain_value
from tutor.recorder.backward import BackwardCall
from tutor.trace import events as ev
from tutor.trace.graph import gradient_parts, graph_of
from tutor.trace.names import names_of

T, GRAD = torch.Tensor, torch.autograd.grad
W = torch.tensor([1.0, 2.0], requires_grad=True)
Y, Z, G = W * 2, W * 3, torch.ones(2)


def accumulated(recorded: Recording) -> list[tuple[str | None, Any, Any, Any]]:
    """Of each accumulation: the leaf's name, old, incoming, new."""
    found = []
    for step in recorded.steps_of("accumulate"):
        event = recorded.timeline.event(step)
        assert isinstance(event, ev.Accumulate)
        before = recorded.timeline.state(step - 1)
        old = before.tensors[event.tensor].grad
        name = next((name for name, number in names_of(before).items() if number == event.tensor), None)
        held = None if old is None else plain_value(before.tensors[old].value)
        found.append((name, held, plain_value(event.incoming), plain_value(event.new)))
    return found


def test_over_passes_old_plus_incoming_is_new(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([3.0], requires_grad=True)
for k in range(3):
    (w * w).backward()
    if k == 1:
        w.grad.zero_()
w.grad = None
(w * 2).backward()
""")
    # The slope of w² at 3 is 6; zeroed after the second pass; put away before the last, whose slope is 2.
    assert accumulated(recorded) == [
        ("w", None, [6.0], [6.0]), ("w", [6.0], [6.0], [12.0]), ("w", [0.0], [6.0], [6.0]), ("w", None, [2.0], [2.0]),
    ]  # fmt: skip
    assert [info.number for info in recorded.timeline.passes] == [1, 2, 3, 4]
    assert [event.number for event in recorded.of(ev.BackwardEnd)] == [1, 2, 3, 4]


def test_fan_in_within_a_pass_is_summed_before(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([2.0], requires_grad=True)
h = w * 10
y = h * h + h * 3 + w
y.backward()
""")
    # y = 100w² + 30w + w: the product sends h twice h = 20, the 3h sends 3; 43 reach the node of h and 430 its w.
    assert accumulated(recorded) == [("w", None, [431.0], [431.0])]
    end = recorded.end
    node_of = {name: end.tensors[number].node for name, number in recorded.names().items()}
    h = node_of["h"]
    assert h is not None
    assert end.nodes[h].grad_outputs == [[43.0]]
    assert sorted(gradient_parts(end, h)) == [
        ("MulBackward0", [3.0]),
        ("MulBackward0", [20.0]),
        ("MulBackward0", [20.0]),
    ]
    leaf = next(node for node in end.nodes.values() if node.name == "AccumulateGrad")
    assert sorted(gradient_parts(end, leaf.node)) == [("AddBackward0", [1.0]), ("MulBackward0", [430.0])]


def test_graph_on_show(record: Forker) -> None:
    recorded = record("""\
import torch
x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)
a = x + w
b = w + 1
y = a * b
y.backward()
z = x * 1
""")
    before = recorded.timeline.state(recorded.steps_of("backward")[0])
    nodes, edges = graph_of(before)
    named = {number: name for name, number in recorded.names().items()}
    assert [(node.name, named.get(node.tensor or 0)) for node in nodes] == [
        ("AccumulateGrad", "x"), ("AccumulateGrad", "w"), ("AddBackward0", "a"), ("AddBackward0", "b"),
        ("MulBackward0", "y"),
    ]  # fmt: skip
    at = {named.get(node.tensor or 0): node.node for node in nodes}
    wanted = [("x", "a"), ("w", "a"), ("w", "b"), ("a", "y"), ("b", "y")]
    assert sorted(edges) == sorted((at[left], at[right]) for left, right in wanted)
    assert {node.state for node in nodes} == {"live"}
    after = recorded.timeline.state(recorded.steps_of("backward_end")[0])
    states = {node.name: node.state for node in graph_of(after)[0]}
    assert states == {"AccumulateGrad": "live", "AddBackward0": "freed", "MulBackward0": "freed"}
    assert [node.grad_outputs for node in graph_of(after)[0]] == [[[2.0]], [[5.0]], [[2.0]], [[3.0]], [[1.0]]]
    product = next(node for node in nodes if node.name == "MulBackward0")
    assert product.saved == ["other", "self"]


def test_retained_gradients(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
a = w * 3
b = a * a
a.retain_grad()
b.sum().backward()
(a.detach() * w).sum().backward()
""")
    (step,) = recorded.steps_of("retained")
    event = recorded.timeline.event(step)
    assert isinstance(event, ev.Retained)
    assert plain_value(event.value) == [6.0, 12.0]  # 2a
    assert recorded.grad("a", step) == [6.0, 12.0]
    assert recorded.grad("a", step - 1) is None
    assert recorded.names(step)["a"] == event.tensor
    state = recorded.end.tensors[event.tensor]
    assert (state.retains_grad, state.is_leaf, state.grad_fn) == (True, False, "MulBackward0")
    assert recorded.grad("b") is None


def test_hooks_before_and_after(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
def double(grad):
    return grad * 2
def look(grad):
    seen = grad + 1
a = w * 3
a.register_hook(double)
a.register_hook(look)
w.register_hook(lambda grad: torch.zeros_like(grad))
a.sum().backward()
""")
    events = [recorded.timeline.event(step) for step in recorded.steps_of("hook")]
    shown = [(e.hook, plain_value(e.before), plain_value(e.after)) for e in events if isinstance(e, ev.HookRan)]
    assert shown == [
        ("double", [1.0, 1.0], [2.0, 2.0]), ("look", [2.0, 2.0], [2.0, 2.0]), ("<lambda>", [6.0, 6.0], [0.0, 0.0]),
    ]  # fmt: skip
    # What a hook computes is walked like other code of the learner's.
    assert ("mul", "grad * 2") in recorded.ops()
    assert ("add", "grad + 1") in recorded.ops()
    step = recorded.op("grad * 2")
    assert recorded.timeline.view(step).function == "double"
    assert recorded.timeline.view(step).pass_ == 1
    assert accumulated(recorded) == [("w", None, [0.0, 0.0], [0.0, 0.0])]


def test_gradients_that_are_written_to_unseen_between_two_nodes(record: Forker) -> None:
    recorded = record("""\
import torch
class Tenfold(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1
    @staticmethod
    def backward(ctx, grad):
        grad.data.mul_(10)
        return grad * 7
w = torch.ones(20, requires_grad=True)
a = w * 2
a.register_hook(lambda grad: (grad.data.mul_(10), None)[1])
b = a * 3
y = (Tenfold.apply(b) * 5).sum()
y.backward()
""")
    # 5 reaches the function, which makes it 50 and sends 350; times 3 it is 1,050, which the hook makes 10,500.
    nodes: dict[str, list[Any]] = {"MulBackward0": [], "TenfoldBackward": []}
    for step in recorded.steps_of("node"):
        event = recorded.timeline.event(step)
        assert isinstance(event, ev.Node)
        name = recorded.timeline.state(step).nodes[event.node].name
        if name in nodes:
            nodes[name].append([plain_value(event.grad_outputs[0])[0], plain_value(event.grad_inputs[0])[0]])
    assert nodes["MulBackward0"] == [[1.0, 5.0], [350.0, 1050.0], [10500.0, 21000.0]]
    assert nodes["TenfoldBackward"] == [[50.0, 350.0]]
    assert [(name, incoming[0], new[0]) for name, _, incoming, new in accumulated(recorded)] == [("w", 21e3, 21e3)]


def test_gradients_taken(record: Forker) -> None:
    recorded = record("""\
import torch
x = torch.tensor([3.0], requires_grad=True)
y = torch.tensor([1.0], requires_grad=True)
z = x ** 3
gx, gy = torch.autograd.grad(z, [x, y], create_graph=True, allow_unused=True)
(hx,) = torch.autograd.grad(gx, x)
""")
    found = []
    for step in recorded.steps_of("captured"):
        event = recorded.timeline.event(step)
        assert isinstance(event, ev.Captured)
        found.append((event.tensor, plain_value(event.value)))
    names = recorded.names()
    assert found == [(names["x"], [27.0]), (names["y"], None), (names["x"], [18.0])]  # 3x², 6x
    assert (recorded.value("gx"), recorded.value("hx")) == ([27.0], [18.0])
    assert recorded.steps_of("accumulate") == []
    assert recorded.grad("x") is None
    backward = recorded.of(ev.Backward)
    assert [(event.call, event.create_graph, event.retain_graph) for event in backward] == [
        ("grad", True, True), ("grad", False, False),
    ]  # fmt: skip


def test_what_backward_was_asked(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
y = w * 2
y.backward(torch.tensor([1.0, 10.0]), retain_graph=True)
torch.autograd.backward([y.sum(), w.sum()])
""")
    first, second = recorded.of(ev.Backward)
    assert (first.retain_graph, [plain_value(value) for value in first.gradient]) == (True, [[1.0, 10.0]])
    assert first.roots == [recorded.names()["y"]]
    assert (second.retain_graph, second.gradient, len(second.roots)) == (False, [], 2)
    assert recorded.code(recorded.steps_of("backward")[0]) == (
        "y.backward(torch.tensor([1.0, 10.0]), retain_graph=True)"
    )
    assert recorded.grad("w") == [2.0 + 2 + 1, 20.0 + 2 + 1]


def test_a_pass_that_fails(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([2.0], requires_grad=True)
y = w * w
z = y * y
y.backward()
try:
    z.backward()
except RuntimeError as error:
    text = str(error)
(w * 1).backward()
""")
    ends = [(event.number, event.ok) for event in recorded.of(ev.BackwardEnd)]
    assert ends == [(1, True), (2, False), (3, True)]
    # The pass got as far as z = y², whose slope is 2y = 8, before the node of y, which was freed, refused.
    nodes = [(event.grad_outputs, event.grad_inputs) for event in recorded.of(ev.Node)]
    assert nodes == [([[1.0]], [[2.0], [2.0]]), ([[1.0]], [[4.0], [4.0]]), ([[1.0]], [[1.0], None])]
    (failed,) = recorded.of(ev.Failed)
    assert (failed.caught, failed.error) == (True, "RuntimeError")
    assert failed.span is not None
    assert failed.span[0] == 7
    assert recorded.grad("w") == [5.0]


def test_checkpointed_pass_within_a_pass(record: Forker) -> None:
    recorded = record("""\
import torch
from torch.utils.checkpoint import checkpoint
w = torch.tensor([2.0], requires_grad=True)
def block(t):
    inner = t * t
    return inner * 3
checkpoint(block, w, use_reentrant=True).backward()
""")
    assert [event.number for event in recorded.of(ev.Backward)] == [1, 2]
    assert [event.number for event in recorded.of(ev.BackwardEnd)] == [2, 1]
    assert recorded.grad("w") == [12.0]
    assert [op for op in recorded.ops() if op[1] == "t * t"] == [("mul", "t * t")] * 2  # once more on the way back


def test_custom_function(record: Forker) -> None:
    recorded = record("""\
import torch
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t):
        ctx.save_for_backward(t)
        return t ** 3
    @staticmethod
    def backward(ctx, grad):
        (t,) = ctx.saved_tensors
        slope = 3 * t ** 2
        return grad * slope
w = torch.tensor([2.0], requires_grad=True)
y = Cube.apply(w)
y.backward()
""")
    (node,) = recorded.of(ev.Node)
    assert recorded.end.nodes[node.node].name == "CubeBackward"
    assert (node.grad_outputs, node.grad_inputs) == ([[1.0]], [[12.0]])
    step = recorded.op("3 * t ** 2")
    assert recorded.timeline.view(step).function == "backward"
    assert recorded.value("slope", step) == [12.0]
    y = recorded.end.tensors[recorded.names()["y"]]
    assert (y.grad_fn, y.node) == ("CubeBackward", node.node)


def test_a_deep_graph(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0], requires_grad=True)
y = w
for _ in range(3000):
    y = y + w
y.backward()
""")
    assert recorded.status == 0
    assert recorded.grad("w") == [3001.0]
    assert len(recorded.of(ev.Node)) == 3000


def test_a_pass_that_begins_at_a_leaf(record: Forker) -> None:
    recording = record("import torch\nw = torch.tensor(3.0, requires_grad=True)\nw.backward()\nw.backward()\n")
    assert recording.grad("w") == 2.0
    assert [plain_value(event.new) for event in recording.of(ev.Accumulate)] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "expected"),
    [
        (T.backward, (Y,), {}, ("backward", [Y], [], [], False, False)),
        (T.backward, (Y, G, True), {}, ("backward", [Y], [G], [], True, False)),
        (T.backward, (Y,), {"gradient": G, "create_graph": True}, ("backward", [Y], [G], [], True, True)),
        (T.backward, (Y,), {"retain_graph": False, "create_graph": True}, ("backward", [Y], [], [], False, True)),
        (torch.autograd.backward, ([Y, Z],), {}, ("backward", [Y, Z], [], [], False, False)),
        (torch.autograd.backward, (Y, (G,)), {}, ("backward", [Y], [G], [], False, False)),
        (GRAD, (Y, W), {}, ("grad", [Y], [], [W], False, False)),
        (
            torch.autograd.grad,
            ((Y, Z), (W,)),
            {"grad_outputs": [G, None]},
            ("grad", [Y, Z], [G, None], [W], False, False),
        ),
        (
            torch.autograd.grad,
            (),
            {"outputs": Y, "inputs": [W], "create_graph": True},
            ("grad", [Y], [], [W], True, True),
        ),
    ],
)
def test_the_arguments_of_a_call(function: Any, args: Any, kwargs: dict[str, Any], expected: tuple[Any, ...]) -> None:
    call = BackwardCall(function, args, kwargs)
    asked = call.name, call.roots, call.gradient, call.inputs, call.retain_graph, call.create_graph
    assert repr(asked) == repr(expected)
    assert (call.edges, call.accumulated) == ([], [])


def test_what_a_pass_writes_to_and_the_edges_that_it_begins_at() -> None:
    edge = torch.autograd.graph.get_gradient_edge(Y)
    assert BackwardCall(T.backward, (Y,), {"inputs": W}).accumulated == [W]
    call = BackwardCall(torch.autograd.grad, (edge, W), {})
    assert (call.roots, call.edges, call.inputs) == ([], [edge.node], [W])


def test_a_call_that_torch_will_reject_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        BackwardCall(torch.autograd.grad, (Y,), {})
