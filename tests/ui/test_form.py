"""Exercises that are answered in a form, on the screen with the real worker: gradients in the graph, and an order."""

from __future__ import annotations

from pathlib import Path

from tests.ui.conftest import ended, opened, text
from tutor.ui.panes.base import Surface
from tutor.ui.screens.form import FormScreen

LESSON = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "Forms"}
# ---

# %%
import torch

before = torch.tensor(5.0, requires_grad=True)
(before * 7).backward()
w = torch.tensor(3.0, requires_grad=True)
y = w * 2

# %% [markdown] lang="en"
# Type the gradients.

# %% tags=["exercise"] id="graph" kind="gradients"
gradients = {"w": ..., "y": ...}

# %% tags=["solution"]
gradients = {"w": 2, "y": 1}

# %% tags=["check"]
assert gradients["w"] == 2, f"w gets 2, not {gradients['w']}."
assert gradients["y"] == 1, f"y gets 1, not {gradients['y']}."

# %% [markdown] lang="en"
# Put them in order.

# %% tags=["exercise"] id="order" kind="order"
order = ["w", "y"]

# %% tags=["solution"]
order = ["y", "w"]

# %% tags=["check"]
assert order == ["y", "w"], "The pass begins at y."
"""


async def test_gradients_are_typed_into_the_graph_and_items_put_in_order(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON, (80, 24)) as (pilot, screen):
        await pilot.press("home", "right_square_bracket")
        await pilot.pause()
        assert "the gradients of a graph" in text(pilot.app)
        await pilot.press("e", "3", "x")
        await pilot.pause()
        assert isinstance(pilot.app.screen, FormScreen)
        shown = text(pilot.app)
        assert "∇ 3x_" in shown
        assert "∇ ?" in shown
        drawn = [piece for form in pilot.app.screen.query(Surface) for row in form._shown for piece, _role in row]
        assert "before" not in " ".join(drawn)  # another graph, whose pass is over
        await pilot.press("enter")
        await pilot.pause()
        assert "An answer is a number" in text(pilot.app)
        await pilot.press("backspace", "down", "1", "enter")
        await ended(pilot, screen)
        assert "w gets 2, not 3." in " ".join(text(pilot.app).split())
        await pilot.press("e", "backspace", "2", "enter")
        await ended(pilot, screen)
        assert screen.model.study.progress.attempts == {"graph": 'gradients = {"w": 2, "y": 1}'}
        assert screen.model.study.progress.solved == {"graph"}
        await pilot.press("right_square_bracket", "e", "escape")
        await pilot.pause()
        assert "nothing is answered yet" in text(pilot.app)
        await pilot.press("e", "enter")  # the order that was given may be the answer
        await ended(pilot, screen)
        assert "The pass begins at y." in " ".join(text(pilot.app).split())
        await pilot.press("e", "shift+down")
        await pilot.pause()
        assert text(pilot.app).index("1  y") < text(pilot.app).index("2  w")
        await pilot.press("escape")
        await pilot.pause()
        assert screen.model.study.progress.attempts["order"] == 'order = ["y", "w"]'
