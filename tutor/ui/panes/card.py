"""Cards above the panes: of a step at which something went wrong and of the end of a run, the cause first, then what to
press; and of a question for which the lesson pane is too small.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events

from tutor.i18n import N_, _
from tutor.study.cards import Card
from tutor.text_width import cut, wrapped
from tutor.ui.panes.base import FRAME, KeyPicked, Surface
from tutor.ui.render.segments import EMPTY, Piece, Row, clean, fit, row_width, styled_code


@dataclass(frozen=True)
class CardKey:
    """A key that the card names."""

    shown: str
    label: str
    key: str
    """The name of the key that a click presses."""


AWAY = CardKey("Esc", N_("away"), "escape")
EVERYTHING = CardKey("Enter", N_("everything"), "enter")
EDIT = CardKey("e", N_("edit"), "e")
SKIP = CardKey("s", N_("skip the cell"), "s")
CAUSE = CardKey("!", N_("to that step"), "exclamation_mark")
NEXT = CardKey("!", N_("the next problem"), "exclamation_mark")
FIRST = CardKey("Home", N_("from the beginning"), "home")


def keys_of(card: Card, can_edit: bool, has_others: bool, can_skip: bool) -> list[CardKey]:
    """Return the keys to name on a card.

    Args:
        card: The card.
        can_edit: Whether the code can be edited now.
        has_others: Whether the recording has problems at other steps.
        can_skip: Whether the cell that failed can be left out.
    """
    keys = [CAUSE] if card.leads else [NEXT] if has_others else []
    keys.append(FIRST if card.kind == "end" else EVERYTHING)
    if can_edit and card.kind != "end":
        keys.append(EDIT)
    if can_skip and card.kind == "failed":
        keys.append(SKIP)
    return [*keys, AWAY]


class CardBox(Surface):
    """Shows a card in a frame. It never has the focus: the keys of the walk go on working."""

    def __init__(self) -> None:
        super().__init__(id="card")
        self.card: Card | None = None
        self._keys: Sequence[CardKey] = ()
        self._ends: list[tuple[int, str]] = []

    def show(self, card: Card | None, keys: Sequence[CardKey]) -> None:
        """Show a card and the keys that belong to it."""
        if (card, keys) != (self.card, self._keys):
            self.card, self._keys = card, keys
            self.paint()

    def wanted_height(self, width: int) -> int:
        """Return the rows that the card takes in `width` cells; 0 without one."""
        return 0 if self.card is None else len(self._texts(width - FRAME)) + 3

    def _texts(self, cells: int) -> list[Row]:
        if self.card is None:
            return []
        return [row for text, role in self.card.texts for row in wrapped(styled_code(text, role), cells)]

    def rows(self, width: int, height: int) -> list[Row]:
        card, glyphs = self.card, self.glyphs
        if card is None or height < 3 or width <= FRAME:
            return []
        edge = "value" if card.kind == "end" else "error"
        inner, room = width - FRAME, height - 3
        texts = self._texts(inner)
        if len(texts) > room:
            last = fit((*texts[room - 1], (f" {glyphs.more}", "quiet")), inner, "plain", glyphs.more) if room else EMPTY
            texts = [*texts[: room - 1], last] if room else []
        mark = "" if card.kind == "end" else f"{glyphs.no} "
        name = cut(f"{mark}{clean(card.title)}", max(width - 6, 0), glyphs.more)
        title: Row = ((f" {name} ", f"{edge} strong"),)
        top = (glyphs.top_left + glyphs.across, edge)
        rows: list[Row] = [(top, *title, (glyphs.across * (width - 3 - row_width(title)) + glyphs.top_right, edge))]
        for row in (*texts, *[EMPTY] * (room - len(texts)), self._key_row(inner)):
            side = (glyphs.down, edge)
            rows.append((side, (" ", "plain"), *fit(row, inner, "plain", glyphs.more), (" ", "plain"), side))
        rows.append(((glyphs.bottom_left + glyphs.across * (width - 2) + glyphs.bottom_right, edge),))
        return rows

    def _key_row(self, cells: int) -> Row:
        pieces: list[Piece] = []
        self._ends = []
        for key in self._keys:
            hint: list[Piece] = [(key.shown, "key"), (f" {_(key.label)}", "quiet")]
            gap: list[Piece] = [("   ", "plain")] if pieces else []
            if row_width([*pieces, *gap, *hint]) > cells:
                break
            pieces += [*gap, *hint]
            self._ends.append((row_width(pieces), key.key))
        return tuple(pieces)

    def on_click(self, event: events.Click) -> None:
        if event.y == self.size.height - 2:
            index = bisect_right(self._ends, event.x - 2, key=lambda end: end[0])
            if index < len(self._ends):
                self.post_message(KeyPicked(self._ends[index][1]))


class QuestionCard(Surface):
    """Shows the open question, from its end up, as wide as the panes that it covers. It never has the focus."""

    def __init__(self, question_rows: Callable[[int], tuple[list[Row], int]]) -> None:
        """Make the card; `question_rows` lays the question out in a number of columns."""
        super().__init__(id="question")
        self.display = False
        self._question_rows = question_rows

    def rows(self, width: int, height: int) -> list[Row]:
        glyphs, room = self.glyphs, max(height - 2, 0)
        texts = self._question_rows(width - FRAME)[0]
        name = f" {_('question')} "
        if len(texts) > room:
            name += f"{glyphs.dot} {_('more above')} "
        away = f" {AWAY.shown} {_(AWAY.label)} "
        top = fit(((glyphs.across, "now"), (name, "now strong"), (glyphs.across * width, "now")), width - 2, more="")
        foot = fit(((glyphs.across, "now"), (away, "quiet"), (glyphs.across * width, "now")), width - 2, more="")
        side = (glyphs.down, "now")
        rows: list[Row] = [((glyphs.top_left, "now"), *top, (glyphs.top_right, "now"))]
        for row in texts[-room:] + [EMPTY] * (room - len(texts)):
            rows.append((side, (" ", "plain"), *fit(row, width - FRAME, "plain", glyphs.more), (" ", "plain"), side))
        return [*rows, ((glyphs.bottom_left, "now"), *foot, (glyphs.bottom_right, "now"))]
