"""Registry of derivative rules: what a backward node multiplies its gradient by, and why.

A rule is a function from a `NodeView` to an `Explanation` with one share for each input of the node. Where the
recording lacks an argument (softmax over which dimension?), a rule yields one explanation for each value that is
possible. `verify` evaluates each on the recorded values and compares it with the gradients that autograd sent; only a
rule that agrees is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tutor.explain.rules.arrays import Grid, Shape, allclose, count
from tutor.i18n import _

MOST_WORK = 200_000
"""Most multiplications spent on one gradient; larger ones are not verified, and not explained."""

Terms = Callable[[int], Sequence[tuple[float, float]]]
"""From the index of an element of the target to the terms of its gradient: (incoming gradient, derivative)."""
Rows = Callable[[int], Sequence[tuple[int, float]]]
"""From the index of an element of the target to its row of the transposed Jacobian: (index into the incoming gradient,
derivative)."""


@dataclass(frozen=True)
class Operand:
    """An argument or the result of an operation.

    `grid` is None where the values were not recorded or are not real numbers. `tensor` is None for a literal, and for
    an intermediate that the operation made (a transpose).
    """

    name: str
    shape: Shape
    grid: Grid | None
    tensor: int | None = None

    @property
    def numbers(self) -> Grid:
        """The values. Raises LookupError where they were not recorded: the rule then explains nothing."""
        if self.grid is None:
            raise LookupError(self.name)
        return self.grid


@dataclass(frozen=True)
class NodeView:
    """An autograd node and the operation that created it, as a derivative rule sees them.

    A `Grid` has the numbers of a tensor, row by row. Inside a composite the inner tensors are not recorded, so operands
    and result may have no numbers there; `Operand.numbers` then raises LookupError, and the rule claims nothing.
    """

    node: str
    """Name of the node without its namespace, for instance `MulBackward0`."""
    op: str
    """Name of the operation, for instance `mul`."""
    operands: Sequence[Operand]
    """The operation's operands; of a node inside a composite, one for each input of the node."""
    result: Operand
    """The node's result; inside a composite without values."""
    incoming: Grid
    """The gradient that reaches the node. Of a node with several results: their gradients flattened and concatenated,
    with zeros where there is none."""
    whole: Sequence[Operand] = ()
    """The operands of the whole operation, also for a node inside a composite."""
    results: Sequence[Operand] = ()
    """Outputs of the operation; empty for a node inside a composite."""
    inner: bool = False
    """Whether the node is inside a composite operation."""
    dtype: str = "float32"
    """Dtype of the result."""
    spots: Sequence[Sequence[int]] = ()
    """Of a write to a view: the flat indices of the base that the view can have, in order."""
    index: Sequence[int] = ()
    """Flat indices that the tensors in an index select from what its numbers and slices leave."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What the node saves that is no tensor (`{"dim": [1], "keepdim": False}`); see `events.Attributes`."""

    def gives(self, expected: Grid) -> bool:
        """Return whether the result has these values; True inside a composite, where they were not recorded."""
        actual = self.result.grid
        return self.inner if actual is None else allclose(expected, actual, self.dtype)


@dataclass(frozen=True)
class Local:
    """An element-wise derivative: the incoming gradient times `grid`, summed over the dimensions that broadcasting
    stretched."""

    target: Operand
    formula: str
    grid: Grid


@dataclass(frozen=True)
class Product:
    """A derivative that mixes elements, with the gradient of the target worked out: `grid` holds its values, `shapes`
    describes it in shapes, `terms` gives the terms of one element."""

    target: Operand
    formula: str
    grid: Grid
    shapes: str
    terms: Terms | None = None
    scale: float = 0.0
    """The largest absolute term: the rounding error is in proportion to it."""


@dataclass(frozen=True)
class Explanation:
    """What a rule says of a node: the operation as an equation, and one share for each input of the node."""

    equation: str
    shares: Sequence[Local | Product | None]


Rule = Callable[[NodeView], "Explanation | Iterable[Explanation] | None"]

RULES: dict[str, Rule] = {}
_GENERAL: dict[str, str | Callable[[], str]] = {}


def general_rule(node: str) -> str | None:
    """Return the rule of a node in letters, for values too many to be recorded; None where there is none."""
    rule = _GENERAL.get(node)
    return rule if rule is None else _(rule) if isinstance(rule, str) else rule()


def explains(*nodes: str, general: str | Callable[[], str] = "") -> Callable[[Rule], Rule]:
    """Register a rule for backward nodes with these names (without `torch::autograd::`).

    Args:
        nodes: Names of nodes, as `MulBackward0`.
        general: The rule in letters: a text marked for translation, or a function that puts one together.
    """

    def register(rule: Rule) -> Rule:
        for node in nodes:
            RULES[node] = rule
            if general:
                _GENERAL[node] = general
        return rule

    return register


def vjp_from_rows(target: Operand, formula: str, incoming: Grid, rows: Rows) -> Product:
    """Compute a gradient from the rows of the transposed Jacobian. Raises LookupError where it is too much work."""

    def terms(element: int) -> list[tuple[float, float]]:
        return [(incoming.flat[place], derivative) for place, derivative in rows(element)]

    gradient, work, scale = [], 0, 0.0
    for element in range(count(target.shape)):
        row = [x * derivative for x, derivative in terms(element)]
        work += len(row)
        if work > MOST_WORK:
            raise LookupError("too large to work out again")
        gradient.append(sum(row))
        scale = max([scale, *map(abs, row)])
    return vjp_from_values(target, formula, incoming, gradient, rows, scale)


def vjp_from_values(
    target: Operand, formula: str, incoming: Grid, values: Sequence[float], rows: Rows, scale: float = 0.0
) -> Product:
    """Build a gradient from values that were computed in a shorter way than by the rows."""

    def terms(element: int) -> list[tuple[float, float]]:
        return [(incoming.flat[place], derivative) for place, derivative in rows(element)]

    shapes = f"{shape_text(incoming.shape)} → {shape_text(target.shape)}"
    return Product(target, formula, Grid(target.shape, tuple(values)), shapes, terms, scale)


def vjp_by_scatter(target: Operand, formula: str, incoming: Grid, places: Sequence[int]) -> Product:
    """Scatter a gradient: each element of the result is a copy of one of the target's.

    Args:
        target: Operand that gets the gradient.
        formula: Text of the derivative.
        incoming: Gradient that reaches the node.
        places: For each element of the result, the flat index of its source in the target; negative for none.
    """
    rows: list[list[tuple[int, float]]] = [[] for _ in range(count(target.shape))]
    for place, element in enumerate(places):
        if element >= 0:
            rows[element].append((place, 1.0))
    return vjp_from_rows(target, formula, incoming, rows.__getitem__)


def vjp_by_gather(
    target: Operand, formula: str, incoming: Grid, places: Sequence[int], derivatives: Sequence[float]
) -> Product:
    """Gather a gradient: each element of the target went into one element of the result.

    Args:
        target: Operand that gets the gradient.
        formula: Text of the derivative.
        incoming: Gradient that reaches the node.
        places: For each element of the target, the flat index of its element of the result.
        derivatives: For each element of the target, the derivative.
    """
    return vjp_from_rows(target, formula, incoming, lambda element: [(places[element], derivatives[element])])


def shape_text(shape: Shape) -> str:
    """Format a shape as in the tensors pane: `[20, 1]`."""
    return "[" + ", ".join(map(str, shape)) + "]"
