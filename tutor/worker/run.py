"""Runs a script or a lesson from its first cell to its last, as `python` would, and records it."""

from __future__ import annotations

import atexit
import copy
import gc
import linecache
import os
import random
import signal
import sys
import threading
import time
import traceback
import types
import warnings
import weakref
from pathlib import Path
from typing import Any

import msgspec
import torch

from tutor.lesson import knobs as knobs_of
from tutor.lesson.editing import edited
from tutor.lesson.errors import MISSING, LessonError
from tutor.lesson.model import Cell, Lesson
from tutor.lesson.read import read
from tutor.trace.command import RunCommand
from tutor.trace.events import Answer, CellEnd, CellStart, Document, Gap, RunEnd
from tutor.worker import importer
from tutor.worker.compilers import step_aside
from tutor.worker.failures import exit_status, is_ours, strip
from tutor.worker.figures import record_figures
from tutor.worker.output import Printed
from tutor.worker.recorder import Recorder
from tutor.worker.recursion import make_room
from tutor.worker.syntax import uses_compiler

STOPPED = 130


class Run:
    """One run of one file in this process."""

    def __init__(self, command: RunCommand, recorder: Recorder) -> None:
        self._command = command
        self._recorder = recorder
        self._send = recorder.sink.send
        self._printed = Printed(recorder.sink)
        self._path = os.path.abspath(command.path)
        self._text = ""
        self._outcome, self._status, self._note = "ok", 0, ""

    def run(self) -> int:
        """Runs all; returns the exit status of the learner's program."""
        recorder = self._recorder
        try:
            lesson = self._lesson()
        except LessonError as error:
            self._send(RunEnd("refused", error.status, str(error)))
            recorder.sink.wait_until_written()
            return error.status
        gc.freeze()  # or the first full collection looks at all that torch has imported: 70 ms
        self._become_main()
        self._printed.install()
        signal.signal(signal.SIGINT, self._interrupted)
        recorder.sink.start()
        whole = _text_with(lesson, self._text)
        if uses_compiler(whole):
            step_aside(recorder.unseen)
        if "plotext" in whole:
            record_figures(self._send, recorder.unseen)
        recorder.code.names[self._path] = self._command.name
        cells = lesson.code_cells
        frame = None
        asked: list[Cell] = []
        for cell in lesson.cells:
            if not cell.is_code:
                asked += [cell] if cell.question else []
                continue
            source = "\n" * (cell.first_line - 1) + cell.source
            if frame is None:
                code = recorder.code.compile(source, self._path, whole=whole)
                with recorder.switched_on():
                    frame = recorder.frames.module(self._path)
            else:
                code = recorder.code.compile(source, self._path, whole=whole)
            self._cell(cell, code, asked)
            asked = []
            goes_on = "raises-exception" in cell.attributes.get("tags", ()) and self._outcome == "failed"
            if self._outcome != "ok" and not goes_on:
                break
            if goes_on:
                self._outcome, self._status, self._note = "ok", 0, ""
        if frame is not None and recorder.full and cells:
            self._past_budget(frame)
        return self._finish()

    # ------------------------------------------------------------ parts of a run

    def _lesson(self) -> Lesson:
        lesson = read(Path(self._command.path))
        if self._command.edits:
            lesson, self._text = edited(lesson, self._command.edits)
            # Tracebacks quote the lines that ran, and look no more at the file.
            lines = self._text.splitlines(keepends=True)
            linecache.cache[self._path] = (len(self._text), None, lines, self._path)
        else:
            self._text = Path(lesson.path).read_text(encoding="utf-8", errors="replace")
        wants_cuda = "cuda" in lesson.header.needs or (self._command.device or "").startswith("cuda")
        if wants_cuda and not torch.cuda.is_available():
            raise LessonError(
                "CUDA is not there: torch finds no GPU.", mend="`gradtutor doctor` says more.", status=MISSING
            )
        values = knobs_of.resolve(lesson, self._command.knobs, self._command.device)
        lesson = knobs_of.apply(lesson, values)
        cells = [msgspec.to_builtins(cell) for cell in lesson.cells]
        self._send(
            Document(
                self._command.name, dict(lesson.header.title), cells, knobs_of.all_values(lesson, values),
                self._command.device,
            )
        )  # fmt: skip
        self._knobs = knobs_of.all_values(lesson, values)
        return lesson

    def _become_main(self) -> None:
        """`__main__` is the learner's script, so that pickling and spawned children work."""
        main = self._main = types.ModuleType("__main__")
        main.__dict__.update(__file__=self._path, __builtins__=__builtins__, __annotations__={}, __cached__=None)
        main.__dict__.update(__spec__=None, __doc__=None, __loader__=None)
        sys.modules["__main__"] = main
        sys.argv = [self._command.path, *self._command.args]
        folder = os.path.dirname(self._path)
        sys.path.insert(0, folder)
        importer.install(folder, self._recorder)

    def _cell(self, cell: Cell, code: types.CodeType, asked: list[Cell]) -> None:
        recorder = self._recorder
        number = cell.number or 1
        self._send(CellStart(number, self._knobs))
        recorder.sink.flush()
        started = time.perf_counter()
        try:
            with recorder.recording():
                make_room()
                exec(code, self._main.__dict__)
                recorder.scan(self._main.__dict__)
        except SystemExit as error:
            self._status, text = exit_status(error)
            if text:
                sys.stderr.write(text)
            self._outcome, self._note = "exited", f"the program ended itself with exit status {self._status}"
        except KeyboardInterrupt as error:
            strip(error)
            self._outcome, self._status, self._note = "stopped", STOPPED, "stopped while it ran"
        except BaseException as error:
            strip(error)
            with recorder.switched_on():
                recorder.failed(error)
            self._outcome, self._status = "failed", 1
            self._note = f"{type(error).__name__}"
            self._print(error)
        with recorder.switched_on():
            recorder.measure()
        for stream in self._printed.streams:
            stream.flush()
        if self._outcome == "ok":
            for question in asked:
                self._answer(question)
        self._send(CellEnd(number, self._outcome, self._note, time.perf_counter() - started))
        recorder.sink.flush()

    def _print(self, error: BaseException) -> None:
        """As Python would, through the learner's own `excepthook` if there is one."""
        if self._command.edits and sys.excepthook is sys.__excepthook__:
            traceback.print_exception(error)  # Python's own quotes the file, not what ran
            return
        try:
            sys.excepthook(type(error), error, error.__traceback__)
        except BaseException:  # the learner's hook failed: Python prints both
            traceback.print_exception(error)

    def _answer(self, question: Cell) -> None:
        """Evaluates the expression that a question asks for, and leaves no trace of having done so."""
        recorder = self._recorder
        state, plain = torch.get_rng_state(), random.getstate()
        with recorder.unseen(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                value = copy.deepcopy(_plain(eval(question.of or "None", self._main.__dict__)))
                self._send(Answer(question.index, value))
            except Exception as error:
                self._send(Answer(question.index, None, f"{type(error).__name__}: {error}"))
        torch.set_rng_state(state)
        random.setstate(plain)

    def _past_budget(self, frame: Any) -> None:
        recorder = self._recorder
        self._send(
            Gap(0, f"The recording was full after {recorder.sink.events:,} events. What ran after that is not in it, "
                   "but for the charts and the state at the end.")
        )  # fmt: skip
        recorder.full_snapshot(self._main.__dict__, frame)

    def _finish(self) -> int:
        """What Python does at its end: waits for threads, runs exit handlers, drops the module."""
        recorder = self._recorder
        recorder.close()
        if self._outcome != "stopped":
            try:
                threading._shutdown()  # type: ignore[attr-defined]
                atexit._run_exitfuncs()
                self._drop_module()
            except BaseException:  # Python would print it and end
                traceback.print_exc()
        self._printed.close()
        self._send(RunEnd(self._outcome, self._status, self._note))
        recorder.sink.wait_until_written()
        recorder.sink.stop()
        return self._status

    def _drop_module(self) -> None:
        """Lets go of what the names hold, so that objects with a `__del__` have their say."""
        main = weakref.ref(self._main)
        del sys.modules["__main__"], self._main
        gc.collect()
        left = main()
        if left is not None:
            left.__dict__.clear()

    def _interrupted(self, number: int, frame: types.FrameType | None) -> None:
        """Ctrl-C or the stop key: an exception in the learner's code, but never in the middle of ours."""
        while frame is not None and frame.f_code.co_filename.startswith("<"):
            frame = frame.f_back
        if frame is not None and is_ours(frame.f_code):
            self._recorder.frames.stop_wanted = True
        else:
            raise KeyboardInterrupt


def _text_with(lesson: Lesson, text: str) -> str:
    """The file's text, its knobs set."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for cell in lesson.code_cells:
        if cell.knobs:
            lines[cell.first_line - 1 : cell.first_line - 1 + cell.lines] = cell.source.split("\n")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    """An answer as numbers, lists, bool, None or text."""
    if isinstance(value, torch.Tensor):
        return _plain(value.detach().tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, complex):
        return [value.real, value.imag]
    return value if isinstance(value, bool | int | float | str | None) else str(value)
