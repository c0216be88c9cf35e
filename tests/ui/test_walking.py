"""Playing, where ends and questions may be in the way of it; and what is there before the first step."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.ui.conftest import ended, screen_of, text
from tests.ui.recordings import SCRIPT, STEPS, TAUGHT, FakeSession, runner, training, two_paths, viewer
from tutor.study.problems import Problems
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


async def test_a_bookmark_has_a_note_and_is_there_the_next_time(home: Path) -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("a")
        await pilot.pause()
        assert "there is no step to remember" in text(app)
        await pilot.press(*["right"] * 5)
        first = screen_of(app).model.cursor
        await pilot.press("a", *"loss [grows]", "enter", *["right"] * 4, "a", "enter")
        await pilot.pause()
        assert "a bookmark is here" in text(app)
        second = screen_of(app).model.cursor
        await pilot.press("end", "M", "M")
        await pilot.pause()
        assert screen_of(app).model.cursor == first < second
        assert "bookmark  loss [grows]" in text(app)
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("m", "m")
        await pilot.pause()
        assert screen_of(app).model.cursor == second
        await pilot.press("a")
        await pilot.pause()
        assert "no bookmark is here any more" in text(app)
        await pilot.press("m")
        await pilot.pause()
        assert "no bookmark follows" in text(app)
        await pilot.press("colon", *"grows")
        await pilot.pause()
        assert f"step {first}: loss [grows]" in text(app)


async def test_a_frame_and_keys_come_between_the_parts_of_the_search_for_problems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A long recording is on the screen before all of it is searched."""
    searched = rounds = 0

    def read(self: Problems, seconds: float | None = None) -> bool:
        nonlocal searched
        searched += 1
        return searched > 100

    async def count_rounds() -> None:
        nonlocal rounds
        while searched <= 100:
            rounds += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(Problems, "read", read)
    async with viewer(training(), SCRIPT).run_test(size=SIZE) as pilot:
        await asyncio.gather(count_rounds(), pilot.pause())
    assert rounds > 50
