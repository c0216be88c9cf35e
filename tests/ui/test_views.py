"""The three views of the graph pane, as somebody sees them who walks, chooses and clicks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import screen_of, text
from tests.ui.recordings import SCRIPT, two_paths, viewer
from tests.ui.test_graphing import BLOCKS
from tests.worker.recording import Forker, Recording
from tutor.ui.app import GradtutorApp
from tutor.ui.panes.graph import views
from tutor.ui.panes.graph.lanes import NodeRow
from tutor.ui.panes.graph.model import GraphModel
from tutor.ui.panes.graph.pane import GraphPane
from tutor.ui.panes.graph.structure import Item
from tutor.ui.panes.graph.texts import NodeTexts
from tutor.ui.panes.graph.views import BoxesView
from tutor.ui.render.segments import UNICODE
from tutor.ui.screens.lesson import LessonScreen

CHAIN = """\
import torch
w = torch.tensor(1.0, requires_grad=True)
h = torch.tensor(1.0, requires_grad=True)
for i in range({turns}):
    h = h * w
h.backward()
"""
MANY = """\
import torch
leaves = [torch.tensor([float(i)], requires_grad=True) for i in range({count})]
y = torch.cat(leaves)
y.sum().backward()
"""


def viewed(run: Recording) -> GradtutorApp:
    return GradtutorApp(SCRIPT, lessons=Path("lessons"), timeline=run.timeline)


def graph_of(app: GradtutorApp) -> GraphPane:
    assert isinstance(app.screen, LessonScreen)
    assert app.screen.graph.failure is None
    return app.screen.graph


async def go(app: GradtutorApp, pilot: Pilot[int], step: int) -> list[str]:
    """To a step; the rows of the graph pane."""
    assert isinstance(app.screen, LessonScreen)
    app.screen.go_to(step)
    await pilot.pause()
    return shown(app)


def shown(app: GradtutorApp) -> list[str]:
    return ["".join(piece for piece, _ in row) for row in graph_of(app)._shown]


async def open_all(pilot: Pilot[int]) -> None:
    await pilot.press("end", "s", "end")
    await pilot.pause()


async def test_the_shares_of_a_fan_out_are_read_off_the_boxes_once_they_are_sent() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=(200, 60)) as pilot:
        await open_all(pilot)
        for view in ("boxes", "focus"):
            arrows = {}
            for step in (16, 17, 18, 20):
                await go(app, pilot, step)
                if view == "focus":
                    pane = graph_of(app)
                    pane.choose(pane.place_of("node", 2) or 0)
                arrows[step] = next(line for line in shown(app) if "▼" in line).replace("│", "").split()
            # w stands above both: b sends 3 first, then a sends 2. In the boxes x and 1 are beside it.
            beside = ["▼"] if view == "boxes" else []
            assert arrows[16] == [*beside, "▼", "▼", *beside]
            assert arrows[17] == [*beside, "▼", "▼3", *beside]
            assert arrows[18] == arrows[20] == [*beside, "▼2", "▼3", *beside]
            assert any("∇ 5 = 3 + 2" in line for line in shown(app))
            await pilot.press("v")


async def test_v_goes_round_the_views_and_says_which() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=(120, 40)) as pilot:
        await open_all(pilot)
        assert "· boxes" in shown(app)[0]  # all fits
        for view in ("focus", "lanes", "boxes", "focus"):
            await pilot.press("v")
            await pilot.pause()
            assert f"· {view} " in shown(app)[0]
            message = "one node of the graph" if view == "focus" else f"the graph as {view}"
            assert message in text(app)


async def test_nodes_are_chosen_in_drawing_order_in_every_view() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=(120, 40)) as pilot:
        await open_all(pilot)
        pane = graph_of(app)
        pane.focus()
        for view in ("boxes", "focus", "lanes"):
            assert pane._view is not None
            assert pane._view.name == view
            pane.choose(0)
            details = []
            for _ in range(6):
                details.append(pane.details())
                await pilot.press("down")
                await pilot.pause()
                marked = {piece.strip() for row in pane._shown for piece, role in row if "chosen" in role.split()}
                assert marked, "the mark is not to be seen"
            assert details == [("node", node) for node in (1, 2, 3, 4, 4, 5)]  # the number 1 belongs to 4
            await pilot.press("enter")
            await pilot.pause()
            assert screen_of(app).details.display
            assert "MulBackward0" in text(app)
            await pilot.press("escape", "v")
            await pilot.pause()


async def test_a_click_on_a_box_chooses_its_node() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=(120, 40)) as pilot:
        await open_all(pilot)
        pane = graph_of(app)
        for name, node in ((" a ", 3), (" b ", 4), (" y ", 5)):
            y, line = next((y, line) for y, line in enumerate(shown(app)) if name in line)
            await pilot.click(offset=(pane.region.x + line.index(name), pane.region.y + y + 1))
            await pilot.pause()
            assert pane.details() == ("node", node)
        await pilot.click(offset=(pane.region.x + 2, pane.region.y + 4))  # beside the boxes
        await pilot.pause()
        assert pane.details() == ("node", 5)


@pytest.mark.parametrize("view", ["lanes", "boxes", "focus"])
async def test_what_is_now_stays_in_view(record: Forker, view: str) -> None:
    run = record(CHAIN.format(turns=30))
    app = viewed(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        pane = graph_of(app)
        pane.views.wanted = view
        steps = run.steps_of("node") + run.steps_of("op")[2:]
        for step in steps[::3] + steps[::-7]:
            rows = await go(app, pilot, step)
            assert pane._view is not None
            assert pane._view.name == view
            assert any("▶mul" in line or "▶ mul" in line for line in rows), rows


async def test_what_is_now_stays_in_view_in_a_wide_drawing(record: Forker) -> None:
    run = record(MANY.format(count=5))
    app = viewed(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        pane = graph_of(app)
        pane.views.wanted = "boxes"
        for step in run.steps_of("accumulate"):
            rows = await go(app, pilot, step)
            assert isinstance(pane._view, BoxesView)
            assert pane._view.layout.width > pane.inner
            assert any("┏▶ leaves[" in line for line in rows), rows


async def test_what_cannot_be_drawn_in_boxes_is_drawn_in_lanes_and_says_so(record: Forker) -> None:
    run = record(MANY.format(count=20))
    app = viewed(run)
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.press("end", "v")
        await pilot.pause()
        assert "too large for boxes: the graph as lanes" in text(app)
        assert "lanes, too large for boxes" in shown(app)[0]
        await pilot.press("v")  # one node with as many of its inputs as there is room for
        rows = await go(app, pilot, run.steps_of("node")[1])
        assert "· focus" in rows[0]
        assert any("cat" in line and "inputs" in line for line in rows)


async def test_a_graph_that_outgrew_the_boxes_stays_in_lanes(record: Forker) -> None:
    run = record(CHAIN.format(turns=12))
    app = viewed(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        pane, names = graph_of(app), []
        for step in run.steps_of("op")[1:]:
            await go(app, pilot, step)
            assert pane._view is not None
            names.append(pane._view.name)
        assert names == sorted(names)  # boxes first, then lanes
        assert {*names} == {"boxes", "lanes"}
        rows = await go(app, pilot, run.steps_of("op")[3])
        assert not any("┏" in line for line in rows)


@pytest.mark.parametrize("view", ["lanes", "focus"])
async def test_a_step_back_touches_only_what_is_in_view(
    record: Forker, view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = record(CHAIN.format(turns=400))
    app = viewed(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        pane = graph_of(app)
        pane.views.wanted = view
        steps = run.steps_of("node")
        await go(app, pilot, steps[0])
        asked: list[int] = []
        build_row = NodeTexts.row

        def counted(self: NodeTexts, item: Item) -> NodeRow:
            asked.append(item.number)
            return build_row(self, item)

        def never(*_: object) -> None:
            raise AssertionError("the graph is laid out again")

        monkeypatch.setattr(NodeTexts, "row", counted)
        monkeypatch.setattr(views, "extend_lanes", never)
        monkeypatch.setattr(views, "IncidentEdges", never)
        for step in steps[1:20]:
            asked.clear()
            await go(app, pilot, step)
            assert 0 < len(asked) <= pane.page
            asked.clear()
            pane.scroll_rows(-3)
            assert graph_of(app).failure is None
            assert len(asked) <= 3


async def test_small_matrices_are_numbers_in_their_boxes(record: Forker) -> None:
    run = record(
        "import torch\nw = torch.tensor([[1.0, -2.0], [3.0, 4.5]], requires_grad=True)\n(w * w).sum().backward()\n"
    )
    app = viewed(run)
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.pause()
        rows = await go(app, pilot, run.steps_of("backward_end")[0])
        assert any("⎡ 1  -2   ⎤" in line for line in rows), rows
        assert any("⎣ 3   4.5 ⎦" in line for line in rows)
        assert any("⎡ 1   4    ⎤" in line for line in rows)
        assert any("⎣ 9  20.25 ⎦" in line for line in rows)


async def test_the_way_from_the_selection_to_the_root_is_bright(record: Forker) -> None:
    run = record(
        MANY.format(count=14).replace("y.sum()", "z = y * 2\nfor i in range(13):\n    z = z * 2\n(z + y).sum()")
    )
    app = viewed(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await go(app, pilot, run.steps_of("backward_end")[0])
        pane = graph_of(app)
        pane.focus()
        leaf = next(place for place, node in enumerate(pane._graph.nodes) if pane._graph.row(node).kind == "leaf")
        pane.choose(leaf)
        await pilot.pause()
        rows = [pane._graph.row(node) for node in pane._graph.nodes]
        assert [row.node for row in rows if row.kind == "leaf" and not row.dim] == [pane._graph.nodes[leaf]]
        assert not any(row.dim for row in rows if row.kind == "op")
        pane.mark(None)
        await pilot.pause()
        assert not any(pane._graph.row(node).dim for node in pane._graph.nodes)


# ---------------------------------------------------------------- the column of gradients


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_gradients_have_a_column_from_the_first_step_of_a_pass_to_its_end(
    record: Forker, size: tuple[int, int]
) -> None:
    run = record(BLOCKS)
    (first,), (last,) = run.steps_of("backward"), run.steps_of("backward_end")
    app = viewed(run)
    async with app.run_test(size=size) as pilot:
        graph_of(app).views.wanted = "lanes"
        before = await go(app, pilot, first - 1)
        assert "backward" not in before[0]
        assert not any("∇" in row or "…" in row[-5:] for row in before)
        assert "blocks ×20" in "".join(before)
        columns = set()
        for step in (*range(first, last, 40), last):
            rows = await go(app, pilot, step)
            columns |= {row.index("∇") for row in rows if "∇" in row}
            (blocks,) = [row for row in rows if "×20" in row]
        assert len(columns) == 1
        assert re.search(r"∇ (\|g\| |\[\[)\d", blocks)


def test_a_long_name_has_a_wide_box_where_there_is_room(record: Forker) -> None:
    run = record(
        "import torch\nscaled_prediction = torch.ones(1, requires_grad=True)\n"
        "squared_difference = (scaled_prediction - 3) ** 2\n"
    )
    model = GraphModel()
    graph = model.at(run.timeline, run.timeline.steps)
    for cells, is_whole in ((60, False), (100, True)):
        view = views.ViewSelector().view(graph, None, cells, 30, UNICODE, None)
        drawn = "\n".join("".join(piece for piece, _ in view.row(y, cells, None)) for y in range(view.count()))
        assert view.name == "boxes"
        assert ("pow ╌ squared_difference" in drawn.replace("─", "╌")) == is_whole
        assert ("scaled_prediction ━" in drawn) == is_whole
