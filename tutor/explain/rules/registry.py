"""Registry of derivative rules: what a backward node multiplies its gradient by, and why.

A rule is a function from a `NodeView` to an `Explanation`: the operation as an equation, and for each input of the node
a `Share`, which has a formula and a vector-Jacobian product. It computes from the recorded values and from
`NodeView.attributes`. `verify` compares what it gives with the gradients that autograd sent; only a rule that agrees is
shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from tutor.explain.expressions import undoubled
from tutor.explain.rules.arrays import Grid, Shape, combine, count
from tutor.i18n import _
from tutor.trace.number_format import number
from tutor.trace.number_format import shape as shape_text


class Operand(msgspec.Struct, frozen=True):
    """An argument or the result of an operation.

    `grid` is None where the values were not recorded or are not real numbers. `tensor` is None for a literal, and for
    an intermediate that the operation made (a transpose).
    """

    name: str
    shape: Shape
    grid: Grid | None
    tensor: int | None = None
    is_bool: bool = False
    """Whether it is a tensor of booleans."""

    @property
    def numbers(self) -> Grid:
        """The values. Raises LookupError where they were not recorded: the rule then explains nothing."""
        if self.grid is None:
            raise LookupError(self.name)
        return self.grid


class NodeView(msgspec.Struct, frozen=True):
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
    places: Sequence[int] | None = None
    """Of a write to a part, and of a view made again: the flat indices of the whole that the part has. Of an indexing
    with tensors: those that they take of what numbers and slices leave."""
    attributes: Mapping[str, Any] = {}
    """What the node saves that is no tensor (`{"dim": [1], "keepdim": False}`); see `events.Attributes`. A rule that
    needs what is not there, in an old recording, explains nothing."""
    arguments: Mapping[str, Any] = {}
    """The arguments of the operation that are no tensors, by name."""
    saved: Mapping[str, int] = {}
    """The tensors that the node saves, by the names of its arguments, where they are known."""


class Factor(msgspec.Struct, frozen=True):
    """A factor of a matrix product."""

    name: str
    shape: Shape
    grid: Grid | None
    """Its values; None for G, the incoming gradient."""


class Share(msgspec.Struct, frozen=True, eq=False):
    """The gradient that one input of a node gets."""

    target: Operand
    formula: str
    """Text of the derivative; of what is sent, where it mentions `G`, the incoming gradient."""
    vjp: Callable[[Grid], Grid]
    """Vector-Jacobian product: from the incoming gradient to that of the target.

    It is linear, and is written so: it adds elements of the incoming gradient, and multiplies and divides them by
    numbers, but does not compare them, nor give them to functions of `math`. `verify` also runs it on stand-ins for
    numbers, to find the terms of an element.
    """
    derivative: Grid | None = None
    """Of an element-wise derivative: its values, which `vjp` multiplies the incoming gradient by."""
    factors: Sequence[Factor] = ()
    """Of a matrix product: its factors, in order."""
    reason: str = ""
    """Of a matrix product: why that is sent, in words."""
    entries: Sequence[tuple[int, int, float]] | None = None
    """The elements of the Jacobian that are not zero, where the rule lists them: see `sparse`."""

    @property
    def shapes(self) -> str:
        """The shapes of the factors of a matrix product, `3×2 · 2×4`; empty for anything else."""
        return " · ".join(shape_text(factor.shape) for factor in self.factors)


def elementwise(target: Operand, formula: str, derivative: Grid) -> Share:
    """Return a share with an element-wise derivative: the incoming gradient times `derivative`, summed over the
    dimensions that broadcasting stretched."""
    return Share(target, formula, lambda g: (g * derivative).sum_to(target.shape), derivative)


def sparse(target: Operand, formula: str, entries: Sequence[tuple[int, int, float]]) -> Share:
    """Return a share by the elements of the Jacobian that are not zero: (flat index into the incoming gradient, flat
    index into the target, derivative)."""

    def vjp(g: Grid) -> Grid:
        sums = [0.0] * count(target.shape)
        for place, element, derivative in entries:
            sums[element] += derivative * g.flat[place]
        return Grid(target.shape, tuple(sums))

    return Share(target, formula, vjp, entries=entries)


class Explanation(msgspec.Struct, frozen=True):
    """What a rule says of a node: the operation as an equation, and one share for each input of the node."""

    equation: str
    shares: Sequence[Share | None]


Rule = Callable[[NodeView], "Explanation | None"]
AnyRule = TypeVar("AnyRule", bound=Rule)

RULES: dict[str, Rule] = {}
_GENERAL: dict[str, str | Callable[[], str]] = {}


def general_rule(node: str) -> str | None:
    """Return the rule of a node in letters, for values too many to be recorded; None where there is none."""
    rule = _GENERAL.get(node)
    return rule if rule is None else _(rule) if isinstance(rule, str) else rule()


def apply_rule(node: NodeView) -> Explanation | None:
    """Return what a node's rule says; None where it has none, values or attributes are missing, or Python will not
    divide."""
    rule = RULES.get(node.node)
    try:
        explanation = None if rule is None else rule(node)
    except (LookupError, ArithmeticError, ValueError, TypeError):
        return None
    if explanation is None:
        return None
    shares = [
        share if share is None or "((" not in share.formula else replace(share, formula=undoubled(share.formula))
        for share in explanation.shares
    ]
    return Explanation(undoubled(explanation.equation), shares)


def explains(*nodes: str, general: str | Callable[[], str] = "") -> Callable[[AnyRule], AnyRule]:
    """Register a rule for backward nodes with these names (without `torch::autograd::`).

    Args:
        nodes: Names of nodes, as `MulBackward0`.
        general: The rule in letters: a text marked for translation, or a function that puts one together.
    """

    def register(rule: AnyRule) -> AnyRule:
        for node in nodes:
            RULES[node] = rule
            if general:
                _GENERAL[node] = general
        return rule

    return register


Derivative = Callable[..., float]
"""A derivative by its numbers: its parameters are named `a`, `b`, `c` for the operands, `y` for the result, or as an
attribute of the node. Those that it does not name may be unknown."""


def explains_function(
    *nodes: str, equation: str, derivatives: Sequence[tuple[str, Derivative]], general: str | Callable[[], str] = ""
) -> None:
    """Register the rule of a function that works element by element.

    Args:
        nodes: Names of nodes.
        equation: The function as text, with blanks for the names as in `Derivative`.
        derivatives: For each operand, the derivative as text, with the same blanks, and its function.
        general: The rule in letters.
    """

    @explains(*nodes, general=general)
    def rule(view: NodeView) -> Explanation:
        operands = dict(zip("abc", view.operands, strict=False)) | {"y": view.result}
        names = {name: number(x) for name, x in view.attributes.items() if isinstance(x, int | float)}
        names |= {name: operand.name for name, operand in operands.items()}

        def values(name: str) -> Grid:
            return operands[name].numbers if name in operands else Grid((), (float(view.attributes[name]),))

        shares: list[Share | None] = []
        for target, (formula, function) in zip(view.operands, derivatives, strict=False):
            try:
                grid = combine(function, *map(values, signature(function).parameters))
            except LookupError:  # the node does not need it, or autograd has sent what cannot be verified
                shares.append(None)
            else:
                shares.append(elementwise(target, _(formula, **names), grid))
        return Explanation(_(equation, **names), shares)
