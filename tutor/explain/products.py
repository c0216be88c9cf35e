"""Products whose factors and result are small enough to be shown as grids of numbers, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutor.explain.node import NodeSummary, target_name, written_out
from tutor.explain.operation import PRODUCTS
from tutor.explain.provenance import recorded_operation
from tutor.explain.rules.arrays import Grid, Shape
from tutor.explain.verify import VerifiedGrad
from tutor.trace import number_format
from tutor.trace.timeline import Timeline


@dataclass(frozen=True)
class NamedGrid:
    """A matrix, or a vector as a row, with the name that it has in a product."""

    name: str
    grid: Grid
    role: str
    """`grad` or `value`."""


@dataclass(frozen=True)
class Product:
    """Two factors and their product."""

    factors: Sequence[NamedGrid]
    sign: str
    """`·` of matrices, `×` element by element."""
    result: NamedGrid
    dtype: str
    chosen: int | None = None
    """Flat index of the element of the result that is worked out."""


def node_product(summary: NodeSummary, place: int | None) -> Product | None:
    """Return the product that gives a gradient: of an input of a node, by default of the first.

    None where it is none, is written out in one line, or has more than `number_format.GRID` rows or columns.
    """
    claim = next((claim for claim in summary.claims if place is None or claim.place == place), None)
    arrived = summary.arrived
    if claim is None or arrived is None or written_out(claim, summary):
        return None
    factors = _gradient_factors(claim, arrived)
    sign = "·" if claim.share.factors else "×"
    return _product(factors, sign, NamedGrid(target_name(claim), claim.sent, "grad"), summary.dtype)


def _gradient_factors(claim: VerifiedGrad, arrived: Grid) -> list[NamedGrid]:
    share, sent = claim.share, claim.sent
    if share.factors:
        return [
            NamedGrid(factor.name, arrived.reshape(factor.shape), "grad")
            if factor.grid is None
            else NamedGrid(factor.name, factor.grid, "value")
            for factor in share.factors
        ]
    derivative = share.derivative
    if derivative is None or derivative.single is not None or arrived.shape != sent.shape:
        return []
    return [NamedGrid("G", arrived, "grad"), NamedGrid(share.formula, derivative.expand(sent.shape), "value")]


def op_product(timeline: Timeline, step: int) -> Product | None:
    """Return the product of matrices that an operation computed; None where it is another operation, or too large."""
    made = recorded_operation(timeline, step)
    if made is None or made.op not in PRODUCTS or len(made.operands) != 2:
        return None
    (a, b), y = made.operands, made.result
    if a.grid is None or b.grid is None or y.grid is None or not 0 < len(a.shape) <= 2 or not b.shape:
        return None
    right, result = b.grid, y.grid
    if len(b.shape) == 1:  # a vector is a column
        right = right.reshape((*b.shape, 1))
        result = result.reshape((result.shape[0], 1)) if result.shape else result
    name = "" if y.name.startswith("%") else y.name
    factors = [NamedGrid(a.name, a.grid, "value"), NamedGrid(b.name, right, "value")]
    return _product(factors, "·", NamedGrid(name, result, "value"), made.dtype)


def _product(factors: Sequence[NamedGrid], sign: str, result: NamedGrid, dtype: str) -> Product | None:
    matrices = [*factors, result]
    is_shown = bool(factors) and all(_is_small(matrix.grid.shape) for matrix in matrices)
    return Product(factors, sign, result, dtype) if is_shown else None


def _is_small(shape: Shape) -> bool:
    return len(shape) <= 2 and all(0 < size <= number_format.GRID for size in shape)
