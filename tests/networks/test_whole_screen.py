"""At every size, in every state of a walk: no text is cut beside empty cells, and numbers have one spelling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from textual.pilot import Pilot

from tests.networks.conftest import NETWORKS, Recorded, walk
from tests.networks.screen_text import (
    SIZES,
    Spellings,
    cut_texts,
    is_canonical,
    is_cut_beside_room,
    numbers_in,
    other_spellings,
    resize,
    second_spellings,
    shown,
)
from tests.sampling import sample
from tutor import paths
from tutor.check.runner import Runner
from tutor.lesson import catalog
from tutor.trace.command import RunCommand
from tutor.trace.timeline import Timeline
from tutor.ui.screens.lesson import LessonScreen

LESSONS = {header.id: header for header in catalog.load(paths.lessons_dir()).lessons}
STATES = 6
"""States of a walk that are looked at in `make test`: as many as there are panes that may share a place."""
TURNS = 18
"""How often a walk turns to the next pane, at most: some share a place."""
TIMES = 2
"""How often a step is looked at with `--all`, of those that do the same at the same place of the code."""


def states(timeline: Timeline) -> Sequence[int]:
    """The steps to look at: a sample; with `--all` each that differs, by its place in the code, from those before."""
    looked_at: Counter[object] = Counter()
    different = []
    for step in range(1, timeline.steps + 1):
        view = timeline.view(step)
        site = view.site.site if view.site is not None else None
        looked_at[key := (view.kind, site, getattr(view.event, "name", None))] += 1
        if looked_at[key] <= TIMES:
            different.append(step)
    return sorted({*sample(different, STATES), timeline.steps})


async def show(pilot: Pilot[int], screen: LessonScreen, step: int) -> None:
    """Draw a step, but do not wait until Textual has sent it, unless panes have changed their places."""
    screen.model.go(step)
    screen.notice, placed = (), screen._placed
    screen.update_screen()
    if screen._placed != placed:
        await pilot.pause()
    screen.details.update()


async def problems(timeline: Timeline, name: str) -> list[str]:
    """Walk through a recording at each size, now and then to the next pane, and say what is wrong in what changed."""
    found: dict[str, str] = {}
    source = "\n".join([*(source.text for source in timeline.sources.values()), timeline.output(timeline.steps)])
    spellings, steps = Spellings(), states(timeline)
    async with walk(timeline, name, SIZES[0]) as (pilot, screen):
        for size in SIZES:
            await resize(pilot, size)
            seen: set[tuple[str, tuple[str, ...]]] = set()
            for place, step in enumerate(steps):
                if place % max(len(steps) // TURNS, 1) == 0:
                    await pilot.press("tab")
                await show(pilot, screen, step)
                panes = {pane: rows for pane, rows in shown(pilot.app).items() if (pane, tuple(rows)) not in seen}
                seen |= {(pane, tuple(rows)) for pane, rows in panes.items()}
                for what, findings in (
                    ("cut", cut_texts(panes)),
                    ("spelled", other_spellings(panes, source)),
                    ("spelled again", second_spellings(panes, spellings.at(timeline.state(step)), source)),
                ):
                    for finding in findings:
                        where = f"{what} {size[0]}x{size[1]} {finding.pane}"
                        found.setdefault(where, f"step {step}: {finding.row!r}")
            assert [pane.failure for pane in screen.panes.values()] == [None] * len(screen.panes)
    return [f"{name} {kind} {row}" for kind, row in found.items()]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
async def test_a_network(recorded: Recorded, name: str) -> None:
    assert await problems(recorded(name), name) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", sample(sorted(LESSONS), 2))
async def test_a_lesson(runner: Runner, name: str) -> None:
    path = LESSONS[name].path
    timeline = runner.run(RunCommand(str(path), name)).timeline
    assert await problems(timeline, name) == []


@pytest.mark.parametrize(
    ("row", "is_wrong"),
    [
        ("model.blocks[0]…      2.5   16×16", True),
        ("model.blocks[0]…  2.5", False),
        ("model…weight          2.5", True),
        ("loss = torch.nn.functio…", False),
        ("loss = torch.nn.functio…     ", True),
        ("f(…)      2", False),
        ("[1 2 …]       2", False),
        ("-3.27 … 2.12        2", False),
    ],
)  # fmt: skip
def test_a_cut_text_is_found(row: str, is_wrong: bool) -> None:
    assert is_cut_beside_room(row) == is_wrong


def test_numbers_are_found_in_a_text() -> None:
    text = "grad(w)[0, 1] = 2.50 · -3 + [1e-07 7] in 32×16, 5,786 steps, w1, ≈2, 0.716976, 50%, 3/4, 2. and 1.5.3"
    assert list(numbers_in(text)) == ["2.50", "-3", "1e-07", "7", "≈2", "0.716976", "4", "2."]


@pytest.mark.parametrize("spelled", ["-3", "≈2", "1e-7", "0.71698", "100000", "2.5"])
def test_a_number_is_spelled_as_everywhere(spelled: str) -> None:
    assert is_canonical(spelled)


@pytest.mark.parametrize("spelled", ["2.50", "1e-07", "0.716976", "2.", "2.0", "1.50000e3"])
def test_another_spelling_is_found(spelled: str) -> None:
    assert not is_canonical(spelled)
