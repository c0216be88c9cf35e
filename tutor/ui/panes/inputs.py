"""Where one types: an answer, a place to go to, a text to find.

What happens to text that is typed: a place to go to, a text to find, an answer."""

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
from tutor.ui.render.segments import Glyphs, Row, clean, phrase

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen

LONGEST = 500
_EXAMPLES = {
    "predict": N_("0.25, [1, 2], True or None, within a thousandth"),
    "choice": N_("the number of your choice"),
    "line": N_("its number, or ↑ ↓ to mark it in the code"),
}


class Ask(Input):
    """The answer to the question that is open."""

    def __init__(self) -> None:
        super().__init__(id="ask", max_length=LONGEST, select_on_focus=False)
        self.display = False
        self._about: Question | None = None
        self._said: object = None
        """In which language that is said, and whether in a frame."""

    def about(self, question: Question, framed: bool, glyphs: Glyphs) -> None:
        """Say what is asked for; a new question begins with an empty field."""
        self.set_class(framed, "-framed")
        self.set_class(glyphs.ascii, "-ascii")
        if question != self._about:
            self._about, self._said = question, None
            self.value = ""
        if self._said == (current_language(), framed):
            return
        self._said = current_language(), framed
        example = _(_EXAMPLES.get(question.kind, _EXAMPLES["predict"]))
        example = glyphs.text(example)
        self.placeholder = example if framed else _("answer: {example}", example=example)
        asked = {
            "predict": _("your answer: {expression}", expression=clean(question.of)),
            "line": _("which line?"),
        }.get(question.kind, _("your choice"))
        self.border_title = Content(f"? {asked}").markup
        self.border_subtitle = f"Enter {_('answer')}  s {_('skip')}"


class PromptLabel(Surface):
    """What is to be typed in the prompt."""

    BASE = "bar"

    def __init__(self) -> None:
        super().__init__(id="promptlabel")
        self.display = False
        self.text = ""

    def rows(self, width: int, height: int) -> list[Row]:
        return [((f" {self.text}", "bar now"),)]


class Prompt(Input):
    """A line in place of the explanation: where to go, or what to find."""

    def __init__(self) -> None:
        super().__init__(id="prompt", max_length=LONGEST)
        self.display = False
        self.purpose = ""
        """`go` or `find`."""


PURPOSES = {
    "go": (N_("go to"), N_("18   line 9   iteration 30   cell 2   pass 3   end")),
    "find": (N_("find"), N_("a name, a piece of code, or printed text; Enter again finds the next")),
}
_ANSWERS = "0123456789-.TFNI["
"""With these an answer can begin, and no key has another meaning for them."""
_BEGINNINGS = ("na", "in")
"""Of nan and inf: what the keys of their first letters mean leads nowhere where a question is open."""


class Prompts:
    """The line for typing and the field for answers of a lesson screen."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self._before = ""
        """The key pressed last where a question is open."""

    @property
    def does(self) -> str | None:
        """What Enter does where one types; None where one does not."""
        if self.screen.focused is self.screen.ask:
            return N_("answer")
        purpose = PURPOSES.get(self.screen.prompt.purpose) if self.screen.focused is self.screen.prompt else None
        return None if purpose is None else purpose[0]

    def open(self, purpose: str) -> None:
        """Show the line, in place of the explanation."""
        screen = self.screen
        screen.player.pause()
        screen.prompt.purpose, screen.prompt.value = purpose, ""
        self.speak()
        screen.set_focus(screen.prompt)  # at once: what was typed ahead is for it

    def speak(self) -> None:
        """Say what is to be typed."""
        screen = self.screen
        if screen.prompt.purpose not in PURPOSES:  # it is closed
            return
        label, example = PURPOSES[screen.prompt.purpose]
        screen.prompt.placeholder, screen.label.text = _(example), _(label)
        screen.places.prompt()

    def close(self) -> None:
        """Back to the explanation."""
        self.screen.prompt.purpose = ""
        self.screen.places.prompt()
        self.screen.places.focus_pane()
        self.screen.soon()

    def submitted(self, event: Input.Submitted) -> None:
        """Enter was pressed in one of the two."""
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
            step = moves.go(screen.timeline, screen.cursor, text)
        except PlaceError as error:
            screen.say((str(error), "error"))
            return
        screen.follow = False
        screen.cursor = step
        if step > screen.limit:
            screen.commands.say_gate()

    def _find(self, text: str) -> None:
        screen = self.screen
        step = moves.find(screen.timeline, screen.cursor, text.strip(), screen.limit)
        screen.label.text = _("find") if step is not None else _("not found")
        screen.places.prompt()
        screen.label.paint()
        if step is not None:
            screen.follow = False
            screen.cursor = step

    def pointing(self) -> tuple[int, str] | None:
        """The marked line of code, where the question is "which line?": its number and its text."""
        screen = self.screen
        question = screen.gate.question_at(screen.timeline, screen.cursor)
        asked = question is not None and question.kind == "line" and screen.focused in (screen.code, screen.ask)
        return screen.code.line() if asked else None

    def points(self) -> bool:
        """The answer to "which line?" is the line that is marked in the code; whether there was one."""
        line = self.pointing() if self.screen.focused is self.screen.code else None
        if line is not None:
            self._answer(str(line[0]))
        return line is not None

    def point(self, by: int) -> None:
        """In the field for the answer to "which line?": another line is marked in the code, and is the answer."""
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
        screen.places.focus_pane()
        if screen.asking:
            screen.say((_("noted; here is another question"), "quiet"))
            return
        screen.say(*phrase("walk on with {arrow}: the run will tell", arrow=(screen.explain.glyphs.arrow, "key")))

    def begin(self, char: str | None) -> bool:
        """Begin an answer with what was typed, if that can only be one."""
        both, self._before = self._before + (char or ""), char or ""
        question = self.screen.gate.question
        begun = both if both in _BEGINNINGS and question is not None and question.kind == "predict" else char
        if not begun or (begun == char and char not in _ANSWERS):
            return False
        self.screen.places.bring("lesson")
        self.screen.set_focus(self.screen.ask)
        self.screen.ask.insert_text_at_cursor(begun)
        return True

    def skip(self) -> None:
        """No answer: what the question hides is open."""
        screen = self.screen
        question = screen.gate.question_at(screen.timeline, screen.cursor)
        if question is not None:
            screen.study.skip(question.index)
            screen.places.focus_pane()
            screen.say((_("skipped"), "quiet"))
        else:
            screen.say((_("nothing is asked here"), "quiet"))
