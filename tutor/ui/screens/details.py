"""The sheet that tells everything about a thing: a mark on the lines that lead to a step, keys for an element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from textual import events
from textual.app import App

from tutor.i18n import _
from tutor.trace.graph import is_leaf
from tutor.trace.state import TensorState
from tutor.ui.bindings import Key, bindings
from tutor.ui.details.measure import Choice, Measuring
from tutor.ui.details.node import AboutNode
from tutor.ui.details.step import AboutStep
from tutor.ui.details.tensor import AboutTensor
from tutor.ui.details.writer import Page
from tutor.ui.panes.base import DetailsAsked
from tutor.ui.render.segments import Glyphs, Piece, Row
from tutor.ui.screens.sheet import KEYS, Sheet, SheetPane
from tutor.ui.theme import palette_of

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen

_SOON = 0.02
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


class About(Protocol):
    """What a sheet is about."""

    choice: Choice

    @property
    def name(self) -> str:
        """What the frame calls it."""

    @property
    def tensor(self) -> TensorState | None:
        """What can be charted and measured."""

    def read(self) -> bool:
        """Read on in the recording; whether all of it was read."""

    def write(self, page: Page) -> None:
        """All that is known."""


def about(screen: LessonScreen, subject: str, ref: int) -> AboutSheet:
    """The sheet about `tensor`, `node` or `step` number `ref`, as it is at the cursor."""
    timeline, step, limit = screen.timeline, screen.cursor, screen.limit
    state = timeline.state(step)
    found: About
    measuring: Measuring | None = None
    if subject == "tensor" and ref in state.tensors:
        measuring = Measuring(screen.session, timeline, step, state.tensors[ref])
        found = AboutTensor(timeline, step, limit, state.tensors[ref], measuring)
    elif subject == "node" and ref in state.nodes:
        node = state.nodes[ref]
        leaf = state.tensors.get(node.tensor or 0) if is_leaf(node) else None
        measuring = None if leaf is None else Measuring(screen.session, timeline, step, leaf)
        found = AboutNode(timeline, step, limit, node, measuring)
    else:
        found = AboutStep(timeline, max(step, 1))
    return AboutSheet(screen, found, measuring)


class AboutPane(SheetPane):
    """The text of such a sheet; ↑ and ↓ stop at the lines that lead somewhere, else they scroll."""

    CHOOSES = True

    def __init__(self, found: About, measuring: Measuring | None) -> None:
        super().__init__("", self._make)
        self._about, self.measuring = found, measuring
        self._links: dict[int, int] = {}
        self._measured: int | None = None
        self.broken: Exception | None = None
        """Why not all is shown."""

    def _make(self, cells: int, glyphs: Glyphs) -> list[Row]:
        app: App[object] = self.app
        page = Page(cells, glyphs, palette_of(app).shades and not glyphs.ascii, app.no_color)
        self.broken = None
        try:
            self._about.write(page)
        except Exception as error:  # a recording may come from a stranger
            self.broken = error
            page.add(((_("the rest of it cannot be shown"), "error"),))
        self._links, self._measured = page.links, page.measured
        if self.chosen not in self._links:
            self.chosen = None
        return page.rows

    def title_text(self) -> str:
        return self._about.name

    def heading(self) -> Row:
        pieces: list[Piece] = []
        typed = self._about.choice.typed
        keys = [("Enter", _("go there"))] if self.chosen is not None else []
        keys += [("← →", f"{_('element')} {typed}".rstrip())] if self._about.choice.possible else []
        keys += [("c", _("chart"))] if self._about.tensor is not None else []
        keys += [("f", _("measure"))] if self.measuring is not None and self.measuring.possible else []
        for key, label in [*keys, ("Esc", _("back"))]:
            pieces += [(key, "key"), (f" {label}  ", "quiet")]
        return (*pieces[:-1], (f" {_('back')}", "quiet"))

    def subject(self, index: int) -> tuple[str, int] | None:
        step = self._links.get(index)
        return None if step is None else ("step", step)

    def move(self, rows: int) -> None:
        """To the next line that leads somewhere, if it is in view or just outside; else the text moves."""
        page = self.page
        known = sorted(self._links)
        if rows > 0:
            start = self.chosen if self.chosen is not None else self.top - 1
            found = next((at for at in known if at > start), None)
        else:
            start = self.chosen if self.chosen is not None else self.top + page
            found = next((at for at in reversed(known) if at < start), None)
        if found is not None and self.top - 1 <= found <= self.top + page:
            self.chosen = found
            self._bring_into_view(found, 0)
        else:
            self.scroll_rows(rows)
        self.paint()

    def show_measured(self) -> None:
        """Bring the measurement into view."""
        if self._measured is not None:
            self._bring_into_view(min(self._measured + 8, self.count() - 1), 0)
            self._bring_into_view(self._measured, 0)
            self.paint()

    def scroll_rows(self, rows: int) -> None:
        super().scroll_rows(rows)
        if self.chosen is not None and not self.top <= self.chosen < self.top + self.page:
            self.chosen = None
            self.paint()


class AboutSheet(Sheet):
    """Everything about a thing, until Esc, or until Enter goes to a step."""

    BINDINGS = bindings(_KEYS)

    def __init__(self, screen: LessonScreen, found: About, measuring: Measuring | None) -> None:
        self._screen, self._about = screen, found
        self.about_pane = AboutPane(found, measuring)
        self._complete = found.read()
        super().__init__(self.about_pane, 104)

    def on_mount(self) -> None:
        super().on_mount()
        self._read_on()

    def _read_on(self) -> None:
        """More of a long recording is read while the first of it can be seen."""
        if not self._complete:
            self.set_timer(_SOON, self._read_more)

    def _read_more(self) -> None:
        self._complete = self._about.read()
        self._renew()
        self._read_on()

    def _renew(self) -> None:
        self.about_pane.renew()
        self.on_resize()

    def on_details_asked(self, message: DetailsAsked) -> None:
        """A line that leads to a step was clicked twice."""
        message.stop()
        self._go(message.ref)

    def _go(self, step: int) -> None:
        self._screen.commands.go_to(step)
        self.dismiss()

    def on_key(self, event: events.Key) -> None:
        """Digits and commas are the index of an element."""
        char = event.character
        if char and (char.isdecimal() or char == ",") and self._about.choice.possible:
            event.stop()
            self._about.choice.type(char)
            self._renew()

    def action_do(self, key: str) -> None:
        pane, choice, tensor = self.about_pane, self._about.choice, self._about.tensor
        match key:
            case "enter":
                found = pane.details()
                if found is not None:
                    self._go(found[1])
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
                if pane.measuring is not None and pane.measuring.possible and not pane.measuring.running:
                    pane.measuring.running = True
                    self.run_worker(self._measure(pane.measuring), group="measuring")
            case _:
                super().action_do(key)

    async def _measure(self, measuring: Measuring) -> None:
        self._renew()
        self.about_pane.show_measured()
        try:
            await measuring.measure(self._about.choice)
        finally:
            measuring.running = False
        if self.is_mounted:
            self._renew()
            self.about_pane.show_measured()
