"""The help sheet: the keys and marks of the focused pane, then all others, filtered by what is typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual import events
from textual.widget import Widget

from tutor.i18n import N_, _
from tutor.text_width import pad, width, wrapped
from tutor.ui.bindings import BY_ID, PALETTE, Key, bindings, own_bindings
from tutor.ui.render.segments import EMPTY, Glyphs, Row
from tutor.ui.screens.sheet import SHEET_KEYS, Sheet, SheetPane

_LEFT = 24
_SCROLLING = {"up": "up", "down": "down", "page_up": "pageup", "page_down": "pagedown", "first": "home", "last": "end"}
"""The keys of a sheet that are no text."""
_HELP_KEYS = (
    Key("leave", "escape", "Esc", N_("show all of the help again, or close it")),
    Key("close", "enter", "Enter", N_("close the help")),
    Key("erase", "backspace", "Backspace", N_("take back a letter of what the help is filtered by")),
    *(key._replace(keys=_SCROLLING[key.id]) for key in SHEET_KEYS if key.id in _SCROLLING),
    PALETTE,
    Key("redraw", "ctrl+l", "Ctrl+L", BY_ID["redraw"].about, action="app.redraw"),
)


class Entry(NamedTuple):
    """A key or a mark, with what it does or means."""

    left: str
    role: str
    text: str

    def has(self, typed: str) -> bool:
        """Return whether the entry is meant by what was typed: one character is a key or a mark, more are words."""
        if len(typed) == 1 and self.left != typed:
            return typed in self.left.split()
        return all(word in f"{self.left} {self.text}".lower() for word in typed.lower().split())


class Section(NamedTuple):
    """Entries under a heading."""

    title: str
    entries: Sequence[Entry]


class HelpSheet(Sheet[None], inherit_bindings=False):
    """The help, of which typing shows a part."""

    KEYS = _HELP_KEYS
    BINDINGS = bindings(_HELP_KEYS)

    def __init__(self, pane: Widget | None, keys: Sequence[Key]) -> None:
        """Make the sheet.

        Args:
            pane: The focused pane, whose keys and marks are first.
            keys: The keys of the screen.
        """
        super().__init__(HelpPane(pane, keys))

    def on_key(self, event: events.Key) -> None:
        """Type what is looked for; `?` alone closes the sheet that it has opened."""
        assert isinstance(self.pane, HelpPane)
        if not event.is_printable or event.character is None:
            return
        event.stop()
        if event.character == "?" and not self.pane.typed:
            self.dismiss()
        else:
            self.pane.look_for(self.pane.typed + event.character)

    def action_erase(self) -> None:
        """Take back a character."""
        assert isinstance(self.pane, HelpPane)
        self.pane.look_for(self.pane.typed[:-1])

    def action_leave(self) -> None:
        """Take back all that was typed, or close the sheet."""
        assert isinstance(self.pane, HelpPane)
        if self.pane.typed:
            self.pane.look_for("")
        else:
            self.dismiss()

    def action_close(self) -> None:
        """Close the sheet."""
        self.dismiss()


class HelpPane(SheetPane):
    """The text of the help sheet."""

    def __init__(self, pane: Widget | None, keys: Sequence[Key]) -> None:
        super().__init__(N_("help"), self._make_rows)
        self._of, self._keys = pane, keys
        self.typed = ""

    def look_for(self, typed: str) -> None:
        """Show what has these words; all, without any."""
        self.typed, self.top = typed, 0
        self.renew()

    def heading(self) -> Row:
        typed: Row = ((f"{self.typed}_", "now"),) if self.typed else ((_("type to filter"), "quiet"),)
        return (*typed, ("  ", "quiet"), *super().heading())

    def _make_rows(self, cells: int, glyphs: Glyphs) -> list[Row]:
        """Return the rows of what is looked for."""
        intro = _("You walk through a recording of the program: forward, back, to any point of it.")
        rows: list[Row] = [] if self.typed else [*wrapped([(intro, "note")], cells), EMPTY]
        for title, entries in self._sections(glyphs):
            chosen = [entry for entry in entries if not self.typed or entry.has(self.typed)]
            if chosen:
                rows.append(((_(title), "heading"),))
                rows += [row for entry in chosen for row in _entry_rows(entry, cells)]
                rows.append(EMPTY)
        return rows or [((_("nothing here has this name"), "note"),)]

    def _sections(self, glyphs: Glyphs) -> list[Section]:
        """Return the sections: first those of the pane that had the focus."""
        name = self._of.id or "" if self._of is not None else ""
        own = [] if self._of is None else own_bindings(type(self._of))
        keys = [Entry(_(binding.key_display or ""), "key", _(binding.tooltip)) for binding in own]
        marks = _marks(glyphs)
        here = [entry for panes, entry in marks if name in panes]
        sections = [Section(N_("marks"), [entry for _panes, entry in marks])]
        sections = [Section(N_("keys"), _key_entries(self._keys)), *sections]
        return [Section(name, [*keys, *here]), *sections] if keys or here else sections


def _key_entries(keys: Sequence[Key]) -> list[Entry]:
    """Return the keys and what they do; keys that belong together share a line."""
    entries: list[Entry] = []
    for key in keys:
        if key.joins:
            shown, role, about = entries.pop()
            text = _("{first}; {second}", first=about, second=_(key.about))
            entries.append(Entry(f"{shown}   {_(key.shown)}", role, text))
        elif key.about:
            entries.append(Entry(_(key.shown), "key", _(key.about)))
    return entries


def _marks(glyphs: Glyphs) -> list[tuple[str, Entry]]:
    """Return the marks, each with the names of the panes that have it."""
    return [
        ("graph tensors", Entry(glyphs.leaf, "leaf", _("a leaf: a tensor that was made, not computed"))),
        ("graph", Entry(glyphs.op, "op", _("an operation"))),
        ("graph", Entry(glyphs.freed, "quiet", _("an operation whose saved values are gone: no second pass"))),
        ("graph", Entry(glyphs.given, "quiet",
                        _("data or a number that an operation was given: it needs no gradient"))),
        ("graph", Entry(glyphs.module, "op",
                        _("a module, with all that ran in it; i opens it, o on a node in it closes it"))),
        ("graph tensors code", Entry(glyphs.linked, "linked",
                                     _("belongs to what is marked in another pane, or runs backward now"))),
        ("code", Entry(glyphs.full, "error", _("the line at which the recording was full"))),
        ("code", Entry(glyphs.gap, "quiet",
                       _("iterations or calls that are not recorded: without tensors (`--all` records them), or left "
                         "out by --keep or --until"))),
        ("graph tensors", Entry(glyphs.grad, "grad", _("the gradient that reached it in this pass"))),
        ("graph", Entry(f"{glyphs.arrowhead}3", "grad", _("the share of the gradient that went up along this line"))),
        ("graph", Entry(glyphs.double_joins[0], "quiet", _("an input more than once, as in x * x"))),
        ("graph tensors", Entry("(2.)", "grad", _("a gradient that passes through; the tensor does not keep it"))),
        ("tensors", Entry(glyphs.yes, "plain", _("requires a gradient"))),
        ("graph code", Entry(glyphs.now, "now", _("what is now"))),
        ("code", Entry(glyphs.caller, "now", _("a call that waits for its end"))),
        ("tensors", Entry(glyphs.explain, "now",
                          _("this row changed in this step; the cells that did are underlined"))),
        ("graph tensors", Entry(f"{glyphs.new} {_('new')}", "grad", _("a gradient that this step brought"))),
    ]  # fmt: skip


def _entry_rows(entry: Entry, cells: int) -> list[Row]:
    """Return the rows of a key or mark, with its explanation beside it."""
    left = max(_LEFT, width(entry.left) + 3)
    lines = wrapped([(entry.text, "plain")], max(cells - left, 1))
    return [((pad("" if index else f"  {entry.left}", left), entry.role), *line) for index, line in enumerate(lines)]
