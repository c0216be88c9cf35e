"""The editor of a cell's code, here or in the learner's own editor."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import TextArea

from tutor.i18n import _, key_label
from tutor.text_width import wrapped
from tutor.ui.panes.base import Surface
from tutor.ui.render.segments import Piece, Row, clean


class _Foot(Surface):
    """The lines below the editor: the problem, wrapped, and the keys."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__()
        self.problem = ""
        self.keys: list[Piece] = []

    def problem_rows(self, width: int) -> list[Row]:
        """Return the rows of the problem, for this width."""
        return wrapped([(clean(self.problem), "error")], max(width - 2, 1)) if self.problem else []

    def rows(self, width: int, height: int) -> list[Row]:
        rows: list[Row] = [((" ", "plain"), *row) for row in self.problem_rows(width)[: height - 1]]
        return [tuple((text, f"bar {role}") for text, role in row) for row in (*rows, tuple(self.keys))]


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
    """Edits code; the result is the code and whether to run it now."""

    BINDINGS = [
        Binding("f5,ctrl+r", "run", "run", show=False, priority=True),
        Binding("ctrl+o", "outside", "in $EDITOR", show=False, priority=True),
        Binding("f8", "original", "restore", show=False, priority=True),
        Binding("escape", "back", "back", show=False, priority=True),
    ]

    def __init__(self, title: str, text: str, original: str, problem: str = "") -> None:
        """Make the editor.

        Args:
            title: The title of the frame.
            text: The code to begin with.
            original: The code of the lesson.
            problem: Why the code did not run, if it was tried.
        """
        super().__init__()
        self._title, self._original, self._problem = title, original, problem
        self.area = _Area(
            text, language="python", show_line_numbers=True, tab_behavior="indent", soft_wrap=False, id="editor"
        )
        self.foot = _Foot()

    def compose(self) -> ComposeResult:
        yield self.area
        yield self.foot

    def on_mount(self) -> None:
        glyphs = self.foot.glyphs
        self.area.border_title = clean(self._title)
        self.area.set_class(glyphs.ascii, "-ascii")
        with contextlib.suppress(Exception):  # no highlighting without the language's parser
            self.area.theme = "css" if self.app.theme.endswith("light") else "vscode_dark"
        self.area.focus()
        self.say(self._problem)

    def on_resize(self) -> None:
        width, height = self.app.size
        editor_width = width if width <= 90 else min(width - 8, 110)
        foot_height = 1 + min(len(self.foot.problem_rows(editor_width)), height // 3)
        editor_height = max(min(height - foot_height, max(self.area.document.line_count + 6, 14)), 4)
        left, top = (width - editor_width) // 2, max((height - editor_height - foot_height) // 2, 0)
        for widget, y, rows in ((self.area, top, editor_height), (self.foot, top + editor_height, foot_height)):
            widget.styles.offset = (left, y)
            widget.styles.width, widget.styles.height = editor_width, rows

    def say(self, problem: str = "") -> None:
        """Show the keys, and above them the problem."""
        keys: list[Piece] = []
        for key, label in (
            ("F5", key_label("run")),
            ("Esc", key_label("back")),
            ("Ctrl+O", key_label("$EDITOR")),
            ("F8", key_label("restore")),
            ("Ctrl+Z", key_label("undo")),
        ):
            keys += [(" ", "quiet"), (key, "key"), (f" {label} ", "quiet")]
        self.foot.problem, self.foot.keys = problem, keys
        self.on_resize()
        self.foot.paint()

    @property
    def text(self) -> str:
        """The code as it is now."""
        return self.area.text

    def action_run(self) -> None:
        """Close the editor to run the code; a syntax error is shown instead."""
        try:
            compile(self.text, "<cell>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            self.say(
                _("line {number}: {problem}", number=line, problem=getattr(error, "msg", error)) if line else str(error)
            )
            if line:
                self.area.move_cursor((line - 1, 0))
            return
        self.dismiss((self.text, True))

    def action_back(self) -> None:
        """Close the editor without running the code."""
        self.dismiss((self.text, False))

    def action_original(self) -> None:
        """Restore the code of the lesson; Ctrl+Z undoes that."""
        self.area.replace(self._original, (0, 0), self.area.document.end)
        self.say()

    def action_outside(self) -> None:
        """Edit the code in the editor that `VISUAL` or `EDITOR` names."""
        command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
        if not command.strip():
            self.say(_("EDITOR names no editor"))
            return
        try:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                path = Path(folder) / "cell.py"
                path.write_text(self.text + "\n", encoding="utf-8")
                with self.app.suspend():
                    status = subprocess.call([*shlex.split(command), str(path)])
                changed = path.read_text(encoding="utf-8", errors="replace").rstrip("\n")
        except (OSError, ValueError, NotImplementedError) as error:
            self.say(f"{command}: {getattr(error, 'strerror', None) or error}")
            return
        if status:
            self.say(_("{command} ended with status {status}: nothing was taken over", command=command, status=status))
        elif changed != self.text:
            self.area.replace(changed, (0, 0), self.area.document.end)
            self.say()
