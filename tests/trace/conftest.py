"""Recordings made by hand and by chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tutor.trace import events as ev
from tutor.trace import wire
from tutor.trace.timeline import Timeline

Build = Callable[..., Timeline]
Pick = Callable[[int, int], int]

LEAF = ev.Meta(1, (1,), "float32", "cpu", (1,), True, True, None, False)
SUM = ev.Meta(2, (1,), "float32", "cpu", (1,), True, False, "AddBackward0", False)
PRODUCT = ev.Meta(3, (1,), "float32", "cpu", (1,), True, False, "MulBackward0", False)

TWO_PATHS = """\
import torch
x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)
a = x + w
b = w + 1
y = a * b
y.backward()
"""


def is_step(event: ev.Event) -> bool:
    return isinstance(event, ev.STEP_KINDS)


def frames_of(events: Sequence[ev.Event], size: int = 8) -> list[bytes]:
    parts = [events[start : start + size] for start in range(0, len(events), size)]
    return [wire.pack(part, sum(map(is_step, part))) for part in parts]


def build_timeline(events: Sequence[ev.Event], size: int = 8) -> Timeline:
    timeline = Timeline()
    for frame in frames_of(events, size):
        timeline.feed(frame)
    return timeline


@pytest.fixture(scope="session")
def build() -> Build:
    """Makes a timeline of events, in frames of `size`."""
    return build_timeline


@pytest.fixture(scope="session")
def pack() -> Callable[..., list[bytes]]:
    """Makes frames of events."""
    return frames_of


def statement(site: int, line: int, columns: tuple[int, int], function: str = "<module>", file: int = 1) -> ev.Site:
    return ev.Site(site, file, (line, columns[0], line, columns[1]), function, site)


@pytest.fixture(scope="session")
def two_paths() -> list[ev.Event]:
    """y = (x + w)(w + 1) at x = 2, w = 1: dy/dx = w + 1 = 2, dy/dw = (w + 1) + (x + w) = 5. 18 steps."""
    return [
        ev.Document("graph/two-paths", {"en": "Two paths"}, [], {"lr": 0.5}),
        ev.CellStart(1),  # 1
        ev.FrameStart(1, "<module>", 1),
        ev.Source(1, "/home/ada/two.py", TWO_PATHS),
        statement(1, 2, (0, 43)), ev.Line(1, 1),  # 2
        ev.Site(2, 1, (2, 4, 2, 43), "<module>", 1, "tensor"), ev.Op(2, 1, [None], [1]),  # 3
        LEAF, ev.Snapshot(1, 1, 0, 1, None, None, [2.0]), ev.Bind(1, "x", "tensor", 1),
        statement(3, 3, (0, 43)), ev.Line(3, 1),  # 4
        ev.Site(4, 1, (3, 4, 3, 43), "<module>", 3, "tensor"), ev.Op(4, 1, [None], [2]),  # 5
        ev.Snapshot(2, 1, 0, 2, None, None, [1.0]), ev.Bind(1, "w", "tensor", 2),
        statement(5, 4, (0, 9)), ev.Line(5, 1),  # 6
        ev.Site(6, 1, (4, 4, 4, 9), "<module>", 5, "add"), ev.Op(6, 1, [1, 2], [3]),  # 7
        ev.GraphNode(1, "AccumulateGrad", [], 1, -1), ev.GraphNode(2, "AccumulateGrad", [], 2, -1),
        ev.GraphNode(3, "AddBackward0", [(1, 0), (2, 0)], 3, 0),
        SUM, ev.Snapshot(3, 2, 0, 3, 3, None, [3.0]), ev.Bind(1, "a", "tensor", 3),
        statement(7, 5, (0, 9)), ev.Line(7, 1),  # 8
        ev.Site(8, 1, (5, 4, 5, 9), "<module>", 7, "add"), ev.Op(8, 1, [2, None], [4]),  # 9
        ev.GraphNode(4, "AddBackward0", [(2, 0), None], 4, 1),
        ev.Snapshot(4, 2, 0, 4, 4, None, [2.0]), ev.Bind(1, "b", "tensor", 4),
        statement(9, 6, (0, 9)), ev.Line(9, 1),  # 10
        ev.Site(10, 1, (6, 4, 6, 9), "<module>", 9, "mul"), ev.Op(10, 1, [3, 4], [5]),  # 11
        PRODUCT, ev.Snapshot(5, 3, 0, 5, 5, None, [6.0]),
        ev.GraphNode(5, "MulBackward0", [(3, 0), (4, 0)], 5, 2, ["self", "other"]), ev.Bind(1, "y", "tensor", 5),
        statement(11, 7, (0, 12)), ev.Line(11, 1),  # 12
        ev.Backward(11, 1, 1, "backward", [5], False, False),  # 13
        ev.Node(5, [[1.0]], [[2.0], [3.0]]),  # 14
        ev.Node(4, [[3.0]], [[3.0], None]),  # 15
        ev.Node(3, [[2.0]], [[2.0], [2.0]]),  # 16
        ev.Accumulate(2, 2, 6, [5.0], [5.0]),  # 17
        ev.Accumulate(1, 1, 7, [2.0], [2.0]),  # 18
        ev.BackwardEnd(1, True),  # 19
        ev.Output("stdout", "done\n"),
        ev.CellEnd(1, "ok"),  # 20
        ev.RunEnd("ok", 0),
    ]  # fmt: skip


def chance_events(pick: Pick, length: int) -> list[ev.Event]:
    """A recording in which everything refers to what there is, in an order that chance decides."""
    source = "for i in range(9):\n    y = f(i)\nz = 1\ndef f(i):\n    return i\n"
    found: list[ev.Event] = [
        ev.Document("any", {"en": "Any"}, []), ev.Source(1, "any.py", source), LEAF, SUM,
        ev.Site(1, 1, (1, 0, 2, 12), "<module>", 1), ev.Site(2, 1, (2, 4, 2, 12), "<module>", 2),
        ev.Site(3, 1, (3, 0, 3, 5), "<module>", 3), ev.Site(4, 1, (5, 4, 5, 12), "f", 4),
        ev.Site(5, 1, (5, 11, 5, 12), "f", 4, "add", 1), ev.CellStart(1), ev.FrameStart(1, "<module>", 1),
    ]  # fmt: skip
    frames, suspended, tensors, nodes = [1], list[int](), list[int](), list[int]()
    groups, serials, passes, running = 0, 1, 0, False
    for _ in range(length):
        serials += 1
        frame, act = frames[-1], pick(0, 19)
        some = tensors[pick(0, len(tensors) - 1)] if tensors else 0
        node = nodes[pick(0, len(nodes) - 1)] if nodes else 0
        if act <= 2:
            found.append(ev.Line(pick(1, 4), frame))
        elif act == 3:
            found.append(ev.Op(5, frame, [some or None], [serials]))
            found.append(ev.GraphNode(serials, "AddBackward0", [(node, 0) if node else None], serials, serials))
            found.append(ev.Snapshot(serials, 2, 0, serials, serials, None, [float(serials)]))
            nodes.append(serials)
            tensors.append(serials)
        elif act == 4:
            found.append(ev.Snapshot(serials, 1, 0, serials, None, None, [0.5]))
            found.append(ev.GraphNode(serials, "AccumulateGrad", [], serials, -1))
            tensors.append(serials)
            nodes.append(serials)
        elif act == 5 and some:
            found.append(ev.Snapshot(some, 1, serials, some, None, None, None if pick(0, 1) else [1.5]))
        elif act == 6:
            found.append(ev.Bind(frame, "xyz"[pick(0, 2)], ("tensor", "value", "none")[pick(0, 2)], some, 3))
        elif act == 7 and some:
            groups += 1
            found.append(ev.Group(groups, [("[0]", some), (".w", tensors[0])]))
            found.append(ev.Bind(frame, "g", "group", groups))
        elif act == 8 and some:
            tensors.remove(some)
            found.append(ev.Gone([some]))
        elif act == 9 and len(frames) < 4:
            found.append(ev.FrameStart(serials, "f", 1, bool(pick(0, 1))))
            frames.append(serials)
        elif act == 10 and len(frames) > 1:
            found.append(ev.FrameEnd(frames.pop()))
        elif act == 11:
            found.append(ev.Iteration(frame, 1, pick(1, 5)))
        elif act == 12:
            found.append(ev.LoopEnd(frame, 1))
        elif act == 13 and some and not running:
            passes, running = passes + 1, True
            retain = bool(pick(0, 1))
            found.append(ev.Backward(2, frame, passes, "backward", [some], retain, False))
        elif act == 14 and node and running:
            found.append(ev.Node(node, [[1.0]], [[2.0]]))
        elif act == 15 and some and running:
            found.append(ev.Accumulate(node, some, serials, [1.0], [2.0]))
            tensors.append(serials)
        elif act == 16 and running:
            running = False
            found.append(ev.BackwardEnd(passes, True))
        elif act == 17 and node:
            nodes.remove(node)
            found.append(ev.Freed([node]))
        elif act == 18:
            found.append(ev.Output("stdout", f"{serials}\n"))
        elif act == 19:
            if suspended and pick(0, 1):
                frames.append(suspended.pop())
                found.append(ev.Bind(frames[-1], "v", "value", 0, serials))
            elif some:
                found.append(ev.Retained(some, serials, [4.0]))
    return found


@pytest.fixture(scope="session")
def by_chance() -> Callable[[Pick, int], list[ev.Event]]:
    """Makes a valid recording; `pick(low, high)` decides."""
    return chance_events
