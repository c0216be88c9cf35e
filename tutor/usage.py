"""What `--help` says, and the parser that says it in the language of the interface."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn
from unicodedata import east_asian_width

from tutor.i18n import N_, _, languages


def main_help() -> str:
    """That of `gradtutor` itself."""
    return _(
        """\
usage: gradtutor [OPTIONS] [LESSON]
       gradtutor COMMAND [OPTIONS] …

Walk real PyTorch code in the terminal, forward and back in time, down to each node of the backward pass.

Without LESSON and COMMAND the list of lessons opens. LESSON is a lesson's id (graph/two-paths), its slug (two-paths)
or a part of its id that no other has; a path to a script or a recording opens that.

commands:
  open FILE [ARGS…]            open a Python script of your own, unchanged; what follows FILE is the script's
  record [-o OUT.trace] FILE [ARGS…]
                               run a script without a screen and keep the recording
  view OUT.trace               walk through a recording; needs no torch
  list [--json]                the lessons
  steps TARGET [--json]        the steps of a lesson, a script or a recording, one per line
  show TARGET [--at WHERE] [--json]
                               everything at one point, as text
  check [PATH…] [--json]       for authors of lessons: what is wrong with them, with file and line
  new FAMILY/SLUG              write a lesson to begin with
  doctor                       Python, torch, CUDA, the terminal, and what does not fit
  COMMAND --help               more about a command

options, before or after a command's TARGET:
  --plain                      walk without a full screen: a step per Enter
  --device cpu|cuda|cuda:1     set the knob `device` of a lesson or script
  --lang {languages:21} the language, else that of the locale; L changes it on the screen
  --set KNOB=VALUE             set a knob for this run; may be repeated
  --lessons DIR                take the lessons from this folder, not those that come with gradtutor
  --version                    say which version this is
  -h, --help                   show this help

exit status: 0 fine; 1 the script failed or exited with a status other than 0; 2 wrong use, an ambiguous name or a
malformed file; 3 something is not there (a file, CUDA, a terminal); 130 interrupted
""",
        languages="|".join(languages()),
    )


ABOUT = {
    "open": N_("Open a Python script of your own, unchanged. Everything after FILE is the script's."),
    "record": N_(
        "Run a script without a screen and keep the recording. Everything after FILE is the script's; only "
        "`FILE -o OUT.trace` is ours where nothing else follows."
    ),
    "view": N_("Walk through a recording. Needs no torch, and not the script either."),
    "list": N_("The lessons, in the order in which one learns, with your progress."),
    "steps": N_("The steps of a lesson, a script or a recording, one per line. With --json one object per line."),
    "show": N_("Everything at one point of a lesson, a script or a recording: tensors, graph, series, output."),
    "check": N_(
        "Read and run lessons and say everything that is wrong with them, with file and line. PATH is a lesson's file "
        "or a folder of them; if not given, all lessons."
    ),
    "new": N_(
        "Write a lesson that says what to put where, and passes `gradtutor check`: into the folder of --lessons, which "
        "is made if need be, else into that of the checkout."
    ),
    "doctor": N_("What this machine has of what gradtutor needs, and what does not fit."),
}
USAGE = {
    "open": "gradtutor open [OPTIONS] FILE [ARGS…]",
    "record": "gradtutor record [OPTIONS] [-o OUT.trace] FILE [ARGS…]",
    "view": "gradtutor view [OPTIONS] OUT.trace",
    "list": "gradtutor list [OPTIONS] [--json]",
    "steps": "gradtutor steps [OPTIONS] TARGET [--json]",
    "show": "gradtutor show [OPTIONS] TARGET [--at WHERE] [--json]",
    "check": "gradtutor check [--json] [PATH…]",
    "new": "gradtutor new FAMILY/SLUG [--lessons DIR]",
    "doctor": "gradtutor doctor",
}
WHERE = N_(
    "where to look: end (as if not given); a step's number; line:N, after the statement on line N has run for the "
    "last time; line:N#K, after it has run for the K-th time; FILE:N, a line of another file; cell:C, the end of code "
    "cell C"
)


class UsageError(Exception):
    """Wrong use; the text says what, and what to do."""


class HelpWanted(Exception):
    """`--help`: the text to print."""


class Parser(argparse.ArgumentParser):
    """One that raises instead of exiting."""

    def __init__(self, prog: str, usage: str | None, description: str | None) -> None:
        # What argparse says itself goes through this function of its module, which is gettext's else.
        setattr(argparse, "_", _argparse)  # noqa: B010
        super().__init__(
            prog=prog, usage=usage, description=description, formatter_class=_Formatter, add_help=False,
            allow_abbrev=False, argument_default=argparse.SUPPRESS,
        )  # fmt: skip

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        said = f"{message[:1].lower()}{message[1:]}"
        raise UsageError(_("{problem}. `{command} --help` shows how it is used.", problem=said, command=self.prog))


class Help(argparse.Action):
    """Raises HelpWanted."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        raise HelpWanted(parser.format_help() if parser.description else main_help())


_OF_ARGPARSE = (
    N_("usage: "), N_("positional arguments"), N_("options"),
    N_("the following arguments are required: %s"), N_("unrecognized arguments: %s"),
    N_("argument %(argument_name)s: %(message)s"), N_("expected one argument"),
    N_("invalid choice: %(value)r (choose from %(choices)s)"), N_("ignored explicit argument %r"),
)  # fmt: skip


def _argparse(text: str) -> str:
    return _(text) if text in _OF_ARGPARSE else text


class _Formatter(argparse.HelpFormatter):
    """Breaks lines by the columns that they take on a terminal: Chinese has no spaces, and takes two."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in _wrapped(text, width))


_PIECE = re.compile(r"[（“]*(?:[^\s\u2e80-\uffef“”]+|[\u2e80-\uffef])[，。；：、）”]*\s*")
"""What stays together: a word or a Chinese character, with the punctuation at it."""


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for piece in _PIECE.findall(" ".join(text.split())):
        if lines[-1] and _columns(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
