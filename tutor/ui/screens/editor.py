"""The editor of a cell's code, here or in the learner's own editor."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.widgets import TextArea

from tutor.i18n import K_, N_, _, key_label
from tutor.text_width import wrapped
from tutor.ui.bindings import BY_ID, PALETTE, Key, bindings
from tutor.ui.panes.base import Surface
from tutor.ui.render.segments import Piece, Row, clean


class _Keys(Surface):
    """The keys, below the editor."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[Piece] = []

    def rows(self, width: int, height: int) -> list[Row]:
        return [tuple((text, f"bar {role}") for text, role in self.keys)]


class _Problem(Surface):
    """What is wrong with the code: under its line, or above the keys where it has none."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.line: int | None = None
        """The line of the code, from 1."""

    def problem_rows(self, width: int) -> list[Row]:
        """Return the rows of the problem, for this width."""
        return wrapped([(clean(self.text), "bar error")], max(width - 3, 1)) if self.text else []

    def rows(self, width: int, height: int) -> list[Row]:
        marks = [f"{self.glyphs.no} ", *["  "] * height]
        return [
            ((mark, "bar error"), *row) for mark, row in zip(marks, self.problem_rows(width)[:height], strict=False)
        ]


class _Area(TextArea):
    """A Python text area: a new line keeps the indentation, and is one level deeper after a colon."""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            row, column = self.cursor_location
            before = self.document.get_line(row)[:column]
            indent = before[: len(before) - len(before.lstrip(" "))]
            deeper = " " * self.indent_width if before.rstrip().endswith(":") else ""
            self.replace("\n" + indent + deeper, *self.selection)
            return
        await super()._on_key(event)


class Editor(ModalScreen[tuple[str, bool]]):
    """Edits code in the place of the code pane; the result is the code and whether to run it now.

    With `attempt` it stays open while the code runs: `report` says what came of it.
    """

    KEYS = (
        Key("run", "f5,ctrl+r", "F5", N_("run the code; that of an exercise is checked too"), K_("run")),
        Key("back", "escape", "Esc", N_("close the editor; what was typed is kept"), K_("back")),
        Key("hint", "f2", "F2", BY_ID["hint"].about, K_("hint")),
        Key("help", "f1", "F1", BY_ID["help"].about, K_("help"), action="app.help"),
        Key("original", "f8", "F8", N_("the code as it is in the file; Ctrl+Z takes that back"), K_("restore")),
        Key("outside", "ctrl+o", "Ctrl+O", N_("edit it in the editor that VISUAL or EDITOR names"), K_("$EDITOR")),
        PALETTE,
    )
    BINDINGS = bindings(KEYS, priority=True)

    def __init__(
        self, title: str, text: str, original: str, place: Callable[[], Region], *,
        attempt: Callable[[str], None] | None = None, hint: Callable[[], None] | None = None, is_notebook: bool = False,
    ) -> None:  # fmt: skip
        """Make the editor.

        Args:
            title: The title of the frame.
            text: The code to begin with.
            original: The code of the lesson.
            place: Returns where the code pane is.
            attempt: Runs the code of an exercise.
            hint: Shows the next hint of the exercise.
            is_notebook: Whether it is a cell of a notebook, whose run takes commands of IPython and `await` too.
        """
        super().__init__()
        self._title, self._original, self._place = title, original, place
        self._attempt, self._hint, self._is_notebook = attempt, hint, is_notebook
        self.area = _Area(
            text, language="python", show_line_numbers=True, tab_behavior="indent", soft_wrap=False, id="editor"
        )
        self.keys, self.problem = _Keys(), _Problem()

    def compose(self) -> ComposeResult:
        yield self.area
        yield self.problem
        yield self.keys

    def on_mount(self) -> None:
        glyphs = self.keys.glyphs
        self.area.border_title = clean(self._title)
        self.area.set_class(glyphs.ascii, "-ascii")
        with contextlib.suppress(Exception):  # no highlighting without the language's parser
            self.area.theme = "css" if self.app.theme.endswith("light") else "vscode_dark"
        self.area.focus()
        self.show_keys()
        self.watch(self.area, "scroll_y", self.place_problem, init=False)
        self.on_resize()

    def on_resize(self) -> None:
        region = self._place()
        area, keys = region.split_horizontal(-1)
        for widget, place in ((self.area, area), (self.keys, keys)):
            widget.styles.offset = (place.x, place.y)
            widget.styles.width, widget.styles.height = place.width, place.height
        self.call_after_refresh(self.place_problem)

    def show_keys(self) -> None:
        """Show the keys."""
        keys = [(key.shown, key_label(key.label)) for key in self.KEYS if key.label and self.check_action(key.id, ())]
        keys.append(("Ctrl+Z", key_label("undo")))
        self.keys.keys = []
        for key, label in keys:
            self.keys.keys += [(" ", "quiet"), (key, "key"), (f" {label} ", "quiet")]
        self.keys.paint()

    def report(self, text: str = "", line: int | None = None) -> None:
        """Show a problem under its line of the code, or above the keys; without a text there is none."""
        self.problem.text = text
        self.problem.line = line if line is not None and 1 <= line <= self.area.document.line_count else None
        if self.problem.line is not None:
            self.area.move_cursor((self.problem.line - 1, 0))
        self.place_problem()

    def place_problem(self) -> None:
        """Put the problem under its line, where that is in view, and beside the scrollbar: Textual cuts the rows of a
        widget at the edges of those beneath, and loses a wide character across."""
        area, problem = self.area, self.problem
        width = max(area.region.width - 2 - area.scrollbar_size_vertical, 1)
        rows = min(len(problem.problem_rows(width)), max(area.region.height - 3, 1))
        bottom = area.region.bottom - 1 - rows
        top = bottom
        if problem.line is not None:
            top = min(area.region.y + 1 + problem.line - area.scroll_offset.y, bottom)
        problem.display = bool(rows) and area.region.height > 2
        problem.styles.offset = (area.region.x + 1, top)
        problem.styles.width, problem.styles.height = width, rows
        problem.paint()

    def on_text_area_changed(self) -> None:
        """Hide the problem: the code is another one."""
        if self.problem.text:
            self.report()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does something: only an exercise has hints."""
        return action != "hint" or self._hint is not None

    @property
    def text(self) -> str:
        """The code as it is now."""
        return self.area.text

    def action_run(self) -> None:
        """Run the code, for which the editor of a cell is closed; a syntax error is shown instead.

        Of a notebook's cell the run shows it.
        """
        try:
            if not self._is_notebook:
                compile(self.text, "<cell>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            self.report(str(getattr(error, "msg", error)), getattr(error, "lineno", None))
            return
        if self._attempt is None:
            self.dismiss((self.text, True))
        else:
            self.report()
            self._attempt(self.text)

    def action_hint(self) -> None:
        """Show the next hint of the exercise."""
        if self._hint is not None:
            self._hint()

    def action_back(self) -> None:
        """Close the editor without running the code."""
        self.dismiss((self.text, False))

    def action_original(self) -> None:
        """Restore the code of the lesson; Ctrl+Z undoes that."""
        self.area.replace(self._original, (0, 0), self.area.document.end)
        self.report()

    def action_outside(self) -> None:
        """Edit the code in the editor that `VISUAL` or `EDITOR` names."""
        command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
        if not command.strip():
            self.report(_("EDITOR names no editor"))
            return
        try:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                path = Path(folder) / "cell.py"
                path.write_text(self.text + "\n", encoding="utf-8")
                with self.app.suspend():
                    status = subprocess.call([*shlex.split(command), str(path)])
                changed = path.read_text(encoding="utf-8", errors="replace").rstrip("\n")
        except (OSError, ValueError, NotImplementedError) as error:
            self.report(f"{command}: {getattr(error, 'strerror', None) or error}")
            return
        if status:
            self.report(
                _("{command} ended with status {status}: nothing was taken over", command=command, status=status)
            )
        elif changed != self.text:
            self.area.replace(changed, (0, 0), self.area.document.end)
            self.report()
