"""The course of a value or a gradient on a sheet: a small chart."""

from __future__ import annotations

from tutor.i18n import N_, _, ngettext
from tutor.trace.history import History
from tutor.trace.values import number
from tutor.ui.about.page import Page
from tutor.ui.draw import plot
from tutor.ui.draw.plot import MARKERS, Canvas
from tutor.ui.draw.row import Piece

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
