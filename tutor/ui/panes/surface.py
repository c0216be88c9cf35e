"""A widget that is rows of text, and sends to the terminal only what changed in them."""

from __future__ import annotations

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.row import EMPTY, Row, difference, fit, harmless
from tutor.ui.theme import Palette, palette_of


class Surface(Widget):
    """Rows drawn with the Line API. `paint` asks `rows` for all of them and repaints the columns that differ."""

    BASE = "plain"
    """The role of what is not covered by text."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._shown: list[Row] = []
        self._drawn_with: Palette | None = None

    @property
    def palette(self) -> Palette:
        return palette_of(self.app)

    @property
    def glyphs(self) -> Glyphs:
        return self.palette.glyphs

    def rows(self, width: int, height: int) -> list[Row]:
        """What to show in so many cells."""
        raise NotImplementedError

    def paint(self) -> None:
        """Bring the screen up to date with `rows`."""
        width, height = self.size
        if not width or not height:
            return
        rows = [fit(harmless(row), width, self.BASE, self.glyphs.more) for row in self.rows(width, height)[:height]]
        rows += [fit(EMPTY, width, self.BASE)] * (height - len(rows))
        shown, self._shown = self._shown, rows
        self._drawn_with = self.palette
        if len(shown) != height:
            self.refresh()
            return
        dirty = [
            Region(columns[0], y, columns[1] - columns[0], 1)
            for y, (old, new) in enumerate(zip(shown, rows, strict=True))
            if (columns := difference(old, new)) is not None
        ]
        if dirty:
            self.refresh(*dirty)

    def repaint(self) -> None:
        """Draw all of it again if the colours changed."""
        if self._drawn_with is not self.palette:
            self._shown = []
            self.paint()

    def on_resize(self) -> None:
        self._shown = []
        self.paint()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        palette = self.palette
        if y >= len(self._shown):
            return Strip.blank(width, palette.style(self.BASE))
        text, style = palette.glyphs.text, palette.style
        return Strip([Segment(text(piece), style(roles)) for piece, roles in self._shown[y]], width)
