"""Why something is not in a recording, in words: the recording holds only the facts.

What a stretch of a recording touched.

A recording that can be asked about any step, while it grows and after.

Frames are kept compressed; every few thousand events the whole state is kept too (a *key*). The state at a step is the
nearest state known before it and the events from there on. What `state` gives is its caller's for good: nothing
changes it later."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

import msgspec

from tutor.i18n import N_, _
from tutor.trace import events as ev
from tutor.trace import wire
from tutor.trace.events import Gap
from tutor.trace.frame_store import DecodedFrame, Frames, Seeker, step_places
from tutor.trace.index import KIND_NAMES, Book, CellInfo, Columns, Contents, PassInfo, Point, SideEvent
from tutor.trace.replay import Replay, copy_state
from tutor.trace.state import NodeState, SiteInfo, State, TensorState

_WHY = {
    "full": N_(
        "The recording was full after {count:,} events. What ran after that is not in it, but for the charts and the "
        "state at the end."
    ),
    "printed": N_("{count:,} more characters were printed than the recording keeps."),
    "bytes": N_("{count:,} more bytes were printed by C code or child processes than are kept."),
    "damaged": N_("The recording was damaged by the program: {detail}."),
    "large": N_("An event of kind {detail} is not in the recording: it takes {count:,} bytes."),
    "unwritable": N_("An event of kind {detail} could not be written."),
    "thread": N_(
        "What runs in {detail}, another thread, is not recorded. What it leaves in tensors is, at the next statement."
    ),
    "pipe": N_(
        "The program has closed the pipe that its recording goes through (it closes all descriptors, perhaps). What "
        "ran after that is not in it."
    ),
    "operation": N_("An operation could not be recorded: {detail}."),
    "elsewhere": N_("The program starts other processes ({detail}): what runs in them is not in the recording."),
    "backward": N_(
        "A backward pass ran that was not seen to begin (in another thread, or from gradient edges): its nodes are not "
        "shown, the gradients that it wrote are."
    ),
}


_CUT_TEXT = N_(
    "The recording was full at step {step:,}: what ran after that is not in it, but for what was printed, the charts "
    "and the state at the end."
)
_CUT_OFF = N_("The recording was full at step {step:,}: what ran after that is not in it.")


def describe_gaps(gaps: Sequence[Gap], cut: int | None) -> list[str]:
    """All that is missing; `cut` is the step at which the recording was full."""
    if cut is None:
        return [describe_gap(gap) for gap in gaps]
    whole = any(gap.why == "full" for gap in gaps)
    return [_(_CUT_TEXT if whole else _CUT_OFF, step=cut), *(describe_gap(gap) for gap in gaps if gap.why != "full")]


def describe_gap(gap: Gap) -> str:
    """What is missing, and why; an older recording says it in its own words."""
    text = _WHY.get(gap.why)
    why = gap.why if text is None else _(text, count=gap.count, detail=gap.detail)
    return _("{why} ({count:,} events)", why=why, count=gap.events) if gap.events > (text is not None) else why


class Changes(msgspec.Struct):
    """What to mark as changed."""

    tensors: set[int] = set()
    """Made, or other than before: value, version, anything but `.grad`."""
    grads: set[int] = set()
    """Tensors whose `.grad` is another one, holds something else or is gone."""
    nodes: set[int] = set()
    """Nodes made, or run by a pass."""
    names: set[tuple[int, str]] = set()
    """Names bound or deleted, with their frame."""


def changes_from(events: Iterable[ev.Event], before: State) -> Changes:
    """What these events touched, given the state before them."""
    found = Changes()
    for event in events:
        kind = type(event)
        if kind is ev.Snapshot:
            assert isinstance(event, ev.Snapshot)
            _snapshot(event, before, found)
        elif isinstance(event, ev.Bind):
            found.names.add((event.frame, event.name))
        elif isinstance(event, (ev.GraphNode, ev.Node)):
            found.nodes.add(event.node)
        elif isinstance(event, ev.Accumulate):
            found.nodes.add(event.node)
            found.grads.add(event.tensor)
            found.tensors.add(event.grad)
        elif isinstance(event, ev.Retained):
            found.grads.add(event.tensor)
            found.tensors.add(event.grad)
        elif isinstance(event, ev.Captured) and event.result is not None:
            found.tensors.add(event.result)
    return found


def _snapshot(event: ev.Snapshot, before: State, found: Changes) -> None:
    old = before.tensors.get(event.tensor)
    grad = None if old is None else old.grad
    if event.grad != grad:
        found.grads.add(event.tensor)
    if old is None or event.value is not None or (event.version, event.node) != (old.version, old.node):
        found.tensors.add(event.tensor)
    owner = before.grad_of.get(event.tensor)
    if owner is not None and event.value is not None:
        found.grads.add(owner)


def changes_between(before: State, after: State) -> Changes:
    """What differs between two states."""
    tensors, grads = set(), set()
    for number in _differing(before.tensors, after.tensors):
        old, new = before.tensors.get(number), after.tensors.get(number)
        if new is None:
            continue
        if new.grad != (None if old is None else old.grad):
            grads.add(number)
        if old is None or not _same_but_for_grad(old, new):
            tensors.add(number)
        if number in after.grad_of:
            grads.add(after.grad_of[number])
    names: set[tuple[int, str]] = set()
    scopes = {frame.frame: frame.names for frame in before.frames}
    for frame in after.frames:
        names.update((frame.frame, name) for name in _differing(scopes.get(frame.frame, {}), frame.names))
    nodes = _differing(before.nodes, after.nodes) & after.nodes.keys()
    return Changes(tensors, grads, nodes, names)


def _same_but_for_grad(old: TensorState, new: TensorState) -> bool:
    aside = copy(old)
    aside.grad = new.grad
    aside.label, aside.label_frame, aside.first_name = new.label, new.label_frame, new.first_name
    return aside == new


def _differing(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> set[Any]:
    found = {key for key in before if key not in after}
    for key, new in after.items():
        old = before.get(key)
        if old is not new and old != new:
            found.add(key)
    return found


CACHED_STATES = 16
"""How many states that were asked for are kept at hand."""
MOST_CODE = 10_000
"""So many characters of the code of a step are told."""
FAR = 2048
"""Over so many events, states are compared to find what changed."""


class StepView(msgspec.Struct):
    """A step as one shows it: what happened, where in the code, inside what."""

    step: int
    kind: str
    event: ev.Event
    cell: int | None
    site: SiteInfo | None
    file: str | None
    line: int | None
    span: ev.Span | None
    code: str | None
    """What stands at `span`."""
    function: str | None
    depth: int | None
    """Of an operation: how many of torch's composites stand around it; of a line: how many calls deep it is."""
    iteration: int | None
    pass_: int | None


class Timeline:
    """A recording, from the pipe or from a file."""

    def __init__(self) -> None:
        self.book = Book()
        self.contents = Contents(self.book)
        self.frames = Frames()
        self.seeker = Seeker(self.book, self.frames)
        self._head: Replay | None = Replay(State(), self.book)
        self._given: OrderedDict[int, State] = OrderedDict()
        self._text = ""
        self.is_stored = False
        """Whether it was read from a file, which may come from a stranger."""
        self.frames.let_go = self._let_go

    # ------------------------------------------------------------ what is known of all of it

    @property
    def steps(self) -> int:
        """How many steps there are so far."""
        return self.frames.steps

    @property
    def notices(self) -> list[str]:
        """What whoever walks this should know: gaps, a file cut off, events of a later version."""
        missing = describe_gaps(self.contents.gaps, self.cut)
        return list(dict.fromkeys([*self.contents.notices, *missing, *self.frames.damaged]))

    @property
    def cut(self) -> int | None:
        """The step at which the recording was full; None where it is whole, and in an older one that says no place."""
        return self.columns.cut

    @property
    def has_end_state(self) -> bool:
        """Of a recording that was full: whether the state after that is the one at the end."""
        return any(gap.why == "full" for gap in self.contents.gaps)

    @property
    def document(self) -> ev.Document | None:
        """What was run."""
        return self.book.document

    @property
    def sources(self) -> dict[int, ev.Source]:
        """The learner's files, by number; 1 is the one that was run (or its first code cell, in a notebook)."""
        return self.book.sources

    @property
    def sites(self) -> dict[int, SiteInfo]:
        """The places in the code, by number."""
        return self.book.sites

    @property
    def columns(self) -> Columns:
        """What is known of each step without decoding it."""
        return self.contents.columns

    @property
    def series(self) -> dict[str, list[Point]]:
        """By name: the values of a scalar that `backward` was called on."""
        return self.contents.series

    @property
    def passes(self) -> list[PassInfo]:
        """The backward passes, in order."""
        return self.contents.passes

    @property
    def cells(self) -> list[CellInfo]:
        """The code cells that were begun, in order."""
        return self.contents.cells

    @property
    def side_events(self) -> list[SideEvent]:
        """Warnings, figures, answers and gaps, in order."""
        return self.contents.side_events

    def side_events_at(self, step: int) -> list[SideEvent]:
        """Those that came after a step and before the next."""
        first, last = (bisect_right(self.side_events, at, key=lambda aside: aside.step) for at in (step - 1, step))
        return self.side_events[first:last]

    @property
    def run_end(self) -> ev.RunEnd | None:
        """How the run ended, if it did."""
        return self.contents.run_end

    # ------------------------------------------------------------ growing

    def feed(self, frame: wire.Buffer) -> None:
        """Take in one whole frame. One that cannot be read is left out with a notice."""
        try:
            self.take(frame)
        except wire.WireError as error:
            text = N_("A part of the recording cannot be read and was left out: {error}.")
            self.contents.notice(_(text, error=error))

    def take(self, frame: wire.Buffer) -> None:
        """The same; WireError where it cannot be read."""
        head, contents = self._head, self.contents
        if head is None:
            raise ValueError("a recording that was loaded does not grow")
        payload = wire.inflate(frame)
        events = wire.decode_payload(payload, contents.notice)
        if not events or type(events[0]) is ev.Key:
            return
        state, apply, note = head.state, head.apply, contents.note
        for event in events:
            kind = type(event)
            method = apply.get(kind)
            if method is not None:
                method(event)
            take = note.get(kind)
            if take is not None:
                take(event, state)
        steps = step_places(events)
        sealed = wire.seal(payload, len(events), len(steps), 1)
        self._given.pop(self.steps, None)  # more may belong to what was the last step
        self.frames.append(sealed, len(events), len(steps), DecodedFrame(events, steps, len(payload)))
        self.seeker.keep(state)

    def _let_go(self) -> None:
        """Memory is short: what can be made again goes."""
        self._given.clear()
        self.seeker.forget()
        self.frames.forget()

    def freeze(self) -> None:
        """No more will be fed: all is asked of the frames, keys and contents that are there."""
        self._head = None

    # ------------------------------------------------------------ one step

    def kind(self, step: int) -> str:
        """The kind of a step, as design.md names them."""
        self._check(step, 1)
        if self.frames.kinds is not None:
            self.frames.step(step)  # of a file: its frame may turn out to be another
        return KIND_NAMES[self.columns.kinds[step - 1]]

    def event(self, step: int) -> ev.Event:
        """The event that the step is."""
        self._check(step, 1)
        number, place = self.frames.step(step)
        return self.frames[number].events[place]

    def following(self, step: int) -> list[ev.Event]:
        """The events after a step's own and before the next step: what came of it."""
        self._check(step, 0)
        start = self.frames.step(step) if step else (0, 0)
        events = [event for part in self.frames.between(start, self.frames.after(step)) for event in part]
        return events[1:] if step else events

    def cell(self, step: int) -> int | None:
        """The code cell that a step belongs to."""
        info = self.cell_info(step)
        return None if info is None else info.cell

    def cell_info(self, step: int) -> CellInfo | None:
        """The code cell that a step belongs to, and where it begins and ends."""
        place = bisect_right(self.cells, step, key=lambda info: info.start)
        return self.cells[place - 1] if place else None

    def pass_of(self, step: int) -> PassInfo | None:
        """The backward pass that a step is part of."""
        place = bisect_right(self.passes, step, key=lambda info: info.start_step)
        for info in reversed(self.passes[max(place - 8, 0) : place]):  # passes within passes are few
            if info.end_step is None or step <= info.end_step:
                return info
        return None

    def view(self, step: int) -> StepView:
        """A step as one shows it."""
        event = self.event(step)
        columns, place = self.columns, step - 1
        site = self.sites.get(columns.sites[place])
        file, span, function = (None, None, None) if site is None else (site.file, site.span, site.function)
        if type(event) is ev.Failed:
            file, span, function = event.file, event.span, event.function
        source = None if file is None else self.sources.get(file)
        depth = None
        if type(event) is ev.Op:
            depth = columns.depths[place]
        elif type(event) is ev.Line:
            depth = columns.frame_depths[place] - 1
        if isinstance(event, ev.Line | ev.Cut):
            span = None if span is None or file is None else self.book.header(file, span)
        info = self.pass_of(step)
        return StepView(
            step=step,
            kind=event.kind or "",
            event=event,
            cell=self.cell(step),
            site=site,
            file=None if source is None else source.path,
            line=None if span is None else span[0],
            span=span,
            code=None if file is None or span is None else _short(self.book.code(file, span)),
            function=function,
            depth=depth,
            iteration=columns.iterations[place] or None,
            pass_=None if info is None else info.number,
        )

    # ------------------------------------------------------------ the state

    def state(self, step: int) -> State:
        """Everything as it was after this step and before the next; step 0 is before anything. Not to be changed."""
        self._check(step, 0)
        state = self._given.get(step)
        if state is None:
            state = self._given[step] = self._reach(step)
            if len(self._given) > CACHED_STATES:
                self._given.popitem(last=False)
        else:
            self._given.move_to_end(step)
        return state

    def moment(self, step: int) -> State:
        """The state after a step with the names that count at its own event: what a call that begins right after it
        binds is not there yet, and a call that ends right after it is still there."""
        state = self.state(step)
        if not step:
            return state
        before = self.state(step - 1)
        if [frame.frame for frame in before.frames] == [frame.frame for frame in state.frames]:
            return state
        moment = copy(state)
        moment.frames, moment.suspended = before.frames, before.suspended
        return moment

    def _reach(self, step: int) -> State:
        if step == self.steps and self._head is not None:
            state = copy_state(self._head.state)
        else:
            state = self.seeker.seek(self.frames.after(step))
        state.step = step
        for event in self.following(step):
            if type(event) is ev.GraphNode and event.node in state.nodes:
                node = state.nodes[event.node] = copy(state.nodes[event.node])
                node.state = "new" if node.state == "live" else node.state
        return state

    def operation(self, node: NodeState) -> int | None:
        """The step of the operation that made a node; None where that is not known."""
        return self.columns.operation(node.operation)

    def changed(self, step: int, since: int | None = None) -> Changes:
        """What was touched after step `since` up to this step, in either direction. If it is not given: after the one
        before, over those deeper in a composite that this step ends."""
        self._check(step, 0)
        since = (self.columns.back(step) or 0) if since is None else since
        self._check(since, 0)
        first, last = sorted((step, since))
        start, end = self.frames.after(first), self.frames.after(last)
        if self.frames.distance(end) - self.frames.distance(start) > FAR:
            return changes_between(self.state(first), self.state(last))
        before = self.state(first)
        return changes_from((event for part in self.frames.between(start, end) for event in part), before)

    # ------------------------------------------------------------ what was printed

    def output(self, step: int) -> str:
        """All that was printed up to the next step."""
        self._check(step, 0)
        printed = self.contents.printed
        count = bisect_right(printed, step, key=lambda part: part.step)
        if not count:
            return ""
        if len(self._text) < printed[-1].length:
            self._text = "".join(part.text for part in printed)
        return self._text[: printed[count - 1].length]

    def output_parts(self, step: int) -> list[tuple[str, str]]:
        """The same in pieces: which stream, and the text."""
        self._check(step, 0)
        printed = self.contents.printed
        count = bisect_right(printed, step, key=lambda part: part.step)
        return [(part.stream, part.text) for part in printed[:count]]

    def _check(self, step: int, first: int) -> None:
        if not first <= step <= self.steps:
            raise IndexError(f"There is no step {step}: this recording has {self.steps}.")


def _short(code: str | None) -> str | None:
    return code if code is None or len(code) <= MOST_CODE else code[: MOST_CODE - 1] + "…"
