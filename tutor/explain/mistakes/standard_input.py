"""Explain that a program found its standard input at its end."""

from __future__ import annotations

import re

from tutor.explain.mistakes.context import FailureContext
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.i18n import _

_MAX_STEPS = 1_000
"""Maximum steps searched back for the question that failed."""


@mistake("EOFError", r"^(EOF when reading a line)?$")
def explain_end_of_input(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain what `input()` and, without a message, `getpass()` raise at the end of standard input.

    No question is recorded where none could be answered: in a lesson, or at the end of a pipe.
    """
    if not match[0] and "getpass" not in context.statement:
        return None
    timeline, first = context.timeline, max(context.begin, context.step - _MAX_STEPS, 1)
    if any(timeline.kind(step) == "asked" for step in range(first, context.step)):
        return Diagnosis(
            _("The program asked for a line, and its standard input had ended: by Ctrl+D, or the pipe's last line."),
            fix=_("Type a line, or give a pipe one for each question: `printf '7\\n' | gradtutor record FILE`."),
        )
    happened = _("The program asked for a line, and its standard input was at its end.")
    if timeline.document is not None and timeline.document.title:
        return Diagnosis(happened, fix=_("The code of a lesson cannot ask: write the value into it."))
    return Diagnosis(
        happened,
        fix=_("`gradtutor open FILE` asks for it, or a pipe gives it: `printf '7\\n' | gradtutor record FILE`."),
    )
