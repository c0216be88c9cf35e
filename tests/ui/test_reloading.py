"""A file saved while it is open, with the real worker: run again, and one stands where one stood."""

from __future__ import annotations

import os
from pathlib import Path

from textual.pilot import Pilot

from tests.ui.conftest import opened, text
from tutor.ui.screens.lesson import LessonScreen

LESSON = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "The slope"}
# ---

# %%
import torch

w = torch.tensor(3.0, requires_grad=True)

# %% [markdown] question="predict" of="w.grad" lang="en"
# What will `w.grad` hold?

# %%
for turn in range(3):
    y = w * w
    y.backward()

# %% [markdown] lang="en"
# Done.
"""


async def saved(pilot: Pilot[int], screen: LessonScreen, new: str) -> None:
    """Saves the file, and waits until the screen has said what it makes of that."""
    path = screen.model.target.path
    path.write_text(new, encoding="utf-8")
    before = path.stat().st_mtime_ns
    os.utime(path, ns=(before, before + 1))
    screen.notice = ()
    screen.check_file()
    while not screen.notice:
        await pilot.pause(0.05)
    await pilot.pause()


def line_at(screen: LessonScreen) -> str | None:
    return screen.model.timeline.view(screen.model.cursor).code


async def stand_in_the_second_turn(pilot: Pilot[int], screen: LessonScreen) -> None:
    screen.model.study.answer(1, "18", screen.model.timeline)
    step = [
        step for step in range(1, screen.model.timeline.steps + 1)
        if screen.model.timeline.kind(step) == "line" and screen.model.timeline.view(step).code == "y.backward()"
    ][1]  # fmt: skip
    screen.go_to(step)
    await pilot.pause()


async def test_one_stands_where_one_stood(tmp_path: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await stand_in_the_second_turn(pilot, screen)
        old = screen.model.timeline
        new = LESSON.replace("# %%\nfor", '# %% [markdown] lang="en"\n# More words.\n\n# %%\nextra = 1\nfor').replace(
            "3.0", "5.0"
        )
        await saved(pilot, screen, new)
        assert screen.model.timeline is not old
        assert line_at(screen) == "y.backward()"
        view = screen.model.timeline.view(screen.model.cursor)
        assert (view.iteration, view.line) == (2, 22)
        assert "has run again" in text(pilot.app)
        assert "extra = 1" in text(pilot.app)
        # The answer stays with its question, and is compared with the new run: it was right, and is no more.
        assert screen.model.study.answers == {1: ("18", False)}
        assert "5.0" in text(pilot.app)


async def test_answers_go_with_their_questions(tmp_path: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await stand_in_the_second_turn(pilot, screen)
        await saved(pilot, screen, LESSON.replace("# %%\nimport", '# %% [markdown] lang="en"\n# Hm.\n\n# %%\nimport'))
        assert screen.model.study.answers == {2: ("18", True)}
        await pilot.press("home")
        await pilot.pause()
        assert "Hm." in text(pilot.app)
        await saved(pilot, screen, LESSON.replace('of="w.grad"', 'of="y"'))
        assert screen.model.study.answers == {}
        assert screen.model.cursor < screen.model.timeline.cells[1].start  # the new question hides the cell


async def test_a_save_that_cannot_run_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await stand_in_the_second_turn(pilot, screen)
        old, step = screen.model.timeline, screen.model.cursor
        await saved(pilot, screen, LESSON.replace("y = w * w", "y = w *"))
        assert (screen.model.timeline, screen.model.cursor) == (old, step)
        assert "01-one.py:17: syntax error" in text(pilot.app)
        assert line_at(screen) == "y.backward()"
        # Mended, it runs.
        await saved(pilot, screen, LESSON.replace("3.0", "4.0"))
        assert screen.model.timeline is not old
        assert line_at(screen) == "y.backward()"


async def test_a_statement_that_is_gone(tmp_path: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await stand_in_the_second_turn(pilot, screen)
        await saved(pilot, screen, LESSON[: LESSON.index("# %%\nfor")] + "# %%\nz = w\nz.backward()\n")
        assert screen.model.timeline.cell(screen.model.cursor) == 2


async def test_a_file_out_of_the_way_is_waited_for(tmp_path: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        old, path = screen.model.timeline, screen.model.target.path
        path.rename(path.with_suffix(".old"))
        screen.check_file()
        await pilot.pause()
        path.with_suffix(".old").rename(path)
        screen.check_file()
        await pilot.pause()
        assert screen.model.timeline is old
        assert not screen.model.running
