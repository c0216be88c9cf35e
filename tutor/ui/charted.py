"""What the chart shows: the scalars that `backward` was called on, and what the learner asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from tutor.i18n import _
from tutor.trace.history import READ, Course, Followed, History, Reader, followed
from tutor.trace.index import Point
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

MOST = 6
"""So many tensors at most are charted beside the scalars of `backward`."""


@dataclass(frozen=True)
class Series:
    """A curve: its name, its points by step, and the role of its colour."""

    name: str
    points: Sequence[Point]
    role: str

    def upto(self, step: int) -> int:
        """How many of its points come no later than a step."""
        return bisect_right(self.points, step, key=lambda point: point.step)

    def at(self, step: int) -> Point | None:
        """The last point that comes no later."""
        count = self.upto(step)
        return self.points[count - 1] if count else None


class Added:
    """A tensor that the learner asked for: its value, of a leaf its gradient too; of many elements one, or the norm."""

    def __init__(self, what: Followed, element: tuple[int, str] | None, grads: bool) -> None:
        self.what, self.element, self.grads = what, element, grads
        self._timeline: Timeline | None = None
        self._course = Course(what)
        self._made: dict[str, tuple[int, list[Point]]] = {}

    @property
    def key(self) -> tuple[object, ...]:
        """The same for the same request."""
        return (*self.what.key, self.element)

    def read(self, timeline: Timeline, most: int) -> bool:
        """Read so many events further in the recording; whether that was all that there is."""
        if timeline is not self._timeline:
            self._timeline, self._made = timeline, {}
            self._course = Course(self.what)
            self._reader = Reader(timeline, self._course)
        return self._reader.read(most)

    def curves(self) -> list[tuple[str, list[Point], str]]:
        """Name, points and what it is (`leaf`, `value`, `grad`) of each curve that it makes."""
        name = self.what.name
        found = [(self._called(name, self._course.values), self._points("value", self._course.values),
                  "leaf" if self.grads else "value")]  # fmt: skip
        if self.grads:
            grads = self._course.grads
            found.append((self._called(f"{name}.grad", grads), self._points("grad", grads), "grad"))
        return found

    def _called(self, name: str, history: History) -> str:
        if history.single and self.element is None:
            return name
        return _("norm {name}", name=name) if self.element is None else f"{name}{self.element[1]}"

    def _points(self, which: str, history: History) -> list[Point]:
        known = self._made.get(which)
        if known is None or known[0] != history.revision:
            element = None if self.element is None else self.element[0]
            points = [Point(step, step, value) for step, value in history.points("norm", element)]
            known = self._made[which] = history.revision, points
        return known[1]


class Charted:
    """The curves of a chart. As long as only the scalars of `backward` are shown they go by passes, else by steps."""

    def __init__(self) -> None:
        self._added: dict[tuple[object, ...], Added] = {}
        self._hidden: set[str] = set()
        self._by_step: dict[str, tuple[int, list[Point]]] = {}
        self._timeline: Timeline | None = None

    @property
    def by_steps(self) -> bool:
        """Whether x is the step, rather than the number of the pass."""
        return bool(self._added)

    def toggle(
        self, timeline: Timeline, state: State, tensor: int, element: tuple[int, str] | None = None
    ) -> tuple[str, bool] | None:
        """Chart a tensor, or no more: its name, and whether it is charted now. None: it cannot be, or not one more."""
        known = state.tensors.get(tensor)
        if known is None or known.dtype.startswith("complex"):
            return None
        if prod(known.shape) == 1:
            element = None
        what = followed(timeline, state, tensor)
        leaf = (known.is_leaf and known.requires_grad) or known.retains_grad
        added = Added(what, element, leaf)
        name = what.name if element is None else what.name + element[1]
        if added.key in self._added:
            del self._added[added.key]
            return name, False
        if what.name in timeline.series and element is None and not leaf:
            self._hidden ^= {what.name}
            return name, what.name not in self._hidden
        if len(self._added) >= MOST:
            return None
        self._added[added.key] = added
        return name, True

    def take_back(self) -> str | None:
        """No more the one that was added last: its name."""
        if not self._added:
            return None
        return self._added.popitem()[1].what.name

    def read(self, timeline: Timeline) -> bool:
        """Read on for what was asked for; whether that was all that there is."""
        if timeline is not self._timeline:
            self._timeline, self._by_step = timeline, {}
        part = READ // max(len(self._added), 1)
        done = [added.read(timeline, part) for added in self._added.values()]
        return all(done)

    def series(self, timeline: Timeline, limit: int | None) -> list[Series]:
        """All curves up to a step, those without a point left out."""
        curves: list[tuple[str, Sequence[Point], str]] = [
            (name, self._stepwise(name, points) if self.by_steps else points, "value")
            for name, points in timeline.series.items()
            if name not in self._hidden
        ]
        for added in self._added.values():
            curves += added.curves()
        found: list[Series] = []
        for name, points, meaning in curves:
            taken = {one.role for one in found}
            role = next((role for role in (meaning, *ROLES) if role not in taken), meaning)
            one = Series(name, points, role)
            if limit is not None:
                one = Series(name, points[: one.upto(limit)], role)
            if one.points:
                found.append(one)
        return found

    def _stepwise(self, name: str, points: list[Point]) -> list[Point]:
        known = self._by_step.get(name)
        if known is None or known[0] != len(points):
            made = [Point(point.step, point.step, point.value) for point in points]
            known = self._by_step[name] = len(points), made
        return known[1]


ROLES = ("value", "leaf", "grad", "keyword", "error", "string", "number")
"""Colours for curves, where that of their meaning is taken."""
