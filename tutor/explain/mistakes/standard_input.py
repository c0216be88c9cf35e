"""Explain that a program found its standard input at its end."""

from __future__ import annotations

import re

from tutor.explain.mistakes.context import FailureContext
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.i18n import _


@mistake("EOFError", r"^(EOF when reading a line)?$")
def explain_end_of_input(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain what `input()` and, without a message, `getpass()` raise at the end of standard input."""
    if not match[0] and "getpass" not in context.statement:
        return None
    return Diagnosis(
        _("The program asked for a line, and its standard input had ended: by Ctrl+D, or the pipe's last line."),
        fix=_("Type a line, or give a pipe one for each question: `printf '7\\n' | gradtutor record FILE`."),
    )
