"""Passes that begin in unusual ways, and tensors that come to be in such."""

from __future__ import annotations

from tests.worker.recording import Forker, plain_value
from tutor.trace import events as ev


def test_a_pass_that_nobody_saw_begin(record: Forker) -> None:
    recorded = record("""\
import threading
import torch
w = torch.tensor([2.0], requires_grad=True)
(w * 3).backward()
y = w * w
thread = threading.Thread(target=y.backward)
thread.start()
thread.join()
held = w.grad * 1
""")
    # 3, and 2w = 4 from the other thread: told as a change of the gradient, not as steps of the first pass.
    assert recorded.grad("w") == [7.0]
    assert recorded.value("held") == [7.0]
    assert [plain_value(event.new) for event in recorded.of(ev.Accumulate)] == [[3.0]]
    assert len(recorded.of(ev.Node)) == 1
    (notice,) = recorded.timeline.notices
    assert notice.startswith("What runs in Thread-1 (backward), another thread, is not recorded.")


def test_from_gradient_edges(record: Forker) -> None:
    recorded = record("""\
import torch
from torch.autograd.graph import get_gradient_edge
w = torch.tensor([2.0], requires_grad=True)
y = w * w
(g,) = torch.autograd.grad(get_gradient_edge(y), w, retain_graph=True)
torch.autograd.backward([get_gradient_edge(y), w * 1])
""")
    assert recorded.value("g") == [4.0]
    assert recorded.grad("w") == [5.0]
    nodes = [recorded.end.nodes[event.node].name for event in recorded.of(ev.Node) if event.node in recorded.end.nodes]
    assert len(recorded.of(ev.Node)) == 3
    assert nodes
    assert recorded.timeline.notices == []


def test_a_tensor_that_is_first_met_when_it_is_made_to_require_gradients(record: Forker) -> None:
    recorded = record("""\
import torch
lin = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 1))
a = torch.tensor([1.0, 2.0])
b = a.data.requires_grad_()
(b * 3).sum().backward()
""")
    shapes = [recorded.value(f"lin.parametrizations.weight.original{number}") for number in (0, 1)]
    assert [len(shape[0]) for shape in shapes] == [1, 2]
    assert recorded.value("b") == [1.0, 2.0]
    assert recorded.grad("b") == [3.0, 3.0]
    assert recorded.grad("a") is None
