"""The command line as a learner types it, taken apart."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from tutor.language import of_locale

COMMANDS = ("open", "record", "view", "list", "steps", "show", "check", "new", "doctor")
LANGUAGES = ("en", "zh")
_WITH_SCRIPT = ("open", "record")
"""What follows their FILE is the script's."""
_TAKE_VALUE = ("--device", "--lang", "--set", "--lessons", "--at", "-o", "--output")

_HELP = """\
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
  --lang en|zh                 the language, else that of the locale; L changes it on the screen
  --set KNOB=VALUE             set a knob for this run; may be repeated
  --lessons DIR                take the lessons from this folder, not those that come with gradtutor
  --version                    say which version this is
  -h, --help                   show this help

exit status: 0 fine; 1 the script failed or exited with a status other than 0; 2 wrong use, an ambiguous name or a
malformed file; 3 something is not there (a file, CUDA, a terminal); 130 interrupted
"""

_ABOUT = {
    "open": "Open a Python script of your own, unchanged. Everything after FILE is the script's.",
    "record": "Run a script without a screen and keep the recording. Everything after FILE is the script's; only "
    "`FILE -o OUT.trace` is ours where nothing else follows.",
    "view": "Walk through a recording. Needs no torch, and not the script either.",
    "list": "The lessons, in the order in which one learns, with your progress.",
    "steps": "The steps of a lesson, a script or a recording, one per line. With --json one object per line.",
    "show": "Everything at one point of a lesson, a script or a recording: tensors, graph, series, output.",
    "check": "Read and run lessons and say everything that is wrong with them, with file and line. PATH is a lesson's "
    "file or a folder of them; if not given, all lessons.",
    "new": "Write a lesson that says what to put where, and passes `gradtutor check`: into the folder of --lessons, "
    "which is made if need be, else into that of the checkout.",
    "doctor": "What this machine has of what gradtutor needs, and what does not fit.",
}
_USAGE = {
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
_WHERE = (
    "where to look: end (as if not given); a step's number; line:N, after the statement on line N has run for the "
    "last time; line:N#K, after it has run for the K-th time; FILE:N, a line of another file; cell:C, the end of code "
    "cell C"
)


class UsageError(Exception):
    """Wrong use; the text says what, and what to do."""


class HelpWanted(Exception):
    """`--help`: the text to print."""


class Arguments(argparse.Namespace):
    """What was asked for."""

    def __init__(self, command: str = "", script: list[str] | None = None) -> None:
        self.command = command
        """One of COMMANDS, or empty: a lesson (`target`), or the list of lessons."""
        self.target: str | None = None
        self.script = script or []
        """The script's own arguments."""
        self.plain = False
        self.device: str | None = None
        self.lang = of_locale()
        self.settings: list[str] = []
        """`--set`, as typed."""
        self.knobs: dict[str, str] = {}
        """The same by name."""
        self.lessons: str | None = None
        self.output: str | None = None
        self.at = "end"
        self.json = False
        self.paths: list[str] = []
        """Of `check`."""
        self.version = False


def parse(words: Sequence[str]) -> Arguments:
    """Options stand before or after a command's TARGET. Raises UsageError, and HelpWanted for `--help`."""
    words = list(words)
    place = _first_plain(words)
    command = words[place] if place is not None and words[place] in COMMANDS else ""
    if command and place is not None:
        del words[place]
    script: list[str] = []
    if command in _WITH_SCRIPT:
        words, script = _split_script(words, command)
    elif not command and place is not None and _first_plain(words[place + 1 :]) is not None:
        raise UsageError(_no_command(words[place]))
    found = Arguments(command, script)
    _parser(command).parse_args(words, found)
    found.knobs = dict(_knob(text) for text in found.settings)
    return found


def _no_command(word: str) -> str:
    """What to say of a word that has words after it, and is no command."""
    near = near_command(word)
    return f"there is no command `{word}`. " + (
        f"Did you mean `{near}`?" if near is not None else "`gradtutor --help` lists them."
    )


def _first_plain(words: Sequence[str]) -> int | None:
    """The place of the first word that is neither an option nor an option's value."""
    place = 0
    while place < len(words):
        word = words[place]
        if word == "--":
            return place + 1 if place + 1 < len(words) else None
        if not word.startswith("-") or word == "-":
            return place
        place += 2 if word in _TAKE_VALUE else 1
    return None


def _split_script(words: list[str], command: str) -> tuple[list[str], list[str]]:
    """Our part of the words, up to FILE, and the script's after it."""
    place = _first_plain(words)
    if place is None:
        return words, []
    ours, rest = words[: place + 1], words[place + 1 :]
    lone = len(rest) == 2 and rest[0] in ("-o", "--output")
    joined = len(rest) == 1 and rest[0].startswith(("--output=", "-o")) and len(rest[0]) > 2
    if command == "record" and (lone or joined):
        return [*rest, *ours], []
    return ours, rest


def _knob(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise UsageError(f"--set wants KNOB=VALUE, not {text!r}. For instance: --set lr=0.1")
    return name.strip(), value


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].lower()}{message[1:]}. `{self.prog} --help` shows how it is used.")


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        raise HelpWanted(parser.format_help() if parser.description else _HELP)


def _parser(command: str) -> argparse.ArgumentParser:
    """The parser of a command, or of none; all take the options that are for all."""
    parser = _Parser(prog=f"gradtutor {command}".strip(), usage=_USAGE.get(command), description=_ABOUT.get(command),
                     add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)  # fmt: skip
    _POSITIONALS[command](parser)
    add = parser.add_argument
    if command in ("list", "steps", "show", "check"):
        add("--json", action="store_true", help="for programs: JSON, whose fields stay")
    walks = command in ("", "open", "view", "list")
    add("--plain", action="store_true",
        help="walk without a full screen: a step per Enter" if walks else argparse.SUPPRESS)  # fmt: skip
    add("--device", metavar="cpu|cuda|cuda:1", help="set the knob `device` of a lesson or script")
    add("--lang", choices=LANGUAGES, help="the language, else that of the locale; L changes it on the screen")
    add(
        "--set", dest="settings", action="append", metavar="KNOB=VALUE", help="set a knob for this run; may be repeated"
    )
    add("--lessons", metavar="DIR", help="take the lessons from this folder, not those that come with gradtutor")
    add("--version", action="store_true", help="say which version this is")
    add("-h", "--help", nargs=0, action=_Help, help="show this help")
    return parser


def _lesson(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", nargs="?", metavar="LESSON", help="its name, or a path")


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="FILE", help="a Python script")


def _record(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    parser.add_argument("-o", "--output", metavar="OUT.trace", help="where to; if not given, FILE with .trace")


def _trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="OUT.trace", help="a recording")


def _target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help="a path to a script or a recording, or the name of a lesson")


def _show(parser: argparse.ArgumentParser) -> None:
    _target(parser)
    parser.add_argument("--at", metavar="WHERE", help=_WHERE)


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a lesson, or a folder of lessons")


def _new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="FAMILY/SLUG", help="what the lesson is called, for instance graph/two-paths")


def _nothing(parser: argparse.ArgumentParser) -> None:
    pass


_POSITIONALS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "": _lesson, "open": _file, "record": _record, "view": _trace, "list": _nothing, "steps": _target, "show": _show,
    "check": _check, "new": _new, "doctor": _nothing,
}  # fmt: skip


def near_command(word: str) -> str | None:
    """The command that a word is a misspelling of."""
    import difflib

    return next(iter(difflib.get_close_matches(word, COMMANDS, n=1, cutoff=0.7)), None)
