"""Cells of the tensors pane that depend on names and numbers alone."""

from __future__ import annotations

import math

from tutor.explain.formatting import grad_of
from tutor.i18n import N_
from tutor.text_width import width
from tutor.trace import number_format, values
from tutor.trace.missing_gradients import Reason
from tutor.trace.state import State, TensorState
from tutor.trace.tensor_tree import Leaf
from tutor.trace.values import Value
from tutor.ui.render import matrix
from tutor.ui.render.segments import Glyphs, Row, clean, middle_cut, row_width
from tutor.ui.render.table import Cell

_EIGHTHS = " ▏▎▍▌▋▊▉█"
SHORT_REASONS = {
    Reason.FROZEN: N_("frozen"), Reason.UNUSED: N_("unused"), Reason.NOT_YET: N_("not yet"),
    Reason.NO_PASS: N_("none"), Reason.CLEARED: N_("none"), Reason.NOT_STORED: N_("none"),
}  # fmt: skip


def names_in_row(leaf: Leaf) -> list[str]:
    """Return the names of a tensor; those in the same module without what they have in common."""
    common = leaf.name[: len(leaf.name) - len(leaf.label)]
    root = common.partition(".")[0] + "."
    return [leaf.label, *(alias.removeprefix(root) if common else alias for alias in leaf.aliases)]


def name_cell(prefix: str, names: list[str], role: str) -> Cell:
    """Return the cell of a name; where it has no room, the names of other variables go first, then its middle."""
    whole = clean(" = ".join(names))
    first = clean(names[0])
    suffix = f" +{len(names) - 1}" if len(names) > 1 else ""

    def brief(cells: int) -> str:
        room = cells - width(prefix)
        short = first + suffix if width(first + suffix) <= room else middle_cut(first, room)
        return prefix + short

    return Cell(prefix + whole, role, brief)


def norm_cell(norm: float, role: str) -> Cell:
    """Return a norm."""
    return Cell("", role, lambda cells: number_format.statistic(norm, cells), fills=True)


def memory_cells(size: int, kept: int | None) -> dict[str, Cell]:
    """Return the cells of what tensors take, and of what autograd keeps of a module or a result; in bytes."""
    cells = {"bytes": Cell(f"{size:,}")}
    return cells if kept is None else {**cells, "kept by autograd": Cell(f"{kept:,}", "value")}


def bar_cell(norm: float, total: float, glyphs: Glyphs) -> Cell:
    """Return a bar that is as long as a norm, relative to that of all gradients."""

    def bar(cells: int) -> str:
        eighths = round(8 * cells * min(norm / total, 1.0)) if total and math.isfinite(norm) else 0
        if glyphs.ascii:
            return "#" * max(round(eighths / 8), norm > 0)
        return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip() if eighths else "▏" if norm > 0 else ""

    return Cell("", "grad", bar, fills=True)


def matrix_rows(
    tensor: TensorState, grad: TensorState | None, indent: int, cells: int, glyphs: Glyphs, stacked: bool
) -> list[Row]:
    """Return the rows of a small matrix as numbers, its gradient beside it; none where it has no room.

    Args:
        tensor: The tensor.
        grad: Its gradient.
        indent: The cells before the numbers.
        cells: The cells of a row.
        glyphs: The characters of this terminal.
        stacked: Whether the gradient is below where it has no room beside it.
    """
    left = matrix.number_rows(tensor.value, tensor.dtype, tensor.shape, "value", glyphs)
    right = None if grad is None else matrix.number_rows(grad.value, grad.dtype, tensor.shape, "grad", glyphs)
    if left is None:
        return []
    middle = (len(left) - 1) // 2
    signs = [f" {glyphs.grad} " if y == middle else "   " for y in range(len(left))]
    blocks: list[list[Row]] = [[((" " * indent, "plain"), *row) for row in left]]
    if right is not None:
        beside = [(*row, (f"  {signs[y]}", "grad"), *right[y]) for y, row in enumerate(blocks[0])]
        below = [((" " * (indent - 3) + signs[y], "grad"), *row) for y, row in enumerate(right)]
        has_room = not stacked or row_width(beside[0]) <= cells
        blocks = [beside] if has_room else [*blocks, below]
    return [row for block in blocks if row_width(block[0]) <= cells for row in block]


def change_cell(
    state: State, other: State | None, tensor: TensorState, before: TensorState | None, glyphs: Glyphs
) -> Cell:
    """Return how much a tensor's value differs from that in another run; if it does not, how much its gradient does."""
    change = None if before is None else _difference(tensor.value, before.value)
    if other is None or before is None or change is None:
        return Cell(glyphs.none, "quiet")
    prefix = ""
    grad, grad_before = grad_of(state, tensor), grad_of(other, before)
    if not change and (grad is not None or grad_before is not None):
        change = None if grad is None or grad_before is None else _difference(grad.value, grad_before.value)
        prefix = glyphs.grad
    if change is None:
        return Cell(f"{prefix}{glyphs.none}", "quiet")
    if not change:
        return Cell("=", "quiet")
    return Cell("", "grad", lambda cells: _signed(change, tensor.dtype, prefix, cells), fills=True)


def _difference(value: Value, before: Value) -> float | None:
    """Return the largest signed difference between the elements of two values; None if not comparable."""
    old, new = values.elements(before), values.elements(value)
    if old is None or new is None or len(old) != len(new):
        return None
    if not all(isinstance(element, (int, float)) for element in (*old, *new)):
        return None
    return max((float(b) - float(a) for a, b in zip(old, new, strict=True)), key=abs, default=0.0)


def _signed(difference: float, dtype: str, prefix: str, cells: int) -> str:
    """Return a difference with its sign: `+0.5`, `≈-0.33333`."""
    sign = "+" if difference > 0 else ""
    text = number_format.fitted(difference, dtype, max(cells - len(prefix + sign), 1))
    rest = text.removeprefix(number_format.ROUGHLY)
    return f"{prefix}{number_format.ROUGHLY if rest != text else ''}{sign}{rest}"


def brief_dtype(dtype: str) -> str:
    return dtype.replace("float", "f").replace("uint", "u").replace("int", "i").replace("complex", "c")
