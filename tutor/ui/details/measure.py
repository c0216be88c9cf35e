"""Parts of the details of a tensor: choosing an element, measuring its derivative, charting its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutor.explain.elements import index_text
from tutor.explain.formatting import grad_of
from tutor.i18n import N_, _, ngettext
from tutor.trace.history import ValueSeries
from tutor.trace.number_format import number
from tutor.trace.state import TensorState
from tutor.trace.values import elements
from tutor.ui.details.writer import Page
from tutor.ui.render import plot
from tutor.ui.render.plot import MARKERS, Canvas
from tutor.ui.render.segments import Piece, styled

if TYPE_CHECKING:
    from tutor.session.finite_differences import Difference
    from tutor.session.session import Session
    from tutor.trace.timeline import Timeline


_SHORT_NAME = 6
"""Names with more characters are `w` in the formula."""
_LARGE_ERROR = 0.01
"""The relative error above which the result is marked as wrong."""


class Measurement:
    """Measures a derivative by finite differences: the program runs again. Holds the last result."""

    def __init__(self, session: Session | None, timeline: Timeline, step: int, tensor: TensorState) -> None:
        self._session, self._timeline, self._step, self._tensor = session, timeline, step, tensor
        self.running = False
        self._index = ""
        self._difference: Difference | None = None
        self._problem = ""

    @property
    def possible(self) -> bool:
        """Whether the tensor is a leaf that requires a gradient: only these have a `.grad` to compare with."""
        return bool(self._tensor.is_leaf) and self._tensor.requires_grad

    async def measure(self, chosen: int | None) -> None:
        """Measure the derivative with respect to the chosen element, or to the one with the largest gradient.

        Args:
            chosen: Its flat index.
        """
        from tutor.session.finite_differences import DifferenceError, difference

        self._difference, self._problem = None, ""
        if self._session is None:
            self._problem = _(
                "A derivative is measured by running the program again, and this is only a recording of it: "
                "open the script itself, then f measures."
            )
            return
        element = chosen if chosen is not None else self._largest_gradient()
        self._index = index_text(element, self._tensor.shape)
        try:
            self._difference = await difference(self._session, self._timeline, self._step, self._tensor.tensor, element)
        except DifferenceError as error:
            self._problem = str(error)

    def _largest_gradient(self) -> int:
        """Return the position of the element with the largest gradient."""
        grad = grad_of(self._timeline.state(self._step), self._tensor)
        flat = elements(grad.value) if grad is not None else None
        return max(range(len(flat)), key=lambda position: abs(flat[position])) if flat else 0

    def write(self, page: Page, name: str) -> None:
        """Write the heading, and the result, the problem, or how to measure."""
        if not self.possible:
            return
        page.heading(_("measured by finite differences"))
        page.measured = len(page.rows) - 1
        if self.running:
            text = N_("measuring {more} the program runs again with {what} a little changed")
            page.say(_(text, more=page.glyphs.more, what=f"{name}{self._index}"))
        elif self._problem:
            page.say(self._problem[:1].upper() + self._problem[1:], "plain")
        elif self._difference is None:
            text = N_("{f} measures the derivative: the program runs again with a nudged input")
            page.add(tuple(styled(text, f=("f", "key"))))
        else:
            self._write_result(page, name, self._difference)

    def _write_result(self, page: Page, name: str, result: Difference) -> None:
        """Write the difference quotient beside the gradient of autograd."""
        to_glyphs = page.glyphs.text
        element, value = f"{name}{self._index}", (result.down + result.up) / 2
        nudge = (result.up - result.down) / 2
        minus, letter = to_glyphs("−"), name if len(name) <= _SHORT_NAME else "w"
        text = N_("{what} = {value}, by h = {nudge}")
        page.fact(_("nudged"), _(text, what=element, value=_plain(value), nudge=_plain(nudge)))
        page.fact(f"L({letter} + h)", _exact(result.high), "value")
        page.fact(f"L({letter} {minus} h)", _exact(result.low), "value")
        page.fact(
            _("measured"),
            f"(L({letter} + h) {minus} L({letter} {minus} h)) / 2h = "
            f"({_exact(result.high)} {minus} {_exact(result.low)}) / {_plain(2 * nudge)} = {_plain(result.measured)}",
            "strong",
        )
        page.fact("autograd", _("{value} in this pass", value=_plain(result.autograd)), "grad")
        percent = f"{number(float(f'{100 * result.error:.2g}'))} %"
        if result.error > _LARGE_ERROR:
            text = N_("{share}: a kink, too large a nudge, or a gradient that is not this derivative")
            page.fact(_("apart by"), _(text, share=percent), "error")
        else:
            page.fact(_("apart by"), percent, "leaf")


def _plain(value: float) -> str:
    return number(value)


def _exact(value: float) -> str:
    """Return a number with the digits that distinguish two close ones."""
    return f"{value:.9g}"


_CHART_ROWS = 7
"""Rows of a chart."""


class HistoryChart:
    """The chart of a history, drawn again only when the history grows."""

    def __init__(self, history: ValueSeries, role: str) -> None:
        self._history, self._role = history, role
        self._key: object = None
        self._canvas: Canvas | None = None
        self._measures: tuple[str, ...] = ()

    def write(self, page: Page, title: str, now: int, limit: int, element: tuple[int, str] | None) -> None:
        """Write the chart, or nothing where there are fewer than two points.

        Args:
            page: Where to write it.
            title: The name of the tensor.
            now: The step at which the chart has a mark.
            limit: The last step that may be shown.
            element: The position and index of the only element to be charted; None charts mean and norm.
        """
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
            self._canvas = plot.canvas(curves, cells, _CHART_ROWS, plain, roles, first)
            exact = page.cells - plot.margin(self._canvas) - 2
            if exact != cells:
                self._canvas = plot.canvas(curves, exact, _CHART_ROWS, plain, roles, first)
        assert self._canvas is not None
        named = title if element is None or history.single else f"{title}{element[1]}"
        page.heading(_("{name} over time", name=named), (self._caption(self._canvas), "quiet"))
        if len(curves) > 1:
            names: list[Piece] = []
            for index, (measure, role) in enumerate(zip(measures, roles, strict=True)):
                marker = f"{MARKERS[index]} " if page.glyphs.ascii or page.mono else ""
                last = next((value for step, value in reversed(curves[index]) if step <= now), None)
                names += [(marker, "quiet"), (_(measure), role)]
                names += [] if last is None else [(f" = {number(last)}", "strong")]
                names.append(("   ", "quiet"))
            page.add(tuple(piece for piece in names if piece[0]))
        mark = now if self._canvas.first <= now else None
        page.add(*plot.rows(self._canvas, None if mark is None else min(mark, self._canvas.last), page.glyphs))

    def _caption(self, canvas: Canvas) -> str:
        """Return how many changes the chart shows, and how."""
        history = self._history
        facts = [ngettext("{count:,} change", "{count:,} changes", history.changes)]
        facts += [_("every {count}th drawn", count=history.stride)] if history.stride > 1 else []
        facts += [_("each on its own scale")] if canvas.scaled else []
        text = " · " + _(", ").join([*facts, _("by step")])
        return text + (" · " + _("{count} nan or inf", count=canvas.unreal) if canvas.unreal else "")
