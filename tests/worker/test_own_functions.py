"""Custom `autograd.Function`s: their Python `backward` is stepped line by line inside the pass."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker, Recording, plain_value
from tutor.explain import plain
from tutor.trace import events as ev
from tutor.trace.names import names_of
from tutor.trace.operands import op_inputs, op_output

POWER = """\
import torch
class Power(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t, n):
        ctx.save_for_backward(t)
        ctx.n = n
        return t ** n
    @staticmethod
    def backward(ctx, grad):
        (t,) = ctx.saved_tensors
        slope = torch.ones_like(t)
        for _ in range(ctx.n - 1):
            slope = slope * t
        return grad * ctx.n * slope, None
x = torch.tensor([2.0], requires_grad=True)
"""
LOOP, TURN = 12, 13
"""The lines of the loop in `backward`, and of its body."""


def inside(recorded: Recording, number: int) -> list[int | None]:
    """The lines that ran inside a pass."""
    steps = [step for step in recorded.steps_of("line") if recorded.timeline.view(step).pass_ == number]
    return [recorded.timeline.view(step).line for step in steps]


def test_a_loop_in_backward_line_by_line(record: Forker) -> None:
    recorded = record(POWER + "y = Power.apply(x, 3)\ny.backward()\n")
    assert inside(recorded, 1) == [10, 11, LOOP, TURN, LOOP, TURN, LOOP, 14]
    turns = [step for step in recorded.steps_of("line") if recorded.timeline.view(step).line == TURN]
    assert [recorded.timeline.view(step).iteration for step in turns] == [1, 2]
    product = recorded.op("slope * t", 2)
    assert recorded.value("slope", product) == [4.0]
    assert recorded.timeline.view(product).function == "backward"
    (node,) = recorded.of(ev.Node)
    assert [*map(plain_value, node.grad_inputs)] == [[12.0]]  # 3·2², and nothing for n, which is no tensor
    assert recorded.grad("x") == [12.0]


def test_in_the_second_graph_too(record: Forker) -> None:
    recorded = record(
        POWER.replace("return grad * ctx.n * slope, None", "return grad * ctx.n * Power.apply(t, ctx.n - 1), None")
        + "y = Power.apply(x, 3)\n(first,) = torch.autograd.grad(y, x, create_graph=True)\n"
        "(second,) = torch.autograd.grad(first, x)\n"
    )
    # y = x³: 3x² = 12 and 6x = 12. The first pass runs Power's backward, and in it its forward with 2; that one's
    # backward runs in the second pass.
    captured = [plain_value(event.value) for event in recorded.of(ev.Captured)]
    assert captured == [[12.0], [12.0]]
    assert inside(recorded, 1) == [10, 11, LOOP, TURN, LOOP, TURN, LOOP, 14, 5, 6, 7]
    assert inside(recorded, 2) == [10, 11, LOOP, TURN, LOOP, 14, 5, 6, 7]
    names = [recorded.end.nodes[event.node].name for event in recorded.of(ev.Node) if event.node in recorded.end.nodes]
    assert names.count("PowerBackward") >= 1


def test_several_outputs_and_what_needs_no_gradient(record: Forker) -> None:
    recorded = record("""\
import torch
class Both(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b, scale):
        ctx.save_for_backward(a, b)
        ctx.scale = scale
        return a * b, a + scale * b
    @staticmethod
    def backward(ctx, product, total):
        a, b = ctx.saved_tensors
        to_a = product * b + total if ctx.needs_input_grad[0] else None
        to_b = product * a + ctx.scale * total if ctx.needs_input_grad[1] else None
        return to_a, to_b, None
a = torch.tensor([2.0], requires_grad=True)
b = torch.tensor([3.0], requires_grad=True)
p, t = Both.apply(a, b, 10.0)
(p * 5 + t).backward()
p, t = Both.apply(a, b.detach(), 10.0)
t.backward()
""")
    both = [event for event in recorded.of(ev.Node) if len(event.grad_outputs) == 2]
    sent = [[*map(plain_value, [*event.grad_outputs, *event.grad_inputs])] for event in both]
    # 5 reaches p and 1 reaches t: a gets 5·3 + 1, b gets 5·2 + 10. Then nothing reaches p, which torch turns into 0
    # for the backward; and a alone gets something.
    assert sent == [[[5.0], [1.0], [16.0], [20.0]], [None, [1.0], [1.0], None]]
    assert (recorded.grad("a"), recorded.grad("b")) == ([17.0], [20.0])


def test_a_backward_that_raises_names_its_line(record: Forker) -> None:
    recorded = record("""\
import torch
class Refuses(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t):
        return t * 2
    @staticmethod
    def backward(ctx, grad):
        scaled = grad * 3
        raise ValueError("not today")
x = torch.tensor([2.0], requires_grad=True)
try:
    Refuses.apply(x).backward()
except ValueError:
    pass
y = x * 2
y.backward()
""")
    (failed,) = recorded.of(ev.Failed)
    assert (failed.function, failed.span and failed.span[0]) == ("backward", 9)
    assert recorded.value("scaled", recorded.op("grad * 3")) == [3.0]
    assert recorded.timeline.view(recorded.op("x * 2")).function == "<module>"
    assert recorded.grad("x") == [2.0]


def test_a_step_for_each_call_wherever_it_stands(record: Forker) -> None:
    recorded = record("""\
import torch
class Mul(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b
    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return g * b, g * a
class Shift(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        h.add_(1)
        ctx.mark_dirty(h)
        return h
    @staticmethod
    def backward(ctx, g):
        return g
x = torch.tensor([1.0, 2.0], requires_grad=True)
w = torch.tensor([3.0, 4.0], requires_grad=True)
z = Mul.apply(x, w).sum()
z.backward()
mul = Mul.apply
v = (mul(mul(x, w), w) + 1).sum()
v.backward()
h = x * 3
h = Shift.apply(h)
h.sum().backward()
""")
    timeline = recorded.timeline
    codes = ["Mul.apply(x, w)", "mul(x, w)", "mul(mul(x, w), w)", "Shift.apply(h)"]
    calls = [recorded.op(code) for code in codes]
    inputs = [op_inputs(timeline, step) for step in calls]
    assert inputs == [["x", "w"], ["x", "w"], [inputs[2][0], "w"], ["h"]]
    assert [op_output(timeline, step) for step in calls] == [None, None, None, "h"]
    assert [plain(timeline, step) for step in calls] == [
        "Mul: Mul.apply(x, w) = [3 8]", "Mul: mul(x, w) = [3 8]", "Mul: mul(mul(x, w), w) = [9 32]",
        "Shift: h = Shift.apply(h) = [4 7]",
    ]  # fmt: skip
    nodes = [plain(timeline, step) for step in recorded.steps_of("node")]
    assert nodes[0].startswith("SumBackward0, of z = sum of Mul.apply(x, w): the gradient 1 arrives. Mul.apply(x, w)")
    assert nodes[1].startswith("MulBackward, of Mul.apply(x, w): the gradient [1 1] arrives")
    assert "it sends [3 4] to mul(x, w) and [3 8] to w" in nodes[4]
    kept = recorded.end.nodes
    names = [node.name for node in kept.values()]
    assert "ShiftBackward" in names
    assert all("backward_hooks" not in op for op, _ in recorded.ops())
    assert recorded.grad("x") == [15.0, 23.0]


def test_a_call_of_a_library_is_no_step_of_its_own(record: Forker) -> None:
    recorded = record("""\
import torch
from torch.utils.checkpoint import checkpoint
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = checkpoint(lambda t: t * t, x, use_reentrant=True)
y.sum().backward()
""")
    assert [op for op, _ in recorded.ops() if op == "CheckpointFunction"] == []
    assert recorded.grad("x") == [2.0, 4.0]


def test_what_stands_for_several_in_vmap(record: Forker) -> None:
    recorded = record("""\
import torch
start = torch.tensor(1.0)
rows = torch.vmap(lambda t: start + t * torch.arange(2.0))(torch.arange(3.0))
sums = torch.vmap(lambda t: t.sum())(rows)
""")
    texts = [plain(recorded.timeline, step) for step in recorded.steps_of("op")]
    assert "add: start + t * torch.arange(2.0) = shape 2, for 3 at once" in texts
    assert any(text.endswith("t.sum() = shape scalar, for 3 at once") for text in texts)


@pytest.mark.parametrize(
    ("given", "setup"),
    [
        ("a module's backward hook", "net.register_full_backward_hook(lambda module, sent, came: None)"),
        ("a module's backward pre-hook", "net.register_full_backward_pre_hook(lambda module, came: None)"),
        ("checkpoint", "net.forward = functools.partial(checkpoint, net.forward, use_reentrant=True)"),
    ],
)
def test_what_a_function_of_torch_gives_has_its_node(record: Forker, given: str, setup: str) -> None:
    recorded = record(f"""\
import functools
import torch
from torch.utils.checkpoint import checkpoint
def hook(module, inputs, output):
    first = inputs[0]
    print(first.grad_fn is None, output.grad_fn is None, first.is_leaf, output.is_leaf)
net = torch.nn.Sequential(torch.nn.ReLU())
net.register_forward_hook(hook)
{setup}
w = torch.tensor([1.0, -2.0], requires_grad=True)
out = net(w * 2)
out.sum().backward()
""")
    assert recorded.status == 0, recorded.stderr
    state = recorded.timeline.state(recorded.line(6) - 1)
    names = names_of(state, state.frames[-1])
    held = [state.tensors[names[name]] for name in ("first", "output")]
    told = [tensor.grad_fn is None for tensor in held] + [tensor.is_leaf for tensor in held]
    assert recorded.stdout == " ".join(map(str, told)) + "\n"
    assert recorded.grad("w") == [2.0, 0.0]
