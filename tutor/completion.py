"""Write what makes a shell complete the words after `gradtutor`, from the declarations of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

import shtab

from tutor.arguments import make_whole_parser
from tutor.i18n import _
from tutor.lesson import catalog

_FILES = ("FILE", "TARGET", "PATH", "OUT.trace", "ARGS")
"""What the names of arguments begin with that are paths to files."""


def script(shell: str, lessons: Path, language: str) -> str:
    """Return the script that a shell reads.

    Args:
        shell: One of `arguments.SHELLS`.
        lessons: The folder of lessons.
        language: That of the descriptions, which some shells show.
    """
    titles = {lesson.id: lesson.title[language] for lesson in catalog.load(lessons).lessons}
    parser = make_whole_parser(titles)
    words = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for each in (parser, *words.choices.values()):
        for action in each._actions:
            if action.help not in (None, argparse.SUPPRESS):
                action.help = _(action.help)
            metavar = str(action.metavar)
            if metavar.startswith(_FILES):
                action.complete = shtab.FILE
            elif metavar == "DIR":
                action.complete = shtab.DIRECTORY
    return shtab.complete(parser, shell)
