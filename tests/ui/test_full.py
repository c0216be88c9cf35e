"""A recording that was full or has gaps, on the screen: lines are marked, and texts and keys say why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.conftest import lines, screen_of, text
from tests.worker.recording import Forker, Recording
from tutor.i18n import use
from tutor.lesson.catalog import Target
from tutor.ui.app import GradtutorApp

SCRIPT = """\
import torch
seen = []
for word in range(3000):
    number = word + 1
    seen.append(number)
weight = torch.ones(2, requires_grad=True)
for step in range(5):
    loss = (weight * 3).sum()
    loss.backward()
    with torch.no_grad():
        weight -= 0.5 * weight.grad
    weight.grad = None
"""


@pytest.fixture(scope="module")
def full(record: Forker) -> Recording:
    return record(SCRIPT, max_events=3000)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_line_is_marked_where_it_was_full(full: Recording, size: tuple[int, int], tmp_path: Path) -> None:
    timeline = full.timeline
    (cut,) = full.steps_of("cut")
    line, iteration = timeline.view(cut).line, timeline.view(cut).iteration
    app = GradtutorApp(Target("trace", tmp_path / "x.trace", "x.trace"), lessons=tmp_path, timeline=timeline)
    async with app.run_test(size=size) as pilot:
        await pilot.press("end")
        await pilot.pause()
        screen = screen_of(app)
        assert screen.model.cursor == timeline.steps == cut + 1
        marked = [row for row in lines(app) if "▮" in row]
        assert len(marked) == 1
        assert f"▮ {line:>2}" in marked[0]
        assert "▶" not in text(app)
        assert f"full at step {cut:,}" in text(app)
        await pilot.press("left")
        await pilot.pause()
        assert screen.model.cursor == cut
        assert "full here" in text(app)
        assert f"the recording is full here · line {line}, iteration {iteration:,}" in text(app)
        await pilot.press("b")
        await pilot.pause()
        assert f"no further backward pass: the recording was full at step {cut:,}" in text(app)
        await pilot.press("left")
        await pilot.pause()
        assert "▮" not in text(app)
        assert f"▶ {line:>2}" in text(app)
        use("zh")
        await pilot.press("right")
        await pilot.pause()
        assert "记录到这里满了" in text(app)


async def test_gaps_are_marked_in_the_code_and_in_the_bar(record: Forker, tmp_path: Path) -> None:
    script = """\
import torch
def double(i):
    return 2 * i
x = [double(i) for i in range(40)]
for word in range(60):
    number = word + 1
weight = torch.ones(2, requires_grad=True)
loss = (weight * number).sum()
loss.backward()
"""
    recorded = record(script, samples_loops=True)
    assert len(recorded.steps_of("skipped")) == 2
    app = GradtutorApp(Target("trace", tmp_path / "x.trace", "x.trace"), lessons=tmp_path, timeline=recorded.timeline)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        marked = [row for row in lines(app) if "⋮" in row]
        assert [row for row in marked if "⋮  4" in row]
        assert [row for row in marked if "⋮  5" in row]
        assert [row for row in marked if "━⋮━" in row]
