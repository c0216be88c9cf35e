"""Declare the commands and their options: what `--help` shows, what is parsed, and what shells complete.

Texts are marked with `N_`, and translated when help or an error is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, NamedTuple

from tutor.i18n import N_, languages

SHELLS = ("bash", "zsh", "fish", "tcsh")
"""Those for which `completion` writes a script."""


class HelpWanted(Exception):
    """`--help` was given; the text is the help to print."""


class _Help(argparse.Action):
    """Raise HelpWanted."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        raise HelpWanted(parser.format_help())


def _argument(*names: str, **settings: Any) -> argparse.ArgumentParser:
    """Declare one argument, as a parser to be a parent of others."""
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    parser.add_argument(*names, **settings)
    return parser


_LESSON = _argument("target", nargs="?", metavar="LESSON", help=argparse.SUPPRESS)
_FILE = _argument(
    "target",
    metavar="FILE|-m MODULE",
    help=N_("a Python script or notebook, or the name of a module that `python -m` would run"),
)
SCRIPT = _argument(
    "script",
    nargs=argparse.ZERO_OR_MORE,
    metavar="ARGS",
    help=N_("the script's own arguments: all from the first word that is no option of ours, or from --"),
)
_OUTPUT = _argument("-o", "--output", metavar="OUT.trace", help=N_("where to; if not given, FILE with .trace"))
_TRACE = _argument("target", metavar="OUT.trace", help=N_("a recording"))
_TARGET = _argument(
    "target",
    metavar="TARGET|-m MODULE",
    help=N_("a path to a script or a recording, the name of a lesson, or that of a module"),
)
_AT = _argument(
    "--at",
    metavar="WHERE",
    help=N_(
        "where to look: end (as if not given); a step's number; line:N, after the statement on line N has run for the "
        "last time; line:N#K, after it has run for the K-th time; FILE:N, a line of another file; cell:C, the end of "
        "code cell C; in a notebook cell:C:N, line N of it"
    ),
)
_PATHS = _argument("paths", nargs="*", metavar="PATH", help=N_("a lesson, or a folder of lessons"))
_SLUG = _argument("target", metavar="FAMILY/SLUG", help=N_("what the lesson is called, for instance graph/two-paths"))
_WORD = _argument("target", nargs="?", metavar="WORD", help=N_("a term, in any language; if not given, all"))
_SHELL = _argument("target", choices=SHELLS, metavar="|".join(SHELLS), help=N_("the shell"))
_JSON = _argument("--json", action="store_true", help=N_("for programs: JSON, whose fields stay"))

_ALL = _argument(
    "--all",
    action="store_true",
    help=N_(
        "record all iterations, calls and samples; if not given, only the first of a loop or function without tensors, "
        "and the first samples that a DataLoader loads"
    ),
)
_PART = (
    _argument(
        "--keep",
        metavar="0-2,every:100,last:3",
        help=N_(
            "record these iterations of the training loop alone, counted from 0 over the whole run: numbers, ranges, "
            "every N-th, the last ones; the others run at full speed"
        ),
    ),
    _argument(
        "--loop",
        metavar="N|cell:C:N",
        help=N_(
            "the line on which that loop begins, in a notebook line N of code cell C; if not given, it is the loop "
            "around the first backward pass"
        ),
    ),
    _argument(
        "--skip",
        action="append",
        metavar="CELL",
        help=N_(
            "leave out a cell of a notebook or script, by its number, for instance one that fails; may be repeated"
        ),
    ),
    _argument(
        "--until",
        metavar="nan|inf|error|EXPR",
        help=N_(
            "record the iterations around the first in which the loss is nan or infinite, the program fails, or an "
            'expression is true ("loss > 10"); the program goes back for that, and its end is as without'
        ),
    ),
    _argument(
        "--from",
        dest="beginning",
        metavar="line:N[#K]|NAME=VALUE|mark",
        help=N_(
            "record from there on: when the statement on line N runs (for the K-th time; in a notebook cell:C:N), when "
            "a name gets a value (epoch=3), or from the first breakpoint() on"
        ),
    ),
    _argument(
        "--only",
        metavar="FILE:FUNCTION",
        help=N_("record the calls of a function alone, with what it calls (model.py:Net.forward)"),
    ),
    _argument(
        "--for",
        dest="iterations",
        metavar="N",
        help=N_("record this many iterations of the training loop, from the beginning or --from on, and nothing after"),
    ),
    _argument("--steps", metavar="N", help=N_("record this many steps, and nothing after, but for the charts")),
    _argument("--last", metavar="N", help=N_("how many iterations up to that one; 3 if not given")),
    _argument(
        "--stdin",
        metavar="FILE",
        help=N_("what the script reads as its standard input, again from the beginning in each run"),
    ),
)
_IMAGES = _argument(
    "--images",
    choices=("kitty", "sixel", "none"),
    metavar="kitty|sixel|none",
    help=N_(
        "show figures as pictures, by the protocol that the terminal has: kitty (kitty, Ghostty) or sixel (foot, "
        "WezTerm, Windows Terminal, …); the terminal itself is not asked"
    ),
)
_WITH_PICTURES = _argument(
    "--images",
    dest="with_pictures",
    action="store_true",
    help=N_("keep figures as pictures, too, for `gradtutor view --images kitty|sixel`"),
)
_PLAIN = _argument("--plain", action="store_true", help=N_("walk without a full screen: a step per Enter"))
_UNUSED_PLAIN = _argument("--plain", action="store_true", help=argparse.SUPPRESS)
_DEVICE = _argument("--device", metavar="cpu|cuda|cuda:1", help=N_("set the knob `device` of a lesson or script"))
_COMMON = (
    _argument(
        "--set",
        dest="settings",
        action="append",
        metavar="KNOB=VALUE",
        help=N_("set a knob for this run; may be repeated"),
    ),
    _argument(
        "--lessons",
        metavar="DIR",
        help=N_("take the lessons from this folder, not those that come with gradtutor"),
    ),
    _argument("--version", action="store_true", help=N_("say which version this is")),
    _argument("-h", "--help", nargs=0, action=_Help, help=N_("show this help")),
)


def _language_option() -> argparse.ArgumentParser:
    """Declare `--lang`, whose choices are looked up in the folder of translations."""
    return _argument(
        "--lang",
        choices=languages(),
        metavar="|".join(languages()),
        help=N_("the language, else the one that L chose last, else that of the locale"),
    )


class Command(NamedTuple):
    """A command: its line in `gradtutor --help`, its description in its own help, and its arguments."""

    summary: str
    description: str
    arguments: tuple[argparse.ArgumentParser, ...] = ()
    plain: argparse.ArgumentParser = _UNUSED_PLAIN

    @property
    def parents(self) -> list[argparse.ArgumentParser]:
        """All its arguments: its own, then those of every command."""
        return [*self.arguments, self.plain, _DEVICE, _language_option(), *_COMMON]

    def synopsis(self, name: str) -> str:
        """`show TARGET [--at WHERE] [--json]`"""
        shown = [argument for argument in self.arguments if argument not in (*_PART, _IMAGES, _WITH_PICTURES)]
        return " ".join([name, *(_synopsis(action) for action in actions_of(shown))])


COMMANDS = {
    "open": Command(
        N_("open a script or notebook of your own, unchanged, with its arguments"),
        N_(
            "Open a Python script or a notebook (.ipynb, .md, .Rmd, .qmd) of your own, unchanged. Options stand before "
            "or after FILE; from the first word after FILE that is none of them, or from --, all is the script's."
        ),
        (_ALL, *_PART, _IMAGES, _FILE, SCRIPT),
        _PLAIN,
    ),
    "record": Command(
        N_("run a script or notebook without a screen and keep the recording"),
        N_(
            "Run a script or a notebook without a screen and keep the recording. Options stand before or after FILE; "
            "from the first word after FILE that is none of them, or from --, all is the script's, and so is standard "
            "input."
        ),
        (_OUTPUT, _ALL, *_PART, _WITH_PICTURES, _FILE, SCRIPT),
    ),
    "view": Command(
        N_("walk through a recording; needs no torch"),
        N_("Walk through a recording. Needs no torch, and not the script either."),
        (_IMAGES, _TRACE),
        _PLAIN,
    ),
    "list": Command(
        N_("the lessons"),
        N_("The lessons, in the order in which one learns, with your progress."),
        (_JSON,),
        _PLAIN,
    ),
    "steps": Command(
        N_("the steps of a lesson, a script or a recording, one per line"),
        N_("The steps of a lesson, a script or a recording, one per line. With --json one object per line."),
        (_TARGET, _ALL, *_PART, _JSON, SCRIPT),
    ),
    "show": Command(
        N_("everything at one point, as text"),
        N_("Everything at one point of a lesson, a script or a recording: tensors, graph, series, output."),
        (_TARGET, _AT, _ALL, *_PART, _JSON, SCRIPT),
    ),
    "check": Command(
        N_("for authors of lessons: what is wrong with them, with file and line"),
        N_(
            "Read and run lessons and say everything that is wrong with them, with file and line. PATH is a lesson's "
            "file or a folder of them; if not given, all lessons."
        ),
        (_PATHS, _JSON),
    ),
    "new": Command(
        N_("write a lesson to begin with"),
        N_(
            "Write a lesson that says what to put where, and passes `gradtutor check`: into the folder of --lessons, "
            "which is made if need be, else into that of the checkout."
        ),
        (_SLUG,),
    ),
    "glossary": Command(
        N_("what a term means, and which lesson explains it"),
        N_("What the terms of the lessons mean, in both languages, and which lesson explains each."),
        (_WORD,),
    ),
    "completion": Command(
        N_("the script for your shell that completes commands, lessons and files"),
        N_(
            "Write the script that makes a shell complete commands, options, lessons and files after `gradtutor`.\n\n"
            'bash, a line in ~/.bashrc: eval "$(gradtutor completion bash)"\n\n'
            "zsh: gradtutor completion zsh > _gradtutor, in a folder that is in $fpath\n\n"
            "fish: gradtutor completion fish > ~/.config/fish/completions/gradtutor.fish\n\n"
            "tcsh: gradtutor completion tcsh > ~/.gradtutor.tcsh, and source that in ~/.tcshrc"
        ),
        (_SHELL,),
    ),
    "doctor": Command(
        N_("Python, torch, CUDA, the terminal, and what does not fit"),
        N_("What this machine has of what gradtutor needs, and what does not fit."),
    ),
}
NO_COMMAND = Command(
    "",
    N_(
        "Walk real PyTorch code in the terminal, forward and back in time, down to each node of the backward pass.\n\n"
        "Without LESSON and COMMAND the list of lessons opens. LESSON is a lesson's id (graph/two-paths), its slug "
        "(two-paths) or a part of its id that no other has; a path to a script or a recording opens that."
    ),
    (_LESSON,),
    _PLAIN,
)
EXIT_STATUS = N_(
    "exit status: 0 fine; 1 the script failed or exited with a status other than 0; 2 wrong use, an ambiguous name or "
    "a malformed file; 3 something is not there (a file, CUDA, a terminal); 130 interrupted"
)


def actions_of(parsers: Iterable[argparse.ArgumentParser]) -> list[argparse.Action]:
    """Return the arguments that parsers declare, in order."""
    return [action for parser in parsers for action in parser._actions]


MODULE = "-m"
"""The option that stands before the name of a module, in the place of FILE."""


def _value_options(parsers: Iterable[argparse.ArgumentParser]) -> set[str]:
    """Return the options among these arguments that have a value."""
    return {option for action in actions_of(parsers) if action.nargs != 0 for option in action.option_strings}


VALUE_OPTIONS = {
    MODULE,
    *_value_options(parser for command in (NO_COMMAND, *COMMANDS.values()) for parser in command.arguments),
    *_value_options(NO_COMMAND.parents),
}


def _synopsis(action: argparse.Action) -> str:
    """Return an argument as in a line of usage: `FILE`, `[PATH…]`, `[--at WHERE]`."""
    metavar = str(action.metavar)
    if not action.option_strings:
        return (
            f"[{metavar}…]" if action.nargs == argparse.ZERO_OR_MORE else metavar if action.required else f"[{metavar}]"
        )
    option = action.option_strings[0]
    return f"[{option}]" if action.nargs == 0 else f"[{option} {metavar}]"
