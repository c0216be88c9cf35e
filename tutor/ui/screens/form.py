"""Exercises that are answered in a form: gradients in the drawn graph, nodes in order, the name of a value."""

from __future__ import annotations

from dataclasses import replace

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from tutor.i18n import K_, N_, _, key_label
from tutor.lesson.answers import AnswerError
from tutor.lesson.forms import Form
from tutor.text_width import wrapped
from tutor.trace.timeline import Timeline
from tutor.ui.bindings import PALETTE, Key, bindings
from tutor.ui.panes.base import Pane
from tutor.ui.panes.graph.lanes import Graph, NodeRow
from tutor.ui.panes.graph.model import GraphModel
from tutor.ui.panes.graph.views import View, ViewSelector
from tutor.ui.render.segments import EMPTY, Piece, Row, clean, fit

_LONGEST = 60
"""Most characters of a field."""
_TASKS = {
    "gradients": N_("type the gradient that reaches each of them"),
    "order": N_("put them in order"),
    "value": N_("type its name"),
}


class FormPane(Pane):
    """The rows of a form: the graph with a field at each node that is asked for, or the fields alone."""

    NAME = N_("exercise")

    def __init__(self, form: Form, timeline: Timeline, step: int, problem: str) -> None:
        super().__init__(id="form")
        self.form, self.problem = form, problem
        self.fields = list(form.texts)
        self.selected = 0
        self.order = list(range(len(self.fields)))
        """The indices of the fields from the upper one down."""
        self.view: View | None = None
        self._timeline, self._step = timeline, step
        self._model = GraphModel()
        self._node_of: dict[str, int] = {}

    def prepare(self) -> None:
        if self.form.kind != "gradients":
            return
        graph = self._model.at(self._timeline, self._step)
        if self._model.has_newer:
            self._model.shows_newer = True
            graph = self._model.at(self._timeline, self._step)
        self._node_of = {graph.row(node).name: node for node in graph.nodes}
        connected = _connected(graph, {self._node_of[name] for name in self.form.names if name in self._node_of})
        graph = replace(
            graph,
            nodes=[node for node in graph.nodes if node in connected],
            edges=[edge for edge in graph.edges if edge.source in connected],
        )
        places = {node: place for place, node in enumerate(graph.nodes)}
        self.order.sort(key=lambda index: places.get(self._node_of.get(self.form.names[index], -1), len(places)))
        asked = {self._node_of.get(name): index for index, name in enumerate(self.form.names)}

        def row(node: int) -> NodeRow:
            index = asked.get(node)
            blank = replace(graph.row(node), grad="", parts="", sent="", arrived=False, new=False, now=False)
            if index is None:
                return blank
            return replace(blank, grad=self._field(index), new=False, now=index == self.selected)

        drawn = Graph(graph.nodes, graph.edges, row, lambda drawn_row, *_widths: drawn_row, None)
        views = ViewSelector()
        views.wanted = "lanes"
        self.view = views.view(drawn, None, self.inner, self.page, self.glyphs, None)

    def _field(self, index: int) -> str:
        """Return what is typed into a field, with a cursor if it is the selected one."""
        return self.fields[index] + ("_" if index == self.selected else "" if self.fields[index] else "?")

    def count(self) -> int:
        return len(self._form_rows(self.inner)) + len(self._foot(self.inner))

    def row(self, index: int, cells: int) -> Row:
        rows = [*self._form_rows(cells), *self._foot(cells)]
        return rows[index] if index < len(rows) else EMPTY

    def _form_rows(self, cells: int) -> list[Row]:
        if self.view is not None:
            self.view.prepare_rows(0, self.view.count(), cells)
            rows = [self.view.row(index, cells, None) for index in range(self.view.count())]
            missing = [index for index, name in enumerate(self.form.names) if name not in self._node_of]
            return rows + [
                ((f"  {self.form.names[index]} ", "strong"), (self._field(index), "grad")) for index in missing
            ]
        rows = []
        for index, _text in enumerate(self.fields):
            label = f"  {index + 1}  " if self.form.kind == "order" else f"  {self.form.target} = "
            text = self.fields[index] if self.form.kind == "order" else self._field(index)
            chosen = self.form.kind == "order" and index == self.selected
            row: Row = ((label, "now"), (clean(text), "strong"))
            rows.append(
                fit(tuple((piece, f"chosen {role}") for piece, role in row), cells, "chosen") if chosen else row
            )
        return rows

    def _foot(self, cells: int) -> list[Row]:
        task: list[Piece] = [(_(_TASKS[self.form.kind]), "note")]
        moves = [("Shift+↑ ↓", K_("move"))] if self.form.kind == "order" else []
        keys: list[Piece] = []
        for key, label in (("↑ ↓", K_("choose")), *moves, ("Enter", K_("check")), ("Esc", K_("back"))):
            keys += [(f"{key} ", "key"), (f"{key_label(label)}   ", "quiet")]
        problem = wrapped([(clean(self.problem), "error")], max(cells, 1)) if self.problem else []
        return [EMPTY, *wrapped(task, max(cells, 1)), *problem, EMPTY, *wrapped(keys, max(cells, 1))]


def _connected(graph: Graph, nodes: set[int]) -> set[int]:
    """Return these nodes and all that edges connect with them; an earlier pass has a graph apart."""
    connected, size = set(nodes), 0
    while size < len(connected):
        size = len(connected)
        for edge in graph.edges:
            if edge.source in connected or edge.to in connected:
                connected |= {edge.source, edge.to}
    return connected


class FormScreen(ModalScreen[tuple[str, bool]]):
    """A form; the result is the code that assigns what was filled in, and whether to run it."""

    KEYS = (
        Key("check", "enter,f5,ctrl+r", "Enter", N_("check what was filled in")),
        Key("back", "escape", "Esc", N_("close the form; what was filled in is kept")),
        Key("up", "up,shift+tab", "↑", N_("the field before"), action="select(-1)"),
        Key("down", "down,tab", "↓", N_("the field after"), action="select(1)"),
        Key("earlier", "shift+up", "Shift+↑", N_("move the item up, where they are put in order"), action="shift(-1)"),
        Key("later", "shift+down", "Shift+↓", N_("move the item down"), action="shift(1)"),
        PALETTE,
    )
    BINDINGS = bindings(KEYS, priority=True)

    def __init__(self, title: str, form: Form, original: str, timeline: Timeline, step: int, problem: str = "") -> None:
        """Make the form.

        Args:
            title: The title of the frame.
            form: What to begin with.
            original: The code to keep if the form cannot be kept.
            timeline: The recording whose graph is drawn.
            step: The step at which it is drawn.
            problem: Why the last try failed.
        """
        super().__init__()
        self._title, self._original = title, original
        self.pane = FormPane(form, timeline, step, problem)

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.border_title = clean(self._title)
        self.on_resize()
        self.pane.focus()
        self._draw()

    def on_resize(self) -> None:
        columns, lines = self.app.size
        width = min(columns, 90)
        self.pane.styles.width, self.pane.styles.height = width, lines
        height = min(lines, max(self.pane.count() + 2, 10))
        self.pane.styles.height = height
        self.pane.styles.offset = ((columns - width) // 2, (lines - height) // 2)

    def _draw(self) -> None:
        self.pane.show(self.pane._timeline, self.pane._step)
        self.on_resize()
        self.pane.paint()

    def on_key(self, event: events.Key) -> None:
        """Type into the selected field."""
        if self.pane.form.kind == "order":
            return
        fields, at = self.pane.fields, self.pane.selected
        if event.key == "backspace":
            fields[at] = fields[at][:-1]
        elif event.is_printable and event.character is not None and len(fields[at]) < _LONGEST:
            fields[at] += event.character
        else:
            return
        event.stop()
        self.pane.problem = ""
        self._draw()

    def action_select(self, by: int) -> None:
        """Select another field or item."""
        order = self.pane.order
        self.pane.selected = order[(order.index(self.pane.selected) + by) % len(order)]
        self._draw()

    def action_shift(self, by: int) -> None:
        """Move the selected item up or down."""
        fields, at = self.pane.fields, self.pane.selected
        if self.pane.form.kind == "order" and 0 <= at + by < len(fields):
            fields[at], fields[at + by] = fields[at + by], fields[at]
            self.pane.selected += by
            self._draw()

    def action_check(self) -> None:
        """Check what was filled in; say what is no number."""
        code = self._code()
        if code is not None:
            self.dismiss((code, True))

    def action_back(self) -> None:
        """Close the form and keep what was filled in."""
        self.dismiss((self._code() or self._original, False))

    def _code(self) -> str | None:
        """Return the code; None where something is not a number, which is said."""
        try:
            return self.pane.form.filled(tuple(self.pane.fields)).code
        except AnswerError as error:
            self.pane.problem = str(error)
            self._draw()
            return None
