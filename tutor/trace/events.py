"""What a recording is made of: one event is one fact.

The worker writes events, the timeline reads them; nothing else passes between the two. On the wire an event is a
msgpack array `[tag, field, ...]`, so a new field goes at the end, with a default. A reader skips tags it does not know.

A *step* is an event at which one can stop (`STEP_KINDS`). Steps are numbered from 1, and the state at step k is all
that happened before step k+1.

Numbers that stand for things are given out by the worker, from 1, and never reused within a run:
*site* (a place in the code), *file*, *frame* (one activation of one of the learner's functions; the module is frame 1),
*tensor* (a Python tensor object), *group* (a list, tuple, dict, module or object that holds tensors), *module* (an
`nn.Module` that ran), *node* (an autograd node), *storage*, *meta* (a combination of everything about a tensor that
rarely changes).

A *value* on the wire is one of
  None                                      there is none
  bool, int, float, nested lists of these   a small tensor, as `tolist()` gives it; a complex number is `[re, im]`
  {"shape", "code", "data"}                 up to 1,000 elements: raw little-endian bytes, `code` as in `array.array`
                                            ("?" for bool)
  {"shape", "dtype", "stats", "note", ...}  what is too large for a list, or is none (sparse, meta, quantized, nested);
                                            `stats` has min, max, mean, std, nan, inf, zero or is None, `note` says why;
                                            "corners": nested lists, "heat": [rows, columns, bytes, least, most] where
                                            0 is the least, 254 the most and 255 not finite
`trace.values` turns each into JSON and text, `trace.data` has their types.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec

from tutor.trace.wire_types import Data as Data
from tutor.trace.wire_types import Gradients as Gradients
from tutor.trace.wire_types import Scalar as Scalar
from tutor.trace.wire_types import Value as Value

Span: TypeAlias = tuple[int, int, int, int]
"""First line, first column, last line, last column: lines from 1, columns in characters from 0, the end exclusive."""


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The base of all events. The garbage collector need not look at them: what is decoded has no cycles."""

    kind: ClassVar[str | None] = None


# ---------------------------------------------------------------- where things are


class Source(Event, frozen=True, tag=1):
    """The text of a file of the learner's, before the first site in it."""

    file: int
    path: str
    text: str
    cell: int | None = None
    """In a notebook each code cell is a file of its own: which, from 1."""


class Site(Event, frozen=True, tag=2):
    """A place in the code, before its first use. Statements have `op` None; operations and backward calls name it."""

    site: int
    file: int
    span: Span
    function: str
    statement: int
    """The site of the statement around it; its own number for a statement."""
    op: str | None = None
    depth: int = 0
    """How many of torch's own composites stand around the operation; those of a module's `forward` do not count."""
    parent: str | None = None
    """The innermost such composite, for instance `SGD.step`."""
    inplace: bool = False


class Document(Event, frozen=True, tag=3):
    """What is being run, once, first of all: its cells as read by `lesson.read`, prose included."""

    name: str
    """A lesson's id, or the path of a file."""
    title: dict[str, str]
    cells: list[dict[str, Data]]
    """`msgspec.to_builtins` of `lesson.model.Cell`."""
    knobs: dict[str, Data] = {}
    device: str | None = None
    originals: dict[int, str] = {}
    """What the file has in the code cells, by number, in whose place the learner's own code ran."""


# ---------------------------------------------------------------- the learner's code


class CellStart(Event, frozen=True, tag=10):
    """A code cell (from 1) starts."""

    kind = "cell"
    cell: int
    knobs: dict[str, Data] = {}


class CellEnd(Event, frozen=True, tag=11):
    """A code cell has ended: outcome is ok, failed, exited, stopped or died; `note` is the exception's type.

    `status` and `place` are facts that the front end says in the learner's language, as in `RunEnd`.
    """

    kind = "cell_end"
    cell: int
    outcome: str
    note: str = ""
    seconds: float = 0.0
    status: int = 0
    place: str = ""


class Line(Event, frozen=True, tag=12):
    """The statement at `site` is about to run in `frame`. A loop's header is a statement that runs once more than
    its body."""

    kind = "line"
    site: int
    frame: int


class FrameStart(Event, frozen=True, tag=13):
    """One of the learner's functions (or class bodies) was entered. Arguments follow as `Bind`.

    A `resumable` frame (generator, coroutine) may be left and entered again without events: it is on the stack while
    its own `Line` and `Bind` events come, and is off it from the first `Line` or `Bind` of a frame below it on.
    """

    frame: int
    function: str
    file: int
    resumable: bool = False


class FrameEnd(Event, frozen=True, tag=14):
    """The function returned or was left by an exception: its names are gone."""

    frame: int


class Iteration(Event, frozen=True, tag=15):
    """The body of the loop whose header is statement `loop` begins its `number`-th turn, from 1, in `frame`."""

    frame: int
    loop: int
    number: int


class LoopEnd(Event, frozen=True, tag=16):
    """The loop was left in the normal way or by break (a return or an exception ends it with its frame's `Line`s)."""

    frame: int
    loop: int


class Bind(Event, frozen=True, tag=17):
    """A name in a learner's frame now means this: `what` is tensor, group, value or none (deleted, or not shown)."""

    frame: int
    name: str
    what: str
    ref: int = 0
    value: Scalar = None
    """For `what="value"`: a number, a bool, None or a string (cut at 200 characters)."""


class Group(Event, frozen=True, tag=18):
    """What a container, module or object holds now: pairs of the text to add to its name and a tensor.

    `[(".fc1.weight", 3), ("[0]", 4), ("['w']", 5)]`
    """

    group: int
    items: list[tuple[str, int]]
    containers: list[tuple[str, str, int]] = []
    """The lists, tuples and dicts among what it is and holds: the text to add to its name, the name of the class, and
    how many items there are, 20 at most: no more are looked at."""


# ---------------------------------------------------------------- tensors


class Meta(Event, frozen=True, tag=20):
    """What rarely changes about a tensor, before the first `Snapshot` with this number."""

    meta: int
    shape: tuple[int, ...]
    dtype: str
    device: str
    strides: tuple[int, ...] | None
    requires_grad: bool
    is_leaf: bool | None
    """None where torch refuses to tell: of a view made under `no_grad` whose base was changed since."""
    grad_fn: str | None
    retains_grad: bool
    layout: str = "strided"
    class_name: str = "Tensor"


class Snapshot(Event, frozen=True, tag=21):
    """The state of a tensor that is new or has changed."""

    tensor: int
    meta: int
    version: int | None
    storage: int | None
    node: int | None
    """Its `grad_fn` in the graph; None for a leaf."""
    grad: int | None
    """The tensor in its `.grad`."""
    value: Value
    """None: as in this tensor's last snapshot."""


class Gone(Event, frozen=True, tag=22):
    """These tensors were collected; their numbers will not come again."""

    tensors: list[int]


class Op(Event, frozen=True, tag=23):
    """A torch operation ran. `Snapshot`s of what it made or changed follow."""

    kind = "op"
    site: int
    frame: int
    inputs: list[int | None]
    """Tensors in the order of the arguments (lists flattened); None for a positional argument that is no tensor."""
    outputs: list[int]
    module: int | None = None
    """The innermost module in whose `forward` it ran."""


class Module(Event, frozen=True, tag=53):
    """An `nn.Module` in whose `forward` operations run, before the first of them."""

    module: int
    class_name: str
    """The name of its class."""
    path: str
    """What to add to the name of the outermost module around it: `.fc1`, `[0].norm`; empty for that one itself."""
    parent: int | None
    """The module around it."""


# ---------------------------------------------------------------- the backward pass


class GraphNode(Event, frozen=True, tag=30):
    """An autograd node appeared. Inputs are the nodes (and which output of theirs) that it will send gradients to."""

    node: int
    name: str
    inputs: list[tuple[int, int] | None]
    """In the order of `next_functions`; None where an input needs no gradient."""
    tensor: int | None
    """The tensor that the node's first output became, or the leaf of an `AccumulateGrad`; None inside a composite."""
    sequence: int
    """`_sequence_nr()`: operations in the order in which they ran; -1 for `AccumulateGrad`."""
    saved: list[str] = []
    """The names under which the node saves tensors for its backward (`self`, `other`, `result`)."""
    of: tuple[int, int] | None = None
    """In a pass with `create_graph`: it computed a gradient of this node, the one that ran last. Which of those that
    the node sent on, from 0; -1: the one that reached it."""


class Freed(Event, frozen=True, tag=31):
    """These nodes are gone: nothing holds them any more."""

    nodes: list[int]


class Backward(Event, frozen=True, tag=32):
    """A backward pass (from 1) starts, by `backward` or `grad`."""

    kind = "backward"
    site: int
    frame: int
    number: int
    call: str
    roots: list[int]
    """The tensors it was called on; their nodes are in their snapshots."""
    retain_graph: bool
    create_graph: bool
    gradient: Gradients = []
    """The gradients given for the roots, where any were."""


class BackwardEnd(Event, frozen=True, tag=33):
    """The pass is over. Without `retain_graph` the nodes that ran have let go of what they saved."""

    kind = "backward_end"
    number: int
    ok: bool


class Node(Event, frozen=True, tag=34):
    """A node ran. In the words of `Node.register_hook`: `grad_outputs` reached it, `grad_inputs` it sends on, one per
    input of its `GraphNode`. Its place in the engine's order is its place in the recording."""

    kind = "node"
    node: int
    grad_outputs: Gradients
    grad_inputs: Gradients


class Accumulate(Event, frozen=True, tag=35):
    """A leaf's gradient was written: what `.grad` held before (the state tells) plus `incoming` is `new`.

    The parts of `incoming` are the `grad_inputs` of the nodes that ran in this pass and feed `node`.
    """

    kind = "accumulate"
    node: int
    tensor: int
    grad: int
    incoming: Value
    new: Value
    version: int | None = None
    """That of the tensor `grad` now: adding to it in place is a write."""
    storage: int | None = None
    """Its storage, where `grad` is new; it is in all else as the leaf then, or has a snapshot of its own."""


class Captured(Event, frozen=True, tag=36):
    """`autograd.grad` returned this gradient for this tensor."""

    kind = "captured"
    tensor: int
    result: int | None
    value: Value


class Retained(Event, frozen=True, tag=37):
    """A non-leaf that asked for it (`retain_grad`) got its `.grad`."""

    kind = "retained"
    tensor: int
    grad: int
    value: Value


class HookRan(Event, frozen=True, tag=38):
    """A hook of the learner's ran; `after` equals `before` where it changed nothing.

    Of a tensor: one that gets its gradient (`register_hook`), or one that runs once a leaf's has been written
    (`register_post_accumulate_grad_hook`, a step after its `Accumulate`). Of a node, told before the `Node`, with what
    it changed in it, a gradient each: `tensor` is 0.
    """

    kind = "hook"
    tensor: int
    hook: str
    before: Value
    after: Value
    node: int | None = None
    """Whose hook it is (`Node.register_hook`, `register_prehook`)."""
    input: int | None = None
    """To which input of the node the gradient goes; None: it has reached the node, which has not run yet."""


# ---------------------------------------------------------------- all else


class Failed(Event, frozen=True, tag=40):
    """An exception reached the end of a cell, or an `except` of the learner's (`caught`)."""

    kind = "failed"
    error: str
    message: str
    file: int | None
    span: Span | None
    function: str | None
    frame: int | None
    caught: bool = False
    traceback: str = ""
    cause: int | None = None
    """How many steps back stands the event that made it inevitable, where that is known."""


class Output(Event, frozen=True, tag=41):
    """Text printed; `stream` is stdout or stderr."""

    stream: str
    text: str


class Warned(Event, frozen=True, tag=42):
    """A Python warning; the file and the line that it names, where they are the learner's."""

    category: str
    message: str
    file: int | None = None
    line: int | None = None


class Figure(Event, frozen=True, tag=43):
    """Plotting calls, to be drawn again at any size."""

    calls: list[Data]


class Answer(Event, frozen=True, tag=44):
    """What the run gives as the answer of question cell `cell` (its index in `Document.cells`).

    Of a question "which line?" the value is the first line of the statement asked for.
    """

    cell: int
    value: Data = None
    error: str | None = None
    last_line: int | None = None
    """Of that statement."""
    count: int | None = None
    """Its how-manieth run it was: `line:N#K` is the place where the condition became true."""


class Checked(Event, frozen=True, tag=54):
    """An exercise's code (its cell's index in `Document.cells`) was checked; neither the check nor a solution that ran
    in place of what failed is in the recording."""

    cell: int
    exercise: str
    ok: bool
    message: str | dict[str, str] = ""
    """To the learner, where it failed: by language where the check speaks several. Else the exception's own text."""
    line: int | None = None
    """Where it failed, in the file: in the check, or in the code that raised."""
    of: str = "attempt"
    """attempt: what stood in the exercise cell. solution: the lesson's own, which ran unseen after an attempt that
    failed, so that later cells find what they need."""
    how: str = ""
    """What failed, where the check does not say it itself: stopped (the code), name (one is missing), check, solution
    (an exception in it)."""
    error: str = ""
    """The exception's type, or the name that is missing."""


class Cut(Event, frozen=True, tag=55):
    """The recording is full: the learner's code goes on from here, but what it does is no longer recorded.

    What follows, up to the next step, is that of the end of the cell: after a `Gap` "full", what all names mean then.
    Points, output, cells and the failure that ends the run are still told. A run that is killed tells no such end.
    """

    kind = "cut"
    events: int
    """How many were recorded before."""
    site: int
    """The statement that was about to run, or running."""
    frame: int
    iterations: list[int]
    """Of the loops around it, those of calling functions too, outermost first: which iteration each was in."""
    reason: str
    """events or bytes: what there were too many of."""


class Point(Event, frozen=True, tag=45):
    """Past the budget: the value of the scalar that backward was called on, for the charts."""

    name: str
    """Empty: it has none."""
    value: float
    site: int = 0
    """Of the call."""
    root: int = 0
    """The how-manieth of its roots it is, from 0, of how many."""
    roots: int = 1
    parts: list[tuple[str, float]] = []
    """The named scalars that it is a sum of, or scaled from, where it has no name of its own."""


class Gap(Event, frozen=True, tag=46):
    """Something was left out: how many events (0: not counted), and why: one of the words in `gaps`."""

    events: int
    why: str
    count: int = 0
    """Of what `why` speaks of."""
    detail: str = ""


class RunEnd(Event, frozen=True, tag=47):
    """The run is over: outcome as in `CellEnd`, or refused, and `note` says why.

    `status` is the exit status of the learner's program, 128 and the signal's number where it died; `place` is the
    file, the line and the statement where its process ended without a word.
    """

    outcome: str
    status: int
    note: str = ""
    place: str = ""


class Inner(msgspec.Struct, frozen=True, array_like=True):
    """A node inside of an operation: what it needs and keeps, in the words of `Saved`."""

    name: str
    needs: list[bool]
    tensors: list[tuple[str, int, int, int]]


class Saved(Event, frozen=True, tag=50):
    """What the nodes called `name` that the operation at `site` makes keep for their backward, before the first one.

    For each saved tensor: the name under which it is kept, whose it is (0: an input of the operation, 1: an output,
    2: its own, a mask or indices, say), which of them, and the bytes of an own.
    """

    site: int
    name: str
    tensors: list[tuple[str, int, int, int]]
    needs: list[bool] = []
    """Which of the node's inputs needed a gradient: where others do, it may keep other things."""
    inner: list[Inner] = []
    """The nodes inside of the operation that lead to that one, breadth first, without leaves."""


class Update(msgspec.Struct, frozen=True, array_like=True):
    """What an optimizer's step did to one parameter."""

    tensor: int
    group: int
    before: Value
    grad: Value
    after: Value
    state_before: dict[str, Value]
    state_after: dict[str, Value]


class OptimizerStep(Event, frozen=True, tag=51):
    """An optimizer's step is over. `options` are those of each group: lr, momentum, betas, …"""

    optimizer: str
    site: int
    frame: int
    options: list[dict[str, Data]]
    updates: list[Update]
    left_out: int = 0
    """How many parameters were too large or too many to be told one by one."""
    others: list[int] = []
    """Those of them that have a gradient, so that the step changed them too."""


class Key(Event, frozen=True, tag=60):
    """The whole state at a point of the recording; written by the reader, never by the worker."""

    state: bytes


STEP_KINDS: tuple[type[Event], ...] = (
    CellStart, CellEnd, Line, Op, Backward, BackwardEnd, Node, Accumulate, Captured, Retained, HookRan, Failed,
    Cut,
)  # fmt: skip
"""The events that are steps; a step's kind is its place here, plus one."""

EVENTS: tuple[type[Event], ...] = (
    *STEP_KINDS, Source, Site, Document, FrameStart, FrameEnd, Iteration, LoopEnd, Bind, Group, Meta, Snapshot, Gone,
    GraphNode, Freed, Output, Warned, Figure, Answer, Checked, Point, Gap, RunEnd,
    Saved, OptimizerStep, Module, Key,
)  # fmt: skip
