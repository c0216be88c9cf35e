"""The chart: what `c` adds to it, and the cursor that goes along its curves."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import screen_of, text
from tests.ui.recordings import SCRIPT, TAUGHT, TRACE, training, two_paths, viewer
from tests.worker.recording import Forker
from tutor.trace.names import names_of
from tutor.ui.app import GradtutorApp
from tutor.ui.panes.chart import ChartCurves
from tutor.ui.render import plot
from tutor.ui.render.segments import UNICODE

SIZE = (120, 40)


async def mark(app: GradtutorApp, pilot: Pilot[int], name: str) -> None:
    """Put the mark of the tensors pane on a row."""
    pane = screen_of(app).tensors
    pane.focus()
    while pane.chosen is None or pane._followed != name:
        before = pane.chosen
        await pilot.press("down")
        assert pane.chosen != before, f"{name} has no row"


def charted(app: GradtutorApp) -> dict[str, list[float]]:
    return {curve.name: [point.value for point in curve.points] for curve in screen_of(app).chart._series}


async def test_c_charts_a_leaf_with_its_gradient_and_takes_it_away_again() -> None:
    """In training() w stays 1, and its gradient grows by 2 in each of 20 turns."""
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        await mark(app, pilot, "w")
        await pilot.press("c")
        await pilot.pause()
        curves = charted(app)
        assert list(curves) == ["loss", "w", "w.grad"]
        assert curves["w"] == [1.0]
        assert curves["w.grad"] == [2.0 * turn for turn in range(1, 21)]
        assert "w is charted" in text(app)
        assert "by step" in text(app)
        for _ in range(3):
            await pilot.press("left")
        await pilot.pause()
        assert list(charted(app)) == ["loss", "w", "w.grad"]
        await pilot.press("c")
        await pilot.pause()
        assert list(charted(app)) == ["loss"]
        assert "w is charted no more" in text(app)
        assert "pass 20 of 20" in text(app)


async def test_c_on_the_loss_hides_it_and_brings_it_back() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        await mark(app, pilot, "loss")
        await pilot.press("c")
        await pilot.pause()
        assert charted(app) == {}
        await pilot.press("c")
        await pilot.pause()
        assert list(charted(app)) == ["loss"]


async def test_without_a_mark_c_says_what_to_do() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "c")
        await pilot.pause()
        assert "put the mark on it" in text(app)


async def test_up_and_down_on_the_chart_move_the_cursor_from_point_to_point() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("g", *"pass 3", "enter")
        await pilot.pause()
        screen = screen_of(app)
        passes = [info.start_step for info in screen.model.timeline.passes]
        screen.chart.focus()
        assert screen.model.cursor == passes[2]
        for pressed, expected in (("down", 3), ("down", 4), ("up", 3), ("up", 2), ("up", 1)):
            await pilot.press(pressed)
            await pilot.pause()
            assert screen.model.cursor == passes[expected]
        await pilot.press("right", "right", "up")
        await pilot.pause()
        assert screen.model.cursor == passes[1]


async def test_a_click_on_the_chart_goes_to_the_nearest_point() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        await pilot.pause()
        screen = screen_of(app)
        canvas = screen.chart._canvas
        assert canvas is not None
        columns = len(canvas.lines[0])
        first = 2 + plot.margin(canvas) + 2
        for point in (0, 7, 19):
            await pilot.click("#chart", offset=(first + round(point * (columns - 1) / 19), 3))
            await pilot.pause()
            assert screen.model.cursor == screen.model.timeline.passes[point].start_step
            assert f"pass {point + 1} of 20" in text(app)


async def test_several_curves_are_told_apart_without_colours(record: Forker) -> None:
    timeline = record("import torch\nfor i in range(5):\n    a = torch.tensor(1.0 * i)\n    b = a * a\n").timeline
    state = timeline.state(timeline.steps)
    chart = ChartCurves()
    for name in ("a", "b"):
        chart.toggle(timeline, state, names_of(state)[name])
    assert chart.read(timeline)
    series = {curve.name: curve for curve in chart.series(timeline, None)}
    assert [point.value for point in series["a"].points] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert [point.value for point in series["b"].points] == [0.0, 1.0, 4.0, 9.0, 16.0]
    assert series["a"].role != series["b"].role
    drawn = plot.canvas([[(p.x, p.value) for p in curve.points] for curve in series.values()], 40, 10, plain=True)
    assert {"*", "+"} <= set("".join(drawn.lines))


async def test_of_a_larger_tensor_the_norm_is_charted_and_of_a_function_its_own_name(record: Forker) -> None:
    """v = (3, 4) · k has the norm 5 k."""
    script = """
import torch
def f(k):
    v = torch.tensor([3.0, 4.0]) * k
    return v
for k in range(1, 4):
    f(k)
"""
    timeline = record(script).timeline
    inside = next(step for step in range(1, timeline.steps) if (timeline.view(step).code or "").endswith(" * k"))
    inside = next(step for step in range(inside, timeline.steps) if timeline.kind(step) == "op") + 1
    state = timeline.state(inside)
    chart = ChartCurves()
    assert chart.toggle(timeline, state, state.frames[-1].names["v"].ref) == ("v", True)
    assert chart.read(timeline)
    (curve,) = chart.series(timeline, None)
    assert curve.name == "norm v"
    assert [point.value for point in curve.points] == [5.0, 10.0, 15.0]
    (some,) = chart.series(timeline, curve.points[1].step)
    assert len(some.points) == 2


@pytest.mark.parametrize("height", range(3, 13))
def test_no_label_of_an_axis_is_cut(height: int) -> None:
    """From 1 to 25, the label between them is 13 or a longer number such as 13.5."""
    drawn = plot.canvas([[(0, 25.0), (1, 1.0)]], 40, height)
    rows = ["".join(piece for piece, _ in row) for row in plot.rows(drawn, None, UNICODE)]
    labels = [row.split("┤")[0].strip() for row in rows if "┤" in row]
    assert len(labels) == (3 if height >= 5 else 2)
    assert (labels[0], labels[-1]) == ("25", "1")
    assert all(not math.isnan(float(label)) for label in labels)


async def test_what_is_asked_stays_hidden_in_the_chart() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        await mark(app, pilot, "w")
        await pilot.press("c")
        await pilot.pause()
        assert charted(app) == {"w": [1.0]}
        await pilot.press("s", "end")
        await pilot.pause()
        assert charted(app) == {"y": [6.0], "w": [1.0], "w.grad": [5.0]}


def test_curves_of_other_sizes_have_a_scale_each() -> None:
    """From 0 to 100 and from 1 to 2: on one scale the second would be a straight line at the bottom."""
    large, small = [(x, 10.0 * x) for x in range(11)], [(x, 2.0 - 0.1 * x) for x in range(11)]
    drawn = plot.canvas([large, small], 40, 9, roles=["value", "leaf"])
    assert [(part.low, part.high, len(part.lines)) for part in drawn.parts] == [(0.0, 100.0, 4), (1.0, 2.0, 5)]
    assert {role for row in drawn.roles[:4] for role in row} == {"value"}
    assert {role for row in drawn.roles[4:] for role in row} == {"leaf"}
    rows = ["".join(piece for piece, _ in row) for row in plot.rows(drawn, 5, UNICODE)]
    assert len(rows) == 9 + 2
    assert [rows[place].split()[0] for place in (0, 3, 4, 8)] == ["100", "0", "2", "1"]
    assert plot.canvas([large, small], 40, 3).scaled  # no room for two
    alike = plot.canvas([large, [(x, 50.0 + x) for x in range(11)]], 40, 9)
    assert not alike.scaled
    assert not alike.parts
    assert (alike.low, alike.high) == (0.0, 100.0)
    assert not plot.canvas([large], 40, 9).scaled
    assert not plot.canvas([large, [(3, 7.0)]], 40, 9).scaled


async def test_v_shows_the_memory_that_autograd_keeps(record: Forker) -> None:
    """The sine of 1000 numbers keeps them, 4000 bytes, until the pass has freed them."""
    recording = record(
        """\
import torch
w = torch.ones(1000, requires_grad=True)
opt = torch.optim.SGD([w], lr=0.1, momentum=0.9)
for i in range(3):
    loss = w.sin().sum()
    loss.backward()
    opt.step()
"""
    )
    app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=recording.timeline)
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("end")
        screen_of(app).chart.focus()
        await pilot.press("v", "v")
        await pilot.pause(0.1)
        (curve,) = screen_of(app).chart._series
        assert curve.name == "kept by autograd, KiB"
        assert {point.value for point in curve.points} == {0.0, 4000 / 1024}
        heading = "".join(piece for piece, _ in screen_of(app).chart.heading())
        last = curve.at(recording.line(7, 2)), curve.at(recording.line(6, 2))
        assert [point is not None and point.value for point in last] == [0.0, 4000 / 1024]
        assert heading.startswith("by step")  # the value is the last to give way
        assert heading.endswith("kept by autograd, KiB = 0")
        facts = " ".join("".join(piece for piece, _ in row) for row in screen_of(app).chart._rows[:2])
        assert "parameters 3.906, gradients 3.906, optimizer state 3.906" in facts


async def test_a_loss_that_is_only_nan_has_no_axes(record: Forker) -> None:
    recording = record(
        "import torch\nw = torch.tensor(-1.0, requires_grad=True)\nfor i in range(3):\n"
        "    loss = w.sqrt()\n    loss.backward()\n"
    )
    app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=recording.timeline)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        await pilot.pause()
        pane = screen_of(app).chart
        rows = ["".join(piece for piece, _ in row) for row in pane._rows]
        assert rows == ["loss is nan or inf at all of its 3 points"]
