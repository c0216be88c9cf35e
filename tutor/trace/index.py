"""What a recording says once and refers to by number after: its document, sources, sites and metas.

The recording's table of contents: what is known of every step, series, pass and cell without decoding a frame.

Under which names a backward pass is charted, and with which values.

The curve is that of the loss, as the learner calls it, and not of what became of it on the way to `backward`:

- A root with a name is charted under that: `loss.backward()`.
- Else what is charted is the nearest named scalar behind scaling (a product with, or a quotient by, what needs no
  gradient), sums and changes of shape or dtype, with its own value: `(loss / n).backward()` is `loss`, not `loss / n`.
  A leaf is no loss, and neither is a factor of a product in which both sides need gradients.
- A sum of several named scalars is charted as a whole under its source text, and so is each of them that has a name
  of its own (`recon + kl`, `recon`, `kl`); those that only stand in a list (`losses[3]`) are many, and charted as the
  sum alone.
- A name by number changes with every pass where a list grows, so it counts only where the code says it:
  `losses[-1].backward()` is charted as `losses[-1]`.
- Where there is no name, the source text of the root (`cost()`) stands for it; where that is long, or the call stands
  in a library, its file and line.

`autograd.grad` counts as `backward` does, unless it makes a graph of its own: then it is a part of a loss to come.
The recorder asks the same questions of live tensors once the budget is spent, and the names go on.

Taking note, while a recording is fed, of what `columns` lists."""

from __future__ import annotations

import ast
import os
from array import array
from collections.abc import Callable, Hashable, Iterable, Sequence
from math import prod
from typing import Any, TypeVar

import msgspec

from tutor.i18n import _
from tutor.trace import events as ev
from tutor.trace.events import (
    STEP_KINDS,
    Answer,
    Checked,
    Document,
    Event,
    Figure,
    Gap,
    Meta,
    OptimizerStep,
    RunEnd,
    Saved,
    Site,
    Source,
    Span,
    Warned,
)
from tutor.trace.graph import is_leaf
from tutor.trace.names import is_indexed, lasting_name, name_of, names_by_tensor
from tutor.trace.source import SourceText, parse
from tutor.trace.state import SiteInfo, State
from tutor.trace.values import elements


class Book:
    """All that was said once, so far."""

    def __init__(self) -> None:
        self.document: Document | None = None
        self.sources: dict[int, Source] = {}
        self.sites: dict[int, SiteInfo] = {}
        self.metas: dict[int, Meta] = {}
        self.saved: dict[tuple[int, str], list[Saved]] = {}
        """By the site of an operation and the name of the node that it makes: one for each set of inputs that need a
        gradient."""
        self.most_text: int | None = None
        """So many characters of text are at hand as statements, of a recording that may come from a stranger."""
        self._texts: dict[int, SourceText] = {}
        self._headers: dict[tuple[int, Span], Span] = {}
        self._inside: dict[tuple[int, int], bool] = {}

    def add(self, event: Event) -> None:
        """Take note of a `Source`, `Site`, `Document`, `Meta` or `Saved`."""
        if type(event) is Site:
            self.sites[event.site] = SiteInfo(
                event.site, event.file, event.span, event.function, event.statement,
                event.op, event.depth, event.parent, event.inplace,
            )  # fmt: skip
        elif type(event) is Meta:
            self.metas[event.meta] = event
        elif type(event) is Saved:
            self.saved.setdefault((event.site, event.name), []).append(event)
        elif type(event) is Source:
            self.sources[event.file] = event
            self._texts.pop(event.file, None)
        elif type(event) is Document:
            self.document = event

    def text(self, file: int) -> SourceText | None:
        """The text of a file, or None where the recording has none."""
        text = self._texts.get(file)
        if text is None and file in self.sources:
            held = self.sources[file].text
            if self.most_text is not None and len(held) + sum(map(len, self._texts.values())) > self.most_text:
                self._texts.clear()
            text = self._texts[file] = SourceText(held, self.most_text)
        return text

    def code(self, file: int, span: Span) -> str | None:
        """What stands at a place in a file."""
        text = self.text(file)
        return None if text is None else text.slice(span)

    def header(self, file: int, span: Span) -> Span:
        """A statement without the block that follows its header."""
        if span[0] == span[2]:
            return span
        known = self._headers.get((file, span))
        if known is None:
            text = self.text(file)
            known = self._headers[file, span] = span if text is None else text.header(span)
        return known

    def inside(self, site: int, loop: int) -> bool:
        """Whether a statement belongs to the loop whose header is `loop` (the header does)."""
        known = self._inside.get((site, loop))
        if known is None:
            known = self._inside[site, loop] = self._look(site, loop)
        return known

    def _look(self, site: int, loop: int) -> bool:
        here, header = self.sites.get(site), self.sites.get(loop)
        if site == loop or here is None or header is None:
            return True
        text = self.text(header.file)
        extent = None if text is None else text.extent(header.span[0], header.span[1])
        if extent is None:
            return True
        return here.file == header.file and extent[0] <= here.span[0] <= extent[1]


KIND_NAMES: tuple[str, ...] = ("", *(kind.kind or "" for kind in STEP_KINDS))
"""The name of a step's kind, by its number."""
KIND_NUMBERS: dict[str, int] = {name: number for number, name in enumerate(KIND_NAMES)}
_OP = KIND_NUMBERS["op"]
_CUT = KIND_NUMBERS["cut"]
NO_STOP = 255
"""In `stops`: not a step that `n` and `p` stop at."""
STOP_KINDS = frozenset(KIND_NUMBERS[name] for name in ("line", "cell_end", "failed", "cut"))


class Columns:
    """Per step, from step 1 at place 0."""

    def __init__(self) -> None:
        self.kinds = bytearray()
        self.depths = bytearray()
        """Of operations: how many composites of torch's stand around."""
        self.stops = bytearray()
        """Of lines, ends of cells and failures: the frame's depth, at most 254. Of all else: NO_STOP."""
        self.frame_depths = array("H")
        """How many of the learner's frames are on the stack, the module's included."""
        self.sites = array("I")
        self.iterations = array("I")
        """The turn of the innermost loop, from 1; 0 where there is none."""
        self._operations = array("I")

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def cut(self) -> int | None:
        """The step at which the recording was full; None where it is whole."""
        return self.kinds.find(_CUT) + 1 or None

    def operation(self, number: int) -> int | None:
        """The step of the `number`-th operation, from 1; None where there are not so many."""
        found = self._operations
        while len(found) < number:
            at = self.kinds.find(_OP, found[-1] if found else 0)
            if at < 0:
                return None
            found.append(at + 1)
        return found[number - 1] if number > 0 else None

    def back(self, step: int, inside: int | None = None) -> int | None:
        """Return the step before this one, over those deeper in composites than `inside` (None: this step)."""
        depth = inside
        if depth is None:
            depth = self.depths[step - 1] if 1 <= step <= len(self.depths) else 0
        place = last_at_most(self.depths, depth, step - 1)
        return None if place is None else place + 1

    def append(self, kind: int, depth: int, frame_depth: int, site: int, iteration: int) -> None:
        """One more step."""
        self.kinds.append(kind)
        self.depths.append(min(max(depth, 0), 255))
        self.stops.append(min(frame_depth, NO_STOP - 1) if kind in STOP_KINDS else NO_STOP)
        self.frame_depths.append(min(frame_depth, 0xFFFF))
        self.sites.append(site if 0 <= site <= 0xFFFFFFFF else 0)
        self.iterations.append(min(max(iteration, 0), 0xFFFFFFFF))


class Point(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A value in a series: at which step, the how-manieth from 0."""

    step: int
    x: int
    value: float


class PassInfo(msgspec.Struct, array_like=True, gc=False):
    """A backward pass: from its `Backward` to its `BackwardEnd` (None: it has none yet)."""

    number: int
    start_step: int
    end_step: int | None = None


class CellInfo(msgspec.Struct, array_like=True, gc=False):
    """A code cell that ran: from its `CellStart` to its `CellEnd`, outcome None while it runs."""

    cell: int
    start: int
    end: int | None = None
    outcome: str | None = None
    note: str = ""


class Printed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Text printed after this step and before the next; `length` of all output with it."""

    step: int
    stream: str
    text: str
    length: int


class SideEvent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A warning, figure, answer, gap or optimizer's step, and the step after which it came."""

    step: int
    event: Warned | Figure | Answer | Checked | Gap | OptimizerStep


class Summary(msgspec.Struct, array_like=True, gc=False):
    """All of it, as it is written at the end of a file."""

    kinds: bytes
    depths: bytes
    stops: bytes
    frame_depths: bytes
    sites: bytes
    iterations: bytes
    document: Document | None
    sources: list[Source]
    site_infos: list[SiteInfo]
    metas: list[Meta]
    series: dict[str, list[Point]]
    passes: list[PassInfo]
    cells: list[CellInfo]
    iteration_starts: dict[int, bytes]
    printed: list[Printed]
    side_events: list[SideEvent]
    run_end: RunEnd | None
    notices: list[str]
    saved: list[Saved] = []


def first_at_most(column: bytearray, most: int, start: int) -> int | None:
    """The first place from `start` on that holds at most `most`."""
    best, end = None, len(column)
    for value in range(most + 1):
        found = column.find(value, max(start, 0), end)
        if found >= 0:
            best = end = found
    return best


def last_at_most(column: bytearray, most: int, end: int) -> int | None:
    """The last place before `end` that holds at most `most`."""
    best, start = None, 0
    for value in range(most + 1):
        found = column.rfind(value, start, max(end, 0))
        if found >= 0:
            best = start = found
    return best


Key = TypeVar("Key", bound=Hashable)
Named = tuple[str, float]
_SUMS = {"AddBackward0", "SubBackward0", "RsubBackward0", "StackBackward0", "CatBackward0"}
_THROUGH = {
    "NegBackward0", "CloneBackward0", "AliasBackward0", "ToCopyBackward0", "ViewBackward0", "UnsafeViewBackward0",
    "ReshapeAliasBackward0", "SqueezeBackward0", "SqueezeBackward1", "SqueezeBackward2", "UnsqueezeBackward0",
}  # fmt: skip
_REDUCED = {"SumBackward0", "SumBackward1", "MeanBackward0", "MeanBackward1"}
_STACKED = {"StackBackward0", "CatBackward0"}
_MOST_NODES = 4096
_MOST_CURVES = 8
_LONGEST = 60


def is_charted(call: str, create_graph: bool, depth: int) -> bool:
    """Whether a call that starts a pass is one whose roots are charted."""
    return call != "grad" or not (create_graph or depth)


def behind(
    root: Key, kind: Callable[[Key], str], inputs: Callable[[Key], Iterable[Key | None]],
    named: Callable[[Key], Named | None],
) -> list[Named]:  # fmt: skip
    """The named scalars behind the node of a root, in the order of the code, by what the functions tell of nodes."""
    found: dict[str, float] = {}
    seen: set[Key] = set()
    waiting = [root]
    while waiting and len(seen) < _MOST_NODES:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        part = named(node) if node != root else None
        if part is not None:
            found.setdefault(*part)
            continue
        what = kind(node)
        sources = list(inputs(node))
        given = [source for source in sources if source is not None]
        if what in _SUMS or what in _THROUGH or (what == "MulBackward0" and len(given) == 1):
            waiting.extend(reversed(given))
        elif what == "DivBackward0" and len(given) == 1 and sources[0] is not None:
            waiting.append(sources[0])
        elif what in _REDUCED and len(given) == 1 and (kind(given[0]) in _STACKED or named(given[0]) is not None):
            waiting.append(given[0])
    return list(found.items())


def curves(name: str | None, value: float, parts: Sequence[Named], text: str | None, place: str) -> list[Named]:
    """What to chart of a root with this name and value, and these named scalars behind it; `text` is what stands for
    the root in the code, `place` where that is."""
    if name is not None and not is_indexed(name):
        return [(name, value)]
    own = [part for part in parts if not is_indexed(part[0]) or (text is not None and part[0] in text)]
    if name is None and len(parts) == 1 and own:
        return own
    whole = text or name or place
    return [(whole, value), *(own if len(parts) > 1 else ())][:_MOST_CURVES]


def source_of(book: Book, site: int, number: int, count: int) -> tuple[str | None, str]:
    """What stands in the code for the root of this number among so many of the call at a site, and where that is."""
    info = book.sites.get(site)
    if info is None:
        return None, "loss"
    source = book.sources.get(info.file)
    place = f"{'' if source is None else os.path.basename(source.path)}:{info.span[0]}"
    code = None if info.depth else book.code(info.file, info.span)
    text = None if code is None else _root_text(code, number, count)
    return (text if text is not None and len(text) <= _LONGEST else None), place


def _root_text(code: str, number: int, count: int) -> str | None:
    tree = parse(f"({code})", "eval")
    call = tree.body if isinstance(tree, ast.Expression) else None
    if not isinstance(call, ast.Call):
        return None
    callee = call.func
    if isinstance(callee, ast.Attribute) and callee.attr == "backward" and not _is_namespace(callee.value):
        roots: ast.expr | None = callee.value
    else:
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        roots = call.args[0] if call.args else keywords.get("tensors", keywords.get("outputs"))
    if isinstance(roots, ast.List | ast.Tuple):
        if len(roots.elts) != count or any(isinstance(item, ast.Starred) for item in roots.elts):
            return None
        roots = roots.elts[number]
    elif count != 1:
        return None
    text = None if roots is None else ast.get_source_segment(f"({code})", roots)
    return None if text is None else " ".join(text.split())


def _is_namespace(node: ast.expr) -> bool:
    """Whether `backward` is looked up in `torch.autograd` or in `torch.Tensor`, rather than in a tensor."""
    last = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return last in ("autograd", "Tensor")


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
        self.iteration_starts: dict[int, array[int]] = {}
        """By loop: the step at which each turn of its body begins."""
        self.printed: list[Printed] = []
        self.side_events: list[SideEvent] = []
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
        self.columns.append(kind, depth, len(frames) or 1, site, current_iteration(state))

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
        starts = self.iteration_starts.get(event.loop)
        if starts is None:
            starts = self.iteration_starts[event.loop] = array("I")
        starts.append(len(self.columns) + 1)
        self._loop_end(event, state)

    def _loop_end(self, event: ev.Event, state: State) -> None:
        """The step before it counts as of the turn that its state tells."""
        if self.columns.iterations and self.columns.kinds[-1] != CUT:
            self.columns.iterations[-1] = min(max(current_iteration(state), 0), 0xFFFFFFFF)

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
        self.side_events.append(SideEvent(len(self.columns), event))

    def _gap(self, event: ev.Gap, state: State) -> None:
        self.side_events.append(SideEvent(len(self.columns), event))
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


def current_iteration(state: State) -> int:
    """The turn of the innermost loop around the point, also one that a calling function is in; 0: there is none."""
    for frame in reversed(state.frames):
        if frame.iterations:
            return next(reversed(frame.iterations.values()))
    return 0
