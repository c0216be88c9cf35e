"""The details follow the cursor: in a column where there is room, else on a sheet under which one walks on."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import lines, screen_of, text
from tests.ui.recordings import TAUGHT, training, two_paths, viewer
from tests.ui.test_about import app_of
from tests.worker.recording import Forker
from tutor.ui import layout
from tutor.ui.app import GradtutorApp
from tutor.ui.screens.lesson import LessonScreen

COLUMN, SMALL = (200, 60), (80, 24)

PRODUCT = """\
import torch
X = torch.tensor([[1.0, 0.0, 2.0], [2.0, -1.0, 0.5]])
W = torch.tensor([[3.0, 1.0], [0.0, 2.0], [-2.0, 4.0]], requires_grad=True)
H = X @ W
H.relu().sum().backward()
wide = torch.arange(300.0).reshape(10, 30) + 0
opt = torch.optim.Adam([W], lr=0.5)
opt.step()
n = 1
"""


def details_text(app: GradtutorApp) -> str:
    """What the details show, as they are on the screen."""
    details = screen_of(app).details
    assert details.display
    assert details.error is None
    x, right = details.region.x, details.region.right
    return "\n".join(line[x:right] for line in lines(app)[details.region.y : details.region.bottom])


async def go(pilot: Pilot[int], step: int) -> None:
    await pilot.press("g", *str(step), "enter")
    await pilot.pause()


def screen(app: GradtutorApp) -> LessonScreen:
    return screen_of(app)


KEPT = """\
import torch
w = torch.tensor([2.0], requires_grad=True)
loss = (w * 3).exp().sum()
loss.backward()
loss = None
z = w * 5
n = 1
"""


async def test_a_node_of_the_pass_that_the_graph_keeps_opens_though_it_is_gone(record: Forker) -> None:
    recording = record(KEPT)
    app = app_of(recording.timeline)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("end")
        await pilot.pause()
        graph = screen(app).graph
        subjects = [graph.subject(choice) for choice in range(graph.choices())]
        state = recording.timeline.state(screen(app).model.cursor)
        nodes = [(at, found[1]) for at, found in enumerate(subjects) if found is not None and found[0] == "node"]
        gone = [at for at, node in nodes if node not in state.nodes][-1]
        screen(app).set_focus(graph)
        graph.choose(gone)
        await pilot.press("enter")
        await pilot.pause()
        shown = details_text(app)
        assert "Backward0" in shown.split("\n")[0]
        assert "It is gone by now." in shown


async def test_the_column_follows_every_step(record: Forker) -> None:
    recording = record(PRODUCT)
    app = app_of(recording.timeline)
    async with app.run_test(size=COLUMN) as pilot:
        assert "what each step took, brought and changed appears" in details_text(app)
        for step in range(1, recording.timeline.steps + 1):
            await pilot.press("right")
            await pilot.pause()
            assert screen(app).model.cursor >= step
            assert f"step {screen(app).model.cursor} " in details_text(app).split("\n")[0]
            if screen(app).model.cursor == recording.timeline.steps:
                break
        await go(pilot, recording.op("X @ W"))
        assert "⎡ -1  9 ⎤" in details_text(app)
        await pilot.press("left", "left")
        await pilot.pause()
        assert "⎡ -1  9 ⎤" not in details_text(app)


async def test_a_tensor_asked_for_stays_in_the_column_while_one_walks(record: Forker) -> None:
    recording = record(PRODUCT)
    app = app_of(recording.timeline)
    async with app.run_test(size=COLUMN) as pilot:
        await go(pilot, recording.op("X @ W"))
        screen(app).show_details("tensor", recording.names()["W"])
        await pilot.pause()
        assert "requires grad" in details_text(app)
        await pilot.press("end")
        await pilot.pause()
        assert screen(app).model.cursor == recording.timeline.steps
        assert "W" in details_text(app).split("\n")[0]
        assert "m (exp_avg)" in details_text(app)
        await pilot.press("home")
        await pilot.pause()
        assert "it is not there at this step" in details_text(app)
        await pilot.press("end", "escape")
        await pilot.pause()
        assert f"step {recording.timeline.steps}" in details_text(app)


async def test_one_walks_on_under_the_sheet(record: Forker) -> None:
    recording = record(PRODUCT)
    app = app_of(recording.timeline)
    async with app.run_test(size=SMALL) as pilot:
        step = recording.op("X @ W")
        await go(pilot, step)
        assert not screen(app).details.display
        await pilot.press("enter")
        await pilot.pause()
        assert f"step {step} " in details_text(app)
        await pilot.press("right")
        await pilot.pause()
        after = screen(app).model.cursor
        assert after > step
        assert f"step {after} " in details_text(app)
        for key in ("n", "p", "b", "left"):
            await pilot.press(key)
            await pilot.pause()
            assert f"step {screen(app).model.cursor} " in details_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert not screen(app).details.display
        assert screen(app).focused is screen(app).code


async def test_a_question_closes_the_sheet() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("right", "right", "enter")
        await pilot.pause()
        assert screen(app).details.display
        await pilot.press(*["right"] * 9)
        await pilot.pause()
        assert screen(app).model.asking
        assert not screen(app).details.display


async def test_an_element_is_chosen_while_one_walks(record: Forker) -> None:
    recording = record(PRODUCT)
    app = app_of(recording.timeline)
    async with app.run_test(size=COLUMN) as pilot:
        await go(pilot, recording.op("X @ W"))
        assert "H[0, 0] = 1·3 + 0·0 + 2·(-2) = -1" in details_text(app)
        await pilot.press("shift+right", "shift+right", "shift+down")
        await pilot.pause()
        assert "H[1, 1] = 2·1 + (-1·2) + 0.5·4 = 2" in details_text(app)
        await pilot.press("right", "left")
        await pilot.pause()
        assert "H[1, 1] = 2·1 + (-1·2) + 0.5·4 = 2" in details_text(app)
        await go(pilot, 1)
        await pilot.press("shift+right")
        await pilot.pause()
        assert "this step brought no matrix" in text(app)


async def test_the_arrows_choose_only_while_a_matrix_has_them(record: Forker) -> None:
    recording = record(PRODUCT)
    app = app_of(recording.timeline)
    async with app.run_test(size=SMALL) as pilot:
        step = recording.op("X @ W")
        await go(pilot, step)
        await pilot.press("enter", "down", "enter")
        await pilot.pause()
        assert "← → ↑ ↓ element" in lines(app)[-1]
        await pilot.press("right", "down")
        await pilot.pause()
        assert "H[1, 1] =" in details_text(app)
        assert screen(app).model.cursor == step
        await pilot.press("escape", "right")
        await pilot.pause()
        assert screen(app).details.display
        assert screen(app).model.cursor > step
        assert "← → step" in lines(app)[-1]


async def test_a_wide_matrix_scrolls_by_its_columns(record: Forker) -> None:
    """Element [i, j] of `wide` is 30 i + j."""
    recording = record(PRODUCT)
    app = app_of(recording.timeline)
    async with app.run_test(size=SMALL) as pilot:
        await go(pilot, recording.op("torch.arange(300.0).reshape(10, 30) + 0"))
        await pilot.press("enter")
        await pilot.pause()
        page = screen(app).details._page
        assert page is not None
        assert any("from 0 to 299, norm" in text for row in page.rows for text, _role in row)
        await pilot.press("down", "enter", *"4,29")
        await pilot.pause()
        assert "149" in details_text(app)
        assert any(line.split()[-3:-1] == ["28", "29"] for line in details_text(app).split("\n"))
        assert any("rows" in line and "of 10" in line for line in details_text(app).split("\n"))
        await pilot.press(*["left"] * 29)
        await pilot.pause()
        assert "wide[4, 0] =" in details_text(app)
        assert any(line.split()[1:4] == ["0", "1", "2"] for line in details_text(app).split("\n"))


async def test_each_gradient_that_a_node_sent_is_listed(record: Forker) -> None:
    """x is used twice: its node gets 3 of one side, then 2 more of the other."""
    recording = record(
        "import torch\nx = torch.tensor(2.0, requires_grad=True)\na = x * 1\ny = a * 3 + a * 2\ny.backward()\n"
    )
    app = app_of(recording.timeline)
    async with app.run_test(size=COLUMN) as pilot:
        told = []
        for step in recording.steps_of("node"):
            await go(pilot, step)
            told += [line.strip("│┃ ") for line in details_text(app).split("\n") if "in this pass" in line]
        changes = [line.removeprefix("in this pass").strip() for line in told]
        assert changes in (
            ["None → 1", "None → 1", "None → 2", "2 → 5", "None → 5"],
            ["None → 1", "None → 1", "None → 3", "3 → 5", "None → 5"],
        )


async def test_an_optimizers_update_is_worked_out_for_the_chosen_weight(record: Forker) -> None:
    recording = record(PRODUCT)
    app = app_of(recording.timeline)
    async with app.run_test(size=COLUMN) as pilot:
        await go(pilot, recording.line(9))
        await pilot.press("shift+right", "shift+down", "shift+right")
        await pilot.pause()
        shown = details_text(app)
        assert "W[1, 1]" in shown
        assert all(name in shown for name in ("m (exp_avg)", "v (exp_avg_sq)", "m̂", "v̂"))
        after = recording.value("W", recording.line(9))[1][1]
        assert f"(√1 + 1e-8) = {after:.5g}" in " ".join(shown.replace("│", " ").split())


@pytest.mark.parametrize("size", [SMALL, COLUMN])
async def test_a_damaged_recording_leaves_the_details_standing(size: tuple[int, int]) -> None:
    app = viewer(training(3))
    async with app.run_test(size=size) as pilot:
        await pilot.press("end", "enter")
        lesson = screen(app)
        model = lesson.model
        for tensor in model.timeline.state(model.cursor).tensors.values():
            tensor.shape = ("x",)  # type: ignore[assignment]
            tensor.value = {"data": 3}
        await pilot.press("left", "right", "shift+right")
        await pilot.pause()
        assert app.screen is lesson
        assert lesson.details.display
        assert lesson.details.failure is None


def test_the_column_is_there_from_180_columns_on() -> None:
    for width in range(60, 320, 7):
        for height in (16, 24, 29, 30, 60):
            regions = layout.pane_regions(width, height, front={})
            assert ("details" in regions) == (width >= 180 and height >= 30)
            covered = {
                (x, y) for region in regions.values() for x in range(region.x, region.right) for y in (region.y,)
            }
            assert max(x for x, _y in covered) == width - 1
            sheet = layout.sheet_region(width, height, 104, height)
            assert layout.sheet_region(width, height, 104, 8).height == min(8, sheet.height)
            assert sheet.x >= 0
            assert sheet.right <= width
            assert sheet.y >= layout.HEAD
            assert sheet.bottom <= height - layout.bar_rows(height) - layout.explanation_rows(height)
