"""A sheet of text above the screen: help, or everything about a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import ModalScreen

from tutor.i18n import _
from tutor.ui.bindings import Key, bindings
from tutor.ui.panes.base import Pane
from tutor.ui.render.segments import EMPTY, Glyphs, Row

if TYPE_CHECKING:
    from tutor.ui.app import GradtutorApp

Maker = Callable[[int, Glyphs], list[Row]]
"""The rows of a sheet, for so many cells."""

KEYS = (
    Key("leave", "escape,q,enter,question_mark", "Esc", "back", "back"),
    Key("up", "up,k", "↑", "up", "up"),
    Key("down", "down,j", "↓", "down", "down"),
    Key("page_up", "pageup", "PageUp", "up", "a page up"),
    Key("page_down", "pagedown,space", "PageDown", "down", "a page down"),
    Key("theme", "t", "t", "light or dark", "light or dark"),
    Key("language", "L", "L", "language", "the next language"),
)


class SheetPane(Pane):
    """The text of a sheet."""

    def __init__(self, name: str, maker: Maker) -> None:
        super().__init__(id="sheet")
        self._titled, self._maker = name, maker
        self._rows: list[Row] = []
        self._made_for = -1

    def prepare(self) -> None:
        self.made(self.inner)

    def made(self, cells: int) -> list[Row]:
        """The rows for so many cells."""
        if self._made_for != cells:
            self._made_for = cells
            self._rows = self._maker(cells, self.glyphs)
        return self._rows

    def renew(self) -> None:
        """There is more to say, or something else."""
        self._made_for = -1
        self.update()

    def update(self) -> None:
        self.prepare()
        self.paint()

    def title_text(self) -> str:
        return _(self._titled)

    def heading(self) -> Row:
        return (("Esc", "key"), (f" {_('back')}", "quiet"))

    def count(self) -> int:
        return len(self._rows)

    def row(self, index: int, cells: int) -> Row:
        return self._rows[index] if index < len(self._rows) else EMPTY


class Sheet(ModalScreen[None]):
    """Shows the sheet until Esc."""

    BINDINGS = bindings(KEYS)

    def __init__(self, pane: SheetPane, width: int = 92) -> None:
        super().__init__()
        self.pane = pane
        self._width = width

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.on_resize()
        self.pane.focus()

    def on_resize(self) -> None:
        """In the middle, with a little of the screen around it."""
        width, height = self.app.size
        wide = min(self._width, width - 4 if width > 70 else width)
        tall = min(max(height - 4, 3), max(len(self.pane.made(max(wide - 4, 1))) + 2, 5))
        styles = self.pane.styles
        styles.offset = ((width - wide) // 2, (height - tall) // 2)
        styles.width, styles.height = wide, tall

    def speak(self, _language: str) -> None:
        """Another language: say all of it anew."""
        self.pane.renew()
        self.on_resize()

    def action_do(self, key: str) -> None:
        """Do what a key does."""
        page = max(self.pane.page - 1, 1)
        match key:
            case "leave":
                self.dismiss()
            case "theme":
                from tutor.ui.theme import DARK, LIGHT

                self.app.theme = LIGHT if self.app.theme == DARK else DARK
                self.pane.repaint()
            case "language":
                cast("GradtutorApp", self.app).change_language()
            case _:
                rows = {"up": -1, "down": 1, "page_up": -page, "page_down": page}[key]
                self.pane.scroll_rows(rows)
