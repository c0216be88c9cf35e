"""What the tensors pane says of tensors beside their values: what a step changed, norms, and which match a filter."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from tutor.explain.formatting import grad_of
from tutor.i18n import N_
from tutor.trace import number_format, values
from tutor.trace.gradient_flow import GradientFlow
from tutor.trace.missing_gradients import Reason, missing_gradients
from tutor.trace.names import PARAMETER
from tutor.trace.state import FrameState, State, TensorState
from tutor.trace.tensor_tree import Branch, Leaf, Tree
from tutor.trace.timeline import Changes, Timeline
from tutor.trace.values import Value
from tutor.ui.panes.graph.model import nodes_with_new_grad

ORDERS = (N_("code order"), "|grad|", "|grad| / |value|", N_("memory"))
_ABOVE = re.compile(r">\s*(\d+(?:\.\d*)?(?:e[-+]?\d+)?)$")
_CACHE_SIZE = 5_000


class TensorFacts:
    """Facts about the tensors of a state; most norms stay the same from step to step."""

    def __init__(self) -> None:
        self.state = State()
        self.missing: dict[int, Reason] = {}
        """Why parameters have no gradient."""
        self.largest = ""
        """The name of the parameter with the largest gradient; empty if there is none."""
        self.total = 0.0
        """The norm of the gradients of all parameters."""
        self._changes = Changes()
        self._sent: set[int] = set()
        self._flow = GradientFlow(State())
        self._norms: dict[int, tuple[Value, float | None]] = {}

    def show(self, timeline: Timeline, step: int) -> None:
        """Go to a step."""
        self.state = timeline.state(step)
        self._changes = timeline.changed(step) if step else Changes()
        self._flow = self._flow.at_step(self.state)
        self._sent = nodes_with_new_grad(timeline.event(step) if step else None, self.state)
        self.missing, self.largest, self.total = {}, "", 0.0

    def compare(self, timeline: Timeline, step: int, parameters: Iterable[Leaf]) -> None:
        """Compare the gradients of all parameters."""
        learned = {leaf.tensor: leaf.name for leaf in parameters}
        self.missing = missing_gradients(timeline, step, learned)
        norms = [(self.grad_norm(number) or 0.0, name) for number, name in learned.items()]
        finite = [(norm, name) for norm, name in norms if math.isfinite(norm)]
        norm, name = max(finite, default=(0.0, ""), key=lambda item: item[0])
        self.largest, self.total = name if norm else "", math.hypot(*(norm for norm, _name in finite))

    # ------------------------------------------------------------ of a tensor

    def is_parameter(self, number: int) -> bool:
        """Return whether a tensor is a parameter of a module."""
        return self.state.tensors[number].class_name == PARAMETER

    def is_model(self, branch: Branch) -> bool:
        """Return whether a branch has parameters."""
        return any(self.is_parameter(leaf.tensor) for leaf in branch.leaves())

    def grad_norm(self, number: int) -> float | None:
        """Return the Euclidean norm of a stored gradient, nan or inf if an element is; None where it is unknown."""
        grad = grad_of(self.state, self.state.tensors[number])
        return None if grad is None else self._norm(grad.value)

    def branch_norm(self, branch: Branch) -> float | None:
        """Return the norm of all gradients below a branch; None where there are none."""
        norms = [norm for leaf in branch.leaves() if (norm := self.grad_norm(leaf.tensor)) is not None]
        return None if not norms else math.nan if any(map(math.isnan, norms)) else math.hypot(*norms)

    def branch_reason(self, branch: Branch) -> Reason | None:
        """Return why nothing below a branch has a gradient; None if there are different reasons, or gradients."""
        reasons = {self.missing.get(leaf.tensor) for leaf in branch.leaves()}
        return reasons.pop() if len(reasons) == 1 else None

    def _norm(self, value: Value) -> float | None:
        entry = self._norms.get(id(value))
        if entry is None:
            if len(self._norms) > _CACHE_SIZE:
                self._norms.clear()
            stats = number_format.statistics(value)
            norm = None if stats is None else math.nan if stats.nans else math.inf if stats.infinities else stats.norm
            # The value is held together with its norm, so that its id stays the same.
            entry = self._norms[id(value)] = value, norm
        return entry[1]

    def passing(self, tensor: TensorState) -> Value:
        """Return the gradient that passes through a tensor without being retained; None if there is none."""
        return self._flow.grad_through(tensor) if tensor.grad is None else None

    def value_changed(self, frame: FrameState, leaf: Leaf) -> bool:
        """Return whether the step changed a value, or what a name refers to."""
        rebound = any((frame.frame, alias) in self._changes.names for alias in (leaf.name, *leaf.aliases))
        return rebound or leaf.tensor in self._changes.tensors

    def grad_changed(self, leaf: Leaf) -> bool:
        """Return whether the step changed a gradient that a tensor has, or that passes through it."""
        tensor = self.state.tensors[leaf.tensor]
        if tensor.grad is None:
            return tensor.node in self._sent and self.passing(tensor) is not None
        return leaf.tensor in self._changes.grads

    def is_changed(self, frame: FrameState, leaf: Leaf) -> bool:
        """Return whether the step changed a tensor's value or gradient."""
        return self.value_changed(frame, leaf) or self.grad_changed(leaf)

    # ------------------------------------------------------------ which, in what order

    def matches(self, leaf: Leaf, text: str) -> bool:
        """Return whether a filter shows a tensor.

        Args:
            leaf: The tensor.
            text: `none`: leaves that might have a gradient, and parameters, without one; `nan`: those with nan or
                infinities in value or gradient; `>100`: those with an element of a greater magnitude in value or
                gradient; else a part of a name.
        """
        tensor = self.state.tensors[leaf.tensor]
        if text == "none":
            might = tensor.is_leaf and tensor.requires_grad
            return bool(might or self.is_parameter(leaf.tensor)) and tensor.grad is None
        above = _ABOVE.match(text)
        if text != "nan" and above is None:
            return text in " ".join([leaf.name, *leaf.aliases])
        held = [item.value for item in (tensor, grad_of(self.state, tensor)) if item is not None]
        statistics = [stats for stats in map(number_format.statistics, held) if stats is not None]
        if above is None:
            return any(stats.nans or stats.infinities for stats in statistics)
        return any(stats.largest > float(above[1]) or stats.infinities for stats in statistics)

    def sort(self, tree: Tree, order: int) -> None:
        """Sort a tree and its branches in one of `ORDERS`, the greatest first."""
        if not order:
            return
        ranks = {id(item): self._rank(item, order) for item in tree}
        tree.sort(key=lambda item: ranks[id(item)], reverse=True)
        for item in tree:
            if isinstance(item, Branch):
                self.sort(item.children, order)

    def bytes_of(self, item: Branch | Leaf) -> int:
        """Return the bytes that tensors take."""
        tensors = (self.state.tensors[leaf.tensor] for leaf in ([item] if isinstance(item, Leaf) else item.leaves()))
        return sum(values.size_of(tensor.shape, tensor.dtype) for tensor in tensors)

    def _rank(self, item: Branch | Leaf, order: int) -> float:
        if order == ORDERS.index("memory"):
            return self.bytes_of(item)
        numbers = [leaf.tensor for leaf in ([item] if isinstance(item, Leaf) else item.leaves())]
        tensors = [self.state.tensors[number] for number in numbers]
        grad = math.hypot(*(self.grad_norm(number) or 0.0 for number in numbers))
        if order == ORDERS.index("|grad| / |value|"):
            value = math.hypot(*(self._norm(tensor.value) or 0.0 for tensor in tensors))
            grad = grad / value if value else 0.0
        return math.inf if math.isnan(grad) else grad


def leaves_of(tree: Iterable[Branch | Leaf]) -> Iterator[Leaf]:
    """Yield the tensors of a tree."""
    for item in tree:
        if isinstance(item, Branch):
            yield from item.leaves()
        else:
            yield item
