"""A wrong answer on the screen, with the real worker: what explains it, and the question with other numbers."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from tests.ui.conftest import ended, opened, text

LESSON = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "The derivative"}
# ---

# %%
import torch

w = torch.tensor(3.0, requires_grad=True)

# %% [markdown] question="predict" of="w.grad" vary="w: [5, 4, 2]" lang="en"
# What will `w.grad` be?

# %% [markdown] wrong="y" lang="en"
# That is the value of `y`, which is {{ y.item() }}.

# %% [markdown] wrong="w" lang="en"
# The factor 2 is missing.

# %% [markdown] question="line" of="w.grad is not None" lang="en"
# And which line writes it?

# %% [markdown] wrong="y" lang="en"
# That line only computes `y`.

# %%
y = w * w
y.backward()

# %% [markdown] lang="en"
# Read on.

# %%
done = True
"""


async def until(pilot: Pilot[int], what: str) -> None:
    """Wait until a text is on the screen."""
    for _ in range(600):
        await pilot.pause(0.05)
        if what in " ".join(text(pilot.app).split()):
            return
    raise AssertionError(text(pilot.app))


async def test_a_wrong_answer_is_explained_below_what_the_run_gives(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await pilot.press("end")
        await pilot.pause()
        assert "a number, to a thousandth, or none" in text(pilot.app)  # None would look the same
        await pilot.press("n", "o", "n", "e")
        await pilot.pause()
        assert screen.ask.value == "none"
        await pilot.press(*["backspace"] * 4, "escape")
        await pilot.pause()
        assert not screen.is_typing
        await pilot.press("N", "o", "n", "e")  # not the next lesson
        await pilot.pause()
        assert screen.ask.value == "None"
        await pilot.press(*["backspace"] * 4, "9", "enter")
        await pilot.pause()
        await pilot.press("2", "8", "enter")
        await pilot.pause()
        shown = " ".join(text(pilot.app).split())
        assert "9 ✗ not so: go on and see why" in shown
        assert "28 — go on and see" in shown  # a question without other numbers
        assert "That is the value" not in shown
        await pilot.press("enter", "7", "enter")  # at once, before the cell: with w = 5
        await until(pilot, "7 ✗ the run gives 10")
        assert "the run gives 6" not in text(pilot.app)
        await pilot.press("right_square_bracket")
        await pilot.press("right_square_bracket")
        await pilot.pause()
        shown = " ".join(text(pilot.app).split())
        assert "9 ✗ the run gives 6" in shown
        assert "That is the value of y, which is 9." in shown
        assert "That line only computes y." in shown
        assert "The factor 2 is missing" not in shown
        await pilot.press("enter")  # again, with w = 4
        await pilot.pause()
        assert "again, with w = 4: what will w.grad be?" in " ".join(text(pilot.app).split())
        assert "type the answer; → shows why without it" in text(pilot.app)
        assert not screen.is_typing  # the keys of the walk go on working
        await pilot.press("1", "6", "enter")
        await until(pilot, "16 ✗ the run gives 8")
        assert "which is 16." in " ".join(text(pilot.app).split())
        await pilot.press("enter", "4", "enter")
        await until(pilot, "4 ✓ right")
        assert "asks it again" not in text(pilot.app)
        assert screen.model.study.answers[1] == ("9", False)
        await pilot.press("r")  # the answers stay, and what explains them
        await ended(pilot, screen)
        await pilot.press("end")
        await pilot.pause()
        assert screen.model.study.diagnosis(1, screen.model.timeline) == 2


async def test_true_or_false_is_asked_for_and_begins_with_a_small_letter(tmp_path: Path, home: Path) -> None:
    lesson = LESSON[: LESSON.index("# %% [markdown] question")]
    lesson += '# %% [markdown] question="predict" of="w.is_leaf" lang="en"\n# A leaf?\n\n# %%\ny = w * w\n'
    async with opened(tmp_path, lesson) as (pilot, screen):
        await pilot.press("end")
        await pilot.pause()
        assert "True or False" in text(pilot.app)
        await pilot.press("t", "r", "u", "e", "enter")
        await pilot.pause()
        assert list(screen.model.study.answers.values()) == [("true", True)]
