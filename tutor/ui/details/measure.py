"""Choosing one element of a tensor: by its index, typed, or by going from one to the next.

A derivative measured by running the program again, beside what autograd found.

The course of a value or a gradient on a sheet: a small chart."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from tutor.i18n import N_, _, ngettext
from tutor.trace.history import History
from tutor.trace.state import TensorState
from tutor.trace.values import elements, number
from tutor.ui.details.writer import Page
from tutor.ui.panes.tensor_text import grad_of
from tutor.ui.render import plot
from tutor.ui.render.plot import MARKERS, Canvas
from tutor.ui.render.segments import Piece, phrase

if TYPE_CHECKING:
    from tutor.session.finite_differences import Difference
    from tutor.session.session import Session
    from tutor.trace.timeline import Timeline


class Choice:
    """The element that was chosen, if one was."""

    def __init__(self, shape: Sequence[int]) -> None:
        self._shape = tuple(shape)
        self._count = prod(shape)
        self.element: int | None = None
        """Its place, row by row, from 0."""
        self.typed = ""
        """What was typed of an index so far."""

    @property
    def text(self) -> str:
        """`[1, 2]`"""
        return "[" + ", ".join(map(str, self.index(self.element or 0))) + "]"

    def index(self, element: int) -> tuple[int, ...]:
        """The index of an element."""
        found = []
        for size in reversed(self._shape):
            found.append(element % size)
            element //= size
        return tuple(reversed(found))

    @property
    def possible(self) -> bool:
        """Whether there is more than one element to choose from."""
        return self._count > 1

    def step(self, by: int) -> None:
        """The next element, or the one before; from none the first."""
        self.typed = ""
        if self.possible:
            self.element = 0 if self.element is None else max(0, min(self.element + by, self._count - 1))

    def type(self, char: str) -> None:
        """A digit or a comma of an index; it counts as soon as it is one."""
        if not self.possible:
            return
        typed = self.typed + char
        parts = typed.split(",")
        if not all(part.isdecimal() or (not part and at == len(parts) - 1) for at, part in enumerate(parts)):
            typed, parts = (char, [char]) if char.isdecimal() else ("", [])
        if len(typed) > 24:
            return
        self.typed = typed
        numbers = [int(part) for part in parts if part]
        if len(numbers) == len(self._shape) and all(n < size for n, size in zip(numbers, self._shape, strict=True)):
            self.element = sum(n * prod(self._shape[at + 1 :]) for at, n in enumerate(numbers))

    def erase(self) -> None:
        """Take back what was typed last; with nothing typed, no element is chosen."""
        if self.typed:
            self.typed = self.typed[:-1]
        else:
            self.element = None


_LETTERS = 6
"""A longer name is w in the formula."""
_FAR = 0.01
"""A larger relative error is pointed out."""


class Measuring:
    """One measurement at a time, and what came of the last."""

    def __init__(self, session: Session | None, timeline: Timeline, step: int, tensor: TensorState) -> None:
        self._session, self._timeline, self._step, self._tensor = session, timeline, step, tensor
        self.running = False
        self._index = ""
        self._found: Difference | None = None
        self._problem = ""

    @property
    def possible(self) -> bool:
        """Whether there is anything to measure here: only leaves have a `.grad` that autograd sums up."""
        return bool(self._tensor.is_leaf) and self._tensor.requires_grad

    async def measure(self, choice: Choice) -> None:
        """Measure the chosen element, or the one with the largest gradient."""
        from tutor.session.finite_differences import DifferenceError, difference

        self._found, self._problem = None, ""
        if self._session is None:
            self._problem = _(
                "A derivative is measured by running the program again, and this is only a recording of it: "
                "open the script itself, then f measures."
            )
            return
        element = choice.element if choice.element is not None else self._steepest()
        self._index = f"[{', '.join(map(str, choice.index(element)))}]" if choice.possible else ""
        try:
            self._found = await difference(self._session, self._timeline, self._step, self._tensor.tensor, element)
        except DifferenceError as error:
            self._problem = str(error)

    def _steepest(self) -> int:
        """The element with the largest gradient."""
        grad = grad_of(self._timeline.state(self._step), self._tensor)
        flat = elements(grad.value) if grad is not None else None
        return max(range(len(flat)), key=lambda at: abs(flat[at])) if flat else 0

    def write(self, page: Page, name: str) -> None:
        """What is known of it."""
        if not self.possible:
            return
        page.heading(_("measured by finite differences"))
        page.measured = len(page.rows) - 1
        if self.running:
            text = N_("measuring {more} the program runs again with {what} a little changed")
            page.say(_(text, more=page.glyphs.more, what=f"{name}{self._index}"))
        elif self._problem:
            page.say(self._problem[:1].upper() + self._problem[1:], "plain")
        elif self._found is None:
            text = N_("{f} measures the derivative: the program runs again with a nudged input")
            page.add(tuple(phrase(text, f=("f", "key"))))
        else:
            self._result(page, name, self._found)

    def _result(self, page: Page, name: str, found: Difference) -> None:
        drawn = page.glyphs.text
        what, middle = f"{name}{self._index}", (found.down + found.up) / 2
        nudge = (found.up - found.down) / 2
        minus, letter = drawn("−"), name if len(name) <= _LETTERS else "w"
        text = N_("{what} = {value}, by h = {nudge}")
        page.fact(_("nudged"), _(text, what=what, value=_plain(middle), nudge=_plain(nudge)))
        page.fact(f"L({letter} + h)", _exact(found.high), "value")
        page.fact(f"L({letter} {minus} h)", _exact(found.low), "value")
        page.fact(
            _("measured"),
            f"(L({letter} + h) {minus} L({letter} {minus} h)) / 2h = "
            f"({_exact(found.high)} {minus} {_exact(found.low)}) / {_plain(2 * nudge)} = {_plain(found.measured)}",
            "strong",
        )
        page.fact("autograd", _("{value} in this pass", value=_plain(found.autograd)), "grad")
        share = f"{100 * found.error:.2g} %"
        if found.error > _FAR:
            text = N_("{share}: a kink, too large a nudge, or a gradient that is not this derivative")
            page.fact(_("apart by"), _(text, share=share), "error")
        else:
            page.fact(_("apart by"), share, "leaf")


def _plain(value: float) -> str:
    return number(float(f"{value:.6g}"))


def _exact(value: float) -> str:
    """With all the digits that tell two close numbers apart."""
    return number(value, ".9g", "")


_TALL = 7
"""Rows of a chart."""


class Chart:
    """The chart of a history, drawn again only when there is more of it."""

    def __init__(self, history: History, role: str) -> None:
        self._history, self._role = history, role
        self._key: object = None
        self._canvas: Canvas | None = None
        self._measures: tuple[str, ...] = ()

    def write(self, page: Page, title: str, now: int, limit: int, element: tuple[int, str] | None) -> None:
        """The chart, with a mark at step `now` and nothing after step `limit`; a word where there is none to draw."""
        history = self._history
        measures = (N_("mean"), N_("norm")) if not history.single and element is None else (N_("value"),)
        curves = []
        for measure in measures:
            points = history.points(measure, None if element is None else element[0])
            curves.append([(step, value) for step, value in points if step <= limit])
        longest = max(map(len, curves))
        if longest < 2:
            return
        roles = [self._role, "title"]
        key = (history.revision, page.cells, element, limit, page.coloured)
        if key != self._key:
            self._key = key
            plain = page.glyphs.ascii or (page.mono and len(curves) > 1)
            first = min(curve[0][0] for curve in curves if curve)
            cells = page.cells - 10
            self._canvas = plot.canvas(curves, cells, _TALL, plain, roles, first)
            exact = page.cells - plot.margin(self._canvas) - 2
            if exact != cells:
                self._canvas = plot.canvas(curves, exact, _TALL, plain, roles, first)
        assert self._canvas is not None
        named = title if element is None or history.single else f"{title}{element[1]}"
        page.heading(_("{name} over time", name=named), (self._said(self._canvas), "quiet"))
        if len(curves) > 1:
            names: list[Piece] = []
            for place, (measure, role) in enumerate(zip(measures, roles, strict=True)):
                marker = f"{MARKERS[place]} " if page.glyphs.ascii or page.mono else ""
                last = next((value for step, value in reversed(curves[place]) if step <= now), None)
                names += [(marker, "quiet"), (_(measure), role)]
                names += [] if last is None else [(f" = {number(last)}", "strong")]
                names.append(("   ", "quiet"))
            page.add(tuple(piece for piece in names if piece[0]))
        mark = now if self._canvas.first <= now else None
        page.add(*plot.rows(self._canvas, None if mark is None else min(mark, self._canvas.last), page.glyphs))

    def _said(self, canvas: Canvas) -> str:
        history = self._history
        told = [ngettext("{count:,} change", "{count:,} changes", history.changes)]
        told += [_("every {count}th drawn", count=history.stride)] if history.stride > 1 else []
        told += [_("each on its own scale")] if canvas.scaled else []
        said = " · " + _(", ").join([*told, _("by step")])
        return said + (" · " + _("{count} nan or inf, not drawn", count=canvas.unreal) if canvas.unreal else "")
