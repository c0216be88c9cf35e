"""Taking note, while a recording is fed, of what `columns` lists."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from math import prod
from typing import Any

from tutor.i18n import _
from tutor.trace import events as ev
from tutor.trace.book import Book
from tutor.trace.columns import KIND_NUMBERS, Aside, CellInfo, Columns, PassInfo, Point, Printed
from tutor.trace.graph import is_leaf
from tutor.trace.losses import Named, behind, curves, is_charted, source_of
from tutor.trace.scope import is_indexed, lasting_name, name_of, names_by_tensor
from tutor.trace.state import State
from tutor.trace.values import elements

MOST_PRINTED = 4 << 20
"""So many characters of what was printed are kept; a program of ours sends fewer."""
LINE, OP, CUT = KIND_NUMBERS["line"], KIND_NUMBERS["op"], KIND_NUMBERS["cut"]


class Contents:
    """What is known of a recording without decoding a frame, and how it comes to be known."""

    def __init__(self, book: Book) -> None:
        self.columns = Columns()
        self.series: dict[str, list[Point]] = {}
        self.passes: list[PassInfo] = []
        self.cells: list[CellInfo] = []
        self.turns: dict[int, array[int]] = {}
        """By loop: the step at which each turn of its body begins."""
        self.printed: list[Printed] = []
        self.asides: list[Aside] = []
        self.run_end: ev.RunEnd | None = None
        self.notices: list[str] = []
        self.gaps: list[ev.Gap] = []
        self._book = book
        self._pass_sites: list[int] = []
        self.note: dict[type[ev.Event], Callable[[Any, State], None]] = {
            ev.Line: self._line, ev.Op: self._op, ev.CellStart: self._cell_start, ev.CellEnd: self._cell_end,
            ev.Backward: self._backward, ev.BackwardEnd: self._backward_end, ev.Failed: self._plain,
            ev.Cut: self._cut,
            ev.Node: self._in_pass, ev.Accumulate: self._in_pass, ev.Captured: self._in_pass,
            ev.Retained: self._in_pass, ev.HookRan: self._in_pass,
            ev.Iteration: self._iteration, ev.LoopEnd: self._loop_end, ev.Output: self._output,
            ev.Source: self._once, ev.Site: self._once, ev.Document: self._once, ev.Meta: self._once,
            ev.Saved: self._once, ev.OptimizerStep: self._aside,
            ev.Warned: self._aside, ev.Figure: self._aside, ev.Answer: self._aside, ev.Gap: self._gap,
            ev.Checked: self._aside,
            ev.Point: self._point, ev.RunEnd: self._run_end,
        }  # fmt: skip
        """What to note of an event, by its type, given the state just after it."""

    def notice(self, text: str) -> None:
        """Something that whoever walks this recording should know; said once."""
        if text not in self.notices:
            self.notices.append(text)

    def _step(self, kind: int, depth: int, site: int, state: State) -> None:
        frames = state.frames
        self.columns.append(kind, depth, len(frames) or 1, site, turn_of(state))

    def _line(self, event: ev.Line, state: State) -> None:
        self._step(LINE, 0, event.site, state)

    def _op(self, event: ev.Op, state: State) -> None:
        site = self._book.sites.get(event.site)
        self._step(OP, 0 if site is None else site.depth, event.site, state)

    def _plain(self, event: ev.Event, state: State) -> None:
        self._step(KIND_NUMBERS[event.kind or ""], 0, 0, state)

    def _cut(self, event: ev.Cut, state: State) -> None:
        self.columns.append(CUT, 0, 1, event.site, event.iterations[-1] if event.iterations else 0)

    def _in_pass(self, event: ev.Event, state: State) -> None:
        self._step(KIND_NUMBERS[event.kind or ""], 0, self._pass_sites[-1] if self._pass_sites else 0, state)

    def _cell_start(self, event: ev.CellStart, state: State) -> None:
        self._plain(event, state)
        self.cells.append(CellInfo(event.cell, len(self.columns)))

    def _cell_end(self, event: ev.CellEnd, state: State) -> None:
        self._plain(event, state)
        if self.cells and self.cells[-1].cell == event.cell:
            cell = self.cells[-1]
            cell.end, cell.outcome, cell.note = len(self.columns), event.outcome, event.note

    def _backward(self, event: ev.Backward, state: State) -> None:
        self._pass_sites.append(event.site)
        self._in_pass(event, state)
        self.passes.append(PassInfo(event.number, len(self.columns)))
        site = self._book.sites.get(event.site)
        if is_charted(event.call, event.create_graph, 0 if site is None else site.depth):
            for number in range(len(event.roots)):
                self._chart(event, number, state)

    def _chart(self, event: ev.Backward, number: int, state: State) -> None:
        """The points of one root of a pass."""
        root = state.tensors.get(event.roots[number])
        value = None if root is None else _scalar(root.shape, root.value)
        if root is None or value is None:
            return
        name, parts = name_of(state, root.tensor), list[Named]()
        if (name is None or is_indexed(name)) and root.node in state.nodes:
            parts = _parts(state, root.node)
        text, place = source_of(self._book, event.site, number, len(event.roots))
        for curve in curves(name, value, parts, text, place):
            self._add_point(*curve)

    def _backward_end(self, event: ev.BackwardEnd, state: State) -> None:
        self._in_pass(event, state)
        if self._pass_sites:
            self._pass_sites.pop()
        for info in reversed(self.passes):
            if info.number == event.number:
                info.end_step = len(self.columns)
                break

    def _point(self, event: ev.Point, state: State) -> None:
        if not event.site:
            self._add_point(event.name, event.value)
            return
        text, place = source_of(self._book, event.site, event.root, event.roots)
        for curve in curves(event.name or None, event.value, event.parts, text, place):
            self._add_point(*curve)

    def _add_point(self, name: str, value: float) -> None:
        points = self.series.setdefault(name, [])
        points.append(Point(len(self.columns), len(points), float(value)))

    def _iteration(self, event: ev.Iteration, state: State) -> None:
        turns = self.turns.get(event.loop)
        if turns is None:
            turns = self.turns[event.loop] = array("I")
        turns.append(len(self.columns) + 1)
        self._loop_end(event, state)

    def _loop_end(self, event: ev.Event, state: State) -> None:
        """The step before it counts as of the turn that its state tells."""
        if self.columns.iterations and self.columns.kinds[-1] != CUT:
            self.columns.iterations[-1] = min(max(turn_of(state), 0), 0xFFFFFFFF)

    def _output(self, event: ev.Output, state: State) -> None:
        self.print(len(self.columns), event.stream, event.text)

    def print(self, step: int, stream: str, text: str) -> None:
        """Text printed after a step, as far as there is room for it."""
        before = self.printed[-1].length if self.printed else 0
        if len(text) > MOST_PRINTED - before:
            self.notice(_("More was printed than is kept: what comes after {count:,} characters.", count=MOST_PRINTED))
            text = text[: MOST_PRINTED - before]
        if text:
            self.printed.append(Printed(step, stream, text, before + len(text)))

    def _once(self, event: ev.Event, state: State) -> None:
        self._book.add(event)

    def _aside(self, event: ev.Warned | ev.Figure | ev.Answer | ev.Checked, state: State) -> None:
        self.asides.append(Aside(len(self.columns), event))

    def _gap(self, event: ev.Gap, state: State) -> None:
        self.asides.append(Aside(len(self.columns), event))
        self.gaps.append(event)

    def _run_end(self, event: ev.RunEnd, state: State) -> None:
        self.run_end = event


def _scalar(shape: tuple[int, ...] | None, value: ev.Value) -> float | None:
    """The one element of a tensor; None where it has several, or none that is recorded."""
    held = elements(value) if shape is not None and prod(shape) == 1 else None
    return float(held[0]) if held is not None and len(held) == 1 and isinstance(held[0], (int, float)) else None


def _parts(state: State, root: int) -> list[Named]:
    """The named scalars that a root is a sum of, or scaled from."""
    names, nodes, tensors = names_by_tensor(state), state.nodes, state.tensors

    def inputs(number: int) -> list[int | None]:
        return [None if source is None or source[0] not in nodes else source[0] for source in nodes[number].inputs]

    def named(number: int) -> Named | None:
        node = nodes[number]
        if node.tensor is None or is_leaf(node):
            return None
        tensor = tensors.get(node.tensor)
        if tensor is None or tensor.node != number:
            value, name = _scalar(node.shape, node.value), node.label
        else:
            value, name = _scalar(tensor.shape, tensor.value), names.get(tensor.tensor) or lasting_name(state, tensor)
        return None if name is None or value is None else (name, value)

    return behind(root, lambda number: nodes[number].name, inputs, named)


def turn_of(state: State) -> int:
    """The turn of the innermost loop around the point, also one that a calling function is in; 0: there is none."""
    for frame in reversed(state.frames):
        if frame.iterations:
            return next(reversed(frame.iterations.values()))
    return 0
