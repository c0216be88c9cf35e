"""The details sheet of a tensor, a node or a step: lines that link to a step, keys that choose an element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from textual import events
from textual.app import App

from tutor.i18n import _, key_label
from tutor.study.model import Model
from tutor.trace.graph import is_leaf
from tutor.trace.state import TensorState
from tutor.ui.bindings import Key, bindings
from tutor.ui.details.measure import ElementChoice, Measurement
from tutor.ui.details.pages import NodeDetails, StepDetails, TensorDetails
from tutor.ui.details.writer import Page
from tutor.ui.panes.base import DetailsAsked
from tutor.ui.render.segments import Glyphs, Piece, Row
from tutor.ui.screens.sheet import SHEET_KEYS, Sheet, SheetPane
from tutor.ui.theme import palette_of

_READ_INTERVAL = 0.02
"""Seconds until more of a long recording is read."""

_KEYS = (
    *(key for key in SHEET_KEYS if key.id != "leave"),
    Key("leave", "escape,q,question_mark", "Esc"),
    Key("enter", "enter", "Enter"),
    Key("before", "left,h", "←", action="element(-1)"),
    Key("after", "right,l", "→", action="element(1)"),
    Key("erase", "backspace,delete", "Backspace"),
    Key("chart", "c", "c"),
    Key("measure", "f", "f"),
)


@dataclass(frozen=True)
class GoTo:
    """The learner goes to a step."""

    step: int


@dataclass(frozen=True)
class ChartTensor:
    """The learner charts a tensor, or removes it from the chart."""

    tensor: int
    element: tuple[int, str] | None
    """The place and the index as text of the only element; None for all of the tensor."""


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


def details_sheet(model: Model, subject: str, ref: int) -> DetailsSheet:
    """Return the sheet of `tensor`, `node` or `step` number `ref`, as it is at the cursor."""
    timeline, step, limit = model.timeline, model.cursor, model.limit
    state = timeline.state(step)
    details: Details
    measurement: Measurement | None = None
    if subject == "tensor" and ref in state.tensors:
        measurement = Measurement(model.session, timeline, step, state.tensors[ref])
        details = TensorDetails(timeline, step, limit, state.tensors[ref], measurement)
    elif subject == "node" and ref in state.nodes:
        node = state.nodes[ref]
        leaf = state.tensors.get(node.tensor or 0) if is_leaf(node) else None
        measurement = None if leaf is None else Measurement(model.session, timeline, step, leaf)
        details = NodeDetails(timeline, step, limit, node, measurement)
    else:
        details = StepDetails(timeline, max(step, 1))
    return DetailsSheet(details, measurement)


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
        keys = [("Enter", key_label("go there"))] if self.chosen is not None else []
        keys += [("← →", f"{key_label('element')} {typed}".rstrip())] if self._details.choice.possible else []
        keys += [("c", key_label("chart"))] if self._details.tensor is not None else []
        keys += [("f", key_label("measure"))] if self.measurement is not None and self.measurement.possible else []
        for key, label in [*keys, ("Esc", key_label("back"))]:
            pieces += [(key, "key"), (f" {label}  ", "quiet")]
        return (*pieces[:-1], (f" {key_label('back')}", "quiet"))

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


class DetailsSheet(Sheet[GoTo | ChartTensor]):
    """Shows the details until Esc, Enter at a link to a step, or `c`."""

    BINDINGS = bindings(_KEYS)

    def __init__(self, details: Details, measurement: Measurement | None) -> None:
        self._details = details
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
        self.dismiss(GoTo(message.ref))

    def on_key(self, event: events.Key) -> None:
        """Take digits and commas as the index of an element."""
        char = event.character
        if char and (char.isdecimal() or char == ",") and self._details.choice.possible:
            event.stop()
            self._details.choice.type(char)
            self._renew()

    def action_enter(self) -> None:
        """Go to the step of the marked link; without one, leave."""
        subject = self.details_pane.details()
        self.dismiss(None if subject is None else GoTo(subject[1]))

    def action_element(self, by: int) -> None:
        """Choose another element of the tensor."""
        self._details.choice.step(by)
        self._renew()

    def action_erase(self) -> None:
        """Take back what was typed of an index, or choose no element."""
        self._details.choice.erase()
        self._renew()

    def action_chart(self) -> None:
        """Chart the tensor, or its chosen element."""
        choice, tensor = self._details.choice, self._details.tensor
        if tensor is not None:
            element = None if choice.element is None else (choice.element, choice.text)
            self.dismiss(ChartTensor(tensor.tensor, element))

    def action_measure(self) -> None:
        """Measure the derivative, by running the program again."""
        measurement = self.details_pane.measurement
        if measurement is not None and measurement.possible and not measurement.running:
            measurement.running = True
            self.run_worker(self._measure(measurement), group="measuring")

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
