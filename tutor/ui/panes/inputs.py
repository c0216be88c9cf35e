"""Where one types: an answer, a place to go to, a text to find."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Input

from tutor.i18n import N_, _, current_language
from tutor.study.flow import Question
from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.row import Row, clean
from tutor.ui.panes.surface import Surface

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
