"""Live values in the prose of a lesson tell what held where it is read."""

from __future__ import annotations

from pathlib import Path

from tests.ui.conftest import opened, text

LESSON = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "Turns"}
# ---

# %%
import torch

w = torch.tensor(-2.0)
first = w.item()

# %% [markdown] lang="en"
# It began at {{ w.item() }}, that is {{ first }}.

# %%
for turn in range(3):
    w = w + turn

# %% [markdown] lang="en"
# It ended at {{ w.item() }}.
"""


async def test_prose_keeps_what_was_true_where_it_was_read(tmp_path: Path) -> None:
    async with opened(tmp_path, LESSON, size=(120, 40)) as (pilot, screen):
        began, ended = "It began at -2, that is -2.", "It ended at 1."
        await pilot.press("]", "]")
        await pilot.pause()
        assert began in text(pilot.app)
        await pilot.press("end")
        await pilot.pause()
        shown = text(pilot.app)
        assert began in shown, "a later cell gave `w` another value"
        assert ended in shown
        await pilot.press("g", "2", "enter")
        await pilot.pause()
        assert screen.model.cursor == 2
        assert began in text(pilot.app), "read, although the cursor stands before it"
