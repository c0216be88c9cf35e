"""The program of a command: read, and sent to the front end, while torch is imported, which takes seconds."""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Iterator
from pathlib import Path, PurePath
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
from tutor.trace.wire import pack_all

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
        _check_line(lesson, text, command)
    if command.part.function and text:
        _check_function(text, command)
    both = zip(written.code_cells, lesson.code_cells, strict=True)
    originals = {old.number: old.source for old, new in both if old.number and old.source != new.source}
    values = knobs_of.resolve(lesson, command.knobs, command.device)
    lesson = knobs_of.apply(lesson, values)
    cells = [msgspec.to_builtins(cell) for cell in lesson.cells]
    document = Document(
        command.name, dict(lesson.header.title), cells, knobs_of.all_values(lesson, values), command.device, originals
    )
    return Program(lesson, text, document)


def _check_line(lesson: Lesson, text: str, command: RunCommand) -> None:
    """Raise LessonError if no loop begins on the line of `--loop`, or no statement on that of `--from`."""
    if lesson.is_notebook:
        what = _("is a notebook, whose lines are counted in each cell: --loop and --from line:N are for scripts.")
        raise LessonError(what, path=command.name)
    try:
        tree = ast.parse(text)
    except UNPARSED:  # that is said when it runs
        return
    line = command.part.line
    if line and not any(isinstance(node, ast.stmt) and node.lineno == line for node in ast.walk(tree)):
        what = _("no statement begins on line {line}.", line=line)
        raise LessonError(what, path=command.name, fix=_("--from wants the first line of a statement."))
    loops = ast.For | ast.AsyncFor | ast.While
    if command.loop and not any(isinstance(node, loops) and node.lineno == command.loop for node in ast.walk(tree)):
        what = _("no loop begins on line {line}.", line=command.loop)
        raise LessonError(what, path=command.name, fix=_("--loop wants the line of a `for` or a `while`."))


def _check_function(text: str, command: RunCommand) -> None:
    """Raise LessonError if the function of `--only` is a generator or a coroutine, or the script does not have it."""
    part, script = command.part, Path(command.path)
    is_script = PurePath(script).match(part.file)
    try:
        tree = ast.parse(text if is_script else (script.parent / part.file).read_bytes())
    except (OSError, *UNPARSED):  # another file may be elsewhere; the other is said when it runs
        return
    are_resumable = [is_resumable for name, is_resumable in _functions_in(tree) if part.is_function(name)]
    if are_resumable and all(are_resumable):
        what = _("{name} is a generator or a coroutine, whose calls are not recorded alone.", name=part.function)
        raise LessonError(what, path=part.file, fix=_("--only wants a function that runs from its call to its end."))
    if is_script and not are_resumable:
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
