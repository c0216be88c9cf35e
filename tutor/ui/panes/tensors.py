"""The tensors pane: the named tensors at the cursor, the model by modules; what the step changed is marked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from textual.binding import Binding
from textual.message import Message

from tutor.explain.formatting import grad_of
from tutor.i18n import N_, _, ngettext
from tutor.text_width import wrapped
from tutor.trace import number_format, values
from tutor.trace.missing_gradients import Reason
from tutor.trace.names import names_of
from tutor.trace.navigation import counterpart
from tutor.trace.state import FrameState, State, TensorState
from tutor.trace.tensor_tree import Branch, Leaf, Tree, open_branches, optimizer_tree, tensor_tree
from tutor.trace.timeline import Timeline
from tutor.trace.values import Value
from tutor.ui.bindings import pane_bindings
from tutor.ui.panes.base import Pane
from tutor.ui.panes.kept_memory import KeptByName
from tutor.ui.panes.tensor_cells import (
    SHORT_REASONS,
    bar_cell,
    brief_dtype,
    change_cell,
    matrix_rows,
    memory_cells,
    name_cell,
    names_in_row,
    norm_cell,
)
from tutor.ui.panes.tensor_columns import BY_MEMORY, BY_MODULE, CHANGE, FLAT, GRADIENT_COLUMNS, columns_of
from tutor.ui.panes.tensor_facts import ORDERS, TensorFacts, leaves_of
from tutor.ui.render import matrix, table
from tutor.ui.render.segments import Row, clean
from tutor.ui.render.table import Cell, Column, Fit

_READ_INTERVAL = 0.02
"""Seconds until more of a long recording is read."""
_CELLS_OF_NUMBER, _CELLS_OF_DIGITS, _CELLS_OF_RANGE, _STRIP, _WRITTEN = 10, 5, 21, 6, 6
"""Cells for one number, for the range of a tensor and for a strip of shades before it; most numbers written out."""
_GRID_COLUMNS, _TALL = 4, 10
"""Most columns of a matrix whose numbers are in a cell, and least height of the pane for that."""
_REASONS = {
    Reason.FROZEN: N_("{count} frozen"),
    Reason.UNUSED: N_("{count} unused"),
    Reason.NOT_YET: N_("{count} not yet reached"),
}
_CACHE_SIZE = 5_000


class FilterAsked(Message):
    """Posted to ask which tensors to show."""


@dataclass(frozen=True)
class _Entry:
    """A row: a tensor or a branch of a frame, a tensor of an optimizer's state, or a text."""

    text: Row | None = None
    leaf: Leaf | None = None
    branch: Branch | None = None
    depth: int = 0
    frame: FrameState | None = None
    ghost: TensorState | None = None
    """The same tensor in the previous run."""
    is_open: bool = False
    line: int = 0
    """Row of a matrix whose numbers are in the cells of several rows."""
    parent: str | None = None
    """The key of the branch around it."""


class TensorsPane(Pane):
    """A row for each named tensor: those of the innermost frame first, then those of its callers."""

    NAME = N_("tensors")
    VALUES = True
    CHOOSES = True
    BINDINGS = [
        *pane_bindings(
            sort=("sort", N_("sort: code order, gradient, gradient over value, memory")),
            find=("filter", N_("show some: a part of a name, none, nan, >100; Esc: all")),
            into=("open(True)", N_("open the branch under the mark")),
            out=("open(False)", N_("close the branch around the mark")),
        ),
        Binding("enter", "fold", show=False),
        Binding("escape", "show_all", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.ghost: Timeline | None = None
        """The previous run, whose values at the same moment are compared with those of this one."""
        self.asking = False
        """Whether a question is open: nothing that may be its answer is shown then."""
        self.filter = ""
        """What a name must contain; `none` are tensors without a gradient, `nan` those with nan or infinities."""
        self.order = 0
        self._entries: list[_Entry] = []
        self._columns: tuple[Column, ...] = FLAT
        self._fit = Fit()
        self._by_module = False
        self._facts = TensorFacts()
        self._kept = KeptByName()
        self._reading = False  # whether a timer to read more of the recording is running
        self._other: State | None = None
        self._folded: dict[str, bool] = {}
        """By key of a branch: whether the learner opened or closed it."""
        self._branch_numbers: dict[str, int] = {}
        self._followed: str | None = None
        """The selected name."""
        self._with_grids = False
        """Whether all small matrices of the tree are written out: there is room for the numbers of all."""
        self._first_change: int | None = None
        self._texts: dict[tuple[int, int, bool], tuple[Value, str]] = {}

    # ------------------------------------------------------------ what is shown

    def prepare(self) -> None:
        if self.timeline is None:
            return
        facts = self._facts
        facts.show(self.timeline, self.cursor)
        state = facts.state
        self._other = self._other_state()
        trees = [(frame, tensor_tree(state, frame)) for frame in reversed(state.frames)]
        leaves = {leaf.tensor: leaf for _frame, tree in trees for leaf in leaves_of(tree)}
        parameters = [leaf for leaf in leaves.values() if facts.is_parameter(leaf.tensor)]
        self._by_module = any(
            isinstance(item, Branch) and facts.is_model(item) for _frame, tree in trees for item in tree
        )
        if self._by_module:
            facts.compare(self.timeline, self.cursor, parameters)
        if self._by_memory:
            names = ({leaf.tensor: leaf.name for leaf in leaves_of(tree)} for _frame, tree in trees)
            self._kept.show(self.timeline, state, names)
            if not (self._kept.is_read or self._reading):
                self._reading = self.set_timer(_READ_INTERVAL, self._read_more) is not None
        kept = optimizer_tree(state, {number: leaf.name for number, leaf in leaves.items()})
        self._with_grids = self._by_module
        self._add_all(trees, kept)
        if self._with_grids and len(self._entries) > self.outer_size.height - 3:  # the frame, and the columns' titles
            self._with_grids = False
            self._add_all(trees, kept)
        kind = BY_MEMORY if self._by_memory else BY_MODULE if self._by_module else FLAT
        entries = [entry for entry in self._entries if entry.text is None and not entry.line]
        for with_dtype in (kind is FLAT and self._dtypes_differ(), False):
            self._columns = columns_of(kind, self.inner, self._other is not None, with_dtype)
            rows = [self._wanted(entry) for entry in entries]
            self._fit = table.fit_columns(self._columns, rows, self.inner, self._unused_columns())
            if not with_dtype or self._leaves_room():
                break

    def _dtypes_differ(self) -> bool:
        """Return whether the tensors in the table have more than one dtype."""
        numbers = [entry.leaf.tensor for entry in self._entries if entry.leaf is not None]
        return len({self._facts.state.tensors[number].dtype for number in numbers}) > 1

    def _leaves_room(self) -> bool:
        """Return whether the columns that fit leave room for the shape, and for numbers of a few digits."""
        widths = dict(zip((column.title for column in self._columns), self._fit.widths, strict=True))
        grids = [self._grid_size(entry.leaf)[1] for entry in self._entries if entry.leaf is not None]
        needed = max((matrix.row_width(columns, _CELLS_OF_DIGITS) for columns in grids if columns), default=0)
        return widths["shape"] > 0 and widths[N_("value")] >= max(needed, _CELLS_OF_RANGE)

    def _add_all(self, trees: Sequence[tuple[FrameState, Tree]], kept: Tree) -> None:
        """Add all rows; the state that optimizers keep is in the tree of the outermost frame."""
        self._entries, self._first_change = [], None
        for depth, (frame, tree) in enumerate(trees):
            is_outermost = frame is self._facts.state.frames[0]
            self._add_frame(frame, [*tree, *kept] if is_outermost else tree, depth)
        self._add_notes(self._facts.state)

    @property
    def _by_memory(self) -> bool:
        """Whether the tree shows the memory of tensors in place of values and gradients."""
        return self._by_module and ORDERS[self.order] == "memory"

    def _read_more(self) -> None:
        self._reading = False
        self.update()

    def _add_frame(self, frame: FrameState, tree: Tree, depth: int) -> None:
        """Add the rows of a frame: those of the innermost first, then those of its callers."""
        if depth and tree:
            title = _("in the module")
            if frame.function != "<module>":
                title = _("in {function}", function=frame.function)
            self._add_text(((f"{self.glyphs.rule * 2} {clean(title)}", "quiet"),))
        other = self._other
        earlier = {} if other is None or depth >= len(other.frames) else names_of(other, other.frames[-1 - depth])
        if self.filter:
            matching = [leaf for leaf in leaves_of(tree) if self._facts.matches(leaf, self.filter)]
            tree = [replace(leaf, label=leaf.name) for leaf in matching]
        self._facts.sort(tree, self.order)
        room = self.page if not depth else 0
        opened = open_branches(tree, room, self._folded)
        self._add(_Entry(frame=frame), tree, opened, earlier)

    def _add(self, within: _Entry, tree: Tree, opened: set[str], earlier: dict[str, int]) -> None:
        """Add what is in a tree, or in an open branch of it."""
        frame, depth = within.frame, within.depth
        assert frame is not None
        for item in tree:
            if isinstance(item, Branch):
                is_open = item.key in opened
                entry = replace(within, branch=item, is_open=is_open)
                self._append(entry, not is_open and any(self._is_followed(frame, leaf) for leaf in item.leaves()))
                if is_open:
                    self._add(replace(entry, depth=depth + 1, parent=item.key), item.children, opened, earlier)
                continue
            ghost = None if self._other is None else self._other.tensors.get(earlier.get(item.name, 0))
            entry = replace(within, branch=None, leaf=item, ghost=ghost)
            self._append(entry, self._is_followed(frame, item))
            rows, _columns = self._grid_size(item)
            is_followed = item.name == self._followed
            if not rows and (not self._by_module or is_followed or (self._with_grids and self._is_matrix(item))):
                self._add_matrix(item.tensor, depth)
            self._entries += [replace(entry, line=line) for line in range(1, rows)]

    def _grid_size(self, leaf: Leaf) -> tuple[int, int]:
        """Return the rows and columns of a matrix whose numbers are in the cells of several rows; 0, 0 for others."""
        tensor = self._facts.state.tensors[leaf.tensor]
        sizes = tensor.shape
        if self._by_module or self.size.height < _TALL or len(sizes) < 2 or math.prod(sizes[:-2]) != 1:
            return 0, 0
        is_small = 2 <= sizes[-2] <= number_format.GRID and 1 <= sizes[-1] <= _GRID_COLUMNS
        is_real = values.elements(tensor.value) is not None and not tensor.dtype.startswith("complex")
        return (sizes[-2], sizes[-1]) if is_small and is_real else (0, 0)

    def _is_matrix(self, leaf: Leaf) -> bool:
        """Return whether a tensor is a matrix with more numbers than a cell writes out."""
        shape = self._facts.state.tensors[leaf.tensor].shape
        return len(shape) > 1 and shape[-2] > 1 and math.prod(shape) > _WRITTEN

    def _append(self, entry: _Entry, changed: bool) -> None:
        if changed and self._first_change is None:
            self._first_change = len(self._entries)
        self._entries.append(entry)

    def _is_followed(self, frame: FrameState, leaf: Leaf) -> bool:
        """Return whether a change is brought into view: beside a model, no gradient that only passes through."""
        passes = self._by_module and self._facts.state.tensors[leaf.tensor].grad is None
        return self._facts.value_changed(frame, leaf) or (self._facts.grad_changed(leaf) and not passes)

    def _add_matrix(self, number: int, depth: int) -> None:
        """Add the numbers of a matrix with too many columns for a cell, and its gradient beside it, else below it.

        In the tree it is the selected tensor, of which the cells show the norm of the gradient alone.
        """
        tensor = self._facts.state.tensors[number]
        shape, grad = tensor.shape, grad_of(self._facts.state, tensor)
        count = math.prod(shape)
        is_written = count <= 1 if self._by_module else len(shape) < 2 or count <= _WRITTEN
        if is_written or tensor.value is None:
            return
        indent = 2 * depth + (6 if self._by_module else 4)
        for row in matrix_rows(tensor, grad, indent, self.inner, self.glyphs, stacked=self._by_module):
            self._add_text(row)

    def _add_notes(self, state: State) -> None:
        if self.filter:
            if not self._entries:
                self._add_note(_("nothing here matches {filter}: Esc shows all", filter=self.filter))
            return
        plain_values = self._plain_values(state)
        if plain_values:
            self._add_note(plain_values, "quiet")
        if not self._by_module and not self.asking and self._any_passing():
            self._add_note(_("(…) passes through here; kept only by retain_grad()"))
        if not self._entries:
            self._add_note(_("tensors appear here as the code makes them"))

    def _any_passing(self) -> bool:
        tensors = [self._facts.state.tensors[entry.leaf.tensor] for entry in self._entries if entry.leaf is not None]
        return any(self._facts.passing(tensor) is not None for tensor in tensors)

    def _add_note(self, text: str, role: str = "note") -> None:
        for row in wrapped([(text, role)], max(self.inner, 1)):
            self._add_text(row)

    def _add_text(self, row: Row) -> None:
        self._entries.append(_Entry(text=row))

    def heading(self) -> Row:
        """Return the parameter with the largest gradient, the order and the filter."""
        if not self._by_module and not self.order and not self.filter:
            return ()
        order: Row = ((_("by {order}", order=_(ORDERS[self.order])), "quiet"),) if self.order else ()
        shown: Row = ((f"/{clean(self.filter)}", "now"),) if self.filter else ()
        largest = self._facts.largest
        fact: Row = ((_("largest: {name}", name=clean(largest)), "grad"),) if largest else ()
        if self._by_memory:
            kept = ngettext("autograd keeps {count:,} byte", "autograd keeps {count:,} bytes", self._kept.total)
            fact = ((kept, "value"),) if self._kept.is_read else ()
        return self.join_heading(fact, order, shown)

    def footing(self) -> Row:
        """Return the counts of parameters without a gradient, by reason."""
        counts = Counter(self._facts.missing.values()) if self._by_module else {}
        texts = [_(text, count=counts[reason]) for reason, text in _REASONS.items() if counts.get(reason)]
        return ((_("no gradient: {counts}", counts=", ".join(texts)), "quiet"),) if texts else ()

    def _other_state(self) -> State | None:
        """Return the previous run's state at this moment."""
        if self.ghost is None or self.timeline is None:
            return None
        step = counterpart(self.timeline, self.cursor, self.ghost)
        return None if step is None else self.ghost.state(step)

    def _unused_columns(self) -> list[int]:
        """Return the gradient columns if no tensor here requires a gradient."""
        leaves = [entry.leaf for entry in self._entries if entry.leaf is not None]
        if self._by_module or any(self._facts.state.tensors[leaf.tensor].requires_grad for leaf in leaves):
            return []
        return [place for place, column in enumerate(self._columns) if column.title in GRADIENT_COLUMNS]

    def _plain_values(self, state: State) -> str:
        """Return the numbers of the innermost frame: `lr = 0.05`, `epoch = 3`."""
        if not state.frames:
            return ""
        assignments = [
            number_format.equation(name, number_format.number(binding.value))
            for name, binding in state.frames[-1].names.items()
            if binding.what == "value" and isinstance(binding.value, (int, float)) and not name.startswith("_")
        ]
        return clean(f"  {self.glyphs.dot}  ".join(assignments))

    # ------------------------------------------------------------ rows

    def count(self) -> int:
        return len(self._entries)

    def head(self, cells: int) -> Row | None:
        has_rows = any(entry.text is None for entry in self._entries)
        return table.header(self._columns, self._fit) if has_rows else None

    def row(self, index: int, cells: int) -> Row:
        entry = self._entries[index]
        if entry.text is not None:
            return entry.text
        cells_by_title = self._branch_cells(entry) if entry.branch is not None else self._leaf_cells(entry)
        if entry.line:
            cells_by_title = {title: cells_by_title[title] for title in (N_("value"), "grad")}
        row = [cells_by_title.get(column.title, Cell("")) for column in self._columns]
        return table.line(self._columns, self._fit, row)

    def _is_linked(self, leaf: Leaf) -> bool:
        return self.linked is not None and leaf.tensor in self.linked.tensors

    def _wanted(self, entry: _Entry) -> list[Cell]:
        """Return cells that are as wide as an entry wants its columns: by names and shapes alone, so that no column
        moves as values change."""
        name = "  " * entry.depth + "  "
        if entry.branch is not None:
            texts = {" ": f"{name}  {entry.branch.text}"}
            if self._facts.is_model(entry.branch):
                texts["shape"] = self._count_text(entry.branch)
            return [Cell(texts.get(column.title, "")) for column in self._columns]
        assert entry.leaf is not None
        tensor = self._facts.state.tensors[entry.leaf.tensor]
        count = math.prod(tensor.shape)
        sized = " " * (
            _CELLS_OF_NUMBER if count == 1 else _CELLS_OF_NUMBER * count if count <= 3 else _STRIP + _CELLS_OF_RANGE
        )  # fmt: skip
        columns = self._grid_size(entry.leaf)[1]
        if columns:
            sized = " " * matrix.row_width(columns, _CELLS_OF_NUMBER - 2)
        wanted = {
            " ": name + ("  " if self._by_module else "") + clean(" = ".join(names_in_row(entry.leaf))),
            N_("value"): sized,
            "shape": self.glyphs.text(number_format.shape(tensor.shape)),
            "dtype": tensor.dtype,
            "dev": tensor.device,
            "grad_fn": (tensor.grad_fn or "").removesuffix(" object"),
            "grad": sized + "  " if tensor.requires_grad else "None",
            "|grad|": " " * 9,
            N_("bytes"): " " * 11,
            CHANGE.title: " " * 10,
        }
        return [Cell(wanted.get(column.title, "")) for column in self._columns]

    def _branch_cells(self, entry: _Entry) -> dict[str, Cell]:
        branch, frame = entry.branch, entry.frame
        assert branch is not None
        assert frame is not None
        changed = not entry.is_open and any(self._facts.is_changed(frame, leaf) for leaf in branch.leaves())
        mark, glyphs = self.glyphs.explain if changed else " ", self.glyphs
        arrow = glyphs.opened if entry.is_open else glyphs.closed
        norm, reason = self._facts.branch_norm(branch), self._facts.branch_reason(branch)
        cells = {
            " ": name_cell(f"{mark} {'  ' * entry.depth}{arrow} ", [branch.text], "strong"),
        }
        if not entry.is_open:
            count = str(sum(1 for _leaf in branch.leaves()))
            cells["shape"] = Cell(self._count_text(branch), "quiet", lambda _cells: count)
        if norm is not None:
            cells["|grad|"], cells[""] = norm_cell(norm, "grad"), bar_cell(norm, self._facts.total, glyphs)
        elif reason is not None and not entry.is_open:
            cells["|grad|"] = Cell(_(SHORT_REASONS[reason]), "quiet")
        if self._by_memory:
            kept = self._kept.of_module(branch.key.removeprefix(f"{frame.function}:"))
            cells |= memory_cells(self._facts.bytes_of(branch), kept)
        return cells

    def _count_text(self, branch: Branch) -> str:
        count = len(list(branch.leaves()))
        if self._facts.is_model(branch):
            return ngettext("{count} par.", "{count} par.", count)
        return ngettext("{count} tensor", "{count} tensors", count)

    def _leaf_cells(self, entry: _Entry) -> dict[str, Cell]:
        leaf, frame, glyphs = entry.leaf, entry.frame, self.glyphs
        assert leaf is not None
        assert frame is not None
        tensor = self._facts.state.tensors[leaf.tensor]
        value_changed, grad_changed = self._facts.value_changed(frame, leaf), self._facts.grad_changed(leaf)
        is_learned = bool(tensor.is_leaf and tensor.requires_grad)
        function = (tensor.grad_fn or "").removesuffix(" object") or glyphs.none
        is_linked = self._is_linked(leaf)
        mark = glyphs.explain if value_changed or grad_changed else glyphs.linked if is_linked else " "
        style = "leaf" if is_learned else "value" if tensor.requires_grad else "strong"
        indent = "  " * entry.depth + ("  " if self._by_module else "")
        names = names_in_row(leaf)
        cells = {
            " ": name_cell(f"{mark} {indent}", names, f"{style} linked" if is_linked else style),
            N_("value"): self._value_cell(tensor.value, tensor, "changed" if value_changed else "", entry),
            "shape": Cell(glyphs.text(number_format.shape(tensor.shape))),
            "dtype": Cell(tensor.dtype, brief=lambda _: brief_dtype(tensor.dtype)),
            "dev": Cell(tensor.device),
            N_("leaf"): Cell(glyphs.leaf if tensor.is_leaf else "", "leaf" if is_learned else "quiet"),
            "req": Cell(glyphs.yes if tensor.requires_grad else "", "plain"),
            "grad_fn": Cell(
                clean(function), "value" if tensor.grad_fn else "quiet",
                brief=lambda _: clean(function.partition("Backward")[0]),
            ),
            CHANGE.title: change_cell(self._facts.state, self._other, tensor, entry.ghost, glyphs),
        }  # fmt: skip
        role = "grad changed" if grad_changed else "grad"
        cells["grad"] = self._grad_cell(tensor, role, entry)
        norm = self._facts.grad_norm(leaf.tensor)
        if norm is not None:
            cells["|grad|"], cells[""] = norm_cell(norm, role), bar_cell(norm, self._facts.total, glyphs)
        elif leaf.tensor in self._facts.missing:
            cells["|grad|"] = Cell(_(SHORT_REASONS[self._facts.missing[leaf.tensor]]), "quiet")
        if self._by_memory:
            cells |= memory_cells(self._facts.bytes_of(leaf), self._kept.of_tensor(self._facts.state, leaf.tensor))
        return cells

    def _value_cell(self, value: Value, tensor: TensorState, role: str, entry: _Entry) -> Cell:
        """Return a value; the shape and the width alone decide what is shown of it."""
        if value is None:
            return Cell(self.glyphs.none, role)
        assert entry.leaf is not None
        if any(self._grid_size(entry.leaf)):
            return self._grid_cell(value, tensor, role or "value", entry.line)

        def fitted(cells: int) -> str:
            if not self._by_module or math.prod(tensor.shape) <= _WRITTEN or cells < _STRIP + _CELLS_OF_RANGE:
                return self._text(value, tensor, cells, False)
            strip = matrix.strip(value, tensor.shape, _STRIP - 1, self.glyphs) or ""
            return f"{strip:{_STRIP}}{self._text(value, tensor, cells - _STRIP, False)}"

        return Cell("", role, fitted, fills=True)

    def _grid_cell(self, value: Value, tensor: TensorState, role: str, line: int, passing: bool = False) -> Cell:
        """Return a row of a matrix; in parentheses, if it is a gradient that passes through."""
        shape, glyphs = tensor.shape, self.glyphs

        def row(cells: int) -> Row:
            widest = matrix.number_width(shape[-1], cells)
            rows = matrix.number_rows(
                value, tensor.dtype, shape, role, glyphs, widest=widest, in_parentheses=passing
            )  # fmt: skip
            return rows[line] if rows is not None and line < len(rows) else ()

        return Cell("", role, pieces=row)

    def _grad_cell(self, tensor: TensorState, role: str, entry: _Entry) -> Cell:
        """Return the stored gradient, or in parentheses the one that passes through."""
        stored, passing = grad_of(self._facts.state, tensor), self._facts.passing(tensor)
        assert entry.leaf is not None
        if any(self._grid_size(entry.leaf)) and (stored is not None or passing is not None):
            gradient = passing if stored is None else stored.value
            return self._grid_cell(gradient, tensor, role, entry.line, passing=stored is None)
        if entry.line:
            return Cell("")
        if stored is not None:
            return Cell("", role, lambda cells: self._text(stored.value, stored, cells, True), fills=True)
        if passing is None:
            return Cell("None", "quiet")
        return Cell("", role, lambda cells: f"({self._text(passing, tensor, max(cells - 2, 1), True)})", fills=True)

    def _text(self, value: Value, tensor: TensorState, cells: int, gradient: bool) -> str:
        """Return a value in a cell; most values stay the same from step to step."""
        key = (id(value), cells, gradient)
        entry = self._texts.get(key)
        if entry is None:
            if len(self._texts) > _CACHE_SIZE:
                self._texts.clear()
            text = number_format.summary(value, tensor.dtype, tensor.shape, cells, gradient=gradient)
            entry = self._texts[key] = value, self.glyphs.text(text)
        return entry[1]

    # ------------------------------------------------------------ the selection

    def linked_row(self) -> int | None:
        for index, entry in enumerate(self._entries):
            folded = entry.branch.leaves() if entry.branch is not None and not entry.is_open else ()
            if any(self._is_linked(leaf) for leaf in ([entry.leaf] if entry.leaf is not None else folded)):
                return index
        return None

    def in_view(self) -> int | None:
        return self._first_change

    def last_row(self, row: int) -> int:
        lines = (entry.line for entry in self._entries[row + 1 :])
        return row + sum(1 for _line in takewhile(bool, lines))

    def mark(self, index: int | None) -> None:
        followed, self._followed = self._followed, None if index is None else self._key(self._entries[index])
        if self._by_module and self._followed != followed and self._prepare_again():
            keys = [self._key(entry) for entry in self._entries]  # the numbers of the selected tensor are below its row
            index = keys.index(self._followed) if self._followed is not None else None
            if index is not None:
                numbers = next((count for count, key in enumerate(keys[index + 1 :]) if key is not None), 0)
                self._bring_into_view(index + numbers, 0)
                self._bring_into_view(index, 0)
        super().mark(index)

    def _prepare_again(self) -> bool:
        """Prepare the rows again, and stay where they are scrolled to; return whether that succeeded."""
        try:
            self.prepare()
            return True
        except Exception as error:  # a recording may be malformed
            self.failure = error
            return False

    def place_of(self, subject: str, ref: int) -> int | None:
        """Return the row of the selected name: in a loop it refers to a new tensor in each iteration."""
        keys = [self._key(entry) for entry in self._entries]
        return keys.index(self._followed) if self._followed in keys else super().place_of(subject, ref)

    @staticmethod
    def _key(entry: _Entry) -> str | None:
        return entry.leaf.name if entry.leaf is not None else entry.branch.key if entry.branch is not None else None

    def subject(self, index: int) -> tuple[str, int] | None:
        entry = self._entries[index] if index < len(self._entries) else _Entry()
        if entry.line:
            return None
        if entry.branch is not None:
            return "branch", self._branch_numbers.setdefault(entry.branch.key, len(self._branch_numbers))
        return None if entry.leaf is None else ("tensor", entry.leaf.tensor)

    def marked(self) -> tuple[str, int] | None:
        subject = super().marked()
        return None if subject is None or subject[0] == "branch" else subject

    # ------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "show_all":
            return bool(self.filter)
        if action == "open":
            return self._to_open(bool(parameters[0])) is not None
        return self._marked_entry().branch is not None if action == "fold" else super().check_action(action, parameters)

    def _marked_entry(self) -> _Entry:
        return self._entries[self.chosen] if self.chosen is not None and self.chosen < len(self._entries) else _Entry()

    def action_fold(self) -> None:
        """Open or close the selected branch."""
        entry = self._marked_entry()
        if entry.branch is not None:
            self._folded[entry.branch.key] = not entry.is_open
            self.update()

    def _to_open(self, inward: bool) -> str | None:
        """Return the key of the selected branch if it is closed (`inward`), or of the open one around the selection."""
        entry = self._marked_entry()
        key = None if entry.branch is None else entry.branch.key
        if inward:
            return None if entry.is_open else key
        return key if key is not None and entry.is_open else entry.parent

    def action_open(self, inward: bool) -> None:
        """Open the selected branch (`inward`), or close the one around the selection and select it."""
        key = self._to_open(inward) or ""
        self._folded[key] = inward
        if self._prepare_again():
            self.choose([self._key(entry) for entry in self._entries].index(key))

    def action_sort(self) -> None:
        """Sort by the next order."""
        self.order = (self.order + 1) % len(ORDERS)
        self.top = 0
        self.update()

    def action_filter(self) -> None:
        """Ask which tensors to show."""
        self.post_message(FilterAsked())

    def action_show_all(self) -> None:
        """Drop the filter."""
        self.show_matching("")

    def show_matching(self, text: str) -> None:
        """Show the tensors that match a text; all for an empty one."""
        self.filter, self.top = text.strip(), 0
        self.update()
