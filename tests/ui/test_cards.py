"""Cards on the screen: a failure, the first nan, the end of a run; `!`, the time bar, folded frames."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from textual.app import App
from textual.geometry import Region

from tests.study.test_problems import IN_PLACE, LOST_LEAF, MODULE, SQUARE_ROOT
from tests.ui.conftest import explained, lines, opened, screen_of, text
from tests.worker.recording import Forker, Recording
from tutor.lesson.catalog import Target
from tutor.study.problems import Problems
from tutor.trace.training_loop import find_training_loop
from tutor.ui import layout
from tutor.ui.app import GradtutorApp
from tutor.ui.render.segments import with_nonfinite
from tutor.ui.render.traceback import folded
from tutor.ui.theme import DARK, Palette
from tutor.ui.time_bar import Scale, column_of, step_at

SIZES = [(80, 24), (120, 40), (200, 60)]
sizes = pytest.mark.parametrize("size", SIZES)


def app_of(recording: Recording) -> GradtutorApp:
    target = Target("trace", Path("run.trace"), "run.trace")
    return GradtutorApp(target, lessons=Path("lessons"), timeline=recording.timeline)


def flat(app: App[int]) -> str:
    """The text of the card in one line."""
    region = screen_of(app).card.region
    rows = lines(app)[region.y + 1 : region.bottom - 1]
    return " ".join(" ".join(row[region.x + 1 : region.right - 1].split()) for row in rows)


@sizes
async def test_a_failed_recording_opens_at_its_failure(record: Forker, size: tuple[int, int]) -> None:
    app = app_of(record(IN_PLACE))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        failure = screen_of(app).model.cursor
        assert "✗ failed" in lines(app)[0]
        assert "b += 1 on line 8 changed b in place, which ExpBackward0 has kept for its gradient" in flat(app)
        cause = Problems(screen_of(app).model.timeline).cause(screen_of(app).model.problems.all()[-1])
        assert f"Inevitable since step {cause}, line 8: b += 1." in flat(app)
        (row,) = (line for line in lines(app) if "▶" in line and "▶ next" not in line)
        assert "d.backward()" in row  # the code stays in view
        assert screen_of(app).tensors.page > 0
        await pilot.press("!")
        await pilot.pause()
        assert screen_of(app).model.cursor == cause
        assert "✗ a mistake that raises no error here" in text(app)
        assert f"this made the error at step {failure} inevitable" in explained(app)
        await pilot.press("!")
        await pilot.pause()
        assert screen_of(app).model.cursor == failure
        assert screen_of(app).card.display


@sizes
async def test_a_card_goes_away_and_comes_back_at_its_step(record: Forker, size: tuple[int, int]) -> None:
    app = app_of(record(MODULE))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        failure = screen_of(app).model.cursor
        assert "RuntimeError: mat1 and mat2" in text(app)
        assert "net.fc2 takes 3 numbers in each row" in flat(app)
        await pilot.press("escape")
        await pilot.pause()
        assert not screen_of(app).card.display
        await pilot.press("left")
        await pilot.pause()
        assert screen_of(app).model.cursor < failure
        await pilot.press("right")
        await pilot.pause()
        assert screen_of(app).card.display
        await pilot.press("home", "end")
        await pilot.pause()
        assert screen_of(app).model.cursor == failure


@sizes
async def test_the_first_nan(record: Forker, size: tuple[int, int]) -> None:
    app = app_of(record(SQUARE_ROOT))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        model = screen_of(app).model
        (problem,) = model.problems.all()
        assert f"✗ nan from step {problem.step} of {model.timeline.steps}" in lines(app)[0]
        bar = screen_of(app).timebar
        assert "✗" in lines(app)[bar.region.y]
        x = 1 + next(iter(bar._bar.problems))
        await pilot.click("#timebar", offset=(x, 0))
        await pilot.pause()
        assert model.cursor == problem.step  # a click on the tick goes to the very step
        assert "the first nan" in text(app)
        assert "y = torch.sqrt(s) is nan where s is negative" in flat(app)
        assert "From here: y" in flat(app)
        assert "Perhaps: s.clamp(min=1e-6) in place of s." in flat(app)
        await pilot.press("right")
        await pilot.pause()
        assert not screen_of(app).card.display
        await pilot.press("!")
        await pilot.pause()
        assert model.cursor == problem.step


@sizes
async def test_a_mistake_that_raises_nothing(record: Forker, size: tuple[int, int]) -> None:
    app = app_of(record(LOST_LEAF))
    async with app.run_test(size=size) as pilot:
        await pilot.press("!")
        await pilot.pause()
        assert "✗ a mistake that raises no error here" in text(app)
        assert "since line 6 w means another tensor, which is no leaf: w.grad gets nothing." in flat(app)
        assert "! to that step" in flat(app)
        await pilot.press("!")
        await pilot.pause()
        assert not screen_of(app).card.display
        assert "inevitable" in explained(app)


async def test_the_end_of_a_good_run(record: Forker) -> None:
    app = app_of(record(SQUARE_ROOT.replace("torch.sqrt(s)", "s * 0.1")))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert "5 backward passes · loss" in flat(app)
        assert "the script is done" in explained(app)
        assert "epoch 5/5 · pass 5" in lines(app)[screen_of(app).timebar.region.y]
        await pilot.press("home")
        await pilot.pause()
        assert "iteration" not in lines(app)[screen_of(app).timebar.region.y]


LESSON = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "One"}
#     summary: {en: "One."}
# ---

# %% [markdown] lang="en"
# A sum of two shapes.

# %%
import torch
a = torch.ones(2, 3)
b = torch.ones(4)
try:
    a + b
except RuntimeError as error:
    print(error)

# %% [markdown] lang="en"
# And another one.

# %%
c = a @ a
"""


@pytest.mark.parametrize("size", SIZES[:2])
async def test_failures_in_the_cells_of_a_lesson(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, LESSON, size) as (pilot, screen):
        app = pilot.app
        await pilot.press("!")
        await pilot.pause()
        assert screen.model.problem is not None
        assert screen.model.problem.caught
        assert "The program caught this error and went on." in flat(app)
        await pilot.press("end")
        await pilot.pause()
        assert screen.model.problem is not None
        assert not screen.model.problem.caught
        assert "`" not in flat(app)
        assert "multiplies a (shape" in flat(app)


async def test_the_frames_of_torch_are_folded(record: Forker) -> None:
    app = app_of(record(IN_PLACE))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        screen = screen_of(app)
        screen.show_pane("output")
        await pilot.press("z")
        await pilot.pause()
        shown = text(app)
        assert "frames in torch: Enter shows them" in shown
        assert "d.backward()" in shown
        assert "_engine_run_backward" not in shown
        await pilot.press("enter")
        await pilot.pause()
        assert "_engine_run_backward" in text(app)


def test_own_frames_stay_and_those_of_packages_are_counted() -> None:
    lines = [
        "Traceback (most recent call last):", '  File "/home/me/run.py", line 3, in <module>', "    net(x)",
        '  File "/v/lib/python3.12/site-packages/torch/nn/modules/module.py", line 1, in _call', "    return f()",
        "           ^^^", '  File "/v/lib/python3.12/site-packages/torch/nn/modules/module.py", line 9, in _impl',
        '  File "/home/me/run.py", line 7, in forward', "    return x @ w", "ValueError: no",
    ]  # fmt: skip
    assert folded(lines, {"/home/me/run.py"}) == [*lines[:3], ("torch", 2), *lines[7:]]
    assert folded(["no traceback", "    indented"], ()) == ["no traceback", "    indented"]


# ---------------------------------------------------------------- places and the time bar


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
@pytest.mark.parametrize("height", [16, 24, 30, 40, 60])
@pytest.mark.parametrize("prose", [False, True])
@pytest.mark.parametrize("rows", [0, 4, 7, 30])
def test_a_card_overlaps_nothing_and_leaves_room(width: int, height: int, prose: bool, rows: int) -> None:
    front = {"left": "code", "right": "graph"}
    before = layout.pane_regions(width, height, front=front, prose=prose)
    regions = layout.with_card(before, rows)
    if not rows:
        assert regions == before
        return
    area = sum(region.area for region in regions.values())
    assert area == sum(region.area for region in before.values())
    assert Region.from_union(list(regions.values())) == Region.from_union(list(before.values()))
    if "card" in regions:
        assert layout.CARD <= regions["card"].height <= rows
        assert regions["code"].height >= min(layout.CODE, before["code"].height)
        assert regions["tensors"].height >= layout.TENSORS


def test_each_iteration_has_the_same_room(record: Forker) -> None:
    recording = record(
        "import torch\nw = torch.ones(1, requires_grad=True)\n"
        "for k in range(6):\n    for _ in range(20 if k == 2 else 1):\n        y = w * w\n    y.sum().backward()\n"
    )
    loop = find_training_loop(recording.timeline)
    assert loop is not None
    assert len(loop.starts) == 6
    scale = Scale(recording.timeline.steps, loop)
    places = [scale.place(start - 1) for start in loop.starts]
    gaps = [after - before for before, after in pairwise(places)]
    assert max(gaps) - min(gaps) < 1e-9
    for step in range(recording.timeline.steps + 1):
        assert abs(scale.step(scale.place(step)) - step) < 1e-6
        assert 0 <= column_of(step, 80, scale) < 80
    assert step_at(0, 80, scale) == 0
    assert step_at(79, 80, scale) == recording.timeline.steps


def test_a_nan_stands_out_with_colours_and_without() -> None:
    row = with_nonfinite((("[1 nan -inf] info", "value"), ('float("nan")', "code"), (" inf·2", "quiet")))
    marked = [text for text, roles in row if "nonfinite" in roles]
    assert marked == ["nan", "-inf", "inf"]
    assert "".join(text for text, _ in row) == '[1 nan -inf] infofloat("nan") inf·2'
    for mono in (False, True):
        palette = Palette(DARK, mono)
        assert palette.style("value nonfinite") != palette.style("value")
