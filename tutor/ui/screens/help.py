"""The help screen: keys and marks, from the same data that binds them."""

from __future__ import annotations

from tutor.language import later, tr
from tutor.text_width import pad, wrapped
from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.row import EMPTY, Row
from tutor.ui.keys import KEYS
from tutor.ui.screens.sheet import Sheet, SheetPane

_LEFT = 24
_ON_LIST = (
    ("↑ ↓   Enter", later("choose a lesson, open it")),
    ("R", later("forget what was done with the lesson; press it twice")),
)
_ON_CHART = (
    ("↑ ↓", later("to the moment of the point before, of the next one; a click: of the nearest")),
    ("c", later("no more the tensor that was added last")),
)
_ON_SHEETS = (
    ("↑ ↓   Enter", later("a line that leads to a step; go there")),
    ("← →   1,2", later("one element of a tensor: the next one, or its index, typed; Backspace: none")),
    ("c", later("chart it over time; of the chosen element only that")),
    ("f", later("of a leaf: measure the derivative by running the program again")),
)


def help_sheet() -> Sheet:
    """What the keys do, and what the marks mean."""
    return Sheet(SheetPane(later("help"), _rows))


def _keys() -> list[tuple[str, str]]:
    """The keys and what they do; two that go together share a line."""
    found: list[tuple[str, str]] = []
    before = ""
    for key in KEYS:
        if key.label == before:
            shown, about = found.pop()
            found.append((f"{shown}   {tr(key.shown)}", tr("{first}, {second}", first=about, second=tr(key.about))))
        else:
            found.append((tr(key.shown), tr(key.about)))
        before = key.label
    return found


def _rows(cells: int, glyphs: Glyphs) -> list[Row]:
    intro = tr("You walk through a recording of the program: forward, back, to any point of it.")
    rows: list[Row] = [*wrapped([(intro, "note")], cells)]
    here = (("t", later("on this sheet: light or dark")),)
    sections = (
        (later("keys"), [*_keys(), *here]),
        (later("on the list of lessons"), _ON_LIST),
        (later("on the sheet that Enter opens"), _ON_SHEETS),
        (later("on the chart"), _ON_CHART),
    )
    for title, entries in sections:
        rows += [EMPTY, ((tr(title), "heading"),)]
        for shown, about in entries:
            rows += _entry(shown, "key", tr(about), cells)
    rows += [EMPTY, ((tr("marks"), "heading"),)]
    marks = [
        (glyphs.leaf, "leaf", tr("a leaf: a tensor that was made, not computed")),
        (glyphs.op, "op", tr("an operation")),
        (glyphs.freed, "quiet", tr("an operation whose saved values are gone: no second pass")),
        (glyphs.given, "quiet", tr("data or a number that an operation was given: it needs no gradient")),
        (glyphs.module, "op", tr("a module, with all that ran in it; i opens it, o on a node in it closes it")),
        (glyphs.linked, "linked", tr("belongs to what is marked in another pane, or runs backward now")),
        (glyphs.full, "error", tr("the line at which the recording was full")),
        (glyphs.grad, "grad", tr("the gradient that reached it in this pass")),
        (f"{glyphs.arrowhead}3", "grad", tr("the share of the gradient that went up along this line")),
        (glyphs.double_joins[0], "quiet", tr("an input more than once, as in x * x")),
        ("(2.)", "grad", tr("a gradient that passes through; the tensor does not keep it")),
        (glyphs.yes, "plain", tr("requires a gradient")),
        (glyphs.now, "now", tr("what is now")),
        (glyphs.caller, "now", tr("a call that waits for its end")),
        (glyphs.explain, "now", tr("this row changed in this step; the cells that did are underlined")),
        (f"{glyphs.new} {tr('new')}", "grad", tr("a gradient that this step brought")),
    ]
    for mark, role, text in marks:
        rows += _entry(mark, role, text, cells)
    return rows


def _entry(left: str, role: str, text: str, cells: int) -> list[Row]:
    """A key or a mark, and beside it what it does or means."""
    lines = wrapped([(text, "plain")], max(cells - _LEFT, 1))
    return [((pad("" if at else f"  {left}", _LEFT), role), *line) for at, line in enumerate(lines)]
