"""What if: knobs, edited cells, and runs side by side, with the real worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import TextArea

from tests.ui.conftest import ended, lines, opened, text

LESSON = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "Steps down"}
# ---

# %%
import torch

lr = 0.1  # @param {type: number, min: 0.01, max: 0.5}
w = torch.tensor(1.0, requires_grad=True)

# %%
for turn in range(3):
    w.grad = None
    loss = w * w
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
"""


async def test_the_key_of_the_knobs_closes_them_again(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await pilot.press("end", "k")
        await pilot.pause()
        assert "from 0.01 to 0.5" in text(pilot.app)
        await pilot.press("k")
        await pilot.pause()
        assert pilot.app.screen is screen


async def test_another_knob_makes_another_run_with_the_first_as_its_ghost(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await pilot.press("end")
        await pilot.press("k", *["delete"] * 5, "0", ".", "5")
        await pilot.pause()
        assert "from 0.01 to 0.5" in text(pilot.app)
        await pilot.press("enter")
        await ended(pilot, screen)
        now, ghost = screen.model.runs.now, screen.model.runs.ghost
        assert now is not None
        assert ghost is not None
        assert (ghost.name, now.name) == ("as written", "lr = 0.5")
        # w is 1; each step takes lr * 2w: with 0.5 it comes to 0 at once, with 0.1 to 0.8³ = 0.512.
        assert [point.value for point in now.timeline.series["loss"]] == [1.0, 0.0, 0.0]
        assert screen.model.cursor == now.timeline.steps
        shown = text(pilot.app)
        assert "loss before" in shown
        assert "-0.512" in shown
        await pilot.press("w", "up", "enter")
        await pilot.pause()
        assert screen.model.timeline is ghost.timeline
        assert screen.model.cursor == ghost.timeline.steps
        assert "+0.512" in text(pilot.app)


TOLD = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "Told"}
# ---

# %%
lr = 0.1  # @param {type: number, min: 0.01, max: 0.5}
w = 1.0

# %% [markdown] question="predict" of="w"
# Where will `w` be?

# %%
w = w - lr * 2

# %% [markdown]
# It came down a little.

# %%
done = True
"""


async def test_an_answer_is_judged_in_its_own_run_and_a_text_says_which_knobs_it_was_written_for(
    tmp_path: Path, home: Path
) -> None:
    async with opened(tmp_path, TOLD) as (pilot, screen):
        await pilot.press("end", *"0.8", "enter")
        screen.model.go_to_place("cell:2")
        screen.model.last()
        await pilot.press("[", "[", "]")
        await pilot.pause()
        assert "written for" not in text(pilot.app)
        await pilot.press("k", *["delete"] * 5, "0", ".", "5", "enter")
        await ended(pilot, screen)
        await pilot.press("end")
        await pilot.pause()
        assert screen.model.study.answers == {1: ("0.8", True)}
        shown = " ".join(text(pilot.app).replace("│", " ").split())
        assert "✓ right · this run gives 0" in shown
        assert "This text was written for lr = 0.1; this run has lr = 0.5." in shown


async def test_a_text_with_when_is_shown_where_the_run_makes_it_true(tmp_path: Path, home: Path) -> None:
    little = '# %% [markdown] when="w > 0.5"\n# It came down a little.\n'
    lesson = TOLD.replace("# %% [markdown]\n# It came down a little.\n",
                          little + '\n# %% [markdown] when="w <= 0.5"\n# It fell to {{ w }}.\n')  # fmt: skip
    async with opened(tmp_path, lesson) as (pilot, screen):
        await pilot.press("end", "s", "end")
        await pilot.pause()
        shown = text(pilot.app)
        assert "It came down a little." in shown
        assert "It fell" not in shown
        await pilot.press("k", *["delete"] * 5, "0", ".", "5", "enter")
        await ended(pilot, screen)
        await pilot.press("end")
        await pilot.pause()
        shown = text(pilot.app)
        assert "It fell to 0." in shown
        assert "It came down" not in shown
        assert "written for" not in shown


async def test_a_value_out_of_range_is_refused_where_it_was_typed(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await pilot.press("end", "k", *["delete"] * 5, "7", "enter")
        await pilot.pause()
        assert "7 is above the most, 0.5" in text(pilot.app)
        await pilot.press("escape")
        await pilot.pause()
        assert len(screen.model.runs.all) == 1


async def test_a_cell_is_edited_and_the_file_stays(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await pilot.press("end", "e")
        await pilot.pause()
        area = pilot.app.screen.query_one(TextArea)
        assert area.text.startswith("for turn in range(3):")
        area.text = area.text.replace("w * w", "w * w *")
        await pilot.press("f5")
        await pilot.pause()
        rows = lines(pilot.app)
        assert "invalid syntax" in rows[next(at for at, row in enumerate(rows) if "w * w *" in row) + 1]
        await pilot.press("escape", "e")  # what was typed is still there
        await pilot.pause()
        area = pilot.app.screen.query_one(TextArea)
        assert "w * w *" in area.text
        area.text = "for _ in range(2):"
        area.move_cursor(area.document.end)
        await pilot.press("enter", "x", "enter", "y")
        assert area.text == "for _ in range(2):\n    x\n    y"
        await pilot.press("f8")
        await pilot.pause()
        assert area.text == LESSON.partition("# %%\nfor")[2].join(["for", ""]).rstrip("\n")
        area.text = area.text.replace("w * w", "3 * w")
        await pilot.press("f5")
        await ended(pilot, screen)
        assert [run.name for run in screen.model.runs.all] == ["as written", "cell 2 edited"]
        # the gradient is 3, each step takes 0.3: 1, 0.7, 0.4 times 3
        losses = [point.value for point in screen.model.timeline.series["loss"]]
        assert losses == pytest.approx([3.0, 2.1, 1.2], rel=1e-6)
    assert (tmp_path / "graph" / "01-one.py").read_text(encoding="utf-8") == LESSON


async def test_runs_are_named_compared_and_dropped(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await pilot.press("end", "k", *["delete"] * 5, "0", ".", "2", "enter")
        await ended(pilot, screen)
        runs = screen.model.runs
        await pilot.press("w", "n", "end", "!", "enter")
        await pilot.pause()
        assert runs.all[1].name == "lr = 0.2!"
        await pilot.press("up", "g")
        assert runs.ghost is None
        assert screen.tensors.ghost is None
        await pilot.press("g", "d", "escape")
        await pilot.pause()
        assert [run.name for run in runs.all] == ["lr = 0.2!"]
        assert runs.ghost is None
        assert "change" not in text(pilot.app)
