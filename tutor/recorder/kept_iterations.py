"""Record some iterations of the training loop, and let the others run at full speed.

The training loop is the innermost one around the first backward pass and around the first step of an optimizer, or the
one on a line that was named. Between two recorded iterations is a gap: nothing is recorded, the function mode is off,
and the bodies of loops and functions run as plain twins (`twins.py`), except for those through which the program comes
to the next iteration of the training loop. A gap may go on while functions return and are called again; it ends before
the next iteration to be recorded, and when the outermost loop around it is left. Then all that names and tensors mean
is recorded. The losses of passes in a gap are recorded for the charts.
"""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.optim import Optimizer

from tutor.recorder.gaps import LoopSampler, length_of
from tutor.recorder.rewinding import Rewinder
from tutor.recorder.torch_private import DisableTorchFunction
from tutor.recorder.twins import Calls, Gate
from tutor.recorder.variables import Frame
from tutor.trace import selection
from tutor.trace.events import FrameEnd, FrameStart, Gap, Iteration, LoopEnd, Skipped
from tutor.trace.selection import CodeLine, Selection

_SKIPPED, _ITERATION, _LOOP_END, _FRAME_START, _FRAME_END, _GAP = (
    kind.__struct_config__.tag for kind in (Skipped, Iteration, LoopEnd, FrameStart, FrameEnd, Gap)
)
_SIZED_LIBRARIES = frozenset({"torch", "tqdm"})
_ESTIMATED_BY = 3
"""Iterations after which it is estimated whether all of them fit into the budget."""
_UNCONFIRMED = 100
"""Iterations after which the loop around the first pass is the training loop though no optimizer has made a step."""
_PLAIN: Callable[[], Any] = partial(bool, 1)
_RECORDED: Callable[[], Any] = bool


def expected_length(iterable: Any) -> int | None:
    """Return how often a loop over `iterable` runs, as Python's own types, torch's and tqdm's say; None if unknown."""
    kind = type(iterable)
    if kind is enumerate:
        return expected_length(iterable.__reduce__()[1][0])
    if kind is zip:
        parts = iterable.__reduce__()
        lengths = [expected_length(part) for part in parts[1]] if len(parts) > 1 else []
        return min((length for length in lengths if length is not None), default=None)
    length = length_of(iterable)
    if length is None and kind.__module__.partition(".")[0] in _SIZED_LIBRARIES and hasattr(kind, "__len__"):
        if isinstance(getattr(iterable, "dataset", None), torch.utils.data.IterableDataset):
            return None  # asked for its length, the loader would warn of another one
        try:
            with DisableTorchFunction():
                return len(iterable)
        except Exception:  # the samplers and data sets of others
            return None
    return length


class _Running(NamedTuple):
    """A loop that runs, with its frame."""

    frame: Frame
    site: int


@dataclass
class _Gap:
    """A gap that has begun.

    Attributes:
        frame: The number of the frame that its first iteration runs in.
        first: The number of that iteration in its loop.
        outermost: The outermost loop around it; the gap ends where that is left.
        count: How many iterations it has.
        last: The number of the last of them.
        ended: The loops that were left in it, and were running before.
        left: The numbers of the frames that were left, and were running before.
        entered: The frames that were entered in it and are still running, by their number.
        numbers: The iterations that ran before, by frame and loop.
    """

    frame: int
    first: int
    outermost: _Running
    numbers: dict[tuple[int, int], int]
    count: int = 1
    last: int = 0
    why: str = ""
    """The option by which a part of the program is not recorded; empty for iterations of the training loop."""
    lines: frozenset[CodeLine] | None = frozenset()
    """Then the lines of the loops that are not run plain; None: nothing is."""
    ended: list[tuple[int, int]] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    entered: dict[int, tuple[Any, ...]] = field(default_factory=dict)


class _Ticks(dict[int, bool]):
    """In a gap, by the site of a loop of which an iteration begins: whether it runs plain."""

    def __init__(self, decide: Callable[[int, types.FrameType], bool | None]) -> None:
        self._decide = decide

    def __missing__(self, site: int) -> bool:
        plain = self._decide(site, sys._getframe(1))
        if plain is None:
            plain = self[site] = True
        return plain


class KeptIterations:
    """Begins and ends the gaps of the training loop.

    Args:
        append: Adds an event.
        rewinder: Watches for what is to be recorded wherever it happens.
        sampler: Records names.
        gate: Chooses the twins.
        current: Returns the frame of the last statement.
        find: Returns the record of a Python frame, or of the one around it.
        by_id: The recorded frames by `id` of Python's frame.
        switch: Switches recording off (False) or on again.
        may_begin: Returns whether recording can be switched off now.

    Attributes:
        gap: The gap that runs; None if there is none.
        selection: What is recorded; None: all.
        is_automatic: Whether a selection is made if all iterations would not fit.
        line: Where the training loop begins; None: it is the one around the first backward pass.
        line_of: Returns where a loop of the program begins; None for one of another file.
        share: Returns which share of the budget is used up.
        record_state: Records what all tensors and containers hold.
        most: How many iterations are recorded before the recording is cut; 0: no limit.
        cut: Cuts the recording, for a reason.
        is_part: Returns whether calls of a function are recorded in a gap.
        place: The statement with which a part begins.
    """

    def __init__(
        self,
        append: Callable[[Any], None],
        rewinder: Rewinder,
        sampler: LoopSampler,
        gate: Gate,
        current: Callable[[], Frame | None],
        find: Callable[[types.FrameType | None], Frame | None],
        by_id: dict[int, Frame],
    ) -> None:
        self._append = append
        self.rewinder = rewinder
        self._sampler = sampler
        self._gate = gate
        self._current = current
        self._find = find
        self._by_id = by_id
        self.gap: _Gap | None = None
        self.selection: Selection | None = None
        self.is_automatic = False
        self.line: CodeLine | None = None
        self.line_of: Callable[[int], CodeLine | None] = lambda site: None
        self.share: Callable[[], float] = lambda: 0.0
        self.switch: Callable[[bool], None] = lambda on: None
        self.may_begin: Callable[[], bool] = lambda: True
        self.record_state: Callable[[], None] = lambda: None
        self.most = 0
        self.cut: Callable[[str], Any] = lambda reason: None
        self.is_part: Callable[[types.CodeType], bool] = lambda code: False
        self.place = 0
        self.loop = 0
        """The site of the training loop; 0 before it is known."""
        self._confirmed = False
        self._count = 0
        """How many iterations of it have begun."""
        self._before: tuple[int, float] = (0, 0.0)
        """The iteration in which it became known, from 0, and which share of the budget was used up then."""
        self._lengths: dict[int, int | None] = {}
        """By the site of a `for` that has begun: how often it runs."""
        self._asked: set[int] = set()
        """The sites that were compared with `line`."""
        self._path: set[int] = set()
        """The sites of the loops through which the program comes to the training loop."""
        self._functions: set[types.CodeType] = set()
        """The functions through which it does."""
        self._ticks, self._calls = _Ticks(self._tick_in_gap), Calls()
        self._calls.begins = self._begins_in_gap
        self._replaced: tuple[Any, ...] = ()

    @property
    def is_on(self) -> bool:
        """Whether there is, or may come, a selection."""
        return self.selection is not None or self.is_automatic or self.most > 0 or self.gap is not None

    # ------------------------------------------------------------ which loop

    def pass_begins(self, losses: Sequence[torch.Tensor]) -> None:
        """Note that a recorded backward pass begins: the innermost loop around the first is the training loop."""
        self.rewinder.pass_begins(losses)
        if not self.loop and not self.line and self.is_on:
            self._choose()

    def step_ends(self) -> None:
        """Note that an optimizer has made a step: the loop around the first pass ended before it where gradients of
        several passes are summed up."""
        if self.loop and not self._confirmed and not self.line:
            if self.loop not in {running.site for running in self._running()}:
                self._choose()
            self._confirmed = True

    def _choose(self) -> None:
        running = next(self._running(), None)
        if running is not None:
            self.loop = running.site
            self._count = running.frame.loops[running.site]
            self._before = self._count - 1, self.share()
            self._confirmed = not any(issubclass(type(each), Optimizer) for each in gc.get_objects())

    def _running(self) -> Iterator[_Running]:
        """Yield the loops that run, the innermost first."""
        frame = self._current()
        while frame is not None:
            for site in reversed(frame.loops):
                yield _Running(frame, site)
            frame = frame.outer

    def begin_for(self, site: int, iterable: Any) -> None:
        """Note that a `for` begins."""
        self._lengths[site] = expected_length(iterable)

    # ------------------------------------------------------------ iterations

    def begins(self, site: int, frame: Frame, number: int, python: types.FrameType) -> bool:
        """Note that iteration `number` of a loop begins, which would be recorded; return whether it is in a gap."""
        if self.line and not self.loop and site not in self._asked:
            self._asked.add(site)
            if self.line_of(site) == self.line:
                self.loop, self._confirmed, self._before = site, True, (0, self.share())
        if site != self.loop:
            return False
        index, self._count = self._count, self._count + 1
        if self.most and index - self._before[0] >= self.most and self._is_confirmed(index):
            self.most = 0
            self.cut("for")
            return False
        if self.selection is None:
            self._select_if_too_many(index, frame)
        if self.selection is None or not self._is_confirmed(index):
            return False
        self.rewinder.iteration_ends(index - 1, python)
        if not self.may_begin() or self._includes(index, frame, number):
            return False
        frame.loops[site] = number
        self._begin(frame, number)
        self.rewinder.iteration_begins(index, python)
        if self.rewinder.includes(index):
            frame.loops[site] = number - 1
            self._end_empty()
            return False
        return True

    def _includes(self, index: int, frame: Frame, number: int) -> bool:
        assert self.selection is not None
        return self.rewinder.includes(index) or self.selection.includes(index, self._left(frame, number))

    def _is_confirmed(self, index: int) -> bool:
        return self._confirmed or index >= _UNCONFIRMED

    def _left(self, frame: Frame, number: int) -> int | None:
        """Return how many iterations follow one of this number; None if that is not known."""
        inner = self._lengths.get(self.loop)
        if inner is None:
            return None
        left = max(inner - number, 0)
        current: Frame | None = frame
        while current is not None:
            for site in reversed(current.loops):
                if current is not frame or site != self.loop:
                    length = self._lengths.get(site)
                    if length is None:
                        return None
                    left += max(length - current.loops[site], 0) * inner
                    inner *= length
            current = current.outer
        return left

    def _select_if_too_many(self, index: int, frame: Frame) -> None:
        """Select iterations if the first ones show that all would not fit, or half of the budget is used up."""
        first, before = self._before
        if not self.is_automatic or index < first + _ESTIMATED_BY or not self._is_confirmed(index):
            return
        used = self.share()
        left = self._left(frame, frame.loops.get(self.loop, 0) + 1)
        if index == first + _ESTIMATED_BY and left is not None:
            too_many = used + (left + 1) * (used - before) / _ESTIMATED_BY > 1
        else:
            too_many = used > 0.5
        if too_many:
            self.selection = selection.parse(selection.AUTOMATIC)
            self._append((_GAP, 0, "kept", 0, self.selection.text))

    # ------------------------------------------------------------ gaps

    def _begin(self, frame: Frame, number: int) -> None:
        loops = list(self._running())
        sites = {running.site for running in loops}
        functions: set[types.CodeType] = set()
        outermost = loops[-1]
        current: Frame | None = frame
        while current is not None and current is not outermost.frame:
            if current.code is not None:
                functions.add(current.code)
            current = current.outer
        if not (sites <= self._path and functions <= self._functions):
            self._path |= sites
            self._functions |= functions
            self._ticks.clear()
            self._calls.clear()
        numbers = {(each.frame.serial, each.site): each.frame.loops[each.site] for each in loops}
        self._switch_off(_Gap(frame.serial, number, outermost, numbers, last=number))
        self.rewinder.gap_begins()

    def wait(self, frame: Frame, why: str, lines: frozenset[CodeLine] | None) -> None:
        """Begin a gap that lasts until `end`: before and between what is recorded of a program."""
        self._ticks.clear()
        self._calls.clear()
        self._switch_off(_Gap(frame.serial, 0, _Running(frame, 0), {}, count=0, why=why, lines=lines))

    def _switch_off(self, gap: _Gap) -> None:
        self.gap = gap
        gate = self._gate
        self._replaced = gate.tick, gate.tick_while, gate.calls
        gate.tick = gate.tick_while = self._ticks.__getitem__
        gate.calls = self._calls
        self.switch(False)

    def _begins_in_gap(self, site: int) -> Callable[[], Any]:
        """Return what says whether a call of the function defined at `site` runs plain."""
        code = sys._getframe(2).f_code
        return _RECORDED if self.is_path(code) or self.is_part(code) else _PLAIN

    def _tick_in_gap(self, site: int, python: types.FrameType) -> bool | None:
        """Note that an iteration of a loop begins; return whether it runs plain, None for always."""
        gap = self.gap
        lines = None if gap is None else gap.lines
        if lines and site not in self._path and self.line_of(site) in lines:
            self._path.add(site)
        if lines is not None and site not in self._path:
            return None
        return self.iterates(site, python, is_plain=True)

    def iterates(self, site: int, python: types.FrameType, *, is_plain: bool = False) -> bool:
        """Note in the gap that an iteration of a loop begins, before which the gap may end; return whether it runs
        plain. `is_plain`: whether it can."""
        gap, frame = self.gap, self._find(python)
        if gap is None or frame is None:
            return is_plain
        number = frame.loops[site] = frame.loops.get(site, 0) + 1
        if site != self.loop:
            return False
        index, self._count = self._count, self._count + 1
        self.rewinder.iteration_begins(index, python)
        if self._includes(index, frame, number):
            self.end(python, is_iteration=True)
            return False
        gap.count += 1
        gap.last = number
        return is_plain

    def is_path(self, code: types.CodeType) -> bool:
        """Return whether the program comes to the training loop through this function."""
        return code in self._functions or (self.gap is not None and self.gap.lines is None)

    def enters(self, event: tuple[Any, ...]) -> None:
        """Note in the gap that a function is entered, by the event that is sent if it still runs at the end."""
        if self.gap is not None:
            self.gap.entered[event[1]] = event

    def leaves(self, frame: Frame, python: types.FrameType) -> bool:
        """Note that a function is left; return whether the gap is over with it."""
        if self.loop in frame.loops:
            self._loop_left(python)
        gap = self.gap
        if gap is None or gap.outermost.frame is frame:
            return gap is not None
        if gap.entered.pop(frame.serial, None) is None:
            gap.left.append(frame.serial)
        return False

    def loop_ends(self, frame: Frame, site: int, python: types.FrameType) -> bool:
        """Note that a loop is left; return whether the gap is over with it."""
        if site == self.loop and site in frame.loops:
            self._loop_left(python)
        gap = self.gap
        if gap is None:
            return False
        if gap.outermost.frame is frame and gap.outermost.site == site:
            return True
        if frame.loops.pop(site, None) is not None and frame.serial not in gap.entered:
            gap.ended.append((frame.serial, site))
        return False

    def _loop_left(self, python: types.FrameType | None) -> None:
        if self._is_confirmed(self._count):
            self.rewinder.iteration_ends(self._count - 1, python)

    def end(self, python: types.FrameType | None, *, is_iteration: bool = False) -> None:
        """End the gap, and record what has changed in it.

        Args:
            python: The learner's frame that runs; None at the end of the script.
            is_iteration: Whether another iteration of the training loop begins.
        """
        gap, self.gap = self.gap, None
        if gap is None:
            return
        if sys.exc_info()[1] is None or not self.rewinder.is_needed_on_error:
            self.rewinder.release()
        self._switch_on()
        append = self._append
        why = gap.why or ("until" if self.rewinder.condition else "keep")
        site = self.place if gap.why else self.loop
        append((_SKIPPED, gap.frame, site, gap.first, gap.last, False, "", gap.count, why))
        for serial, site in gap.ended:
            if serial not in gap.left:
                append((_LOOP_END, serial, site))
        for serial in gap.left:
            append((_FRAME_END, serial))
        frames = list(self._frames(python))
        running = {frame.serial for frame, _ in frames}
        for event in sorted(gap.entered.values(), key=lambda event: event[1] not in running):
            append(event)  # generators that wait come last, and are below no other frame
        for frame, _ in reversed(frames):
            for site, number in frame.loops.items():
                if gap.numbers.get((frame.serial, site)) != number and (is_iteration or site != self.loop):
                    append((_ITERATION, frame.serial, site, number))
        for frame, stack_frame in reversed(frames):
            self._sampler.record_names(frame, stack_frame, {}, ())
        self.record_state()

    def _end_empty(self) -> None:
        """End a gap before its first iteration."""
        self.gap = None
        self.rewinder.release()
        self._switch_on()

    def _switch_on(self) -> None:
        self._gate.tick, self._gate.tick_while, self._gate.calls = self._replaced
        self.switch(True)

    def failed(self, *, is_error: bool) -> None:
        """Go back if the program ends with an exception in a gap, and that, or what has come before, is watched for."""
        if self.loop in {running.site for running in self._running()}:
            self._loop_left(None)
        if is_error:
            self.rewinder.failed(self._count - 1)

    def _frames(self, python: types.FrameType | None) -> Iterator[tuple[Frame, types.FrameType]]:
        """Yield the recorded frames on the stack, the innermost first, with Python's."""
        while python is not None:
            frame = self._by_id.get(id(python))
            if frame is None and python.f_code.co_name == "<module>":
                frame = self._find(python)
            if frame is not None and frame.key == id(python):
                yield frame, python
            python = python.f_back

    def forget(self) -> None:
        """End the gap without recording anything, in a forked child."""
        self.gap = None
        self.selection, self.is_automatic = None, False
