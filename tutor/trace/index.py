"""The index of a recording: what can be looked up without decoding a frame.

`Definitions` has what is referred to by number (sources, sites, metas), `Columns` a few numbers for each step,
`Contents` the lists of passes, cells, iterations, printed text and loss curves. `Summary` is all of it in a file.

A loss curve is that of the loss as the learner calls it, not of what it was scaled to before `backward`:

- A root with a name is charted under that name: `loss.backward()`.
- Else the nearest named scalar is charted, looking through scaling (a product with, or a quotient by, a value that
  needs no gradient), sums and changes of shape or dtype: `(loss / n).backward()` is `loss`, not `loss / n`.
  A leaf is not a loss, and neither is a factor of a product in which both sides need gradients.
- A sum of several named scalars is charted under its source text, together with each of them that is a variable
  (`recon + kl`, `recon`, `kl`). Scalars that are only items of a list (`losses[3]`) are not charted separately.
- An index changes with every pass while a list grows, so it is used only if it is in the code:
  `losses[-1].backward()` is charted as `losses[-1]`.
- Without a name, the source text of the root (`cost()`) is used; if that is long, or the call is in a library, its
  file and line.

`autograd.grad` counts like `backward`, unless it creates a graph: then it is a part of a later loss. The recorder
applies the same rules to live tensors once the recording is full, so that the curves continue under their names.
"""

from __future__ import annotations

import ast
import os
from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from math import prod
from typing import Any, TypeVar

import msgspec

from tutor.i18n import _
from tutor.trace import events as ev
from tutor.trace.events import STEP_KINDS, Span
from tutor.trace.graph import is_leaf
from tutor.trace.names import is_indexed, lasting_name, name_of, names_by_tensor
from tutor.trace.source import SourceText, parse
from tutor.trace.state import SiteInfo, State
from tutor.trace.values import Data, Value, elements

# ---------------------------------------------------------------- definitions


_SHORT_CODE = 500
"""Maximum number of characters of a source text that stays cached."""
_MOST_CODES = 4096
"""Maximum number of those."""


class Definitions:
    """Definitions that events refer to by number: sources, sites, metas, saved tensors, `Call`s, `Attributes`."""

    def __init__(self) -> None:
        self.document: ev.Document | None = None
        self.sources: dict[int, ev.Source] = {}
        self.sites: dict[int, SiteInfo] = {}
        self.metas: dict[int, ev.Meta] = {}
        self.saved: dict[tuple[int, str], list[ev.Saved]] = {}
        """By site of an operation and name of its node: one for each combination of inputs that need a gradient."""
        self.arguments: dict[int, dict[str, Data]] = {}
        self.attributes: dict[int, dict[str, Data]] = {}
        self.most_text: int | None = None
        """Maximum number of characters of source that are held parsed; None: no limit."""
        self._texts: dict[int, SourceText] = {}
        self._codes: dict[tuple[int, Span], str] = {}
        """The source text of short spans, by file and span."""
        self._headers: dict[tuple[int, Span], Span] = {}
        self._inside: dict[tuple[int, int], bool] = {}

    def add(self, event: ev.Event) -> None:
        """Add a `Source`, `Site`, `Document`, `Meta`, `Saved`, `Call` or `Attributes`."""
        if type(event) is ev.Site:
            self.sites[event.site] = SiteInfo(
                event.site, event.file, event.span, event.function, event.statement,
                event.op, event.depth, event.parent, event.inplace,
            )  # fmt: skip
        elif type(event) is ev.Meta:
            self.metas[event.meta] = event
        elif type(event) is ev.Saved:
            self.saved.setdefault((event.site, event.name), []).append(event)
        elif type(event) is ev.Call:
            self.arguments[event.call] = event.arguments
        elif type(event) is ev.Attributes:
            self.attributes[event.attributes] = event.values
        elif type(event) is ev.Source:
            self.sources[event.file] = event
            self._texts.pop(event.file, None)
            self._codes.clear()
        elif type(event) is ev.Document:
            self.document = event

    def text(self, file: int) -> SourceText | None:
        """Return the text of a file, or None if the recording does not have it."""
        text = self._texts.get(file)
        if text is None and file in self.sources:
            source = self.sources[file].text
            if self.most_text is not None and len(source) + sum(map(len, self._texts.values())) > self.most_text:
                self._texts.clear()
            text = self._texts[file] = SourceText(source, self.most_text)
        return text

    def code(self, file: int, span: Span) -> str | None:
        """Return the source text of a span, or None if the recording does not have it."""
        code = self._codes.get((file, span))
        if code is None:
            text = self.text(file)
            code = None if text is None else text.slice(span)
            if code is not None and len(code) <= _SHORT_CODE:
                if len(self._codes) >= _MOST_CODES:
                    self._codes.clear()
                self._codes[file, span] = code
        return code

    def header(self, file: int, span: Span) -> Span:
        """Return the span of a statement without its body."""
        if span[0] == span[2]:
            return span
        header = self._headers.get((file, span))
        if header is None:
            text = self.text(file)
            header = self._headers[file, span] = span if text is None else text.header(span)
        return header

    def inside(self, site: int, loop: int) -> bool:
        """Return whether a statement is in the loop whose header is the site `loop`, or is that header."""
        inside = self._inside.get((site, loop))
        if inside is None:
            inside = self._inside[site, loop] = self._is_in_loop(site, loop)
        return inside

    def _is_in_loop(self, site: int, loop: int) -> bool:
        here, header = self.sites.get(site), self.sites.get(loop)
        if site == loop or here is None or header is None:
            return True
        text = self.text(header.file)
        extent = None if text is None else text.extent(header.span[0], header.span[1])
        if extent is None:
            return True
        return here.file == header.file and extent[0] <= here.span[0] <= extent[1]


# ---------------------------------------------------------------- per step

KIND_NAMES: tuple[str, ...] = ("", *(kind.kind or "" for kind in STEP_KINDS))
"""Name of each kind of step, by its number."""
KIND_NUMBERS: dict[str, int] = {name: number for number, name in enumerate(KIND_NAMES)}
LINE, OP, CUT = KIND_NUMBERS["line"], KIND_NUMBERS["op"], KIND_NUMBERS["cut"]
_SKIPPED = KIND_NUMBERS["skipped"]
NO_STOP = 255
"""In `Columns.stops`: not a step at which next_line and previous_line stop."""
STOP_KINDS = frozenset(KIND_NUMBERS[name] for name in ("line", "cell_end", "failed", "cut", "skipped", "mark", "asked"))


class Columns:
    """A few numbers for each step, as arrays: step k is at position k - 1."""

    def __init__(self) -> None:
        self.kinds = bytearray()
        self.depths = bytearray()
        """Number of torch composites around an operation and of loads around a frame. Of any other step: 0."""
        self.stops = bytearray()
        """Of a line, end of a cell or failure: depth of the call stack, at most 254. Of any other step: NO_STOP."""
        self.frame_depths = array("H")
        """Depth of the call stack, with the module's frame."""
        self.sites = array("I")
        """Site of the step; 0: none."""
        self.iterations = array("I")
        """Iteration of the innermost loop, from 1; 0: no loop."""
        self._operations = array("I")
        self._cut = 0
        self._searched = 0
        """Number of steps among which the one that `cut` returns was looked for."""

    def __len__(self) -> int:
        return len(self.kinds)

    def gaps(self, after: int = 0) -> Iterator[int]:
        """Yield the steps after this one that stand for what was not recorded."""
        step = self.kinds.find(_SKIPPED, after) + 1
        while step:
            yield step
            step = self.kinds.find(_SKIPPED, step) + 1

    @property
    def cut(self) -> int | None:
        """Step at which the recording was full; None if it is complete."""
        kinds = self.kinds
        if self._searched < len(kinds) or (self._cut and kinds[self._cut - 1] != CUT):  # a damaged step becomes another
            self._cut, self._searched = kinds.find(CUT, 0 if self._cut else self._searched) + 1, len(kinds)
        return self._cut or None

    def operation(self, number: int) -> int | None:
        """Return the step of the `number`-th operation, from 1; None if there are fewer."""
        steps = self._operations
        while len(steps) < number:
            place = self.kinds.find(OP, steps[-1] if steps else 0)
            if place < 0:
                return None
            steps.append(place + 1)
        return steps[number - 1] if number > 0 else None

    def back(self, step: int, inside: int | None = None) -> int | None:
        """Return the last step before `step` that is at most `inside` composites deep (by default, as deep as `step`);
        None if there is none."""
        depth = inside
        if depth is None:
            depth = self.depths[step - 1] if 1 <= step <= len(self.depths) else 0
        place = last_at_most(self.depths, depth, step - 1)
        return None if place is None else place + 1

    def append(self, kind: int, depth: int, frame_depth: int, site: int, iteration: int) -> None:
        """Add a step; numbers that do not fit their array are clipped."""
        self.kinds.append(kind)
        self.depths.append(min(max(depth, 0), 255))
        self.stops.append(min(frame_depth, NO_STOP - 1) if kind in STOP_KINDS else NO_STOP)
        self.frame_depths.append(min(frame_depth, 0xFFFF))
        self.sites.append(site if 0 <= site <= 0xFFFFFFFF else 0)
        self.iterations.append(min(max(iteration, 0), 0xFFFFFFFF))


# ---------------------------------------------------------------- lists


class Point(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A point of a loss curve."""

    step: int
    """Step at which it was recorded."""
    x: int
    """Index in its curve, from 0."""
    value: float


class PassInfo(msgspec.Struct, array_like=True, gc=False):
    """A backward pass: the steps of its `Backward` and its `BackwardEnd`, which is None while it runs."""

    number: int
    start_step: int
    end_step: int | None = None


class CellInfo(msgspec.Struct, array_like=True, gc=False):
    """A code cell that ran: the steps of its `CellStart` and its `CellEnd`. End and outcome are None while it runs."""

    cell: int
    start: int
    end: int | None = None
    outcome: str | None = None
    note: str = ""


class Printed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Text printed after a step and before the next."""

    step: int
    stream: str
    """stdout, stderr, display (what a notebook shows) or stdin (a line that was typed)."""
    text: str
    length: int
    """Number of characters printed so far, these included."""


class SideEvent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An event that is not a step itself (a warning, figure, answer, check, gap, typed line or optimizer step), and the
    step after which it came.

    Of an optimizer step only the parameters that it changed are here; `Timeline.optimizer_step` has the values."""

    step: int
    event: ev.Warned | ev.Figure | ev.Answer | ev.Checked | ev.Gap | ev.Answered | ev.OptimizerStep | ev.OptimizerState


class Summary(msgspec.Struct, array_like=True, gc=False):
    """The whole index as it is written at the end of a trace file. Fields are stored by position: add them last.

    Columns are views: of the columns when it is written, of the file's when it is read."""

    kinds: memoryview
    depths: memoryview
    stops: memoryview
    frame_depths: memoryview
    sites: memoryview
    iterations: memoryview
    document: ev.Document | None
    sources: list[ev.Source]
    site_infos: list[SiteInfo]
    metas: list[ev.Meta]
    series: dict[str, list[Point]]
    passes: list[PassInfo]
    cells: list[CellInfo]
    iteration_starts: dict[int, memoryview]
    printed: list[Printed]
    side_events: list[SideEvent]
    run_end: ev.RunEnd | None
    notices: list[str]
    saved: list[ev.Saved] = []
    calls: list[ev.Call] = []
    attributes: list[ev.Attributes] = []


def first_at_most(column: bytearray, most: int, start: int) -> int | None:
    """Return the first position from `start` on whose value is at most `most`; None if there is none."""
    best, end = None, len(column)
    for value in range(most + 1):
        place = column.find(value, max(start, 0), end)
        if place >= 0:
            best = end = place
    return best


def last_at_most(column: bytearray, most: int, end: int) -> int | None:
    """Return the last position before `end` whose value is at most `most`; None if there is none."""
    best, start = None, 0
    for value in range(most + 1):
        place = column.rfind(value, start, max(end, 0))
        if place >= 0:
            best = start = place
    return best


# ---------------------------------------------------------------- loss curves

Key = TypeVar("Key", bound=Hashable)
Named = tuple[str, float]  # of a scalar
_SUMS = {"AddBackward0", "SubBackward0", "RsubBackward0", "StackBackward0", "CatBackward0"}
_RESHAPES = {
    "NegBackward0", "CloneBackward0", "AliasBackward0", "ToCopyBackward0", "ViewBackward0", "UnsafeViewBackward0",
    "ReshapeAliasBackward0", "SqueezeBackward0", "SqueezeBackward1", "SqueezeBackward2", "UnsqueezeBackward0",
}  # fmt: skip
_REDUCTIONS = {"SumBackward0", "SumBackward1", "MeanBackward0", "MeanBackward1"}
_STACKS = {"StackBackward0", "CatBackward0"}
_MAX_NODES = 4096
_MAX_CURVES = 8
_MAX_TEXT = 60


def is_charted(call: str, create_graph: bool, depth: int) -> bool:
    """Return whether the roots of a pass are charted; `depth` is the number of composites around its call."""
    return call != "grad" or not (create_graph or depth)


def named_scalars(
    root: Key, kind: Callable[[Key], str], inputs: Callable[[Key], Iterable[Key | None]],
    named: Callable[[Key], Named | None],
) -> list[Named]:  # fmt: skip
    """Return the named scalars that a root is a sum of or scaled from, in the order of the code.

    Args:
        root: The node of the root.
        kind: Returns the name of a node, such as `AddBackward0`.
        inputs: Returns the inputs of a node, None for one that needs no gradient.
        named: Returns the name and value of a node's tensor; None if it has no name or is not a scalar.
    """
    scalars: dict[str, float] = {}
    seen: set[Key] = set()
    pending = [root]
    while pending and len(seen) < _MAX_NODES:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        part = named(node) if node != root else None
        if part is not None:
            scalars.setdefault(*part)
            continue
        name = kind(node)
        sources = list(inputs(node))
        parents = [source for source in sources if source is not None]
        if name in _SUMS or name in _RESHAPES or (name == "MulBackward0" and len(parents) == 1):
            pending.extend(reversed(parents))
        elif name == "DivBackward0" and len(parents) == 1 and sources[0] is not None:
            pending.append(sources[0])
        elif (
            name in _REDUCTIONS and len(parents) == 1 and (kind(parents[0]) in _STACKS or named(parents[0]) is not None)
        ):
            pending.append(parents[0])
    return list(scalars.items())


def curves(name: str | None, value: float, parts: Sequence[Named], text: str | None, place: str) -> list[Named]:
    """Return the points to chart for a root.

    Args:
        name: The name of the root, None if it has none.
        value: Its value.
        parts: The scalars that `named_scalars` found behind it.
        text: Its source text, None if that is unknown or too long.
        place: Its file and line.
    """
    if name is not None and not is_indexed(name):
        return [(name, value)]
    own = [part for part in parts if not is_indexed(part[0]) or (text is not None and part[0] in text)]
    if name is None and len(parts) == 1 and own:
        return own
    whole = text or name or place
    return [(whole, value), *(own if len(parts) > 1 else ())][:_MAX_CURVES]


def root_source(definitions: Definitions, site: int, number: int, count: int) -> tuple[str | None, str]:
    """Return the source text of a root of a backward call (None if unknown or too long), and its file and line.

    Args:
        definitions: The definitions of the recording.
        site: The site of the call.
        number: The index of the root, from 0.
        count: The number of roots.
    """
    info = definitions.sites.get(site)
    if info is None:
        return None, "loss"
    source = definitions.sources.get(info.file)
    place = f"{'' if source is None else os.path.basename(source.path)}:{info.span[0]}"
    code = None if info.depth else definitions.code(info.file, info.span)
    text = None if code is None else _root_text(code, number, count)
    return (text if text is not None and len(text) <= _MAX_TEXT else None), place


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
    """Return whether an object is `torch.autograd` or `torch.Tensor`, so `backward` gets its roots as arguments."""
    last = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return last in ("autograd", "Tensor")


MAX_PRINTED = 4 << 20
"""Maximum number of printed characters that are stored; our own worker sends fewer."""


# ---------------------------------------------------------------- all of it


class Contents:
    """The index of a recording, built event by event while the recording is fed."""

    def __init__(self, definitions: Definitions) -> None:
        self.columns = Columns()
        self.series: dict[str, list[Point]] = {}
        self._logged: dict[str, str] = {}
        """The series of what the program logs, by its name there: that may be the name of a loss too."""
        self.passes: list[PassInfo] = []
        self.cells: list[CellInfo] = []
        self.iteration_starts: dict[int, array[int]] = {}
        """By loop: the steps at which its iterations begin."""
        self.printed: list[Printed] = []
        self.side_events: list[SideEvent] = []
        self.run_end: ev.RunEnd | None = None
        self.notices: list[str] = []
        self.gaps: list[ev.Gap] = []
        self.waiting: ev.Waiting | None = None
        """What the program waits for."""
        self._definitions = definitions
        self._pass_sites: list[int] = []
        self.note: dict[type[ev.Event], Callable[[Any, State], None]] = {
            ev.Line: self._line, ev.Op: self._op, ev.CellStart: self._cell_start, ev.CellEnd: self._cell_end,
            ev.Backward: self._backward, ev.BackwardEnd: self._backward_end, ev.Failed: self._plain_step,
            ev.Cut: self._cut, ev.Node: self._in_pass, ev.Accumulate: self._in_pass, ev.Captured: self._in_pass,
            ev.Retained: self._in_pass, ev.HookRan: self._in_pass,
            ev.Iteration: self._iteration, ev.LoopEnd: self._loop_end, ev.Output: self._output,
            ev.Source: self._define, ev.Site: self._define, ev.Document: self._define, ev.Meta: self._define,
            ev.Saved: self._define, ev.Call: self._define, ev.Attributes: self._define,
            **dict.fromkeys((ev.OptimizerState, ev.Warned, ev.Figure, ev.Answer, ev.Checked), self._side_event),
            ev.OptimizerStep: self._optimizer_step,
            ev.Skipped: self._skipped, ev.Mark: self._at_statement, ev.Asked: self._at_statement,
            ev.Answered: self._answered, ev.Waiting: self._waiting, ev.Gap: self._gap, ev.Point: self._point,
            ev.RunEnd: self._run_end,
        }  # fmt: skip
        """By type of event: the method that indexes it, given the state after it."""

    def notice(self, text: str) -> None:
        """Add a sentence to show to the user, unless it is there already."""
        if text not in self.notices:
            self.notices.append(text)

    def _step(self, kind: int, depth: int, site: int, state: State) -> None:
        frames = state.frames
        self.columns.append(kind, depth, len(frames) or 1, site, current_iteration(state))

    def _line(self, event: ev.Line, state: State) -> None:
        self._step(LINE, _loads(state, event.frame), event.site, state)

    def _op(self, event: ev.Op, state: State) -> None:
        info = self._definitions.sites.get(event.site)
        depth = 0 if info is None else info.depth
        self._step(OP, depth + _loads(state, event.frame), event.site, state)

    def _plain_step(self, event: ev.Event, state: State) -> None:
        self._step(KIND_NUMBERS[event.kind or ""], 0, 0, state)

    def _cut(self, event: ev.Cut, state: State) -> None:
        self.columns.append(CUT, 0, 1, event.site, event.iterations[-1] if event.iterations else 0)

    def _skipped(self, event: ev.Skipped, state: State) -> None:
        self._step(_SKIPPED, _loads(state, event.frame), event.loop, state)

    def _at_statement(self, event: ev.Mark | ev.Asked, state: State) -> None:
        self._step(KIND_NUMBERS[event.kind or ""], 0, event.site, state)

    def _waiting(self, event: ev.Waiting, state: State) -> None:
        self.waiting = event

    def _answered(self, event: ev.Answered, state: State) -> None:
        self.waiting = None
        self.side_events.append(SideEvent(len(self.columns), event))
        if event.text is not None and not event.secret:  # as a terminal echoes it
            self.print(len(self.columns), "stdin", event.text + "\n")

    def _in_pass(self, event: ev.Event, state: State) -> None:
        self._step(KIND_NUMBERS[event.kind or ""], 0, self._pass_sites[-1] if self._pass_sites else 0, state)

    def _cell_start(self, event: ev.CellStart, state: State) -> None:
        self._plain_step(event, state)
        self.cells.append(CellInfo(event.cell, len(self.columns)))

    def _cell_end(self, event: ev.CellEnd, state: State) -> None:
        self._plain_step(event, state)
        if self.cells and self.cells[-1].cell == event.cell:
            cell = self.cells[-1]
            cell.end, cell.outcome, cell.note = len(self.columns), event.outcome, event.note

    def _backward(self, event: ev.Backward, state: State) -> None:
        self._pass_sites.append(event.site)
        self._in_pass(event, state)
        self.passes.append(PassInfo(event.number, len(self.columns)))
        site = self._definitions.sites.get(event.site)
        if is_charted(event.call, event.create_graph, 0 if site is None else site.depth):
            for number in range(len(event.roots)):
                self._chart(event, number, state)

    def _chart(self, event: ev.Backward, number: int, state: State) -> None:
        """Add the points of one root of a pass."""
        root = state.tensors.get(event.roots[number])
        value = None if root is None else _scalar(root.shape, root.value)
        if root is None or value is None:
            return
        name, parts = name_of(state, root.tensor), list[Named]()
        if (name is None or is_indexed(name)) and root.node in state.nodes:
            parts = _scalars_behind(state, root.node)
        text, place = root_source(self._definitions, event.site, number, len(event.roots))
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
        if event.logged:
            if event.name not in self._logged:
                taken = event.name in self.series
                self._logged[event.name] = f"{event.name} (add_scalar)" if taken else event.name
            self._add_point(self._logged[event.name], event.value)
            return
        if not event.site:
            self._add_point(event.name, event.value)
            return
        text, place = root_source(self._definitions, event.site, event.root, event.roots)
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
        """Correct the iteration of the last step: the event belongs to it."""
        if self.columns.iterations and self.columns.kinds[-1] != CUT:
            self.columns.iterations[-1] = min(max(current_iteration(state), 0), 0xFFFFFFFF)

    def _output(self, event: ev.Output, state: State) -> None:
        self.print(len(self.columns), event.stream, event.text)

    def print(self, step: int, stream: str, text: str) -> None:
        """Store text printed after a step, up to `MAX_PRINTED` characters in all."""
        before = self.printed[-1].length if self.printed else 0
        if len(text) > MAX_PRINTED - before:
            self.notice(_("More was printed than is kept: what comes after {count:,} characters.", count=MAX_PRINTED))
            text = text[: MAX_PRINTED - before]
        if text:
            self.printed.append(Printed(step, stream, text, before + len(text)))

    def _define(self, event: ev.Event, state: State) -> None:
        self._definitions.add(event)

    def _side_event(self, event: ev.Warned | ev.Figure | ev.Answer | ev.Checked, state: State) -> None:
        self.side_events.append(SideEvent(len(self.columns), event))

    def _optimizer_step(self, event: ev.OptimizerStep, state: State) -> None:
        updates = [ev.Update(update.tensor, update.group, None, None, None, {}, {}) for update in event.updates]
        bare = msgspec.structs.replace(event, options=[], updates=updates)
        self.side_events.append(SideEvent(len(self.columns), bare))

    def _gap(self, event: ev.Gap, state: State) -> None:
        self.side_events.append(SideEvent(len(self.columns), event))
        self.gaps.append(event)

    def _run_end(self, event: ev.RunEnd, state: State) -> None:
        self.run_end, self.waiting = event, None


def _scalar(shape: tuple[int, ...] | None, value: Value) -> float | None:
    """Return the only element of a tensor; None if it has several or was not recorded."""
    items = elements(value) if shape is not None and prod(shape) == 1 else None
    return float(items[0]) if items is not None and len(items) == 1 and isinstance(items[0], (int, float)) else None


def _scalars_behind(state: State, root: int) -> list[Named]:
    """Return the named scalars that the node `root` is a sum of or scaled from."""
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

    return named_scalars(root, lambda number: nodes[number].name, inputs, named)


def _loads(state: State, number: int) -> int:
    """Return how many loads a frame on the stack runs inside of."""
    return next((frame.loads for frame in reversed(state.frames) if frame.frame == number), 0)


def current_iteration(state: State) -> int:
    """Return the iteration of the innermost loop, which may be in a calling function; 0 outside of loops."""
    for frame in reversed(state.frames):
        if frame.iterations:
            return next(reversed(frame.iterations.values()))
    return 0
