"""What something held over time, an entry for each step at which it changed."""

from __future__ import annotations

import math
from array import array

from tutor.trace.events import Value
from tutor.trace.values import elements

KEPT = 512
"""So many values of more than one number are kept at most; beyond, every second, every fourth, …"""


class History:
    """All changes of a single number; of a tensor with more elements so many as `KEPT` says, and always the last."""

    def __init__(self) -> None:
        self.steps: array[int] = array("I")
        self.numbers: array[float] = array("d")
        """While every value is a single number or none (nan, and a gap): these."""
        self.gaps: set[int] = set()
        """Steps from which on it held nothing."""
        self.values: list[Value] = []
        """As soon as one is not: these instead, for the same steps."""
        self.changes = 0
        self.revision = 0
        """Another one whenever anything is other than before."""
        self.stride = 1
        """Every so-manieth change is kept."""
        self._single = True
        self._last: tuple[int, Value] | None = None
        self._empty = True

    @property
    def last(self) -> Value:
        """What it holds at the end."""
        return None if self._last is None else self._last[1]

    def add(self, step: int, value: Value) -> None:
        """From this step on it holds this. Of several in one step the last counts; None after nothing is no change."""
        if value is None and self._empty:
            return
        self._empty = False
        self.revision += 1
        again = self._last is not None and self._last[0] == step
        self._last = step, value
        (self.gaps.add if value is None else self.gaps.discard)(step)
        number = _number(value)
        if number is None and self._single:
            self._single = False
            self.values = [None if at in self.gaps else x for at, x in zip(self.steps, self.numbers, strict=True)]
            self.numbers = array("d")
            self._thin()
        if again:
            if self.steps and self.steps[-1] == step:
                if self._single and number is not None:
                    self.numbers[-1] = number
                else:
                    self.values[-1] = value
            return
        self.changes += 1
        if self._single and number is not None:
            self.steps.append(step)
            self.numbers.append(number)
        elif (self.changes - 1) % self.stride == 0:
            self.steps.append(step)
            self.values.append(value)
            self._thin()

    def _thin(self) -> None:
        while len(self.values) > KEPT:
            del self.steps[1::2], self.values[1::2]
            self.stride *= 2

    @property
    def single(self) -> bool:
        """Whether it is a single number at all times."""
        return self._single

    def points(self, measure: str = "mean", element: int | None = None) -> list[tuple[int, float]]:
        """The step and the number at each change: of a tensor the chosen element, else its `mean` or its `norm`.

        Where it held nothing there is no point.
        """
        if self._single:
            known = zip(self.steps, self.numbers, strict=True)
            return [(step, number) for step, number in known if step not in self.gaps]
        entries = list(zip(self.steps, self.values, strict=True))
        if self._last is not None and (not entries or entries[-1][0] < self._last[0]):
            entries.append(self._last)
        found = []
        for step, value in entries:
            number = measured(value, measure) if element is None else _element(value, element)
            if number is not None:
                found.append((step, number))
        return found


def measured(value: Value, measure: str) -> float | None:
    """The `mean` or the (Euclidean) `norm` of a value; of one that was only summed up, of its finite elements."""
    flat = elements(value)
    if flat is not None:
        try:
            numbers = [float(item) for item in flat]
        except (TypeError, ValueError):
            return None
        if not numbers:
            return None
        return math.sqrt(sum(x * x for x in numbers)) if measure == "norm" else sum(numbers) / len(numbers)
    stats, shape = (value.get("stats"), value.get("shape")) if isinstance(value, dict) else (None, None)
    if not isinstance(stats, dict) or not isinstance(shape, (list, tuple)):
        return None
    try:
        mean, std = float(stats["mean"]), float(stats["std"])
        if measure == "mean":
            return mean
        count = math.prod(shape) - int(stats["nan"]) - int(stats["inf"])
        return math.sqrt((count - 1) * std * std + count * mean * mean)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _element(value: Value, place: int) -> float | None:
    flat = elements(value)
    try:
        return None if flat is None else float(flat[place])
    except (IndexError, TypeError, ValueError):
        return None


def _number(value: Value) -> float | None:
    """The one number that a value is, nan where it is none; None for what has not exactly one element."""
    if value is None:
        return math.nan
    flat = elements(value)
    try:
        return float(flat[0]) if flat is not None and len(flat) == 1 else None
    except (TypeError, ValueError):
        return None
