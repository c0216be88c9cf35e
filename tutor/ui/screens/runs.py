"""The list of runs of a program: which one is shown, which one is its ghost, and their names."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input

from tutor.i18n import K_, N_, _, key_label, ngettext
from tutor.study.runs import Run, Runs
from tutor.text_width import pad
from tutor.trace.number_format import number
from tutor.ui.bindings import BY_ID, PALETTE, Key, bindings
from tutor.ui.panes.base import Pane
from tutor.ui.render.segments import Piece, Row, clean, fit

_KEYS = (
    Key("open", "enter", "Enter", N_("walk the run under the mark"), K_("walk")),
    Key("ghost", "g", "g", N_("show it behind the run on the screen, or no more"), K_("compare")),
    Key("name", "n", "n", N_("give it another name"), K_("name")),
    Key("drop", "d", "d", N_("forget it"), K_("drop")),
    Key("leave", "escape,q,w", "Esc", N_("close the list of runs"), K_("back")),
    Key("up", "up,k", "↑", N_("the run before"), action="move(-1)"),
    Key("down", "down,j", "↓", N_("the run after"), action="move(1)"),
    Key("language", "L", "L", BY_ID["language"].about, action="app.change_language"),
    PALETTE._replace(keys="colon,ctrl+p", shown=": Ctrl+P"),
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

    def move(self, rows: int) -> None:
        """Select another run."""
        self.message = ""
        self.selected = max(0, min(self.selected + rows, len(self.runs.all) - 1))
        self.paint()

    def count(self) -> int:
        return len(self.runs.all) + 2

    def row(self, index: int, cells: int) -> Row:
        if index >= len(self.runs.all):
            pieces: list[Piece] = []
            for key in filter(lambda key: key.label, _KEYS):
                pieces += [(key.shown, "key"), (f" {key_label(key.label)}  ", "quiet")]
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


class RunsScreen(ModalScreen[Run]):
    """A modal list; the result is the run to show."""

    KEYS = _KEYS
    BINDINGS = bindings(_KEYS)

    class Changed(Message):
        """Posted to the screen below when the ghost or a name has changed."""

    def __init__(self, runs: Runs) -> None:
        super().__init__()
        self.runs = runs
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

    def _report_change(self) -> None:
        self.app.screen_stack[-2].post_message(self.Changed())

    @property
    def _selected(self) -> Run:
        return self.runs.all[self.pane.selected]

    def _another(self) -> bool:
        """Return whether the selected run is not the one on the screen; otherwise say that it is."""
        is_now = self._selected is self.runs.now
        self.pane.message = _("this run is on the screen: choose another one") if is_now else ""
        self.pane.paint()
        return not is_now

    def action_leave(self) -> None:
        """Close the list, or the field for a name."""
        if self.field.display:
            self._set_name(None)
        else:
            self.dismiss()

    def action_move(self, by: int) -> None:
        """Select another run."""
        self.pane.move(by)

    def action_open(self) -> None:
        """Walk the selected run."""
        self.dismiss(self._selected)

    def action_ghost(self) -> None:
        """Show the selected run behind the one on the screen, or no more."""
        if self._another():
            self.runs.ghost = None if self._selected is self.runs.ghost else self._selected
            self._report_change()

    def action_drop(self) -> None:
        """Forget the selected run."""
        if self._another():
            self.runs.drop(self._selected)
            self.pane.selected = min(self.pane.selected, len(self.runs.all) - 1)
            self._report_change()
            self.on_resize()
            self.pane.paint()

    def action_name(self) -> None:
        """Give the selected run another name."""
        self.pane.message = ""
        self.field.value, self.field.display = self._selected.name, True
        self.on_resize()
        self.field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._set_name(event.value.strip() or None)

    def _set_name(self, name: str | None) -> None:
        if name:
            self._selected.name = name
            self._report_change()
        self.field.display = False
        self.pane.focus()
        self.pane.paint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave letters to the input while a name is typed."""
        return not self.field.has_focus or action == "leave"
