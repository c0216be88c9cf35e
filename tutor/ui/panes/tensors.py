"""The tensors pane: the named tensors at the cursor, the model by modules; what the step changed is marked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from textual.binding import Binding
from textual.message import Message

from tutor.explain.formatting import grad_of
from tutor.i18n import N_, _, ngettext
from tutor.text_width import width, wrapped
from tutor.trace import number_format, values
from tutor.trace.gradient_flow import GradientFlow
from tutor.trace.missing_gradients import Reason, missing_gradients
from tutor.trace.names import PARAMETER, names_of
from tutor.trace.navigation import counterpart
from tutor.trace.state import FrameState, State, TensorState
from tutor.trace.tensor_tree import Branch, Leaf, Tree, open_branches, tensor_tree
from tutor.trace.timeline import Changes, Timeline
from tutor.trace.values import Value
from tutor.ui.bindings import pane_bindings
from tutor.ui.panes.base import Pane
from tutor.ui.panes.graph.model import nodes_with_new_grad
from tutor.ui.render import matrix, table
from tutor.ui.render.segments import Row, clean, middle_cut
from tutor.ui.render.table import Cell, Column, Fit

FLAT = (
    Column(" ", 17, 0, 60, 6),
    Column(N_("value"), 10, 0, 44, 8),
    Column("shape", 6, 4, 14),
    Column("dtype", 5, 6, 10, 7),
    Column("dev", 3, 7, 8),
    Column(N_("leaf"), 4, 2, centred=True),
    Column("req", 3, 5, centred=True),
    Column("grad_fn", 7, 3, 24, 8),
    Column("grad", 9, 0, 40, 7),
)
"""Columns where there is no module."""
BY_MODULE = (
    Column(" ", 12, 0, 60, 6, whole=True),
    Column("shape", 5, 3, 14, whole=True),
    Column(N_("value"), 9, 1, 30),
    Column("|grad|", 7, 0, 10, 7, whole=True),
    Column("", 4, 2, 10, 10),
    Column("dtype", 5, 10, 10, 7),
    Column("dev", 3, 11, 8),
    Column("req", 3, 9, centred=True),
    Column("grad_fn", 7, 8, 24, 8),
)
_GRADIENT_COLUMNS = ("req", "grad_fn", "grad", "|grad|", "")
_CHANGE = Column(N_("change"), 6, 1, 16)
"""Difference from the previous run, if there is one."""
_CELLS_OF_NUMBER, _CELLS_OF_MATRIX, _WRITTEN = 10, 23, 6
"""Cells for the value of one number, of a tensor of which the statistics are shown, and most numbers written out."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
ORDERS = (N_("code order"), "|grad|", "|grad| / |value|", N_("memory"))
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


class TensorsPane(Pane):
    """A row for each named tensor: those of the innermost frame first, then those of its callers."""

    NAME = N_("tensors")
    VALUES = True
    CHOOSES = True
    BINDINGS = [
        *pane_bindings(sort="sort", find="filter"),
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
        self._state = State()
        self._other: State | None = None
        self._changes = Changes()
        self._folded: dict[str, bool] = {}
        """By key of a branch: whether the learner opened or closed it."""
        self._branch_numbers: dict[str, int] = {}
        self._followed: str | None = None
        """The selected name."""
        self._first_change: int | None = None
        self._sent: set[int] = set()
        self._flow = GradientFlow(State())
        self._missing: dict[int, Reason] = {}
        self._largest: tuple[float, str] = (0.0, "")
        self._total = 0.0
        """The norm of the gradients of all parameters."""
        self._texts: dict[tuple[int, int, bool], tuple[Value, str]] = {}
        self._norms: dict[int, tuple[Value, float | None]] = {}

    # ------------------------------------------------------------ what is shown

    def prepare(self) -> None:
        if self.timeline is None:
            return
        self._state = state = self.timeline.state(self.cursor)
        self._changes = self.timeline.changed(self.cursor) if self.cursor else Changes()
        self._flow = self._flow.at_step(state)
        self._sent = nodes_with_new_grad(self.timeline.event(self.cursor) if self.cursor else None, state)
        self._other = self._other_state()
        self._entries, self._first_change, self._by_module = [], None, False
        trees = [(frame, tensor_tree(state, frame)) for frame in reversed(state.frames)]
        self._by_module = any(isinstance(item, Branch) and self._is_model(item) for _f, tree in trees for item in tree)
        learned = {leaf.tensor: leaf for _f, tree in trees for leaf in _leaves(tree) if self._is_parameter(leaf.tensor)}
        self._missing = missing_gradients(self.timeline, self.cursor, learned) if self._by_module else {}
        norms = [(self._grad_norm(number) or 0.0, leaf.name) for number, leaf in learned.items()]
        self._largest, self._total = max(norms, default=(0.0, "")), math.hypot(*(norm for norm, _name in norms))
        for depth, (frame, tree) in enumerate(trees):
            self._add_frame(frame, tree, depth)
        self._add_notes(state)
        columns = BY_MODULE if self._by_module else FLAT
        self._columns = columns if self._other is None else (*columns[:2], _CHANGE, *columns[2:])
        rows = [self._wanted(entry) for entry in self._entries if entry.text is None]
        self._fit = table.fit_columns(self._columns, rows, self.inner, self._unused_columns())

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
            matching = [leaf for leaf in _leaves(tree) if self._matches(leaf)]
            tree = [replace(leaf, label=leaf.name) for leaf in matching]
        self._sort(tree)
        room = self.page if not depth else 0
        opened = open_branches(tree, room, self._folded)
        self._add(frame, tree, 0, opened, earlier)

    def _add(self, frame: FrameState, tree: Tree, depth: int, opened: set[str], earlier: dict[str, int]) -> None:
        for item in tree:
            if isinstance(item, Branch):
                is_open = item.key in opened
                changed = not is_open and any(self._is_changed(frame, leaf)[0] for leaf in item.leaves())
                self._append(_Entry(branch=item, depth=depth, frame=frame, is_open=is_open), changed)
                if is_open:
                    self._add(frame, item.children, depth + 1, opened, earlier)
                continue
            ghost = None if self._other is None else self._other.tensors.get(earlier.get(item.name, 0))
            changed, _value, _grad = self._is_changed(frame, item)
            self._append(_Entry(leaf=item, depth=depth, frame=frame, ghost=ghost), changed)
            self._add_matrix(item.tensor, depth)

    def _append(self, entry: _Entry, changed: bool) -> None:
        if changed and self._first_change is None:
            self._first_change = len(self._entries)
        self._entries.append(entry)

    def _add_matrix(self, number: int, depth: int) -> None:
        """Add the numbers of a small matrix that has no room in a cell, and its gradient beside it."""
        tensor = self._state.tensors[number]
        shape, grad = tensor.shape, grad_of(self._state, tensor)
        if self._by_module or len(shape) < 2 or math.prod(shape) <= _WRITTEN or tensor.value is None:
            return
        indent = " " * (2 * depth + 4)
        glyphs = self.glyphs
        left = matrix.number_rows(tensor.value, tensor.dtype, shape, "value", glyphs)
        right = None if grad is None else matrix.number_rows(grad.value, grad.dtype, shape, "grad", glyphs)
        if left is None:
            return
        for y, row in enumerate(left):
            pieces: Row = ((indent, "plain"), *row)
            if right is not None:
                sign = f"   {glyphs.grad} " if y == (len(left) - 1) // 2 else "     "
                pieces = (*pieces, (sign, "grad"), *right[y])
            if sum(width(text) for text, _role in pieces) <= self.inner:
                self._add_text(pieces)

    def _add_notes(self, state: State) -> None:
        plain_values = self._plain_values(state)
        if plain_values:
            self._add_note(plain_values, "quiet")
        if not self._by_module and not self.asking and any(self._passing(entry) for entry in self._entries):
            self._add_note(_("(…) passes through here; kept only by retain_grad()"))
        if not self._entries:
            empty = N_("nothing here matches {filter}: Esc shows all") if self.filter else ""
            self._add_note(_(empty, filter=self.filter) if empty else _("tensors appear here as the code makes them"))

    def _add_note(self, text: str, role: str = "note") -> None:
        for row in wrapped([(text, role)], max(self.inner, 1)):
            self._add_text(row)

    def _add_text(self, row: Row) -> None:
        self._entries.append(_Entry(text=row))

    def heading(self) -> Row:
        """Return the counts of parameters and of those without a gradient, and the order."""
        if not self._by_module and not self.order and not self.filter:
            return ()
        counts = [
            _(text, count=sum(reason is kind for reason in self._missing.values())) for kind, text in _REASONS.items()
            if kind in self._missing.values()
        ]  # fmt: skip
        norm, name = self._largest
        largest: Row = ((_("largest: {name}", name=clean(name)), "grad"),) if norm else ()
        missing: Row = ((_("no gradient: {counts}", counts=", ".join(counts)), "quiet"),) if counts else ()
        order: Row = ((_("by {order}", order=_(ORDERS[self.order])), "quiet"),) if self.order else ()
        shown: Row = ((f"/{clean(self.filter)}", "now"),) if self.filter else ()
        return self.join_heading(largest, missing, order, shown)

    def _other_state(self) -> State | None:
        """Return the previous run's state at this moment."""
        if self.ghost is None or self.timeline is None:
            return None
        step = counterpart(self.timeline, self.cursor, self.ghost)
        return None if step is None else self.ghost.state(step)

    def _unused_columns(self) -> list[int]:
        """Return the gradient columns if no tensor here requires a gradient."""
        leaves = [entry.leaf for entry in self._entries if entry.leaf is not None]
        if self._by_module or any(self._state.tensors[leaf.tensor].requires_grad for leaf in leaves):
            return []
        return [place for place, column in enumerate(self._columns) if column.title in _GRADIENT_COLUMNS]

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

    # ------------------------------------------------------------ facts about tensors

    def _is_parameter(self, number: int) -> bool:
        return self._state.tensors[number].class_name == PARAMETER

    def _is_model(self, branch: Branch) -> bool:
        return any(self._is_parameter(leaf.tensor) for leaf in branch.leaves())

    def _norm(self, value: Value) -> float | None:
        """Return the Euclidean norm of a value; None where it is unknown."""
        entry = self._norms.get(id(value))
        if entry is None:
            if len(self._norms) > _CACHE_SIZE:
                self._norms.clear()
            stats = number_format.statistics(value)
            # The value is held together with its norm, so that its id stays the same.
            entry = self._norms[id(value)] = value, None if stats is None or math.isnan(stats.norm) else stats.norm
        return entry[1]

    def _grad_norm(self, number: int) -> float | None:
        grad = grad_of(self._state, self._state.tensors[number])
        return None if grad is None else self._norm(grad.value)

    def _branch_norm(self, branch: Branch) -> float | None:
        """Return the norm of all gradients below a branch; None where there are none."""
        norms = [norm for leaf in branch.leaves() if (norm := self._grad_norm(leaf.tensor)) is not None]
        return math.hypot(*norms) if norms else None

    def _is_changed(self, frame: FrameState, leaf: Leaf) -> tuple[bool, bool, bool]:
        """Return whether the step changed a tensor: anything, its value, its gradient."""
        changes, tensor = self._changes, self._state.tensors[leaf.tensor]
        rebound = any((frame.frame, alias) in changes.names for alias in (leaf.name, *leaf.aliases))
        value = rebound or tensor.tensor in changes.tensors
        grad = tensor.tensor in changes.grads
        if tensor.grad is None:
            passing = self._flow.grad_through(tensor) is not None
            return value or (passing and tensor.node in self._sent), value, passing and tensor.node in self._sent
        return value or grad, value, grad

    def _matches(self, leaf: Leaf) -> bool:
        """Return whether the filter shows a tensor."""
        tensor = self._state.tensors[leaf.tensor]
        if self.filter == "none":
            return tensor.is_leaf is True and tensor.grad is None
        if self.filter == "nan":
            grad = grad_of(self._state, tensor)
            found = [number_format.statistics(item.value) for item in (tensor, grad) if item is not None]
            return any(stats is not None and stats.nans + stats.infinities for stats in found)
        return self.filter in " ".join([leaf.name, *leaf.aliases])

    def _sort(self, tree: Tree) -> None:
        """Sort a tree, and each branch, by what `order` says; the greatest first."""
        if not self.order:
            return
        tree.sort(key=self._rank, reverse=True)
        for item in tree:
            if isinstance(item, Branch):
                self._sort(item.children)

    def _rank(self, item: Branch | Leaf) -> float:
        numbers = [leaf.tensor for leaf in ([item] if isinstance(item, Leaf) else item.leaves())]
        tensors = [self._state.tensors[number] for number in numbers]
        if ORDERS[self.order] == N_("memory"):
            return sum(values.size_of(tensor.shape, tensor.dtype) for tensor in tensors)
        grad = math.hypot(*(self._grad_norm(number) or 0.0 for number in numbers))
        if self.order == 1:
            return grad
        value = math.hypot(*(self._norm(tensor.value) or 0.0 for tensor in tensors))
        return grad / value if value else 0.0

    def _passing(self, entry: _Entry) -> bool:
        """Return whether a gradient passes through a tensor without being retained."""
        tensor = None if entry.leaf is None else self._state.tensors[entry.leaf.tensor]
        return tensor is not None and tensor.grad is None and self._flow.grad_through(tensor) is not None

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
        row = [cells_by_title.get(column.title, Cell("")) for column in self._columns]
        if entry.leaf is not None and self.linked is not None and entry.leaf.tensor in self.linked.tensors:
            # The marker of a change takes precedence over that of a link.
            name = row[0].text if row[0].text[0] != " " else self.glyphs.linked + row[0].text[1:]
            row[0] = replace(row[0], text=name, role=row[0].role + " linked", brief=None)
        return table.line(self._columns, self._fit, row)

    def _wanted(self, entry: _Entry) -> list[Cell]:
        """Return cells that are as wide as an entry wants its columns: by names and shapes alone, so that no column
        moves as values change."""
        name = "  " * entry.depth + "  "
        if entry.branch is not None:
            texts = {" ": f"{name}  {_(entry.branch.label)}", "shape": self._count_text(entry.branch)}
            return [Cell(texts.get(column.title, "")) for column in self._columns]
        assert entry.leaf is not None
        tensor = self._state.tensors[entry.leaf.tensor]
        count = math.prod(tensor.shape)
        sized = " " * (
            _CELLS_OF_NUMBER if count == 1 else _CELLS_OF_NUMBER * count if count <= 3 else _CELLS_OF_MATRIX
        )  # fmt: skip
        wanted = {
            " ": name + ("  " if self._by_module else "") + clean(" = ".join(_names(entry.leaf))),
            N_("value"): sized,
            "shape": self.glyphs.text(number_format.shape(tensor.shape)),
            "dtype": tensor.dtype,
            "dev": tensor.device,
            "grad_fn": (tensor.grad_fn or "").removesuffix(" object"),
            "grad": sized + "  " if tensor.requires_grad else "None",
            "|grad|": " " * 9,
            _CHANGE.title: " " * 10,
        }
        return [Cell(wanted.get(column.title, "")) for column in self._columns]

    def _branch_cells(self, entry: _Entry) -> dict[str, Cell]:
        branch, frame = entry.branch, entry.frame
        assert branch is not None
        assert frame is not None
        leaves = list(branch.leaves())
        changed = not entry.is_open and any(self._is_changed(frame, leaf)[0] for leaf in leaves)
        mark, glyphs = self.glyphs.explain if changed else " ", self.glyphs
        arrow = glyphs.opened if entry.is_open else glyphs.closed
        norm = self._branch_norm(branch)
        cells = {
            " ": self._name_cell(f"{mark} {'  ' * entry.depth}{arrow} ", [_(branch.label)], "strong"),
            "shape": Cell("" if entry.is_open else self._count_text(branch), "quiet"),
        }
        if norm is not None:
            cells["|grad|"] = self._number_cell(norm, "grad")
            cells[""] = self._bar(norm)
        return cells

    def _count_text(self, branch: Branch) -> str:
        count = len(list(branch.leaves()))
        if self._is_model(branch):
            return ngettext("{count} par.", "{count} par.", count)
        return ngettext("{count} tensor", "{count} tensors", count)

    def _leaf_cells(self, entry: _Entry) -> dict[str, Cell]:
        leaf, frame, glyphs = entry.leaf, entry.frame, self.glyphs
        assert leaf is not None
        assert frame is not None
        tensor = self._state.tensors[leaf.tensor]
        changed, value_changed, grad_changed = self._is_changed(frame, leaf)
        is_learned = bool(tensor.is_leaf and tensor.requires_grad)
        function = (tensor.grad_fn or "").removesuffix(" object") or glyphs.none
        mark = glyphs.explain if changed else " "
        indent = "  " * entry.depth + ("  " if self._by_module else "")
        names = _names(leaf)
        cells = {
            " ": self._name_cell(
                f"{mark} {indent}", names, "leaf" if is_learned else "value" if tensor.requires_grad else "strong"
            ),
            N_("value"): self._value_cell(tensor.value, tensor, "changed" if value_changed else ""),
            "shape": Cell(glyphs.text(number_format.shape(tensor.shape))),
            "dtype": Cell(tensor.dtype, brief=lambda _: _brief_dtype(tensor.dtype)),
            "dev": Cell(tensor.device),
            N_("leaf"): Cell(glyphs.leaf if tensor.is_leaf else "", "leaf" if is_learned else "quiet"),
            "req": Cell(glyphs.yes if tensor.requires_grad else "", "plain"),
            "grad_fn": Cell(
                clean(function), "value" if tensor.grad_fn else "quiet",
                brief=lambda _: clean(function.partition("Backward")[0]),
            ),
            _CHANGE.title: self._change(tensor, entry.ghost),
        }  # fmt: skip
        role = "grad changed" if grad_changed else "grad"
        cells["grad"] = self._grad_cell(tensor, role)
        norm = self._grad_norm(leaf.tensor)
        if norm is not None:
            cells["|grad|"], cells[""] = self._number_cell(norm, role), self._bar(norm)
        elif tensor.is_leaf and leaf.tensor in self._missing:
            cells["|grad|"] = Cell(_(_SHORT_REASONS[self._missing[leaf.tensor]]), "quiet")
        return cells

    def _name_cell(self, prefix: str, names: list[str], role: str) -> Cell:
        """Return the cell of a name; where it has no room, the names of other variables go first, then its middle."""
        whole = clean(" = ".join(names))
        first = clean(names[0])
        suffix = f" +{len(names) - 1}" if len(names) > 1 else ""

        def brief(cells: int) -> str:
            room = cells - width(prefix)
            short = first + suffix if width(first + suffix) <= room else middle_cut(first, room)
            return prefix + short

        return Cell(prefix + whole, role, brief)

    def _value_cell(self, value: Value, tensor: TensorState, role: str) -> Cell:
        """Return a value; the shape and the width alone decide what is shown of it."""
        if value is None:
            return Cell(self.glyphs.none, role)

        def fitted(cells: int) -> str:
            if not self._by_module or math.prod(tensor.shape) <= _WRITTEN or cells < _CELLS_OF_MATRIX:
                return self._text(value, tensor, cells, False)
            strip = matrix.strip(value, tensor.shape, 5, self.glyphs) or " " * 5
            return f"{strip:5} {self._text(value, tensor, cells - 6, False)}"

        return Cell("", role, fitted, fills=True)

    def _grad_cell(self, tensor: TensorState, role: str) -> Cell:
        """Return the stored gradient, or in parentheses the one that passes through."""
        stored = grad_of(self._state, tensor)
        if stored is not None:
            return Cell("", role, lambda cells: self._text(stored.value, stored, cells, True), fills=True)
        passing = self._flow.grad_through(tensor)
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

    @staticmethod
    def _number_cell(number: float, role: str) -> Cell:
        return Cell("", role, lambda cells: number_format.fitted(number, "", cells), fills=True)

    def _bar(self, norm: float) -> Cell:
        """Return a bar that is as long as a norm, relative to that of all gradients."""
        total = self._total

        def bar(cells: int) -> str:
            eighths = round(8 * cells * min(norm / total, 1.0)) if total else 0
            if self.glyphs.ascii:
                return "#" * max(round(eighths / 8), 1 if norm else 0)
            return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip() if eighths else "▏" if norm else ""

        return Cell("", "grad", bar, fills=True)

    def _change(self, tensor: TensorState, before: TensorState | None) -> Cell:
        """Return how much a tensor's value changed from the other run; if it did not, how much its gradient did."""
        other = self._other
        difference = None if before is None else _difference(tensor.value, before.value)
        if other is None or before is None or difference is None:
            return Cell(self.glyphs.none, "quiet")
        prefix = ""
        grad, grad_before = grad_of(self._state, tensor), grad_of(other, before)
        if not difference and (grad is not None or grad_before is not None):
            difference = None if grad is None or grad_before is None else _difference(grad.value, grad_before.value)
            prefix = self.glyphs.grad
        if difference is None:
            return Cell(f"{prefix}{self.glyphs.none}", "quiet")
        if not difference:
            return Cell("=", "quiet")
        sign = prefix + ("+" if difference > 0 else "")
        text = number_format.fitted
        return Cell(
            "", "grad", lambda cells: sign + text(difference, "", max(cells - len(sign), 1)), fills=True
        )  # fmt: skip

    # ------------------------------------------------------------ the selection

    def linked_row(self) -> int | None:
        linked = self.linked.tensors if self.linked is not None else ()
        return next((i for i, entry in enumerate(self._entries) if entry.leaf and entry.leaf.tensor in linked), None)

    def in_view(self) -> int | None:
        return self._first_change

    def mark(self, index: int | None) -> None:
        self._followed = None if index is None else self._key(self._entries[index])
        super().mark(index)

    def place_of(self, subject: str, ref: int) -> int | None:
        """Return the row of the selected name: in a loop it refers to a new tensor in each iteration."""
        keys = [self._key(entry) for entry in self._entries]
        return keys.index(self._followed) if self._followed in keys else super().place_of(subject, ref)

    @staticmethod
    def _key(entry: _Entry) -> str | None:
        return entry.leaf.name if entry.leaf is not None else entry.branch.key if entry.branch is not None else None

    def subject(self, index: int) -> tuple[str, int] | None:
        entry = self._entries[index] if index < len(self._entries) else _Entry()
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
        return self._marked_branch() is not None if action == "fold" else super().check_action(action, parameters)

    def _marked_branch(self) -> _Entry | None:
        entry = self._entries[self.chosen] if self.chosen is not None and self.chosen < len(self._entries) else None
        return entry if entry is not None and entry.branch is not None else None

    def action_fold(self) -> None:
        """Open or close the selected branch."""
        entry = self._marked_branch()
        if entry is not None and entry.branch is not None:
            self._folded[entry.branch.key] = not entry.is_open
            self.update()

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


_SHORT_REASONS = {
    Reason.FROZEN: N_("frozen"), Reason.UNUSED: N_("unused"), Reason.NOT_YET: N_("not yet"),
    Reason.NO_PASS: N_("none"), Reason.CLEARED: N_("none"),
}  # fmt: skip


def _names(leaf: Leaf) -> list[str]:
    """Return the names of a tensor; those in the same module without what they have in common."""
    common = leaf.name[: len(leaf.name) - len(leaf.label)]
    root = common.partition(".")[0] + "."
    return [leaf.label, *(alias.removeprefix(root) if common else alias for alias in leaf.aliases)]


def _leaves(tree: Iterable[Branch | Leaf]) -> Iterator[Leaf]:
    for item in tree:
        if isinstance(item, Branch):
            yield from item.leaves()
        else:
            yield item


def _difference(value: Value, before: Value) -> float | None:
    """Return the largest signed difference between the elements of two values; None if not comparable."""
    old, new = values.elements(before), values.elements(value)
    if old is None or new is None or len(old) != len(new):
        return None
    if not all(isinstance(element, (int, float)) for element in (*old, *new)):
        return None
    return max((float(b) - float(a) for a, b in zip(old, new, strict=True)), key=abs, default=0.0)


def _brief_dtype(dtype: str) -> str:
    return dtype.replace("float", "f").replace("uint", "u").replace("int", "i").replace("complex", "c")
