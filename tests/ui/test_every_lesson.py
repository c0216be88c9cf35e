"""Every lesson as a learner walks it, in both languages and at two sizes: no question is cut off and no pane fails, and
the keys that its prose speaks of do something there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.lessons.plainly import LESSONS
from tests.sampling import sample
from tests.ui.conftest import lines, screen_of
from tests.worker.recording import Forker
from tutor.lesson.answers import format_answer
from tutor.lesson.catalog import Target
from tutor.lesson.model import LANGUAGES
from tutor.study.flow import Gate
from tutor.study.moves import resolve_typed
from tutor.trace.names import names_of
from tutor.trace.timeline import Timeline
from tutor.ui.app import GradtutorApp
from tutor.ui.bindings import KEYS
from tutor.ui.panes.base import FRAME

SIZES = ((80, 24), (120, 40))
STOPS = 3
"""Number of steps between two questions at which the screen is drawn."""
PRESSED = re.compile(r"(?:[Pp]ress|按|[(（])\s*`(\w)`|`(e)`")
ON = re.compile(r"`c` on `([^`]+)`|`([^`]+)` 上按 `c`")
PLACE = re.compile(r"`((?:step|line|iteration|cell|pass) \d+)`")


def viewer(name: str, timeline: Timeline, language: str) -> GradtutorApp:
    """The app on the recording of a lesson; nothing is saved."""
    target = Target("trace", LESSONS[name], name)
    return GradtutorApp(target, lessons=Path("lessons"), timeline=timeline, language=language)


@pytest.mark.parametrize("name", sample(list(LESSONS), 1))
async def test_no_question_is_cut_off_and_no_pane_fails(name: str, record: Forker) -> None:
    timeline = record(LESSONS[name]).timeline
    for language, size in product(LANGUAGES, SIZES):
        app = viewer(name, timeline, language)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            screen, before = screen_of(app), 0
            while before < timeline.steps:
                limit = screen.model.limit
                for step in range(before, limit, max((limit - before) // STOPS, 1)):
                    screen.go_to(step)
                    await pilot.pause()
                    screen_of(app)
                screen.go_to(limit)
                await pilot.pause()
                before = limit
                while (question := screen_of(app).model.question) is not None:
                    assert hidden_rows(app) == [], (language, size, question.of)
                    answer = screen.model.gate.run_answer(timeline, question.index)
                    assert answer is not None
                    screen.give_answer(format_answer(answer[1].value))
                    await pilot.pause()
                    assert screen.model.study.answers[question.index][1] is True


def hidden_rows(app: GradtutorApp) -> list[str]:
    """The rows of the open question, from the sentence that asks to the last option, that are not on the screen."""
    screen = screen_of(app)
    pane, card = screen.lesson, screen.question_card
    rows, count = pane.question_rows(card.outer_size.width - FRAME if card.display else pane.inner)
    assert count
    shown = [without_spaces(line) for line in lines(app)]
    asked = [without_spaces("".join(text for text, _role in row)) for row in rows[-count:]]
    return [row for row in asked if not any(row in line for line in shown)]


def without_spaces(text: str) -> str:
    """The text without spaces: one may stand before a wide character."""
    return "".join(text.split())


@pytest.mark.parametrize("name", sample(list(LESSONS), 3))
def test_keys_in_prose_do_something_there(name: str, record: Forker) -> None:
    timeline = record(LESSONS[name]).timeline
    gate = Gate(timeline.document)
    assert timeline.document is not None
    for section in gate.sections:
        cells = [timeline.document.cells[index] for index in section.cells]
        for language, cell in product(LANGUAGES, cells):
            text = " ".join(str(cell["text"].get(language, "")).split())
            assert list(wrong_keys(text, gate, timeline, section.number)) == [], (language, text)


def wrong_keys(text: str, gate: Gate, timeline: Timeline, number: int | None) -> Iterator[str]:
    """The keys and places in a text that are none, or do nothing where it is read."""
    keys = {shown for key in KEYS for shown in key.shown.split()}
    has = {
        "e": number is None or any(exercise >= number for exercise in gate.exercises),
        "k": bool(gate.knobs),
        "b": bool(timeline.passes),
        "B": bool(timeline.passes),
    }
    pressed = {"".join(groups) for groups in PRESSED.findall(text)}
    yield from (key for key in pressed if not has.get(key, key in keys))
    ends = (info.end for info in timeline.cells if info.end is not None)
    named = {name for end in ends for name in names_of(timeline.state(end))}
    yield from (name for found in ON.findall(text) for name in found if name and name not in named)
    for place in PLACE.findall(text):
        resolve_typed(timeline, timeline.steps, place)
