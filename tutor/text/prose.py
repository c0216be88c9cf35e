"""The prose of a lesson as lines of text, with the values of the run filled in."""

from __future__ import annotations

import shutil

import msgspec

from tutor import i18n
from tutor.explain.expressions import evaluate
from tutor.lesson.markdown import blocks, live_values
from tutor.lesson.model import Cell, join_lines
from tutor.study.flow import Gate
from tutor.text_width import wrap
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

_MAX_WIDTH = 88


def cells_of(timeline: Timeline) -> list[Cell]:
    """Return the cells of the recorded document; empty if they cannot be read."""
    try:
        return [] if timeline.document is None else msgspec.convert(timeline.document.cells, list[Cell])
    except msgspec.ValidationError:
        return []


def filled_in(text: str, state: State) -> str:
    """Return a text with the values of a state in place of `{{ … }}`."""
    for value in live_values(text)[::-1]:
        text = text[: value.start] + (evaluate(state, value.text) or "…") + text[value.end :]
    return text


def text_lines(text: str, state: State) -> list[str]:
    """Return the lines of a text, with values from `state`, and an empty line before and after."""
    values = live_values(text)[::-1]
    width = min(_MAX_WIDTH, max(shutil.get_terminal_size((_MAX_WIDTH, 24)).columns, 20))
    lines = [""]
    for block in blocks(text):
        start, end = block.start, block.end
        part = text[start:end]
        for value in (value for value in values if start <= value.start < end):
            value_text = evaluate(state, value.text) or "…"
            part = part[: value.start - start] + value_text + part[value.end - start :]
        if block.kind == "text" and not block.lead:
            lines += wrap(join_lines(row.strip() for row in part.splitlines()), width)
        else:
            lines += [""] if block.kind == "gap" else part.splitlines()  # a list, code or a table: as it stands
    return [*lines, ""]


def prose_at(timeline: Timeline, step: int) -> tuple[str, list[str], State]:
    """Return the prose that belongs to a step: the notice that it was written for other knobs, which may be empty, its
    texts in Markdown, and the state whose values are filled in."""
    cells, gate = cells_of(timeline), Gate(timeline.document)
    if not cells or not gate.has_prose:
        return "", [], State(step)
    number = gate.section_at(timeline, step)
    section = gate.sections[number]
    state = timeline.state(gate.values_step(timeline, number, step))
    language = i18n.current_language()
    texts = [cells[index].text_in(language) for index in gate.cells_shown(timeline, section)]
    return gate.knob_notice(section) if texts else "", texts, state
