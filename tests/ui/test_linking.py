"""What belongs together in the panes is marked in all of them; modules and inputs by keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import explained, lines, screen_of
from tests.ui.recordings import TRACE
from tests.worker.recording import Forker, Recording
from tutor.ui.app import GradtutorApp
from tutor.ui.panes.base import Pane
from tutor.ui.screens.lesson import LessonScreen

SIZE = (120, 40)
LINK = "┊"

SCRIPT = """\
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
x = torch.ones(1, 2)
w = torch.tensor([1.0], requires_grad=True)
a = net(x) * w
y = (a + w).sum()
y.backward()
"""


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    recording = record(SCRIPT)
    assert recording.status == 0, recording.stderr
    return recording


def viewer(run: Recording) -> GradtutorApp:
    return GradtutorApp(TRACE, lessons=Path("lessons"), timeline=run.timeline)


async def go(pilot: Pilot[int], run: Recording, step: int, pane: str) -> LessonScreen:
    """To a step, with the focus on a pane and the graph as lanes."""
    app = pilot.app
    assert isinstance(app, GradtutorApp)
    await pilot.press("g", *str(step), "enter")
    screen = screen_of(app)
    screen.graph.views.wanted = "lanes"
    screen.show_pane(pane)
    await pilot.pause()
    return screen


def linked_in(pane: Pane) -> list[str]:
    """The rows of a pane that carry the mark of a link."""
    return ["".join(text for text, _ in row).strip(" │┃") for row in pane._shown if any(LINK in t for t, _ in row)]


def has(rows: list[str], *words: str) -> bool:
    """Whether there is one row, with these words."""
    return len(rows) == 1 and all(word in rows[0] for word in words)


async def mark(pilot: Pilot[int], screen: LessonScreen, pane: Pane, subject: tuple[str, int]) -> None:
    """Walk the mark to a thing with the keys."""
    await pilot.press(*["up"] * (pane.choices() + 1))
    for _ in range(pane.choices()):
        await pilot.pause()
        if pane.details() == subject or pane.marked() == subject:
            return
        await pilot.press("down")
    raise AssertionError(f"{subject} is not to be marked")


async def test_the_node_that_runs_is_linked_with_its_line_and_its_tensor(run: Recording) -> None:
    app = viewer(run)
    async with app.run_test(size=SIZE) as pilot:
        screen = await go(pilot, run, run.steps_of("node")[2], "code")  # sum, add, then mul: a
        assert has(linked_in(screen.code), "7", "a = net(x) * w")
        assert has(linked_in(screen.tensors), "a ")
        underlined = {text for row in screen.code._shown for text, role in row if "linked" in role.split()}
        assert "net(x) " in underlined or any("net" in text for text in underlined)
        await pilot.press("right")
        await pilot.pause()
        assert not has(linked_in(screen.code), "a = net(x) * w")


async def test_a_mark_in_the_graph_is_followed_at_once(run: Recording) -> None:
    app = viewer(run)
    async with app.run_test(size=SIZE) as pilot:
        screen = await go(pilot, run, run.timeline.steps, "graph")
        state = run.timeline.state(run.timeline.steps)
        node = state.tensors[run.names()["y"]].node
        assert node is not None
        await mark(pilot, screen, screen.graph, ("node", node))
        await pilot.pause()
        assert has(linked_in(screen.code), "y = (a + w).sum()")
        assert has(linked_in(screen.tensors), "y ")
        assert linked_in(screen.graph) == []  # the mark itself stands there
        leaf = next(n.node for n in state.nodes.values() if n.tensor == run.names()["w"])
        await mark(pilot, screen, screen.graph, ("node", leaf))
        await pilot.pause()
        assert has(linked_in(screen.code), "w = torch.tensor")
        assert has(linked_in(screen.tensors), "w ")
        await pilot.press("escape")
        await pilot.pause()
        assert linked_in(screen.code) == []


async def test_a_tensor_is_linked_with_its_node_and_the_line_that_made_it(run: Recording) -> None:
    app = viewer(run)
    async with app.run_test(size=SIZE) as pilot:
        screen = await go(pilot, run, run.timeline.steps, "tensors")
        names = run.names()
        await mark(pilot, screen, screen.tensors, ("tensor", names["a"]))
        await pilot.pause()
        assert has(linked_in(screen.graph), "mul", "a ")
        assert has(linked_in(screen.code), "a = net(x) * w")
        await mark(pilot, screen, screen.tensors, ("tensor", names["x"]))
        await pilot.pause()
        assert has(linked_in(screen.graph), "x ")
        assert has(linked_in(screen.code), "x = torch.ones(1, 2)")


async def test_a_line_is_linked_with_what_it_made(run: Recording) -> None:
    app = viewer(run)
    async with app.run_test(size=SIZE) as pilot:
        screen = await go(pilot, run, run.timeline.steps, "code")
        for _ in range(12):
            await pilot.press("up")
            await pilot.pause()
            marked = screen.code.marked()
            if marked is not None and marked[1] % (1 << 32) == 8:
                break
        rows = linked_in(screen.graph)
        assert len(rows) == 2
        assert any("add" in row for row in rows)
        assert any("sum" in row for row in rows)
        assert has(linked_in(screen.tensors), "y ")
        await pilot.press("enter")  # on a line there is nothing but the step to tell about
        await pilot.pause()
        await pilot.press("escape")


async def test_i_and_o_open_and_close_modules_where_the_mark_is_in_the_graph(run: Recording) -> None:
    app = viewer(run)
    async with app.run_test(size=SIZE) as pilot:
        step = run.steps_of("backward")[0]
        screen = await go(pilot, run, step, "graph")
        state = run.timeline.state(step)
        addmm = next(node.node for node in state.nodes.values() if node.name == "AddmmBackward0")
        await mark(pilot, screen, screen.graph, ("node", addmm))
        await pilot.press("o")
        await pilot.pause()
        assert any("◆" in line and "Linear" in line and "net[0]" in line for line in lines(app))
        assert screen.model.cursor == step
        await pilot.press("i")
        await pilot.pause()
        assert not any("◆" in line for line in lines(app))
        assert any("addmm" in line for line in lines(app))
        await pilot.press("escape", "i")  # without a mark the key walks
        await pilot.pause()
        assert screen.model.cursor == step + 1


async def test_the_mark_stays_on_its_thing_as_the_graph_grows(run: Recording) -> None:
    app = viewer(run)
    async with app.run_test(size=SIZE) as pilot:
        screen = await go(pilot, run, run.op("net(x) * w"), "graph")
        node = run.timeline.state(screen.model.cursor).tensors[run.names(screen.model.cursor)["a"]].node
        assert node is not None
        await mark(pilot, screen, screen.graph, ("node", node))
        for _ in range(3):
            await pilot.press("right")
            await pilot.pause()
            assert screen.graph.details() == ("node", node)


async def test_inputs_are_hidden_and_shown_by_a_key(run: Recording) -> None:
    app = viewer(run)
    async with app.run_test(size=(140, 40)) as pilot:
        await go(pilot, run, run.timeline.steps, "graph")
        assert any("□" in line and "x " in line for line in lines(app))
        assert "V detail" in lines(app)[-1]
        await pilot.press("V")
        await pilot.pause()
        assert not any("□" in line for line in lines(app))
        assert "without views, data and numbers" in explained(app)
        await pilot.press("V")
        await pilot.pause()
        assert not any("□" in line for line in lines(app))
        assert "with its views" in explained(app)
        await pilot.press("V")
        await pilot.pause()
        assert "the whole graph" in explained(app)
        assert any("□" in line and "x " in line for line in lines(app))


async def test_the_mark_goes_along_with_a_name_through_a_loop(record: Forker) -> None:
    run = record(
        "import torch\nw = torch.ones(1, requires_grad=True)\nfor i in range(3):\n    y = w * i\n    z = y + 1\n"
    )
    app = viewer(run)
    async with app.run_test(size=SIZE) as pilot:
        screen = await go(pilot, run, run.op("y + 1"), "tensors")
        await mark(pilot, screen, screen.tensors, ("tensor", run.names(screen.model.cursor)["y"]))
        seen = set()
        while screen.model.cursor < run.timeline.steps:
            await pilot.press("right")
            await pilot.pause()
            number = run.names(screen.model.cursor)["y"]
            assert screen.tensors.details() == ("tensor", number)
            seen.add(number)
            assert screen.code.linked is not None
            assert screen.code.linked.code is not None
            assert screen.code.linked.code[1] == (4, 8, 4, 13)
        assert len(seen) == 3
