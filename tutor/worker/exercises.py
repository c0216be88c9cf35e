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
from tutor.trace.events import Checked, Failed
from tutor.worker.failures import text_of


class Exercise:
    """One exercise of the lesson that runs."""

    def __init__(self, lesson: Lesson, cell: Cell, path: str) -> None:
        parts = {part.kind: part for part in lesson.code_cells if part.exercise == cell.exercise}
        self._cell = cell
        self._solution, self._check = parts["solution"], parts["check"]
        self._path = path
        self._before = _random_state()

    def raised(self, failure: Failed) -> Checked:
        """The outcome where the code itself has failed."""
        said = " ".join(failure.message.split())
        message = f"Your code stopped with {failure.error}" + (f": {said}" if said else ".")
        return self._outcome(False, message, None if failure.span is None else failure.span[0])

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
            return self._outcome(False, _said(error), self._line(error), of)
        finally:
            _set_random_state(state)
        return self._outcome(True, "", None, of)

    def solve(self, names: dict[str, Any]) -> Checked:
        """Runs the solution as if it had stood in place of the attempt, and tells whether its check passes then."""
        _set_random_state(self._before)
        try:
            with _muted():
                self._run(self._solution, names)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            message = f"the solution stopped with {type(error).__name__}: {text_of(error)}"
            return self._outcome(False, message, self._line(error), "solution")
        return self.check(names, "solution")

    def _run(self, cell: Cell, names: dict[str, Any]) -> None:
        source = "\n" * (cell.first_line - 1) + cell.source
        exec(compile(source, self._path, "exec", dont_inherit=True), names)

    def _outcome(self, ok: bool, message: str, line: int | None, of: str = "attempt") -> Checked:
        return Checked(self._cell.index, self._cell.exercise or "", ok, message, line, of)

    def _line(self, error: BaseException) -> int | None:
        """The line of the file at which the check, or the solution, failed."""
        line, trace = None, error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename == self._path and code.co_name == "<module>":
                line = trace.tb_lineno
            trace = trace.tb_next
        return line


def _said(error: BaseException) -> str:
    """A check's failure, to the learner."""
    said = " ".join(text_of(error).split())
    if isinstance(error, AssertionError):
        return said
    if isinstance(error, NameError) and error.name:
        return f"There is no `{error.name}`: your code does not define it."
    return f"The check could not run: {type(error).__name__}" + (f": {said}" if said else ".")


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
