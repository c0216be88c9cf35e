"""The gradients that flowed through the graph in the visible backward pass, those that no tensor retains included."""

from __future__ import annotations

from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.values import Value


class GradientFlow:
    """The gradients that flowed through the graph in the visible backward pass, by node."""

    def __init__(self, state: State) -> None:
        self._shares: dict[int, list[Value]] = {}
        self._pass = 0
        self._ran: list[int] = []
        self.state = state
        self._collect(state)

    def at_step(self, state: State) -> GradientFlow:
        """Return the flow at another step; later in the same pass, only new gradients are collected."""
        last, count = state.last_pass, len(self._ran)
        if last is None or last.number != self._pass or last.ran[:count] != self._ran:
            return GradientFlow(state)
        if not (state.showing_pass and self.state.showing_pass):  # the nodes' gradients were dropped
            return GradientFlow(state)
        if not set(last.ran[count:]).isdisjoint(self._ran):  # a node ran again
            return GradientFlow(state)
        self.state = state
        self._collect(state)
        return self

    def _collect(self, state: State) -> None:
        last = state.last_pass
        if last is None:
            return
        for number in dict.fromkeys(last.ran[len(self._ran) :]):
            consumer = state.nodes.get(number)
            if consumer is None or consumer.grad_inputs is None:
                continue
            for source, value in zip(consumer.inputs, consumer.grad_inputs, strict=False):
                if source is not None and value is not None:
                    self._shares.setdefault(source[0], []).append(value)
        self._pass, self._ran = last.number, last.ran

    def reached(self, node: NodeState) -> tuple[Value, list[Value]]:
        """Return the gradient that reached a node, and its shares: one for each use of the node's output.

        Before the node has run, the shares are those that arrived so far; a single share is the gradient.
        """
        shares = self._shares.get(node.node, [])
        if node.grad_outputs:
            return node.grad_outputs[0], shares
        return (shares[0], shares) if len(shares) == 1 else (None, shares)

    def grad_through(self, tensor: TensorState) -> Value:
        """Return the gradient that passes through a tensor without being retained; None if there is none."""
        node = None if tensor.node is None or tensor.is_leaf else self.state.nodes.get(tensor.node)
        if node is None or node.node not in self.state.shown:
            return None
        if node.tensor is not None and node.tensor != tensor.tensor:
            return None
        return self.reached(node)[0]
