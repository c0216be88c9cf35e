"""The pane of details: of the step at the cursor, or of a tensor or node that was asked for, at each step.

It is a column where there is room for one, and a sheet above the other panes elsewhere. The cursor moves under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from textual import events
from textual.message import Message

from tutor.i18n import N_, _, current_language, key_label
from tutor.ui.bindings import Key, bindings
from tutor.ui.panes.base import FRAME, MarkMoved, Pane, StepPicked
from tutor.ui.render.segments import EMPTY, Piece, Row
from tutor.ui.theme import palette_of

if TYPE_CHECKING:
    from tutor.explain.elements import Matrix
    from tutor.study.model import Model
    from tutor.trace.state import TensorState
    from tutor.trace.timeline import Timeline
    from tutor.ui.details.measure import Measurement
    from tutor.ui.details.writer import Page

_READ_INTERVAL = 0.02
"""Seconds until more of a long recording is read."""
_READABLE = 104
"""The columns of a sheet, unless a matrix needs more."""

KEYS = (
    Key(
        "enter_details",
        "enter",
        "Enter",
        N_("a line that leads to a step: go there; a matrix: choose an element"),
        action="enter",
    ),
    Key("element_before", "left", "←", N_("while one is chosen: the element before"), action="choose(0, -1)"),
    Key("element_after", "right", "→", N_("while one is chosen: the element after"), action="choose(0, 1)"),
    Key("details_page_up", "pageup", "PageUp", action="page(-1)"),
    Key("details_page_down", "pagedown", "PageDown", action="page(1)"),
    Key("erase", "backspace,delete", "Backspace", N_("choose no element")),
    Key("chart_details", "c", "c", N_("chart it over time; of the chosen element only that"), action="chart"),
    Key("measure", "f", "f", N_("of a leaf: measure the derivative by running the program again")),
    Key("close", "q", "q", N_("close the details")),
)


class ChartAsked(Message):
    """Posted to chart a tensor, or to remove it from the chart."""

    def __init__(self, tensor: int, element: tuple[int, str] | None) -> None:
        super().__init__()
        self.tensor = tensor
        self.element = element
        """The place and the index as text of the only element; None for all of the tensor."""


class Closed(Message):
    """Posted to close the sheet, or to leave the column."""


class Details(Protocol):
    """What the details are of."""

    @property
    def name(self) -> str:
        """The title."""

    @property
    def matrices(self) -> Sequence[Matrix]:
        """Those in which an element can be chosen."""

    @property
    def tensor(self) -> TensorState | None:
        """The tensor that can be charted and measured, if there is one."""

    @property
    def measurement(self) -> Measurement | None:
        """How its derivative is measured."""

    def go(self) -> bool:
        """Follow the cursor; return whether there is anything to say at its step."""

    def read(self) -> bool:
        """Read on in the recording; return whether all of it has been read."""

    def write(self, page: Page) -> None:
        """Write all that is known."""


class DetailsPane(Pane):
    """Shows details. Up and down go from link to link and from matrix to matrix, and scroll where there is none near.

    Enter at a matrix lets the arrows choose an element of it, until Esc.
    """

    NAME = N_("details")
    CHOOSES = True
    VALUES = True
    BINDINGS = bindings(KEYS)

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self.asked: tuple[str, int] | None = None
        """The tensor or node that was asked for; None for the step at the cursor."""
        self.is_open = False
        """Whether the sheet is asked for, where there is no column."""
        self.floating = False
        """Whether it is a sheet above the other panes."""
        self.choosing = False
        """Whether the arrows choose an element of the marked matrix."""
        self.wanted = _READABLE
        """The columns that a sheet needs for what it has shown."""
        self._tallest = 0
        """The most rows that the sheet has shown since it was opened: it does not shrink while one walks."""
        self.error: Exception | None = None
        """Why not everything is shown: an error in a malformed recording."""
        self._details: Details | None = None
        self._subject: object = None
        self._complete = True
        self._page: Page | None = None
        self._made_for: object = None
        self._place: object = None
        self._there = False
        self._revision = 0
        self._measured: int | None = None

    # ------------------------------------------------------------ what is shown

    def ask(self, subject: str, ref: int) -> None:
        """Show a `tensor` or a `node`, from now on at each step; `step` for the details of each step."""
        from tutor.ui.details.pages import state_with

        is_object = subject in ("tensor", "node")
        there = is_object and state_with(self._model.timeline, self._model.cursor, subject, ref) is not None
        self.asked = (subject, ref) if there else None
        self.top, self.is_open, self.wanted, self._tallest = 0, True, _READABLE, 0
        self._leave_matrix()

    def show(self, timeline: Timeline, cursor: int) -> None:
        """Take in the step; `update` draws it, once the other panes are drawn."""
        if self.asked is None and not self.choosing and cursor != self.cursor:
            self.top = 0
        self.timeline, self.cursor = timeline, cursor

    def prepare(self) -> None:
        page = self._page_for(self.inner)
        self._page = page
        if self.chosen is not None and self.subject(self.chosen) is None:
            self.chosen = None

    def height_on_sheet(self, cells: int) -> int:
        """Return the rows that a sheet needs, with its frame, if its lines have this many cells."""
        self.floating = True
        self._page = self._page_for(cells)
        self._tallest = max(self._tallest, len(self._page.rows) + 2)
        return self._tallest

    def update(self) -> None:
        super().update()
        if self.choosing and self.chosen is None:  # there is no such matrix at this step
            self._leave_matrix()
            self.post_message(MarkMoved())

    def _page_for(self, cells: int) -> Page:
        """Return the page of this width, made again where something that it says may differ."""
        from tutor.ui.details.writer import Page

        model, palette = self._model, palette_of(self.app)
        subject = (model.timeline, self.asked)
        if subject != self._subject or self._details is None:
            self._subject, self._details = subject, self._make_details()
            self._complete = self._details.read()
            self._read_on()
        place = (subject, model.cursor, model.limit, min(model.timeline.steps, model.cursor + 1))
        made_for = (place, cells, self.floating, palette, current_language(), model.choice.revision, self._revision)
        if made_for == self._made_for and self._page is not None:
            return self._page
        self._made_for, self.error = made_for, None
        glyphs = palette.glyphs
        page = Page(cells, glyphs, palette.shades and not glyphs.ascii, self.app.no_color, self.floating)
        try:
            if place != self._place:
                self._there, self._place = self._details.go(), place
            if self._there:
                self._details.write(page)
            else:
                nothing = N_("what each step took, brought and changed appears here")
                page.say(_(nothing) if self.asked is None else _("it is not there at this step"))
        except Exception as error:  # a recording may be malformed
            self.error = error
            page.add(((_("the rest of it cannot be shown"), "error"),))
        self._measured, self.wanted = page.measured, max(self.wanted, page.wanted + FRAME)
        return page

    def _make_details(self) -> Details:
        from tutor.ui.details.pages import NodeDetails, TensorDetails
        from tutor.ui.details.step import StepDetails

        if self.asked is None:
            return StepDetails(self._model)
        subject, ref = self.asked
        if subject == "tensor":
            return TensorDetails(self._model, ref)
        return NodeDetails(self._model, ref)

    def _read_on(self) -> None:
        """Schedule reading more of a long recording, while its beginning is shown already."""
        if not self._complete:
            self.set_timer(_READ_INTERVAL, self._read_more)

    def _read_more(self) -> None:
        if self._details is not None and self.display:
            self._complete = self._details.read()
            self.renew()
            self._read_on()

    def renew(self) -> None:
        """Make and draw the rows again."""
        self._revision += 1
        self.update()

    def count(self) -> int:
        return 0 if self._page is None else len(self._page.rows)

    def row(self, index: int, cells: int) -> Row:
        return EMPTY if self._page is None or index >= len(self._page.rows) else self._page.rows[index]

    def title_text(self) -> str:
        name = "" if self._details is None or not self.cursor else self._details.name
        if not name:
            return _(self.NAME)
        return name if self.floating else f"{_(self.NAME)} · {name}"

    def heading(self) -> Row:
        pieces: list[Piece] = []
        matrix, typed = self.matrix(), self._model.choice.typed
        keys: list[tuple[str, str]] = []
        if self.choosing:
            keys = [("← → ↑ ↓", f"{key_label('element')} {typed}".rstrip()), ("Esc", key_label("back"))]
        else:
            if self.chosen is not None:
                is_matrix = self._page is not None and self.chosen in self._page.matrices
                keys.append(("Enter", key_label("element") if is_matrix else key_label("go there")))
            elif matrix is not None and matrix.count > 1:
                keys.append((_("Shift+← →"), key_label("element")))
            details = self._details
            if self.has_focus and details is not None:
                keys += [("c", key_label("chart"))] if details.tensor is not None else []
                measurement = details.measurement
                keys += [("f", key_label("measure"))] if measurement is not None and measurement.possible else []
            if self.floating or self.asked is not None:
                keys.append(("Esc", key_label("back")))
        for key, text in keys:
            pieces += [("  " if pieces else "", "quiet"), (key, "key"), (f" {text}", "quiet")]
        return tuple(pieces)

    # ------------------------------------------------------------ links and matrices

    def subject(self, index: int) -> tuple[str, int] | None:
        if self._page is None:
            return None
        step = self._page.links.get(index)
        if step is not None:
            return ("step", step)
        return ("matrix", list(self._page.matrices).index(index)) if index in self._page.matrices else None

    def place_of(self, subject: str, ref: int) -> int | None:
        matrices = [] if self._page is None else list(self._page.matrices)
        return matrices[ref] if subject == "matrix" and ref < len(matrices) else None

    def marked(self) -> tuple[str, int] | None:
        return None

    def details(self) -> tuple[str, int] | None:
        return None

    def open_choice(self) -> None:
        self.action_enter()

    def matrix(self) -> Matrix | None:
        """Return the matrix in which an element is chosen: the marked one, else that in which one was chosen last."""
        from tutor.explain.elements import matrices_of

        if not self.display or self._details is None:
            return self._model.choice.matrix(matrices_of(self._model.timeline, self._model.cursor))
        if self.chosen is not None and self._page is not None and self.chosen in self._page.matrices:
            return self._page.matrices[self.chosen]
        return self._model.choice.matrix(self._details.matrices)

    def move(self, rows: int) -> None:
        """Go to the next link or matrix if it is visible or in the next row; otherwise scroll."""
        if self.choosing:
            self.action_choose(rows, 0)
            return
        page = self.page
        stops = [] if self._page is None else sorted([*self._page.links, *self._page.matrices])
        if rows > 0:
            start = self.chosen if self.chosen is not None else self.top - 1
            target = next((row for row in stops if row > start), None)
        else:
            start = self.chosen if self.chosen is not None else self.top + page
            target = next((row for row in reversed(stops) if row < start), None)
        if target is not None and self.top - 1 <= target <= self.top + page:
            self.choose(target)
        else:
            self.scroll_rows(rows)

    def scroll_rows(self, rows: int) -> None:
        super().scroll_rows(rows)
        if self.chosen is not None and not self.top <= self.chosen < self.top + self.page:
            self._leave_matrix()
            self.paint()

    def _leave_matrix(self) -> None:
        self.choosing, self.chosen, self._marked = False, None, None

    def leave(self) -> bool:
        """Undo one thing: choosing an element, the tensor or node that was asked for; return whether there was one."""
        if self.choosing:
            self.choosing = False
            self.paint()
            self.post_message(MarkMoved())
            return True
        if self.asked is not None and self.display and not self.floating:
            self.asked = None
            self.update()
            return True
        return False

    # ------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key is this pane's now: the arrows are those of the walk unless an element is chosen."""
        if action == "choose":
            return self.choosing
        if action == "close":
            return self.floating
        if action == "chart":
            return self._details is not None and self._details.tensor is not None
        return super().check_action(action, parameters)

    def on_key(self, event: events.Key) -> None:
        """Take digits and commas as the index of an element, unless a question waits for them."""
        char, matrix, choice = event.character, self.matrix(), self._model.choice
        if matrix is None or matrix.count < 2 or not char or (self._model.asking and not self.choosing):
            return
        if char.isdecimal() or (char == "," and choice.typed):
            event.stop()
            choice.type(matrix, char)
            self.choosing = True
            rows = {} if self._page is None else self._page.matrices
            self.choose(next((row for row, named in rows.items() if named.key == matrix.key), self.top))
            self._show_element()

    def action_enter(self) -> None:
        """Go to the step of the marked link, or choose an element of the marked matrix; without a mark, close."""
        subject = self._selected_subject()
        if subject is None or self.choosing:
            self.post_message(Closed())
        elif subject[0] == "step":
            if self.floating:
                self.post_message(Closed())
            self.post_message(StepPicked(subject[1]))
        else:
            self.choosing = True
            self.action_choose(0, 0)
            self.post_message(MarkMoved())

    def action_choose(self, rows: int, columns: int) -> None:
        """Choose another element of the matrix."""
        matrix = self.matrix()
        if matrix is not None:
            self._model.choice.move(matrix, rows, columns)
            self._show_element()

    def _show_element(self) -> None:
        """Draw the chosen element, and bring what is said of it into view."""
        self.update()
        if self.chosen is not None and self._page is not None:
            self._bring_into_view(self._page.ends.get(self.chosen, self.chosen), 0)
            self.paint()
        self.post_message(MarkMoved())

    def action_erase(self) -> None:
        """Take back what was typed of an index, or choose no element."""
        matrix = self.matrix()
        if matrix is not None:
            self._model.choice.erase(matrix)
            self.update()

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self.scroll_rows(by * max(self.page - 1, 1))

    def action_close(self) -> None:
        """Close the sheet."""
        self.post_message(Closed())

    def action_chart(self) -> None:
        """Chart the tensor, or its chosen element."""
        from tutor.explain.elements import index_text

        details, matrix = self._details, self.matrix()
        if details is not None and details.tensor is not None:
            place = None if matrix is None else self._model.choice.element(matrix)
            element = None if place is None else (place, index_text(place, details.tensor.shape))
            self.post_message(ChartAsked(details.tensor.tensor, element))

    def action_measure(self) -> None:
        """Measure the derivative, by running the program again."""
        measurement = None if self._details is None else self._details.measurement
        if measurement is not None and measurement.possible and not measurement.running:
            measurement.running = True
            self.run_worker(self._measure(measurement), group="measuring")

    async def _measure(self, measurement: Measurement) -> None:
        matrix = self.matrix()
        self._show_measured()
        try:
            await measurement.measure(None if matrix is None else self._model.choice.element(matrix))
        finally:
            measurement.running = False
        if self.is_mounted:
            self._show_measured()

    def _show_measured(self) -> None:
        """Draw the measurement, and scroll to it."""
        self.renew()
        if self._measured is not None:
            self._bring_into_view(min(self._measured + 8, self.count() - 1), 0)
            self._bring_into_view(self._measured, 0)
            self.paint()
