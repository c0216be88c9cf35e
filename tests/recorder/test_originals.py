"""A program that puts functions of its own in the places of torch's, or of Python's, computes what it does plainly."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker

REPLACED = {
    "a method in C": (
        "kept = torch.Tensor.add\ntorch.Tensor.add = lambda self, other: kept(self, other) * 2\n"
        "print(torch.ones(2).add(1).tolist())\n", "[4.0, 4.0]\n"
    ),
    "an operator": (
        "kept = torch.Tensor.__mul__\ntorch.Tensor.__mul__ = lambda self, other: kept(self, other) + 1\n"
        "print((torch.ones(2) * 3).tolist())\n", "[4.0, 4.0]\n"
    ),
    "a method in Python": (
        "kept = torch.Tensor.norm\ndef norm(self, *words, **more):\n    print('own')\n"
        "    return kept(self, *words, **more)\ntorch.Tensor.norm = norm\nprint(torch.ones(4).norm().item())\n",
        "own\n2.0\n"
    ),
    "a function of torch.nn.functional": (
        "import torch.nn.functional as F\nkept = F.linear\nF.linear = lambda *words: kept(*words) * 2\n"
        "print(F.linear(torch.ones(1, 2), torch.ones(1, 2)).tolist())\nkept_too = F.softplus\n"
        "kept_relu = F.relu\ndef relu(x, inplace=False):\n    return kept_relu(x) + 1\nF.relu = relu\n"
        "print(torch.nn.ReLU()(torch.ones(1)).tolist())\n", "[[4.0]]\n[2.0]\n"
    ),
    "backward": (
        "kept = torch.Tensor.backward\ndef backward(self, *words, **more):\n    print('own')\n"
        "    return kept(self, *words, **more)\ntorch.Tensor.backward = backward\n"
        "w = torch.ones(2, requires_grad=True)\n(w * w).sum().backward()\nprint(w.grad.tolist())\n",
        "own\n[2.0, 2.0]\n"
    ),
    "autograd.backward and grad": (
        "kept = torch.autograd.backward, torch.autograd.grad\ndef backward(*words, **more):\n    print('backward')\n"
        "    return kept[0](*words, **more)\ndef grad(*words, **more):\n    print('grad')\n"
        "    return kept[1](*words, **more)\ntorch.autograd.backward, torch.autograd.grad = backward, grad\n"
        "w = torch.ones(2, requires_grad=True)\n(w * w).sum().backward()\n"
        "print(torch.autograd.grad((w * w).sum(), w)[0].tolist(), w.grad.tolist())\n",
        "backward\ngrad\n[2.0, 2.0] [2.0, 2.0]\n"
    ),
    "with nothing of torch's under it": (
        "torch.Tensor.mul = lambda self, other: 'mine'\nprint(torch.ones(2).mul(3))\n", "mine\n"
    ),
    "builtins that are wrapped": (
        "import builtins\nfor name in ('len', 'isinstance', 'getattr', 'id', 'next', 'issubclass'):\n"
        "    def wrap(function):\n        def wrapped(*words):\n            return function(*words)\n"
        "        return wrapped\n"
        "    setattr(builtins, name, wrap(getattr(builtins, name)))\n"
        "w = torch.ones(2, requires_grad=True)\nfor _ in range(2):\n    (w * w).sum().backward()\n"
        "print(w.grad.tolist(), len([1]))\n", "[4.0, 4.0] 1\n"
    ),
    "builtins that fail": (
        "import builtins\ndef refuse(*words):\n    raise ValueError('refused')\n"
        "builtins.zip = builtins.sorted = builtins.min = builtins.max = builtins.enumerate = refuse\n"
        "def double(x, y=2):\n    return x * y\nw = double(torch.ones(2, requires_grad=True))\nprint(w.tolist())\n",
        "[2.0, 2.0]\n"
    ),
    "builtins of its own module": (
        "len = isinstance = type = id = None\nw = torch.ones(2) * 2\nprint(w.tolist())\n", "[2.0, 2.0]\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REPLACED)
def test_it_computes_as_by_itself(name: str, record: Forker) -> None:
    text, printed = REPLACED[name]
    recorded = record(f"import torch\n{text}")
    assert recorded.stderr == ""
    assert recorded.stdout == printed
    assert recorded.status == 0
    assert recorded.timeline.notices == []


def test_an_operation_under_another_name_is_recorded_as_itself(record: Forker) -> None:
    recorded = record("import torch\n" + REPLACED["a method in C"][0])
    assert [name for name, _ in recorded.ops()][:3] == ["ones", "add", "mul"]
    recorded = record("import torch\n" + REPLACED["backward"][0])
    assert recorded.timeline.passes
