"""Checks what stands in an exercise cell, and runs the lesson's own solution where that fails. Both are not recorded.

So a learner's run walks their code like any other, and the cells after it work, solved or not.
"""

from __future__ import annotations

import contextlib
import io
import random
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from tutor.lesson.model import Cell, Lesson
from tutor.recorder.exceptions import text_of
from tutor.trace.events import Checked, Failed


class Exercise:
    """One exercise of the lesson that runs."""

    def __init__(self, lesson: Lesson, cell: Cell, path: str) -> None:
        parts = {part.kind: part for part in lesson.code_cells if part.exercise == cell.exercise}
        self._cell = cell
        self._solution, self._check = parts["solution"], parts["check"]
        self._path = path
        self._before = _random_state()

    def outcome_of_exception(self, failure: Failed) -> Checked:
        """The outcome where the code itself has failed."""
        line = None if failure.span is None else failure.span[0]
        return self._outcome(failure.message, line, how="stopped", error=failure.error)

    def check(self, names: dict[str, Any], of: str = "attempt") -> Checked:
        """The outcome of the check on these names of the program."""
        # What the check stores is its own affair; what it draws too.
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
        """Runs the solution as if it had stood in place of the attempt, and tells whether its check passes then."""
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
        """A check's failure. What it says may be one text, or one for each language."""
        line = self._line(error)
        if isinstance(error, AssertionError):
            said = error.args[0] if error.args and isinstance(error.args[0], dict) else text_of(error)
            return self._outcome(said, line, of)
        if isinstance(error, NameError) and error.name:
            return self._outcome("", line, of, how="name", error=error.name)
        return self._outcome(text_of(error), line, of, how="check", error=type(error).__name__)

    def _outcome(
        self, said: str | dict[Any, Any], line: int | None, of: str = "attempt", how: str = "", error: str = ""
    ) -> Checked:
        message = (
            {str(language): " ".join(str(text).split()) for language, text in said.items()}
            if isinstance(said, dict)
            else " ".join(said.split())
        )
        return Checked(self._cell.index, self._cell.exercise or "", False, message, line, of, how, error)

    def _line(self, error: BaseException) -> int | None:
        """The line of the file at which the check, or the solution, failed."""
        line, trace = None, error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename == self._path and code.co_name == "<module>":
                line = trace.tb_lineno
            trace = trace.tb_next
        return line


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Nothing that is printed or warned of inside comes out."""
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
