"""The glossary's sheet, and the key of the next lesson, on the screen."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from tests.ui.conftest import ended, real, screen_of, text

LESSON = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "TITLE"}
# ---

# %% [markdown] lang="en"
# Broadcasting stretches shapes; a leaf keeps its gradient.

# %%
x = 1
"""


async def test_t_explains_the_words_of_the_text_and_n_goes_to_the_next_lesson(tmp_path: Path, home: Path) -> None:
    app = real(tmp_path, LESSON.replace("TITLE", "First"))
    (tmp_path / "graph" / "02-two.py").write_text(LESSON.replace("TITLE", "Second"))
    async with app.run_test(size=(120, 40)) as pilot:
        await ended(pilot, screen_of(app))
        for number, meaning in enumerate(("Shapes are lined up", "A tensor that no", "The derivatives of one"), 1):
            await pilot.press("t")
            await pilot.pause()
            assert meaning in text(app)
            assert f"{number}/3" in text(app)
        assert "lesson: tensors/first-look" in text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert meaning not in text(app)
        await pilot.press("t", "t", "t", "t")
        await pilot.pause()
        shown = " ".join(text(app).split())
        assert shown.index("broadcasting (广播) · tensors/broadcasting") < shown.index("all other words")
        await pilot.press("escape", "N")
        await _until_title(pilot, "Second")
        await ended(pilot, screen_of(app))
        await pilot.press("N")
        await pilot.pause()
        assert "no lesson comes after this one" in text(app)
    await app.close_sessions()


async def _until_title(pilot: Pilot[int], title: str) -> None:
    for _ in range(200):
        await pilot.pause(0.05)
        if title in text(pilot.app).splitlines()[0]:
            return
    raise AssertionError(text(pilot.app))
