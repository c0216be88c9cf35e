"""Changes of tensors that are hard to see, at the step that makes them."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker
from tutor.trace import events as ev

CHANGES = [
    ("data", "w.data -= 1", "w", [1.0, 2.0], [0.0, 1.0]),
    ("data of an item", "w.data[1] = 9", "w", [1.0, 2.0], [1.0, 9.0]),
    ("new data", "w.data = torch.zeros(2)", "w", [1.0, 2.0], [0.0, 0.0]),
    ("an alias", "alias.mul_(3)", "w", [1.0, 2.0], [3.0, 6.0]),
    ("detached", "w.detach().add_(1)", "w", [1.0, 2.0], [2.0, 3.0]),
    ("numpy", "array[0] = 7", "n", [0.0, 0.0], [7.0, 0.0]),
    ("numpy from torch", "window += 2", "t", [5.0, 5.0], [7.0, 7.0]),
    ("a view's base", "base[0] = 4", "view", [0.0, 0.0], [4.0, 0.0]),
    ("a base's view", "view.fill_(8)", "base", [0.0, 0.0, 0.0], [8.0, 8.0, 0.0]),
    ("a list", "for p in params: p.data.zero_()", "w", [1.0, 2.0], [0.0, 0.0]),
    ("an operation's out", "torch.mul(w.detach(), 2, out=t)", "t", [5.0, 5.0], [2.0, 4.0]),
    ("foreach", "torch._foreach_add_([t, base], 1)", "t", [5.0, 5.0], [6.0, 6.0]),
    ("a function", "torch.nn.init.constant_(w, 2.5)", "w", [1.0, 2.0], [2.5, 2.5]),
    ("storage of numpy's", "np.copyto(array, 3)", "n", [0.0, 0.0], [3.0, 3.0]),
]


@pytest.mark.parametrize(("code", "name", "before", "after"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_change_is_seen_at_once(record: Forker, code: str, name: str, before: object, after: object) -> None:
    recorded = record(f"""\
import numpy as np
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
alias = w.data
params = [w]
array = np.zeros(2, dtype=np.float32)
n = torch.from_numpy(array)
t = torch.full((2,), 5.0)
window = t.numpy()
base = torch.zeros(3)
view = base[:2]
{code}
done = 1
""")
    assert recorded.status == 0, recorded.stderr
    assert recorded.value(name, recorded.line(12) - 1) == before
    assert recorded.value(name, recorded.line(13) - 1) == after
    assert recorded.end.tensors[recorded.names()["w"]].is_leaf


def test_gradients_written_by_hand(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0], requires_grad=True)
w.grad = torch.tensor([5.0])
w.grad += 1
w.grad.data.mul_(2)
g = w.grad
g.neg_()
w.grad = None
""")
    grads = [recorded.grad("w", recorded.line(line) - 1) for line in range(3, 9)]
    assert grads == [None, [5.0], [6.0], [12.0], [12.0], [-12.0]]
    assert recorded.grad("w") is None
    assert recorded.value("g") == [-12.0]


def test_versions_and_storages(record: Forker) -> None:
    recorded = record("""\
import torch
base = torch.zeros(3)
view = base[1:]
view += 1
other = torch.zeros(3)
other.data = base
""")
    end, names = recorded.end, recorded.names()
    assert [end.tensors[names[name]].version for name in ("base", "view")] == [1, 1]
    assert len({end.tensors[names[name]].storage for name in ("base", "view", "other")}) == 1
    before = recorded.timeline.state(recorded.line(6) - 1)
    assert before.tensors[names["other"]].storage != before.tensors[names["base"]].storage


def test_requires_grad_and_detach(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.ones(2)
w.requires_grad_()
a = w * 2
a.retain_grad()
a.detach_()
w.requires_grad = False
""")
    w, a = recorded.names()["w"], recorded.names()["a"]
    kept = [recorded.timeline.state(recorded.line(line) - 1).tensors[w].requires_grad for line in (3, 4)]
    assert kept == [False, True]
    assert not recorded.end.tensors[w].requires_grad
    retaining = recorded.timeline.state(recorded.line(6) - 1).tensors[a]
    assert (retaining.grad_fn, retaining.retains_grad, retaining.is_leaf) == ("MulBackward0", True, False)
    assert (recorded.end.tensors[a].grad_fn, recorded.end.tensors[a].is_leaf) == (None, True)


def test_what_leaves_torch_is_a_step(record: Forker) -> None:
    recorded = record("""\
import torch
t = torch.tensor([1.0, 2.0])
a = t.sum().item()
b = t.tolist()
c = t.numpy()
shape = t.shape, t.dim(), t.is_leaf, len(t), t.dtype
text = f"{t}"
""")
    assert [op for op, _ in recorded.ops()] == ["tensor", "sum", "item", "tolist", "numpy"]


def test_freed_memory_is_told(record: Forker) -> None:
    recorded = record("""\
import torch
for i in range(300):
    t = torch.full((1,), float(i))
""")
    assert recorded.value("t") == [299.0]
    assert len(recorded.end.tensors) < 200
    assert sum(len(event.tensors) for event in recorded.of(ev.Gone)) > 100


def test_large_tensors(record: Forker) -> None:
    recorded = record("""\
import torch
t = torch.arange(2000.0)
t[3] = float("nan")
t[4:6] = float("inf")
""")
    value = recorded.value("t")
    # 0 … 1999 without 3, 4 and 5
    count, total = 1997, 1999 * 2000 / 2 - 12
    assert value["shape"] == [2000]
    stats = value["stats"]
    assert [stats[key] for key in ("min", "max", "nan", "inf", "zero")] == [0.0, 1999.0, 1, 2, 1]
    assert stats["mean"] == pytest.approx(total / count)
    middle = total / count
    spread = sum((n - middle) ** 2 for n in range(2000) if n not in (3, 4, 5)) / (count - 1)
    assert stats["std"] == pytest.approx(spread**0.5)
