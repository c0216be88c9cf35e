"""What autograd nodes save that is no tensor: the same as torch's own nodes say in a plain run, with their signs."""

from __future__ import annotations

import json
import math
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tests.worker.recording import Forker, Recording
from tutor.text import show
from tutor.trace import events as ev
from tutor.trace import tracefile, wire
from tutor.trace.names import names_of
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

GIVEN = """
import torch
import torch.nn.functional as F
torch.manual_seed(3)
x = torch.randn(3, 4, requires_grad=True)
q = torch.randn(2, 3, 4, requires_grad=True)
image = torch.randn(1, 2, 5, 5, requires_grad=True)
kernel = torch.randn(2, 1, 2, 2, requires_grad=True)
i = torch.tensor([0, 2, 1])
z = torch.randn(3, 4)
"""

EXPRESSIONS = """
x.sum()
x.sum(-1, keepdim=True)
x.sum((0, -1))
x.mean(1)
x.prod(-1)
x.var(0)
x.std((0,), correction=2)
x.norm()
x.norm(3, dim=-1)
torch.linalg.vector_norm(x, float("inf"), dim=-1)
torch.linalg.vector_norm(x, float("-inf"))
x.logsumexp((0, -1))
x.max(-1).values
x.amax((0, 1))
x.topk(2, largest=False).values
x.sort(-1, descending=True).values
x.kthvalue(2, -1).values
x.cumsum(-1)
x.logcumsumexp(0)
F.softmax(x, -1)
F.log_softmax(x, 0)
F.glu(x, -1)
x.view(2, -1)
x.reshape(6, 2)
x.transpose(-1, -2)
q.permute(2, 0, -2)
q.flatten(-2)
x.unsqueeze(-1)
x[None].squeeze(-3)
x[0].expand(5, -1)
x.repeat(2, 1)
x.diagonal(-1)
x.diagonal(1, -1, -2)
x.tril(-1)
x.triu(2)
x.flip(-1)
x.roll((-1, 2), (0, 1))
x.rot90(-1)
F.pad(x, (1, -1))
F.pad(q, (1, 1), mode="reflect")
x[-1]
x[1:, ::2]
x[i, -1]
x.select(-1, -2)
x.narrow(1, 1, 2)
x.gather(-1, i[:, None])
x.index_select(-1, i)
x.scatter(1, i[:, None], 2.0)
torch.cat([x, x], -1)
torch.stack([x, x], -1)
x.split([1, 3], -1)[1]
x.chunk(2, 1)[0]
x.unbind(-1)[0]
x.unfold(-1, 2, 1)
x.as_strided((2, 2), (1, 2), 1)
x.add(z, alpha=-2)
z.sub(x, alpha=0.5)
2 - x
x ** 3
x ** -0.5
2.5 ** x
x / 3
x.remainder(2)
x.clamp(0, float("inf"))
x.clamp(min=1)
torch.addmm(z, x[:, :3], x, beta=2, alpha=3)
torch.baddbmm(q, q[:, :, :3], q, beta=0.5)
torch.addcmul(z, x, x, value=-2)
x.lerp(z, 0.3)
F.leaky_relu(x, -0.2)
F.elu(x, 1.5)
F.softplus(x, 2, 3)
F.hardtanh(x, -2, 0.5)
F.threshold(x, 0.1, 20)
F.gelu(x, approximate="tanh")
F.layer_norm(x, (4,), eps=1e-3)
F.group_norm(image, 2)
F.batch_norm(x, None, None, training=True, eps=0.01)
F.conv2d(image, kernel, stride=2, padding=1, dilation=2, groups=2)
F.conv_transpose2d(image, kernel, output_padding=1, stride=2)
F.max_pool2d(image, 2, stride=1, ceil_mode=True)
F.avg_pool2d(image, 2, count_include_pad=False)
F.interpolate(image, scale_factor=2, mode="bilinear")
F.pixel_shuffle(torch.cat([image, image], 1), 2)
F.embedding(i, x, padding_idx=-1)
F.nll_loss(x, i, ignore_index=-100)
F.cross_entropy(x, i, reduction="sum", label_smoothing=0.1)
F.mse_loss(x, z, reduction="none")
F.huber_loss(x, z, delta=0.7)
F.linear(q, z)
q @ z.T
torch.einsum("ij,kj->ik", x, z)
torch.cdist(x, z, p=1.5)
torch.linalg.solve_triangular(x[:, :3], z, upper=True)
x * (1 + 2j)
x.to(torch.float64)
x.masked_fill(x > 0, -1.0)
torch.fft.fft(x, dim=0)
""".strip().splitlines()


def signed(value: Any) -> Any:
    """A value of torch's as JSON: of 64-bit numbers without a sign, those with the same bits that have one."""
    if isinstance(value, tuple | list):
        return [signed(item) for item in value]
    if type(value) is int and value >= 0:
        return int.from_bytes(value.to_bytes(8, "little"), "little", signed=True)
    return [value.real, value.imag] if isinstance(value, complex) else value


def attributes_of(node: Any) -> dict[str, Any]:
    """What a node of torch's says in this process, without tensors and what may be one."""
    names = [name for name in dir(node) if name.startswith("_saved_") and not hasattr(type(node), f"_raw{name}")]
    return {name.removeprefix("_saved_"): signed(getattr(node, name)) for name in names}


def plain_graph(grad_fn: Any) -> list[Any]:
    """The graph behind a node of torch's, depth first: names, attributes, inputs."""
    name = type(grad_fn).__name__
    inputs = [None if source is None else plain_graph(source) for source, _ in grad_fn.next_functions]
    return [name, attributes_of(grad_fn), inputs]


def recorded_graph(state: State, number: int) -> list[Any]:
    """The same of a recording."""
    node = state.nodes[number]
    inputs = [None if source is None else recorded_graph(state, source[0]) for source in node.inputs]
    return [node.name, node.attributes, inputs]


def graph_of(state: State, name: str) -> list[Any]:
    """The graph behind a tensor of a recording."""
    number = state.tensors[names_of(state)[name]].node
    assert number is not None
    return recorded_graph(state, number)


@pytest.fixture(scope="module")
def table(record: Forker) -> Recording:
    """All expressions recorded in one run, each result under its own name."""
    lines = [f"y{at} = {expression}" for at, expression in enumerate(EXPRESSIONS)]
    return record(GIVEN + "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """What the expressions are given, in this process."""
    given: dict[str, Any] = {}
    exec(GIVEN, given)
    return given


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_as_in_a_plain_run(table: Recording, plain: dict[str, Any], expression: str) -> None:
    name = f"y{EXPRESSIONS.index(expression)}"
    assert graph_of(table.end, name) == plain_graph(eval(expression, plain).grad_fn)


def test_signs_and_what_json_lacks(table: Recording) -> None:
    def node(name: str) -> dict[str, Any]:
        attributes: dict[str, Any] = graph_of(table.end, f"y{EXPRESSIONS.index(name)}")[1]
        return attributes

    assert node("x.diagonal(-1)")["offset"] == -1
    assert node("x.sum((0, -1))") == {"dim": [0, -1], "keepdim": False, "self_sym_sizes": [3, 4]}
    assert node("F.pad(x, (1, -1))") == {"pad": [1, -1]}
    assert node('x.clamp(0, float("inf"))') == {"min": 0, "max": math.inf}
    assert node("x.clamp(min=1)") == {"min": 1, "max": None}
    assert node("F.nll_loss(x, i, ignore_index=-100)") == {"reduction": 1, "ignore_index": -100}
    assert node("x ** 3") == {"exponent": 3}
    assert node("x ** -0.5") == {"exponent": -0.5}


LOOPS = """
import torch
x = torch.ones(2, 3, requires_grad=True)

def folded(t, n):
    return t.reshape(n, -1).sum()

for dim in (0, 1, -1, 0):
    a = x.sum(dim)
for n in (2, 3.0, 2, 2.0):
    b = x ** n
for t in (x, x[:1], x):
    c = folded(t, t.shape[0])
for at in (torch.tensor(0), torch.tensor(1)):
    d = x[at]
for alpha in (torch.tensor(2.0), torch.tensor(0.5)):
    e = torch.add(x, x, alpha=alpha)
"""


def created(recording: Recording, name: str) -> list[dict[str, Any]]:
    """The attributes of each node of a name, at the step at which it appeared."""
    found = []
    for step in range(1, recording.timeline.steps + 1):
        for event in recording.timeline.following(step):
            if isinstance(event, ev.GraphNode) and event.name == name:
                found.append(recording.timeline.state(step).nodes[event.node].attributes)
    return found


def test_each_visit_of_a_site_has_its_own(record: Forker) -> None:
    recording = record(LOOPS)
    assert [found["dim"] for found in created(recording, "SumBackward1")] == [[0], [1], [-1], [0]]
    exponents = [found["exponent"] for found in created(recording, "PowBackward0")]
    assert exponents == [2, 3.0, 2, 2.0]
    assert [type(exponent) for exponent in exponents] == [int, float, int, float]
    sizes = [found["self_sym_sizes"] for found in created(recording, "SumBackward0")]
    assert sizes == [[2, 3], [1, 3], [2, 3]]
    # Values of tensors that torch takes for numbers:
    assert [found["index"] for found in created(recording, "SelectBackward0")] == [0, 1]
    assert [found["alpha"] for found in created(recording, "AddBackward0")] == [2.0, 0.5]


HOOKS = """
import torch
calls = []

def pack(t):
    calls.append("pack")
    return t

def unpack(t):
    calls.append("unpack")
    return t

x = torch.ones(2, 3, requires_grad=True)
with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
    y = torch.nn.functional.softmax(x.exp(), -1).norm(3, dim=0)
print(calls)
"""


def test_hooks_for_saved_tensors_do_not_run(record: Forker) -> None:
    recording = record(HOOKS)
    printed: dict[str, Any] = {"print": lambda calls: printed.update(printed=str(calls))}
    exec(HOOKS, printed)
    assert recording.stdout.strip() == printed["printed"]
    assert graph_of(recording.end, "y") == plain_graph(printed["y"].grad_fn)
    assert graph_of(recording.end, "y")[2][0][1] == {"dim": -1}


DOUBLE = """
import torch
x = torch.full((2, 3), 2.0, requires_grad=True)
y = (x ** 3).sum(-1, keepdim=True).transpose(-1, 0)
(g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
z = g.norm()
z.backward()
"""


def test_nodes_of_a_pass_with_create_graph(record: Forker) -> None:
    recording = record(DOUBLE)
    given: dict[str, Any] = {}
    exec(DOUBLE.rpartition("z.backward")[0], given)
    step = recording.op("g.norm()")
    assert graph_of(recording.timeline.state(step), "g") == plain_graph(given["g"].grad_fn)


CHECKPOINT = """
import torch
from torch.utils.checkpoint import checkpoint
x = torch.ones(2, 3, requires_grad=True)
y = checkpoint(lambda t: t.cumsum(-1).roll(-2, 1).exp(), x, use_reentrant={reentrant})
y.sum().backward()
"""


@pytest.mark.parametrize("reentrant", [False, True])
def test_nodes_inside_a_checkpoint(record: Forker, reentrant: bool) -> None:
    recording = record(CHECKPOINT.format(reentrant=reentrant))
    assert {"dim": -1} in created(recording, "CumsumBackward0")
    assert {"dims": [1], "shifts": [-2]} in created(recording, "RollBackward0")


FUNCTION = """
import torch

class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t, power):
        ctx.save_for_backward(t)
        ctx.power = power
        return t.sum(-1) ** power

    @staticmethod
    def backward(ctx, grad):
        return None, None

x = torch.ones(2, 3, requires_grad=True)
y = Cube.apply(x, 3)
"""


def test_a_custom_function_has_none(record: Forker) -> None:
    assert graph_of(record(FUNCTION).end, "y")[:2] == ["CubeBackward", {}]


LONG = """
import torch
x = torch.ones(2, 3, requires_grad=True)
w = torch.ones(3, requires_grad=True)
for epoch in range(400):
    dim = -1 if epoch % 3 else 0
    y = (x * w).sum(dim).roll(-1, 0)
    y.sum().backward()
"""


def test_forward_backward_and_from_a_file(record: Forker, tmp_path: Path) -> None:
    recording = record(LONG)
    timeline = recording.timeline
    assert timeline.seeker.keys
    tracefile.save(timeline, tmp_path / "long.trace")
    loaded = tracefile.load(tmp_path / "long.trace")
    assert loaded.notices == []
    assert loaded.seeker.keys
    for step in (*range(timeline.steps, 0, -97), *range(1, timeline.steps, 193)):
        expected, state = timeline.state(step).nodes, loaded.state(step).nodes
        assert {n: node.attributes for n, node in state.items()} == {n: node.attributes for n, node in expected.items()}
        assert loaded.arguments(step) == timeline.arguments(step)
    dims = [found["dim"] for found in created(recording, "SumBackward1")]
    assert dims == [[-1] if epoch % 3 else [0] for epoch in range(400)]


def test_what_stays_is_sent_once(record: Forker) -> None:
    recording = record(LONG)
    assert len(recording.of(ev.Attributes)) == len({event.attributes for event in recording.of(ev.Attributes)}) == 5
    calls = [event.arguments for event in recording.of(ev.Call)]
    assert len(calls) == 5  # two `ones`
    assert calls[2:] == [{"dim": 0}, {"shifts": -1, "dims": 0}, {"dim": -1}]


def test_a_recording_from_before() -> None:
    """Events without the new fields are read: nodes have no attributes, operations no arguments."""
    before = [
        (10, 1), (20, 1, [2], "float32", "cpu", [1], True, False, "SumBackward1", False), (23, 1, 1, [None], [1]),
        (30, 1, "SumBackward1", [], 1, 0), (21, 1, 1, 0, 1, 1, None, [1.0, 2.0]), (23, 1, 1, [None], [1], None),
        (30, 2, "SumBackward1", [], 1, 0, ["self"], None),
    ]  # fmt: skip
    timeline = Timeline()
    timeline.feed(wire.pack(before, 3))
    assert timeline.notices == []
    assert timeline.steps == 3
    assert [node.attributes for node in timeline.state(3).nodes.values()] == [{}, {}]
    assert timeline.arguments(2) == timeline.arguments(3) == {}


def test_shown_as_json(table: Recording) -> None:
    out = StringIO()
    show.write_json(table.timeline, table.timeline.steps - 1, out)
    nodes = json.loads(out.getvalue())["graph"]["nodes"]
    assert {"dim": [0, -1], "keepdim": False, "self_sym_sizes": [3, 4]} in [node["attributes"] for node in nodes]
    assert {"min": 0, "max": "inf"} in [node["attributes"] for node in nodes]
    assert all(node["attributes"] == {} for node in nodes if node["name"] == "AccumulateGrad")
