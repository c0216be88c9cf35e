"""Playing, where ends and questions may be in the way of it."""

from __future__ import annotations

from tests.ui.conftest import text
from tests.ui.recordings import SCRIPT, STEPS, TAUGHT, training, two_paths, viewer
from tutor.ui.screens.lesson import LessonScreen

SIZE = (120, 40)


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
