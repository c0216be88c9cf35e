"""The tensors pane: everything about each tensor that has a name here, and what this step changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from tutor.i18n import N_, _
from tutor.text_width import width, wrapped
from tutor.trace import values
from tutor.trace.names import aliases_of, names_of
from tutor.trace.navigation import counterpart
from tutor.trace.state import FrameState, State, TensorState
from tutor.trace.timeline import Changes, Timeline
from tutor.trace.wire_types import Value
from tutor.ui.panes.base import Pane
from tutor.ui.panes.graph.model import touched
from tutor.ui.panes.readings import Flow, Texts, grad_of, squeezed
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
_LONG = 60
_OF_GRADIENTS = ("req", "grad_fn", "grad")
OTHER = Column(N_("change"), 6, 1, 16)
"""How far from the run before: only where there is one behind this."""


class TensorsPane(Pane):
    """A row per tensor that has a name: those of the innermost frame first, then those of the frames around it."""

    NAME = N_("tensors")
    CHOOSES = True

    def __init__(self) -> None:
        super().__init__()
        self.ghost: Timeline | None = None
        """Another run, to whose values at the same moment those of this one are compared."""
        self._columns: tuple[Column, ...] = COLUMNS
        self._table: list[list[Cell]] = []
        self._subjects: list[int | None] = []
        self._names: list[str] = []
        self._followed: str | None = None
        """The name that the mark stands on."""
        self._rules: dict[int, Row] = {}
        self._fit = Fit()
        self._first_change: int | None = None
        self._sent: set[int] = set()
        self._flow = Flow(State())
        self.asking = False
        """Whether a question is open: then nothing is said that may be its answer."""
        self._text = Texts(values.short, _LONG)

    def prepare(self) -> None:
        if self.timeline is None:
            return
        state = self.timeline.state(self.cursor)
        changes = self.timeline.changed(self.cursor) if self.cursor else Changes()
        self._table, self._subjects, self._rules, self._first_change = [], [], {}, None
        self._names = []
        self._flow = self._flow.then(state)
        self._sent = touched(self.timeline.event(self.cursor) if self.cursor else None, state)
        other = self._other()
        self._columns = COLUMNS if other is None else (*COLUMNS[:2], OTHER, *COLUMNS[2:])
        passes_by = False
        for place, frame in enumerate(self._frames(state)):
            names, others = names_of(state, frame), aliases_of(state, frame)
            before = {} if other is None or place >= len(other.frames) else names_of(other, other.frames[-1 - place])
            if place and names:
                where = _("in the module")
                if frame.function != "<module>":
                    where = _("in {function}", function=frame.function)
                self._rule(((f"{self.glyphs.rule * 2} {clean(where)}", "quiet"),))
            for name, aliases in others.items():
                number = names[name]
                tensor = state.tensors[number]
                fresh = any((frame.frame, other) in changes.names for other in (name, *aliases))
                row, changed, shares = self._tensor_row(state, [name, *aliases], tensor, changes, fresh)
                passes_by = passes_by or shares
                if other is not None:
                    row.insert(2, self._change(state, tensor, other, other.tensors.get(before.get(name, 0))))
                if changed and self._first_change is None:
                    self._first_change = len(self._table)
                self._table.append(row)
                self._subjects.append(number)
                self._names.append(name)
        plain = self._plain_values(state)
        if plain:
            self._note(plain, "quiet")
        if passes_by and not self.asking:
            self._note(_("(…) passes through here; kept only by retain_grad()"))
        if not self._table:
            self._note(_("tensors appear here as the code makes them"))
        cells = [row for row, subject in zip(self._table, self._subjects, strict=True) if subject is not None]
        self._fit = table.fit_columns(self._columns, cells, self.inner, self._idle(state))

    def _idle(self, state: State) -> list[int]:
        """The columns that say nothing as long as no tensor here requires a gradient."""
        if any(number and state.tensors[number].requires_grad for number in self._subjects):
            return []
        return [place for place, column in enumerate(self._columns) if column.title in _OF_GRADIENTS]

    def _other(self) -> State | None:
        """The other run at this moment."""
        if self.ghost is None or self.timeline is None:
            return None
        step = counterpart(self.timeline, self.cursor, self.ghost)
        return None if step is None else self.ghost.state(step)

    def _note(self, text: str, role: str = "note") -> None:
        for row in wrapped([(text, role)], max(self.inner, 1)):
            self._rule(row)

    def _rule(self, row: Row) -> None:
        self._rules[len(self._table)] = row
        self._table.append([])
        self._subjects.append(None)
        self._names.append("")

    @staticmethod
    def _frames(state: State) -> Iterable[FrameState]:
        return reversed(state.frames)

    def _tensor_row(
        self, state: State, names: list[str], tensor: TensorState, changes: Changes, fresh: bool
    ) -> tuple[list[Cell], bool, bool]:
        g = self.glyphs
        value_new = fresh or tensor.tensor in changes.tensors
        grad_new = tensor.tensor in changes.grads
        leaf = tensor.is_leaf and tensor.requires_grad
        grad, shares, brief = self._grad(state, tensor)
        if shares:
            grad_new = tensor.node in self._sent
        fn = (tensor.grad_fn or "").removesuffix(" object") or g.none
        mark = g.explain if value_new or (grad_new and grad != "None") else " "
        changed = "changed" if value_new else ""
        row = [
            Cell(
                f"{mark} {clean(' = '.join(names))}",
                "leaf" if leaf else "value" if tensor.requires_grad else "strong",
                lambda cells: f"{mark} {_shorter_names(names, cells - 2)}",
            ),
            Cell(
                self._text(tensor.value, tensor.dtype) if tensor.value is not None else g.none,
                changed,
                _shorter(tensor.value, tensor.dtype),
            ),
            Cell(str(list(tensor.shape)).replace(" ", "")),
            Cell(tensor.dtype, brief=lambda _: _brief_dtype(tensor.dtype)),
            Cell(tensor.device),
            Cell(g.leaf if tensor.is_leaf else "", "leaf" if leaf else "quiet"),
            Cell(g.yes if tensor.requires_grad else "", "plain"),
            Cell(clean(fn), "value" if tensor.grad_fn else "quiet", brief=lambda _: clean(fn.partition("Backward")[0])),
            Cell(grad, ("grad" if grad != "None" else "quiet") + (" changed" if grad_new else ""), brief),
        ]
        return row, mark != " ", shares

    def _grad(self, state: State, tensor: TensorState) -> tuple[str, bool, Callable[[int], str] | None]:
        """The gradient that a tensor keeps, or in parentheses the one that passes through it."""
        kept = grad_of(state, tensor)
        if kept is not None:
            return self._text(kept.value, kept.dtype), False, _shorter(kept.value, kept.dtype)
        through = self._flow.passing(tensor)
        if through is not None:
            shorter = _shorter(through, tensor.dtype)
            text = f"({self._text(through, tensor.dtype)})"
            return text, True, lambda cells: f"({shorter(max(cells - 2, 1))})"
        return "None", False, None

    def _change(self, state: State, tensor: TensorState, other: State, before: TensorState | None) -> Cell:
        """How far a tensor is from what it is in the other run; where the value is the same, how far its gradient."""
        apart = None if before is None else _apart(tensor.value, before.value)
        if before is None or apart is None:
            return Cell(self.glyphs.none, "quiet")
        sign = ""
        kept, earlier = grad_of(state, tensor), grad_of(other, before)
        if not apart and (kept is not None or earlier is not None):
            apart = None if kept is None or earlier is None else _apart(kept.value, earlier.value)
            sign = self.glyphs.grad
        if apart is None:
            return Cell(f"{sign}{self.glyphs.none}", "quiet")
        return Cell(f"{sign}{apart:+.4g}", "grad", lambda _: f"{sign}{apart:+.2g}") if apart else Cell("=", "quiet")

    def _plain_values(self, state: State) -> str:
        """Numbers and the like of the innermost frame: `lr = 0.05`, `epoch = 3`."""
        if not state.frames:
            return ""
        found = [
            f"{name} = {binding.value!r}"
            for name, binding in state.frames[-1].names.items()
            if binding.what == "value" and isinstance(binding.value, (int, float)) and not name.startswith("_")
        ]
        return clean(f"  {self.glyphs.dot}  ".join(found))

    def count(self) -> int:
        return len(self._table)

    def head(self, cells: int) -> Row | None:
        return table.header(self._columns, self._fit) if any(self._subjects) else None

    def row(self, index: int, cells: int) -> Row:
        rule = self._rules.get(index)
        if rule is not None:
            return rule
        row = self._table[index]
        if self.linked is None or self._subjects[index] not in self.linked.tensors:
            return table.line(self._columns, self._fit, row)
        # The mark of a change tells more than that of a link.
        name = row[0].text if row[0].text[0] != " " else self.glyphs.linked + row[0].text[1:]
        return table.line(
            self._columns, self._fit, [replace(row[0], text=name, role=row[0].role + " linked"), *row[1:]]
        )

    def linked_row(self) -> int | None:
        wanted = self.linked.tensors if self.linked is not None else ()
        return next((index for index, number in enumerate(self._subjects) if number in wanted), None)

    def in_view(self) -> int | None:
        return self._first_change

    def mark(self, index: int | None) -> None:
        self._followed = None if index is None else self._names[index]
        super().mark(index)

    def place_of(self, subject: str, ref: int) -> int | None:
        """The mark goes along with a name: in a loop it is another tensor's in each turn."""
        if self._followed in self._names:
            return self._names.index(self._followed)
        return super().place_of(subject, ref)

    def subject(self, index: int) -> tuple[str, int] | None:
        number = self._subjects[index] if index < len(self._subjects) else None
        return None if number is None else ("tensor", number)


def _apart(value: Value, before: Value) -> float | None:
    """How far a value is from that of another run; of many elements the one that is furthest. None: not comparable."""
    old, new = values.elements(before), values.elements(value)
    if old is None or new is None or len(old) != len(new):
        return None
    if not all(isinstance(one, (int, float)) for one in (*old, *new)):
        return None
    return max((float(after) - float(earlier) for earlier, after in zip(old, new, strict=True)), key=abs, default=0.0)


def _brief_dtype(dtype: str) -> str:
    return dtype.replace("float", "f").replace("uint", "u").replace("int", "i").replace("complex", "c")


def _shorter_names(names: list[str], cells: int) -> str:
    """A tensor's name, and how many others it has where there is room for that."""
    name, more = clean(names[0]), f" +{len(names) - 1}" if len(names) > 1 else ""
    return name + more if width(name + more) <= cells else shortened_path(name, cells)


def _shorter(value: Value, dtype: str) -> Callable[[int], str]:
    """What a value is in fewer cells."""
    return lambda cells: squeezed(value, dtype, cells)
