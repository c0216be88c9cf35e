"""The registry of derivative rules: what a backward node multiplies its gradient by, and why.

A rule is a function from a `NodeView` to an `Explanation` with one share for each input of the node, or to several
where the recording does not tell which holds (over which dimension was the softmax?). It says what it believes;
`claims` evaluates it on the recorded values, compares the result with what the engine really sent, and a rule is shown
only where the two agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tutor.explain.rules.arrays import Grid, Shape, agree, count
from tutor.i18n import _

# Above this many multiplications a gradient is not worked out again, and so nothing is claimed of it.
MOST_WORK = 200_000

Terms = Callable[[int], Sequence[tuple[float, float]]]
"""For an element of the target: what arrives times which derivative, to be added up."""
Rows = Callable[[int], Sequence[tuple[int, float]]]
"""The same with the place of what arrives instead of the number itself: a row of the transposed Jacobian."""


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
    """An autograd node and the operation that created it, as a derivative rule sees them.

    A `Grid` has the numbers of a tensor, row by row. Inside a composite the inner tensors are not recorded, so operands
    and result may have no numbers there; `Operand.numbers` then raises LookupError, and the rule claims nothing.
    """

    node: str
    """Name of the node without its namespace, for instance `MulBackward0`."""
    op: str
    """Name of the operation, for instance `mul`."""
    operands: Sequence[Operand]
    """Operands of the operation, in order; for a node inside a composite, one for each input of the node."""
    result: Operand
    """Output of the node."""
    incoming: Grid
    """Gradient that reached the node; for one with several outputs all of them in one row, zeros where none arrived."""
    whole: Sequence[Operand] = ()
    """Operands of the operation, also for a node inside a composite."""
    results: Sequence[Operand] = ()
    """Outputs of the operation; empty for a node inside a composite."""
    inner: bool = False
    """Whether the node is inside a composite."""
    dtype: str = "float32"
    """Dtype of the result."""
    spots: Sequence[Sequence[int]] = ()
    """For a write to a part of a tensor: the possible flat indices of the written elements, each in order."""
    index: Sequence[int] = ()
    """For an index with tensors: flat indices of the elements that they select after its numbers and slices."""

    def gives(self, ours: Grid) -> bool:
        """Whether the result is what a rule takes it for; yes where it was not recorded, inside a composite."""
        theirs = self.result.grid
        return self.inner if theirs is None else agree(ours, theirs, self.dtype)


@dataclass(frozen=True)
class Local:
    """A derivative taken element by element: the gradient that arrives is multiplied by `grid`, then summed over the
    places that the target was stretched to."""

    target: Operand
    formula: str
    grid: Grid


@dataclass(frozen=True)
class Product:
    """A derivative that mixes elements: the gradient of the target is `grid`; `shapes` says it in shapes, `terms` how
    one element comes about."""

    target: Operand
    formula: str
    grid: Grid
    shapes: str
    terms: Terms | None = None
    scale: float = 0.0
    """The largest number that is added up on the way: rounding is in proportion to it."""


@dataclass(frozen=True)
class Explanation:
    """What a rule says about a node: the operation as an equation, and one share for each input of the node."""

    equation: str
    shares: Sequence[Local | Product | None]


Rule = Callable[[NodeView], "Explanation | Iterable[Explanation] | None"]

RULES: dict[str, Rule] = {}
_GENERAL: dict[str, str | Callable[[], str]] = {}


def in_general(node: str) -> str | None:
    """What a node's rule says of any numbers: for those that are too many to be recorded."""
    said = _GENERAL.get(node)
    return said if said is None else _(said) if isinstance(said, str) else said()


def explains(*nodes: str, general: str | Callable[[], str] = "") -> Callable[[Rule], Rule]:
    """Registers the rule for autograd nodes of these names (without `torch::autograd::`). What it says in general is a
    marked text, or puts one together from several."""

    def register(rule: Rule) -> Rule:
        for node in nodes:
            RULES[node] = rule
            if general:
                _GENERAL[node] = general
        return rule

    return register


def mixed(target: Operand, formula: str, incoming: Grid, rows: Rows) -> Product:
    """A derivative that is known by its rows. Raises LookupError where it is too much work."""

    def terms(element: int) -> list[tuple[float, float]]:
        return [(incoming.flat[place], slope) for place, slope in rows(element)]

    found, work, scale = [], 0, 0.0
    for element in range(count(target.shape)):
        row = [x * slope for x, slope in terms(element)]
        work += len(row)
        if work > MOST_WORK:
            raise LookupError("too large to work out again")
        found.append(sum(row))
        scale = max([scale, *map(abs, row)])
    return known(target, formula, incoming, found, rows, scale)


def known(
    target: Operand, formula: str, incoming: Grid, flat: Sequence[float], rows: Rows, scale: float = 0.0
) -> Product:
    """The same where there is a shorter way to the numbers than by the rows."""

    def terms(element: int) -> list[tuple[float, float]]:
        return [(incoming.flat[place], slope) for place, slope in rows(element)]

    shapes = f"{shape_text(incoming.shape)} → {shape_text(target.shape)}"
    return Product(target, formula, Grid(target.shape, tuple(flat)), shapes, terms, scale)


def routed(target: Operand, formula: str, incoming: Grid, places: Sequence[int]) -> Product:
    """Each element of the result is one of the target's: `places` says which (below zero: none)."""
    arrive: list[list[tuple[int, float]]] = [[] for _ in range(count(target.shape))]
    for place, element in enumerate(places):
        if element >= 0:
            arrive[element].append((place, 1.0))
    return mixed(target, formula, incoming, arrive.__getitem__)


def spread(target: Operand, formula: str, incoming: Grid, places: Sequence[int], slopes: Sequence[float]) -> Product:
    """Each element of the target went into one of the result's, `places`, with a derivative."""
    return mixed(target, formula, incoming, lambda element: [(places[element], slopes[element])])


def shape_text(shape: Shape) -> str:
    """`[20, 1]`, as in the tensors pane."""
    return "[" + ", ".join(map(str, shape)) + "]"
