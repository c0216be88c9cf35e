"""The list of runs of a program: which one is shown, which one is its ghost, and their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input

from tutor.i18n import N_, _, ngettext
from tutor.study.runs import Run, Runs
from tutor.text_width import pad
from tutor.trace.values import number
from tutor.ui.bindings import Key, bindings
from tutor.ui.panes.base import Pane
from tutor.ui.render.segments import EMPTY, Piece, Row, clean, fit

if TYPE_CHECKING:
    from tutor.ui.app import GradtutorApp

_KEYS = (
    Key("leave", "escape,q,w", "Esc", N_("back"), "back"),
    Key("up", "up,k", "↑", "up", "up"),
    Key("down", "down,j", "↓", "down", "down"),
    Key("open", "enter", "Enter", N_("walk"), "walk this run"),
    Key("ghost", "g", "g", N_("compare"), "show it behind the run on the screen, or no more"),
    Key("name", "n", "n", N_("name"), "give it another name"),
    Key("drop", "d", "d", N_("drop"), "forget it"),
    Key("language", "L", "L", "language", "the next language"),
)


class RunsPane(Pane):
    """A row for each run."""

    NAME = N_("runs")

    def __init__(self, runs: Runs) -> None:
        super().__init__(id="runs")
        self.runs = runs
        self.selected = max(len(runs.all) - 1, 0)
        self.message = ""
        """A message about the last key."""

    def heading(self) -> Row:
        return EMPTY

    def count(self) -> int:
        return len(self.runs.all) + 2

    def row(self, index: int, cells: int) -> Row:
        if index >= len(self.runs.all):
            pieces: list[Piece] = []
            for key in (*_KEYS[3:-1], _KEYS[0]):
                pieces += [(key.shown, "key"), (f" {_(key.label)}  ", "quiet")]
            return tuple(pieces) if index > len(self.runs.all) else ((self.message, "note"),)
        run = self.runs.all[index]
        glyphs = self.glyphs
        mark = (
            (f"{glyphs.now} ", "now")
            if run is self.runs.now
            else (f"{glyphs.freed} ", "quiet")
            if run is self.runs.ghost
            else ("  ", "")
        )
        row: Row = (mark, (pad(clean(run.name), max(cells - 40, 16)), "strong"), (f"  {describe_run(run)}", "quiet"))
        if index != self.selected:
            return row
        return fit(tuple((text, f"chosen {role}") for text, role in row), cells, "chosen", glyphs.more)


def describe_run(run: Run) -> str:
    """Return the length of a run and the last values of its curves."""
    timeline = run.timeline
    last = [f"{name} {number(points[-1].value)}" for name, points in list(timeline.series.items())[:2] if points]
    return _(", ").join([ngettext("{count:,} step", "{count:,} steps", timeline.steps), *last])


class RunsScreen(ModalScreen[None]):
    """A modal list. `walk` is called with the run to show, `changed` when the ghost or a name changes."""

    BINDINGS = bindings(_KEYS)

    def __init__(self, runs: Runs, walk: Callable[[Run], None], changed: Callable[[], None]) -> None:
        super().__init__()
        self.runs, self._show_run, self._report_change = runs, walk, changed
        self.pane = RunsPane(runs)
        self.field = Input(max_length=40)
        self.field.display = False

    def compose(self) -> ComposeResult:
        yield self.pane
        yield self.field

    def on_mount(self) -> None:
        self.on_resize()
        self.pane.focus()
        self.set_interval(0.5, self.pane.paint)  # a run may still grow

    def on_resize(self) -> None:
        columns, lines = self.app.size
        pane_width, pane_height = min(columns, 84), min(self.pane.count() + 2, lines)
        left, top = (columns - pane_width) // 2, (lines - pane_height) // 2
        self.pane.styles.offset = (left, top)
        self.pane.styles.width, self.pane.styles.height = pane_width, pane_height
        self.field.styles.offset = (left + 4, top + 1 + self.pane.selected)
        self.field.styles.width = pane_width - 6

    def speak(self, _language: str) -> None:
        """Change the language, and draw everything again."""
        self.pane.paint()

    def action_do(self, key: str) -> None:
        """Perform the action of a key."""
        if self.field.display:
            if key == "leave":
                self._set_name(None)
            return
        run = self.runs.all[self.pane.selected]
        self.pane.message = ""
        match key:
            case "ghost" | "drop" if run is self.runs.now:
                self.pane.message = _("this run is on the screen: choose another one")
            case "leave":
                self.dismiss()
            case "up" | "down":
                index = self.pane.selected + (1 if key == "down" else -1)
                self.pane.selected = max(0, min(index, len(self.runs.all) - 1))
            case "open":
                self.dismiss()
                self._show_run(run)
            case "ghost":
                self.runs.ghost = None if run is self.runs.ghost else run
                self._report_change()
            case "drop":
                self.runs.drop(run)
                self.pane.selected = min(self.pane.selected, len(self.runs.all) - 1)
                self._report_change()
                self.on_resize()
            case "language":
                cast("GradtutorApp", self.app).change_language()
            case "name":
                self.field.value, self.field.display = run.name, True
                self.on_resize()
                self.field.focus()
        self.pane.paint()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._set_name(event.value.strip() or None)

    def _set_name(self, name: str | None) -> None:
        if name:
            self.runs.all[self.pane.selected].name = name
            self._report_change()
        self.field.display = False
        self.pane.focus()
        self.pane.paint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave letters to the input while a name is typed."""
        return not self.field.has_focus or parameters[:1] == ("leave",)
