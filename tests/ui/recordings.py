"""Recordings made by hand: y = (x + w)(w + 1) as a lesson of three cells with a question, and a loop with a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tutor.lesson.catalog import Target
from tutor.trace import events as ev
from tutor.trace import wire
from tutor.trace.command import RunCommand
from tutor.trace.timeline import Timeline
from tutor.ui.app import GradtutorApp

LEAF = ev.Meta(1, (1,), "float32", "cpu", (1,), True, True, None, False)
SUM = ev.Meta(2, (1,), "float32", "cpu", (1,), True, False, "AddBackward0", False)
PRODUCT = ev.Meta(3, (1,), "float32", "cpu", (1,), True, False, "MulBackward0", False)
SCALAR = ev.Meta(4, (), "float32", "cpu", (), True, False, "PowBackward0", False)

_FIRST = """\
x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)
"""
_SECOND = """\
a = x + w
b = w + 1
y = a * b
y.backward()
"""
_THIRD = 'print(w.grad, "[red]w[i][/red]", "梯度", "\\x1b[31m")\n'
_TEXT = f"# %%\n{_FIRST}\n# %%\n{_SECOND}\n# %%\n{_THIRD}"
PRINTED = "tensor([5.]) [red]w[i][/red] 梯度 \x1b[31m\n"
STEPS = 26


def _prose(index: int, text: str, **more: Any) -> dict[str, Any]:
    return {"kind": "prose", "index": index, "first_line": 1, "lines": 1, "text": {"en": text}, **more}


def _code(index: int, number: int, first: int, source: str) -> dict[str, Any]:
    lines = source.count("\n")
    return {"kind": "code", "index": index, "first_line": first, "lines": lines, "number": number, "source": source}


CELLS = [
    _prose(0, "Two leaves, `x` and `w`.\n\n- one **item**\n- `w[i]` and [red]"),
    _code(1, 1, 2, _FIRST),
    _prose(2, "After `y.backward()`, what will `w.grad` hold?", kind="question", question="predict", of="w.grad"),
    _code(3, 2, 6, _SECOND),
    _prose(4, "So `w.grad` is {{ w.grad.item() }}: the sum of both paths. 梯度相加。"),
    _code(5, 3, 12, _THIRD),
    _prose(6, "That is all."),
]
LESSON = ev.Document("graph/two-paths", {"en": "Two paths to one leaf"}, CELLS, {}, "cpu")


def _line(site: int, line: int, width: int) -> list[ev.Event]:
    return [ev.Site(site, 1, (line, 0, line, width), "<module>", site), ev.Line(site, 1)]


def _op(
    site: int, line: int, columns: tuple[int, int], name: str, inputs: list[int | None], output: int
) -> list[ev.Event]:
    place = ev.Site(site, 1, (line, columns[0], line, columns[1]), "<module>", site - 1, name)
    return [place, ev.Op(site, 1, inputs, [output])]


def two_paths(document: ev.Document = LESSON) -> list[ev.Event]:
    """dy/dx = w + 1 = 2; dy/dw = (w + 1) + (x + w) = 2 + 3 = 5."""
    return [
        document, ev.CellStart(1), ev.FrameStart(1, "<module>", 1), ev.Source(1, "/home/ada/two.py", _TEXT),  # 1
        *_line(1, 2, 43), *_op(2, 2, (4, 43), "tensor", [None], 1),  # 2, 3
        LEAF, ev.Snapshot(1, 1, 0, 1, None, None, [2.0]), ev.Bind(1, "x", "tensor", 1),
        *_line(3, 3, 43), *_op(4, 3, (4, 43), "tensor", [None], 2),  # 4, 5
        ev.Snapshot(2, 1, 0, 2, None, None, [1.0]), ev.Bind(1, "w", "tensor", 2),
        ev.CellEnd(1, "ok"),  # 6
        ev.CellStart(2),  # 7
        *_line(5, 6, 9), *_op(6, 6, (4, 9), "add", [1, 2], 3),  # 8, 9
        ev.GraphNode(1, "AccumulateGrad", [], 1, -1), ev.GraphNode(2, "AccumulateGrad", [], 2, -1),
        ev.Attributes(1, {"alpha": 1}), ev.GraphNode(3, "AddBackward0", [(1, 0), (2, 0)], 3, 0, attributes=1),
        SUM, ev.Snapshot(3, 2, 0, 3, 3, None, [3.0]), ev.Bind(1, "a", "tensor", 3),
        *_line(7, 7, 9), *_op(8, 7, (4, 9), "add", [2, None], 4),  # 10, 11
        ev.GraphNode(4, "AddBackward0", [(2, 0), None], 4, 1, attributes=1),
        ev.Snapshot(4, 2, 0, 4, 4, None, [2.0]), ev.Bind(1, "b", "tensor", 4),
        *_line(9, 8, 9), *_op(10, 8, (4, 9), "mul", [3, 4], 5),  # 12, 13
        PRODUCT, ev.Snapshot(5, 3, 0, 5, 5, None, [6.0]),
        ev.GraphNode(5, "MulBackward0", [(3, 0), (4, 0)], 5, 2, ["self", "other"]), ev.Bind(1, "y", "tensor", 5),
        *_line(11, 9, 12),  # 14
        ev.Backward(11, 1, 1, "backward", [5], False, False),  # 15
        ev.Node(5, [[1.0]], [[2.0], [3.0]]),  # 16
        ev.Node(4, [[3.0]], [[3.0], None]),  # 17
        ev.Node(3, [[2.0]], [[2.0], [2.0]]),  # 18
        ev.Accumulate(1, 1, 7, [2.0], [2.0]),  # 19
        ev.Snapshot(1, 1, 0, 1, None, 7, None),
        ev.Accumulate(2, 2, 6, [5.0], [5.0]),  # 20
        ev.Snapshot(2, 1, 0, 2, None, 6, None),
        ev.BackwardEnd(1, True),  # 21
        ev.CellEnd(2, "ok"),  # 22
        ev.Answer(2, [5.0]),
        ev.CellStart(3),  # 23
        *_line(13, 12, 50),  # 24
        ev.Output("stdout", PRINTED),
        ev.Warned("UserWarning", "The .grad attribute of a Tensor that is not a leaf"),
        *_line(14, 12, 50),  # 25
        ev.CellEnd(3, "ok"),  # 26
        ev.RunEnd("ok", 0),
    ]  # fmt: skip


LOOP = """\
w = torch.ones(1, requires_grad=True)
for epoch in range(20):
    loss = (w * 3) ** 2
    loss.backward()
"""


def training(turns: int = 20) -> list[ev.Event]:
    """A loop with a backward pass in each turn: the loss falls from 9, and is `inf` once."""
    events: list[ev.Event] = [
        ev.Document("loop.py", {}, [_code(0, 1, 1, LOOP)], {"lr": 0.5}, "cpu"),
        ev.CellStart(1), ev.FrameStart(1, "<module>", 1), ev.Source(1, "/home/ada/loop.py", LOOP),
        *_line(1, 1, 37), ev.Site(2, 1, (1, 4, 1, 37), "<module>", 1, "ones"), ev.Op(2, 1, [None], [1]),
        LEAF, ev.Snapshot(1, 1, 0, 1, None, None, [1.0]), ev.Bind(1, "w", "tensor", 1),
        ev.Site(3, 1, (2, 0, 2, 23), "<module>", 3), ev.Site(4, 1, (3, 4, 3, 23), "<module>", 4),
        ev.Site(5, 1, (3, 11, 3, 23), "<module>", 4, "pow"), ev.Site(6, 1, (4, 4, 4, 19), "<module>", 6),
        SCALAR, ev.GraphNode(1, "AccumulateGrad", [], 1, -1),
    ]  # fmt: skip
    for turn in range(1, turns + 1):
        tensor, node = 10 + turn, 10 + turn
        value = float("inf") if turn == 5 else 9.0 / turn
        events += [
            ev.Line(3, 1), ev.Iteration(1, 3, turn), ev.Bind(1, "epoch", "value", 0, turn - 1), ev.Line(4, 1),
            ev.Op(5, 1, [1], [tensor]), ev.GraphNode(node, "PowBackward0", [(1, 0)], tensor, turn),
            ev.Snapshot(tensor, 4, 0, tensor, node, None, value), ev.Bind(1, "loss", "tensor", tensor),
            ev.Line(6, 1), ev.Backward(6, 1, turn, "backward", [tensor], False, False),
            ev.Node(node, [1.0], [[2.0]]), ev.Accumulate(1, 1, 9, [2.0], [2.0 * turn]), ev.BackwardEnd(turn, True),
            ev.Output("stdout", f"{turn}\n"),
        ]  # fmt: skip
    return [*events, ev.LoopEnd(1, 3), ev.CellEnd(1, "ok"), ev.RunEnd("ok", 0)]


def frames_of(events: Sequence[ev.Event], size: int = 12) -> list[bytes]:
    """The events as they come through the pipe."""
    parts = [events[start : start + size] for start in range(0, len(events), size)]
    return [wire.pack(part, sum(isinstance(event, ev.STEP_KINDS) for event in part)) for part in parts]


def timeline_of(events: Sequence[ev.Event]) -> Timeline:
    """A recording of these events."""
    timeline = Timeline()
    for frame in frames_of(events):
        timeline.feed(frame)
    return timeline


class FakeSession:
    """What a session is to the screen: it feeds a timeline, and here waits where a test wants it to."""

    def __init__(self, events: Sequence[ev.Event], hold: int | None = None) -> None:
        import asyncio

        self.frames = frames_of(events)
        self.events = events
        self.timeline = Timeline()
        self.phase = "starting"
        self.refused: ev.RunEnd | None = None
        self.waiting: ev.Waiting | None = None
        self.stopped = asyncio.Event()
        self.go_on = asyncio.Event()
        self.hold = hold
        """Wait for `go_on` (or a stop) after so many frames."""
        self.closed = False
        self.command = RunCommand("", "")

    async def run(self, updated: Callable[[], None]) -> None:
        import asyncio

        for number, frame in enumerate(self.frames):
            if number == self.hold:
                self.phase = "importing" if number == 0 else "running"
                updated()
                waiting = [asyncio.create_task(event.wait()) for event in (self.go_on, self.stopped)]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in waiting:
                    task.cancel()
            if self.stopped.is_set():
                self.timeline.feed(frames_of([ev.CellEnd(1, "stopped"), ev.RunEnd("stopped", 130)])[0])
                break
            self.timeline.feed(frame)
            self.phase = "running"
            updated()
            await asyncio.sleep(0)
        self.phase = "ended"
        updated()

    def type_line(self, text: str | None) -> bool:
        self.waiting = None
        return True

    async def stop(self) -> None:
        self.stopped.set()

    def again(self, **changes: Any) -> FakeSession:
        new = FakeSession(self.events)
        new.command = msgspec.structs.replace(self.command, **changes)
        return new

    async def close(self) -> None:
        self.closed = True

    def kill(self) -> None:
        self.closed = True


TRACE = Target("trace", Path("two.trace"), "two.trace")
SCRIPT = Target("file", Path("loop.py"), "loop.py")
TAUGHT = Target("lesson", Path("lessons/graph/01-two-paths.py"), "graph/two-paths")


def viewer(events: Sequence[ev.Event], target: Target = TRACE) -> GradtutorApp:
    """The app on a recording that is complete."""
    return GradtutorApp(target, lessons=Path("lessons"), timeline=timeline_of(events))


def runner(session: FakeSession, target: Target = TAUGHT) -> GradtutorApp:
    """The app on a run."""
    return GradtutorApp(target, lessons=Path("lessons"), factory=lambda _: session)  # type: ignore[arg-type,return-value]
