"""A sheet of text above the screen, as for details; the help sheet: keys and marks, from the data that binds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from textual.app import ComposeResult
from textual.screen import ModalScreen

from tutor.i18n import N_, _, key_label
from tutor.text_width import pad, wrapped
from tutor.ui.bindings import KEYS, Key, bindings
from tutor.ui.panes.base import Pane
from tutor.ui.render.segments import EMPTY, Glyphs, Row
from tutor.ui.theme import DARK, LIGHT

SheetResult = TypeVar("SheetResult")
"""What a sheet returns to the screen below."""
RowMaker = Callable[[int, Glyphs], list[Row]]
"""Makes the rows of a sheet of a given width."""

SHEET_KEYS = (
    Key("leave", "escape,q,enter,question_mark", "Esc"),
    Key("up", "up,k", "↑", action="scroll(-1)"),
    Key("down", "down,j", "↓", action="scroll(1)"),
    Key("page_up", "pageup", "PageUp", action="page(-1)"),
    Key("page_down", "pagedown,space", "PageDown", action="page(1)"),
    Key("theme", "t", "t"),
    Key("language", "L", "L", action="app.change_language"),
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

    def action_theme(self) -> None:
        """Change between dark and light."""
        self.app.theme = LIGHT if self.app.theme == DARK else DARK
        self.pane.repaint()

    def action_scroll(self, rows: int) -> None:
        """Move by a row."""
        self.pane.move(rows)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self.pane.scroll_rows(by * max(self.pane.page - 1, 1))


# ------------------------------------------------------------ help


_LEFT = 24
_ON_LIST = (
    ("↑ ↓   Enter", N_("choose a lesson, open it")),
    ("R", N_("forget what was done with the lesson; press it twice")),
)
_ON_CHART = (
    ("↑ ↓", N_("to the moment of the point before, of the next one; a click: of the nearest")),
    ("c", N_("remove the last curve")),
)
_ON_SHEETS = (
    ("↑ ↓   Enter", N_("a line that leads to a step; go there")),
    ("Enter", N_("on a matrix: choose an element with the arrows, or type its index; Backspace: none; Esc: go on")),
    ("c", N_("chart it over time; of the chosen element only that")),
    ("f", N_("of a leaf: measure the derivative by running the program again")),
)


def help_sheet() -> Sheet[None]:
    """Return the sheet that explains the keys and the marks."""
    return Sheet(SheetPane(N_("help"), _rows))


def _key_entries() -> list[tuple[str, str]]:
    """Return the keys and what they do; keys that belong together share a line."""
    entries: list[tuple[str, str]] = []
    for key in KEYS:
        if key.joins:
            shown, about = entries.pop()
            entries.append((f"{shown}   {_(key.shown)}", _("{first}, {second}", first=about, second=_(key.about))))
        elif key.about:
            entries.append((_(key.shown), _(key.about)))
    return entries


def _rows(cells: int, glyphs: Glyphs) -> list[Row]:
    """Return the rows of the sheet."""
    intro = _("You walk through a recording of the program: forward, back, to any point of it.")
    rows: list[Row] = [*wrapped([(intro, "note")], cells)]
    on_this_sheet = (("t", N_("on this sheet: light or dark")),)
    sections = (
        (N_("keys"), [*_key_entries(), *on_this_sheet]),
        (N_("on the list of lessons"), _ON_LIST),
        (N_("in the details"), _ON_SHEETS),
        (N_("on the chart"), _ON_CHART),
    )
    for title, entries in sections:
        rows += [EMPTY, ((_(title), "heading"),)]
        for shown, about in entries:
            rows += _entry_rows(shown, "key", _(about), cells)
    rows += [EMPTY, ((_("marks"), "heading"),)]
    marks = [
        (glyphs.leaf, "leaf", _("a leaf: a tensor that was made, not computed")),
        (glyphs.op, "op", _("an operation")),
        (glyphs.freed, "quiet", _("an operation whose saved values are gone: no second pass")),
        (glyphs.given, "quiet", _("data or a number that an operation was given: it needs no gradient")),
        (glyphs.module, "op", _("a module, with all that ran in it; i opens it, o on a node in it closes it")),
        (glyphs.linked, "linked", _("belongs to what is marked in another pane, or runs backward now")),
        (glyphs.full, "error", _("the line at which the recording was full")),
        (glyphs.gap, "quiet", _("iterations or calls without tensors that are not recorded; `--all` records them")),
        (glyphs.grad, "grad", _("the gradient that reached it in this pass")),
        (f"{glyphs.arrowhead}3", "grad", _("the share of the gradient that went up along this line")),
        (glyphs.double_joins[0], "quiet", _("an input more than once, as in x * x")),
        ("(2.)", "grad", _("a gradient that passes through; the tensor does not keep it")),
        (glyphs.yes, "plain", _("requires a gradient")),
        (glyphs.now, "now", _("what is now")),
        (glyphs.caller, "now", _("a call that waits for its end")),
        (glyphs.explain, "now", _("this row changed in this step; the cells that did are underlined")),
        (f"{glyphs.new} {_('new')}", "grad", _("a gradient that this step brought")),
    ]
    for mark, role, text in marks:
        rows += _entry_rows(mark, role, text, cells)
    return rows


def _entry_rows(left: str, role: str, text: str, cells: int) -> list[Row]:
    """Return the rows of a key or mark, with its explanation beside it."""
    lines = wrapped([(text, "plain")], max(cells - _LEFT, 1))
    return [((pad("" if index else f"  {left}", _LEFT), role), *line) for index, line in enumerate(lines)]
