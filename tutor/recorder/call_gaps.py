"""Leave out calls of functions that do not touch tensors.

Three calls of each of the learner's functions are recorded. If no tensor was touched in them, those that follow run in
the function's plain twin (`twins.py`), and an event says which they were. They are only counted, at the speed of a C
iterator, and recorded as a gap before the next recorded statement. A function that touches a tensor in such a call is
recorded from its next call on.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any, NamedTuple

from tutor.recorder.gaps import FIRST, LoopSampler
from tutor.recorder.twins import Gate
from tutor.recorder.variables import Frame
from tutor.trace.events import Skipped

_SKIPPED = Skipped.__struct_config__.tag
_RECORDED: Callable[[], Any] = bool
"""In `Gate.calls`, for a function whose calls are all recorded: returns False."""


class _Function:
    """A function whose calls are counted.

    Attributes:
        site: The statement that defines it.
        calls: How many calls have begun.
        running: How many of the recorded ones run.
        touches: How often tensors had been touched when the outermost of these began.
        numbers: Yields the numbers of calls that run plain.
        touched: Whether it has touched a tensor.
        name: Its name.
    """

    __slots__ = ("calls", "name", "numbers", "running", "site", "touched", "touches")

    def __init__(self, site: int) -> None:
        self.site = site
        self.calls = self.running = self.touches = 0
        self.numbers: Iterator[int] = count()
        self.touched = False
        self.name = ""


class _Gap(NamedTuple):
    """Calls that have no gap yet: the function, the number of the first, and the frame and statement around them."""

    function: _Function
    first: int
    frame: int
    statement: int


class CallSampler:
    """Chooses which calls are recorded, and records which were not.

    Args:
        append: Adds an event.
        loops: Counts how often tensors were touched.
        gate: Chooses the twins.
        frame_of: Returns the record of a Python frame, or of the one around it.
        by_id: The recorded frames by `id` of Python's frame.
        is_on: Returns whether events are sent, and this is the thread that is recorded.
        may_skip: Returns whether a call may run plain now.

    Attributes:
        pending: The calls that are not recorded as a gap yet.
        skipping: The functions whose calls run plain, by `id` of their code.
        statement_at: Returns the site of the statement around an instruction of the learner's code.
    """

    def __init__(
        self,
        append: Callable[[Any], None],
        loops: LoopSampler,
        gate: Gate,
        frame_of: Callable[[types.FrameType | None], Frame | None],
        by_id: dict[int, Frame],
        is_on: Callable[[], bool],
        may_skip: Callable[[], bool],
    ) -> None:
        self._append = append
        self._loops = loops
        self._calls = gate.calls
        gate.calls.begins = self._begins_of
        self._frame_of = frame_of
        self._by_id = by_id
        self._is_on = is_on
        self._may_skip = may_skip
        self.pending: list[_Gap] = []
        self.skipping: dict[int, _Function] = {}
        self._counted: dict[int, _Function] = {}
        """By `id` of their code."""
        self.statement_at: Callable[[types.CodeType, int], int] = lambda code, instruction: 0

    def _begins_of(self, site: int) -> Callable[[], Any]:
        return partial(self._begins, _Function(site)) if self._loops.on else _RECORDED

    def _begins(self, function: _Function) -> bool:
        """Count a call that begins; return whether it runs plain."""
        if not self._is_on():
            return False
        python = sys._getframe(1)
        code = python.f_code
        if function.calls < FIRST:
            function.calls += 1
            if not function.running:
                function.touches = self._loops.touches
            function.running += 1
            self._counted[id(code)] = function
            return False
        if function.running and function.touches != self._loops.touches:
            self._record(function)
            return False
        function.calls += 1
        if not self._may_skip():
            function.running += 1
            return False
        function.name = code.co_qualname.rpartition("<locals>.")[2]
        function.numbers = count(function.calls + 1)
        self.skipping[id(code)] = function
        self._calls[function.site] = function.numbers.__next__
        frame, statement = self._place(python.f_back)
        self.pending.append(_Gap(function, function.calls, frame, statement))
        return True

    def _place(self, python: types.FrameType | None) -> tuple[int, int]:
        """Return the number of the recorded frame around, and the site of the statement that runs in it."""
        frame = self._frame_of(python)
        while frame is not None and python is not None:
            if id(python) == frame.key:
                return frame.serial, self.statement_at(python.f_code, python.f_lasti)
            python = python.f_back
        return 1, 0

    def left(self, frame: Frame) -> None:
        """Note that a recorded call is over."""
        function = self._counted.get(id(frame.code))
        if function is not None:
            function.running = max(function.running - 1, 0)
            if frame.touches != self._loops.touches:
                self._record(function)

    def touched_in(self, python: types.FrameType | None) -> None:
        """Note that a tensor is touched in this Python frame: record functions of which calls run plain around it."""
        touched = False
        while python is not None and id(python) not in self._by_id:
            function = self.skipping.get(id(python.f_code))
            if function is not None:
                touched = True
                self._record(function)
            python = python.f_back
        if touched:
            self.send()

    def _record(self, function: _Function) -> None:
        """Record all calls of a function from now on."""
        function.touched = True
        self._calls[function.site] = _RECORDED
        for functions in (self._counted, self.skipping):
            for code in [code for code, other in functions.items() if other is function]:
                del functions[code]

    def send(self) -> None:
        """Record which calls ran plain since the last statement."""
        pending, self.pending = self.pending, []
        for function, first, frame, statement in pending:
            function.calls = next(function.numbers) - 1
            if not function.touched:
                self._calls[function.site] = partial(self._begins, function)
            self._append((_SKIPPED, frame, statement, first, function.calls, function.touched, function.name))
