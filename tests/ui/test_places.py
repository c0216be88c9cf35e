"""Where panes are: no step of a lesson moves one at 80x24, and keys size them."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.geometry import Region

from tests.sampling import sample
from tests.ui.conftest import screen_of, text
from tests.ui.recordings import TAUGHT, two_paths, viewer
from tests.worker.recording import Forker
from tutor.lesson.catalog import Target
from tutor.study.settings import Settings
from tutor.ui.app import GradtutorApp
from tutor.ui.screens.lesson import LessonScreen

LESSONS = Path(__file__).parent.parent.parent / "lessons"
NEAR = 3
"""Steps before and after the boundary of two cells that are walked."""
OTHERS = 12
"""Steps elsewhere to which one goes."""


def places(screen: LessonScreen) -> dict[str, tuple[int, int, int]]:
    """Where each pane begins, and its width. The lesson gives its lower rows to the answer field and to a card, the
    tensors their upper rows to the card of a question, below which they begin; the chart takes the graph's place where
    the text speaks of it.
    """
    shown = {name: pane.region for name, pane in screen.panes.items() if pane.display}
    card = screen.question_card.region if screen.question_card.display else None
    if card is not None and shown["tensors"].y == card.bottom:
        upper = screen._regions["tensors"].y
        assert upper < card.bottom
        shown["tensors"] = Region(shown["tensors"].x, upper, shown["tensors"].width, 0)
    return {name.replace("chart", "graph"): (region.x, region.y, region.width) for name, region in shown.items()}


@pytest.mark.slow
@pytest.mark.parametrize("path", sample(sorted(LESSONS.glob("*/*.py")), 2), ids=lambda path: path.stem)
async def test_no_step_of_a_lesson_moves_a_pane(record: Forker, path: Path) -> None:
    timeline = record(path).timeline
    boundaries = [info.end or timeline.steps for info in timeline.cells]
    every = max(timeline.steps // OTHERS, 1)
    starts = sorted({max(end - NEAR, 0) for end in boundaries} | set(range(0, timeline.steps, every)))
    app = GradtutorApp(Target("trace", path, path.stem), lessons=LESSONS, timeline=timeline)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        screen, walked = screen_of(app), set()
        expected = places(screen)
        assert {"lesson", "code", "tensors"} < set(expected)
        for start in [*starts, timeline.steps]:
            screen.go_to(start)
            await pilot.pause()
            for _step in range(2 * NEAR):
                walked.add(screen.model.cursor)
                assert places(screen_of(app)) == expected, screen.model.cursor
                await pilot.press("s" if screen.model.asking else "right")
        assert timeline.steps in walked
        assert {timeline.kind(step) for step in walked if step} >= {"op", "cell_end"}


async def test_a_key_that_had_fewer_rows_to_give_counts_only_those(home: Path) -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=(80, 26)) as pilot:
        await pilot.pause()
        screen = screen_of(app)
        before = screen.code.region.height
        assert before % 2 == 0  # the least height is odd
        await pilot.press(*["plus"] * (before // 2))
        await pilot.pause()
        assert (screen.code.region.height, screen.sizes["lesson"]) == (3, before - 3)
        await pilot.press("minus")
        await pilot.pause()
        assert screen.code.region.height == 3 + 2


async def test_plus_and_minus_size_a_pane_and_that_is_kept(home: Path) -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        screen = screen_of(app)
        before = {name: pane.region for name, pane in screen.panes.items() if pane.display}
        assert screen.lesson.has_focus
        await pilot.press("plus", "plus")
        await pilot.pause()
        assert screen.lesson.region.height == before["lesson"].height + 4
        assert screen.code.region.bottom == before["code"].bottom
        assert screen.graph.region == before["graph"]
        assert "lesson: 15 rows" in text(app)
        await pilot.press(*["plus"] * 4)  # the code keeps its least height, and the keys are not counted
        await pilot.press("minus")
        await pilot.pause()
        assert screen.code.region.height == 3 + 2
        app.open(TAUGHT, screen.model.timeline)
        await pilot.pause()
        assert screen_of(app).lesson.region.height == screen.lesson.region.height
        assert Settings().get("panes") == {"lesson": 2}
        await pilot.press("end")
        await pilot.pause()
        assert screen_of(app).model.asking
        await pilot.press("minus", "3")  # a number below zero
        await pilot.pause()
        assert screen_of(app).ask.value == "-3"


async def test_the_chart_comes_to_the_front_while_one_reads_of_it(record: Forker) -> None:
    path = LESSONS / "training" / "03-forgot-zero.py"
    timeline = record(path).timeline
    app = GradtutorApp(Target("trace", path, path.stem), lessons=LESSONS, timeline=timeline)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        screen, seen = screen_of(app), []
        while screen.model.asking or screen.model.cursor < timeline.steps:
            texts = " ".join(screen.model.gate.texts_at(timeline, screen.model.cursor, "en"))
            assert screen.chart.display == ("chart" in texts)
            seen.append(screen.chart.display)
            await pilot.press("s" if screen.model.asking else "right_square_bracket")
            await pilot.pause()
        assert set(seen) == {False, True}


async def test_what_a_step_printed_is_said_where_the_output_is_behind_the_code(home: Path) -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end", "s", "end")
        await pilot.pause()
        screen = screen_of(app)
        assert not screen.output.display
        assert "printed: tensor([5.])" in text(app)
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert screen.output.display
        assert "printed: " not in text(app)
