"""The tensors of a frame as a tree, in real runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.recording import Forker, Recording
from tutor.i18n import use
from tutor.trace.tensor_tree import Branch, Leaf, Tree, open_branches, optimizer_tree, tensor_tree

GPT = """\
import torch
from torch import nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.mlp = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4, bias=False))
        self.register_buffer("scale", torch.ones(1))
    def forward(self, x):
        return x + self.scale * self.mlp(self.norm(x))
class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(5, 4)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.tok.weight
    def forward(self, i):
        x = self.tok(i)
        for block in self.blocks:
            x = block(x)
        return self.head(x)
model = GPT()
ids = torch.tensor([1, 2])
loss = model(ids).sum()
done = True
"""


@pytest.fixture(scope="module")
def gpt(record: Forker) -> Recording:
    recording = record(GPT)
    assert recording.status == 0, recording.stderr
    return recording


def tree_of(run: Recording, step: int | None = None) -> Tree:
    state = run.end if step is None else run.timeline.state(step)
    return tensor_tree(state, state.frames[0])


def labels(tree: Tree) -> list[Any]:
    """The labels: of a branch as a pair with those below it."""
    return [item.label if isinstance(item, Leaf) else (item.label, labels(item.children)) for item in tree]


def leaves(tree: Tree) -> list[Leaf]:
    return [leaf for item in tree for leaf in ([item] if isinstance(item, Leaf) else item.leaves())]


def branches(tree: Tree) -> list[Branch]:
    """All branches, a branch before those below it."""
    found = [item for item in tree if isinstance(item, Branch)]
    return [branch for item in found for branch in (item, *branches(item.children))]


def test_a_model_by_modules_then_results_data_and_buffers(gpt: Recording) -> None:
    block = [("norm", ["weight", "bias"]), ("mlp[0]", ["weight", "bias"]), "mlp[2].weight"]
    assert labels(tree_of(gpt, gpt.line(26))) == [
        ("model", ["tok.weight", ("blocks[0]", block), ("blocks[1]", block)]),
        ("results", ["loss"]),
        ("data", ["ids"]),
        ("buffers", ["model.blocks[0].scale", "model.blocks[1].scale"]),
    ]


def test_a_leaf_keeps_its_whole_name_and_its_tensor(gpt: Recording) -> None:
    step = gpt.line(26)
    names = gpt.names(step)
    found = leaves(tree_of(gpt, step))
    assert {leaf.name: leaf.tensor for leaf in found} == {
        name: tensor for name, tensor in names.items() if name != "model.head.weight"
    }
    assert all(leaf.name.endswith(leaf.label) for leaf in found)


def test_tied_weights_are_in_one_row(gpt: Recording) -> None:
    step = gpt.line(26)
    names = gpt.names(step)
    assert names["model.tok.weight"] == names["model.head.weight"]
    (tied,) = [leaf for leaf in leaves(tree_of(gpt, step)) if leaf.tensor == names["model.tok.weight"]]
    assert (tied.name, tied.label, tied.aliases) == ("model.tok.weight", "tok.weight", ["model.head.weight"])


def test_a_branch_has_the_same_key_at_each_step_and_no_other_has_it(gpt: Recording) -> None:
    keys = [branch.key for branch in branches(tree_of(gpt, gpt.line(25)))]
    assert len(set(keys)) == len(keys)
    later = [branch.key for branch in branches(tree_of(gpt, gpt.line(26)))]
    assert [key for key in later if key in keys] == keys
    assert len(later) == len(keys) + 1  # the results


def test_buffers_are_closed(gpt: Recording) -> None:
    found = branches(tree_of(gpt, gpt.line(26)))
    assert [branch.label for branch in found if not branch.is_open] == ["buffers"]


def test_the_top_opens_first_and_then_level_by_level(gpt: Recording) -> None:
    tree = tree_of(gpt, gpt.line(26))
    label_of = {branch.key: branch.label for branch in branches(tree)}

    def opened(rows: int, chosen: dict[str, bool] | None = None) -> list[str]:
        return sorted(label_of[key] for key in open_branches(tree, rows, chosen or {}))

    top = ["data", "model", "results"]
    # 4 rows at the top and 5 below them; then 3 for each of 2 blocks; then 2 for `norm` and 2 for `mlp[0]`, in each
    assert opened(14) == opened(9) == top
    assert opened(15) == opened(22) == ["blocks[0]", "blocks[1]", *top]
    assert opened(23) == sorted([*top, *("blocks[0]", "blocks[1]"), *("norm", "mlp[0]") * 2])
    keys = {label: key for key, label in label_of.items()}
    assert opened(9, {keys["blocks[0]"]: True}) == ["blocks[0]", *top]
    assert opened(30, {keys["model"]: False, keys["buffers"]: True}) == ["buffers", "data", "results"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("x = torch.ones(2)\nw = torch.ones(2, requires_grad=True)\ny = w * x\n", ["x", "w", "y"]),
        ("ps = [torch.ones(1) for _ in range(4)]\nx = torch.ones(1)\n", ["ps[0]", "ps[1]", "ps[2]", "ps[3]", "x"]),
        (
            "a = torch.ones(1)\nps = [torch.ones(1) for _ in range(5)]\nx = torch.ones(1)\n",
            ["a", ("ps", ["[0]", "[1]", "[2]", "[3]", "[4]"]), "x"],
        ),
        ("p = torch.nn.Parameter(torch.ones(1))\n", ["p"]),
    ],
    ids=["tensors", "a short list", "a long list", "a parameter without a module"],
)
def test_without_a_module_it_is_flat(record: Forker, script: str, expected: list[Any]) -> None:
    run = record("import torch\n" + script)
    assert run.status == 0, run.stderr
    assert labels(tree_of(run)) == expected


def test_two_models(record: Forker) -> None:
    run = record("import torch\nfrom torch import nn\na = nn.Linear(2, 1)\nb = nn.Linear(1, 1, bias=False)\n")
    assert labels(tree_of(run)) == [("a", ["weight", "bias"]), ("b", ["weight"])]


def test_names_of_the_program_stay_in_every_language(record: Forker) -> None:
    """`output` and `data` are words of the interface, too."""
    run = record(
        "import torch\nfrom torch import nn\nx = torch.ones(2)\n"
        "model = nn.ModuleDict({name: nn.Linear(2, 1) for name in ('output', 'data')})\n"
    )
    use("zh")
    try:
        model, data = (branch for branch in tree_of(run) if isinstance(branch, Branch))
        assert [child.text for child in model.children if isinstance(child, Branch)] == ["output", "data"]
        assert (data.label, data.text) == ("data", "数据")
    finally:
        use("en")


def test_no_tensors(record: Forker) -> None:
    assert tree_of(record("import torch\nn = 1\n")) == []


def test_what_an_optimizer_keeps_is_under_the_parameter(record: Forker) -> None:
    run = record("""\
import torch
net = torch.nn.Linear(2, 1)
opt = torch.optim.Adam(net.parameters(), lr=0.1)
net(torch.ones(2)).sum().backward()
opt.step()
done = True
""")
    assert optimizer_tree(run.timeline.state(run.line(5)), {}) == []
    (adam,) = optimizer_tree(run.end, {run.names()["net.bias"]: "a name in the tree"})
    assert isinstance(adam, Branch)
    kept = ["step", "exp_avg", "exp_avg_sq"]
    assert labels([adam]) == [("opt (Adam)", [("net.weight", kept), ("a name in the tree", kept)])]
    assert not any(branch.is_open for branch in branches([adam]))
    names = {leaf.name: leaf.tensor for leaf in adam.leaves()}
    assert run.end.tensors[names["exp_avg of net.weight"]].shape == (1, 2)
