"""In Chinese nothing is left in English but what torch, Python and the keyboard call things."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.sampling import sample
from tests.ui.conftest import ended, real, text
from tests.ui.recordings import LESSON as LESSON_IN_ENGLISH
from tests.ui.recordings import SCRIPT, TRACE, timeline_of, training, two_paths
from tutor.i18n import use
from tutor.lesson import catalog
from tutor.lesson.model import join_lines
from tutor.paths import lessons_dir
from tutor.study.moves import resolve_typed
from tutor.ui.app import GradtutorApp
from tutor.ui.panes.graph.lanes import label_of
from tutor.ui.screens.lesson import LessonScreen

SIZES = [(80, 24), (200, 60)]
TORCH = """
gradtutor Python PyTorch torch autograd autograd.grad dtype dev req grad_fn grad retain_grad float32 cpu CUDA --all
--until Tensor None True False nan inf backward AccumulateGrad AddBackward0 MulBackward0 PowBackward0 EDITOR ASCII
UserWarning add mul pow module strided
"""
# English is the name of the language that `L` turns to.
KEYS = "English Enter Esc Tab Home End PageUp PageDown Shift Backspace Ctrl F1 F2 F5 F8"
CODE = """\
import torch lr requires_grad for turn in range loss with no_grad print is_leaf tensor w.grad loss.backward torch.tensor
torch.no_grad param epoch type number min max x y w a b pow self other item w.grad.item
"""
PRINTED_AND_WARNED = "two.trace /home/ada/two.py x.grad qq The .grad attribute of a Tensor that is not a leaf"
LESSON = """\
# ---
# jupyter:
#   gradtutor:
#     title: {zh: "向下走"}
#     summary: {zh: "几步就到。"}
# ---

# %% [markdown] lang="zh"
# 先建一个叶子。

# %%
import torch

lr = 0.1  # @param {type: number, min: 0.01, max: 0.5}
w = torch.tensor(1.0, requires_grad=True)

# %% [markdown] question="predict" of="w.grad" lang="zh"
# 之后 `w.grad` 是多少？

# %%
for turn in range(3):
    loss = w * w
    loss.backward()

# %% [markdown] lang="zh"
# 把它写成平方。

# %% tags=["exercise"] id="square" kind="fill"
y = w

# %% [markdown] tags=["hint"] lang="zh"
# 自己乘自己。

# %% tags=["solution"]
y = w * w

# %% tags=["check"]
assert y.item() == w.item() ** 2, "还不是平方。"
"""


class Reader:
    """Looks for words that are neither Chinese nor anybody's name for something."""

    def __init__(self, pilot: Pilot[int], foreign: str = "") -> None:
        self.pilot = pilot
        self._names = {*TORCH.split(), *KEYS.split(), *CODE.split(), *re.findall(r"[A-Za-z_][\w.]*", foreign)}
        self.left: dict[str, str] = {}
        """English words, each with the key and the screen at which it was seen first."""

    def look(self, key: str = "") -> None:
        """At the screen as it is; either end of a word may be cut off."""
        shown = text(self.pilot.app)
        for word in re.findall(r"[A-Za-z_][\w.]*[A-Za-z_0-9]", shown):
            if not any(name.startswith(word) or name.endswith(word) for name in self._names):
                self.left.setdefault(word, f"{key}\n{shown}")

    async def press(self, *keys: str) -> None:
        """Press them, and look after each."""
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()
            self.look(key)

    async def read(self) -> None:
        """A sheet to its end."""
        await self.press(*["pagedown"] * 8)

    def check(self) -> None:
        """Nothing was seen."""
        shown = "\n\n".join(f"{word!r} after {where}" for word, where in self.left.items())
        assert not self.left, f"{sorted(self.left)}\n{shown}"


@pytest.mark.parametrize("size", SIZES)
async def test_the_list_of_lessons(size: tuple[int, int]) -> None:
    headers = catalog.load(lessons_dir()).lessons
    foreign = " ".join(
        f"{header.id} {header.title.get('zh', '')} {header.summary.get('zh', '')} {header.topics_in('zh')}"
        for header in headers
    )
    app = GradtutorApp(lessons=lessons_dir(), language="zh")
    async with app.run_test(size=size) as pilot:
        reader = Reader(pilot, foreign)
        await reader.press("down", "end", "R", "home", "question_mark")
        await reader.read()
        reader.check()


@pytest.mark.parametrize("size", sample(SIZES, 1))
async def test_a_recording(size: tuple[int, int]) -> None:
    foreign = f"{LESSON_IN_ENGLISH.cells} {LESSON_IN_ENGLISH.title} {PRINTED_AND_WARNED}"
    app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=timeline_of(two_paths()), language="zh")
    async with app.run_test(size=size) as pilot:
        reader = Reader(pilot, foreign)
        await reader.press("left", "p", "o", "left_square_bracket", "k", "e", "w", "H", "S", "x")
        await reader.press("end", "right", "slash", *"qq", "enter", "escape", "g", *"99", "enter")
        await reader.press("5", "enter", *["right"] * 20)
        await reader.press("space", "less_than_sign", "v", "v", "v", "V", "V", "c", "z", "z")
        await reader.press("g", *"18", "enter", "enter")
        await reader.read()
        await reader.press("escape", *["tab"] * 6)
        screen = app.screen
        assert isinstance(screen, LessonScreen)
        for pane in ("tensors", "graph"):
            screen.show_pane(pane)
            await reader.press("down", "c", "enter")
            await reader.read()
            await reader.press("f", "right", "escape")
        reader.check()


@pytest.mark.parametrize("size", SIZES)
async def test_a_training_loop_and_its_chart(size: tuple[int, int]) -> None:
    app = GradtutorApp(SCRIPT, lessons=Path("lessons"), timeline=timeline_of(training()), language="zh")
    async with app.run_test(size=size) as pilot:
        reader = Reader(pilot, "/home/ada/loop.py torch.ones")
        await reader.press("right", "end", "right_curly_bracket", "b", "left_curly_bracket")
        screen = app.screen
        assert isinstance(screen, LessonScreen)
        screen.show_pane("chart")
        await reader.press("v", "v", "c", "z", "z")
        screen.show_pane("tensors")
        await reader.press("down", "c", "enter")
        await reader.read()
        await reader.press("escape", *["tab"] * 6)
        reader.check()


@pytest.mark.parametrize("size", sample(SIZES, 1))
async def test_a_lesson_that_runs(size: tuple[int, int], tmp_path: Path) -> None:
    app = real(tmp_path, LESSON, "zh")
    async with app.run_test(size=size) as pilot:
        reader = Reader(pilot, "01-one.py square")
        screen = app.screen
        assert isinstance(screen, LessonScreen)
        reader.look()
        await ended(pilot, screen)
        await reader.press("right", "end", "right", "s", "end", "H", "H", "S", "S", "e", "escape", "w")
        await reader.press("k", *["backspace"] * 5, "9", "enter", *["backspace"] * 5, "0", "full_stop", "2")
        await pilot.press("enter")
        await ended(pilot, screen)
        assert len(screen.model.runs.all) == 2
        await reader.press("right", "w", "up", "g", "escape", "home")
        reader.check()
    await app.close_sessions()


def test_lines_of_a_paragraph_are_joined_as_chinese_is() -> None:
    assert (
        join_lines(["**往回走。**", "按 ← 走", "`x`，", "再走", "abc", "def（x", "）"])
        == "**往回走。**按 ← 走 `x`，再走 abc def（x）"
    )
    assert join_lines(["one", "two"]) == "one two"


@pytest.mark.parametrize(("typed", "step"), [("行 3", 5), ("单元格2", 22), ("反向 1", 15), ("18", 18), ("末尾", 26)])
def test_where_to_go_in_chinese(typed: str, step: int) -> None:
    use("zh")
    assert resolve_typed(timeline_of(two_paths()), 1, typed) == step


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_very_small_terminal(language: str) -> None:
    app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=timeline_of(two_paths()), language=language)
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        assert ("终端现在是 30x8" in text(app)) == (language == "zh")


async def test_another_language_at_once() -> None:
    app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=timeline_of(two_paths()))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("end", "question_mark")
        await pilot.pause()
        assert "You walk through a recording" in text(app)
        await pilot.press("escape", "L", "question_mark")
        await pilot.pause()
        assert "你看到的是程序的一份运行记录" in text(app)
        assert "帮助" in text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "作答" in text(app)
        assert "一个数，精确到千分之一" in text(app)
        await pilot.press("g", "escape", "L")
        await pilot.pause()
        assert "a number, to a thousandth" in text(app)
        assert "lesson" in text(app)


def test_what_is_kept_is_not_kept_in_the_language_of_before() -> None:
    for language, expected in (("en", "leaf"), ("zh", "叶子"), ("en", "leaf")):
        use(language)
        assert label_of("AccumulateGrad") == expected
