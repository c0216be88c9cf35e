"""Work out one element of a matrix in full: of a gradient, of an operation's result, of a parameter's update.

Only what gives the recorded number is shown: a sum is added up again, a derivative rule was verified before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain, combinations
from math import isfinite, prod

from tutor.explain import formatting
from tutor.explain.formatting import Part, label
from tutor.explain.node import summarize_node
from tutor.explain.operation import REFLECTED, SIGNS
from tutor.explain.optimizers import explain_update, finished_steps, most_moved_element
from tutor.explain.provenance import RecordedOp, as_grid, recorded_operation
from tutor.explain.rules.arrays import (
    Grid,
    Shape,
    allclose,
    broadcast_indices,
    broadcast_shape,
    slices,
    unravel_index,
)
from tutor.explain.rules.registry import NodeView, Operand, Share, apply_rule
from tutor.explain.verify import VerifiedGrad, adds_up, is_inner, work_out_element
from tutor.i18n import _
from tutor.trace.events import Accumulate, Node, Op
from tutor.trace.graph import gradient_parts
from tutor.trace.names import placeholder_name
from tutor.trace.number_format import equation, number
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import Value, elements, shape_of

_PRODUCTS = ("matmul", "mm", "bmm", "mv", "dot", "linear", "addmm")
_REDUCTIONS = ("sum", "mean")
_MOST_OPERANDS = 3
"""Operands of an operation whose result is searched for as a sum over them."""


@dataclass(frozen=True)
class Matrix:
    """The numbers that a step brought to one tensor, an element of which can be chosen and worked out."""

    step: int
    kind: str
    """`gradient`, that a node sent to an input; `accumulated`, the gradient of a leaf; `result`, of an operation;
    `parameter`, updated by an optimizer."""
    place: int
    """Which of the node's inputs or the operation's results it is; of a parameter, its tensor."""
    name: str
    """`W.grad`, `H`."""
    key: str
    """What the choice of an element belongs to: the name of the tensor, whose gradient has it too."""
    shape: Shape
    value: Value
    dtype: str

    @property
    def count(self) -> int:
        """The number of elements."""
        return prod(self.shape)


def matrices_of(timeline: Timeline, step: int) -> list[Matrix]:
    """Return what a step brought: the gradients that a node sent, or the results of an operation; then the parameters
    that an optimizer updated. Without those that are empty."""
    if not 1 <= step <= timeline.steps:
        return []
    event, state = timeline.event(step), timeline.state(step)
    found: list[Matrix] = []
    if isinstance(event, Node):
        found = _gradients(timeline, step, event, state)
    elif isinstance(event, Accumulate):
        found = [_of_tensor(step, "accumulated", event.tensor, event.tensor, event.new, state)]
    elif isinstance(event, Op):
        found = [
            _of_tensor(step, "result", place, tensor, state.tensors[tensor].value, state)
            for place, tensor in enumerate(event.outputs)
            if tensor in state.tensors
        ]
    for report in finished_steps(timeline, step):
        for update in report.event.updates:
            found.append(_of_tensor(step, "parameter", update.tensor, update.tensor, update.after, state))
    return [matrix for matrix in found if matrix.count]


def _of_tensor(step: int, kind: str, place: int, tensor: int, value: Value, state: State) -> Matrix:
    """Return the numbers of a tensor, or of its gradient. A tensor without a name is called nothing."""
    recorded = state.tensors.get(tensor)
    key = label(state, tensor) or placeholder_name(tensor)
    name = "" if key.startswith("%") else f"{key}.grad" if kind == "accumulated" else key
    shape, dtype = (shape_of(value), "float32") if recorded is None else (recorded.shape, recorded.dtype)
    return Matrix(step, kind, place, name, key, shape, value, dtype)


def _gradients(timeline: Timeline, step: int, event: Node, state: State) -> list[Matrix]:
    """Return the gradients that a node sent."""
    summary, node = summarize_node(timeline, step), state.nodes.get(event.node)
    if summary is None or node is None:
        return []
    targets = iter(summary.sent)
    verified = {claim.place: claim for claim in summary.claims}
    matrices = []
    for place, value in enumerate(event.grad_inputs):
        if value is None:
            continue
        name = next(targets, ("", None))[0]
        claim = verified.get(place)
        source = node.inputs[place] if place < len(node.inputs) else None
        source_node = state.nodes.get(source[0]) if source is not None else None
        key = (None if source_node is None else label(state, source_node.tensor)) or name
        shape = claim.sent.shape if claim is not None else shape_of(value)
        matrices.append(Matrix(step, "gradient", place, f"grad({name})", key, shape, value, summary.dtype))
    return matrices


# ---------------------------------------------------------------- one element


def work_out(timeline: Timeline, matrix: Matrix, element: int, width: int) -> list[list[Part]]:
    """Work out one element of a matrix, with every term, those that are zero too.

    Args:
        timeline: The recording.
        matrix: Where the element is.
        element: Its flat index.
        width: The most cells of a sum; of a longer one the number of terms that are left out is said.

    Returns:
        Lines: the element with its terms and its value; where its factors are found in a product of matrices; of a
        parameter, its update in the optimizer's own formula, each state by its name. Empty where the values were not
        recorded; without terms where no rule gives the recorded number.
    """
    values = as_grid(matrix.value, matrix.shape, matrix.dtype)
    if values is None or not 0 <= element < len(values.flat):
        return []
    if matrix.kind == "parameter":
        return explain_update(timeline, matrix.step, matrix.place, element)
    result = values.flat[element]
    text, note = "", ""
    if matrix.kind == "gradient":
        text, note = _gradient_terms(timeline, matrix, element, width)
    elif matrix.kind == "accumulated":
        text = _accumulated_terms(timeline, matrix, element)
    else:
        made = recorded_operation(timeline, matrix.step) if not matrix.place else None
        text, note = ("", "") if made is None else _result_terms(timeline, made, element, result, width)
    sides = [f"{matrix.name}{index_text(element, matrix.shape)}", text, number(result, matrix.dtype)]
    said = reduce(equation, dict.fromkeys(side for side in sides if side))
    lines: list[list[Part]] = [[(said, "value" if matrix.kind == "result" else "grad")]]
    return lines + ([[(note, "quiet")]] if note else [])


def is_worked(line: Sequence[Part]) -> bool:
    """Return whether a line says how an element was computed, and not its value alone."""
    return len(re.findall(" [=≈] ", "".join(text for text, _role in line))) > 1


def default_element(timeline: Timeline, matrix: Matrix) -> int:
    """Return the element to work out where none is chosen: the first that is nan or inf; of a parameter the one that
    moved most, else the first that is not zero."""
    values = elements(matrix.value) or []
    nonfinite = next((place for place, x in enumerate(values) if isinstance(x, float) and not isfinite(x)), None)
    if nonfinite is not None:
        return nonfinite
    if matrix.kind == "parameter":
        for report in finished_steps(timeline, matrix.step):
            for update in report.event.updates:
                if update.tensor == matrix.place:
                    return most_moved_element(update)[1]
    return next((place for place, x in enumerate(values) if x), 0)


def index_text(element: int, shape: Shape) -> str:
    """Return the index of an element, by its flat index: `[0, 1]`; empty where there is only one."""
    return f"[{', '.join(map(str, unravel_index(element, shape)))}]" if prod(shape) > 1 else ""


def sum_text(terms: Sequence[str], width: int) -> str:
    """Return terms as a sum of at most `width` cells: `2·1 + 0·3 + … (14 more terms)`."""
    return formatting.sum_text([*terms[:1], *map(formatting.term, terms[1:])], width)


def _product(factors: Sequence[float], dtype: str) -> str:
    """Return factors as a term: `2·(-1)`."""
    texts = [number(factor, dtype) for factor in factors]
    return "·".join([*texts[:1], *map(formatting.term, texts[1:])])


def _gradient_terms(timeline: Timeline, matrix: Matrix, element: int, width: int) -> tuple[str, str]:
    """Return the terms of an element that a node sent, and where its factors are."""
    summary = summarize_node(timeline, matrix.step)
    claim = None if summary is None else next((c for c in summary.claims if c.place == matrix.place), None)
    if summary is None or claim is None or summary.arrived is None:
        return "", ""
    worked = work_out_element(claim, summary.arrived, element)
    if worked is None:
        return "", ""
    left_first = claim.share.formula.endswith("G")  # Xᵀ·G: the factor of X comes first
    pairs = [(derivative, x) if left_first else (x, derivative) for x, derivative in worked.terms]
    text = sum_text([_product(pair, matrix.dtype) for pair in pairs], width)
    return text, _factors_note(claim, matrix.shape, element)


def _factors_note(claim: VerifiedGrad, shape: Shape, element: int) -> str:
    """Return which row and column the factors of an element of a matrix product are in."""
    factors = claim.share.formula.split("·")
    if not claim.share.shapes or len(factors) != 2 or len(shape) != 2:
        return ""
    return _row_by_column(factors[0], factors[1], *unravel_index(element, shape))


def _row_by_column(left: str, right: str, row: int, column: int) -> str:
    return _("row {row} of {left}, column {column} of {right}", row=row, left=left, column=column, right=right)


def _accumulated_terms(timeline: Timeline, matrix: Matrix, element: int) -> str:
    """Return how an element of a leaf's gradient came to be: what was there before, and what each node sent."""
    event = timeline.event(matrix.step)
    assert isinstance(event, Accumulate)
    before = timeline.state(matrix.step - 1)
    leaf = before.tensors.get(event.tensor)
    old = before.tensors.get(leaf.grad) if leaf is not None and leaf.grad is not None else None
    parts = [part for _source, part in gradient_parts(timeline.state(matrix.step), event.node)]
    incoming = parts if len(parts) > 1 and adds_up(parts, event.incoming, matrix.dtype) else [event.incoming]
    grids = [as_grid(value, matrix.shape, matrix.dtype) for value in [*([] if old is None else [old.value]), *incoming]]
    terms = [number(grid.flat[element], matrix.dtype) for grid in grids if grid is not None]
    return formatting.added(terms) if 1 < len(terms) == len(grids) else ""


# ---------------------------------------------------------------- an operation's result


def _result_terms(timeline: Timeline, made: RecordedOp, element: int, result: float, width: int) -> tuple[str, str]:
    """Return the terms of an element of an operation's result, and where its factors are; empty where none is known
    that gives the recorded number."""
    try:
        if made.op in _PRODUCTS:
            terms, note = _product_terms(made, element)
        elif made.op in _REDUCTIONS:
            return _reduction_text(made, element, result, width), ""
        else:
            written = _elementwise_text(timeline, made, element)
            return (written, "") if written else (_combination_text(timeline, made, element, result, width), "")
    except (LookupError, ArithmeticError, ValueError, TypeError):
        return "", ""
    if not _gives(sum(prod(term) for term in terms), result, made.dtype, [prod(term) for term in terms]):
        return "", ""
    return sum_text([_product(term, made.dtype) for term in terms], width), note


def _gives(total: float, result: float, dtype: str, terms: Sequence[float]) -> bool:
    """Return whether a sum is the recorded number, up to rounding."""
    scale = max(map(abs, terms), default=0.0)
    return allclose(Grid.full((), total), Grid.full((), result), dtype, scale)


def _product_terms(made: RecordedOp, element: int) -> tuple[list[tuple[float, ...]], str]:
    """Return the terms of an element of a matrix product, and which row and column they are of.

    Raises:
        LookupError: The values were not recorded.
        ValueError: The shapes are not those of a product.
    """
    operands = list(made.operands)
    bias = operands.pop(0) if made.op == "addmm" else operands.pop(2) if len(operands) > 2 else None
    left, right = operands[:2]
    right_name, b = right.name, right.numbers
    if made.op == "linear":
        right_name, b = f"{right_name}ᵀ", b.transpose()
    a = left.numbers
    index = list(unravel_index(element, made.result.shape))
    column = 0 if len(b.shape) == 1 else index.pop()
    row = 0 if len(a.shape) == 1 else index.pop()
    batch = tuple(made.result.shape[: len(index)])
    xs = _matrix_of(a if len(a.shape) > 1 else a.reshape((1, *a.shape)), batch, index)
    ys = _matrix_of(b if len(b.shape) > 1 else b.reshape((*b.shape, 1)), batch, index)
    rows, columns = xs.shape[-1], ys.shape[-1]
    terms: list[tuple[float, ...]] = [
        (x, ys.flat[k * columns + column]) for k, x in enumerate(xs.flat[row * rows : (row + 1) * rows])
    ]
    if bias is not None:
        terms.append((bias.numbers.expand(made.result.shape).flat[element],))
    is_matrix = len(a.shape) == len(b.shape) == 2
    return terms, _row_by_column(left.name, right_name, row, column) if is_matrix else ""


def _matrix_of(grid: Grid, batch: Shape, index: Sequence[int]) -> Grid:
    """Return the matrix at an index of a batch, to which the leading dimensions of `grid` are broadcast."""
    *own, rows, columns = grid.shape
    place = 0
    for size, position in zip(batch, index, strict=True):
        place = place * size + position
    start = broadcast_indices(tuple(own), batch)[place] * rows * columns
    return Grid((rows, columns), grid.flat[start : start + rows * columns])


def _reduction_text(made: RecordedOp, element: int, result: float, width: int) -> str:
    """Return the sum that an element of a sum or mean is; empty where it is another one. Raises LookupError where the
    values were not recorded."""
    a = made.operands[0].numbers
    dimensions = made.arguments.get("dim", made.arguments.get("1"))
    if not (dimensions is None or isinstance(dimensions, (int, list, tuple))):
        return ""
    row = slices(a.shape, dimensions)[element]
    terms = [a.flat[place] for place in row]
    divisor = len(terms) if made.op == "mean" else 1
    if not _gives(sum(terms) / divisor, result, made.dtype, terms):
        return ""
    text = sum_text([number(term, made.dtype) for term in terms], width)
    return text if divisor == 1 else f"({text})/{divisor}"


def _elementwise_text(timeline: Timeline, made: RecordedOp, element: int) -> str:
    """Return the working of an operation that works element by element, with the numbers in the place of the operands;
    empty for other operations. Raises LookupError where the values were not recorded."""
    shape: Shape = ()
    for operand in made.operands:
        shape = broadcast_shape(shape, operand.shape)
    if shape != made.result.shape:
        return ""
    scalars = []
    for operand in made.operands:
        value = operand.numbers.flat[broadcast_indices(operand.shape, shape)[element]]
        text = formatting.term(number(value, made.dtype))
        scalars.append(Operand(text, (), Grid((), (value,)), operand.tensor, operand.is_bool))
    if made.op in SIGNS and len(scalars) == 2 and not made.arguments.get("alpha"):
        first, second = reversed(scalars) if made.op in REFLECTED else scalars
        sign = SIGNS[made.op]
        left = first.name if sign == "^" else number(first.numbers.flat[0], made.dtype)
        return f"{left} {sign} {second.name}"
    view = _node_view(timeline, made, scalars, ())
    explanation = None if view is None else apply_rule(view)
    if explanation is None or not all(share is None or share.derivative is not None for share in explanation.shares):
        return ""
    return explanation.equation


def _node_view(timeline: Timeline, made: RecordedOp, operands: Sequence[Operand], shape: Shape) -> NodeView | None:
    """Return what the rule of the operation's node sees with these operands; None without such a node."""
    state = timeline.state(made.step)
    node = state.nodes.get(made.node or 0)
    if node is None or is_inner(state, node, made):
        return None
    result = made.result if shape else Operand(made.result.name, (), None)
    return NodeView(
        node.name, made.op, operands, result, Grid.full(shape, 1.0), whole=operands, results=[result],
        dtype=made.dtype, places=made.places, attributes=node.attributes, arguments=made.arguments,
    )  # fmt: skip


def _combination_text(timeline: Timeline, made: RecordedOp, element: int, result: float, width: int) -> str:
    """Return an element as the sum of elements of the operands by their derivatives: of a view, of joined tensors, of a
    convolution. Empty where that does not give it."""
    shape = made.result.shape
    view = _node_view(timeline, made, made.operands, shape)
    explanation = None if view is None else apply_rule(view)
    shares = [] if explanation is None else [share for share in explanation.shares if share is not None]
    one_hot = Grid(shape, tuple(float(place == element) for place in range(prod(shape))))
    shares = [share for share in shares if share.target.grid is not None][:_MOST_OPERANDS]
    for chosen in chain.from_iterable(combinations(shares, size) for size in range(1, len(shares) + 1)):
        terms = list(chain.from_iterable(_contributions(share, one_hot) for share in chosen))
        products = [factor * x for factor, x, _place in terms]
        if terms and _gives(sum(products), result, made.dtype, products):
            if len(terms) == 1 and terms[0][0] == 1:
                return terms[0][2]
            return sum_text([_product((factor, x), made.dtype) for factor, x, _place in terms], width)
    return ""


def _contributions(share: Share, one_hot: Grid) -> list[tuple[float, float, str]]:
    """Return what an operand contributes to an element: derivative, element of the operand, and its place as text."""
    derivatives, values = share.vjp(one_hot), share.target.numbers
    return [
        (factor, x, f"{share.target.name}{index_text(place, values.shape)}")
        for place, (factor, x) in enumerate(zip(derivatives.flat, values.flat, strict=True))
        if factor
    ]
