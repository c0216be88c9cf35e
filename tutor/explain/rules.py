"""The registry of derivative rules: what a backward node multiplies its gradient by, and why.

A rule is a function from a `NodeView` to one `Local` (or `Product`, or None) for each input of the node. It says what
it believes; `explain.node` evaluates it on the recorded values, compares the result with what the engine really sent,
and shows the rule only where the two agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tutor.explain.grid import Grid, Shape


@dataclass(frozen=True)
class Operand:
    """An argument or the result of an operation: what to call it, and what it held. `grid` is None where the numbers
    are too many, or none; `tensor` is None for a literal, and for what an operation made on the way (a transpose)."""

    name: str
    shape: Shape
    grid: Grid | None
    tensor: int | None = None

    @property
    def numbers(self) -> Grid:
        """Raises LookupError where the numbers are not there: the rule then claims nothing."""
        if self.grid is None:
            raise LookupError(self.name)
        return self.grid


@dataclass(frozen=True)
class NodeView:
    """A backward node with the operation that made it, as a rule sees it."""

    node: str
    op: str
    operands: Sequence[Operand]
    result: Operand
    incoming: Grid


@dataclass(frozen=True)
class Local:
    """A derivative taken element by element: the gradient that arrives is multiplied by `grid`, then summed over the
    places that the target was stretched to."""

    target: Operand
    formula: str
    grid: Grid


@dataclass(frozen=True)
class Product:
    """A derivative that is a product of matrices: the gradient of the target is `grid`; `shapes` says it in shapes."""

    target: Operand
    formula: str
    grid: Grid
    shapes: str


@dataclass(frozen=True)
class Explanation:
    """What a rule says about a node: the operation as an equation, and one share for each input of the node."""

    equation: str
    shares: Sequence[Local | Product | None]


Rule = Callable[[NodeView], Explanation | None]

RULES: dict[str, Rule] = {}


def explains(*nodes: str) -> Callable[[Rule], Rule]:
    """Registers the rule for autograd nodes of these names (without `torch::autograd::`)."""

    def register(rule: Rule) -> Rule:
        for node in nodes:
            RULES[node] = rule
        return rule

    return register


def shape_text(shape: Shape) -> str:
    """`[20, 1]`, as in the tensors pane."""
    return "[" + ", ".join(map(str, shape)) + "]"
