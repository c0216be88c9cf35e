"""Check an exercise cell, and run the lesson's solution where the check fails. Neither is recorded.

So the recording shows the learner's code alone, and the cells after it work whether it is solved or not.
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
