"""Random access to the steps of a recording, while it grows and afterwards.

Frames stay compressed in memory; every few thousand events the whole state is stored too (a *key*). The state at a step
is replayed from the nearest state before it. A state that `Timeline.state` returned never changes later.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from tutor.i18n import N_, _
from tutor.trace import events as ev
from tutor.trace import wire
from tutor.trace.events import Gap
from tutor.trace.frame_store import Frames, Seeker, decode
from tutor.trace.index import KIND_NAMES, CellInfo, Columns, Contents, Definitions, PassInfo, Point, SideEvent
from tutor.trace.replay import Replay
from tutor.trace.state import NodeState, SiteInfo, State, TensorState, copy_state
from tutor.trace.values import Data, places

# ------------------------------------------------------------ what is missing from a recording

_GAP_TEXTS = {
    "full": N_(
        "The recording was full after {count:,} events. What ran after that is not in it, but for the charts and the "
        "state at the end."
    ),
    "kept": N_(
        "All iterations of the training loop would not fit into the recording: it has those of `--keep {detail}`. "
        "`--keep` chooses others; with `--all` it has each until it is full."
    ),
    "until": N_("Iteration {count:,} of the training loop is the first of `--until {detail}`."),
    "never": N_("`{detail}` was never reached."),
    "resumable": N_(
        "`{detail}` is a generator or a coroutine, whose calls are not recorded alone: `--only` its caller."
    ),
    "no_way_back": N_(
        "Iteration {count:,} of the training loop is the first of `--until {detail}`. A program with other threads or "
        "processes cannot go back, so what follows it is recorded, and not what came before."
    ),
    "printed": N_("{count:,} more characters were printed than the recording keeps."),
    "bytes": N_("{count:,} more bytes were printed by C code or child processes than are kept."),
    "damaged": N_("The recording was damaged by the program: {detail}."),
    "large": N_("An event of kind {detail} is not in the recording: it takes {count:,} bytes."),
    "figures": N_("{count:,} more figures were shown than the recording keeps, before the last."),
    "backend": N_("The program asks for the windows of {detail}: its figures are shown in the chart pane."),
    "unwritable": N_("An event of kind {detail} could not be written."),
    "thread": N_(
        "What runs in {detail}, another thread, is not recorded. What it leaves in tensors is, at the next statement."
    ),
    "pipe": N_(
        "The program has closed the pipe that its recording goes through (it closes all descriptors, perhaps). What "
        "ran after that is not in it."
    ),
    "notebook-magic": N_("{detail} is left out, in cell {count} and wherever else it stands: only IPython has it."),
    "notebook-shell": N_(
        "Shell commands are left out, as {detail} in cell {count}: what they install or download must be there already."
    ),
    "notebook-help": N_("Questions to IPython are left out, as {detail} in cell {count}."),
    "operation": N_("An operation could not be recorded: {detail}."),
    "elsewhere": N_("The program starts other processes ({detail}): what runs in them is not in the recording."),
    "backward": N_(
        "A backward pass ran that was not seen to begin (in another thread, or from gradient edges): its nodes are not "
        "shown, the gradients that it wrote are."
    ),
}
_FULL_WITH_END = N_(
    "The recording was full at step {step:,}: what ran after that is not in it, but for what was printed, the charts "
    "and the state at the end."
)
_FULL = N_("The recording was full at step {step:,}: what ran after that is not in it.")


def describe_gaps(gaps: Sequence[Gap], cut: int | None) -> list[str]:
    """Return a sentence for each gap; `cut` is the step at which the recording was full, None if it never was."""
    if cut is None:
        return [describe_gap(gap) for gap in gaps]
    has_end = any(gap.why == "full" for gap in gaps)
    return [
        _(_FULL_WITH_END if has_end else _FULL, step=cut),
        *(describe_gap(gap) for gap in gaps if gap.why != "full"),
    ]


def describe_gap(gap: Gap) -> str:
    """Return what is missing and why. In recordings of older versions `gap.why` is the sentence itself."""
    template = _GAP_TEXTS.get(gap.why)
    reason = gap.why if template is None else _(template, count=gap.count, detail=gap.detail)
    return (
        _("{why} ({count:,} events)", why=reason, count=gap.events) if gap.events > (template is not None) else reason
    )


# ------------------------------------------------------------ changes between two steps


class Changes(msgspec.Struct):
    """What changed between two steps."""

    tensors: set[int] = set()
    """Tensors that were created or changed in anything but `.grad`: value, version, shape, …"""
    grads: set[int] = set()
    """Tensors whose `.grad` was replaced, written or removed."""
    nodes: set[int] = set()
    """Nodes that were created, or that a backward pass ran."""
    names: set[tuple[int, str]] = set()
    """Names bound or deleted, as (frame, name)."""


def changes_from(events: Iterable[ev.Event], before: State) -> Changes:
    """Return what these events change, given the state before them."""
    changes = Changes()
    for event in events:
        kind = type(event)
        if kind is ev.Snapshot:
            assert isinstance(event, ev.Snapshot)
            _add_snapshot(event, before, changes)
        elif isinstance(event, ev.Bind):
            changes.names.add((event.frame, event.name))
        elif isinstance(event, (ev.GraphNode, ev.Node)):
            changes.nodes.add(event.node)
        elif isinstance(event, ev.Accumulate):
            changes.nodes.add(event.node)
            changes.grads.add(event.tensor)
            changes.tensors.add(event.grad)
        elif isinstance(event, ev.Retained):
            changes.grads.add(event.tensor)
            changes.tensors.add(event.grad)
        elif isinstance(event, ev.Captured) and event.result is not None:
            changes.tensors.add(event.result)
    return changes


def _add_snapshot(event: ev.Snapshot, before: State, changes: Changes) -> None:
    previous = before.tensors.get(event.tensor)
    grad = None if previous is None else previous.grad
    if event.grad != grad:
        changes.grads.add(event.tensor)
    if previous is None or event.value is not None or (event.version, event.node) != (previous.version, previous.node):
        changes.tensors.add(event.tensor)
    owner = before.grad_of.get(event.tensor)
    if owner is not None and event.value is not None:
        changes.grads.add(owner)


def changes_between(before: State, after: State) -> Changes:
    """Return the differences between two states."""
    tensors, grads = set(), set()
    for number in _differing(before.tensors, after.tensors):
        previous, current = before.tensors.get(number), after.tensors.get(number)
        if current is None:
            continue
        if current.grad != (None if previous is None else previous.grad):
            grads.add(number)
        if previous is None or not _same_but_for_grad(previous, current):
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
    candidate = old.__copy__()
    candidate.grad = new.grad
    candidate.label, candidate.label_frame, candidate.first_name = new.label, new.label_frame, new.first_name
    return candidate == new


def _differing(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> set[Any]:
    keys = {key for key in before if key not in after}
    for key, current in after.items():
        previous = before.get(key)
        if previous is not current and previous != current:
            keys.add(key)
    return keys


# ------------------------------------------------------------ the recording

CACHED_STATES = 16
"""Number of returned states that stay cached."""
CACHED_VIEWS = 64
"""Maximum number of returned views that stay cached."""
CACHED_PLACES = 512
"""Maximum number of places in the code that stay cached for views."""
MAX_CODE = 10_000
"""Maximum length of `StepView.code`, in characters."""
COMPARE_BEYOND = 2048
"""Number of events beyond which `Timeline.changed` compares two states instead of reading the events between."""
MOST_NESTED_PASSES = 8
"""Passes that are looked at for the innermost one around a step: passes within passes are few."""
_WITH_BODY = frozenset((ev.Line, ev.Cut, ev.Skipped, ev.Mark, ev.Asked))
"""Steps at a statement, which may have a body that is not shown."""
_Place = tuple[str | None, ev.Span | None, str | None]
"""The path of a file, a span in it, and the code there."""
_step_of, _start_of_cell = attrgetter("step"), attrgetter("start")
_start_of_pass = attrgetter("start_step")


class StepView(msgspec.Struct):
    """A step as it is shown: its event, its place in the code, and what it is part of. None: there is none."""

    step: int
    kind: str
    event: ev.Event
    cell: int | None
    """Number of the code cell, from 1."""
    site: SiteInfo | None
    file: str | None
    """Path of the file."""
    line: int | None
    """First line of `span`, from 1."""
    span: ev.Span | None
    """Span of the operation, or of the statement without its body."""
    code: str | None
    """Source text of `span`, at most `MAX_CODE` characters."""
    function: str | None
    depth: int | None
    """Of an operation: the number of torch composites around it; of a line: the depth of the call stack, from 0."""
    iteration: int | None
    """Iteration of the innermost loop, from 1."""
    pass_: int | None
    """Number of the backward pass, from 1."""


class Timeline:
    """A recording, fed from a worker's pipe or loaded from a file.

    Steps are numbered from 1; `state(0)` is the state before the first. `columns` and the lists derived from it
    (`passes`, `cells`, `series`, `side_events`) answer without decoding a frame. Methods that take a step raise
    IndexError where the recording has no such step.
    """

    def __init__(self) -> None:
        self.definitions = Definitions()
        self.contents = Contents(self.definitions)
        self.frames = Frames()
        self.seeker = Seeker(self.definitions, self.frames)
        self._head: Replay | None = Replay(State(), self.definitions)
        self._cached_states: OrderedDict[int, State] = OrderedDict()
        self._views: dict[int, StepView] = {}
        self._places: dict[tuple[int, bool], _Place] = {}
        """By site, and whether it is shown without its body: the place in the code."""
        self.derived: dict[Hashable, dict[Any, Any]] = {}
        """What others have worked out of the recording, by function and language. Empty again when it grows."""
        self.bookmarks: dict[int, str] = {}
        """The learner's notes by step."""
        self._passes_begun = 0
        """Number of passes that had begun by the step that was asked about last."""
        self._text = ""
        self.is_stored = False
        """Whether the recording was loaded from a file, which is not trusted."""
        self.frames.free_memory = self._free_memory

    # ------------------------------------------------------------ the whole recording

    @property
    def steps(self) -> int:
        """Number of steps so far."""
        return self.frames.steps

    @property
    def notices(self) -> list[str]:
        """Sentences on what is missing or unreadable: gaps, a file cut off, events of a later version."""
        cut = None if self.cut is None else self.event(self.cut)
        if isinstance(cut, ev.Cut) and cut.reason in ev.ASKED:
            gaps = describe_gaps([gap for gap in self.contents.gaps if gap.why != "full"], None)
        else:
            gaps = describe_gaps(self.contents.gaps, self.cut)
        return list(dict.fromkeys([*self.contents.notices, *gaps, *self.frames.damaged]))

    @property
    def cut(self) -> int | None:
        """Step at which the recording was full; None if it is complete, or was made before such a step was recorded."""
        return self.columns.cut

    @property
    def has_end_state(self) -> bool:
        """Whether a recording that was full (see `cut`) nevertheless holds the state at the end of the run."""
        return any(gap.why == "full" for gap in self.contents.gaps)

    @property
    def document(self) -> ev.Document | None:
        """The lesson or script that was run; None until its event arrives."""
        return self.definitions.document

    @property
    def sources(self) -> dict[int, ev.Source]:
        """The learner's files, by number; 1 is the file that was run (or its first code cell, in a notebook)."""
        return self.definitions.sources

    @property
    def sites(self) -> dict[int, SiteInfo]:
        """Places in the code, by number."""
        return self.definitions.sites

    @property
    def columns(self) -> Columns:
        """Kind, depth, site and iteration of each step, one array per field."""
        return self.contents.columns

    @property
    def series(self) -> dict[str, list[Point]]:
        """By name: the values of the scalars that `backward` was called on, in order."""
        return self.contents.series

    @property
    def passes(self) -> list[PassInfo]:
        """The backward passes, in order."""
        return self.contents.passes

    @property
    def cells(self) -> list[CellInfo]:
        """The code cells that were started, in order."""
        return self.contents.cells

    @property
    def side_events(self) -> list[SideEvent]:
        """Warnings, figures, answers and gaps, in order."""
        return self.contents.side_events

    def side_events_at(self, step: int) -> list[SideEvent]:
        """Return the side events that came after a step and before the next."""
        side_events = self.contents.side_events
        if not side_events or side_events[-1].step < step:
            return []
        first, last = (bisect_right(side_events, number, key=_step_of) for number in (step - 1, step))
        return side_events[first:last]

    def optimizer_step(self, index: int) -> ev.OptimizerStep | None:
        """Return an optimizer step with its values, by its index in `side_events`; None for another event, and where
        the recording is damaged."""
        side_events = self.side_events
        step, number = side_events[index].step, 0
        if not isinstance(side_events[index].event, ev.OptimizerStep) or not 0 <= step <= self.steps:
            return None
        while index and side_events[index - 1].step == step:  # several optimizers may step before the next operation
            index -= 1
            number += isinstance(side_events[index].event, ev.OptimizerStep)
        found = [event for event in self.following(step) if isinstance(event, ev.OptimizerStep)]
        return found[number] if number < len(found) else None

    @property
    def run_end(self) -> ev.RunEnd | None:
        """How the run ended; None while it runs, or where the recording was cut off."""
        return self.contents.run_end

    # ------------------------------------------------------------ growing

    def feed(self, frame: wire.Buffer) -> None:
        """Append one frame. A frame that cannot be read is skipped with a notice."""
        try:
            self.take(frame)
        except wire.WireError as error:
            text = N_("A part of the recording cannot be read and was left out: {error}.")
            self.contents.notice(_(text, error=error))

    def take(self, frame: wire.Buffer) -> None:
        """Append one frame.

        Raises:
            WireError: If the frame cannot be read.
            ValueError: If the timeline is frozen.
        """
        head, contents = self._head, self.contents
        if head is None:
            raise ValueError("a recording that was loaded does not grow")
        payload = wire.inflate(frame)
        decoded = decode(payload, contents.notice)
        events = decoded.events
        if not events or type(events[0]) is ev.Key:
            return
        state, apply, noters = head.state, head.apply, contents.note
        for event in events:
            kind = type(event)
            method = apply.get(kind)
            if method is not None:
                method(event)
            note_event = noters.get(kind)
            if note_event is not None:
                note_event(event, state)
        count, steps = len(events), len(decoded.steps)
        sealed = wire.seal(payload, count, steps, 1)
        self._cached_states.pop(self.steps, None)  # these events may belong to the step that was the last
        self._views.clear()
        self._places.clear()
        self.derived.clear()
        self.frames.append(sealed, count, steps, decoded)
        self.seeker.keep(state)

    def _free_memory(self) -> None:
        """Free what can be rebuilt: cached states and decoded frames."""
        self._cached_states.clear()
        self._views.clear()
        self._places.clear()
        self.derived.clear()
        self.seeker.forget()
        self.frames.forget()

    def freeze(self) -> None:
        """Accept no more frames. States are replayed from the frames and keys alone."""
        self._head = None

    # ------------------------------------------------------------ one step

    def kind(self, step: int) -> str:
        """Return the kind of a step, one of `KIND_NAMES`."""
        last = self.frames.last
        if last is None or not last[0] < step <= last[1]:
            self._require(step, 1)
            if self.frames.kinds is not None:
                self.frames.step(step)  # decode its frame: the kind may turn out to be wrong
        return KIND_NAMES[self.contents.columns.kinds[step - 1]]

    def event(self, step: int) -> ev.Event:
        """Return the event at which the step stops."""
        last = self.frames.last
        if last is not None and last[0] < step <= last[1]:
            return last[3].events[last[3].steps[step - last[0] - 1]]
        self._require(step, 1)
        return self.frames.event(step)

    def arguments(self, step: int) -> dict[str, Data]:
        """Return the arguments of an operation that are no tensors, by name; see `events.Call`."""
        event = self.event(step)
        return self.definitions.arguments.get(event.call, {}) if type(event) is ev.Op else {}

    def selected(self, step: int) -> tuple[int, ...] | None:
        """Return the flat indices of what the index of an operation selects; see `events.Op.selected`."""
        event = self.event(step)
        return places(event.selected) if type(event) is ev.Op else None

    def following(self, step: int) -> list[ev.Event]:
        """Return the events after a step's own event and before the next step; for step 0, those before step 1."""
        last = self.frames.last
        if last is not None and last[0] < step < last[1]:  # the next step is in the same frame
            before, _, _, frame = last
            return frame.events[frame.steps[step - before - 1] + 1 : frame.steps[step - before]]
        self._require(step, 0)
        if step:
            return self.frames.following(step)
        return [event for part in self.frames.between((0, 0), self.frames.after(0)) for event in part]

    def cell(self, step: int) -> int | None:
        """Return the number of the code cell that a step belongs to; None before the first."""
        info = self.cell_info(step)
        return None if info is None else info.cell

    def cell_info(self, step: int) -> CellInfo | None:
        """Return the code cell that a step belongs to; None before the first."""
        cells = self.contents.cells
        if cells and cells[-1].start <= step:
            return cells[-1]
        place = bisect_right(cells, step, key=_start_of_cell)
        return cells[place - 1] if place else None

    def pass_of(self, step: int) -> PassInfo | None:
        """Return the innermost backward pass that a step is part of; None outside of passes."""
        passes = self.contents.passes
        for index in range(self._place_in_passes(step) - 1, -1, -1)[:MOST_NESTED_PASSES]:
            end = passes[index].end_step
            if end is None or step <= end:
                return passes[index]
        return None

    def _place_in_passes(self, step: int) -> int:
        """Return how many passes have begun by a step. The next step asked for is mostly near the last."""
        passes, place = self.contents.passes, self._passes_begun
        if place > len(passes) or (place and step < passes[place - 1].start_step):
            place = bisect_right(passes, step, key=_start_of_pass)
        elif place < len(passes) and step >= passes[place].start_step:
            place += 1
            if place < len(passes) and step >= passes[place].start_step:
                place = bisect_right(passes, step, key=_start_of_pass)
        self._passes_begun = place
        return place

    def view(self, step: int) -> StepView:
        """Return a step with its place in the code. Do not modify it: it is cached."""
        view = self._views.get(step)
        if view is None:
            if len(self._views) >= CACHED_VIEWS:
                self._views.clear()
            view = self._views[step] = self._view(step)
        return view

    def _view(self, step: int) -> StepView:
        event = self.event(step)
        columns, index = self.contents.columns, step - 1
        site = self.definitions.sites.get(columns.sites[index])
        kind = type(event)
        has_body = kind in _WITH_BODY or (site is not None and site.op == ev.LOAD)
        if type(event) is ev.Failed:
            function, place = event.function, self._place(event.file, event.span, has_body)
        else:
            function = None if site is None else site.function
            cached = self._places.get((columns.sites[index], has_body))
            if cached is None:
                file, span = (None, None) if site is None else (site.file, site.span)
                if len(self._places) >= CACHED_PLACES:
                    self._places.clear()
                cached = self._places[columns.sites[index], has_body] = self._place(file, span, has_body)
            place = cached
        depth = None
        if kind is ev.Op:
            depth = columns.depths[index]
        elif kind is ev.Line:
            depth = columns.frame_depths[index] - 1
        info = self.pass_of(step)
        path, span, code = place
        return StepView(
            step=step,
            kind=event.kind or "",
            event=event,
            cell=self.cell(step),
            site=site,
            file=path,
            line=None if span is None else span[0],
            span=span,
            code=code,
            function=function,
            depth=depth,
            iteration=columns.iterations[index] or None,
            pass_=None if info is None else info.number,
        )

    def _place(self, file: int | None, span: ev.Span | None, has_body: bool) -> _Place:
        """Return the path of a file, a span in it, of a statement without its body, and the code there."""
        if file is None or span is None:
            source = None if file is None else self.definitions.sources.get(file)
            return None if source is None else source.path, None if has_body else span, None
        span = self.definitions.header(file, span) if has_body else span
        source = self.definitions.sources.get(file)
        return None if source is None else source.path, span, _shorten(self.definitions.code(file, span))

    # ------------------------------------------------------------ the state

    def state(self, step: int) -> State:
        """Return the state of the program after this step and before the next. Do not modify it: it is cached.

        Args:
            step: From 0, the state before anything has run, to `steps`.

        Returns:
            The state, which stays valid while the recording grows.

        Raises:
            IndexError: If there is no such step.
        """
        state = self._cached_states.get(step)
        if state is None:
            self._require(step, 0)
            state = self._cached_states[step] = self._replay_to(step)
            if len(self._cached_states) > CACHED_STATES:
                self._cached_states.popitem(last=False)
        else:
            self._cached_states.move_to_end(step)
        return state

    def moment(self, step: int) -> State:
        """Return the state after a step, but with the call stack and names as they are at its own event.

        A call that begins between this step and the next has not bound its arguments yet, and a call that ends there
        still has its names.
        """
        state = self.state(step)
        if not step:
            return state
        before = self.state(step - 1)
        if len(before.frames) == len(state.frames) and all(
            old.frame == new.frame for old, new in zip(before.frames, state.frames, strict=True)
        ):
            return state
        moment = state.__copy__()
        moment.frames, moment.suspended = before.frames, before.suspended
        return moment

    def _replay_to(self, step: int) -> State:
        if step == self.steps and self._head is not None:
            state = copy_state(self._head.state)
        else:
            state = self.seeker.seek(self.frames.after(step))
        state.step = step
        for event in self.following(step):
            if type(event) is ev.GraphNode and event.node in state.nodes:
                node = state.nodes[event.node] = state.nodes[event.node].__copy__()
                node.state = "new" if node.state == "live" else node.state
        return state

    def operation(self, node: NodeState) -> int | None:
        """Return the step of the operation that created a node; None if unknown."""
        return self.columns.operation(node.operation)

    def changed(self, step: int, since: int | None = None) -> Changes:
        """Return what changed between two steps, in either direction.

        Args:
            step: The step to compare.
            since: The step to compare with. By default the step before, skipping the steps inside of a composite that
                this step ends.
        """
        self._require(step, 0)
        since = (self.columns.back(step) or 0) if since is None else since
        self._require(since, 0)
        first, last = sorted((step, since))
        start, end = self.frames.after(first), self.frames.after(last)
        if self.frames.distance(end) - self.frames.distance(start) > COMPARE_BEYOND:
            return changes_between(self.state(first), self.state(last))
        before = self.state(first)
        return changes_from((event for part in self.frames.between(start, end) for event in part), before)

    # ------------------------------------------------------------ output

    def output(self, step: int) -> str:
        """Return everything printed before the next step, stdout and stderr together."""
        self._require(step, 0)
        printed = self.contents.printed
        count = bisect_right(printed, step, key=lambda part: part.step)
        if not count:
            return ""
        if len(self._text) < printed[-1].length:
            self._text = "".join(part.text for part in printed)
        return self._text[: printed[count - 1].length]

    def _require(self, step: int, first: int) -> None:
        if not first <= step <= self.steps:
            raise IndexError(f"There is no step {step}: this recording has {self.steps}.")


def _shorten(code: str | None) -> str | None:
    return code if code is None or len(code) <= MAX_CODE else code[: MAX_CODE - 1] + "…"
