"""Text fields of the lesson screen: the answer to a question, and the prompt for "go to" and "find".

`Prompts` handles what is typed in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Input

from tutor.i18n import N_, _, current_language
from tutor.lesson.answers import AnswerError
from tutor.study.flow import Question
from tutor.trace.navigation import PlaceError
from tutor.ui import moves
from tutor.ui.panes.base import Surface
from tutor.ui.render.segments import Glyphs, Row, clean, styled

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen

_MAX_LENGTH = 500
_EXAMPLES = {
    "predict": N_("0.25, [1, 2], True or None, within a thousandth"),
    "choice": N_("the number of your choice"),
    "line": N_("its number, or ↑ ↓ to mark it in the code"),
}


# ------------------------------------------------------------ widgets


class AnswerInput(Input):
    """The field for the answer to the open question."""

    def __init__(self) -> None:
        super().__init__(id="ask", max_length=_MAX_LENGTH, select_on_focus=False)
        self.display = False
        self._question: Question | None = None
        self._texts_for: object = None
        """The language and the framing that the texts were made for."""

    def ask_for(self, question: Question, framed: bool, glyphs: Glyphs) -> None:
        """Show what is asked; a new question clears the field."""
        self.set_class(framed, "-framed")
        self.set_class(glyphs.ascii, "-ascii")
        if question != self._question:
            self._question, self._texts_for = question, None
            self.value = ""
        if self._texts_for == (current_language(), framed):
            return
        self._texts_for = current_language(), framed
        example = _(_EXAMPLES.get(question.kind, _EXAMPLES["predict"]))
        example = glyphs.text(example)
        self.placeholder = example if framed else _("answer: {example}", example=example)
        title = {
            "predict": _("your answer: {expression}", expression=clean(question.of)),
            "line": _("which line?"),
        }.get(question.kind, _("your choice"))
        self.border_title = Content(f"? {title}").markup
        self.border_subtitle = f"Enter {_('answer')}  s {_('skip')}"


class PromptLabel(Surface):
    """The label in front of the prompt."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__(id="promptlabel")
        self.display = False
        self.text = ""

    def rows(self, width: int, height: int) -> list[Row]:
        return [((f" {self.text}", "bar now"),)]


class Prompt(Input):
    """The prompt, shown in place of the explanation."""

    def __init__(self) -> None:
        super().__init__(id="prompt", max_length=_MAX_LENGTH)
        self.display = False
        self.purpose = ""
        """`go` or `find`; empty while it is closed."""


# ------------------------------------------------------------ handling of input


PURPOSES = {
    "go": (N_("go to"), N_("18   line 9   iteration 30   cell 2   pass 3   end")),
    "find": (N_("find"), N_("a name, a piece of code, or printed text; Enter again finds the next")),
}
_ANSWER_STARTS = "0123456789-.TFNI["
"""Characters that begin an answer; none of them is a key of the screen."""
_ANSWER_PREFIXES = ("na", "in")
"""First letters of nan and inf; their first letters are also keys, which do nothing while a question is open."""


class Prompts:
    """Controller of the prompt and the answer field of a lesson screen."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self._last_key = ""
        """The last key pressed while a question is open."""

    @property
    def enter_action(self) -> str | None:
        """What Enter does in the focused field; None if no field has the focus."""
        if self.screen.focused is self.screen.ask:
            return N_("answer")
        purpose = PURPOSES.get(self.screen.prompt.purpose) if self.screen.focused is self.screen.prompt else None
        return None if purpose is None else purpose[0]

    def open(self, purpose: str) -> None:
        """Show the prompt in place of the explanation."""
        screen = self.screen
        screen.player.pause()
        screen.prompt.purpose, screen.prompt.value = purpose, ""
        self.update_texts()
        screen.set_focus(screen.prompt)  # at once, so that it gets the keys typed ahead

    def update_texts(self) -> None:
        """Set the label and the placeholder of the prompt."""
        screen = self.screen
        if screen.prompt.purpose not in PURPOSES:  # closed
            return
        label, example = PURPOSES[screen.prompt.purpose]
        screen.prompt.placeholder, screen.label.text = _(example), _(label)
        screen.pane_layout.place_prompt()

    def close(self) -> None:
        """Return to the explanation."""
        self.screen.prompt.purpose = ""
        self.screen.pane_layout.place_prompt()
        self.screen.pane_layout.focus_pane()
        self.screen.update_soon()

    def submitted(self, event: Input.Submitted) -> None:
        """Handle Enter in either field."""
        if event.input is self.screen.ask:
            self._answer(event.value)
        elif self.screen.prompt.purpose == "go":
            self._go(event.value)
        else:
            self._find(event.value)

    def _go(self, text: str) -> None:
        screen = self.screen
        self.close()
        if not text.strip():
            return
        try:
            step = moves.resolve_typed(screen.timeline, screen.cursor, text)
        except PlaceError as error:
            screen.say((str(error), "error"))
            return
        screen.follow = False
        screen.cursor = step
        if step > screen.limit:
            screen.commands.say_gate()

    def _find(self, text: str) -> None:
        screen = self.screen
        step = moves.find_text(screen.timeline, screen.cursor, text.strip(), screen.limit)
        screen.label.text = _("find") if step is not None else _("not found")
        screen.pane_layout.place_prompt()
        screen.label.paint()
        if step is not None:
            screen.follow = False
            screen.cursor = step

    def marked_line(self) -> tuple[int, str] | None:
        """Return the number and text of the marked line of code if a "which line?" question is open, else None."""
        screen = self.screen
        question = screen.gate.question_at(screen.timeline, screen.cursor)
        if question is None or question.kind != "line" or screen.focused not in (screen.code, screen.ask):
            return None
        return screen.code.line()

    def answer_marked_line(self) -> bool:
        """Answer "which line?" with the line marked in the code pane; return whether there is one."""
        line = self.marked_line() if self.screen.focused is self.screen.code else None
        if line is not None:
            self._answer(str(line[0]))
        return line is not None

    def move_marked_line(self, by: int) -> None:
        """Mark another line of code and put its number into the answer field, if the question is "which line?"."""
        screen = self.screen
        question = screen.gate.question_at(screen.timeline, screen.cursor)
        if question is not None and question.kind == "line":
            screen.code.move(by)
            line = screen.code.line()
            if line is not None:
                screen.ask.value = str(line[0])

    def _answer(self, text: str) -> None:
        screen = self.screen
        question = screen.gate.question_at(screen.timeline, screen.cursor)
        if question is None:
            return
        try:
            screen.study.answer(question.index, text, screen.timeline)
        except AnswerError as error:
            screen.say((str(error), "error"))
            return
        screen.pane_layout.focus_pane()
        if screen.asking:
            screen.say((_("noted; here is another question"), "quiet"))
            return
        screen.say(*styled("walk on with {arrow}: the run will tell", arrow=(screen.explain.glyphs.arrow, "key")))

    def begin_answer(self, char: str | None) -> bool:
        """Begin an answer with the typed character if it can only be that; return whether it was."""
        last_two, self._last_key = self._last_key + (char or ""), char or ""
        question = self.screen.gate.question
        is_number = last_two in _ANSWER_PREFIXES and question is not None and question.kind == "predict"
        start = last_two if is_number else char
        if not start or (start == char and char not in _ANSWER_STARTS):
            return False
        self.screen.pane_layout.show_pane("lesson")
        self.screen.set_focus(self.screen.ask)
        self.screen.ask.insert_text_at_cursor(start)
        return True

    def skip(self) -> None:
        """Skip the open question, which reveals what it hides."""
        screen = self.screen
        question = screen.gate.question_at(screen.timeline, screen.cursor)
        if question is not None:
            screen.study.skip(question.index)
            screen.pane_layout.focus_pane()
            screen.say((_("skipped"), "quiet"))
        else:
            screen.say((_("nothing is asked here"), "quiet"))
