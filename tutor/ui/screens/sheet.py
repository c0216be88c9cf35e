"""A sheet of text above the screen, until Esc."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.screen import ModalScreen

from tutor.i18n import N_, _, key_label
from tutor.ui.bindings import BY_ID, PALETTE, Key, bindings
from tutor.ui.panes.base import Pane
from tutor.ui.render.segments import EMPTY, Glyphs, Row

SheetResult = TypeVar("SheetResult")
"""What a sheet returns to the screen below."""
RowMaker = Callable[[int, Glyphs], list[Row]]
"""Makes the rows of a sheet of a given width."""

SHEET_KEYS = (
    Key("leave", "escape,q,enter,question_mark", "Esc", N_("close this sheet")),
    Key("up", "up,k", "↑", N_("a row up"), action="scroll(-1)"),
    Key("down", "down,j", "↓", N_("a row down"), action="scroll(1)"),
    Key("page_up", "pageup", "PageUp", N_("a page up"), action="page(-1)"),
    Key("page_down", "pagedown,space", "PageDown", N_("a page down"), action="page(1)"),
    Key("first", "home", "Home", N_("the first row"), action="scroll(-10000)"),
    Key("last", "end", "End", N_("the last row"), action="scroll(10000)"),
    Key("language", "L", "L", BY_ID["language"].about, action="app.change_language"),
    PALETTE._replace(keys="colon,ctrl+p", shown=": Ctrl+P"),
)


class SheetPane(Pane):
    """The text of a sheet."""

    def __init__(self, name: str, maker: RowMaker) -> None:
        super().__init__(id="sheet")
        self._title, self._maker = name, maker
        self._rows: list[Row] = []
        self._row_width = -1

    def prepare(self) -> None:
        self.rows_for(self.inner)

    def rows_for(self, cells: int) -> list[Row]:
        """Return the rows for this width, made once."""
        if self._row_width != cells:
            self._row_width = cells
            self._rows = self._maker(cells, self.glyphs)
        return self._rows

    def renew(self) -> None:
        """Make and draw the rows again."""
        self._row_width = -1
        self.update()

    def update(self) -> None:
        self.prepare()
        self.paint()

    def title_text(self) -> str:
        return _(self._title)

    def heading(self) -> Row:
        return (("Esc", "key"), (f" {key_label('back')}", "quiet"))

    def count(self) -> int:
        return len(self._rows)

    def row(self, index: int, cells: int) -> Row:
        return self._rows[index] if index < len(self._rows) else EMPTY


class Sheet(ModalScreen[SheetResult]):
    """A modal screen that shows a text until Esc."""

    KEYS: ClassVar[Sequence[Key]] = SHEET_KEYS
    BINDINGS = bindings(SHEET_KEYS)

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
        """Centre the sheet, with a margin around it."""
        width, height = self.app.size
        sheet_width = min(self._width, width - 4 if width > 70 else width)
        sheet_height = min(max(height - 4, 3), max(len(self.pane.rows_for(max(sheet_width - 4, 1))) + 2, 5))
        styles = self.pane.styles
        styles.offset = ((width - sheet_width) // 2, (height - sheet_height) // 2)
        styles.width, styles.height = sheet_width, sheet_height

    def speak(self, _language: str) -> None:
        """Change the language, and draw everything again."""
        self.pane.renew()
        self.on_resize()

    def action_leave(self) -> None:
        """Close the sheet."""
        self.dismiss()

    def action_scroll(self, rows: int) -> None:
        """Move by a row."""
        self.pane.move(rows)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self.pane.scroll_rows(by * max(self.pane.page - 1, 1))
