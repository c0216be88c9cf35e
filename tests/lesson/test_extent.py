"""What a lesson holds, and how long it takes."""

from __future__ import annotations

from pathlib import Path

from tutor.lesson.extent import Extent, measure

LESSON = """\
# ---
# not a word of this counts
# ---

# %% [markdown] lang="en"
# One two `three` four.

# %% [markdown] lang="zh"
# 一二三四。

# %%
x = 1

y = 2
# %% [markdown] when="x == 1" lang="en"
# five six
# %% [markdown] when="x == 1" lang="zh"
# 五六
# %% [markdown] when="x != 1" lang="en"
# not counted, since one of the two is shown
# %% [markdown] front="screen" lang="en"
# seven
# %% [markdown] front="plain" lang="en"
# said in place of the text for the screen
# %% [markdown] question="predict" of="z" lang="en"
# eight
# %% [markdown] question="predict" of="z" lang="zh"
# 七
# %% tags=["exercise"] id="z" kind="fill"
z = ...
# %% [markdown] tags=["hint"] lang="en"
# none of this
# %% tags=["solution"]
z = 3
# %% tags=["check"]
assert z == 3
"""


def test_what_a_lesson_holds(tmp_path: Path) -> None:
    path = tmp_path / "lesson.py"
    path.write_text(LESSON, encoding="utf-8")
    assert measure(str(path)) == Extent(cells=2, questions=1, exercises=1, words=8, lines=3)


def test_its_minutes() -> None:
    assert Extent().minutes == 1
    assert Extent(cells=3, questions=3, exercises=1, words=400, lines=20).minutes == round(
        (400 * 0.35 + 20 * 3 + 3 * 20 + 150) / 60
    )


def test_a_file_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert measure(str(tmp_path / "gone.py")) == Extent()
