"""The memory that autograd keeps for backward, by the modules and the results that the tensors pane shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tutor.trace.graph import is_leaf
from tutor.trace.memory import memory_of
from tutor.trace.module_calls import with_ancestors
from tutor.trace.state import State
from tutor.trace.timeline import Timeline


class KeptByName:
    """The bytes that autograd keeps at a step: of all nodes, by module, and by the node of a tensor."""

    def __init__(self) -> None:
        self.total = 0
        self.is_read = False
        """Whether all of the recording has been searched for the sizes of storages."""
        self._by_node: dict[int, int] = {}
        self._by_path: dict[str, int] = {}

    def show(self, timeline: Timeline, state: State, names: Iterable[Mapping[int, str]]) -> None:
        """Go to a step, and read on in the recording; `names` are those of the parameters, in each frame."""
        memory = memory_of(timeline)
        self.is_read = memory.read()
        self._by_node = memory.by_node(state)
        by_module = memory.by_module(state)
        self.total = by_module.get(None, 0)
        self._by_path = {
            path: by_module.get(number, 0) for frame in names for path, number in _modules(state, frame).items()
        }

    def of_module(self, path: str) -> int | None:
        """Return the bytes that the nodes of a module keep, with those of the modules in it; None if none of it ran."""
        return self._by_path.get(path)

    def of_tensor(self, state: State, tensor: int) -> int | None:
        """Return the bytes that the node keeps that computed a tensor; None if there is no such node."""
        node = state.nodes.get(state.tensors[tensor].node or 0)
        return None if node is None or is_leaf(node) else self._by_node.get(node.node, 0)


def _modules(state: State, names: Mapping[int, str]) -> dict[str, int]:
    """Return the modules by the learner's paths, `model.fc`; the name of a model is found in those of parameters."""
    roots: dict[int, str] = {}
    outermost = {number: with_ancestors(state.modules, number)[0] for number in state.modules}
    for node in state.nodes.values():
        if node.module not in outermost or outermost[node.module] in roots:
            continue
        path = state.modules[node.module].path
        for source in node.inputs:
            leaf = None if source is None else state.nodes.get(source[0])
            module_name = names.get(leaf.tensor or 0, "").rpartition(".")[0] if leaf is not None else ""
            if module_name and module_name.endswith(path):
                roots[outermost[node.module]] = module_name.removesuffix(path)
    return {
        roots[root] + state.modules[number].path: number for number, root in outermost.items() if root in roots
    }  # fmt: skip
