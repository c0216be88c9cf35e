"""Evaluate the answers to a lesson's questions in the learner's names, without leaving a trace."""

from __future__ import annotations

import contextlib
import copy
import random
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch

from tutor.i18n import N_
from tutor.lesson.model import Cell
from tutor.recorder.recorder import Recorder
from tutor.recorder.variables import Frame
from tutor.trace.events import Answer

MAIN = 1
"""The frame of the program itself."""


def answer(question: Cell, names: dict[str, Any], recorder: Recorder) -> Answer:
    """Return the answer to a question whose code cell has ended."""
    with unrecorded(recorder):
        try:
            return Answer(question.index, copy.deepcopy(_plain(eval(question.of or "None", names))))
        except Exception as error:
            return Answer(question.index, None, f"{type(error).__name__}: {error}")


class LineWatch:
    """Finds the statement of a cell after which a condition is true for the first time, for questions of kind
    "line"."""

    def __init__(self, question: Cell, names: dict[str, Any], recorder: Recorder) -> None:
        self._question = question
        self._names = names
        self._recorder = recorder
        self._condition = compile((question.of or "None").strip(), "<condition>", "eval")
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
            self._answer = Answer(self._question.index, first, None, last, self._runs[self._last])

    def _is_true(self) -> bool:
        with unrecorded(self._recorder):
            try:
                return bool(eval(self._condition, self._names))
            except Exception:  # a name that is not bound yet
                return False

    def _no_answer(self, why: str) -> Answer:
        return Answer(self._question.index, None, why)


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
