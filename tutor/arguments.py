"""Parse the command line. `--help` is made from the same declarations of commands and options.

Texts in the declarations are marked with `N_`, and translated when help or an error is written.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from tutor import i18n
from tutor.i18n import N_, _, languages
from tutor.study.settings import preferred_language
from tutor.text_width import width, wrap

if TYPE_CHECKING:
    from tutor.trace.selection import CodeLine, Part, Selection


SHELLS = ("bash", "zsh", "fish", "tcsh")
"""Those for which `completion` writes a script."""


class UsageError(Exception):
    """The command line is wrong; the text says what, and what to do."""


class HelpWanted(Exception):
    """`--help` was given; the text is the help to print."""


class Arguments(argparse.Namespace):
    """The parsed command line."""

    def __init__(self, command: str = "") -> None:
        self.command = command
        """One of COMMANDS; empty for a lesson (`target`), or the list of lessons."""
        self.target: str | None = None
        self.is_module = False
        """Whether `target` is the name of a module, given with `-m`."""
        self.script: list[str] = []
        """The script's own arguments."""
        self.plain = False
        self.device: str | None = None
        self.lang = preferred_language()
        self.settings: list[str] = []
        """`--set`, as typed."""
        self.knobs: dict[str, str] = {}
        """The values of `--set` by knob."""
        self.lessons: str | None = None
        self.output: str | None = None
        self.at = "end"
        self.skip: list[int] = []
        """The numbers of code cells that do not run."""
        self.all = False
        """Whether all iterations are recorded."""
        self.keep: str | None = None
        """Which iterations are recorded, as typed."""
        self.selection: Selection | None = None
        """The same, read."""
        self.until = ""
        """What is waited for: nan, inf, error, an expression; empty: nothing."""
        self.last = 0
        """How many iterations are recorded up to where it happens."""
        self.beginning: str | None = None
        """The place at which the recording begins, as typed."""
        self.only: str | None = None
        """The function of which the calls are recorded, as typed."""
        self.iterations = self.steps = 0
        """How many iterations of the training loop, and how many steps, are recorded; 0: all."""
        self.part: Part | None = None
        """The part of the program that these say."""
        self.loop: str | None = None
        """The line of the loop of which `keep` says it, as typed; None: the training loop."""
        self.loop_line: CodeLine | None = None
        """The same, read."""
        self.stdin: str | None = None
        """The file that the script reads as its standard input."""
        self.images = "none"
        """How the terminal shows pictures: kitty, sixel or none."""
        self.with_pictures = False
        """Whether `record` keeps figures as pictures, too."""
        self.json = False
        self.paths: list[str] = []
        """The paths given to `check`."""
        self.version = False


# ---------------------------------------------------------------- the declarations


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
_SCRIPT = _argument(
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


class _Command(NamedTuple):
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
        return " ".join([name, *(_synopsis(action) for action in _actions(shown))])


_COMMANDS = {
    "open": _Command(
        N_("open a script or notebook of your own, unchanged, with its arguments"),
        N_(
            "Open a Python script or a notebook (.ipynb, .md, .Rmd, .qmd) of your own, unchanged. Options stand before "
            "or after FILE; from the first word after FILE that is none of them, or from --, all is the script's."
        ),
        (_ALL, *_PART, _IMAGES, _FILE, _SCRIPT),
        _PLAIN,
    ),
    "record": _Command(
        N_("run a script or notebook without a screen and keep the recording"),
        N_(
            "Run a script or a notebook without a screen and keep the recording. Options stand before or after FILE; "
            "from the first word after FILE that is none of them, or from --, all is the script's, and so is standard "
            "input."
        ),
        (_OUTPUT, _ALL, *_PART, _WITH_PICTURES, _FILE, _SCRIPT),
    ),
    "view": _Command(
        N_("walk through a recording; needs no torch"),
        N_("Walk through a recording. Needs no torch, and not the script either."),
        (_IMAGES, _TRACE),
        _PLAIN,
    ),
    "list": _Command(
        N_("the lessons"),
        N_("The lessons, in the order in which one learns, with your progress."),
        (_JSON,),
        _PLAIN,
    ),
    "steps": _Command(
        N_("the steps of a lesson, a script or a recording, one per line"),
        N_("The steps of a lesson, a script or a recording, one per line. With --json one object per line."),
        (_TARGET, _ALL, *_PART, _JSON, _SCRIPT),
    ),
    "show": _Command(
        N_("everything at one point, as text"),
        N_("Everything at one point of a lesson, a script or a recording: tensors, graph, series, output."),
        (_TARGET, _AT, _ALL, *_PART, _JSON, _SCRIPT),
    ),
    "check": _Command(
        N_("for authors of lessons: what is wrong with them, with file and line"),
        N_(
            "Read and run lessons and say everything that is wrong with them, with file and line. PATH is a lesson's "
            "file or a folder of them; if not given, all lessons."
        ),
        (_PATHS, _JSON),
    ),
    "new": _Command(
        N_("write a lesson to begin with"),
        N_(
            "Write a lesson that says what to put where, and passes `gradtutor check`: into the folder of --lessons, "
            "which is made if need be, else into that of the checkout."
        ),
        (_SLUG,),
    ),
    "glossary": _Command(
        N_("what a term means, and which lesson explains it"),
        N_("What the terms of the lessons mean, in both languages, and which lesson explains each."),
        (_WORD,),
    ),
    "completion": _Command(
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
    "doctor": _Command(
        N_("Python, torch, CUDA, the terminal, and what does not fit"),
        N_("What this machine has of what gradtutor needs, and what does not fit."),
    ),
}
_NO_COMMAND = _Command(
    "",
    N_(
        "Walk real PyTorch code in the terminal, forward and back in time, down to each node of the backward pass.\n\n"
        "Without LESSON and COMMAND the list of lessons opens. LESSON is a lesson's id (graph/two-paths), its slug "
        "(two-paths) or a part of its id that no other has; a path to a script or a recording opens that."
    ),
    (_LESSON,),
    _PLAIN,
)
_EXIT_STATUS = N_(
    "exit status: 0 fine; 1 the script failed or exited with a status other than 0; 2 wrong use, an ambiguous name or "
    "a malformed file; 3 something is not there (a file, CUDA, a terminal); 130 interrupted"
)
COMMANDS = tuple(_COMMANDS)


def _actions(parsers: Iterable[argparse.ArgumentParser]) -> list[argparse.Action]:
    """Return the arguments that parsers declare, in order."""
    return [action for parser in parsers for action in parser._actions]


_MODULE = "-m"
"""The option that stands before the name of a module, in the place of FILE."""


def _value_options(parsers: Iterable[argparse.ArgumentParser]) -> set[str]:
    """Return the options among these arguments that have a value."""
    return {option for action in _actions(parsers) if action.nargs != 0 for option in action.option_strings}


_VALUE_OPTIONS = {
    _MODULE,
    *_value_options(parser for command in (_NO_COMMAND, *_COMMANDS.values()) for parser in command.arguments),
    *_value_options(_NO_COMMAND.parents),
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


# ---------------------------------------------------------------- parsing


def parse(words: Sequence[str]) -> Arguments:
    """Parse the words after `gradtutor`; options may stand before or after a command's TARGET.

    Raises:
        UsageError: The words are no command of ours.
        HelpWanted: `--help` is among them.
    """
    words = list(words)
    index = _first_positional(words)
    command = words[index] if index is not None and words[index] in COMMANDS else ""
    if command and index is not None:
        del words[index]
    split = _Split(words)
    if command and _SCRIPT in _COMMANDS[command].arguments:
        split = _split_script(words, _COMMANDS[command])
    words = split.ours
    i18n.use(_find_language(words))
    if not command and index is not None and _first_positional(words[index + 1 :]) is not None:
        raise UsageError(_describe_unknown_command(words[index]))
    arguments = _make_parser(command).parse_args(words, Arguments(command))
    arguments.script, arguments.is_module = split.script, split.is_module
    arguments.knobs = dict(_parse_knob(text) for text in arguments.settings)
    arguments.selection = None if arguments.keep is None else _parse_selection(arguments.keep)
    arguments.loop_line = None if arguments.loop is None else _parse_loop(arguments.loop)
    arguments.iterations = _parse_count("--for", arguments.iterations)
    arguments.steps = _parse_count("--steps", arguments.steps)
    arguments.part = _parse_part(arguments)
    arguments.skip = [_parse_cell(str(text)) for text in arguments.skip]
    arguments.last = _parse_count("--last", arguments.last)
    if arguments.last and not arguments.until:
        raise UsageError(
            _("--last is for --until. The last iterations of a loop are --keep last:{count}.", count=arguments.last)
        )
    if arguments.until:
        _check_condition(arguments.until)
        arguments.selection = arguments.selection or _parse_selection("0-2")
        arguments.last = arguments.last or 3
    return arguments


def _find_language(words: Sequence[str]) -> str:
    """Return the language that `--lang` names, which help and errors use already; else the locale's."""
    names = [word for option, word in pairwise(words) if option == "--lang"]
    names += [word.removeprefix("--lang=") for word in words if word.startswith("--lang=")]
    return next((word for word in names if word in languages()), preferred_language())


def _describe_unknown_command(word: str) -> str:
    """Return the error for an unknown command."""
    similar = similar_command(word)
    if similar is None:
        return _("there is no command `{word}`. `gradtutor --help` lists them.", word=word)
    return _("there is no command `{word}`. Did you mean `{near}`?", word=word, near=similar)


def similar_command(word: str) -> str | None:
    """Return the command that a word may be a misspelling of; None if none is similar."""
    import difflib

    return next(iter(difflib.get_close_matches(word, COMMANDS, n=1, cutoff=0.7)), None)


def _first_positional(words: Sequence[str]) -> int | None:
    """Return the index of the first word that is neither an option nor an option's value; None if there is none."""
    index = 0
    while index < len(words):
        word = words[index]
        if word == "--":
            return index + 1 if index + 1 < len(words) else None
        if not word.startswith("-") or word == "-":
            return index
        index += 2 if word in _VALUE_OPTIONS else 1
    return None


class _Split(NamedTuple):
    """The words of a command that runs a script."""

    ours: list[str]
    """Our options and FILE, or the module without its `-m`."""
    script: list[str] = []
    is_module: bool = False


def _split_script(words: list[str], command: _Command) -> _Split:
    """Split the script's words off: those from `--` after FILE, or from the first word there that is no option."""
    actions = _actions(command.parents)
    options = {option: action.nargs != 0 for action in actions for option in action.option_strings}
    words, index, named, is_module = list(words), 0, False, False
    while index < len(words):
        word = words[index]
        option = word.partition("=")[0] if word.startswith("--") else word[:2]
        if word == "--":
            first = index + 1 if named else index + 2
            return _Split(words[:index] if named else words[:first], words[first:], is_module)
        if word in options:
            index += 2 if options[word] else 1
        elif options.get(option):  # `--at=end`, `-oOUT.trace`
            index += 1
        elif named:
            break
        elif word == _MODULE and index + 1 < len(words):
            del words[index]
            named = is_module = True
            index += 1
        else:
            named = word == "-" or not word.startswith("-")
            index += 1
    return _Split(words[:index], words[index:], is_module)


def _parse_knob(text: str) -> tuple[str, str]:
    """Return name and value of `KNOB=VALUE`."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise UsageError(_("--set wants KNOB=VALUE, not {text}. For instance: --set lr=0.1", text=repr(text)))
    return name.strip(), value


def _parse_selection(text: str) -> Selection:
    """Return the value of `--keep`."""
    from tutor.trace.selection import parse as parse_selection

    try:
        return parse_selection(text)
    except ValueError as error:
        problem = _("--keep wants numbers, ranges, every:N and last:N, not {part}.", part=repr(str(error)))
        raise UsageError(problem + " " + _("For instance: --keep 0-2,every:100,last:3")) from None


def _parse_loop(text: str) -> CodeLine:
    """Return the value of `--loop`."""
    from tutor.trace.selection import parse_line

    try:
        return parse_line(text)
    except ValueError:
        problem = _("--loop wants the number of a line, or cell:C:N in a notebook, not {text}.", text=repr(text))
        raise UsageError(problem) from None


def _parse_part(arguments: Arguments) -> Part | None:
    """Return the part of the program that --from, --only, --for and --steps say; None without these."""
    limits = arguments.iterations, arguments.steps
    if arguments.only is None and arguments.beginning is None and not any(limits):
        return None
    if arguments.keep is not None or arguments.until:
        text = N_("--keep and --until choose iterations of the whole run: not with --from, --only, --for or --steps.")
        raise UsageError(_(text))
    from tutor.trace import selection

    part = selection.Part()
    if arguments.only is not None:
        try:
            part = selection.parse_function(arguments.only)
        except ValueError:
            problem = _("--only wants FILE:FUNCTION, not {text}.", text=repr(arguments.only))
            raise UsageError(problem + " " + _("For instance: --only model.py:Net.forward")) from None
    if arguments.beginning is not None:
        if arguments.only is not None:
            raise UsageError(_("--from and --only both say where the recording begins: give one of them."))
        try:
            part = selection.parse_beginning(arguments.beginning)
        except ValueError:
            problem = _(
                "--from wants line:N, line:N#K, cell:C:N, NAME=VALUE or mark, not {text}.",
                text=repr(arguments.beginning),
            )
            raise UsageError(problem + " " + _("For instance: --from epoch=3")) from None
    return part.limited(*limits)


def _parse_count(option: str, text: str | int) -> int:
    """Return the value of an option that is a number from 1; 0 where it was not given."""
    if isinstance(text, str) and not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise UsageError(_("{option} wants a number from 1, not {text}.", option=option, text=repr(text)))
    return int(text)


def _parse_cell(text: str) -> int:
    """Return the number of a cell."""
    if not (text.isdecimal() and len(text) < 10 and int(text)):
        raise UsageError(_("--skip wants the number of a cell, from 1, not {text}.", text=repr(text)))
    return int(text)


def _check_condition(text: str) -> None:
    """Check the value of `--until`."""
    try:
        compile(text, "<--until>", "eval")
    except (SyntaxError, ValueError):
        problem = _("--until wants nan, inf, error or an expression in Python, not {text}.", text=repr(text))
        raise UsageError(problem + " " + _('For instance: --until "loss > 10"')) from None


def make_whole_parser(lessons: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return a parser in which each command and lesson is a subparser, for what completes words. It parses none.

    Args:
        lessons: What each lesson is about, by its id.
    """
    parser = argparse.ArgumentParser("gradtutor", parents=_NO_COMMAND.parents[1:], add_help=False)
    words = parser.add_subparsers()
    for name, command in _COMMANDS.items():
        words.add_parser(name, parents=command.parents, help=_(command.summary), add_help=False)
    for lesson, title in lessons.items():
        words.add_parser(lesson, parents=_NO_COMMAND.parents[1:], help=title, add_help=False)
    return parser


def _make_parser(command: str) -> _Parser:
    """Return the parser of a command; of the main program if it is empty."""
    return _Parser(command, _COMMANDS[command]) if command else _MainParser()


# ---------------------------------------------------------------- argparse in the language of the interface


class _Parser(argparse.ArgumentParser):
    """The parser of a command; it raises instead of exiting."""

    def __init__(self, name: str, command: _Command, usage: str | None = None) -> None:
        super().__init__(
            prog=f"gradtutor {name}".strip(),
            usage=usage or f"gradtutor {command.synopsis(f'{name} [OPTIONS]')}",
            description=command.description,
            parents=command.parents,
            formatter_class=_Formatter,
            add_help=False,
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
        )

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with argparse's message in the language of the interface."""
        problem = _translate_error(message)
        problem = f"{problem[:1].lower()}{problem[1:]}"
        raise UsageError(_("{problem}. `{command} --help` shows how it is used.", problem=problem, command=self.prog))


class _MainParser(_Parser):
    """The parser of `gradtutor` without a command; its help lists the commands."""

    def __init__(self) -> None:
        indent = " " * width(_("usage: "))
        super().__init__("", _NO_COMMAND, f"gradtutor [OPTIONS] [LESSON]\n{indent}gradtutor COMMAND [OPTIONS] …")

    def format_help(self) -> str:
        formatter = _Formatter(self.prog)
        formatter.add_usage(self.usage, [], [])
        formatter.add_text(self.description)
        formatter.start_section(N_("commands"))
        for name, command in _COMMANDS.items():
            formatter.add_argument(argparse.Action([], name, metavar=command.synopsis(name), help=command.summary))
        formatter.add_argument(argparse.Action([], "help", metavar="COMMAND --help", help=N_("more about a command")))
        formatter.end_section()
        formatter.start_section(N_("options, before or after a command's TARGET"))
        formatter.add_arguments(action for action in self._actions if action.option_strings)
        formatter.end_section()
        formatter.add_text(_EXIT_STATUS)
        return formatter.format_help()


class _Formatter(argparse.HelpFormatter):
    """Help texts, translated and wrapped by the columns that they take on a terminal: Chinese characters take two."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=31, width=min(shutil.get_terminal_size().columns - 2, 118))

    def add_usage(self, usage: str | None, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, _("usage: ") if prefix is None else prefix)

    def add_text(self, text: str | None) -> None:
        super().add_text(text and _(text))

    def start_section(self, heading: str | None) -> None:
        super().start_section(heading and _(heading))

    def _get_help_string(self, action: argparse.Action) -> str:
        return _(action.help or "")

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = ("\n".join(indent + line for line in wrap(part, width)) for part in text.split("\n\n"))
        return "\n\n".join(paragraphs)


_ARGPARSE_TEXTS = (
    N_("usage: "),
    N_("positional arguments"),
    N_("options"),
    N_("the following arguments are required: %s"),
    N_("unrecognized arguments: %s"),
    N_("argument %(argument_name)s: %(message)s"),
    N_("expected one argument"),
    N_("invalid choice: %(value)r (choose from %(choices)s)"),
    N_("ignored explicit argument %r"),
)
"""The texts of argparse that a parser like ours prints, as in its source."""
_PLACEHOLDER = re.compile(r"%(\(\w+\))?[rs]")


def _translate_error(message: str) -> str:
    """Translate an error of argparse, and texts inside it; return one that is not listed unchanged.

    argparse takes its texts from the process's own gettext domain, by the locale: `--lang` cannot reach it there.
    """
    for template in _ARGPARSE_TEXTS:
        names = [placeholder[1] for placeholder in _PLACEHOLDER.finditer(template)]
        pattern = "(.*?)".join(re.escape(text) for text in _PLACEHOLDER.sub("\0", template).split("\0"))
        match = re.fullmatch(pattern, message, re.DOTALL)
        if match is not None:
            values = dict(zip(names, map(_translate_error, match.groups()), strict=True))
            return _PLACEHOLDER.sub(lambda placeholder, values=values: values[placeholder[1]], _(template))  # type: ignore[misc]
    return message
