"""What nodes keep: the change that breaks it is marked when it happens, and only then."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker, Recording
from tutor.explain import plain
from tutor.explain.mistakes.wrong_gradients import describe_second_pass
from tutor.explain.saved_tensors import saved_by
from tutor.explain.step import describe_side_effects
from tutor.trace import navigation
from tutor.trace.history import last_write, storage_aliases, views

BROKEN = """\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
a = w.exp()
a += 1
b = w.exp().view(2)
b += 1
c = w.exp()
d = c[:1]
d.mul_(2)
e = w * w
f = w.exp()
g = f.detach()
g[0] = 4
model = torch.nn.Linear(2, 1)
loss = (model(w.view(1, 2).clone()) ** 2).sum()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loss.backward(retain_graph=True)
optimizer.step()
with torch.no_grad():
    w += 1
for root in (loss, e.sum()):
    try:
        root.backward()
    except RuntimeError:
        pass
"""

UNSEEN = """\
import torch
w = torch.tensor([1.0], requires_grad=True)
a = w.exp()
a.data += 1
a.sum().backward()
b = w.exp()
b.detach().numpy()[0] = 9
b.backward()
c = w.exp()
array = c.detach().numpy()
array[0] = 7
c.backward()
d = w.exp()
d.data = torch.zeros(1)
d.backward()
m = torch.tensor([2.0])
e = m * w
m.data += 1
e.backward()
r = torch.relu(w * 2)
r.data += 1
r.backward()
"""

HARMLESS = """\
import torch
w = torch.tensor([1.0], requires_grad=True)
a = w + 3
a += 1
b = w.exp()
b.sum().backward()
b.data += 1
with torch.no_grad():
    b += 1
m = torch.ones(3)
m += 1
m.data += 1
p = w.exp()
q = torch.zeros(1)
q += p.detach()
t = w * 2.0
t.exp_()
t.sum().backward()
for i in range(2):
    l = (w * w).sum()
    l.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
def times(x, y):
    return x * y
times(w, torch.tensor([2.0], requires_grad=True))
k = torch.tensor([5.0])
h = times(k, w)
one = torch.tensor([5.0])
i = times(w, one)
w.data = w.data + 0
with torch.no_grad():
    w[0] = float("nan")
u = w.clone()
v = u.exp()
u.data *= 2
"""

TWICE = """\
import torch
x = torch.tensor([2.0], requires_grad=True)
y = x + 3
y.backward()
y.backward()
z = y.exp() * x
z.backward()
r = x * x
r.backward(retain_graph=True)
(x * x).sum().backward()
"""


@pytest.fixture(scope="module")
def broken(record: Forker) -> Recording:
    return record(BROKEN)


@pytest.fixture(scope="module")
def unseen(record: Forker) -> Recording:
    return record(UNSEEN)


@pytest.fixture(scope="module")
def twice(record: Forker) -> Recording:
    return record(TWICE)


def marked(recording: Recording) -> dict[str, str]:
    """The steps that are said to break something, or to do so where nobody sees it: their code, and the words."""
    said = {}
    for step in range(1, recording.timeline.steps + 1):
        text = plain(recording.timeline, step)
        if "backward will" in text or "backward would" in text:
            said[f"{recording.timeline.kind(step)} {recording.timeline.view(step).line}"] = text
    return said


WHOSE = """\
import torch
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        y = x ** 3 * w
        ctx.save_for_backward(w, y, x * x)
        return y
    @staticmethod
    def backward(ctx, g):
        w, y, square = ctx.saved_tensors
        return g * 3 * square * w, None
x = torch.tensor([3.0, 1.0], requires_grad=True)
w = torch.tensor([2.0, 5.0], requires_grad=True)
for turn in range(2):
    own = torch.tensor([2.0, 3.0], dtype=torch.float32)
    y = Cube.apply(x, own)
z = torch.mul(input=x, other=w)
loss = torch.nn.functional.mse_loss(input=z, target=own)
first, second = w[:1], w[1:]
between = first * second
turned = w.view(2, 1) @ w.view(1, 2)
joined = torch.addcmul(input=x, tensor1=w, tensor2=z)
"""


def test_each_tensor_kept_is_found_however_it_was_given(record: Forker) -> None:
    run = record(WHOSE)
    assert run.status == 0, run.stderr
    state, named = run.end, {number: name for name, number in run.names().items()}
    made = {named.get(node.tensor or 0): node for node in state.nodes.values() if node.name != "AccumulateGrad"}

    def kept(name: str) -> list[tuple[str, str | None, int, int | None]]:
        return sorted((one.name, named.get(one.tensor), one.bytes, one.version) for one in saved_by(state, made[name]))

    assert kept("y") == [
        ("saved_tensors[0]", "own", 8, 0), ("saved_tensors[1]", "y", 8, 0),
        ("saved_tensors[2]", None, 8, None),  # what forward made for itself
    ]  # fmt: skip
    assert kept("z") == [("other", "w", 8, 0), ("self", "x", 8, 0)]
    assert kept("loss") == [("self", "z", 8, 0), ("target", "own", 8, 0)]
    assert kept("between") == [("other", "second", 4, 0), ("self", "first", 4, 0)]  # two views of one storage
    assert [(name, size) for name, _, size, _ in kept("turned")] == [("mat2", 8), ("self", 8)]
    assert kept("joined") == [("tensor1", "w", 8, 0), ("tensor2", "z", 8, 0)]


def test_what_cross_entropy_is_made_of_keeps_what_it_needs(record: Forker) -> None:
    run = record("import torch\nx = torch.rand(2, 3, requires_grad=True)\ny = torch.tensor([2, 0])\n"
                 "loss = torch.nn.functional.cross_entropy(x, target=y)\n")  # fmt: skip
    state, numbers = run.end, run.names()
    nodes = {node.name: node for node in state.nodes.values()}
    inner = nodes["LogSoftmaxBackward0"]
    assert [(one.name, one.tensor, one.bytes) for one in saved_by(state, inner)] == [("result", inner.tensor, 24)]
    loss = saved_by(state, nodes["NllLossBackward0"])
    assert {(one.name, one.tensor, one.bytes) for one in loss} >= {
        ("self", inner.tensor, 24), ("target", numbers["y"], 16)
    }  # fmt: skip


def test_a_change_in_place_is_marked_where_it_happens(broken: Recording) -> None:
    found = marked(broken)
    assert found["op 4"].endswith(
        "a was kept by ExpBackward0 at version 0 and is now at version 1: backward would fail"
    )
    assert "the storage of b was kept by ExpBackward0 at version 0 and is now at version 1" in found["op 6"]
    assert "c was kept by ExpBackward0 at version 0 and is now at version 1" in found["op 9"]  # through its view d
    assert "f was kept by ExpBackward0 at version 0 and is now at version 1" in found["op 13"]  # through f.detach()
    assert "w was kept by MulBackward0 of e at version 0 and is now at version 1: backward will fail" in found["op 20"]


def test_a_change_inside_of_an_optimizer_is_told_to_who_walks_over_it(broken: Recording) -> None:
    timeline = broken.timeline
    step = navigation.forward(timeline, broken.line(18), inside=0)
    assert step is not None
    assert timeline.kind(step) == "line"
    assert "model.weight was kept by AddmmBackward0" in plain(timeline, step)
    assert set(marked(broken)) == {"op 4", "op 6", "op 9", "op 13", "op 18", "line 19", "op 20"}


def test_what_is_kept(broken: Recording) -> None:
    state = broken.timeline.state(broken.op("w * w"))
    node = next(node for node in state.nodes.values() if node.tensor == broken.names()["e"])
    kept = saved_by(state, node)
    assert [(one.name, one.tensor, one.bytes, one.version, one.fits, one.freed) for one in kept] == [
        (name, broken.names()["w"], 8, 0, True, False) for name in ("other", "self")
    ]
    assert not any(one.fits for one in saved_by(broken.end, broken.end.nodes[node.node]))


def test_changes_that_autograd_cannot_see(unseen: Recording) -> None:
    found = marked(unseen)
    for line, name in {4: "a", 7: "b", 18: "m"}.items():
        assert f"; {name} was kept by" in found[f"op {line}"]
        assert "its version stays 0: autograd cannot see the change" in found[f"op {line}"]
    assert "c was kept by ExpBackward0 as 2.7183" in found["line 11"]
    assert set(found) == {
        "op 4",
        "op 7",
        "line 11",
        "op 18",
    }  # 14: Exp has the old memory; 21: the same gradient


def test_the_gradient_that_results_beside_the_true_one(unseen: Recording) -> None:
    timeline = unseen.timeline
    said = {timeline.view(step).line: plain(timeline, step) for step in unseen.steps_of("node")}
    for line, wrong in {5: "3.7183", 8: "9", 12: "7"}.items():
        assert said[line].endswith(f"grad(w) = {wrong}, where 2.7183 is right")
    assert said[19].endswith("m was 2 when MulBackward0 kept it and is 3, changed where autograd cannot see it: "
                             "grad(w) = 3, where 2 is right")  # fmt: skip
    assert "where" not in said[15]
    relu = next(text for text in (plain(timeline, step) for step in unseen.steps_of("node")) if "ReluB" in text)
    assert "changed" not in relu  # the gradient is the true one all the same


def test_nothing_else_is_marked(record: Forker) -> None:
    run = record(HARMLESS)
    assert run.status == 0, run.stderr
    assert marked(run) == {}


def test_why_a_second_pass_would_fail_or_not(twice: Recording) -> None:
    said = [plain(twice.timeline, step) for step in twice.steps_of("backward_end")]
    again = "a second pass would not fail, it would add to the gradients again: AddBackward0 saved nothing"
    assert said[0].endswith(again)
    assert "its nodes had saved nothing" in said[0]  # the node of a sum
    assert "saved tensors freed" in said[2]
    assert said[1].endswith(again)
    assert said[2].endswith(
        "a second pass would fail: MulBackward0 of z had saved its input and x and ExpBackward0 had saved its result"
    )
    assert "second pass" not in said[3]  # its graph is kept
    assert "second pass" not in said[4]  # nobody holds that graph
    ends = twice.steps_of("backward_end")
    assert describe_second_pass(twice.timeline.state(ends[0] - 1)) is None


def test_saved_tensors_are_freed_as_the_nodes_run(twice: Recording) -> None:
    timeline = twice.timeline
    start, end = timeline.passes[2].start_step, timeline.passes[2].end_step
    assert end is not None
    freed = []
    for step in range(start, end + 1):
        state = timeline.state(step)
        nodes = [state.nodes[number] for number in sorted(state.shown) if state.nodes[number].kept]
        freed.append([saved_by(state, node)[0].freed for node in nodes])
    assert freed[0] == [False, False]
    assert freed[-1] == [True, True]
    assert [False, True] in freed


def test_who_shares_storage_and_who_wrote_last(broken: Recording) -> None:
    state, named = broken.end, broken.names()
    assert named["d"] in storage_aliases(state, named["c"])
    assert views(state)["c"] == ["d"]
    assert views(state)["e"] == []
    wrote = broken.op("d.mul_(2)")
    assert last_write(broken.timeline, broken.timeline.steps, named["c"]) == wrote
    assert last_write(broken.timeline, broken.timeline.steps, named["d"]) == wrote
    assert last_write(broken.timeline, broken.timeline.steps, named["e"]) is None
    assert last_write(broken.timeline, wrote - 1, named["c"]) is None


def test_weights_clipped_by_data_between_forward_and_backward(record: Forker) -> None:
    run = record(
        "import torch\nfrom torch import nn\ntorch.manual_seed(0)\n"
        "net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))\n"
        "x = torch.ones(2, 2, requires_grad=True)\nscore = net(x)\n"
        "for p in net.parameters():\n    p.data.clamp_(-0.01, 0.01)\nscore.mean().backward()\n"
    )
    said = [text for step in range(1, run.timeline.steps + 1) for text, _ in describe_side_effects(run.timeline, step)]
    assert not [text for text in said if "its second" in text]
    assert len([text for text in said if text.startswith("net[0].weight.T was kept by")]) == 1
    last, first = (text for text in said if "changed where autograd cannot see it" in text)
    assert "grad(net[1](…)) = " in last
    assert last.endswith("is right")
    assert "grad(x) = " in first
    assert first.endswith("with what it had kept")  # what arrived was wrong already


def test_no_pass_uses_what_was_changed(record: Forker) -> None:
    run = record("import torch\nw = torch.ones(2, requires_grad=True)\nm = (w * w).sum()\nw.data.mul_(2)\n")
    said = [part for step in run.steps_of("op") for part in describe_side_effects(run.timeline, step)]
    assert [role for text, role in said if "backward would use [2 2]" in text] == ["quiet"]
    assert not [text for text, _ in said if "will use" in text]
