"""The help: the focused pane first, all keys and marks, and a part of it by typing."""

from __future__ import annotations

from pathlib import Path

from tests.ui.conftest import lines, screen_of, text
from tests.ui.recordings import SCRIPT, training, viewer
from tutor.ui.app import GradtutorApp
from tutor.ui.bindings import KEYS
from tutor.ui.screens.help import HelpPane, HelpSheet
from tutor.ui.screens.lesson_list import LIST_KEYS


def whole(app: GradtutorApp) -> str:
    """All rows of the sheet, also those that one must scroll to, without their breaks."""
    assert isinstance(app.screen, HelpSheet)
    pane = app.screen.pane
    return " ".join(" ".join("".join(piece for piece, _role in row) for row in pane.rows_for(200)).split())


async def test_the_focused_pane_is_first_and_every_key_is_there() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=(120, 40)) as pilot:
        screen_of(app).show_pane("tensors")
        await pilot.press("question_mark")
        shown = [line for line in lines(app) if "│" in line]
        assert text(app).index(" tensors") < text(app).index("show some: a part of a name")
        assert any("show some: a part of a name" in line for line in shown[:14])
        assert [key.about for key in KEYS if key.about and key.about not in whole(app)] == []
        await pilot.press("escape")
        screen_of(app).show_pane("chart")
        await pilot.press("question_mark")
        await pilot.pause()
        assert "remove the last curve" in text(app)
    app = GradtutorApp(None, lessons=Path("lessons"))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert [key.about for key in LIST_KEYS if key.about and key.about not in whole(app)] == []


async def test_typing_shows_the_part_that_has_it_and_escape_all_again() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("question_mark", *"copy")
        await pilot.pause()
        assert "copy the value" in text(app)
        assert "maximize" not in text(app)
        await pilot.press(*["backspace"] * 4, "g")
        await pilot.pause()
        assert "go to a step, a line" in text(app)  # one letter is a key
        assert "copy the value" not in text(app)
        await pilot.press(*"qqq")
        await pilot.pause()
        assert "nothing here has this name" in text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, HelpSheet)
        assert isinstance(app.screen.pane, HelpPane)
        assert app.screen.pane.typed == ""
        await pilot.press("end")
        await pilot.pause()
        assert "a gradient that this step brought" in text(app)
        await pilot.press("question_mark")
        await pilot.pause()
        assert screen_of(app).focused is not None
