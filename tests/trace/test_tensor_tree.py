"""Tensors as a tree, of real runs."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker, Recording
from tutor.trace.tensor_tree import Branch, Leaf, Tree, open_branches, optimizer_tree, tensor_tree

NETWORK = """\
import torch
from torch import nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.bn = nn.BatchNorm1d(2)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(3, 2)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(2, 3, bias=False)
        self.head.weight = self.tok.weight
    def forward(self, i):
        x = self.tok(i)
        for block in self.blocks:
            x = block.bn(block.fc(x))
        return self.head(x)
model = Net()
opt = torch.optim.Adam(model.parameters(), lr=0.1)
ids = torch.tensor([0, 1, 2])
loss = model(ids).sum()
loss.backward()
opt.step()
last = 1
"""
BLOCK = {"fc": ["weight", "bias"], "bn": ["weight", "bias"]}


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    return record(NETWORK)


def outline(tree: Tree) -> list[object]:
    """The labels of a tree: of a branch with those below it."""
    return [{item.label: outline(item.children)} if isinstance(item, Branch) else item.label for item in tree]


def tree_of(run: Recording, step: int | None = None) -> Tree:
    state = run.end if step is None else run.timeline.state(step)
    return tensor_tree(state, state.frames[-1])


def test_the_model_by_modules_then_results_data_and_buffers(run: Recording) -> None:
    block = [{name: labels} for name, labels in BLOCK.items()]
    kept = ["running_mean", "running_var", "num_batches_tracked"]
    buffers = [f"model.blocks[{index}].bn.{name}" for index in (0, 1) for name in kept]
    assert outline(tree_of(run)) == [
        {"model": ["tok.weight", {"blocks[0]": block}, {"blocks[1]": block}]},
        {"results": ["loss"]}, {"data": ["ids"]}, {"buffers": buffers},
    ]  # fmt: skip
    assert [item.is_open for item in tree_of(run) if isinstance(item, Branch)] == [True, True, True, False]


def test_tied_weights_are_one_tensor_with_two_names(run: Recording) -> None:
    (model, *_rest) = tree_of(run)
    assert isinstance(model, Branch)
    tied = model.children[0]
    assert isinstance(tied, Leaf)
    assert (tied.name, tied.aliases) == ("model.tok.weight", ["model.head.weight"])
    assert len(list(model.leaves())) == 9


def test_each_branch_has_its_own_key_which_stays_from_step_to_step(run: Recording) -> None:
    def keys(tree: Tree) -> list[str]:
        branches = [item for item in tree if isinstance(item, Branch)]
        return [branch.key for branch in branches] + [key for item in branches for key in keys(item.children)]

    end = keys(tree_of(run))
    assert len(end) == len(set(end)) == 10
    assert keys(tree_of(run, run.line(25))) == end


def test_what_an_optimizer_keeps_is_under_the_parameter(run: Recording) -> None:
    before = run.timeline.state(run.line(25))
    assert optimizer_tree(before, {}) == []
    (adam,) = optimizer_tree(run.end, {run.names()["model.blocks[1].fc.bias"]: "of the model"})
    assert isinstance(adam, Branch)
    assert (adam.label, adam.is_open) == ("opt (Adam)", False)
    below = outline(adam.children)
    assert below[0] == {"model.tok.weight": ["step", "exp_avg", "exp_avg_sq"]}
    assert below[6] == {"of the model": ["step", "exp_avg", "exp_avg_sq"]}
    assert len(below) == 9
    first = next(adam.leaves())
    assert first.name == "step of model.tok.weight"
    assert first.tensor in run.end.tensors


def test_without_a_module_tensors_are_a_list_in_the_order_of_the_code(record: Forker) -> None:
    run = record(
        "import torch\nx = torch.ones(1, requires_grad=True)\nw = torch.ones(1)\nps = [x * 2, w * 2]\ny = x * w\n"
        "many = [torch.ones(1) for _ in range(5)]\nd = {'a': {'b': torch.ones(2)}}\nlast = 1\n"
    )
    assert outline(tree_of(run)) == [
        "x", "w", "ps[0]", "ps[1]", "y", {"many": ["[0]", "[1]", "[2]", "[3]", "[4]"]}, "d['a']['b']"
    ]  # fmt: skip


def test_a_parameter_without_a_module_is_no_model(record: Forker) -> None:
    run = record("import torch\np = torch.nn.Parameter(torch.ones(2))\nps = [torch.nn.Parameter(p * 2)]\nlast = 1\n")
    assert outline(tree_of(run)) == ["p", "ps[0]"]


def test_a_model_whose_layers_are_one_deep(record: Forker) -> None:
    run = record("import torch\nnet = torch.nn.Linear(2, 1)\nx = torch.ones(2)\nlast = 1\n")
    assert outline(tree_of(run)) == [{"net": ["weight", "bias"]}, {"data": ["x"]}]


class TestOpening:
    """Branches are opened level by level as long as all of a level fits."""

    def labels(self, run: Recording, rows: int, chosen: dict[str, bool] | None = None) -> set[str]:
        tree = tree_of(run)
        opened = open_branches(tree, rows, chosen or {})
        every = [item for item in tree if isinstance(item, Branch)]
        for branch in every:
            every += [child for child in branch.children if isinstance(child, Branch)]
        return {branch.key.partition(":")[2] for branch in every if branch.key in opened}

    def test_by_room(self, run: Recording) -> None:
        top = {"model", "results", "data"}
        blocks = {"model.blocks[0]", "model.blocks[1]"}
        assert self.labels(run, 0) == top  # the first level always
        assert self.labels(run, 12) == top
        assert self.labels(run, 13) == top | blocks
        layers = {f"{block}.{layer}" for block in blocks for layer in BLOCK}
        assert self.labels(run, 100) == top | blocks | layers

    def test_as_chosen(self, run: Recording) -> None:
        chosen = {"<module>:model.blocks[1]": True, "<module>:data": False, "<module>:buffers": True}
        assert self.labels(run, 0, chosen) == {"model", "results", "buffers", "model.blocks[1]"}
