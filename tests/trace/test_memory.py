"""The bytes that autograd keeps, against a count of the storages of saved tensors in a plain run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording
from tutor.trace.memory import KeptMemory, live_memory, memory_of
from tutor.trace.tracefile import load, save

COUNT = """\
import weakref, torch
class Held:
    def __init__(self, tensor):
        self.tensor = tensor
all_held = weakref.WeakSet()
def pack(tensor):
    held = Held(tensor.detach())  # an output would hold its own node
    all_held.add(held)
    return held
torch.autograd.graph.saved_tensors_hooks(pack, lambda held: held.tensor).__enter__()
def kept():
    storages = [held.tensor.untyped_storage() for held in list(all_held)]
    return sum({storage._cdata: storage.nbytes() for storage in storages}.values())
"""

ATTENTION = """\
import torch
from torch import nn
import torch.nn.functional as F
torch.manual_seed(0)
class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.qkv, self.proj = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))
    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.ln1(x)).split(d, dim=2)
        q, k, v = (u.view(b, t, 2, d // 2).transpose(1, 2) for u in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, d))
        return x + self.mlp(self.ln2(x))
class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(11, 16), nn.Embedding(8, 16)
        self.blocks = nn.ModuleList([Block(16), Block(16)])
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 11, bias=False)
        self.head.weight = self.tok.weight
    def forward(self, i):
        x = self.tok(i) + self.pos(torch.arange(i.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
model = GPT()
opt = torch.optim.AdamW(model.parameters(), lr=0.01)
data = torch.randint(0, 11, (4, 9))
for i in range(2):
    logits = model(data[:, :-1])
    mark = 1
    loss = F.cross_entropy(logits.reshape(-1, 11), data[:, 1:].reshape(-1))
    mark = 2
    opt.zero_grad()
    loss.backward()
    mark = 3
    opt.step()
"""

CONVOLUTIONS = """\
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(0.5),
    nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for size in (4, 2):
    x, y = torch.randn(size, 3, 8, 8), torch.randint(0, 3, (size,))
    out = model(x)
    mark = 1
    loss = nn.functional.cross_entropy(out, y)
    mark = 2
    opt.zero_grad()
    loss.backward()
    mark = 3
    opt.step()
out = model(x)
mark = 4
del out, loss
mark = 5
"""

RETAINED = """\
import torch
w = torch.randn(100, requires_grad=True)
v = torch.randn(100, requires_grad=True)
e = w.exp()
p = e * v
mark = 1
s = p.sin().sum()
mark = 2
s.backward(retain_graph=True)
mark = 3
q = (p.cos() * e[:50].sum()).sum()
mark = 4
s.backward()
mark = 5
del q
mark = 6
total = torch.zeros(())
for i in range(3):
    total = total + (w * v.tanh()).sum()
    mark = 7
total.backward()
mark = 8
"""

PARTLY_KNOWN = """\
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
torch.manual_seed(0)
a = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 4))
b = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 1))
x = torch.randn(8, 4)
for reentrant in (False, True):
    h = checkpoint(a, x.clone().requires_grad_(), use_reentrant=reentrant)
    mark = 1
    loss = b(h).pow(2).mean()
    mark = 2
    loss.backward()
    mark = 3
w = torch.randn(100, requires_grad=True)
g = torch.autograd.grad((w ** 3).sum(), w, create_graph=True)[0]
mark = 4
(g * w).sum().backward()
mark = 5
"""


def counted(source: str, folder: Path) -> list[int]:
    """What a plain run counts at each mark."""
    path = folder / "plain.py"
    path.write_text(COUNT + re.sub(r"^( *)(mark = .*)$", r"\1\2; print(kept())", source, flags=re.M))
    return [int(line) for line in run_plainly(path, folder / "plain.json").stdout.split()]


def marks(recording: Recording) -> list[int]:
    timeline = recording.timeline
    return [step for step in recording.steps_of("line") if (timeline.view(step).code or "").startswith("mark =")]


def whole(recording: Recording) -> KeptMemory:
    memory = memory_of(recording.timeline)
    while not memory.read(200):
        pass
    return memory


@pytest.mark.parametrize("source", [ATTENTION, CONVOLUTIONS, RETAINED], ids=["attention", "convolutions", "retained"])
def test_it_is_what_torch_holds(record: Forker, source: str, tmp_path: Path) -> None:
    recording = record(source)
    assert recording.status == 0, recording.stderr
    memory, timeline = whole(recording), recording.timeline
    assert [memory.at(step) for step in marks(recording)] == counted(source, tmp_path)
    for step in range(1, timeline.steps + 1):  # the nodes of a state give the same as what was added and freed
        state = timeline.state(step)
        assert sum(memory.by_node(state).values()) == memory.at(step), step
        assert memory.is_complete(state)
    points = memory.points()
    assert points[-1].step == timeline.steps
    assert all(memory.at(point.step) == point.value for point in points)


def test_what_is_not_known_makes_it_a_lower_bound(record: Forker, tmp_path: Path) -> None:
    recording = record(PARTLY_KNOWN)
    memory, timeline = whole(recording), recording.timeline
    count = counted(PARTLY_KNOWN, tmp_path)
    for step, exact in zip(marks(recording), count, strict=True):
        assert memory.at(step) == exact or (memory.at(step) < exact and not memory.is_complete(timeline.state(step)))
    assert [memory.at(step) for step in marks(recording)][2::3] == [0, 0]


def test_by_module_and_by_node(record: Forker, tmp_path: Path) -> None:
    recording = record(ATTENTION)
    memory, state = whole(recording), recording.timeline.state(marks(recording)[1])
    by_module, by_node = memory.by_module(state), memory.by_node(state)
    assert by_module[None] == sum(by_node.values()) == memory.at(marks(recording)[1])
    sizes = {state.modules[number].path: size for number, size in by_module.items() if number is not None}
    assert by_module[None] > sizes[""] > sizes[".blocks[0]"] > sizes[".blocks[0].mlp"] > sizes[".blocks[0].mlp[1]"]
    gelu = next(node for node in state.nodes.values() if node.name == "GeluBackward0")
    assert memory.kept_by(state, gelu) == 4 * 8 * 64 * 4
    path = tmp_path / "saved.trace"
    save(recording.timeline, path)
    again = memory_of(load(path))
    while not again.read():
        pass
    assert again.points() == memory.points()


def test_parameters_gradients_and_state(record: Forker) -> None:
    recording = record(ATTENTION)
    parameters = 4 * (2 * (2 * 32 + 17 * 48 + 17 * 16 + 17 * 64 + 65 * 16) + 11 * 16 + 8 * 16 + 32)
    live = live_memory(recording.end)
    tensors = 2 * 12 + 4
    assert (live.parameters, live.gradients, live.optimizer) == (parameters, parameters, 2 * parameters + 4 * tensors)
    assert live_memory(recording.timeline.state(marks(recording)[0])).optimizer == 0
