"""Playing, where ends and questions may be in the way of it; and what is there before the first step."""

from __future__ import annotations

from tests.ui.conftest import ended, screen_of, text
from tests.ui.recordings import SCRIPT, STEPS, TAUGHT, FakeSession, runner, training, two_paths, viewer
from tutor.trace import events as ev
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


async def test_the_code_of_a_script_is_there_before_its_first_step() -> None:
    cell = {"kind": "code", "index": 0, "first_line": 1, "lines": 1, "number": 1, "source": "import torch"}
    session = FakeSession([ev.Document("loop.py", {}, [cell])], hold=0)
    app = runner(session, SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "import torch" not in text(app)
        session.go_on.set()
        await ended(pilot, screen_of(app))
        assert "1  import torch" in text(app)
