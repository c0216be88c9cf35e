"""The command line as a learner types it, taken apart."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import pairwise

from tutor import i18n
from tutor.i18n import _, languages, of_locale
from tutor.usage import ABOUT, USAGE, WHERE, Help, Parser, UsageError

COMMANDS = ("open", "record", "view", "list", "steps", "show", "check", "new", "doctor")
_WITH_SCRIPT = ("open", "record")
"""What follows their FILE is the script's."""
_TAKE_VALUE = ("--device", "--lang", "--set", "--lessons", "--at", "-o", "--output")


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
    i18n.use(_language(words))
    if not command and place is not None and _first_plain(words[place + 1 :]) is not None:
        raise UsageError(_no_command(words[place]))
    found = Arguments(command, script)
    _parser(command).parse_args(words, found)
    found.knobs = dict(_knob(text) for text in found.settings)
    return found


def _language(words: Sequence[str]) -> str:
    """The language that is asked for: errors and help speak it already."""
    asked = [word for option, word in pairwise(words) if option == "--lang"]
    asked += [word.removeprefix("--lang=") for word in words if word.startswith("--lang=")]
    return next((word for word in asked if word in languages()), of_locale())


def _no_command(word: str) -> str:
    """What to say of a word that has words after it, and is no command."""
    near = near_command(word)
    if near is None:
        return _("there is no command `{word}`. `gradtutor --help` lists them.", word=word)
    return _("there is no command `{word}`. Did you mean `{near}`?", word=word, near=near)


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
        raise UsageError(_("--set wants KNOB=VALUE, not {text}. For instance: --set lr=0.1", text=repr(text)))
    return name.strip(), value


def _parser(command: str) -> argparse.ArgumentParser:
    """The parser of a command, or of none; all take the options that are for all."""
    about = _(ABOUT[command]) if command else None
    parser = Parser(f"gradtutor {command}".strip(), USAGE.get(command), about)
    _POSITIONALS[command](parser)
    add = parser.add_argument
    if command in ("list", "steps", "show", "check"):
        add("--json", action="store_true", help=_("for programs: JSON, whose fields stay"))
    walks = command in ("", "open", "view", "list")
    add("--plain", action="store_true",
        help=_("walk without a full screen: a step per Enter") if walks else argparse.SUPPRESS)  # fmt: skip
    add("--device", metavar="cpu|cuda|cuda:1", help=_("set the knob `device` of a lesson or script"))
    add("--lang", choices=languages(), help=_("the language, else that of the locale; L changes it on the screen"))
    add(
        "--set",
        dest="settings",
        action="append",
        metavar="KNOB=VALUE",
        help=_("set a knob for this run; may be repeated"),
    )
    add("--lessons", metavar="DIR", help=_("take the lessons from this folder, not those that come with gradtutor"))
    add("--version", action="store_true", help=_("say which version this is"))
    add("-h", "--help", nargs=0, action=Help, help=_("show this help"))
    return parser


def _lesson(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", nargs="?", metavar="LESSON", help=_("its name, or a path"))


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="FILE", help=_("a Python script"))


def _record(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    parser.add_argument("-o", "--output", metavar="OUT.trace", help=_("where to; if not given, FILE with .trace"))


def _trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="OUT.trace", help=_("a recording"))


def _target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target", metavar="TARGET", help=_("a path to a script or a recording, or the name of a lesson")
    )


def _show(parser: argparse.ArgumentParser) -> None:
    _target(parser)
    parser.add_argument("--at", metavar="WHERE", help=_(WHERE))


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help=_("a lesson, or a folder of lessons"))


def _new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target", metavar="FAMILY/SLUG", help=_("what the lesson is called, for instance graph/two-paths")
    )


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
