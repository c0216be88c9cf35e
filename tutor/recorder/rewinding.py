"""Keep the iterations before something happens: `--until nan --last 3`.

While the training loop runs unrecorded, forks of the program wait (`checkpoints.py`). When the loss becomes nan, a
condition true, or the program fails, the program goes back to one of them, and runs on with the last iterations and the
one after recorded. What an iteration prints, and its losses, are held back as long as the program may go back before
it, so that nothing is recorded twice.
"""

from __future__ import annotations

import contextlib
import math
import sys
import types
from collections.abc import Sequence
from typing import Any

import torch

from tutor.recorder.checkpoints import Checkpoints
from tutor.recorder.event_writer import EventWriter
from tutor.trace.events import Gap, Point

_POINT, _GAP = (kind.__struct_config__.tag for kind in (Point, Gap))
_LOSSES = {"nan": math.isnan, "inf": math.isinf}


class Rewinder:
    """Watches for a condition between recorded iterations.

    Args:
        writer: Holds events back.

    Attributes:
        condition: nan, inf, error or an expression; empty: nothing is watched for.
        last: How many iterations are recorded up to the one in which it becomes true.
        target: The first and last iteration to be recorded because of it; None before.
        checkpoints: The forks of the program.
    """

    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self._held: list[tuple[int, list[Any]]] = []
        """The events of the last iterations, by their numbers."""
        self._code: types.CodeType | None = None
        self._is_announced = False
        self._has_loss = False
        """Whether a loss was nan or inf, as the condition says."""
        self.condition = ""
        self.last = 0
        self.target: tuple[int, int] | None = None
        self.checkpoints = Checkpoints(self._ends, writer.start)

    def watch(self, condition: str, last: int) -> None:
        """Watch for a condition from now on."""
        self.condition, self.last = condition, last
        if condition in _LOSSES:
            self._writer.on_taken = self._look_at
        elif condition and condition != "error":
            self._code = compile(condition, "<--until>", "eval")

    @property
    def is_needed_on_error(self) -> bool:
        """Whether the program goes back when it fails now."""
        return self.condition == "error" and self._writer.is_held and self.target is None

    def includes(self, number: int) -> bool:
        """Return whether an iteration is recorded because of the condition."""
        return self.target is not None and self.target[0] <= number <= self.target[1]

    def gap_begins(self) -> None:
        """Hold events back from now on, if the condition has not become true."""
        if self.condition and self.target is None:
            with self._writer.lock:
                self._writer.write()
                self._writer.is_held = True

    def iteration_begins(self, number: int, python: types.FrameType) -> None:
        """Check the condition before an iteration that is in a gap, and make a fork if one is due; the program goes
        back if the condition has become true in the iteration before."""
        self.gap_begins()  # a signal that the program has sent to itself may have released what was held
        if not self._writer.is_held:
            return
        if self.target is not None:
            self._writer.take()  # what has been written before the program went back
            self._writer.is_held = number < self.target[0]
            if not self._writer.is_held and not self._is_announced:
                self._announce()
            return
        self.iteration_ends(number - 1, python)
        if self.target is not None:
            return
        while self._held and self._held[0][0] < number - self.last:
            self._writer.write_events(self._held.pop(0)[1])
        if self.checkpoints.are_possible:
            reached = self.checkpoints.take(number, number - self.last + 1)
            if reached is not None:
                self._held.clear()
                self.target = max(reached - self.last + 1, number), reached + 1
                self._writer.is_held = number < self.target[0]
                if not self._writer.is_held:
                    self._announce()
        else:
            self.checkpoints.drop_all()

    def pass_begins(self, losses: Sequence[torch.Tensor]) -> None:
        """Look at the losses of a recorded pass: they are no points, as those in a gap are."""
        is_such = _LOSSES.get(self.condition)
        if is_such is not None and self.target is None:
            with contextlib.suppress(Exception):  # complex, or a functorch wrapper
                self._has_loss |= any(is_such(loss.detach().item()) for loss in losses if loss.numel() == 1)

    def iteration_ends(self, number: int, python: types.FrameType | None) -> None:
        """Check the condition after an iteration: when the next begins, or the loop is left.

        The program goes back if the iteration was in a gap. One that is recorded needs none.

        Args:
            number: That of the iteration; -1 before the first.
            python: The frame whose names an expression means; None for those of the module.
        """
        if not self.condition or self.target is not None:
            return
        is_held = self._writer.is_held
        if is_held:
            self._held.append((number, self._writer.take()))
        else:
            self._writer.write()
        if number < 0:
            self._has_loss = False
        elif self._is_true(python):
            if is_held:
                self._rewind(number)
            else:
                self.target = number - self.last + 1, number + 1
                self._announce()

    def failed(self, number: int) -> None:
        """Go back if the program fails in this iteration, and that is what is watched for."""
        if self.is_needed_on_error:
            self._held.append((number, self._writer.take()))
            self._rewind(number)
        elif self.condition == "error" and self.target is None:  # in a recorded iteration, or outside of the loop
            self.target = number, number

    def release(self) -> None:
        """Write all that is held back: the program cannot go back any more."""
        if self._writer.is_held:
            events = self._writer.take()
            self._writer.is_held = False
            for _, held in self._held:
                self._writer.write_events(held)
            if self.target is None:
                self._writer.write_events(events)
            self._held.clear()
            self.checkpoints.drop_all()

    def close(self) -> None:
        """At the end of the program: say that the condition has never become true."""
        self.release()
        self._writer.write()
        if self.condition and self.target is None and not self._has_loss:
            self._writer.waiting.append((_GAP, 0, "never", 0, f"--until {self.condition}"))

    def _rewind(self, number: int) -> None:
        """Go back; where that is not possible, record what follows."""
        self._go_back(number)
        for _, events in self._held:
            self._writer.write_events(events)
        self._held.clear()
        self.target = number + 1, number + self.last
        self._writer.is_held = False
        self._writer.waiting.append((_GAP, 0, "no_way_back", number + 1, self.condition))

    def _go_back(self, number: int) -> None:
        """Go back if there is a fork, with this iteration as the one in which it happens; it writes what follows."""
        nearest = self.checkpoints.nearest(number - self.last + 1)
        if nearest is not None:
            for earlier, events in self._held:
                if earlier < max(number - self.last + 1, nearest):
                    self._writer.write_events(events)
            self.checkpoints.resume(nearest, number)

    def _announce(self) -> None:
        assert self.target is not None
        self._is_announced = True
        self._writer.waiting.append((_GAP, 0, "until", self.target[1], self.condition))  # from 1, as on the screen

    def _ends(self) -> None:
        """Write what is due, and stop writing: the fork does from here on."""
        self._writer.is_held = False
        self._writer.write()
        self._writer.stop()

    def _look_at(self, events: list[Any]) -> None:
        is_such = _LOSSES[self.condition]
        if self.target is None and any(event[0] == _POINT and is_such(event[2]) for event in events):
            self._has_loss = True

    def _is_true(self, python: types.FrameType | None) -> bool:
        if self._code is None:
            return self._has_loss
        try:
            if python is None:
                return bool(eval(self._code, sys.modules["__main__"].__dict__))
            return bool(eval(self._code, python.f_globals, python.f_locals))
        except Exception:  # a name that is not bound yet
            return False
