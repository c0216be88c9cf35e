"""The lanes of the graph say exactly what its edges are: they are read back from the characters drawn."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutor.ui.panes.graph.lanes import Lanes, NodeRow, column_widths, draw_lanes, extend_lanes, node_line, widest
from tutor.ui.render.segments import ASCII, UNICODE, Glyphs, row_width

Edges = list[tuple[int, int]]
"""Sorted; what is there twice is an input twice. The lanes tell two from one, but not three from two."""
MARK = "@"


@st.composite
def graphs(draws: st.DrawFn) -> tuple[list[int], Edges]:
    """Nodes in order of execution, and edges from earlier ones to later ones."""
    size = draws(st.integers(0, 24))
    nodes = draws(st.permutations(range(100, 100 + size)))
    edges = []
    for at in range(1, size):
        sources = draws(st.sets(st.integers(0, at - 1), max_size=4))
        twice = draws(st.sets(st.sampled_from(sorted(sources)), max_size=1)) if sources else set()
        edges += [(nodes[source], nodes[at]) for source in [*sources, *twice]]
    return list(nodes), sorted(edges)


def picture(nodes: list[int], edges: Edges, step: int, glyphs: Glyphs) -> list[str]:
    lanes = extend_lanes(Lanes(), nodes, edges)
    rows = [lanes.row(index) for index in range(len(nodes))]
    return [draw_lanes(row, MARK, 0, lanes.count, step, glyphs) for row in rows]


@given(graphs(), st.lists(st.integers(1, 4), max_size=24))
def test_a_graph_that_grows_has_the_lanes_of_the_whole(graph: tuple[list[int], Edges], sizes: list[int]) -> None:
    nodes, edges = graph
    lanes, count = extend_lanes(Lanes(), [], []), 0
    for size in [*sizes, len(nodes)]:
        added = nodes[count : count + size]
        lanes = extend_lanes(lanes, added, [edge for edge in edges if edge[1] in added])
        count += size
    assert lanes == extend_lanes(Lanes(), nodes, edges)


def decode(lines: list[str], nodes: list[int], step: int, glyphs: Glyphs) -> Edges:
    """The edges, from the characters alone: who holds a lane is who stands at its upper end."""
    double = {*glyphs.double_joins, *glyphs.double_ends}
    joins = {glyphs.join_left, glyphs.join_right, glyphs.join_both, *glyphs.double_joins}
    ends = {glyphs.bottom_left, glyphs.bottom_right, glyphs.end_both, *glyphs.double_ends}
    goes_down = {glyphs.down, MARK} | joins
    holders: dict[int, int] = {}
    edges: Edges = []
    above = ""
    for line, node in zip(lines, nodes, strict=True):
        lanes = line[::step]
        assert lanes.count(MARK) == 1
        reached = {lane for lane, char in enumerate(above[::step]) if char in goes_down}
        for lane, char in enumerate(lanes):
            if char in joins | ends:
                edges += [(holders[lane], node)] * (2 if char in double else 1)
            if char in joins | ends | {glyphs.down}:
                assert lane in reached, "a lane hangs in the air"
            if char == MARK and lane in reached:
                edges.append((holders[lane], node))
        for lane, char in enumerate(lanes):
            if char == MARK:
                holders[lane] = node
            elif char in ends or char == " ":
                holders.pop(lane, None)
        above = line
    return sorted(edges)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("step", [1, 2])
@given(graph=graphs())
def test_what_is_drawn_is_the_graph(graph: tuple[list[int], Edges], step: int, glyphs: Glyphs) -> None:
    nodes, edges = graph
    assert decode(picture(nodes, edges, step, glyphs), nodes, step, glyphs) == edges


@given(graph=graphs())
def test_the_line_of_a_node_reaches_all_that_it_joins(graph: tuple[list[int], Edges]) -> None:
    nodes, edges = graph
    for line in picture(nodes, edges, 2, UNICODE):
        joined = [at for at, char in enumerate(line) if char in "┤├┼╯╰┴╡╞╪╛╘╧"]
        if joined:
            first, last = min([*joined, line.index(MARK)]), max([*joined, line.index(MARK)])
            between = line[first + 1 : last : 2] if first % 2 == 0 else ""
            assert set(between) <= {"─"}


def test_the_drawing_of_the_design() -> None:
    lines = picture([1, 2, 3, 4, 5], [(1, 3), (2, 3), (2, 4), (3, 5), (4, 5)], 2, UNICODE)
    assert [line.rstrip() for line in lines] == ["@", "│ @", "@─┤", "│ @", "@─╯"]


def test_what_is_used_twice_is_drawn_double() -> None:
    lines = picture([1, 2, 3, 4], [(1, 2), (1, 2), (1, 3), (2, 3), (2, 3), (3, 4), (3, 4)], 2, UNICODE)
    assert [line.rstrip() for line in lines] == ["@", "╞─@", "@─╛", "╘─@"]


def test_a_node_that_nobody_uses_does_not_touch_the_next() -> None:
    assert [line.rstrip() for line in picture([1, 2, 3], [], 2, UNICODE)] == ["@", "  @", "@"]


def test_a_long_chain_stays_in_one_lane() -> None:
    nodes = list(range(3000))
    assert extend_lanes(Lanes(), nodes, pairwise(nodes)).count == 1


def test_a_window_shows_the_lanes_asked_for() -> None:
    nodes = list(range(10))
    lanes = extend_lanes(Lanes(), [*nodes, 99], [(node, 99) for node in nodes])
    assert lanes.count == 10
    assert draw_lanes(lanes.row(9, 8, 2), MARK, 8, 2, 2, UNICODE) == "│ @ "


# ---------------------------------------------------------------- rows


def drawn(rows: list[NodeRow], cells: int, has_gradients: bool = True) -> list[str]:
    lanes = extend_lanes(Lanes(), [row.node for row in rows], [])
    widths = column_widths(widest(rows), lanes, cells, has_gradients=has_gradients)
    lines = [node_line(row, lanes, index, widths, UNICODE) for index, row in enumerate(rows)]
    assert all(row_width(line) <= cells for line in lines)
    return ["".join(text for text, _role in line) for line in lines]


def test_a_long_operation_takes_the_cells_that_its_name_leaves() -> None:
    rows = [
        NodeRow(1, "leaf", "model.conv.weight", "|x| 1.4", "|g| 0.853", kind="leaf"),
        NodeRow(2, "convolution", "", "|x| 7", "|g| 0.385", code="self.conv(x)"),
        NodeRow(3, "native_batch_norm", "", "|x| 19", "|g| 0.0977", code="self.bn(self.conv(x))"),
        NodeRow(4, "embedding", "tok", "|x| 2", "|g| 1.49"),
    ]
    narrow = drawn(rows, 39)
    wanted = ("model.conv.weight", "convolution self.", "native_batch_norm", "embedding tok")
    assert [name in line for name, line in zip(wanted, narrow, strict=True)] == [True] * 4
    assert "self.bn" not in narrow[2]  # there is no room for enough of it
    assert all("∇ |g|" in line for line in narrow)
    assert len({line.index("∇") for line in narrow}) == 1


def test_bytes_that_a_node_keeps_stand_before_a_pass_where_there_is_room() -> None:
    rows = [NodeRow(1, "mul", "y", "|x| 1.4", kept=2304), NodeRow(2, "add", "z", "|x| 1.4")]
    assert drawn(rows, 63, has_gradients=False)[0].endswith("2,304 B kept")
    assert not any("kept" in line for cells, passes in ((63, True), (30, False)) for line in drawn(rows, cells, passes))
