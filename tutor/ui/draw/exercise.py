"""An exercise in the lesson pane: what to do, what became of it, the hints and the solution asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tutor.i18n import N_, _
from tutor.text_width import wrapped
from tutor.ui.draw.code import coloured
from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.phrase import phrase, ticked
from tutor.ui.draw.row import EMPTY, Piece, Row


@dataclass(frozen=True)
class Standing:
    """How a learner stands with an exercise."""

    kind: str
    """fill or bug."""
    solved: bool
    tried: bool
    problem: str
    """Why the check failed, to the learner; empty where it passed or has not run."""
    hints: int
    of_hints: int
    solution: str
    """The lesson's own, where it is to be seen."""
    ran: bool
    """Whether the check has told of this run what it will."""


_WORDS: Mapping[str, str] = {"fill": N_("fill in"), "bug": N_("find the bug")}

_UNTRIED: Mapping[str, str] = {
    "fill": N_("the code is not finished: its check fails"),
    "bug": N_("there is a bug in the code: its check fails"),
}


def rows(standing: Standing, hints: Sequence[Callable[[int], list[Row]]], cells: int, glyphs: Glyphs) -> list[Row]:
    """The block, for so many cells; each of `hints` gives its text for so many cells."""
    g = glyphs
    head: list[Piece] = [(_("exercise"), "now"), (f" {g.dot} {_(_WORDS.get(standing.kind, standing.kind))}", "quiet")]
    found: list[Row] = [EMPTY, tuple(head)]
    found += wrapped(outcome(standing, g), cells)
    for at, hint in enumerate(hints[: standing.hints]):
        found += [
            EMPTY,
            ((_("hint {number} of {count}", number=at + 1, count=standing.of_hints), "heading"),),
            *hint(cells),
        ]
    if standing.solution:
        found += [EMPTY, ((_("the lesson's own solution"), "heading"),)]
        for line in coloured(standing.solution):
            found += _code(line, cells)
    keys: list[Piece] = phrase("{e} edits the code and tries it", e=("e", "key"))
    if standing.hints < standing.of_hints and not standing.solved:
        keys += phrase(N_("{h} a hint") if not standing.hints else N_("{h} another hint"), h=("   H", "key"))
    if not standing.solution:
        keys += phrase("{s} the solution", s=("   S", "key"))
    return [*found, EMPTY, *wrapped(keys, cells)]


def outcome(standing: Standing, g: Glyphs) -> list[Piece]:
    """What became of it."""
    if not standing.ran:
        return [(_("walk on, or try it now"), "note")]
    if standing.solved and not standing.problem:
        return [(f"{g.yes} {_('solved')}", "leaf strong")]
    if not standing.tried:
        return [(_(_UNTRIED.get(standing.kind, _UNTRIED["fill"])), "note")]
    return [(f"{g.no} ", "error"), *ticked(standing.problem, "error")]


def _code(line: Row, cells: int) -> list[Row]:
    """A line of code, and where it is too long what is left of it, further to the right."""
    text = "".join(piece for piece, _ in line)
    if len(text) + 2 <= cells:
        return [(("  ", "plain"), *line)]
    indent = len(text) - len(text.lstrip()) + 2
    rows = wrapped(line[1:] if line[0][0].isspace() else line, max(cells - indent - 4, 1))
    return [((" " * (indent + 4 * bool(at)), "plain"), *row) for at, row in enumerate(rows)]
