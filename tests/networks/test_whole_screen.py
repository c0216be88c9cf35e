"""At every size, in every state of a walk: no text is cut beside empty cells, and numbers have one spelling."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.networks.conftest import NETWORKS, Recorded, go_to, walk
from tests.networks.screen_text import (
    SIZES,
    cut_texts,
    is_canonical,
    is_cut_beside_room,
    numbers_in,
    other_spellings,
    resize,
    second_spellings,
)
from tests.sampling import sample
from tutor import paths
from tutor.check.runner import Runner
from tutor.lesson import catalog
from tutor.trace.command import RunCommand
from tutor.trace.timeline import Timeline

LESSONS = {header.id: header for header in catalog.load(paths.lessons_dir()).lessons}
STATES = 3
"""States of a walk that are looked at in `make test`."""
PANES = 6


def states(timeline: Timeline) -> Sequence[int]:
    """The steps to look at: a sample, with the last one; all of them with `--all`."""
    return sorted({*sample(range(1, timeline.steps + 1), STATES), timeline.steps})


async def problems(timeline: Timeline, name: str) -> list[str]:
    """Walk through a recording at each size, pane by pane where they share a place, and say what is wrong."""
    found: dict[str, str] = {}
    source = "\n".join(source.text for source in timeline.sources.values())
    async with walk(timeline, name, SIZES[0]) as (pilot, screen):
        for size in SIZES:
            await resize(pilot, size)
            for step in states(timeline):
                await go_to(pilot, step)
                for _ in range(PANES if size == SIZES[0] else 1):
                    for what, rows in (
                        ("cut", cut_texts(pilot.app)),
                        ("spelled", other_spellings(pilot.app, source)),
                        ("spelled again", second_spellings(pilot.app, timeline.state(step), source)),
                    ):
                        for row in rows:
                            found.setdefault(f"{what} {size[0]}x{size[1]} {row.pane}", f"step {step}: {row.row!r}")
                    if size == SIZES[0]:
                        await pilot.press("tab")
                        await pilot.pause()
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
