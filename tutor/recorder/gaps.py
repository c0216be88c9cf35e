"""Leave out the middle of loops that do not touch tensors.

Such a loop is recorded at its first three and, where its length is known when it begins, its last three iterations. The
iterations between are a gap: they run in the loop's plain twin (`twins.py`), in which nothing is recorded. The gap ends
before one of the last iterations, when the loop is left, and as soon as an operation or recorded code runs in it; then
what the names mean is recorded. A loop that touches a tensor in the gap is recorded from there on.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, compress, count, islice, repeat
from operator import length_hint
from typing import Any, NamedTuple

import torch

from tutor.recorder.tensors import TensorRecorder
from tutor.recorder.threads import ThreadWatcher
from tutor.recorder.twins import Gate
from tutor.recorder.variables import Frame, VariableRecorder
from tutor.trace.events import Iteration, Skipped

_SKIPPED, _ITERATION = (kind.__struct_config__.tag for kind in (Skipped, Iteration))
FIRST = 3
"""Iterations that are recorded at the beginning of a loop."""
LAST = 3
"""Iterations that are recorded at its end, where that is known in advance."""
LEAST = 10
"""Iterations that a gap has at least, where its length is known in advance."""
_OPTIMIZED = 0x1  # CO_OPTIMIZED: locals are no dict
_SEES_LOCALS = frozenset({"locals", "vars", "dir", "eval", "exec", "f_locals", "_getframe", "currentframe", "stack"})
_SCALARS = (int, float, bool, str, type(None))
_SIZED: tuple[Any, ...] = (
    list, tuple, range, dict, set, frozenset, str, bytes, type({}.keys()), type({}.values()), type({}.items()),
)  # fmt: skip
_EXAMPLES: list[Any] = [[], (), range(0), range(1 << 80), {}, {}.values(), {}.items(), set(), "", "é", b""]
_ITERATORS: tuple[Any, ...] = (*(type(iter(example)) for example in _EXAMPLES), type(reversed([])))
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class that may be written in Python
_MANY = 1 << 60


def length_of(iterable: Any) -> int | None:
    """Return how often a loop over `iterable` runs, as far as Python's own types tell; None if it is not known."""
    kind = type(iterable)
    if kind in _SIZED:
        return len(iterable)
    if kind in _ITERATORS:
        return length_hint(iterable)
    if kind is enumerate:
        return length_of(iterable.__reduce__()[1][0])
    if kind is zip:
        parts = iterable.__reduce__()
        lengths = [length_of(part) for part in parts[1]] if len(parts) > 1 else []
        return min((length for length in lengths if length is not None), default=None)
    return None


Sign = Any
"""What tells whether a name means something else than before: a scalar with its type, or the `id` of another object."""


class _Loop:
    """A loop that has begun.

    Attributes:
        touches: How many operations and names with tensors there were before.
        targets: The names to which a `for` stores.
        ticks: Has as many items less than `_MANY` as items were taken after the first iterations of a `for`.
        numbers: Yields the numbers of the iterations of a `while` that follow the first one of its gap.
    """

    __slots__ = ("numbers", "targets", "ticks", "touches")

    def __init__(self, touches: int, targets: tuple[str, ...] = ()) -> None:
        self.touches = touches
        self.targets = targets
        self.ticks: Any = None
        self.numbers: Iterator[int] | None = None

    def iteration(self) -> int:
        """Return the number of the iteration that runs in the gap; call it once."""
        return next(self.numbers) - 1 if self.numbers is not None else FIRST + _MANY - length_hint(self.ticks)


class _Gap(NamedTuple):
    """A gap that has begun: the loop with its frame and site, and the frames whose names may change, each with its
    Python frame and what the names meant."""

    loop: _Loop
    frame: Frame
    site: int
    spaces: list[tuple[Frame, types.FrameType, dict[str, Sign]]]

    def is_in(self, python: types.FrameType) -> bool:
        """Return whether the loop runs in this Python frame."""
        return self.spaces[0][1] is python


class LoopSampler:
    """Begins and ends gaps.

    Args:
        append: Adds an event.
        names: Records names.
        tensors: Records tensors.
        threads: Knows of other threads.
        gate: Chooses the twins.
        frame_of: Returns the record of a Python frame, or of the one around it.
        script: Returns the frame of the script.
        switch: Switches recording on or off.

    Attributes:
        on: Whether loops are sampled.
        gap: The gap that runs; None if there is none.
        touches: How many operations and names with tensors there were.
        begun: The loops that may have a gap, by frame and site.
    """

    def __init__(
        self,
        append: Callable[[Any], None],
        names: VariableRecorder,
        tensors: TensorRecorder,
        threads: ThreadWatcher,
        gate: Gate,
        frame_of: Callable[[types.FrameType], Frame | None],
        script: Callable[[], Frame | None],
        switch: Callable[[bool], None],
    ) -> None:
        self._append = append
        self._names = names
        self._tensors = tensors
        self._threads = threads
        self._gate = gate
        self._tick_while = gate.tick_while
        self._frame_of = frame_of
        self._script = script
        self.switch = switch
        self.on = False
        self.gap: _Gap | None = None
        self.touches = 0
        self.begun: dict[tuple[int, int], _Loop] = {}

    def begin_for(self, frame: Frame, site: int, targets: tuple[str, ...], iterable: Any) -> Any:
        """Note that a `for` begins; return what it iterates over, which may be a wrapper that tells when a gap ends."""
        kind, length = type(iterable), length_of(iterable)
        if kind.__flags__ & _HEAP_TYPE or not hasattr(kind, "__iter__"):  # whose code would have our frame around it
            return iterable
        if length is not None and length < FIRST + LEAST + LAST:
            return iterable
        loop = self.begun[frame.serial, site] = _Loop(self.touches, targets)
        return chain.from_iterable(self._parts(loop, iter(iterable), length))

    def _parts(self, loop: _Loop, items: Iterator[Any], length: int | None) -> Iterator[Iterator[Any]]:
        """Yield all items in parts: for the first iterations, the gap and the last iterations."""
        first = repeat(True, FIRST + 1)
        yield compress(islice(items, FIRST), first)
        if length_hint(first) > 1:  # the items have ended: a terminal that is asked for more waits for another line
            return
        loop.ticks = repeat(True, _MANY)
        counted = compress(items, loop.ticks)
        if length is None:
            yield counted
        else:
            yield islice(counted, length - FIRST - LAST)
            if self.gap is not None and self.gap.loop is loop:
                self.end()
            yield items

    def begin_while(self, frame: Frame, site: int) -> None:
        """Note that the first iteration of a `while` begins."""
        loop = self.begun[frame.serial, site] = _Loop(self.touches)
        loop.numbers = count(FIRST + 2)

    def starts(self, frame: Frame, site: int, python: types.FrameType) -> bool:
        """Begin a gap with the iteration after the first ones, if the loop has not touched a tensor; return whether it
        has begun."""
        loop, code = self.begun.get((frame.serial, site)), python.f_code
        if loop is None or loop.touches != self.touches:
            return False
        if (code.co_flags & _OPTIMIZED and not _SEES_LOCALS.isdisjoint(code.co_names)) or sys.gettrace() is not None:
            return False
        if self._threads.active or self._tensors.exposed or self._threads.is_other_thread():
            return False
        self.gap = _Gap(loop, frame, site, list(self.spaces(frame, python)))
        if loop.numbers is not None:
            self._gate.tick_while = partial(next, loop.numbers)
        self._gate.plain = True
        self.switch(False)
        return True

    def spaces(self, frame: Frame, python: types.FrameType) -> Iterator[tuple[Frame, types.FrameType, dict[str, Sign]]]:
        """Yield the frames whose names the loop may change: its own, and modules."""
        current: types.FrameType | None = python
        while current is not None:
            if current is python or current.f_code.co_name == "<module>":
                record = self._frame_of(current)
                if record is not None and (current is python or record.code is None):
                    yield record, current, {name: _sign(value) for name, value in _names_of(current)}
            current = current.f_back

    def end(self, *, touched: bool = False) -> None:
        """End the gap, and record what has changed in it; `touched`: a tensor is about to be touched."""
        gap, self.gap = self.gap, None
        if gap is None:
            return
        self._gate.plain = False
        self._gate.tick_while = self._tick_while
        self.switch(True)
        number = gap.frame.loops[gap.site] = gap.loop.iteration()
        self._append((_SKIPPED, gap.frame.serial, gap.site, FIRST + 1, number, touched))
        self._append((_ITERATION, gap.frame.serial, gap.site, number))
        for frame, python, before in gap.spaces:
            self.record_names(frame, python, before, gap.loop.targets if frame is gap.frame else ())
        self._names.scan_around(gap.frame, self._script())

    def forget(self) -> None:
        """End the gap without recording anything, in a forked child."""
        self.gap = None
        self.on = False

    def record_names(
        self, frame: Frame, python: types.FrameType, before: dict[str, Sign], targets: tuple[str, ...]
    ) -> None:
        """Record the names of a frame that mean something else than `before`, and `targets`."""
        names = set()
        executes = "exec" in python.f_code.co_names  # names that are bound by it are recorded at the end of the cell
        for name, value in _names_of(python):
            names.add(name)
            holder = frame.holders.get(name)
            if name in targets:
                changed = True
            elif executes and name not in frame.bound:
                changed = False
            elif holder is not None:
                changed = holder.get() is not value
            else:
                changed = issubclass(type(value), torch.Tensor) or before.get(name, before) != _sign(value)
            if changed:
                self._names.store(frame, name, value, 0)
        for name in frame.bound.difference(names):
            self._names.forget(frame, name)


def _sign(value: Any) -> Sign:
    kind = type(value)
    return (kind, value) if kind in _SCALARS else id(value)


def _names_of(python: types.FrameType) -> list[tuple[str, Any]]:
    """Return the names in a frame; `f_locals` of a function, if it is a dict, is left empty as it was."""
    space = python.f_locals
    names = [(name, value) for name, value in space.items() if not name.startswith((".", "__"))]
    if python.f_code.co_flags & _OPTIMIZED and type(space) is dict:
        space.clear()
    return names
