"""Parse the command line. `--help` is made from the same declarations of commands and options."""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from tutor import i18n
from tutor.i18n import N_, _, languages
from tutor.options import COMMANDS, EXIT_STATUS, MODULE, NO_COMMAND, SCRIPT, VALUE_OPTIONS, Command, actions_of
from tutor.study.settings import preferred_language
from tutor.text_width import width, wrap

if TYPE_CHECKING:
    from tutor.trace.selection import CodeLine, Part, Selection


class UsageError(Exception):
    """The command line is wrong; the text says what, and what to do."""


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
    if command and SCRIPT in COMMANDS[command].arguments:
        split = _split_script(words, COMMANDS[command])
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
        index += 2 if word in VALUE_OPTIONS else 1
    return None


class _Split(NamedTuple):
    """The words of a command that runs a script."""

    ours: list[str]
    """Our options and FILE, or the module without its `-m`."""
    script: list[str] = []
    is_module: bool = False


def _split_script(words: list[str], command: Command) -> _Split:
    """Split the script's words off: those from `--` after FILE, or from the first word there that is no option."""
    actions = actions_of(command.parents)
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
        elif word == MODULE and index + 1 < len(words):
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


def _make_parser(command: str) -> _Parser:
    """Return the parser of a command; of the main program if it is empty."""
    return _Parser(command, COMMANDS[command]) if command else _MainParser()


# ---------------------------------------------------------------- argparse in the language of the interface


class _Parser(argparse.ArgumentParser):
    """The parser of a command; it raises instead of exiting."""

    def __init__(self, name: str, command: Command, usage: str | None = None) -> None:
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
        super().__init__("", NO_COMMAND, f"gradtutor [OPTIONS] [LESSON]\n{indent}gradtutor COMMAND [OPTIONS] …")

    def format_help(self) -> str:
        formatter = _Formatter(self.prog)
        formatter.add_usage(self.usage, [], [])
        formatter.add_text(self.description)
        formatter.start_section(N_("commands"))
        for name, command in COMMANDS.items():
            formatter.add_argument(argparse.Action([], name, metavar=command.synopsis(name), help=command.summary))
        formatter.add_argument(argparse.Action([], "help", metavar="COMMAND --help", help=N_("more about a command")))
        formatter.end_section()
        formatter.start_section(N_("options, before or after a command's TARGET"))
        formatter.add_arguments(action for action in self._actions if action.option_strings)
        formatter.end_section()
        formatter.add_text(EXIT_STATUS)
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
