"""Answer the questions of a lesson, choose between its texts and check its exercises, in the learner's names, without
recording it.

The lesson's solution runs where the check of an exercise fails. So the recording shows the learner's code alone, and
the cells after it work whether it is solved or not.
"""

from __future__ import annotations

import contextlib
import copy
import io
import random
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from tutor.i18n import N_
from tutor.lesson.model import Cell, Lesson
from tutor.recorder.exceptions import text_of
from tutor.recorder.recorder import Recorder
from tutor.recorder.variables import Frame
from tutor.trace.events import Answer, Checked, Failed

MAIN = 1
"""The frame of the program itself."""


class Asked(NamedTuple):
    """An expression that the run answers: what a question asks for, or a wrong answer that has a diagnosis."""

    cell: int
    """Index of the cell in `Lesson.cells`."""
    of: str
    by_line: bool
    """Whether the answer is the statement that makes the expression true."""


def asked_before(lesson: Lesson) -> dict[int, list[Asked]]:
    """Return what each code cell that is walked answers, by its number."""
    result: dict[int, list[Asked]] = {}
    waiting: list[Asked] = []
    by_line = False
    for cell in lesson.cells:
        if cell.kind == "question":
            by_line = cell.question == "line"
        if cell.kind in ("question", "diagnosis"):
            expression = cell.of if cell.kind == "question" else cell.wrong
            waiting.append(Asked(cell.index, (expression or "None").strip(), by_line))
        elif cell.number is not None and waiting:
            result[cell.number], waiting = waiting, []
    return result


def answer(asked: Asked, names: dict[str, Any], recorder: Recorder) -> Answer:
    """Return the value of an expression whose code cell has ended."""
    with unrecorded(recorder):
        try:
            return Answer(asked.cell, copy.deepcopy(_plain(eval(asked.of, names))))
        except Exception as error:
            return Answer(asked.cell, None, f"{type(error).__name__}: {error}")


def conditional_texts(lesson: Lesson) -> dict[int, list[Cell]]:
    """Return the prose cells with `when` after each code cell that is walked, by its number."""
    texts: dict[int, list[Cell]] = {}
    number = 0
    for cell in lesson.cells:
        number = cell.number or number
        if cell.when is not None:
            texts.setdefault(number, []).append(cell)
    return texts


def is_shown(text: Cell, names: dict[str, Any], recorder: Recorder) -> Answer:
    """Return whether a prose cell with `when` is shown, now that the code cell before it has ended."""
    with unrecorded(recorder):
        try:
            return Answer(text.index, bool(eval(text.when or "None", names)))
        except Exception as error:
            return Answer(text.index, None, f"{type(error).__name__}: {error}")


class LineWatch:
    """Finds the statement of a cell after which a condition is true for the first time, for questions of kind
    "line"."""

    def __init__(self, asked: Asked, names: dict[str, Any], recorder: Recorder) -> None:
        self._index = asked.cell
        self._names = names
        self._recorder = recorder
        self._condition = compile(asked.of, "<condition>", "eval")
        self._runs: Counter[int] = Counter()
        self._last = 0
        self._answer: Answer | None = None
        if self._is_true():
            self._answer = self._no_answer(N_("the condition is true before the cell begins"))

    def before_statement(self, site: int, frame: Frame | None) -> None:
        """Check the condition after the statement before this one."""
        if frame is not None and frame.serial == MAIN:
            self._check()
            self._last = site
            self._runs[site] += 1

    def end(self) -> Answer:
        """Return the answer; the cell has ended."""
        self._check()
        return self._answer or self._no_answer(N_("the condition never becomes true"))

    def _check(self) -> None:
        """Note the last statement as the answer if the condition has become true."""
        if self._answer is None and self._last and self._is_true():
            first, last = self._recorder.code.lines_of(self._last)
            self._answer = Answer(self._index, first, None, last, self._runs[self._last])

    def _is_true(self) -> bool:
        with unrecorded(self._recorder):
            try:
                return bool(eval(self._condition, self._names))
            except Exception:  # a name that is not bound yet
                return False

    def _no_answer(self, why: str) -> Answer:
        return Answer(self._index, None, why)


@contextlib.contextmanager
def watching(watches: list[LineWatch], recorder: Recorder) -> Iterator[None]:
    """Let these watches see each statement that runs inside."""
    if not watches:
        yield
        return
    frames = recorder.frames
    arrive = frames.record_line

    def arriving(site: int, frame: Frame | None) -> None:
        for watch in watches:
            watch.before_statement(site, frame)
        arrive(site, frame)

    frames.record_line = arriving  # type: ignore[method-assign]
    try:
        yield
    finally:
        frames.record_line = arrive  # type: ignore[method-assign]


@contextlib.contextmanager
def unrecorded(recorder: Recorder) -> Iterator[None]:
    """Run what is inside unrecorded, without warnings, and restore the random state."""
    state, plain = torch.get_rng_state(), random.getstate()
    with recorder.unseen(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    torch.set_rng_state(state)
    random.setstate(plain)


def _plain(value: Any) -> Any:
    """Return a value as numbers, lists, bool, None or text."""
    if isinstance(value, torch.Tensor):
        return _plain(value.detach().tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, complex):
        return [value.real, value.imag]
    return value if isinstance(value, bool | int | float | str | None) else str(value)


class Exercise:
    """One exercise of the lesson that runs."""

    def __init__(self, lesson: Lesson, cell: Cell, path: str) -> None:
        parts = {part.kind: part for part in lesson.code_cells if part.exercise == cell.exercise}
        self._cell = cell
        self._solution, self._check = parts["solution"], parts["check"]
        self._path = path
        self._before = _random_state()

    def outcome_of_exception(self, failure: Failed) -> Checked:
        """Return the outcome of code that has raised an exception."""
        line = None if failure.span is None else failure.span[0]
        return self._outcome(failure.message, line, how="stopped", error=failure.error)

    def check(self, names: dict[str, Any], of: str = "attempt") -> Checked:
        """Run the check on these names; return the outcome. `of` is what is checked: "attempt" or "solution"."""
        # Names that the check binds and random numbers that it draws must not show.
        state = _random_state()
        try:
            with _muted():
                self._run(self._check, dict(names))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return self._failed(error, of)
        finally:
            _set_random_state(state)
        return Checked(self._cell.index, self._cell.exercise or "", True, of=of)

    def solve(self, names: dict[str, Any]) -> Checked:
        """Run the solution in place of the attempt; return the outcome of its check."""
        _set_random_state(self._before)
        try:
            with _muted():
                self._run(self._solution, names)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            name = type(error).__name__
            return self._outcome(text_of(error), self._line(error), "solution", how="solution", error=name)
        return self.check(names, "solution")

    def _run(self, cell: Cell, names: dict[str, Any]) -> None:
        source = "\n" * (cell.first_line - 1) + cell.source
        exec(compile(source, self._path, "exec", dont_inherit=True), names)

    def _failed(self, error: BaseException, of: str) -> Checked:
        """Return the outcome of a failed check. Its message may be one text, or one for each language."""
        line = self._line(error)
        if isinstance(error, AssertionError):
            message = error.args[0] if error.args and isinstance(error.args[0], dict) else text_of(error)
            return self._outcome(message, line, of)
        if isinstance(error, NameError) and error.name:
            return self._outcome("", line, of, how="name", error=error.name)
        return self._outcome(text_of(error), line, of, how="check", error=type(error).__name__)

    def _outcome(
        self, text: str | dict[Any, Any], line: int | None, of: str = "attempt", how: str = "", error: str = ""
    ) -> Checked:
        message = (
            {str(language): " ".join(str(part).split()) for language, part in text.items()}
            if isinstance(text, dict)
            else " ".join(text.split())
        )
        return Checked(self._cell.index, self._cell.exercise or "", False, message, line, of, how, error)

    def _line(self, error: BaseException) -> int | None:
        """Return the line of the file at which the check or the solution failed; None if unknown."""
        line, trace = None, error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename == self._path and code.co_name == "<module>":
                line = trace.tb_lineno
            trace = trace.tb_next
        return line


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Discard what is printed and warned of inside."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def _random_state() -> tuple[torch.Tensor, Any]:
    return torch.get_rng_state(), random.getstate()


def _set_random_state(state: tuple[torch.Tensor, Any]) -> None:
    torch.set_rng_state(state[0])
    random.setstate(state[1])
