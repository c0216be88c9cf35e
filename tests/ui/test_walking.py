"""Going and playing, where one may be in the way of it: calls, ends, questions."""

from __future__ import annotations

import pytest

from tests.ui.conftest import text
from tests.ui.recordings import SCRIPT, STEPS, TAUGHT, timeline_of, training, two_paths, viewer
from tests.worker.recording import Forker
from tutor.study import moves
from tutor.trace.navigation import PlaceError
from tutor.ui.screens.lesson import LessonScreen

SIZE = (120, 40)
CALLED = """
import torch
def f(k):
    a = torch.tensor(1.0) * k
    return a
for k in range(5):
    f(k)
print("over")
"""


def test_an_iteration_is_found_from_inside_a_call_and_after_the_loop(record: Forker) -> None:
    timeline = record(CALLED).timeline
    inside = next(step for step in range(1, timeline.steps) if timeline.view(step).function == "f")
    outside = timeline.steps
    for step in (inside, outside, 1):
        reached = moves.resolve_typed(timeline, step, "iteration 3")
        assert timeline.view(reached).iteration == 3
        assert timeline.view(reached).code == "f(k)"


def test_where_there_is_no_loop_that_is_said() -> None:
    timeline = timeline_of(two_paths())
    with pytest.raises(PlaceError, match="no loop"):
        moves.resolve_typed(timeline, 3, "iteration 1")


async def test_playing_stops_at_the_end_and_says_so() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "space")
        await pilot.pause(0.5)
        assert isinstance(app.screen, LessonScreen)
        assert not app.screen.timebar.playing
        assert "this is the last step" in text(app)


async def test_playing_stops_at_a_question_and_says_what_to_do() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "space")
        await pilot.pause(0.5)
        assert isinstance(app.screen, LessonScreen)
        assert not app.screen.timebar.playing
        assert app.screen.model.cursor < STEPS
        assert "first the question" in text(app)
