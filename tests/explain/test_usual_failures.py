"""Usual failures are explained with the tensor's name, where it was made, and a fix that works when it is typed in."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pytest

from tests.worker.recording import Forker, Recording
from tutor.explain import explanation

HEAD = """\
import copy
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
"""


@dataclass(frozen=True)
class Failure:
    """Code that fails, what its explanation says, and a fix in it: what it puts in place of what."""

    name: str
    code: str
    says: tuple[str, ...]
    old: str = ""
    new: str = ""
    quotes: str | None = None
    """How the explanation says the fix, where that is not `new`."""


FAILURES = [
    # targets that are compared as numbers
    Failure("bce with logits", """
        labels = torch.tensor([0, 1, 1])
        logits = torch.randn(3, requires_grad=True)
        nn.BCEWithLogitsLoss()(logits, labels).backward()
        """, ("labels is int64, made by `torch.tensor([0, 1, 1])` on line", "must be float32"),
        "(logits, labels)", "(logits, labels.float())", "labels.float()"),
    Failure("bce", """
        wanted = torch.tensor([0, 1])
        p = torch.rand(2, requires_grad=True)
        F.binary_cross_entropy(p, wanted)
        """, ("wanted is int64",), "(p, wanted)", "(p, wanted.float())", "wanted.float()"),
    Failure("bce in double", """
        wanted = torch.tensor([0.0, 1.0], dtype=torch.float64)
        p = torch.rand(2, requires_grad=True)
        nn.BCELoss()(p, wanted)
        """, ("wanted is float64",), "(p, wanted)", "(p, wanted.float())", "wanted.float()"),
    Failure("bce in a function, out of a loader", """
        def train(loader, model):
            for x, y in loader:
                return nn.BCEWithLogitsLoss()(model(x).squeeze(1), y)
        answers = torch.tensor([0, 1, 1, 0])
        train(DataLoader(TensorDataset(torch.randn(4, 2), answers), batch_size=2), nn.Linear(2, 1))
        """, ("y is int64, as is answers, made by `torch.tensor([0, 1, 1, 0])` on line",),
        "squeeze(1), y)", "squeeze(1), y.float())", "y.float()"),
    Failure("huber, in its backward", """
        labels = torch.tensor([0, 1])
        p = torch.rand(2, requires_grad=True)
        loss = nn.HuberLoss()(p, labels)
        loss.backward()
        """, ("`nn.HuberLoss()(p, labels)` on line", "labels is int64"),
        "(p, labels)", "(p, labels.float())", "labels.float()"),
    Failure("two shapes and two dtypes", """
        labels = torch.tensor([0, 1])
        nn.BCEWithLogitsLoss()(torch.randn(2, 1), labels)
        """, ("shape 2×1 and the target 2:",), "labels)", "labels.unsqueeze(1).float())",
        "labels.unsqueeze(1).float()"),
    # numbers of classes
    Failure("classes as floats", """
        wanted = torch.Tensor([0, 2])
        out = torch.randn(2, 3, requires_grad=True)
        nn.CrossEntropyLoss()(out, wanted)
        """, ("wanted is float32, made by `torch.Tensor([0, 2])`", "`torch.tensor([0, 2])`"),
        "out, wanted", "out, wanted.long()", "wanted.long()"),
    Failure("the type that makes floats", """
        wanted = torch.Tensor([0, 2])
        F.nll_loss(torch.randn(2, 3).log_softmax(1), wanted)
        """, ("wanted is float32",), "torch.Tensor([0, 2])", "torch.tensor([0, 2])"),
    Failure("classes from numpy, as int32", """
        wanted = torch.from_numpy(np.array([0, 2], dtype=np.int32))
        F.cross_entropy(torch.randn(2, 3), wanted)
        """, ("wanted is int32", "from_numpy"), ", wanted)", ", wanted.long())", "wanted.long()"),
    Failure("one column of classes", """
        wanted = torch.tensor([[0], [2]])
        F.cross_entropy(torch.randn(2, 3), wanted)
        """, ("shape 2×1",), ", wanted)", ", wanted.squeeze(1))", "wanted.squeeze(1)"),
    Failure("one-hot rows of whole numbers", """
        wanted = F.one_hot(torch.tensor([0, 2]), 3)
        F.cross_entropy(torch.randn(2, 3), wanted)
        """, ("wanted is int64",), ", wanted)", ", wanted.float())", "wanted.float()"),
    Failure("classes that count from 1", """
        wanted = torch.tensor([1, 2, 3])
        out = torch.randn(3, 3)
        F.cross_entropy(out, wanted)
        """, ("wanted holds 3", "out (shape 3×3) has 3 classes", "from 0 to 2"),
        "out, wanted", "out, wanted - 1", "wanted - 1"),
    Failure("a class that marks nothing", """
        F.cross_entropy(torch.randn(2, 3), torch.tensor([1, -1]))
        """, ("holds -1",), "-1]))", "-1]), ignore_index=-1)", "ignore_index=-1"),
    Failure("too few outputs", """
        wanted = torch.tensor([0, 3])
        model = nn.Linear(2, 3)
        F.cross_entropy(model(torch.randn(2, 2)), wanted)
        """, ("wanted holds 3",), "Linear(2, 3)", "Linear(2, 4)", "4 numbers for each sample"),
    Failure("an index without a row", """
        table = nn.Embedding(3, 2)
        words = torch.tensor([0, 3])
        table(words)
        """, ("words holds 3", "from 0 to 2"), "Embedding(3, 2)", "Embedding(4, 2)", "has 4 rows"),
    Failure("rows by floats", """
        words = torch.tensor([0., 1.])
        nn.Embedding(3, 2)(words)
        """, ("words is float32",), "(words)", "(words.long())", "words.long()"),
    Failure("an index of floats", """
        i = torch.tensor([0., 1.])
        torch.ones(3)[i]
        """, ("i is float32",), "[i]", "[i.long()]", "i.long()"),
    Failure("an element of a number", """
        loss = (torch.ones(2) * 2).sum()
        loss.data[0]
        """, ("loss is a scalar",), "loss.data[0]", "loss.item()"),
    # dtypes that do not go together
    Failure("a layer and doubles", """
        x = torch.from_numpy(np.ones((2, 3)))
        net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
        net(x)
        """, ("x is float64", "from_numpy", "are float32"), "net(x)", "net(x.float())", "x.float()"),
    Failure("whole numbers into a layer", """
        x = torch.tensor([[1, 2]])
        nn.Linear(2, 1)(x)
        """, ("x is int64",), "(x)", "(x.float())", "x.float()"),
    Failure("a product", """
        a, b = torch.ones(2, 2), torch.ones(2, 2, dtype=torch.float64)
        a @ b
        """, ("a is float32", "b is float64"), "a @ b", "a @ b.float()", "b.float()"),
    Failure("a product with a vector", """
        a, b = torch.ones(2, 2), torch.ones(2, dtype=torch.int64)
        torch.mv(a, b)
        """, ("b is int64",), "(a, b)", "(a, b.float())", "b.float()"),
    Failure("a dot product", """
        a, b = torch.ones(2), torch.ones(2, dtype=torch.float64)
        a.dot(b)
        """, ("b is float64",), "dot(b)", "dot(b.float())", "b.float()"),
    Failure("products of a batch", """
        a, b = torch.ones(1, 2, 2), torch.ones(1, 2, 2, dtype=torch.float64)
        torch.bmm(a, b)
        """, ("b is float64",), "(a, b)", "(a, b.float())", "b.float()"),
    Failure("an image of bytes", """
        image = torch.ones(1, 1, 4, 4, dtype=torch.uint8)
        conv = nn.Conv2d(1, 1, 3)
        conv(image)
        """, ("image is uint8",), "conv(image)", "conv(image.float())", "image.float()"),
    Failure("an LSTM and doubles", """
        x = torch.ones(1, 4, 4, dtype=torch.float64)
        rnn = nn.LSTM(4, 3)
        rnn(x)
        """, ("x is float64",), "rnn(x)", "rnn(x.float())", "x.float()"),
    Failure("half a number into whole ones", """
        a = torch.tensor([1, 2])
        a += 0.5
        """, ("a is int64",), "a += 0.5", "a = a.float(); a += 0.5", "a = a.float()"),
    Failure("the mean of whole numbers", """
        a = torch.tensor([1, 2])
        a.mean()
        """, ("a is int64",), "a.mean()", "a.float().mean()", "a.float()"),
    # hooks and vmap
    Failure("a layer in place behind a hook", """
        net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace=True))
        net[0].register_full_backward_hook(lambda module, a, b: None)
        net(torch.ones(1, 2))
        """, ("register_full_backward_hook on line", "net[0]"), "nn.ReLU(inplace=True)", "nn.ReLU()"),
    Failure("an addition in place behind a hook", """
        layer = nn.Linear(2, 2)
        layer.register_full_backward_hook(lambda module, a, b: None)
        y = layer(torch.ones(1, 2))
        y += 1
        """, ("layer", "views"), "y += 1", "y = y + 1"),
    Failure("item in vmap", """
        torch.vmap(lambda row: row * row.sum().item())(torch.ones(3, 2))
        """, ("torch.vmap", "without .item()"), "row.sum().item()", "row.sum()"),
    Failure("a slice in vmap", """
        torch.vmap(lambda row, s: row[s:s + 2].prod())(torch.ones(3, 4), torch.tensor([0, 1, 2]))
        """, ("plain numbers",), "row[s:s + 2]", "row.gather(0, s + torch.arange(2))"),
    Failure("a slice of rows in vmap", """
        torch.vmap(lambda rows, s: rows[s:s + 2].prod())(torch.ones(3, 4, 2), torch.tensor([0, 1, 2]))
        """, ("plain numbers",), "rows[s:s + 2]", "rows[s + torch.arange(2)]"),
    Failure("a choice in vmap", """
        torch.vmap(lambda row: row if row.sum() > 0 else -row)(torch.ones(3, 2))
        """, ("`row.sum() > 0` stands for many answers",),
        "row if row.sum() > 0 else -row", "torch.where(row.sum() > 0, row, -row)"),
    Failure("random numbers in vmap", """
        torch.vmap(lambda row: row + torch.rand(2))(torch.ones(3, 2))
        """, ("randomness",), "torch.rand(2))(", 'torch.rand(2), randomness="different")(',
        'randomness="different"'),
    # devices
    Failure("a layer and its input", """
        layer = nn.Linear(2, 2, device="meta")
        x = torch.ones(1, 2)
        layer(x)
        """, ("layer.weight is on meta", "x is on cpu, made by `torch.ones(1, 2)` on line"),
        "layer(x)", "layer(x.to(layer.weight.device))", "x.to(layer.weight.device)"),
    Failure("a sum over two devices", """
        a, b = torch.ones(2, device="meta"), torch.ones(2)
        a + b
        """, ("a is on meta", "b is on cpu"), "a + b", "a + b.to(a.device)", "b.to(a.device)"),
    Failure("a list on two devices", """
        a, b = torch.ones(2, device="meta"), torch.ones(2)
        torch.cat([b, a])
        """, ("a is on meta", "b is on cpu"), "[b, a]", "[b.to(a.device), a]", "b.to(a.device)"),
    # truth of many
    Failure("an if about many", """
        a = torch.ones(3)
        if a > 0: pass
        """, ("one truth value",), "a > 0", "(a > 0).all()"),
    Failure("two conditions", """
        a = torch.ones(3)
        (a > 0) and (a < 2)
        """, (), "(a > 0) and (a < 2)", "(a > 0) & (a < 2)"),
    Failure("a chain of conditions", """
        a = torch.ones(3)
        0 < a < 2
        """, (), "0 < a < 2", "(0 < a) & (a < 2)"),
    Failure("the larger of two", """
        a, b = torch.ones(3), torch.zeros(3)
        max(a, b)
        """, (), "max(a, b)", "torch.maximum(a, b)"),
    # what is no tensor, or another kind of thing
    Failure("backward of None", """
        def loss_of(x): (x * x).sum()
        loss = loss_of(torch.ones(2, requires_grad=True))
        loss.backward()
        """, ("loss is None",), "loss_of(x): ", "loss_of(x): return ", "return the loss"),
    Failure("backward of a list", """
        losses = [torch.ones(1, requires_grad=True) * 2]
        losses.backward()
        """, ("losses is a list",), "losses.backward()", "sum(losses).backward()"),
    Failure("a tensor for an optimizer", """
        w = torch.ones(2, requires_grad=True)
        torch.optim.SGD(w, lr=0.1)
        """, (), "SGD(w", "SGD([w]", "[w]"),
    Failure("a module for an optimizer", """
        net = nn.Linear(2, 2)
        torch.optim.Adam(net)
        """, (), "Adam(net)", "Adam(net.parameters())", "net.parameters()"),
    Failure("a method for an optimizer", """
        net = nn.Linear(2, 2)
        torch.optim.Adam(net.parameters)
        """, (), "net.parameters)", "net.parameters())", "net.parameters()"),
    Failure("a generator that is used up", """
        net = nn.Linear(2, 2)
        ps = net.parameters()
        print(sum(p.numel() for p in ps))
        torch.optim.SGD(ps, lr=0.1)
        """, ("exhausted it",), "ps = net.parameters()", "ps = list(net.parameters())"),
    Failure("a copy of what was computed", """
        a = torch.ones(2, requires_grad=True) * 2
        copy.deepcopy(a)
        """, ("a was computed from other tensors",), "copy.deepcopy(a)", "a.detach().clone()"),
    Failure("an array of a graph", """
        a = torch.ones(2, requires_grad=True)
        np.array(a)
        """, (), "np.array(a)", "a.detach().numpy()"),
    Failure("a number of many", """
        a = torch.ones(3)
        float(a)
        """, ("a has 3 elements",), "float(a)", "a.sum().item()"),
    Failure("the flag of a result", """
        a = torch.ones(2, requires_grad=True) * 2
        a.requires_grad = False
        """, ("a was computed",), "a.requires_grad = False", "a = a.detach()", "a.detach()"),
    Failure("keys with a prefix", """
        layer, saved = nn.Linear(2, 2), nn.ModuleDict({"module": nn.Linear(2, 2)}).state_dict()
        layer.load_state_dict(saved)
        """, ('begin with "module."',), "dict(saved)",
        'dict({key.removeprefix("module."): value for key, value in saved.items()})',
        'key.removeprefix("module.")'),
    Failure("a list of layers", """
        nn.Sequential([nn.Linear(2, 2), nn.ReLU()])
        """, (), "nn.Sequential([nn.Linear(2, 2), nn.ReLU()])", "nn.Sequential(nn.Linear(2, 2), nn.ReLU())"),
    Failure("a parameter by assignment", """
        layer = nn.Linear(2, 2)
        layer.weight = torch.ones(2, 2)
        """, (), "layer.weight = torch.ones(2, 2)", "layer.weight = nn.Parameter(torch.ones(2, 2))"),
    Failure("more than fits, in place", """
        a = torch.ones(3)
        a += torch.ones(2, 3)
        """, ("cannot grow",), "a += torch.ones(2, 3)", "a = a + torch.ones(2, 3)"),
    Failure("a gradient by what needs none", """
        x, z = torch.ones(1, requires_grad=True), torch.ones(1)
        torch.autograd.grad((x * z).sum(), z)
        """, ("z does not require grad",), "torch.autograd", "z.requires_grad_(); torch.autograd",
        "z.requires_grad_()"),
]  # fmt: skip

ALIKE = {
    "raised by hand": 'raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")',
    "raised by the learner's function": """
        def check(x): raise IndexError("Target 3 is out of bounds.")
        check(torch.ones(1))
        """,
    "what is not iterable, and no optimizer": """
        for x in torch.nn.Linear(1, 1): pass
        """,
    "another thing without backward": "[].backwards()",
}


def script(pieces: list[str]) -> str:
    """Each piece in a `try` of its own."""
    text = HEAD + "seen = []\n"
    for piece in pieces:
        body = textwrap.indent(textwrap.dedent(piece).strip(), "    ")
        text += f"try:\n{body}\nexcept Exception as error: seen.append(error)\n"
    return text


@pytest.fixture(scope="module")
def failed(record: Forker) -> Recording:
    return record(script([one.code for one in FAILURES]))


@pytest.fixture(scope="module")
def fixed(record: Forker) -> Recording:
    return record(script([textwrap.dedent(one.code).replace(one.old, one.new) for one in FAILURES]))


def by_piece(recording: Recording) -> dict[int, int]:
    """By the place of a piece: the step at which it failed."""
    source = next(iter(recording.timeline.sources.values())).text.splitlines()
    starts = [number for number, line in enumerate(source, 1) if line == "try:"]
    lines = {step: recording.timeline.view(step).line or 0 for step in recording.steps_of("failed")}
    return {sum(start <= line for start in starts) - 1: step for step, line in lines.items()}


@pytest.mark.parametrize("number", range(len(FAILURES)), ids=[one.name for one in FAILURES])
def test_a_failure_is_explained_and_its_fix_works(failed: Recording, fixed: Recording, number: int) -> None:
    failure = FAILURES[number]
    said = explanation(failed.timeline, by_piece(failed)[number])
    assert said is not None
    for words in (*failure.says, failure.quotes or failure.new):
        assert words in said
    assert "%" not in said
    assert failure.old in failure.code
    left = by_piece(fixed).get(number)
    assert left is None, fixed.timeline.event(left)


@pytest.mark.parametrize("number", range(len(ALIKE)), ids=list(ALIKE))
def test_what_looks_alike_is_not_explained(record: Forker, alike: Recording, number: int) -> None:
    assert explanation(alike.timeline, by_piece(alike)[number]) is None


@pytest.fixture(scope="module")
def alike(record: Forker) -> Recording:
    return record(script(list(ALIKE.values())))
