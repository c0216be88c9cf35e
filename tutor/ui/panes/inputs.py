"""The text fields for the answer to a question and for a line that the program waits for."""

from __future__ import annotations

from typing import Any

from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from tutor.i18n import K_, N_, _, current_language, key_label
from tutor.study.answer_form import UNKNOWN, describe_form
from tutor.study.flow import Question
from tutor.trace.events import Waiting
from tutor.ui.bindings import pane_bindings
from tutor.ui.panes.prompt import MAX_LENGTH
from tutor.ui.render.segments import Glyphs, clean

_ANSWER_STARTS = "0123456789-.TFNI["
"""Characters that begin an answer; none of them is a key of the screen, but `[`."""
_ANSWER_PREFIXES = ("na", "in", "no")
"""First letters of nan, inf and none; the first of them are also keys, which do nothing while a question is open."""

MAX_LINE = 4_000
"""Bytes of a line that the program reads; a terminal drops what is beyond 4,095 of them."""


class AnswerInput(Input):
    """The field for the answer to the open question."""

    BINDINGS = pane_bindings(up=("mark_line(-1)", ""), down=("mark_line(1)", ""))
    enter_label = K_("answer")

    class LineMoved(Message):
        """Posted to mark another line of code as the answer."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def __init__(self) -> None:
        super().__init__(id="ask", max_length=MAX_LENGTH, select_on_focus=False)
        self.display = False
        self._last_key = ""
        """The last key pressed while a question is open."""
        self._question: Question | None = None
        self._is_boolean = False
        """Whether the answer is True or False, so that their small first letters begin it."""
        self._texts_for: object = None
        """The language and the framing that the texts were made for."""

    def ask_for(self, question: Question, framed: bool, glyphs: Glyphs, value: Any = UNKNOWN) -> None:
        """Show what is asked; a new question clears the field.

        Args:
            question: The question.
            framed: Whether there is room for a frame.
            glyphs: The characters to draw with.
            value: What the run answers: the hint tells its form, a number or a list, and no more.
        """
        self.set_class(framed, "-framed")
        self.set_class(glyphs.ascii, "-ascii")
        if question != self._question:
            self._question, self._texts_for = question, None
            self.value = ""
        form = describe_form(question, value)
        if question.kind == "line":
            form = _("{form}; {arrows} mark it in the code", form=form, arrows="↑ ↓")
        self._is_boolean = value is True or value is False
        if self._texts_for == (current_language(), framed, form):
            return
        self._texts_for = current_language(), framed, form
        example = form
        example = glyphs.text(example)
        self.placeholder = example if framed else f"? {example}"
        again = N_("your answer with other numbers: {expression}")
        title = {
            "predict": _(again if question.numbers else N_("your answer: {expression}"), expression=clean(question.of)),
            "line": _("which line?"),
        }.get(question.kind, _("your choice"))
        self.border_title = Content(f"? {title}").markup
        self.border_subtitle = f"Enter {key_label('answer')}  s {key_label('skip')}"

    def beginning(self, char: str | None) -> str:
        """Return what a key types that was pressed outside the field; empty if it cannot be meant as an answer."""
        last_two, self._last_key = self._last_key + (char or ""), char or ""
        if last_two in _ANSWER_PREFIXES and self._question is not None and self._question.kind == "predict":
            return last_two
        return char if char and self.begins(char) else ""

    def begins(self, char: str) -> bool:
        """Return whether this character begins an answer, whatever was pressed before."""
        return char in _ANSWER_STARTS + ("tf" if self._is_boolean else "")

    def action_mark_line(self, by: int) -> None:
        """Mark another line of code, for a question that asks for one."""
        if self._question is not None and self._question.kind == "line":
            self.post_message(self.LineMoved(by))


class ReplyInput(Input):
    """The field for a line that the program waits for."""

    BINDINGS = [Binding("ctrl+d", "end_input", show=False)]
    enter_label = K_("send")

    class Ended(Message):
        """Posted to end the program's input."""

    def __init__(self) -> None:
        super().__init__(id="reply", select_on_focus=False)
        self.display = False
        self._waiting: Waiting | None = None

    def ask_for(self, waiting: Waiting | None) -> None:
        """Ask for another line, or none; what was typed for the last one is dropped if either is secret."""
        if waiting is not self._waiting:
            if any(each is not None and each.secret for each in (waiting, self._waiting)):
                self.value = ""
            self._waiting = waiting
        if waiting is not None:
            self.password = waiting.secret

    def replace(self, text: str, start: int, end: int) -> None:
        """Replace a part of the line, unless the line gets longer than the program could read it."""
        first, last = sorted((start, end))
        line = self.value[:first] + text + self.value[last:]
        if len(line.encode(errors="replace")) > MAX_LINE:
            self.restricted()
        else:
            super().replace(text, start, end)

    def action_end_input(self) -> None:
        """End the program's input; in a line with text delete a character, as at a terminal."""
        if self.value:
            self.action_delete_right()
        else:
            self.post_message(self.Ended())
