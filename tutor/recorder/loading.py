"""Record what a `DataLoader` loads as one operation, `load`, whose results are the tensors of the batch.

What runs for it (the data set, its transforms, samplers, the collate function) is inside this operation. Of the loads
that one place in the code asks for, the first is recorded inside, with its first samples; the others run at full speed.
With `--all`, all are recorded.
"""

from __future__ import annotations

import contextlib
import functools
import operator
import sys
import types
import weakref
from collections import UserDict, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch

from tutor.recorder.call_sites import OpSite, SourceRecorder
from tutor.recorder.callbacks import FrameRecorder
from tutor.recorder.operations import OperationRecorder
from tutor.recorder.torch_private import (
    LoaderIterator,
    is_in_order,
    on_reset,
    samples_of,
    show_indices,
    stacks_samples,
)
from tutor.trace.events import LOAD

_Context = Callable[..., AbstractContextManager[None]]
_SAMPLES = 3
"""Samples of a load that are recorded."""
_DEEPEST = 4
"""Levels of lists, tuples and dicts of a batch in which tensors are looked for."""
_MOST = 1_000
"""Most tensors of a batch that are recorded."""


def load(*, samples: int) -> None:
    """Stand for what is recorded: the operation, with the number of samples as its argument."""


def load_some() -> None:
    """The same where the number is not known."""


class LoadRecorder:
    """Records loads.

    Args:
        operations: Records the operation.
        code: Numbers the place that asks for a batch.
        frames: Finds its frame; switches to plain twins.
        is_on: Returns whether events are sent, and this is the thread that is recorded.
        unseen: Records nothing of what runs inside, but what it has changed.
    """

    def __init__(
        self,
        operations: OperationRecorder,
        code: SourceRecorder,
        frames: FrameRecorder,
        is_on: Callable[[], bool],
        unseen: _Context,
    ) -> None:
        self._operations = operations
        self._code = code
        self._frames = frames
        self._is_on = is_on
        self._unseen = unseen
        self._sites: dict[int, OpSite] = {}
        """By the instruction of the learner's that asks for a batch."""
        self._asked: weakref.WeakKeyDictionary[Any, deque[int]] = weakref.WeakKeyDictionary()
        """By iterator: for each batch that is asked for, how many samples it has; negative: that many at most."""

    def watch(self) -> None:
        """Record loads from now on."""
        if LoaderIterator is None:
            return
        following: Any = LoaderIterator.__next__

        @functools.wraps(following)
        def __next__(iterator: Any) -> Any:
            return self._next(iterator, following, sys._getframe(1))

        LoaderIterator.__next__ = __next__
        show_indices(self._ask)
        on_reset(lambda iterator: self._asked.pop(iterator, None))

    def _ask(self, iterator: Any, index: Any) -> None:
        self._asked.setdefault(iterator, deque()).append(_length(index) if is_in_order(iterator) else -_length(index))

    def _next(self, iterator: Any, following: Callable[[Any], Any], caller: types.FrameType) -> Any:
        try:
            return self._load(iterator, following, caller)
        finally:  # also where a sample cannot be loaded: the next batch is another
            asked = self._asked.get(iterator)
            if asked:
                asked.popleft()

    def _load(self, iterator: Any, following: Callable[[Any], Any], caller: types.FrameType) -> Any:
        learner = self._learner(caller) if self._is_on() else None
        call = self._operations.place_of(caller).call  # torch's warnings are counted for the caller's line
        if learner is None:
            return call(following, (iterator,), {})
        key = id(learner.f_code) + learner.f_lasti
        site = self._sites.get(key)
        is_first = site is None
        if site is None:
            site = self._sites[key] = self._code.op_site(learner.f_code, learner.f_lasti, LOAD, 0, None, False)
        if is_first or not self._frames.sampler.on:
            with self._inside(iterator):
                batch = call(following, (iterator,), {})
        else:
            with self._outside(learner):
                batch = call(following, (iterator,), {})
        tensors = tuple(_tensors_in(batch))
        samples = self._samples(iterator, tensors)
        arguments = {"samples": samples} if samples else {}
        self._operations.record_load(load if samples else load_some, arguments, tensors, site, learner)
        return batch

    def _learner(self, frame: types.FrameType | None) -> types.FrameType | None:
        while frame is not None and id(frame.f_code) not in self._code.own_code:
            frame = frame.f_back
        return frame

    @contextlib.contextmanager
    def _inside(self, iterator: Any) -> Iterator[None]:
        """Record what runs for a load, with its first samples."""
        owner, attribute = (self._frames.sampler.on and samples_of(iterator)) or (None, "")
        samples = getattr(owner, attribute, None)
        if owner is not None:
            setattr(owner, attribute, _FirstSamples(samples, self._operations, self._outside))
        self._frames.loads += 1
        try:
            yield
        finally:
            self._frames.loads -= 1
            if owner is not None:
                setattr(owner, attribute, samples)

    @contextlib.contextmanager
    def _outside(self, learner: types.FrameType) -> Iterator[None]:
        """Record nothing of what runs inside, but what it has changed."""
        frames = self._frames
        frame, current, entered = frames.find(learner), frames.current, dict(frames.by_id)
        spaces = [] if frame is None else list(frames.sampler.spaces(frame, learner))
        gate = frames.gate
        was_plain, gate.plain = gate.plain, True
        try:
            with self._unseen():
                yield
        finally:
            gate.plain, frames.current = was_plain, current
            frames.end_left(entered)
            for each, python, before in spaces:
                frames.sampler.record_names(each, python, before, ())

    def _samples(self, iterator: Any, batch: tuple[torch.Tensor, ...]) -> int:
        """Return how many samples were loaded; 0 if that is not known."""
        asked = self._asked.get(iterator)
        length = asked[0] if asked else 0
        if length >= 0:
            return length
        return batch[0].shape[0] if batch and batch[0].dim() and stacks_samples(iterator) else 0


class _FirstSamples:
    """Gives the samples of a data set or an iterator to a loader, and lets those after the first ones be unseen."""

    def __init__(self, samples: Any, operations: OperationRecorder, unseen: _Context) -> None:
        self._samples = samples
        self._operations = operations
        self._unseen = unseen
        self._count = 0

    def __getitem__(self, index: Any) -> Any:
        return self._take(operator.getitem, (self._samples, index), sys._getframe(1))

    def __next__(self) -> Any:
        return self._take(next, (self._samples,), sys._getframe(1))

    def _take(self, take: Callable[..., Any], arguments: tuple[Any, ...], caller: types.FrameType) -> Any:
        call = self._operations.place_of(caller).call
        self._count += 1
        if self._count <= _SAMPLES:
            return call(take, arguments, {})
        with self._unseen(caller):
            return call(take, arguments, {})


def _length(index: Any) -> int:
    """Return how many samples an index asks for; negative if there may be fewer, as a data set is that is iterated."""
    if not isinstance(index, list | tuple):
        return 1
    return -len(index) if index and index[0] is None else len(index)


def _tensors_in(batch: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of a batch."""
    waiting, count = [(batch, 0)], 0
    while waiting and count < _MOST:
        part, depth = waiting.pop()
        if isinstance(part, torch.Tensor):
            count += 1
            yield part
        elif depth < _DEEPEST:
            waiting += [(inner, depth + 1) for inner in reversed(_parts(part))]


def _parts(batch: Any) -> list[Any]:
    """Return what a list, tuple or dict holds, without calling methods of the learner's."""
    if isinstance(batch, UserDict):
        batch = batch.data
    if isinstance(batch, dict):
        return list(dict.values(batch))
    if isinstance(batch, list):
        return list(list.__iter__(batch))
    return list(tuple.__iter__(batch)) if isinstance(batch, tuple) else []
