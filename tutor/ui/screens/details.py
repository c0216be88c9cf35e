"""The details sheet of a tensor, a node or a step: lines that link to a step, keys that choose an element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from textual import events
from textual.app import App

from tutor.i18n import _
from tutor.trace.graph import is_leaf
from tutor.trace.state import TensorState
from tutor.ui.bindings import Key, bindings
from tutor.ui.details.measure import ElementChoice, Measurement
from tutor.ui.details.node import NodeDetails
from tutor.ui.details.step import StepDetails
from tutor.ui.details.tensor import TensorDetails
from tutor.ui.details.writer import Page
from tutor.ui.panes.base import DetailsAsked
from tutor.ui.render.segments import Glyphs, Piece, Row
from tutor.ui.screens.sheet import KEYS, Sheet, SheetPane
from tutor.ui.theme import palette_of

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen

_READ_INTERVAL = 0.02
"""Seconds until more of a long recording is read."""

_KEYS = (
    *(key for key in KEYS if key.id != "leave"),
    Key("leave", "escape,q,question_mark", "Esc", "back", "back"),
    Key("enter", "enter", "Enter", "go there", "to the step under the mark"),
    Key("before", "left,h", "←", "element", "the element before"),
    Key("after", "right,l", "→", "element", "the next element"),
    Key("erase", "backspace,delete", "Backspace", "element", "take back what was typed; no element"),
    Key("chart", "c", "c", "chart", "chart it over time"),
    Key("measure", "f", "f", "measure", "measure its derivative"),
)


class Details(Protocol):
    """What a details sheet shows."""

    choice: ElementChoice

    @property
    def name(self) -> str:
        """The title of the sheet."""

    @property
    def tensor(self) -> TensorState | None:
        """The tensor that can be charted and measured, if there is one."""

    def read(self) -> bool:
        """Read on in the recording; return whether all of it has been read."""

    def write(self, page: Page) -> None:
        """Write all that is known."""


def details_sheet(screen: LessonScreen, subject: str, ref: int) -> DetailsSheet:
    """Return the sheet of `tensor`, `node` or `step` number `ref`, as it is at the cursor."""
    timeline, step, limit = screen.timeline, screen.cursor, screen.limit
    state = timeline.state(step)
    details: Details
    measurement: Measurement | None = None
    if subject == "tensor" and ref in state.tensors:
        measurement = Measurement(screen.session, timeline, step, state.tensors[ref])
        details = TensorDetails(timeline, step, limit, state.tensors[ref], measurement)
    elif subject == "node" and ref in state.nodes:
        node = state.nodes[ref]
        leaf = state.tensors.get(node.tensor or 0) if is_leaf(node) else None
        measurement = None if leaf is None else Measurement(screen.session, timeline, step, leaf)
        details = NodeDetails(timeline, step, limit, node, measurement)
    else:
        details = StepDetails(timeline, max(step, 1))
    return DetailsSheet(screen, details, measurement)


class DetailsPane(SheetPane):
    """The text of a details sheet. Up and down go from link to link, and scroll where there is none near."""

    CHOOSES = True

    def __init__(self, details: Details, measurement: Measurement | None) -> None:
        super().__init__("", self._make)
        self._details, self.measurement = details, measurement
        self._links: dict[int, int] = {}
        self._measured: int | None = None
        self.error: Exception | None = None
        """Why not everything is shown: an error in a malformed recording."""

    def _make(self, cells: int, glyphs: Glyphs) -> list[Row]:
        app: App[object] = self.app
        page = Page(cells, glyphs, palette_of(app).shades and not glyphs.ascii, app.no_color)
        self.error = None
        try:
            self._details.write(page)
        except Exception as error:  # a recording may be malformed
            self.error = error
            page.add(((_("the rest of it cannot be shown"), "error"),))
        self._links, self._measured = page.links, page.measured
        if self.chosen not in self._links:
            self.chosen = None
        return page.rows

    def title_text(self) -> str:
        return self._details.name

    def heading(self) -> Row:
        pieces: list[Piece] = []
        typed = self._details.choice.typed
        keys = [("Enter", _("go there"))] if self.chosen is not None else []
        keys += [("← →", f"{_('element')} {typed}".rstrip())] if self._details.choice.possible else []
        keys += [("c", _("chart"))] if self._details.tensor is not None else []
        keys += [("f", _("measure"))] if self.measurement is not None and self.measurement.possible else []
        for key, label in [*keys, ("Esc", _("back"))]:
            pieces += [(key, "key"), (f" {label}  ", "quiet")]
        return (*pieces[:-1], (f" {_('back')}", "quiet"))

    def subject(self, index: int) -> tuple[str, int] | None:
        step = self._links.get(index)
        return None if step is None else ("step", step)

    def move(self, rows: int) -> None:
        """Go to the next link if it is visible or in the next row; otherwise scroll."""
        page = self.page
        rows_with_links = sorted(self._links)
        if rows > 0:
            start = self.chosen if self.chosen is not None else self.top - 1
            target = next((row for row in rows_with_links if row > start), None)
        else:
            start = self.chosen if self.chosen is not None else self.top + page
            target = next((row for row in reversed(rows_with_links) if row < start), None)
        if target is not None and self.top - 1 <= target <= self.top + page:
            self.chosen = target
            self._bring_into_view(target, 0)
        else:
            self.scroll_rows(rows)
        self.paint()

    def show_measured(self) -> None:
        """Scroll to the measurement."""
        if self._measured is not None:
            self._bring_into_view(min(self._measured + 8, self.count() - 1), 0)
            self._bring_into_view(self._measured, 0)
            self.paint()

    def scroll_rows(self, rows: int) -> None:
        super().scroll_rows(rows)
        if self.chosen is not None and not self.top <= self.chosen < self.top + self.page:
            self.chosen = None
            self.paint()


class DetailsSheet(Sheet):
    """Shows the details until Esc, or until Enter goes to a step."""

    BINDINGS = bindings(_KEYS)

    def __init__(self, screen: LessonScreen, details: Details, measurement: Measurement | None) -> None:
        self._screen, self._details = screen, details
        self.details_pane = DetailsPane(details, measurement)
        self._complete = details.read()
        super().__init__(self.details_pane, 104)

    def on_mount(self) -> None:
        super().on_mount()
        self._read_on()

    def _read_on(self) -> None:
        """Schedule reading more of a long recording, while its beginning is shown already."""
        if not self._complete:
            self.set_timer(_READ_INTERVAL, self._read_more)

    def _read_more(self) -> None:
        self._complete = self._details.read()
        self._renew()
        self._read_on()

    def _renew(self) -> None:
        self.details_pane.renew()
        self.on_resize()

    def on_details_asked(self, message: DetailsAsked) -> None:
        """Go to the step of a link that was double-clicked."""
        message.stop()
        self._go(message.ref)

    def _go(self, step: int) -> None:
        self._screen.commands.go_to(step)
        self.dismiss()

    def on_key(self, event: events.Key) -> None:
        """Take digits and commas as the index of an element."""
        char = event.character
        if char and (char.isdecimal() or char == ",") and self._details.choice.possible:
            event.stop()
            self._details.choice.type(char)
            self._renew()

    def action_do(self, key: str) -> None:
        """Perform the action of a key."""
        pane, choice, tensor = self.details_pane, self._details.choice, self._details.tensor
        match key:
            case "enter":
                subject = pane.details()
                if subject is not None:
                    self._go(subject[1])
                else:
                    self.dismiss()
            case "up" | "down":
                pane.move(-1 if key == "up" else 1)
            case "before" | "after":
                choice.step(-1 if key == "before" else 1)
                self._renew()
            case "erase":
                choice.erase()
                self._renew()
            case "chart":
                if tensor is not None:
                    element = None if choice.element is None else (choice.element, choice.text)
                    self._screen.commands.chart_tensor(tensor.tensor, element)
                    self.dismiss()
            case "measure":
                if pane.measurement is not None and pane.measurement.possible and not pane.measurement.running:
                    pane.measurement.running = True
                    self.run_worker(self._measure(pane.measurement), group="measuring")
            case _:
                super().action_do(key)

    async def _measure(self, measurement: Measurement) -> None:
        self._renew()
        self.details_pane.show_measured()
        try:
            await measurement.measure(self._details.choice)
        finally:
            measurement.running = False
        if self.is_mounted:
            self._renew()
            self.details_pane.show_measured()
