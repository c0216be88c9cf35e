"""Exercises on the screen, with the real worker: tried, helped with, solved, and kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.app import App
from textual.geometry import Region
from textual.widgets import TextArea

from tests.ui.conftest import ended, lines, opened, text
from tutor.study.progress import Store
from tutor.ui.panes.lesson import LessonPane
from tutor.ui.screens.editor import Editor
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

# %% [markdown] lang="en"
# Make `y` the square of `w`.

# %% tags=["exercise"] id="square" kind="fill"
y = w

# %% [markdown] tags=["hint"] lang="en"
# A square is a product.

# %% [markdown] tags=["hint"] lang="en"
# Of `w` with itself.

# %% tags=["solution"]
y = w * w

# %% tags=["check"]
assert y.item() == 9, f"y is {y.item():g}, but the square of 3 is 9."

# %%
y.backward()
"""


async def test_a_wrong_attempt_is_told_why_and_can_be_walked(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await pilot.press("home", "right_square_bracket")
        await pilot.pause()
        assert "exercise" in text(pilot.app)
        await pilot.press("e")
        await pilot.pause()
        area = pilot.app.screen.query_one(TextArea)
        assert area.text == "y = w"
        area.text = "y = w + w"
        await pilot.press("f5")
        await ended(pilot, screen)
        shown = text(pilot.app)
        assert "y is 6, but the square of 3 is 9." in shown
        assert isinstance(pilot.app.screen, Editor)  # it stays open
        assert area.text == "y = w + w"
        await pilot.press("escape")
        await pilot.pause()
        # The cursor stands where the learner's code has ended; it is walked like any other.
        assert screen.model.timeline.kind(screen.model.cursor) == "cell_end"
        codes = [screen.model.timeline.view(step).code for step in range(1, screen.model.timeline.steps + 1)]
        assert "w + w" in codes
        # What checks it and what solves it are nobody's steps; the cells after it work all the same.
        assert "w * w" not in codes
        assert "y.backward()" in codes
    assert Store().load("graph/one").attempts == {"square": "y = w + w"}


ASKED = (
    LESSON.replace(
        "# %%\nimport torch",
        '# %% [markdown] question="predict" of="w.item()" lang="en"\n# What is `w`?\n\n# %%\nimport torch',
    ).rpartition("\n# %%")[0]
    + '\n# %% [markdown] lang="en"\n# That was it.\n'
)


async def test_an_attempt_runs_while_an_answer_is_above_it(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = []
    prepare = LessonPane.prepare

    def prepare_or_tell(pane: LessonPane) -> None:
        try:
            prepare(pane)
        except Exception as error:
            failures.append(error)
            raise

    monkeypatch.setattr(LessonPane, "prepare", prepare_or_tell)
    async with opened(tmp_path, ASKED) as (pilot, screen):
        await pilot.press("3", "enter", "right_square_bracket", "right_square_bracket", "e")
        await pilot.pause()
        pilot.app.screen.query_one(TextArea).text = "y = w * w"
        await pilot.press("f5")
        await ended(pilot, screen)
        assert not failures
        # A text after the last code cell does not keep the lesson from being over.
        assert "this lesson is done" in text(pilot.app)


async def test_it_is_solved_and_stays_so(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await pilot.press("home", "right_square_bracket", "e")
        await pilot.pause()
        pilot.app.screen.query_one(TextArea).text = "y = w ** 2"
        await pilot.press("f5")
        await ended(pilot, screen)
        assert "solved" in text(pilot.app)
        assert screen.status == 0
    assert Store().load("graph/one").solved == {"square"}
    async with opened(tmp_path, LESSON) as (pilot, screen):  # the learner's version is what runs from now on
        codes = [screen.model.timeline.view(step).code for step in range(1, screen.model.timeline.steps + 1)]
        assert "w ** 2" in codes
        await pilot.press("home", "right_square_bracket", "e", "f8")
        await pilot.pause()
        assert pilot.app.screen.query_one(TextArea).text == "y = w"


async def test_hints_come_one_at_a_time_and_the_solution_when_asked_twice(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, _screen):
        await pilot.press("home", "right_square_bracket")
        await pilot.pause()
        shown = text(pilot.app)
        assert "A square is a product." not in shown
        assert "y = w * w" not in shown
        await pilot.press("H")
        await pilot.pause(0.1)
        assert "A square is a product." in text(pilot.app)
        assert "with itself" not in text(pilot.app)
        await pilot.press("H", "H")
        await pilot.pause(0.1)
        assert "with itself" in text(pilot.app)
        await pilot.press("S")
        await pilot.pause(0.1)
        assert "once more" in text(pilot.app)
        assert "y = w * w" not in text(pilot.app)
        await pilot.press("S")
        await pilot.pause(0.1)
        assert "y = w * w" in text(pilot.app)
    progress = Store().load("graph/one")
    assert (progress.hints, progress.opened, progress.solved) == ({"square": 2}, {"square"}, set())


def editor_of(app: App[int]) -> Editor:
    assert isinstance(app.screen, Editor)
    return app.screen


@pytest.mark.parametrize("size", [(80, 24), (140, 44)])
async def test_the_editor_takes_the_place_of_the_code(tmp_path: Path, home: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, LESSON, size) as (pilot, screen):
        await pilot.press("home", "right_square_bracket", "e")
        await pilot.pause()
        editor = editor_of(pilot.app)
        assert editor.area.region.offset == screen.code.region.offset
        assert editor.area.region.height + 1 == screen.code.region.height
        assert "the square of w" in " ".join(text(pilot.app).split())  # the task stays in view
        await pilot.press("f2")
        await pilot.pause(0.1)
        assert "A square is a product." in text(pilot.app)
        editor.area.text = "y = w\ny = y * nothing\n" + "\n" * 40
        await pilot.press("f5")
        await ended(pilot, screen)
        assert editor_of(pilot.app) is editor
        rows = lines(pilot.app)
        wrong = next(row for row, line in enumerate(rows) if "y = y * nothing" in line)
        assert "NameError" in rows[wrong + 1]  # under its line
        assert editor.area.show_vertical_scrollbar
        assert not editor.problem.region.overlaps(editor.area.vertical_scrollbar.region)  # would cut wide characters
        await pilot.press("backspace")
        assert not editor.problem.display
        editor.area.text = "y = w *\n"
        await pilot.press("f5")
        await pilot.pause(0.1)
        assert "invalid syntax" in lines(pilot.app)[wrong]
        editor.area.text = "y = w * w"
        await pilot.press("f5")
        await ended(pilot, screen)
        assert not isinstance(pilot.app.screen, Editor)
        assert "solved" in text(pilot.app)


@pytest.mark.parametrize("code", ["%matplotlib inline", "!pip list", "await asyncio.sleep(0)"])
def test_the_editor_leaves_the_code_of_a_notebook_to_its_run(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    runs: dict[bool, list[tuple[str, bool] | None]] = {True: [], False: []}
    for is_notebook, results in runs.items():
        editor = Editor("cell", code, code, lambda: Region(0, 0, 40, 9), is_notebook=is_notebook)
        monkeypatch.setattr(editor, "dismiss", results.append)
        monkeypatch.setattr(editor, "report", lambda *problem: None)
        editor.action_run()
    assert runs == {True: [(code, True)], False: []}


async def test_where_there_is_no_exercise_the_keys_say_so(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        await pilot.press("end", "H")
        await pilot.pause(0.1)
        assert "hints belong to exercises" in text(pilot.app)
        assert [section.number for section in screen.model.gate.sections] == [1, 2, 3]


async def test_no_key_does_harm_at_the_very_beginning(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LESSON) as (pilot, screen):
        for key in ("H", "S", "e"):
            await pilot.press("home", key)
            await pilot.pause(0.1)
            assert screen.is_mounted


WHICH = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "Which line"}
# ---

# %%
import torch

w = torch.tensor(1.0, requires_grad=True)

# %% [markdown] question="line" of="not w.is_leaf" lang="en"
# After which line is `w` no longer a leaf?

# %%
y = w * 2
y.backward()
w = w - 0.1 * (
    w.grad
)
print(w)
"""


@pytest.mark.parametrize("where", ["code", "ask"])
@pytest.mark.parametrize(
    ("downs", "line", "says"), [(2, "line 18: w = w - 0.1 * (", "right"), (1, "line 17: y.backward()", "it is line 18")]
)
async def test_which_line_is_answered_by_pointing_at_it(
    tmp_path: Path, home: Path, where: str, downs: int, line: str, says: str
) -> None:
    async with opened(tmp_path, WHICH) as (pilot, screen):
        await pilot.press("end")
        await pilot.pause(0.1)
        assert "which line?" in text(pilot.app)
        at = next(at for at in range(screen.code.count()) if "y = w * 2" in line_of(screen, at))
        screen.code.choose(at)
        (screen.code if where == "code" else screen.ask).focus()
        await pilot.press(*["down"] * downs)
        await pilot.pause(0.1)
        assert line in text(pilot.app)
        await pilot.press("enter")
        await pilot.pause(0.1)
        await pilot.press("end")
        await pilot.pause(0.2)
        assert says in text(pilot.app)


def line_of(screen: LessonScreen, row: int) -> str:
    return "".join(piece for piece, _ in screen.code.row(row, 60))


TWICE = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "Two questions"}
# ---

# %% [markdown] question="predict" of="x" lang="en"
# The first question has a long text, so that it fills all of its pane where the terminal is small. It goes on and on,
# about nothing at all, for as many lines as it takes to push what follows out of view.
#
# One more paragraph.
#
# And another one, so that there is no doubt. What is `x`?

# %% [markdown] question="predict" of="y" lang="en"
# And here is the second: what is `y`?

# %%
x = 1
y = 2
"""


async def test_a_second_question_at_the_same_place_comes_into_view(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, TWICE, (80, 24)) as (pilot, screen):
        assert "What is x?" in text(pilot.app)
        await pilot.press("1", "enter")
        await pilot.pause(0.1)
        assert "what is y?" in text(pilot.app)
        assert "another question" in text(pilot.app)
        await pilot.press("2", "enter", "end")
        await pilot.pause(0.1)
        assert screen.model.cursor == screen.model.timeline.steps


async def test_what_a_check_says_follows_the_language(tmp_path: Path, home: Path) -> None:
    spoken = LESSON.replace(
        'f"y is {y.item():g}, but the square of 3 is 9."',
        '{"en": f"y is {y.item():g}, not 9.", "zh": f"y 是 {y.item():g}，不是 9。"}',
    )
    async with opened(tmp_path, spoken.replace('{en: "The slope"}', '{en: "The slope", zh: "斜率"}')) as (
        pilot,
        screen,
    ):
        for code, english, chinese in (
            ("y = w + w", "y is 6, not 9.", "y 是 6，不是 9。"),
            ("x = 1 / 0", "Your code stopped with ZeroDivisionError", "你的代码出错停下了：ZeroDivisionError"),
        ):
            await pilot.press("home", "right_square_bracket", "e")
            await pilot.pause()
            pilot.app.screen.query_one(TextArea).text = code
            await pilot.press("f5")
            await ended(pilot, screen)
            assert english in text(pilot.app)
            await pilot.press("escape", "L")
            await pilot.pause()
            assert chinese in text(pilot.app)
            assert english not in text(pilot.app)
            await pilot.press("L")
