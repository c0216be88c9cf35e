"""What learners stumbled over when they walked the lessons."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.app import App
from textual.widgets import TextArea

from tests.ui.conftest import ended, lines, opened, real, screen_of, text
from tests.ui.recordings import FakeSession, runner, two_paths
from tests.worker.recording import Forker
from tutor.explain.paths import paths_to
from tutor.lesson.catalog import Target
from tutor.trace.names import names_of
from tutor.ui.app import GradtutorApp
from tutor.ui.panes.chart import ChartCurves
from tutor.ui.render import plot
from tutor.ui.render.segments import UNICODE
from tutor.ui.screens.lesson_list import LessonsScreen

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
        await pilot.press("1", "5", "enter")
        steps = range(1, screen.model.timeline.steps + 1)
        end = next(step for step in steps if screen.model.timeline.kind(step) == "cell_end")
        await pilot.press("g", *str(end), "enter")
        await pilot.pause()
        added = [step for step in steps if screen.model.timeline.view(step).code == "w.add_(1)"]
        (_, second, _) = (step for step in added if screen.model.timeline.kind(step) == "op")
        assert f"you said 15, it is line 16 · g {second} jumps to where it was computed" in text(pilot.app)


LOOP = f"""\
{HEADER}
# %%
import torch

w = torch.tensor(1.0, requires_grad=True)
for turn in range(3):
    loss = (w * (turn + 1)) ** 2
    loss.backward()

# %% [markdown] lang="en"
# Look at the chart.
"""
LOOP += "#\n# Look again.\n" * 8
PRINTS = f"""\
{HEADER}
# %%
first = "one"
print(first, "two", sep=chr(10))
print("three")
"""
EXERCISE = f"""\
{HEADER}
# %% [markdown] question="predict" of="w" lang="en"
# What is `w`?

# %% [markdown] question="predict" of="w" lang="zh"
# `w` 是多少？

# %%
import torch

w = torch.tensor(3.0)

# %% tags=["exercise"] id="square" kind="bug"
y = w

# %% tags=["solution"]
y = w * w

# %% tags=["check"]
assert y.item() == 9
"""


@pytest.mark.parametrize("size", [(80, 24), (100, 30)])
async def test_a_wrong_last_answer_does_not_hide_that_the_lesson_is_done(
    tmp_path: Path, home: Path, size: tuple[int, int]
) -> None:
    lesson = EXERCISE[: EXERCISE.index('# %% tags=["exercise"]')]
    async with opened(tmp_path, lesson, size=size) as (pilot, _):
        await pilot.press("7", "enter", "end")
        await pilot.pause()
        shown = " ".join(text(pilot.app).split())
        assert "you said 7" in shown
        assert "this lesson is done" in shown


async def test_an_untried_exercise_is_called_unfinished_or_wrong(tmp_path: Path) -> None:
    for kind, message in (("bug", "there is a bug in the code: its check fails"), ("fill", "the code is not finished")):
        async with opened(tmp_path, EXERCISE.replace('"bug"', f'"{kind}"')) as (pilot, _):
            await pilot.press("s", "end")
            await pilot.pause()
            assert message in text(pilot.app)


async def test_the_list_counts_what_a_learner_walks(tmp_path: Path) -> None:
    app = real(tmp_path, EXERCISE)
    app.target = None
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "2 cells of code · 1 question · 1 exercise" in text(app)


async def test_a_lesson_has_its_title_before_its_run_has_told_it(tmp_path: Path) -> None:
    path = tmp_path / "graph" / "01-slope.py"
    path.parent.mkdir()
    path.write_text(EXERCISE, encoding="utf-8")
    session = FakeSession(two_paths(), hold=0)
    app = GradtutorApp(Target("lesson", path, "graph/slope"), lessons=tmp_path, factory=lambda _: session)  # type: ignore[arg-type,return-value]
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "graph › The slope" in text(app)
        assert "without prose" not in text(app)
        session.go_on.set()


async def test_a_chart_without_room_says_the_pass_that_is_now(tmp_path: Path) -> None:
    async with opened(tmp_path, LOOP, size=(60, 16)) as (pilot, screen):
        await pilot.press("end")
        screen.show_pane("chart")
        await pilot.pause()
        assert "loss = 9 · pass 3 of 3" in text(pilot.app)
        assert "z shows the curve" in text(pilot.app)
        screen.chart.focus()
        await pilot.press("z")
        await pilot.pause()
        assert "z shows the curve" not in text(pilot.app)


def test_what_has_no_name_is_charted_as_the_code_that_made_it(record: Forker) -> None:
    timeline = record("import torch\nw = torch.tensor(2.0, requires_grad=True)\nloss = (3 * w) ** 2\n").timeline
    state = timeline.state(timeline.steps)
    (unnamed,) = (tensor.tensor for tensor in state.tensors.values() if tensor.grad_fn == "MulBackward0")
    assert ChartCurves().toggle(timeline, state, unnamed) == ("3 * w", True)


async def test_escape_in_the_list_says_how_to_quit_and_q_does(tmp_path: Path) -> None:
    app = real(tmp_path, EXERCISE)
    app.target = None
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("escape")
        await pilot.pause()
        assert "q quits" in text(app)
        await pilot.press("q")
    assert app.return_code == 0


async def test_the_list_stands_on_the_lesson_left_and_after_its_end_on_the_next(tmp_path: Path) -> None:
    for name in ("tensors/01-first", "tensors/02-second", "graph/02-next"):
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(LOOP.replace("The slope", name), encoding="utf-8")

    def stands_on(app: App[int]) -> str:
        assert isinstance(app.screen, LessonsScreen)
        return app.screen.catalog.lesson.id if app.screen.catalog.lesson is not None else ""

    async with opened(tmp_path, LOOP, size=(80, 24)) as (pilot, _):
        await pilot.press("right", "escape")
        await pilot.pause(0.2)
        assert stands_on(pilot.app) == "graph/one"
        await pilot.press("enter")
        await pilot.pause(0.2)
        await ended(pilot, screen_of(pilot.app))
        await pilot.press("end")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause(0.2)
        assert stands_on(pilot.app) == "graph/next"


async def test_the_editor_opens_at_the_beginning_and_keeps_its_keys_in_view(tmp_path: Path) -> None:
    long = "y = w * 1.0 * 1.0 * 1.0 * 1.0 * 1.0 * 1.0 * 1.0 * 1.0 * 1.0 * 1.0 * 1.0 * 1.0 * 1.0"
    lesson = EXERCISE.replace("y = w\n", f"{long}\n", 1).replace(
        "== 9\n", '== 9, "It is not nine. " * 9 + "The end."\n'
    )
    async with opened(tmp_path, lesson, size=(80, 24)) as (pilot, screen):
        await pilot.press("s", "end", "e", "escape", "e")
        await pilot.pause(0.2)
        assert "1  y = w * 1.0" in text(pilot.app)
        assert "not nine" not in text(pilot.app)  # nothing was tried yet
        pilot.app.screen.query_one(TextArea).text = "y = w + w"
        await pilot.press("f5")
        await pilot.pause(0.2)
        await ended(pilot, screen)
        await pilot.pause(0.2)
        assert "  end." in text(pilot.app)  # the last of three rows
        assert "F5 run" in text(pilot.app)


async def test_no_hint_is_promised_where_none_is_left(tmp_path: Path) -> None:
    async with opened(tmp_path, EXERCISE) as (pilot, _):
        await pilot.press("s", "end", "S")
        await pilot.pause()
        assert "S once more shows the solution" in text(pilot.app)
        assert "gives a hint" not in text(pilot.app)


async def test_the_tab_of_the_output_tells_that_more_is_in_it(tmp_path: Path) -> None:
    async with opened(tmp_path, PRINTS, size=(80, 24)) as (pilot, _):
        await pilot.press("n")
        await pilot.pause()
        assert "code  output ─" in text(pilot.app)
        await pilot.press("n")
        await pilot.pause()
        assert "code  output +2 ─" in text(pilot.app)
        await pilot.press("left")
        await pilot.pause()
        assert "output +" not in text(pilot.app)
        await pilot.press("end")
        await pilot.pause()
        assert "output +3 ─" in text(pilot.app)
        screen_of(pilot.app).show_pane("output")
        await pilot.pause()
        assert "output ─" in text(pilot.app)


async def test_the_page_of_a_step_has_what_it_printed(tmp_path: Path) -> None:
    async with opened(tmp_path, PRINTS, size=(80, 24)) as (pilot, _):
        await pilot.press("n", "n", "enter")
        await pilot.pause(0.1)
        shown = [line.strip("│ ") for line in lines(pilot.app)]
        at = shown.index("what it printed")
        assert shown[at + 1 : at + 3] == ["one", "two"]
        assert "nothing that is shown here" not in shown


async def test_outside_of_a_loop_its_turns_are_near(tmp_path: Path) -> None:
    async with opened(tmp_path, LOOP) as (pilot, screen):
        await pilot.press("end", "left_curly_bracket")
        assert screen.model.timeline.view(screen.model.cursor).iteration == 3
        await pilot.press("home", "right_curly_bracket")
        assert screen.model.timeline.view(screen.model.cursor).iteration == 1


def test_a_mark_near_the_end_of_an_axis_is_not_taken_for_it() -> None:
    curve = [(x, float(x)) for x in range(1501)]
    drawn = plot.canvas([curve], 40, 4, plain=True)
    for mark, feet in ((0, ["0", "1500"]), (14, ["0", "14", "1500"]), (1499, ["0", "1499", "1500"])):
        assert "".join(label for label, _ in plot.rows(drawn, mark, UNICODE)[-1]).split() == feet


def test_what_a_path_passes_is_called_by_its_code(record: Forker) -> None:
    leaf = "import torch\nw = torch.tensor(1.0, requires_grad=True)\n"
    timeline = record(f"{leaf}y = 2 * (3 + w)\ny.backward()\n").timeline
    state = timeline.state(timeline.steps)
    paths = paths_to(timeline, state, names_of(state)["w"])
    assert paths is not None
    assert [path.through for path in paths.paths] == [["y", "3 + w", "w"]]


async def test_a_question_is_not_seen_through_while_its_run_arrives() -> None:
    """The recording is fed before the screen hears of it; what is asked comes before step 7."""
    session = FakeSession(two_paths(), hold=0)
    app = runner(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.1)
        for frame in session.frames:
            session.timeline.feed(frame)
        await pilot.press("right_square_bracket", "right_square_bracket")
        assert screen_of(app).model.cursor == screen_of(app).model.limit == 6
        session.frames = []
        session.go_on.set()
        await pilot.pause(0.1)


async def test_the_list_of_runs_names_the_way_back_and_says_what_it_does_not_do(tmp_path: Path) -> None:
    lesson = LOOP.replace("w = torch", "rate = 0.1  # @param {type: number}\nw = torch")
    async with opened(tmp_path, lesson) as (pilot, screen):
        await pilot.press("k", *["delete"] * 3, "2", "enter")
        await pilot.pause(0.1)
        await pilot.press("w")
        await ended(pilot, screen)
        await pilot.pause(0.6)  # the list is drawn anew from time to time
        now = screen.model.runs.now
        assert now is not None
        shown = [line for line in lines(pilot.app) if "rate = 2" in line]
        assert [line for line in shown if f"{now.timeline.steps} steps" in line]
        assert "Esc back" in text(pilot.app)
        await pilot.press("d")
        await pilot.pause()
        assert "this run is on the screen: choose another one" in text(pilot.app)
        assert len(screen.model.runs.all) == 2


async def test_a_knob_that_is_refused_leaves_its_keys_in_view(tmp_path: Path) -> None:
    lesson = LOOP.replace("w = torch", "rate = 0.1  # @param {type: number, max: 1}\nw = torch")
    async with opened(tmp_path, lesson) as (pilot, _):
        await pilot.press("k", *["delete"] * 3, "2", "enter")
        await pilot.pause(0.1)
        assert "2 is above the most" in text(pilot.app)
        assert "Esc back" in text(pilot.app)


async def test_a_saved_file_that_cannot_run_is_named_without_its_folder(tmp_path: Path) -> None:
    async with opened(tmp_path, LOOP, size=(80, 24)) as (pilot, screen):
        screen.model.target.path.write_text(LOOP.replace("range(3)", "range(3"), encoding="utf-8")
        screen.check_file()
        for _ in range(100):
            await pilot.pause(0.1)
            if "01-one.py" in text(pilot.app):
                break
        assert "▸ 01-one.py:11: syntax error: invalid syntax" in text(pilot.app)
