"""The sheets with everything about a tensor, a node and a step."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import lines, text
from tests.ui.recordings import SCRIPT, TAUGHT, training, two_paths, viewer
from tests.worker.recording import Forker
from tests.worker.servers import forked_session
from tutor.lesson.catalog import Target
from tutor.trace.names import names_of
from tutor.trace.timeline import Timeline
from tutor.ui.app import GradtutorApp
from tutor.ui.details.pane import DetailsPane
from tutor.ui.render import heatmap
from tutor.ui.render.segments import ASCII, UNICODE
from tutor.ui.screens.lesson import LessonScreen
from tutor.ui.theme import DARK, LIGHT, palette

SIZE = (120, 60)
TRACE = Target("trace", Path("script.trace"), "script.trace")


def app_of(timeline: Timeline) -> GradtutorApp:
    return GradtutorApp(TRACE, lessons=Path("lessons"), timeline=timeline)


def lesson_of(app: GradtutorApp) -> LessonScreen:
    lesson = next(screen for screen in app.screen_stack if isinstance(screen, LessonScreen))
    assert [pane.failure for pane in lesson.panes.values()] == [None] * len(lesson.panes)
    return lesson


def sheet_of(app: GradtutorApp) -> DetailsPane:
    details = lesson_of(app).details
    assert details.display
    assert details.error is None
    return details


async def ask(app: GradtutorApp, pilot: Pilot[int], name: str) -> DetailsPane:
    """The sheet about a tensor, as it is at the cursor."""
    screen = lesson_of(app)
    state = screen.model.timeline.state(screen.model.cursor)
    screen.show_details("tensor", names_of(state)[name])
    await pilot.pause()
    return sheet_of(app)


def facts_of(app: GradtutorApp, label: str) -> list[str]:
    """What stands behind a label, with the rows under it that have none."""
    page = sheet_of(app)._page
    assert page is not None
    rows = ["".join(piece for piece, _ in row) for row in page.rows]
    first = next(at for at, row in enumerate(rows) if row.startswith(label))
    facts = [rows[first][16:]]
    for row in rows[first + 1 :]:
        if row[:16].strip() or not row.strip():
            break
        facts.append(row[16:])
    return [row.strip() for row in facts]


async def test_where_a_tensor_was_made_and_who_takes_it_lead_there() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "s", "end")
        await ask(app, pilot, "w")
        assert facts_of(app, "made") == ["→ step 5 · line 3 · torch.tensor([1.0], requires_grad=True) → w"]
        assert facts_of(app, "used by") == ["→ step 9 · line 6 · x + w → a", "→ step 11 · line 7 · w + 1 → b"]
        await pilot.press("down", "down", "down", "enter")
        await pilot.pause()
        assert not lesson_of(app).details.display
        assert lesson_of(app).model.cursor == 11


async def test_a_click_on_such_a_line_goes_there_too() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "s", "end")
        sheet = await ask(app, pilot, "w")
        assert sheet._page is not None
        row = min(sheet._page.links)
        await pilot.click("#details", offset=(30, row + 1))
        await pilot.click("#details", offset=(30, row + 1))
        await pilot.pause()
        assert lesson_of(app).model.cursor == 5


async def test_what_a_question_hides_is_not_on_the_sheet() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        await ask(app, pilot, "w")
        assert facts_of(app, "used by") == ["nothing so far"]


async def test_a_course_is_drawn_over_all_turns_of_a_loop() -> None:
    app = viewer(training(20), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        await ask(app, pilot, "loss")
        assert "loss over time · 20 changes" in text(app)
        assert "20 tensors in turn were called loss" in text(app)
        await pilot.press("escape")
        await ask(app, pilot, "w")
        assert "w.grad over time · 20 changes" in text(app)
        assert "w over time" not in text(app)
        assert any(line.strip("│ ").startswith("40 ┤") for line in lines(app))


async def test_a_course_ends_where_the_recording_may_be_seen(record: Forker) -> None:
    app = app_of(record("import torch\na = torch.tensor(1.0)\nfor k in range(30):\n    a = a + 1\n").timeline)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        await ask(app, pilot, "a")
        assert facts_of(app, "made")[0].startswith("→ step")
        assert "a over time · 31 changes" in text(app)
        assert any(line.strip("│ ┃").startswith("31 ┤") for line in lines(app))


MATRIX = """
import torch
w = torch.tensor([[1.0, -2.0, 3.0, 0.0], [5.0, 6.0, -8.0, 7.0], [0.5, 0.25, 4.0, 2.0]], requires_grad=True)
y = (w * torch.arange(12.0).reshape(3, 4)).sum()
y.backward()
with torch.no_grad():
    w -= w.grad
big = torch.linspace(-1.0, 3.0, 4000).reshape(50, 80)
"""


async def test_an_element_is_chosen_by_its_index_or_by_moving(record: Forker) -> None:
    """The gradient of element [i, j] is 4 i + j."""
    app = app_of(record(MATRIX).timeline)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        await ask(app, pilot, "w")
        await pilot.press("1", ",", "2")
        await pilot.pause()
        assert "element [1, 2]" in text(app)
        assert facts_of(app, "value ")[0] == "-14"
        assert facts_of(app, "grad ")[0] == "6"
        assert "w[1, 2] over time · 2 changes" in text(app)
        await pilot.press("right")
        await pilot.pause()
        assert facts_of(app, "grad ")[0] == "7"
        await pilot.press("left", "left", "left", "left")
        await pilot.pause()
        assert facts_of(app, "grad ")[0] == "4"
        await pilot.press("up", "down", "c")
        await pilot.pause()
        series = {curve.name: [point.value for point in curve.points] for curve in lesson_of(app).chart._series}
        assert series["w[1, 0]"] == [5.0, 1.0]
        assert series["w.grad[1, 0]"] == [4.0]


# ---------------------------------------------------------------- pictures of values


def shaded(grid: heatmap.Grid, cells: int = 60) -> list[str]:
    return ["".join(piece for piece, _ in row) for row in heatmap.rows(grid, cells, ASCII, coloured=False)]


def test_shades_grow_from_the_least_to_the_most() -> None:
    grid = heatmap.grid_of([[float(column + 4 * row) for column in range(4)] for row in range(3)], (3, 4))
    assert grid is not None
    drawn = shaded(grid)
    order = [heatmap.RAMP.index(char) for line in drawn[:3] for char in line[::2]]
    assert order == sorted(order)
    assert (order[0], order[-1]) == (0, len(heatmap.RAMP) - 1)
    assert drawn[3] == "' ' 0   '@' 11"


def test_zero_is_told_where_signs_differ() -> None:
    grid = heatmap.grid_of([[-4.0, 4.0, 0.0, 1.0], [2.0, -1.0, 3.0, -2.0], [0.5, 1.5, 2.5, 3.5]], (3, 4))
    assert grid is not None
    assert shaded(grid)[3] == "' ' -4   '+' 0   '@' 4"
    assert heatmap.RAMP[5] == "+"
    assert [heatmap.level(grid, value) for value in (-4.0, 0.0, 4.0, 2.0)] == [0, 8, 16, 12]
    coloured = heatmap.rows(grid, 60, UNICODE, coloured=True)
    assert coloured[0] == (("  ", "on0"), ("  ", "on16"), ("  ", "on8"), ("  ", "on10"))
    negative = heatmap.grid_of([-float(n) for n in range(1, 13)], (12,))
    assert negative is not None
    assert (heatmap.level(negative, -12.0), heatmap.level(negative, -1.0)) == (0, 8)


def test_few_numbers_are_read_not_seen() -> None:
    assert heatmap.grid_of([1.0] * 11, (11,)) is None
    assert heatmap.grid_of(None, ()) is None
    assert heatmap.grid_of([[1.0, 2.0]] * 12, (12,)) is None  # complex numbers
    assert heatmap.grid_of([math.nan] * 12, (12,)) is None


def test_what_is_not_finite_is_marked() -> None:
    grid = heatmap.grid_of([math.nan, math.inf, *map(float, range(10))], (12,))
    assert grid is not None
    assert (grid.low, grid.high) == (0.0, 9.0)
    drawn = shaded(grid)
    assert drawn[0].startswith("????")
    assert "some are nan or inf" in drawn[-1]


def test_a_large_tensor_is_drawn_from_its_map(record: Forker) -> None:
    """50x80 numbers from -1 to 3: each column but some, the first row dark, zero after a quarter."""
    timeline = record(MATRIX).timeline
    state = timeline.state(timeline.steps)
    big = state.tensors[names_of(state)["big"]]
    grid = heatmap.grid_of(big.value, big.shape)
    assert grid is not None
    assert (grid.rows, grid.columns, grid.of) == (50, 64, (50, 80))
    step = 4.0 / 3999
    for row in (0, 10, 49):
        for column in (0, 9, 63):
            value = -1.0 + (80 * row + column * 80 // 64) * step
            assert grid.numbers[64 * row + column] == pytest.approx(value, abs=4.0 / 254)
    assert grid.place(80 * 49 + 79) == (49, 63)
    halves = heatmap.rows(grid, 100, UNICODE, coloured=True)
    assert len(halves) == 25 + 2
    assert {char for piece, _ in halves[0] for char in piece} == {"▀"}
    assert "50 x 64 of 50 x 80 numbers" in halves[-1][0][0]
    narrow = heatmap.rows(grid, 20, ASCII, coloured=False)
    assert {len("".join(piece for piece, _ in row)) for row in narrow[:50]} == {20}


@pytest.mark.parametrize("value", [
    {"shape": [50, 50], "heat": [1, 2, b"\x00", 0.0, 1.0]}, {"shape": [9], "heat": ["x", 2, b"", 0.0, 1.0]},
    {"shape": [], "heat": [1, 1, b"\x00", math.inf, -math.inf]}, {"shape": [2000], "heat": [1, 1, b"\x00"]},
    {"shape": None, "heat": 3},
])  # fmt: skip
def test_a_map_from_a_stranger_draws_nothing_wrong(value: object) -> None:
    assert heatmap.grid_of(value, (50, 50)) is None


def test_colours_diverge_around_zero_in_both_themes() -> None:
    for theme in (DARK, LIGHT):
        colours = palette(theme, False, False)
        ends = {colours.style(f"on{place}").bgcolor for place in (0, 8, 16)}
        assert len(ends) == 3
        assert colours.style("hot3").color == colours.style("on3").bgcolor
        assert colours.shades
    assert not palette(DARK, True, False).shades
    assert not palette(DARK, False, True).shades


# ---------------------------------------------------------------- nodes and steps


async def test_a_node_tells_its_rule_with_numbers(record: Forker) -> None:
    script = """
import torch
x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)
a = x + w
b = w + 1
y = a * b
y.backward()
"""
    app = app_of(record(script).timeline)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        screen = lesson_of(app)
        state = screen.model.timeline.state(screen.model.cursor)
        node = next(node for node in state.nodes.values() if node.name == "MulBackward0")
        screen.show_details("node", node.node)
        await pilot.pause()
        assert facts_of(app, "it made") == ["y = a·b"]
        assert facts_of(app, "to a") == ["∂y/∂a = b", "grad(a) = 1 × 2 = 2"]
        assert facts_of(app, "to b") == ["∂y/∂b = a", "grad(b) = 1 × 3 = 3"]
        assert facts_of(app, "there since")[0].endswith("a * b → y")
        ran = facts_of(app, "ran")
        assert len(ran) == 1
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert screen.model.timeline.kind(screen.model.cursor) == "node"


async def test_a_step_tells_all_that_it_changed() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "s", "g", *"20", "enter", "enter")
        await pilot.pause()
        assert facts_of(app, "w.grad  ") == ["None → 5"]
        assert "ran as number 5 of the pass, of w" in text(app)
        await pilot.press("escape", "g", *"13", "enter", "enter")
        await pilot.pause()
        assert facts_of(app, "took") == ["a = 3", "b = 2"]
        assert facts_of(app, "gave") == ["y = 6, shape 1"]
        assert facts_of(app, "y  ") == ["6"]
        assert facts_of(app, "MulBackward0") == ["made, of y"]


async def test_an_optimizers_step_is_told_in_full(record: Forker) -> None:
    script = """
import torch
w = torch.tensor([2.0], requires_grad=True)
opt = torch.optim.SGD([w], lr=0.25)
(w * 3).backward()
opt.step()
"""
    timeline = record(script).timeline
    app = app_of(timeline)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        last = max(aside.step for aside in timeline.side_events)
        await pilot.press("g", *str(last), "enter", "enter")
        await pilot.pause()
        assert "SGD.step" in text(app)
        assert "2 - 0.25·3 = 1.25" in text(app)


# ---------------------------------------------------------------- finite differences


async def test_a_recording_cannot_be_measured_and_says_why() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "s", "end")
        await ask(app, pilot, "w")
        assert "f measures the derivative" in text(app)
        await pilot.press("f")
        await pilot.pause(0.2)
        assert "this is only a recording" in text(app)


async def test_a_derivative_is_measured_beside_that_of_autograd(tmp_path: Path) -> None:
    """The loss is the sum of v³: of v = (1, 2) the steepest element is [1], with 3 · 2² = 12."""
    path = tmp_path / "cube.py"
    path.write_text("import torch\nv = torch.tensor([1.0, 2.0], requires_grad=True)\n(v**3).sum().backward()\n")
    app = GradtutorApp(
        Target("file", path, "cube.py"), lessons=Path("lessons"), factory=lambda target: forked_session(target.path)
    )
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(600):
            await pilot.pause(0.05)
            if isinstance(app.screen, LessonScreen) and app.screen.model.timeline.run_end is not None:
                break
        await pilot.press("end")
        await pilot.pause()
        await ask(app, pilot, "v")
        await pilot.press("f")
        await pilot.pause()
        assert "measuring … the program runs again with v" in text(app)
        for _ in range(600):
            await pilot.pause(0.05)
            if "apart by" in text(app) or "measuring" not in text(app):
                break
        assert facts_of(app, "nudged")[0].startswith("v[1] = 2, by h = ")
        assert facts_of(app, "autograd") == ["12 in this pass"]
        measured = facts_of(app, "measured" + " " * 8)
        assert float(" ".join(measured).rpartition("= ")[2]) == pytest.approx(12.0, rel=1e-3)
        assert float(facts_of(app, "apart by")[0].split()[0]) < 0.1


async def test_a_damaged_recording_does_not_end_the_app() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "s", "end")
        screen = lesson_of(app)
        state = screen.model.timeline.state(screen.model.cursor)
        number = names_of(state)["w"]
        state.tensors[number].strides = 5  # type: ignore[assignment]
        screen.show_details("tensor", number)
        await pilot.pause()
        assert isinstance(screen.details.error, TypeError)
        assert "the rest of it cannot be shown" in text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert not screen.details.display
