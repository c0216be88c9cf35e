"""The tensors pane: a table of the named tensors at the cursor; what the step changed is marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from tutor.explain.formatting import ValueTexts, grad_of
from tutor.i18n import N_, _
from tutor.text_width import width, wrapped
from tutor.trace import number_format, values
from tutor.trace.names import aliases_of, names_of
from tutor.trace.navigation import counterpart
from tutor.trace.state import FrameState, NodeState, State, TensorState
from tutor.trace.timeline import Changes, Timeline
from tutor.trace.values import Value
from tutor.ui.panes.base import Pane
from tutor.ui.panes.graph.model import nodes_with_new_grad
from tutor.ui.render import table
from tutor.ui.render.segments import Row, clean, shortened_path
from tutor.ui.render.table import Cell, Column, Fit

COLUMNS = (
    Column(" ", 17, 0, 28, 6),
    Column(N_("value"), 10, 0, 44, 8),
    Column("shape", 5, 4, 14),
    Column("dtype", 5, 6, 10, 7),
    Column("dev", 3, 7, 8),
    Column(N_("leaf"), 4, 2, centred=True),
    Column("req", 3, 5, centred=True),
    Column("grad_fn", 7, 3, 24, 8),
    Column("grad", 9, 0, 40, 7),
)
_VALUE_WIDTH = 60
_GRADIENT_COLUMNS = ("req", "grad_fn", "grad")
_CHANGE = Column(N_("change"), 6, 1, 16)
"""Difference from the previous run, if there is one."""


class TensorsPane(Pane):
    """A row for each named tensor: those of the innermost frame first, then those of its callers."""

    NAME = N_("tensors")
    VALUES = True
    CHOOSES = True

    def __init__(self) -> None:
        super().__init__()
        self.ghost: Timeline | None = None
        """The previous run, whose values at the same moment are compared with those of this one."""
        self._columns: tuple[Column, ...] = COLUMNS
        self._table: list[list[Cell]] = []
        self._subjects: list[int | None] = []
        self._names: list[str] = []
        self._followed: str | None = None
        """The selected name."""
        self._text_rows: dict[int, Row] = {}
        self._fit = Fit()
        self._first_change: int | None = None
        self._sent: set[int] = set()
        self._flow = GradientFlow(State())
        self.asking = False
        """Whether a question is open: nothing that may be its answer is shown then."""
        self._text = ValueTexts(number_format.inline, _VALUE_WIDTH)

    def prepare(self) -> None:
        if self.timeline is None:
            return
        state = self.timeline.state(self.cursor)
        changes = self.timeline.changed(self.cursor) if self.cursor else Changes()
        self._table, self._subjects, self._text_rows, self._first_change = [], [], {}, None
        self._names = []
        self._flow = self._flow.at_step(state)
        self._sent = nodes_with_new_grad(self.timeline.event(self.cursor) if self.cursor else None, state)
        other = self._other_state()
        self._columns = COLUMNS if other is None else (*COLUMNS[:2], _CHANGE, *COLUMNS[2:])
        any_passing = False
        for depth, frame in enumerate(self._frames(state)):
            names, aliases_by_name = names_of(state, frame), aliases_of(state, frame)
            earlier = {} if other is None or depth >= len(other.frames) else names_of(other, other.frames[-1 - depth])
            if depth and names:
                title = _("in the module")
                if frame.function != "<module>":
                    title = _("in {function}", function=frame.function)
                self._add_text(((f"{self.glyphs.rule * 2} {clean(title)}", "quiet"),))
            for name, aliases in aliases_by_name.items():
                number = names[name]
                tensor = state.tensors[number]
                rebound = any((frame.frame, alias) in changes.names for alias in (name, *aliases))
                row, changed, passing = self._tensor_row(state, [name, *aliases], tensor, changes, rebound)
                any_passing = any_passing or passing
                if other is not None:
                    row.insert(2, self._change(state, tensor, other, other.tensors.get(earlier.get(name, 0))))
                if changed and self._first_change is None:
                    self._first_change = len(self._table)
                self._table.append(row)
                self._subjects.append(number)
                self._names.append(name)
        plain_values = self._plain_values(state)
        if plain_values:
            self._add_note(plain_values, "quiet")
        if any_passing and not self.asking:
            self._add_note(_("(…) passes through here; kept only by retain_grad()"))
        if not self._table:
            self._add_note(_("tensors appear here as the code makes them"))
        cells = [row for row, subject in zip(self._table, self._subjects, strict=True) if subject is not None]
        self._fit = table.fit_columns(self._columns, cells, self.inner, self._unused_columns(state))

    def _unused_columns(self, state: State) -> list[int]:
        """Return the gradient columns if no tensor here requires a gradient."""
        if any(number and state.tensors[number].requires_grad for number in self._subjects):
            return []
        return [place for place, column in enumerate(self._columns) if column.title in _GRADIENT_COLUMNS]

    def _other_state(self) -> State | None:
        """Return the previous run's state at this moment."""
        if self.ghost is None or self.timeline is None:
            return None
        step = counterpart(self.timeline, self.cursor, self.ghost)
        return None if step is None else self.ghost.state(step)

    def _add_note(self, text: str, role: str = "note") -> None:
        for row in wrapped([(text, role)], max(self.inner, 1)):
            self._add_text(row)

    def _add_text(self, row: Row) -> None:
        self._text_rows[len(self._table)] = row
        self._table.append([])
        self._subjects.append(None)
        self._names.append("")

    @staticmethod
    def _frames(state: State) -> Iterable[FrameState]:
        return reversed(state.frames)

    def _tensor_row(
        self, state: State, names: list[str], tensor: TensorState, changes: Changes, rebound: bool
    ) -> tuple[list[Cell], bool, bool]:
        glyphs = self.glyphs
        value_changed = rebound or tensor.tensor in changes.tensors
        grad_changed = tensor.tensor in changes.grads
        leaf = tensor.is_leaf and tensor.requires_grad
        grad, passing, brief = self._grad(state, tensor)
        if passing:
            grad_changed = tensor.node in self._sent
        fn = (tensor.grad_fn or "").removesuffix(" object") or glyphs.none
        marker = glyphs.explain if value_changed or (grad_changed and grad != "None") else " "
        value_style = "changed" if value_changed else ""
        row = [
            Cell(
                f"{marker} {clean(' = '.join(names))}",
                "leaf" if leaf else "value" if tensor.requires_grad else "strong",
                lambda cells: f"{marker} {_shorter_names(names, cells - 2)}",
            ),
            Cell(
                self._text(tensor.value, tensor.dtype) if tensor.value is not None else glyphs.none,
                value_style,
                _shortener(tensor.value, tensor.dtype),
            ),
            Cell(self.glyphs.text(number_format.shape(tensor.shape))),
            Cell(tensor.dtype, brief=lambda _: _brief_dtype(tensor.dtype)),
            Cell(tensor.device),
            Cell(glyphs.leaf if tensor.is_leaf else "", "leaf" if leaf else "quiet"),
            Cell(glyphs.yes if tensor.requires_grad else "", "plain"),
            Cell(clean(fn), "value" if tensor.grad_fn else "quiet", brief=lambda _: clean(fn.partition("Backward")[0])),
            Cell(grad, ("grad" if grad != "None" else "quiet") + (" changed" if grad_changed else ""), brief),
        ]
        return row, marker != " ", passing

    def _grad(self, state: State, tensor: TensorState) -> tuple[str, bool, Callable[[int], str] | None]:
        """Return the stored gradient, or in parentheses the one that passes through.

        Returns:
            The text, whether the gradient is only passing, and a function that makes a shorter text.
        """
        stored = grad_of(state, tensor)
        if stored is not None:
            return self._text(stored.value, stored.dtype), False, _shortener(stored.value, stored.dtype)
        passing = self._flow.grad_through(tensor)
        if passing is not None:
            shorten = _shortener(passing, tensor.dtype)
            text = f"({self._text(passing, tensor.dtype)})"
            return text, True, lambda cells: f"({shorten(max(cells - 2, 1))})"
        return "None", False, None

    def _change(self, state: State, tensor: TensorState, other: State, before: TensorState | None) -> Cell:
        """Return how much a tensor's value changed from the other run; if it did not, how much its gradient did."""
        difference = None if before is None else _difference(tensor.value, before.value)
        if before is None or difference is None:
            return Cell(self.glyphs.none, "quiet")
        prefix = ""
        grad, grad_before = grad_of(state, tensor), grad_of(other, before)
        if not difference and (grad is not None or grad_before is not None):
            difference = None if grad is None or grad_before is None else _difference(grad.value, grad_before.value)
            prefix = self.glyphs.grad
        if difference is None:
            return Cell(f"{prefix}{self.glyphs.none}", "quiet")
        if not difference:
            return Cell("=", "quiet")
        return Cell(
            self._signed(prefix, difference, _VALUE_WIDTH),
            "grad",
            lambda cells: self._signed(prefix, difference, cells),
        )

    @staticmethod
    def _signed(prefix: str, difference: float, cells: int) -> str:
        """Return a difference with its sign."""
        sign = "+" if difference > 0 else ""
        return f"{prefix}{sign}{number_format.fitted(difference, '', max(cells - len(prefix + sign), 1))}"

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

    def count(self) -> int:
        return len(self._table)

    def head(self, cells: int) -> Row | None:
        return table.header(self._columns, self._fit) if any(self._subjects) else None

    def row(self, index: int, cells: int) -> Row:
        text = self._text_rows.get(index)
        if text is not None:
            return text
        row = self._table[index]
        if self.linked is None or self._subjects[index] not in self.linked.tensors:
            return table.line(self._columns, self._fit, row)
        # The marker of a change takes precedence over that of a link.
        name = row[0].text if row[0].text[0] != " " else self.glyphs.linked + row[0].text[1:]
        return table.line(
            self._columns, self._fit, [replace(row[0], text=name, role=row[0].role + " linked"), *row[1:]]
        )

    def linked_row(self) -> int | None:
        linked = self.linked.tensors if self.linked is not None else ()
        return next((index for index, number in enumerate(self._subjects) if number in linked), None)

    def in_view(self) -> int | None:
        return self._first_change

    def mark(self, index: int | None) -> None:
        self._followed = None if index is None else self._names[index]
        super().mark(index)

    def place_of(self, subject: str, ref: int) -> int | None:
        """Return the row of the selected name: in a loop it refers to a new tensor in each iteration."""
        if self._followed in self._names:
            return self._names.index(self._followed)
        return super().place_of(subject, ref)

    def subject(self, index: int) -> tuple[str, int] | None:
        number = self._subjects[index] if index < len(self._subjects) else None
        return None if number is None else ("tensor", number)


# ------------------------------------------------------------ gradients of tensors that do not retain them


class GradientFlow:
    """The gradients that flowed through the graph in the visible backward pass, by node."""

    def __init__(self, state: State) -> None:
        self._shares: dict[int, list[Value]] = {}
        self._pass = 0
        self._ran: list[int] = []
        self.state = state
        self._collect(state)

    def at_step(self, state: State) -> GradientFlow:
        """Return the flow at another step; later in the same pass, only new gradients are collected."""
        last, count = state.last_pass, len(self._ran)
        if last is None or last.number != self._pass or last.ran[:count] != self._ran:
            return GradientFlow(state)
        if not (state.showing_pass and self.state.showing_pass):  # the nodes' gradients were dropped
            return GradientFlow(state)
        if not set(last.ran[count:]).isdisjoint(self._ran):  # a node ran again
            return GradientFlow(state)
        self.state = state
        self._collect(state)
        return self

    def _collect(self, state: State) -> None:
        last = state.last_pass
        if last is None:
            return
        for number in dict.fromkeys(last.ran[len(self._ran) :]):
            consumer = state.nodes.get(number)
            if consumer is None or consumer.grad_inputs is None:
                continue
            for source, value in zip(consumer.inputs, consumer.grad_inputs, strict=False):
                if source is not None and value is not None:
                    self._shares.setdefault(source[0], []).append(value)
        self._pass, self._ran = last.number, last.ran

    def reached(self, node: NodeState) -> tuple[Value, list[Value]]:
        """Return the gradient that reached a node, and its shares: one for each use of the node's output.

        Before the node has run, the shares are those that arrived so far; a single share is the gradient.
        """
        shares = self._shares.get(node.node, [])
        if node.grad_outputs:
            return node.grad_outputs[0], shares
        return (shares[0], shares) if len(shares) == 1 else (None, shares)

    def grad_through(self, tensor: TensorState) -> Value:
        """Return the gradient that passes through a tensor without being retained; None if there is none."""
        node = None if tensor.node is None or tensor.is_leaf else self.state.nodes.get(tensor.node)
        if node is None or node.node not in self.state.shown:
            return None
        if node.tensor is not None and node.tensor != tensor.tensor:
            return None
        return self.reached(node)[0]


# ------------------------------------------------------------ cells


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


def _shorter_names(names: list[str], cells: int) -> str:
    """Return a tensor's first name, followed by the number of its aliases if there is room."""
    name, suffix = clean(names[0]), f" +{len(names) - 1}" if len(names) > 1 else ""
    return name + suffix if width(name + suffix) <= cells else shortened_path(name, cells)


def _shortener(value: Value, dtype: str) -> Callable[[int], str]:
    """Return a function that shortens a value to a number of cells."""
    return lambda cells: number_format.inline(value, dtype, cells)
