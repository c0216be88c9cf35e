"""Run a script or a lesson from its first cell to its last, as `python` would, and record it.

For finite differences, one element of a tensor is nudged on the way.
"""

from __future__ import annotations

import atexit
import builtins
import gc
import importlib.machinery
import linecache
import os
import random
import runpy
import sys
import threading
import traceback
import types
import weakref
from time import perf_counter
from typing import Any

import torch

from tutor import i18n
from tutor.i18n import _
from tutor.lesson.model import MISSING, Cell, Lesson, LessonError
from tutor.recorder import patches
from tutor.recorder.call_sites import Project
from tutor.recorder.compilers import exclude_compiled_code
from tutor.recorder.exceptions import (
    announce,
    attribute_warnings,
    display,
    exit_status,
    flush_at_end,
    hide_frames,
    print_exit,
    print_ignored,
    print_line,
    strip,
    trace_of,
)
from tutor.recorder.figures import FigureRecorder
from tutor.recorder.originals import name_of
from tutor.recorder.other_processes import ChildProcessWatcher
from tutor.recorder.patches import raise_recursion_limit, record_figures
from tutor.recorder.recorder import Recorder
from tutor.recorder.torch_private import DisableTorchFunction
from tutor.recorder.variables import Frame
from tutor.trace.command import CLOSED, Nudge, RunCommand
from tutor.trace.events import CellEnd, CellStart, Failed, Gap, RunEnd
from tutor.worker import import_hook
from tutor.worker.notebook import Notebook
from tutor.worker.program import Program, code_by_cell, read_program
from tutor.worker.standard_input import InputRecorder
from tutor.worker.stdio import OutputRecorder
from tutor.worker.tasks import Asked, Exercise, LineWatch, answer, asked_before, conditional_texts, is_shown, watching


def nudge_when_due(recorder: Recorder, nudge: Nudge) -> None:
    """Nudge the tensor just before its statement."""
    frames = recorder.frames
    arrive, lines = frames.record_line, 0

    def arriving(site: int, frame: Frame | None) -> None:
        nonlocal lines
        arrive(site, frame)
        lines += frame is not None and frame.serial > 0
        if lines == nudge.line:
            frames.record_line = arrive  # type: ignore[method-assign]
            for record in list(recorder.tensors.by_id.values()):
                tensor = record.ref()
                if record.serial == nudge.tensor and tensor is not None:
                    _move(tensor, nudge)

    frames.record_line = arriving  # type: ignore[method-assign]


def _move(tensor: torch.Tensor, nudge: Nudge) -> None:
    """Change the element through `.data`, unseen by autograd and version counters."""
    with DisableTorchFunction():
        data = tensor.data
        place = torch.unravel_index(torch.tensor(nudge.element), data.shape)
        data[place] += nudge.amount


STOPPED = 130
UNFLUSHED = 120
"""Python's exit status where it cannot flush its output."""


class Run:
    """One run of one file in this process.

    Args:
        command: What to run.
        recorder: Records it.
        program: What it runs, if that was read already and its `Document` is sent; None to do so.
        terminal: The descriptor of the terminal on which somebody types what the program asks; None without.
    """

    def __init__(
        self, command: RunCommand, recorder: Recorder, program: Program | None = None, terminal: int | None = None
    ) -> None:
        self._command = command
        self._program = program
        self._terminal = terminal
        self._recorder = recorder
        self._send = recorder.writer.send
        self._printed = OutputRecorder(recorder.writer, recorder.code.file_of, lambda: recorder.is_forking)
        self._figures = FigureRecorder(self._send, recorder.unseen, lambda: recorder.is_child, command.with_pictures)
        self._path = os.path.join(os.getcwd(), command.path)
        self._notebook: Notebook | None = None
        self._module = command.module
        """The module to be run by name; empty once it runs."""
        self._text = ""
        self._changed = bool(command.edits or command.attempts)
        """Whether the code differs from the file."""
        self._outcome, self._status, self._outcome_note = "ok", 0, ""
        self._unrecorded_code_ran = False
        """Whether unrecorded code has run since the last cell."""
        self._told_full = False
        """Whether the `Gap` that says so was sent."""

    def run(self) -> int:
        """Run all cells; return the exit status of the learner's program."""
        recorder = self._recorder
        i18n.use(self._command.language)
        try:
            lesson = self._read_lesson()
        except LessonError as error:
            self._send(RunEnd("refused", error.status, str(error)))
            recorder.writer.wait_until_written()
            return error.status
        gc.freeze()  # else the first full collection traverses all of torch: 70 ms
        if lesson.is_notebook:
            self._notebook = Notebook(self._path, self._command.name, recorder, self._printed, self._figures)
            self._notebook.begin()
        self._become_main()
        self._printed.install()
        recorder.on_switched = self._printed.write_lines
        attribute_warnings()
        hide_frames(Run._run_cell.__code__)
        recorder.signals.watch()
        if "PYTHONBREAKPOINT" not in os.environ:
            sys.breakpointhook = recorder.mark
        patches.shield_from_tracers()
        patches.write_before_the_end(recorder.write_held)
        stdin, replies = self._command.stdin, self._command.replies
        questions = InputRecorder(recorder, self._printed, stdin, replies, self._terminal)
        questions.install()
        patches.keep_secrets(recorder.add_secret, questions)
        recorder.frames.sampler.on = self._command.samples_loops and not lesson.header.title
        kept = recorder.frames.kept
        kept.selection, kept.line = self._command.keep, self._command.loop
        kept.rewinder.watch(self._command.until, self._command.last)
        part = self._command.part
        is_limited = bool(part.iterations or part.steps)
        kept.is_automatic = recorder.frames.sampler.on and kept.selection is None and not is_limited
        kept.line_of = lambda site: recorder.code.line_in(self._path, site)
        recorder.writer.start()
        whole = _text_with(lesson, self._text)
        recorder.part.line_of = kept.line_of
        recorder.part.choose(part, self._path, code_by_cell(lesson, whole))
        recorder.writer.limit_steps(part.steps)
        exclude_compiled_code(recorder.compiled)
        if "plotext" in whole:
            record_figures(self._send, recorder.unseen)
        recorder.code.names[self._path] = self._command.name
        begun = False
        asked, texts = asked_before(lesson), conditional_texts(lesson)
        for cell in lesson.cells:
            if cell.number is None:
                continue  # prose, or part of an exercise
            if cell.number in self._command.skip:
                self._send(CellStart(cell.number, self._knobs))
                self._send(CellEnd(cell.number, "skipped"))
                continue
            code = self._compile(cell, whole)
            if not begun:
                begun = True
                with recorder.switched_on():
                    recorder.frames.module(self._path)
            exercise = Exercise(lesson, cell, self._path) if cell.kind == "exercise" else None
            self._run_cell(cell, code, asked.get(cell.number, []), texts.get(cell.number, []), exercise)
            may_fail = exercise is not None or "raises-exception" in cell.attributes.get("tags", ())
            if self._outcome == "failed" and may_fail:
                self._outcome, self._status, self._outcome_note = "ok", 0, ""
            if self._outcome != "ok" or cell.number == self._command.last_cell:
                break
        return self._finish()

    # ------------------------------------------------------------ parts of a run

    def _read_lesson(self) -> Lesson:
        """Read the program, and send its `Document`, unless both have been done.

        Raises:
            LessonError: The file cannot be run, needs a GPU that is missing, or its standard input cannot be read.
        """
        program = self._program or read_program(self._command)
        lesson, self._text = program.lesson, program.text
        if self._changed:
            # Tracebacks quote the lines that ran, not the file; of a notebook each cell is a file.
            lines = self._text.splitlines(keepends=True)
            linecache.cache[self._path] = (len(self._text), None, lines, self._path)
        wants_cuda = "cuda" in lesson.header.needs or (self._command.device or "").startswith("cuda")
        if wants_cuda and not torch.cuda.is_available():
            fix = _("`gradtutor doctor` says more.")
            raise LessonError(_("CUDA is not there: torch finds no GPU."), fix=fix, status=MISSING)
        if self._command.stdin_path:
            _read_as_input(self._command.stdin_path)
        if self._program is None:
            self._send(program.document)
        self._knobs = program.document.knobs
        if self._command.seed is not None:
            torch.manual_seed(self._command.seed)
            random.seed(self._command.seed)
        return lesson

    def _become_main(self) -> None:
        """Make the learner's script `__main__`, so that pickling and spawned children work."""
        main = self._main = types.ModuleType("__main__")
        main.__dict__.update(__file__=self._path, __builtins__=builtins, __annotations__={}, __cached__=None)
        loader = importlib.machinery.SourceFileLoader("__main__", self._path)
        main.__dict__.update(__spec__=None, __doc__=None, __loader__=loader)
        if self._notebook is not None:  # there is no script that a spawned child could run
            del main.__dict__["__file__"]
        sys.modules["__main__"] = main
        if self._command.stdin == CLOSED:
            sys.stdin = sys.__stdin__ = None  # type: ignore[misc]
        sys.argv = ["-m" if self._module else self._command.path, *self._command.args]
        folder = os.getcwd() if self._module else os.path.dirname(os.path.realpath(self._path))
        sys.path.insert(0, folder)
        project = Project(self._path, folder)
        import_hook.install(project, self._recorder, self._path, self._figures.patches)
        ChildProcessWatcher(project, self._recorder.code.own_code, self._recorder.record_other_process).watch()

    def _compile(self, cell: Cell, whole: str) -> types.CodeType | SyntaxError:
        """Return the code of a cell, or the error where it is not valid Python."""
        try:
            if self._notebook is not None:
                return self._notebook.compile(cell)
            source = "\n" * (cell.first_line - 1) + cell.source
            return self._recorder.code.compile(source, self._path, whole=whole)
        except SyntaxError as error:
            return error

    def _run_cell(
        self,
        cell: Cell,
        code: types.CodeType | SyntaxError,
        asked: list[Asked],
        texts: list[Cell],
        exercise: Exercise | None,
    ) -> None:
        """Run a cell; send its events, the answers to `asked`, which of the `texts` after it are shown, and the outcome
        of its exercise.
        """
        recorder = self._recorder
        names = self._main.__dict__
        number = cell.number or 1
        self._send(CellStart(number, self._knobs))
        recorder.writer.flush()
        if self._unrecorded_code_ran:
            self._unrecorded_code_ran = False
            with recorder.switched_on():
                recorder.catch_up(names)
        watches = [LineWatch(each, names, recorder) for each in asked if each.by_line]
        failure: Failed | None = None
        ended: BaseException | None = None
        started = perf_counter()
        try:
            if isinstance(code, SyntaxError):
                raise code
            try:
                with recorder.recording(), watching(watches, recorder):
                    self._execute(cell, code)
                    recorder.scan(names)
            finally:
                if recorder.full:
                    self._snapshot_past_budget()
        except BaseException as error:
            ended = error
        if ended is not None:  # outside of `except`, so that errors of the program's own hooks have no context
            failure = self._end_raised(ended)
        self._figures.end_cell()
        seconds = perf_counter() - started
        with recorder.switched_on():
            recorder.measure()
        self._printed.flush()
        if self._outcome == "ok":
            for watch in watches:
                self._send(watch.end())
            for each in asked:
                if not each.by_line:
                    self._send(answer(each, names, recorder))
        if self._outcome in ("ok", "failed"):
            for text in texts:
                self._send(is_shown(text, names, recorder))
        solved = exercise is None or self._check(exercise, failure)
        self._send(CellEnd(number, self._outcome, self._outcome_note, seconds, self._status))
        recorder.writer.flush()
        if exercise is not None and not solved:
            self._solve(exercise)

    def _execute(self, cell: Cell, code: types.CodeType) -> None:
        """Execute a cell in the names of the main module; of a module run by name the first one as `python -m` does."""
        raise_recursion_limit()
        module, self._module = self._module, ""
        if self._notebook is not None:
            self._notebook.execute(cell, code, self._main.__dict__)
            return
        if not module:
            exec(code, self._main.__dict__)
            return
        find: Any = runpy._get_module_details  # type: ignore[attr-defined]

        def find_recorded(*args: Any) -> Any:
            runpy._get_module_details = find  # type: ignore[attr-defined]
            name, spec, _ = find(*args)
            return name, spec, code

        runpy._get_module_details = find_recorded  # type: ignore[attr-defined]
        runpy._run_module_as_main(module)  # type: ignore[attr-defined]

    def _check(self, exercise: Exercise, failure: Failed | None) -> bool:
        """Send the outcome of an exercise cell; return whether it passed, True also where the run is over."""
        if self._outcome not in ("ok", "failed"):
            return True
        try:
            outcome = exercise.check(self._main.__dict__) if failure is None else exercise.outcome_of_exception(failure)
        except KeyboardInterrupt:
            self._end_stopped()
            return True
        self._send(outcome)
        return outcome.ok

    def _solve(self, exercise: Exercise) -> None:
        """Run the solution, unrecorded, for the cells that follow."""
        self._unrecorded_code_ran = True
        try:
            self._send(exercise.solve(self._main.__dict__))
        except KeyboardInterrupt:
            self._end_stopped()

    def _end_raised(self, error: BaseException) -> Failed | None:
        """End the run on an exception that the program did not catch; return its event if it is a failure."""
        strip(error)
        if isinstance(error, SystemExit):
            self._end_exited(error)
            return None
        if isinstance(error, KeyboardInterrupt):
            self._end_stopped()
            return None
        with self._recorder.switched_on():
            failure = self._recorder.failed(error)
        self._outcome, self._status, self._outcome_note = "failed", 1, name_of(type(error))
        self._print_exception(error)
        return failure

    def _end_stopped(self) -> None:
        self._outcome, self._status, self._outcome_note = "stopped", STOPPED, ""

    def _end_exited(self, error: SystemExit) -> None:
        self._outcome = "exited"
        self._status, message = exit_status(error)
        if message is not None:
            print_exit(message)

    def _print_exception(self, error: BaseException) -> None:
        """Print an exception as Python would, by the learner's own `excepthook` if there is one."""
        hook: Any = getattr(sys, "excepthook", None)
        if not announce(error, hook):
            return
        if (self._changed or self._notebook is not None) and hook is sys.__excepthook__:
            traceback.print_exception(error)  # `sys.__excepthook__` quotes the file, not the code that ran
            return
        if not hasattr(sys, "excepthook"):
            print_line("sys.excepthook is missing")
            display(error)
            return
        second: BaseException | None = None
        try:
            hook(type(error), error, trace_of(error))
        except BaseException as raised:
            second = raised
        if isinstance(second, SystemExit):
            self._end_exited(second)
        elif second is not None:  # the learner's hook failed: Python prints both
            strip(second)
            print_line("Error in sys.excepthook:")
            display(second)
            print_line("\nOriginal exception was:")
            display(error)

    def _snapshot_past_budget(self) -> None:
        if not self._told_full:
            self._told_full = True
            self._send(Gap(0, "full", self._recorder.writer.events))
        self._recorder.full_snapshot(self._main.__dict__)

    def _finish(self) -> int:
        """Do what Python does at its end: wait for threads, run exit handlers, drop the module."""
        recorder = self._recorder
        self._figures.finish()
        recorder.close()
        if self._outcome != "stopped":
            try:
                threading._shutdown()  # type: ignore[attr-defined]
            except BaseException as error:  # the program's own
                strip(error)
                print_ignored(error, threading, "on threading shutdown")
            try:
                atexit._run_exitfuncs()
                if not flush_at_end():
                    self._status = UNFLUSHED
                self._drop_module()
            except BaseException as error:  # Python would print it and end
                strip(error)
                display(error)
        self._printed.close()
        recorder.frames.kept.rewinder.close()
        recorder.part.close(recorder.writer.waiting.append)
        self._send(RunEnd(self._outcome, self._status, self._outcome_note))
        recorder.writer.wait_until_written()
        recorder.writer.stop()
        return self._status

    def _drop_module(self) -> None:
        """Clear the names of the module, so that `__del__` methods run while Python's own streams are in place."""
        for name in ("stdin", "stdout", "stderr"):
            setattr(sys, name, getattr(sys, f"__{name}__", None))
        for name in ("last_exc", "last_type", "last_value", "last_traceback"):  # their frames hold the module's names
            if hasattr(sys, name):
                setattr(sys, name, None)
        self._recorder.signals.release()
        main = weakref.ref(self._main)
        sys.modules.pop("__main__", None)
        # By now Python has no modules left that read source lines, so what it prints of errors quotes none.
        modules: dict[str, Any] = sys.modules
        modules.update(io=None, traceback=None)
        del self._main
        gc.collect()
        module = main()
        if module is not None:
            module.__dict__.clear()


def _read_as_input(path: str) -> None:
    """Make a file the standard input.

    Raises:
        LessonError: It cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        what = _("{name} cannot be read: {why}.", name=path, why=error.strerror or error)
        raise LessonError(what, status=MISSING) from None
    os.dup2(descriptor, 0)
    os.close(descriptor)


def _text_with(lesson: Lesson, text: str) -> str:
    """Return the file's text with its knobs set; of a notebook its code."""
    if lesson.is_notebook:
        return "\n".join(cell.source for cell in lesson.code_cells)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for cell in lesson.code_cells:
        if cell.knobs:
            lines[cell.first_line - 1 : cell.first_line - 1 + cell.lines] = cell.source.split("\n")
    return "\n".join(lines)
