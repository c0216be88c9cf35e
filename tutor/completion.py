"""Write what makes a shell complete the words after `gradtutor`, from the declarations of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

import shtab

from tutor.i18n import _
from tutor.lesson import catalog
from tutor.lesson.model import in_language
from tutor.options import COMMANDS, NO_COMMAND

_FILES = ("FILE", "TARGET", "PATH", "OUT.trace", "ARGS")
"""What the names of arguments begin with that are paths to files."""


def script(shell: str, lessons: Path, language: str) -> str:
    """Return the script that a shell reads.

    Args:
        shell: One of `options.SHELLS`.
        lessons: The folder of lessons.
        language: That of the descriptions, which some shells show.
    """
    for_all = NO_COMMAND.parents[1:]  # but for the lesson: each is a word, as the commands are
    parser = argparse.ArgumentParser("gradtutor", parents=for_all, add_help=False)
    words = parser.add_subparsers()
    for name, command in COMMANDS.items():
        words.add_parser(name, parents=command.parents, help=_(command.summary), add_help=False)
    for lesson in catalog.load(lessons).lessons:
        words.add_parser(lesson.id, parents=for_all, help=in_language(lesson.title, language), add_help=False)
    for each in (parser, *words.choices.values()):
        for action in each._actions:
            if action.help not in (None, argparse.SUPPRESS):
                action.help = _(action.help)
            metavar = str(action.metavar)
            if metavar.startswith(_FILES):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif metavar == "DIR":
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    return shtab.complete(parser, shell)
