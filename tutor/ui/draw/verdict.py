"""What became of an answer, in a line: right, wrong and where, skipped, or not yet known."""

from __future__ import annotations

from typing import Any

from tutor.i18n import N_, _
from tutor.lesson import answers
from tutor.trace.events import Answer
from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.phrase import phrase
from tutor.ui.draw.row import Piece, clean


def verdict(kind: str, typed: str, right: bool | None, run: Answer | None, glyphs: Glyphs) -> list[Piece]:
    """An answer (empty: skipped) beside what the run gave, which is None until the learner has come to it."""
    mine = clean(typed)
    if run is None:
        return [(mine, "strong"), (_(" — walk on, the run will tell"), "note")] if mine else [(_("skipped"), "note")]
    if run.error is not None:
        return [(mine + " ", "strong"), (_("the run has no answer: {error}", error=clean(_(run.error))), "error")]
    value = (answers.shown(run.value), "strong")
    told = N_("it is line {value}") if kind == "line" else N_("the run gives {value}")
    if not mine:
        return [(f"{_('skipped')} {glyphs.dot} ", "note"), *phrase(told, "note", value=value)]
    if right:
        return [(mine, "leaf strong"), (f" {glyphs.yes} {_('right')}", "leaf")]
    off = answers.partly(answers.parse(typed), run.value) if kind == "predict" else []
    if not off:
        return [(mine, "error strong"), (f" {glyphs.no} ", "error"), *phrase(told, "error", value=value)]
    places = ", ".join("[" + ", ".join(map(str, each.place)) + "]" for each in off if not each.ok)
    correct = {each.place for each in off if each.ok}
    return [
        *_marked(answers.alone(answers.parse(typed)), correct),
        (f" {glyphs.no} ", "error"),
        *phrase(told, "error", value=value),
        (_("; off at {places}", places=places), "error"),
    ]


def _marked(value: Any, right: set[tuple[int, ...]], place: tuple[int, ...] = ()) -> list[Piece]:
    """A list as one types it, each number in the colour of right or wrong."""
    if not isinstance(value, (list, tuple)):
        return [(answers.shown(value), "leaf strong" if place in right else "error strong")]
    found: list[Piece] = [("[", "quiet")]
    for at, item in enumerate(value):
        found += [(", ", "quiet")] if at else []
        found += _marked(item, right, (*place, at))
    return [*found, ("]", "quiet")]
