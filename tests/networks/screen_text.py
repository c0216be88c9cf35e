"""What is on the screen as text, pane by pane, and what may be wrong with it: cut texts, and spellings of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from textual.app import App
from textual.geometry import Region
from textual.pilot import Pilot

from tutor.trace import number_format
from tutor.trace.state import State
from tutor.trace.values import Value, elements
from tutor.ui.panes.base import Pane, Surface

SIZES = ((80, 24), (100, 30), (120, 40), (200, 60))


def shown(app: App[int]) -> dict[str, list[str]]:
    """Return the rows of each pane and bar in sight, without frames, as they were drawn last."""
    found: dict[str, list[str]] = {}
    for widget in app.screen.query(Surface):
        region = widget.region
        if not widget.display or not region or not Region(0, 0, *app.size).contains_region(region):
            continue
        text = widget.glyphs.text
        rows = ["".join(text(piece) for piece, _role in row) for row in widget._shown]
        if isinstance(widget, Pane) and region.height > 2:
            rows = [row[1:-1] for row in rows[1:-1]]
        found[getattr(widget, "NAME", "") or type(widget).__name__] = rows
    return found


async def resize(pilot: Pilot[int], size: tuple[int, int]) -> None:
    """Another size of the terminal; wait until the screen is arranged for it."""
    await pilot.resize_terminal(*size)
    await pilot.pause()
    await pilot.pause()


# ---------------------------------------------------------------- cut texts

GAP, VALUE = 3, 16
"""Blank cells between two columns, at most; more of them beside a text that is cut are wasted. In the graph the column
of values is wide enough for those of all rows, also of rows out of sight."""
_WORD = re.compile(r"\S*…\S*")
_BOX = re.compile(r"[╭┏┌][^│┃╰┗└╮┓┐]*[╮┓┐]")
"""The upper edge of a box of the graph. All boxes are equally wide."""
_ELISION = re.compile(r"…[\])}]|[(\[{]…|^…$")
"""`f(…)`, `[1 2 …]`, `0 … 1`: what is left out on purpose, at any width."""


Panes = Mapping[str, Sequence[str]]
"""Rows by the name of their pane."""


@dataclass(frozen=True)
class Finding:
    """A row in which something is wrong."""

    pane: str
    row: str

    def __str__(self) -> str:
        return f"{self.pane}: {self.row!r}"


def cut_texts(panes: Panes) -> list[Finding]:
    """Return the rows in which a text ends in `…`, or has one in its middle, beside empty cells.

    Those are the cells after it in its row, and the columns of a pane that are empty in all of its rows. The last
    column of a table is as wide as its widest row, in view or not.
    """
    return [
        Finding(pane, row.rstrip())
        for pane, rows in panes.items()
        for row in rows
        if is_cut(row)
        and (empty_columns(rows) > (VALUE if pane in ("graph", "tensors") else GAP) or is_cut_beside_room(row))
    ]


def empty_columns(rows: Sequence[str]) -> int:
    """Return the number of columns on the right that are empty in all rows.

    The graph of a pass has a column for its gradients, full or not. Boxes share what is empty on both sides: it counts
    where each has room for `GAP` cells more, in the row with the most.
    """
    right = min((len(row) - len(row.rstrip()) for row in rows if row.strip()), default=0)
    boxes = max((len(_BOX.findall(row)) for row in rows), default=0)
    if boxes:
        left = min(len(row) - len(row.lstrip()) for row in rows if row.strip())
        return (left + right) // boxes
    return 0 if any(re.search("∇ .", row) for row in rows) else right


_LOWER_EDGE = re.compile(r"[┗╰└][^┛╯┘]*[┛╯┘]")
"""The lower edge of a box of the graph, with its gradient; a box is not as wide as the gradients that will come."""


def is_cut(row: str) -> bool:
    """Return whether a row has a text that is cut."""
    return any(not _ELISION.search(word[0]) for word in _WORD.finditer(_LOWER_EDGE.sub("", row)))


def is_cut_beside_room(row: str) -> bool:
    """Return whether a row has a cut text with more empty cells after it than a gap between columns has."""
    for word in _WORD.finditer(row):
        if _ELISION.search(word[0]):
            continue
        after = row[word.end() :]
        is_whole_parts = re.match(r"▶?…\w+[.\[]", word[0]) is not None  # names are cut between their parts
        if len(after) - len(after.lstrip()) > (2 * GAP if is_whole_parts else GAP):
            return True
    return False


# ---------------------------------------------------------------- numbers

_NUMBER = re.compile(r"(?<![\w.×:])(?<!\d,)≈?-?\d+(?:\.\d*)?(?:e[-+]?\d+)?(?![\w×%/.…]|,\d)")
_INDEX = re.compile(r"(?<=[\w)\]])\[[\d, ]+\]")
_SENTENCE_END = re.compile(r" *(?:│|$)| [A-Z\u4e00-\u9fff]| instead of 1")
"""What is after a number and the full stop of its sentence, or of its place in a list; or after `1.` in "Write 1.
instead of 1"."""
_OWN = ("code", "lesson", "output")
"""Panes that show what the lesson or the program has written."""
_BARS = ("TitleBar", "TimeBar", "KeyLine")
"""Rows with the numbers of steps, cells and iterations."""
_FIGURE = re.compile(r"\d ?┤")
"""A row of a figure of the program's, whose axes plotext draws."""
_TICKS = re.compile(r"[\s\d.-]+")
"""The numbers below such a figure."""


def _is_drawn(pane: str, row: str) -> bool:
    """Return whether a row is of a figure that the program draws."""
    return pane == "chart" and (_FIGURE.search(row) or _TICKS.fullmatch(row)) is not None


def numbers_in(text: str, source: str = "") -> Iterator[str]:
    """Yield the numbers of a text as they are spelled; not indices, shapes, shares and counts with a comma.

    Args:
        text: What is on the screen.
        source: The code of the program, and its output. A number that stands there with the same spelling is quoted.
    """
    text = _INDEX.sub(" ", text)
    for match in _NUMBER.finditer(text):
        spelled = match[0]
        if spelled.endswith(".") and _SENTENCE_END.match(text, match.end()):
            spelled = spelled[:-1]
        if not re.search(rf"(?<![\w.]){re.escape(spelled)}(?![\w.])", source):
            yield spelled


def is_canonical(spelled: str) -> bool:
    """Return whether a number is spelled as `number_format.number` spells it."""
    plain = spelled.lstrip(number_format.ROUGHLY)
    if re.fullmatch(r"-?\d+", plain):
        return True  # an integer, or a whole number of up to five digits
    return number_format.number(float(plain), "float64") == plain


_STATISTIC = re.compile(r"\|[gx]\| $")
"""What is before a norm."""
_OTHER_STATISTIC = re.compile(r"(?:max |mean |± )$")
_BRANCH = re.compile("[▾▹]")
"""A row of the tensors pane for several tensors, with the norm of all their gradients."""
_PLACE = re.compile(r"\b(?:line|step|iteration|pass|node|cell|number) $")
"""What is before the number of a place."""
_NARROW_GRAPH = 60
"""Cells of a graph pane in which a norm may have no room for three digits, as in any box."""


class Spellings:
    """How the single numbers and the norms of the tensors of a state are spelled."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[object, str, str]] = {}
        """By the identity of a value, which is held so that this stays the same: its spelling as a number, as a norm;
        empty if it has none. Most values are the same from step to step."""

    def at(self, state: State) -> tuple[set[str], set[str]]:
        """Return the numbers and the norms of a state."""
        both = [self._spelled(tensor.value, tensor.dtype) for tensor in state.tensors.values()]
        both += [self._spelled(node.value, "float32") for node in state.nodes.values()]  # of tensors that are gone
        return {number for number, _norm in both if number}, {norm for _number, norm in both if norm}

    def _spelled(self, value: Value, dtype: str) -> tuple[str, str]:
        held = self._of.get(id(value))
        if held is None or held[0] is not value:
            flat, spelled, norm = elements(value), "", ""
            if flat is not None and len(flat) == 1 and isinstance(flat[0], float) and math.isfinite(flat[0]):
                spelled = number_format.number(flat[0], dtype).lstrip(number_format.ROUGHLY)
            statistics = number_format.statistics(value) if not dtype.startswith("complex") else None
            if statistics is not None and math.isfinite(statistics.norm):
                norm = number_format.statistic(statistics.norm)
            held = self._of[id(value)] = value, spelled, norm
        return held[1], held[2]


def second_spellings(panes: Panes, spellings: tuple[set[str], set[str]], source: str) -> list[Finding]:
    """Return the rows in which a recorded number or norm is rounded to fewer digits than where it is shown elsewhere.

    Args:
        panes: What is on the screen.
        spellings: The numbers and the norms that were recorded, at the cursor.
        source: The code of the program.
    """
    spelled, norms = spellings
    findings = []
    for pane, rows in panes.items():
        for row in rows:
            if pane in (*_OWN, *_BARS) or _is_drawn(pane, row):
                continue
            for match in _NUMBER.finditer(_INDEX.sub(lambda index: " " * len(index[0]), row)):
                is_statistic = _STATISTIC.search(row[: match.start()]) is not None
                expected, text = norms if is_statistic else spelled, match[0]
                if pane == "tensors" and (text in norms or _BRANCH.search(row)):  # the column |grad|
                    continue
                if _PLACE.search(row[: match.start()]) or _OTHER_STATISTIC.search(row[: match.start()]):
                    continue
                between = number_format.BETWEEN
                if row[: match.start()].endswith(between) or row[match.end() :].startswith(between):  # of a range
                    continue
                is_passing = "∇" in row[: match.start()]  # a gradient that no tensor holds
                is_narrow = len(row) < _NARROW_GRAPH or _BOX.search(row) is not None
                if pane == "graph" and is_statistic and (is_passing or is_narrow):
                    continue
                is_rough = number_format.ROUGHLY in row[max(match.start() - 2, 0) : match.end()]
                if not is_rough and text not in expected and text not in source:
                    findings += [Finding(pane, row.strip()) for whole in expected if _is_shorter(text, whole)]
    return findings


@cache
def _is_shorter(text: str, whole: str) -> bool:
    """Return whether a text is another one rounded to fewer digits, but to two or more."""
    digits = len(text.partition("e")[0].replace(".", "").lstrip("-0"))
    return digits >= 2 and float(text) != float(whole) and float(text) == float(f"{float(whole):.{digits}g}")


_SHORT = re.compile(r"\d(?:\.\d+)?e-?\d+")
"""A rounded number in a box of the graph that has no room for the number itself: `1e4` for 9999.6."""


def _is_short(text: str, pane: str, row: str) -> bool:
    """Return whether a number is a rounded one in a box of the graph that has no room for its canonical form."""
    return pane == "graph" and number_format.ROUGHLY in row and bool(_BOX.search(row) and _SHORT.fullmatch(text))


def other_spellings(panes: Panes, source: str) -> list[Finding]:
    """Return the rows with a number that is not spelled as everywhere; what is quoted from `source` is no number."""
    return [
        Finding(pane, row.strip())
        for pane, rows in panes.items()
        for row in rows
        if pane not in _OWN and not _is_drawn(pane, row)
        if not all(is_canonical(text) or _is_short(text, pane, row) for text in numbers_in(row, source))
    ]


# ---------------------------------------------------------------- sheets


async def sheet_text(pilot: Pilot[int]) -> str:
    """Return the whole text of the details, which have the focus, scrolled through to their end."""
    found: list[str] = []
    for _ in range(400):
        rows = shown(pilot.app)["details"]
        before = list(found)
        overlap = next((n for n in range(len(rows), 0, -1) if found[-n:] == rows[:n]), 0)
        found += rows[overlap:]
        await pilot.press("pagedown")
        await pilot.pause()
        if before and found == before:
            break
    return "\n".join(found)
