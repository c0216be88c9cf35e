"""What learners stumbled over when they walked the lessons."""

from __future__ import annotations

from pathlib import Path

from tests.ui.conftest import opened, text

HEADER = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "The slope"}
# ---
"""
LINE = f"""\
{HEADER}
# %% [markdown] question="line" of="w._version == 2" lang="en"
# Which line writes into `w` for the second time?

# %%
import torch

w = torch.zeros(2)
for turn in range(3):
    other = w + turn
    w.add_(1)

# %%
done = True
"""


async def test_a_wrong_line_is_told_the_step_at_which_the_right_one_ran(tmp_path: Path) -> None:
    async with opened(tmp_path, LINE, size=(80, 24)) as (pilot, screen):
        await pilot.press("1", "5", "enter", "right_square_bracket", "right_square_bracket", "left")
        await pilot.pause()
        steps = range(1, screen.timeline.steps + 1)
        added = [step for step in steps if screen.timeline.view(step).code == "w.add_(1)"]
        (_, second, _) = (step for step in added if screen.timeline.kind(step) == "op")
        assert f"you said 15, the run gives 16 · g {second} goes to the step that made it so" in text(pilot.app)
