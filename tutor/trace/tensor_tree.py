"""The named tensors of a frame as a tree: the model by modules, data, results, and the state of optimizers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tutor.i18n import N_, _
from tutor.trace.names import PARAMETER, aliases_of, names_of, tensor_name
from tutor.trace.state import FrameState, State

_STEP = re.compile(r"\.?[^.\[\]]+(?:\[[^\]]*\])*|\[[^\]]*\]")
LONG = 5
"""Least number of tensors in a list or dict for it to be a branch."""


@dataclass(eq=False)
class Leaf:
    """A tensor in the tree."""

    label: str
    """Its name below its branch: `weight`."""
    name: str
    """The learner's name of it: `model.fc.weight`."""
    aliases: list[str]
    """Other names in the frame."""
    tensor: int


@dataclass(eq=False)
class Branch:
    """A module, a list, or a group of tensors such as the buffers."""

    key: str
    """What it is recognised by from step to step: the function and the path."""
    label: str
    children: list[Branch | Leaf] = field(default_factory=list)
    is_open: bool = True
    """Whether it is open as long as there is room."""
    is_group: bool = False
    """Whether the label is a text of the interface, which is translated, and no name of the program's."""

    @property
    def text(self) -> str:
        """The label as it is shown."""
        return _(self.label) if self.is_group else self.label

    def leaves(self) -> Iterator[Leaf]:
        """Yield the tensors below it."""
        for child in self.children:
            if isinstance(child, Leaf):
                yield child
            else:
                yield from child.leaves()


Tree = list[Branch | Leaf]


def tensor_tree(state: State, frame: FrameState) -> Tree:
    """Return the tensors of a frame.

    Without a module they are a list in the order of the code, in which long containers are branches. With one, its
    parameters come first, by submodule, then its buffers, the results of operations, and other tensors.
    """
    names = names_of(state, frame)
    leaves = [Leaf(name, name, aliases, names[name]) for name, aliases in aliases_of(state, frame).items()]
    roots: dict[str, list[Leaf]] = {}
    for leaf in leaves:
        roots.setdefault(_steps(leaf.name)[0], []).append(leaf)
    models = [root for root, members in roots.items() if any(_is_parameter(state, leaf) for leaf in members)]
    if not models:
        return _in_code_order(state, frame, leaves, roots)
    tree: Tree = []
    buffers: list[Leaf] = []
    for root in models:
        learned = [leaf for leaf in roots[root] if _is_learned(state, leaf)]
        buffers += [leaf for leaf in roots[root] if not _is_learned(state, leaf)]
        tree.append(_branch(f"{frame.function}:", "", [(leaf, _steps(leaf.name)) for leaf in learned]).children[0])
    others = [leaf for root, members in roots.items() if root not in models for leaf in members]
    results = [leaf for leaf in others if state.tensors[leaf.tensor].grad_fn is not None]
    data = [leaf for leaf in others if state.tensors[leaf.tensor].grad_fn is None]
    groups = ((N_("results"), results, True), (N_("data"), data, True), (N_("buffers"), buffers, False))
    for label, members, is_open in groups:
        if members:
            tree.append(Branch(f"{frame.function}:{label}", label, list(members), is_open, is_group=True))
    return tree


def optimizer_tree(state: State, names: Mapping[int, str]) -> Tree:
    """Return the tensors that optimizers keep, folded: each optimizer has a branch for each of its parameters.

    Args:
        state: The state of the program.
        names: Names of parameters.
    """
    tree: Tree = []
    for number, info in state.optimizers.items():
        key = f"optimizer {number}"
        branch = Branch(key, f"{info.name} ({info.class_name})" if info.name else info.class_name, is_open=False)
        for parameter, tensors in info.tensors.items():
            owner = names.get(parameter) or tensor_name(state, parameter)
            kept = [
                Leaf(name, f"{name} of {owner}", [], tensor)
                for name, tensor in tensors.items()
                if tensor in state.tensors
            ]
            if kept and parameter in state.tensors:
                branch.children.append(Branch(f"{key}:{parameter}", owner, list(kept), is_open=False))
        if branch.children:
            tree.append(branch)
    return tree


def _in_code_order(state: State, frame: FrameState, leaves: list[Leaf], roots: dict[str, list[Leaf]]) -> Tree:
    tree: Tree = []
    for leaf in leaves:
        root = _steps(leaf.name)[0]
        members = roots[root]
        if len(members) < LONG:
            tree.append(leaf)
        elif leaf is members[0]:
            for member in members:
                member.label = member.name.removeprefix(root).removeprefix(".") or member.name
            tree.append(Branch(f"{frame.function}:{root}", root, list(members)))
    return tree


def _branch(key: str, label: str, members: list[tuple[Leaf, list[str]]]) -> Branch:
    """Return the tree of leaves with the steps of their paths. A branch with a single child is drawn as one row."""
    branch = Branch(key, label)
    groups: dict[str, list[tuple[Leaf, list[str]]]] = {}
    for leaf, (step, *rest) in members:
        groups.setdefault(step, []).append((leaf, rest))
    for step, below in groups.items():
        leaf, rest = below[0]
        if len(below) == 1 and not rest:
            leaf.label = step.removeprefix(".")
            branch.children.append(leaf)
            continue
        child = _branch(f"{key}{step}", step.removeprefix("."), [pair for pair in below if pair[1]])
        child.children[:0] = [leaf for leaf, rest in below if not rest]
        branch.children.append(_joined(child) if label else child)
    return branch


def _joined(branch: Branch) -> Branch | Leaf:
    """Return a branch with its only child in one row: `tok.weight`."""
    if len(branch.children) > 1:
        return branch
    child = branch.children[0]
    child.label = f"{branch.label}.{child.label}" if not child.label.startswith("[") else branch.label + child.label
    return child


def _is_parameter(state: State, leaf: Leaf) -> bool:
    return state.tensors[leaf.tensor].class_name == PARAMETER and "." in leaf.name


def _is_learned(state: State, leaf: Leaf) -> bool:
    """Return whether a tensor of a module is no buffer."""
    return _is_parameter(state, leaf) or state.tensors[leaf.tensor].requires_grad


def _steps(name: str) -> list[str]:
    """Split a path: `model.blocks[0].mlp` into `model`, `.blocks[0]`, `.mlp`; `params[0]` into `params`, `[0]`."""
    steps = _STEP.findall(name) or [name]
    root, bracket, index = steps[0].partition("[")
    return [root, f"{bracket}{index}", *steps[1:]] if bracket and root else steps


def open_branches(tree: Iterable[Branch | Leaf], rows: int, chosen: dict[str, bool]) -> set[str]:
    """Return the keys of the branches to open in a pane with room for `rows` rows: the learner's choice first, then
    level by level as long as all of a level fits."""
    level = [item for item in tree if isinstance(item, Branch)]
    count = sum(1 for _item in tree)
    opened: set[str] = set()
    while level:
        wanted = [branch for branch in level if chosen.get(branch.key, branch.is_open)]
        forced = [branch for branch in wanted if chosen.get(branch.key)]
        more = sum(len(branch.children) for branch in wanted)
        if count + more > rows and opened:
            wanted = forced
        count += sum(len(branch.children) for branch in wanted)
        opened |= {branch.key for branch in wanted}
        level = [child for branch in wanted for child in branch.children if isinstance(child, Branch)]
    return opened
