"""Figures of the program's own, at the moment of the cursor, and a logarithmic axis."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.ui.conftest import text
from tests.ui.recordings import SCRIPT, FakeSession, runner, training
from tests.worker.recording import Forker
from tutor.lesson.catalog import Target
from tutor.trace.events import Figure
from tutor.ui.app import GradtutorApp
from tutor.ui.render import plot
from tutor.ui.render.segments import Row
from tutor.ui.screens.lesson import LessonScreen

DRAWS = """\
import plotext as plt
import torch
points = torch.tensor([1.0, 4.0, 9.0])
for turn in range(3):
    plt.clf()
    plt.scatter([1, 2, 3], points, label="points")
    plt.plot([0, turn + 1], [0, 10], label="line")
    plt.title(f"turn {turn}")
    plt.show()
"""


def text_of(rows: list[Row]) -> str:
    return "\n".join("".join(piece for piece, _ in row) for row in rows)


async def test_the_figure_is_that_of_the_cursors_moment(record: Forker, tmp_path: Path) -> None:
    timeline = record(DRAWS).timeline
    app = GradtutorApp(Target("trace", Path("a.trace"), "a.trace"), lessons=tmp_path, timeline=timeline)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = app.screen
        assert isinstance(screen, LessonScreen)
        await pilot.press("end")
        await pilot.pause(0.1)
        assert "turn 2" in text(app)
        assert "figure 3 of 3" in text(app)
        screen.go_to(next(step for step in range(screen.model.limit, 0, -1) if timeline.state(step).figures == 1))
        await pilot.pause(0.1)
        assert "turn 0" in text(app)
        screen.chart.focus()
        await pilot.press("enter")
        await pilot.pause(0.1)
        assert (screen.zoomed, "turn 0" in text(app), "tensors" in text(app)) == ("chart", True, False)
        await pilot.press("enter")
        await pilot.pause(0.1)
        assert screen.zoomed is None
        await pilot.press("home")
        await pilot.pause(0.1)
        assert "figure" not in text(app)


async def test_without_a_graph_the_figure_is_in_front_where_panes_share_a_place(record: Forker, tmp_path: Path) -> None:
    timeline = record(DRAWS).timeline
    app = GradtutorApp(Target("trace", Path("a.trace"), "a.trace"), lessons=tmp_path, timeline=timeline)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end")
        await pilot.pause(0.1)
        assert "figure 3 of 3" in text(app)
        assert "turn 2" in text(app)


async def test_v_on_the_chart_shows_curves_and_a_log_axis(tmp_path: Path) -> None:
    app = runner(FakeSession(training()), SCRIPT)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = app.screen
        assert isinstance(screen, LessonScreen)
        await pilot.press("end")
        await pilot.pause(0.1)
        screen.chart.focus()
        await pilot.press("v")
        await pilot.pause(0.1)
        assert "log axis" in text(app)
        await pilot.press("v", "v")
        await pilot.pause(0.1)
        assert "log axis" not in text(app)


def test_on_a_log_axis_powers_of_ten_are_evenly_apart() -> None:
    drawn = plot.canvas([[(x, 10.0**-x) for x in range(5)]], 9, 5, plain=True, log=True)
    assert (drawn.low, drawn.high) == (-4.0, 0.0)
    assert [drawn.label(height) for height in (0.0, -2.0, -4.0)] == ["1", "0.01", "0.0001"]
    assert [line.rindex("*") for line in drawn.lines] == [0, 2, 4, 6, 8]
    drawn = plot.canvas([[(0, 1.0), (1, 0.0), (2, -1.0), (3, 10.0), (4, math.nan)]], 9, 5, log=True)
    assert (drawn.skipped, drawn.unreal) == (2, 1)


@pytest.mark.parametrize(
    ("ascii_only", "colours", "marks"), [(False, True, "●○"), (False, False, "●○"), (True, True, "*")]
)
def test_clouds_of_points_differ_by_their_marks(ascii_only: bool, colours: bool, marks: str) -> None:
    calls = [["scatter", [[0, 1], [1, 2]], {}], ["scatter", [[2, 3], [1, 2]], {}]]
    rows, _ = plot.figure_rows(Figure(calls), 40, 10, ascii_only, colours)
    drawn = text_of(rows)
    assert [drawn.count(mark) for mark in marks] == [2] * len(marks)


@pytest.mark.parametrize("ascii_only", [True, False])
def test_numbers_that_are_none_are_left_out_and_told(ascii_only: bool) -> None:
    calls = [["plot", [[0, 1, 2], [1.0, math.inf, 3.0]], {"label": "a"}], ["title", ["what"], {}]]
    rows, left_out = plot.figure_rows(Figure(calls), 50, 12, ascii_only, True)
    assert "what" in text_of(rows)
    assert left_out == "not drawn: 1 nan or inf"
    assert not ascii_only or text_of(rows).isascii()


@pytest.mark.parametrize(
    "calls",
    [
        [["system", ["rm -rf /"], {}]], [["plot", "no list", {}]], ["nonsense"], [["plot", [[1, 2], ["a", {}]], {}]],
        [["plot", [], {}]], [["xlim", [[[]]], {}]], [["scatter", [[1], [2]], {"color": {"a": 1}, "marker": ["x"]}]], [],
    ],
)  # fmt: skip
def test_a_strangers_figure_does_no_harm(calls: list[object]) -> None:
    rows, _ = plot.figure_rows(Figure(calls), 40, 10, False, True)
    assert rows
