"""The boxes of the graph say exactly what its edges are: the lines are followed from box to box in the characters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutor.ui.panes.graph.boxes import BoxDrawing, BoxLayout, IncidentEdges, Shape, layout_boxes, layout_neighbourhood
from tutor.ui.panes.graph.lanes import Edge, Graph, NodeRow
from tutor.ui.panes.graph.layered_layout import arrange_layers, route_edges
from tutor.ui.render.segments import ASCII, UNICODE, Glyphs, row_width

KINDS = ("leaf", "op", "constant", "input", "module")
SHAPES = (Shape(17, 3, 3), Shape(25, 3, 2), Shape(19, 1, 2), Shape(11, 1, 2), Shape(13, 1, 3))
UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
STROKES = {
    "│": UP | DOWN, "─": LEFT | RIGHT, "╭": DOWN | RIGHT, "╮": DOWN | LEFT, "╰": UP | RIGHT, "╯": UP | LEFT,
    "┬": DOWN | LEFT | RIGHT, "┴": UP | LEFT | RIGHT, "├": UP | DOWN | RIGHT, "┤": UP | DOWN | LEFT,
    "┼": UP | DOWN | LEFT | RIGHT,
}  # fmt: skip
Traced = list[tuple[int, int, str]]
"""From which box to which, and what is written at the arrow."""
Place = tuple[int, int]


def graph_of(nodes: Sequence[int], edges: Sequence[Edge], row: Callable[[int], NodeRow] | None = None) -> Graph:
    def plain(node: int) -> NodeRow:
        return NodeRow(node, "op", f"n{node}", "1.", kind=KINDS[node % 5], freed=node % 2 == 0)

    return Graph(nodes, edges, row or plain, lambda row, value, grad: row)


def test_an_expression_gives_way_to_its_value() -> None:
    row = NodeRow(10, "sub", "", "-0.0034917", code="weight * (tensor - low)")
    graph = graph_of([10], [], lambda node: row)
    layout = layout_boxes(arrange_layers([10], []), [], Shape(21, 2, 2))
    assert layout is not None
    assert drawn(graph, layout, UNICODE)[0].strip().startswith("╭─ sub = -0.0034917 ")


def test_a_share_at_the_right_edge_stays_on_the_picture() -> None:
    nodes, pairs = [10, 11, 12, 13], [(10, 11), (10, 12), (10, 13), (12, 13), (10, 13)]
    layout = layout_boxes(arrange_layers(nodes, pairs), pairs, Shape(11, 1, 2))
    assert layout is not None
    drawn(graph_of(nodes, [Edge(source, to, "10") for source, to in pairs]), layout, UNICODE)


@st.composite
def graphs(draws: st.DrawFn) -> Graph:
    """Nodes in order of execution, edges from earlier ones to later ones, some of them there twice; with shares."""
    size = draws(st.integers(1, 16))
    nodes = list(draws(st.permutations(range(10, 10 + size))))
    edges = []
    for at in range(1, size):
        sources = draws(st.lists(st.integers(0, at - 1), max_size=4))
        edges += [Edge(nodes[source], nodes[at], str(draws(st.integers(0, 99)))) for source in sources]
    return graph_of(nodes, list(draws(st.permutations(edges))))


def drawn(graph: Graph, layout: BoxLayout, glyphs: Glyphs) -> list[str]:
    rows = [BoxDrawing(layout, graph, glyphs).row(y, 0, layout.width) for y in range(layout.height)]
    assert all(row_width(row) <= layout.width for row in rows)
    return ["".join(text for text, _ in row).ljust(layout.width) for row in rows]


class Reader:
    """Reads the characters of a picture, as somebody does who knows only how large a box is."""

    def __init__(self, lines: list[str], shape: Shape, glyphs: Glyphs, layout: BoxLayout | None = None) -> None:
        self.lines, self.shape, self.glyphs = lines, shape, glyphs
        self.boxes: dict[Place, int] = {}
        """By cell: the node whose box covers it."""
        corners = "+#" if glyphs.ascii else "┏╭┌╔"
        for y, line in enumerate(lines):
            for match in re.finditer(r"\bn(\d\d)\b", line):
                left = max(line.rfind(corner, 0, match.start()) for corner in corners)
                for x in range(left, left + shape.width):
                    for down in range(shape.height if layout is None else layout.boxes[int(match[1])].height):
                        assert (y + down, x) not in self.boxes, "a box covers another"
                        self.boxes[y + down, x] = int(match[1])

    def strokes(self, place: Place) -> int:
        y, x = place
        if place in self.boxes or not (0 <= y < len(self.lines) and 0 <= x < len(self.lines[y])):
            return 0
        char = self.lines[y][x]
        if not self.glyphs.ascii:
            return STROKES.get(char, 0)
        if char in "|-":
            return UP | DOWN if char == "|" else LEFT | RIGHT
        down = {".": DOWN, "'": UP, "+": UP | DOWN}.get(char, 0)
        beside = (LEFT if self.lines[y][x - 1 : x] == "-" else 0) | (
            RIGHT if self.lines[y][x + 1 : x + 2] == "-" else 0
        )
        return down | beside if down else 0

    def source(self, y: int, x: int) -> int:
        """Whose line ends at the arrow at this place."""
        if (y - 1, x) in self.boxes:
            return self.boxes[y - 1, x]
        assert self.strokes((y - 1, x)) & DOWN, "an arrow hangs in the air"
        seen: set[Place] = set()
        ways = [(y - 1, x)]
        sources = []
        while ways:
            place = ways.pop()
            if place in seen:
                continue
            seen.add(place)
            strokes = self.strokes(place)
            row, column = place
            if strokes & UP:
                if (row - 1, column) in self.boxes:
                    sources.append(self.boxes[row - 1, column])
                else:
                    assert self.strokes((row - 1, column)) & DOWN, "a line ends in the air"
                    ways.append((row - 1, column))
            if strokes & DOWN and self.strokes((row + 1, column)) & UP:
                ways.append((row + 1, column))
            for side, by, back in ((LEFT, -1, RIGHT), (RIGHT, 1, LEFT)):
                if strokes & side:
                    at = column + by
                    while self.strokes((row, at)) == UP | DOWN:  # it runs across another
                        at += by
                    assert self.strokes((row, at)) & back, "a line ends in the air"
                    ways.append((row, at))
        assert len(sources) == 1, "a line comes from one box"
        return sources[0]

    def edges(self) -> Traced:
        edges = []
        for y, line in enumerate(self.lines):
            for x, char in enumerate(line):
                if char == self.glyphs.arrowhead and (y, x) not in self.boxes:
                    label = re.match(r"[0-9×x~…]*", line[x + 1 :])
                    assert label
                    edges.append((self.source(y, x), self.boxes[y + 1, x], label[0]))
        return sorted(edges)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@given(graph=graphs(), rows=st.dictionaries(st.integers(10, 25), st.integers(2, 8), max_size=5))
def test_what_is_drawn_is_the_graph(shape: Shape, glyphs: Glyphs, graph: Graph, rows: dict[int, int]) -> None:
    pairs = [(edge.source, edge.to) for edge in graph.edges]
    layout = layout_boxes(arrange_layers(graph.nodes, pairs), pairs, shape, rows if shape.height == 3 else None)
    assert layout is not None
    reader = Reader(drawn(graph, layout, glyphs), shape, glyphs, layout)
    assert set(reader.boxes.values()) == set(graph.nodes)
    read = reader.edges()
    assert sorted((source, to) for source, to, _ in read) == sorted(pairs)
    # Where there is room for it, the share stands at its own arrow.
    if shape.width >= 17:
        assert read == sorted((edge.source, edge.to, edge.share) for edge in graph.edges)


@st.composite
def channels(draws: st.DrawFn) -> dict[int, list[int]]:
    """Lines from columns to columns, in any order: also such that each would have to turn above the other."""
    ends = draws(st.lists(st.integers(0, 12), unique=True, min_size=1, max_size=10))
    starts = draws(st.lists(st.integers(0, 12), unique=True, min_size=1, max_size=len(ends)))
    lines = {2 * start: [2 * end] for start, end in zip(starts, ends, strict=False)}
    for end in ends[len(starts) :]:
        lines[2 * draws(st.sampled_from(starts))].append(2 * end)
    return lines


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@given(lines=channels())
def test_every_way_between_two_layers_can_be_followed(glyphs: Glyphs, lines: dict[int, list[int]]) -> None:
    rows = route_edges(lines).rows
    text = ["".join(glyphs.stroke(row[x]) if x in row else " " for x in range(100)) for row in rows]
    reader = Reader(text, SHAPES[0], glyphs)
    reader.boxes = {(-1, start): start for start in lines}
    assert {end: reader.source(len(rows), end) for ends in lines.values() for end in ends} == {
        end: start for start, ends in lines.items() for end in ends
    }


def test_two_lines_that_change_places_take_a_way_round() -> None:
    rows = route_edges({0: [4], 4: [0]}).rows
    assert ["".join(UNICODE.stroke(row[x]) if x in row else " " for x in range(7)).rstrip() for row in rows] == [
        "╰───│─╮",
        "╭───╯ │",
        "│   ╭─╯",
    ]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@given(graph=graphs(), cells=st.integers(30, 120), page=st.integers(4, 30), data=st.data())
def test_what_stands_around_a_node_is_what_the_graph_has_there(
    glyphs: Glyphs, graph: Graph, cells: int, page: int, data: st.DataObject
) -> None:
    node = data.draw(st.sampled_from(list(graph.nodes)))
    layout = layout_neighbourhood(node, graph.edges, IncidentEdges(graph.edges), cells, page)
    assert layout is not None
    lines = drawn(graph, layout, glyphs)
    reader = Reader(lines, layout.shape, glyphs)
    shown = set(reader.boxes.values())
    around = [edge for edge in graph.edges if node in (edge.source, edge.to) and {edge.source, edge.to} <= shown]
    assert sorted((source, to) for source, to, _ in reader.edges()) == sorted((edge.source, edge.to) for edge in around)
    inputs = {edge.source for edge in graph.edges if edge.to == node}
    users = {edge.to for edge in graph.edges if edge.source == node}
    assert shown <= {node} | inputs | users
    # What is not shown is counted.
    hidden = {"input": len(inputs - shown), "use": len(users - shown)}
    expected = [f"+{count} {name}{'' if count == 1 else 's'}" for name, count in hidden.items() if count]
    assert [note.text for note in layout.notes] == expected
    assert len(users & shown) == min(len(users), 3)


@given(graph=graphs(), left=st.integers(-20, 60), cells=st.integers(1, 60))
def test_a_part_of_the_picture_is_that_part(graph: Graph, left: int, cells: int) -> None:
    pairs = [(edge.source, edge.to) for edge in graph.edges]
    layout = layout_boxes(arrange_layers(graph.nodes, pairs), pairs, SHAPES[0])
    assert layout is not None
    sheet = BoxDrawing(layout, graph, UNICODE)
    for y in range(layout.height):
        whole, part = (
            "".join(text for text, _ in row) for row in (sheet.row(y, 0, layout.width), sheet.row(y, left, cells))
        )
        wanted = (" " * max(-left, 0) + whole[max(left, 0) :])[:cells]
        assert part[:cells].rstrip() == wanted.rstrip()


WORDS = st.text(st.sampled_from("abw梯度█ ─╭…3."), max_size=30)


@given(names=st.tuples(WORDS, WORDS, WORDS, WORDS, WORDS), data=st.data())
def test_values_never_move_the_drawing(names: tuple[str, ...], data: st.DataObject) -> None:
    """A box is as wide as it is, whatever is written in it; wide characters count two."""
    label, name, value, grad, parts = names
    kind = data.draw(st.sampled_from(KINDS))
    shape = data.draw(st.sampled_from(SHAPES))
    plain = NodeRow(1, label, name, value, grad, parts, kind)
    for row in (plain, replace(plain, now=True), replace(plain, new=True, freed=True, code=name, name="")):
        graph = graph_of([1], [], {1: row}.__getitem__)
        layout = layout_boxes(arrange_layers([1], []), [], shape)
        assert layout is not None
        for y in range(shape.height):
            assert row_width(BoxDrawing(layout, graph, UNICODE).row(y, layout.boxes[1].x, 100)) == shape.width


def test_the_drawing_of_the_design() -> None:
    edges = [Edge(1, 3), Edge(2, 3, "2"), Edge(2, 4, "3"), Edge(3, 5), Edge(4, 5)]
    rows = {
        1: NodeRow(1, "leaf", "x", "2.0000", "2.0000", kind="leaf"),
        2: NodeRow(2, "leaf", "w", "1.0000", "5.0000", kind="leaf"),
        3: NodeRow(3, "add", "a", "3.0000", "2.0000"),
        4: NodeRow(4, "add", "b", "2.0000", "3.0000"),
        5: NodeRow(5, "mul", "y", "6.0000", "1.0000", freed=True),
    }
    pairs = [(edge.source, edge.to) for edge in edges]
    layout = layout_boxes(arrange_layers(list(rows), pairs), pairs, Shape(17, 3, 3))
    assert layout is not None
    shown = drawn(graph_of(list(rows), edges, rows.__getitem__), layout, UNICODE)
    assert [line.rstrip() for line in shown] == [
        "┏━ x ━━━━━━━━━━━┓   ┏━ w ━━━━━━━━━━━┓",
        "┃ = 2.0000      ┃   ┃ = 1.0000      ┃",
        "┗━ ∇ 2.0000 ━━━━┛   ┗━ ∇ 5.0000 ━━━━┛",
        "        │       ╭───────────┴───╮",
        "        ▼       ▼2              ▼3",
        "    ╭─ add ─ a ─────╮   ╭─ add ─ b ─────╮",
        "    │ = 3.0000      │   │ = 2.0000      │",
        "    ╰─ ∇ 2.0000 ────╯   ╰─ ∇ 3.0000 ────╯",
        "            ╰─────╮       ╭─────╯",
        "                  ▼       ▼",
        "              ╭○ mul ╌ y ╌╌╌╌╌╮",
        "              ┊ = 6.0000      ┊",
        "              ╰╌ ∇ 1.0000 ╌╌╌╌╯",
    ]


def test_a_long_chain_with_one_leaf_goes_straight_down() -> None:
    nodes = list(range(200))
    pairs = [(node - 1, node) for node in nodes[1:]] + [(0, node) for node in nodes[2:]]
    layout = layout_boxes(arrange_layers(nodes, pairs), pairs, Shape(17, 3, 3))
    assert layout is not None
    assert layout.width < 2 * 17
