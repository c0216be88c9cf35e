"""The program of a command: read, and sent to the front end, while torch is imported, which takes seconds."""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from tutor import i18n
from tutor.i18n import _
from tutor.lesson import knobs as knobs_of
from tutor.lesson.files import load
from tutor.lesson.model import UNPARSED, Lesson, LessonError
from tutor.lesson.overrides import apply_edits
from tutor.lesson.parser import read
from tutor.recorder.event_writer import wire_tuple
from tutor.trace.command import RunCommand, decode
from tutor.trace.events import Document, Event, RunEnd
from tutor.trace.selection import CodeLine
from tutor.trace.wire import pack_all
from tutor.worker.magics import to_python

_NAMED_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Program(msgspec.Struct):
    """A lesson or script with the edits, attempts and knobs of a command."""

    lesson: Lesson
    text: str
    """The text of its file, with the edits and attempts, but not the knobs; empty for a notebook."""
    document: Document


def read_program(command: RunCommand) -> Program:
    """Read the file of a command.

    Raises:
        LessonError: It is malformed, or has no such knob, cell, exercise or loop.
    """
    lesson = written = read(Path(command.path))
    for number in command.skip:
        if number not in {cell.number for cell in written.code_cells}:
            raise LessonError(_("there is no code cell {number} to skip.", number=number), path=command.name)
    if command.edits or command.attempts:
        lesson, text = apply_edits(lesson, command.edits, command.attempts)
    else:
        text = "" if lesson.is_notebook else load(Path(lesson.path))
    if command.loop or command.part.line:
        _check_lines(code_by_cell(lesson, text), command)
    if command.part.function:
        _check_function(code_by_cell(lesson, text), command)
    both = zip(written.code_cells, lesson.code_cells, strict=True)
    originals = {old.number: old.source for old, new in both if old.number and old.source != new.source}
    values = knobs_of.resolve(lesson, command.knobs, command.device)
    lesson = knobs_of.apply(lesson, values)
    cells = [msgspec.to_builtins(cell) for cell in lesson.cells]
    document = Document(
        command.name, dict(lesson.header.title), cells, knobs_of.all_values(lesson, values), command.device, originals
    )
    return Program(lesson, text, document)


def code_by_cell(lesson: Lesson, text: str) -> dict[int, str]:
    """Return the code of a notebook by the numbers of its cells, or that of a script, which is `text`, by 0."""
    if not lesson.is_notebook:
        return {0: text}
    return {cell.number: to_python(cell.source).source for cell in lesson.code_cells if cell.number}


def _check_lines(code: dict[int, str], command: RunCommand) -> None:
    """Raise LessonError if no loop begins on the line of `--loop`, or no statement on that of `--from`."""
    loop, line = command.loop, command.part.line
    loops = ast.For | ast.AsyncFor | ast.While
    if loop is not None and not _begins(loops, loop, code, command.name, "--loop "):
        fix = _("--loop wants the line of a `for` or a `while`.")
        raise LessonError(_("no loop begins on {place}.", place=_spelled(loop)), path=command.name, fix=fix)
    if line is not None and not _begins(ast.stmt, line, code, command.name, "--from line:"):
        fix = _("--from wants the first line of a statement.")
        raise LessonError(_("no statement begins on {place}.", place=_spelled(line)), path=command.name, fix=fix)


def _begins(kind: Any, line: CodeLine, code: dict[int, str], name: str, option: str) -> bool:
    """Return whether a statement of this kind begins on a line; True also where the code cannot be parsed.

    Raises:
        LessonError: It is a line of a cell, but not of one that the program `name` has, or the other way round.
    """
    is_notebook = 0 not in code
    if is_notebook and not line.cell:
        what = _("is a notebook, whose lines are counted in each code cell.")
        raise LessonError(what, path=name, fix=_("Say {option}.", option=option.removesuffix("line:") + "cell:C:N"))
    if line.cell and not is_notebook:
        what = _("is no notebook: its lines are those of the file.")
        raise LessonError(what, path=name, fix=_("Say {option}.", option=f"{option}N"))
    if line.cell not in code:
        raise LessonError(_("there is no code cell {number}.", number=line.cell), path=name)
    try:
        tree = ast.parse(code[line.cell])
    except UNPARSED:  # that is said when it runs
        return True
    return any(isinstance(node, kind) and node.lineno == line.number for node in ast.walk(tree))


def _spelled(line: CodeLine) -> str:
    if line.cell:
        return _("line {number} of code cell {cell}", number=line.number, cell=line.cell)
    return _("line {number}", number=line.number)


def _check_function(code: dict[int, str], command: RunCommand) -> None:
    """Raise LessonError if the function of `--only` is a generator or a coroutine, or the program does not have it."""
    part, path = command.part, Path(command.path)
    is_program = path.match(part.file)
    try:
        trees = [
            ast.parse(text) for text in (code.values() if is_program else [(path.parent / part.file).read_bytes()])
        ]
    except (OSError, *UNPARSED):  # another file may be elsewhere; the other is said when it runs
        return
    functions = (each for tree in trees for each in _functions_in(tree))
    are_resumable = [is_resumable for name, is_resumable in functions if part.is_function(name)]
    if are_resumable and all(are_resumable):
        what = _("{name} is a generator or a coroutine, whose calls are not recorded alone.", name=part.function)
        raise LessonError(what, path=part.file, fix=_("--only wants a function that runs from its call to its end."))
    if is_program and not are_resumable:
        what = _("there is no function {name}.", name=part.function)
        raise LessonError(what, path=command.name, fix=_("--only wants a function's name, or Class.method."))


def _functions_in(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Yield the qualified name of each function, and whether it is a generator or a coroutine."""
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, around = waiting.pop()
        if isinstance(node, _NAMED_SCOPES):
            name = around + node.name
            around = name + "."
            if not isinstance(node, ast.ClassDef):
                yield name, isinstance(node, ast.AsyncFunctionDef) or _yields(node)
        waiting += [(child, around) for child in ast.iter_child_nodes(node)]


def _yields(function: ast.FunctionDef) -> bool:
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, _NAMED_SCOPES | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return False


class ProgramReader:
    """Waits for the command in a thread, and sends the `Document` of its program as soon as it is there.

    A program that cannot be run ends the process, with the reason as the end of the run.

    Args:
        control: Where the command comes from: a line.
        events: The descriptor of the pipe.
    """

    def __init__(self, control: IO[bytes], events: int) -> None:
        self._control = control
        self._events = events
        self._read: tuple[RunCommand, Program] | None = None
        self._error: BaseException | None = None
        # A thread without a name would take a number from those that the program starts.
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def wait(self) -> tuple[RunCommand, Program] | None:
        """Return the command and its program when they are read; None where there was no command.

        Whatever was raised while they were read, other than for a program that cannot be run, is raised here.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._read

    def _run(self) -> None:
        try:
            self._read_command()
        except BaseException as error:
            self._error = error

    def _read_command(self) -> None:
        try:
            line = self._control.readline()
        except OSError:
            return
        if not line:
            return
        command = decode(line, RunCommand)
        i18n.use(command.language)
        try:
            program = read_program(command)
        except LessonError as error:
            self._send(RunEnd("refused", error.status, str(error)))
            os._exit(error.status)
        self._send(program.document)
        self._read = command, program

    def _send(self, event: Event) -> None:
        parts: list[tuple[Any, ...]] = [wire_tuple(event)]
        for frame, _count in pack_all(parts, ()):
            view = memoryview(frame)
            while view:
                view = view[os.write(self._events, view) :]
