"""Notice the learner's other threads: what they do is not recorded, but what they change in tensors is.

Function modes, frames and the table of tensors belong to the main thread. While a thread that the learner's code has
started is alive, and once after it has ended, all known tensors are compared at each statement of the main thread.
"""

from __future__ import annotations

import _thread
import os
import re
import sys
import threading
from collections.abc import Callable
from typing import Any

from tutor.recorder.tensors import TensorRecorder
from tutor.recorder.torch_private import DisableTorchFunction
from tutor.trace.events import Event, Gap

_STANDARD_LIBRARY = os.path.dirname(threading.__file__) + os.sep
_THIRD_PARTY = os.path.join(_STANDARD_LIBRARY, "site-packages") + os.sep


_HOUSEKEEPING = re.compile(r"(asyncio|subprocess|logging|multiprocessing|concurrent\.futures\.process)\b")
_WORKERS = "multiprocessing.pool", "worker"
"""The threads of a `ThreadPool`, which run the learner's functions."""


class ThreadWatcher:
    """Records tensors after other threads may have changed them.

    Attributes:
        active: Whether tensors may have changed since they were last compared.
    """

    def __init__(self, send: Callable[[Event], None], tensors: TensorRecorder, own: dict[int, Any]) -> None:
        self._send = send
        self._tensors = tensors
        self._own = own
        """The learner's code objects, by `id`."""
        self._main = _thread.get_ident()
        self._alive: list[threading.Thread] = []
        self._waiting: list[str] = []
        """Names of threads that the recording does not mention yet."""
        self._announced: set[str] = set()
        self.active = False

    def watch(self) -> None:
        """Notice the threads that the learner's code starts from now on."""
        start = threading.Thread.start

        def start_noticed(thread: threading.Thread) -> None:
            if self._is_learners():
                self._alive.append(thread)
                self.active = True
                if not _is_housekeeping(thread):
                    self._notice(thread.name)
            start(thread)

        threading.Thread.start = start_noticed  # type: ignore[method-assign, assignment]

    def is_other_thread(self) -> bool:
        """Return whether the caller is not in the main thread; notice that thread."""
        if _thread.get_ident() == self._main:
            return False
        self._notice(threading.current_thread().name)
        return True

    def record_changed(self) -> None:
        """Record, at a statement of the main thread, what the others have changed."""
        while self._waiting:
            self._send(Gap(0, "thread", detail=self._waiting.pop(0)))
        alive = [thread for thread in self._alive if thread.is_alive() or thread.ident is None]
        ended, self._alive = len(alive) < len(self._alive), alive
        self.active = bool(alive)
        with DisableTorchFunction():
            if ended:
                self._tensors.record_all()
            else:
                self._tensors.record_changed()

    def _notice(self, name: str) -> None:
        self.active = True
        kind = re.sub(r"\d+", "", name)  # a pool has many
        if kind not in self._announced:
            self._announced.add(kind)
            self._waiting.append(name)

    def _is_learners(self) -> bool:
        """Return whether the learner's code starts a thread, itself or through the standard library."""
        frame = sys._getframe(2)
        while frame is not None:
            if id(frame.f_code) in self._own:
                return True
            path = frame.f_code.co_filename
            if not path.startswith(_STANDARD_LIBRARY) or path.startswith(_THIRD_PARTY):
                return False
            frame = frame.f_back  # type: ignore[assignment]
        return False


def _is_housekeeping(thread: threading.Thread) -> bool:
    """Return whether the standard library starts a thread for itself: to feed a queue, wait for a process, shut down.

    If it runs the learner's code all the same, it is noticed then.
    """
    run = getattr(thread, "_target", None) or type(thread).run
    place = getattr(run, "__module__", None) or ""
    return bool(_HOUSEKEEPING.match(place)) and (place, getattr(run, "__name__", "")) != _WORKERS
