"""The prompt: the text field for places, texts to find, lessons and files."""

from __future__ import annotations

from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from tutor.i18n import K_, N_, _
from tutor.ui.panes.base import Surface
from tutor.ui.render.segments import Row

MAX_LENGTH = 500
"""Maximum number of characters that one can type."""


class PromptLabel(Surface):
    """The label in front of the prompt."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__(id="promptlabel")
        self.display = False
        self.text = ""

    def rows(self, width: int, height: int) -> list[Row]:
        return [((f" {self.text}", "bar now"),)]


PURPOSES = {
    "go": (K_("go to"), N_("18   line 9   iteration 30   cell 2   pass 3   end")),
    "find": (K_("find"), N_("a name, code or printed text; Enter: the next, ↑: the one before")),
    "lessons": (K_("open"), N_("a part of a title, a summary or a topic; ↑ ↓ choose")),
    "file": (K_("open"), N_("the path of a Python script with its arguments, of a notebook or a recording")),
    "note": (K_("bookmark"), N_("a note to this step, or nothing")),
    "filter": (K_("show"), N_("a part of a name   none: no gradient   nan   >100   nothing: all")),
}


class Prompt(Input):
    """The prompt, shown in place of the explanation."""

    BINDINGS = [
        Binding("up,shift+enter", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
    ]

    class Moved(Message):
        """Posted to go on, or back, in what was found."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def __init__(self) -> None:
        super().__init__(id="prompt", max_length=MAX_LENGTH, select_on_focus=False)
        self.display = False
        self.purpose = ""
        """A key of `PURPOSES`; empty while it is closed."""

    def begin(self, purpose: str, value: str = "") -> None:
        """Open it for a purpose, with a text that one may go on with."""
        self.purpose, self.value = purpose, value
        self.cursor_position = len(value)

    def action_move(self, by: int) -> None:
        """Ask for the next or previous one of what was found."""
        self.post_message(self.Moved(by))

    @property
    def enter_label(self) -> str:
        """What Enter does."""
        return PURPOSES[self.purpose][0]

    @property
    def example(self) -> str:
        """What may be typed."""
        return _(PURPOSES[self.purpose][1])
