"""What events do to the autograd graph: the second third of `replay`."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from tutor.trace import events as ev
from tutor.trace.replay_tensors import TensorReplay
from tutor.trace.sizes import size_of
from tutor.trace.state import ModuleInfo, NodeState, PassState


class GraphReplay(TensorReplay):
    """Nodes, which of them are on show, and backward passes."""

    __slots__ = ()

    def _op(self, event: ev.Op) -> None:
        state = self.state
        state.last_op = (event.site, event.inputs, event.outputs, event.module, event.frame)
        state.operations += 1

    def _module(self, event: ev.Module) -> None:
        self.state.modules[event.module] = ModuleInfo(event.module, event.class_name, event.path, event.parent)

    def _graph_node(self, event: ev.GraphNode) -> None:
        self._resume()
        state = self.state
        running = state.last_pass is not None and state.last_pass.running
        if state.showing_pass and not running:
            self._show_all()
        node = NodeState(event.node, event.name, event.inputs, event.tensor, event.sequence, event.saved)
        node.state = "live"
        if not running:
            node.module, node.within = state.last_op[3], state.operations
        elif state.last_pass is not None and event.name != "AccumulateGrad":
            node.of_pass, node.of = state.last_pass.number, event.of
            node.value = _gradient(state.nodes.get(event.of[0]), event.of[1]) if event.of is not None else None
        if event.tensor in state.last_op[2] and event.name != "AccumulateGrad":
            node.operation, node.site, node.frame = state.operations, state.last_op[0], state.last_op[4]
            node.others = self._others(event)
        tensor = state.tensors.get(event.tensor) if event.tensor is not None else None
        if tensor is not None and (tensor.node == event.node or event.name == "AccumulateGrad"):
            node.value, node.shape = tensor.value, tensor.shape
            site, _, outputs = state.last_op[:3]
            if event.tensor in outputs:
                self._keep(node, self.book.saved.get((site, event.name), ()))
        state.nodes[event.node] = node
        second = node.of_pass is not None and state.last_pass is not None and state.last_pass.create_graph
        if (not state.showing_pass or second) and not state.full:
            state.shown.add(event.node)

    def _keep(self, node: NodeState, ways: Sequence[ev.Saved]) -> None:
        """Note what a node keeps, and those inside of its operation; nothing where it was not seen to be made so."""
        tensors = self.state.last_op[1:3]
        for saved in ways:
            if saved.needs and saved.needs != _needs(node):
                continue
            inner = self._inner(node)
            fits = [(one.name, _needs(one)) for one in inner] == [(one.name, one.needs) for one in saved.inner]
            if not fits and saved is not ways[-1]:
                continue
            node.kept = [self._kept(*each, tensors) for each in saved.tensors]
            for one, told in zip(inner, saved.inner, strict=False) if fits else ():
                copied = self.state.nodes[one.node] = one.__copy__()
                copied.kept = [self._kept(*each, tensors) for each in told.tensors]
            return

    def _inner(self, node: NodeState) -> list[NodeState]:
        """The nodes that appeared with a node, breadth first, without leaves."""
        found: dict[int, NodeState] = {}
        waiting = [node]
        for one in waiting:
            for source in one.inputs:
                before = None if source is None else self.state.nodes.get(source[0])
                if before is None or before.node in found or before.name == "AccumulateGrad":
                    continue
                if before.tensor is None and before.within == node.within:
                    found[before.node] = before
                    waiting.append(before)
        return list(found.values())

    def _others(self, event: ev.GraphNode) -> list[tuple[int, int | None, int | None]]:
        """The inputs of the last operation that need no gradient."""
        found: list[tuple[int, int | None, int | None]] = []
        tensors = self.state.tensors
        for place, number in enumerate(self.state.last_op[1]):
            if number is None:
                found.append((place, None, None))
                continue
            tensor = tensors.get(number)
            if tensor is None:
                continue
            if number == event.tensor:  # changed in place: it needs a gradient from now on
                if place < len(event.inputs) and event.inputs[place] is None:
                    found.append((place, number, (tensor.version or 1) - 1))
            elif not tensor.requires_grad:
                found.append((place, number, tensor.version))
        return found

    def _kept(
        self, name: str, whose: int, place: int, size: int, tensors: tuple[Sequence[int | None], ...]
    ) -> tuple[str, int, int | None, int, int | None]:
        number = tensors[whose][place] if whose < len(tensors) and place < len(tensors[whose]) else None
        tensor = self.state.tensors.get(number or 0)
        if tensor is None:
            return name, 0, None, size, None
        return name, tensor.tensor, tensor.version, size_of(tensor.shape, tensor.dtype), tensor.storage

    def _show_all(self) -> None:
        """The pass leaves the display: what lives is on show, without gradients, leaves as they are now."""
        state = self.state
        state.showing_pass = False
        self._clear()
        state.nodes = {number: node for number, node in state.nodes.items() if not node.gone}
        state.shown = set(state.nodes)
        for number, node in state.nodes.items():
            if node.name == "AccumulateGrad" and node.tensor in state.tensors:
                tensor = state.tensors[node.tensor]
                if node.value is not tensor.value:
                    node = node.__copy__()
                    node.value, node.shape = tensor.value, tensor.shape
                    state.nodes[number] = node

    def _stop_passes(self) -> None:
        """No more is told of passes, and so no graph is on show."""
        state = self.state
        self._show_all()
        state.shown, state.last_pass, state.full = set(), None, True
        state.last_op = (0, [], [], None, 0)

    def _clear(self, keep: Sequence[int] = ()) -> None:
        """Take the gradients of the last pass from the nodes."""
        state = self.state
        for number in set(state.last_pass.ran).difference(keep) if state.last_pass is not None else ():
            node = state.nodes.get(number)
            if node is not None:
                node = node.__copy__()
                node.grad_outputs = node.grad_inputs = None
                node.order = 0
                state.nodes[number] = node

    def _freed(self, event: ev.Freed) -> None:
        state = self.state
        for number in event.nodes:
            node = state.nodes.get(number)
            if node is None:
                continue
            last = state.last_pass
            if state.showing_pass and (number in state.shown or (last is not None and number in last.outer_shown)):
                node = node.__copy__()
                node.gone, node.state = True, "freed"
                state.nodes[number] = node
            else:
                del state.nodes[number]
                state.shown.discard(number)

    def _backward(self, event: ev.Backward) -> None:
        self._resume()
        state = self.state
        outer = state.last_pass if state.last_pass is not None and state.last_pass.running else None
        if outer is None:
            self._clear()
        state.passes += 1
        state.last_pass = PassState(
            event.number, event.call, event.roots, event.retain_graph, event.create_graph, event.gradient, True, [],
            outer, state.shown if outer is not None else set(),
        )  # fmt: skip
        nodes, shown = state.nodes, set[int]()
        roots = [state.tensors[root].node for root in event.roots if root in state.tensors]
        waiting = [node for node in roots if node is not None]
        while waiting:
            number = waiting.pop()
            if number in shown or number not in nodes:
                continue
            shown.add(number)
            waiting.extend(source[0] for source in nodes[number].inputs if source is not None)
        if outer is None:
            gone = [number for number in state.shown if number not in shown and number in nodes and nodes[number].gone]
            for number in gone:
                del nodes[number]
        state.shown, state.showing_pass = shown, True

    def _resume(self) -> None:
        """The pass around the one that has ended goes on."""
        state, last = self.state, self.state.last_pass
        if last is None or last.running or last.outer is None:
            return
        self._clear(last.outer.ran)
        for number in state.shown - last.outer_shown:
            if number in state.nodes and state.nodes[number].gone:
                del state.nodes[number]
        state.last_pass = outer = copy(last.outer)
        outer.ran = outer.ran.copy()
        state.shown, state.showing_pass = set(last.outer_shown), True

    def _ran(self, number: int, grad_outputs: list[ev.Value], grad_inputs: list[ev.Value] | None) -> None:
        self._resume()
        state = self.state
        node, last = state.nodes.get(number), state.last_pass
        if last is None:
            return
        last.ran.append(number)
        if node is not None:
            node = node.__copy__()
            node.grad_outputs, node.grad_inputs, node.order = grad_outputs, grad_inputs, len(last.ran)
            state.nodes[number] = node

    def _node(self, event: ev.Node) -> None:
        self._ran(event.node, event.grad_outputs, event.grad_inputs)

    def _accumulate(self, event: ev.Accumulate) -> None:
        self._ran(event.node, [event.incoming], None)
        self._write(event.tensor, event.grad, event.new, event.version, event.storage)
        self._hold(event.tensor, event.grad)

    def _retained(self, event: ev.Retained) -> None:
        self._write(event.tensor, event.grad, event.value)
        self._hold(event.tensor, event.grad)

    def _captured(self, event: ev.Captured) -> None:
        if event.result is not None:
            self._write(event.tensor, event.result, event.value)

    def _backward_end(self, event: ev.BackwardEnd) -> None:
        if self.state.last_pass is not None and self.state.last_pass.number != event.number:
            self._resume()
        state, last = self.state, self.state.last_pass
        if last is None or last.number != event.number:
            return
        last.running = False
        for number in () if last.retain_graph else last.ran:
            node = state.nodes.get(number)
            if node is not None and node.name != "AccumulateGrad":
                node = node.__copy__()
                node.state = "freed"
                state.nodes[number] = node


def _gradient(node: NodeState | None, which: int) -> ev.Value:
    """A gradient that a node sent on, or (-1) that reached it."""
    gradients = None if node is None else node.grad_outputs if which < 0 else node.grad_inputs
    which = max(which, 0)
    return gradients[which] if gradients is not None and which < len(gradients) else None


def _needs(node: ev.GraphNode | NodeState) -> list[bool]:
    return [source is not None for source in node.inputs]
