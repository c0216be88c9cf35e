"""The events of a recording.

The worker writes events, the timeline reads them; nothing else passes between the two. On the wire an event is a
msgpack array `[tag, field, ...]`, so a new field goes at the end, with a default. A reader skips tags it does not know.

A *step* is an event at which one can stop (`STEP_KINDS`). Steps are numbered from 1, and the state at step k is the
result of all events before step k+1.

The worker numbers things from 1 and never reuses a number within a run:
*site* (a place in the code), *file*, *frame* (one activation of one of the learner's functions; the module is frame 1),
*tensor* (a Python tensor object), *group* (a list, tuple, dict, module or object that holds tensors), *module* (an
`nn.Module` that ran), *node* (an autograd node), *optimizer*, *storage*, *meta* (what rarely changes of a tensor).

`trace.values` says what a *value* is on the wire.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec

from tutor.trace.values import Data, Gradients, Places, Scalar, Value

Span: TypeAlias = tuple[int, int, int, int]
"""First line, column, last line, column: lines from 1, columns in characters from 0, the end exclusive."""


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all events. The garbage collector ignores them (`gc=False`): decoded data has no cycles."""

    kind: ClassVar[str | None] = None


# ---------------------------------------------------------------- source code


class Source(Event, frozen=True, tag=1):
    """The text of one of the learner's files, before the first site in it."""

    file: int
    path: str
    text: str
    cell: int | None = None
    """Number of the code cell, from 1, in a notebook, where each code cell is a file; else None."""


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
    """Number of torch composites around the operation, without those of a module's `forward`."""
    parent: str | None = None
    """The innermost such composite: `SGD.step`."""
    inplace: bool = False


class Document(Event, frozen=True, tag=3):
    """The lesson or script that is run, prose included; the first event."""

    name: str
    """A lesson's id, or the path of a file."""
    title: dict[str, str]
    cells: list[dict[str, Data]]
    """`msgspec.to_builtins` of `lesson.model.Cell`."""
    knobs: dict[str, Data] = {}
    device: str | None = None
    originals: dict[int, str] = {}
    """By number of a code cell in whose place the learner's own code ran: the code in the file."""


# ---------------------------------------------------------------- the learner's code


class CellStart(Event, frozen=True, tag=10):
    """A code cell (from 1) starts."""

    kind = "cell"
    cell: int
    knobs: dict[str, Data] = {}


class CellEnd(Event, frozen=True, tag=11):
    """A code cell has ended: outcome is ok, failed, exited, stopped, died or skipped; `note` is the exception's type;
    `status` and `place` are as in `RunEnd`."""

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
    loads: int = 0
    """How many loads of a `DataLoader` it runs inside of: its steps are that much deeper."""


class FrameEnd(Event, frozen=True, tag=14):
    """The function returned or raised: its names no longer exist."""

    frame: int


class Iteration(Event, frozen=True, tag=15):
    """Iteration `number` (from 1) of the loop whose header is statement `loop` begins in `frame`."""

    frame: int
    loop: int
    number: int


class LoopEnd(Event, frozen=True, tag=16):
    """The loop was left in the normal way or by break (a return or an exception ends it with its frame's `Line`s)."""

    frame: int
    loop: int


class Bind(Event, frozen=True, tag=17):
    """A name was bound: `what` is tensor, group, value or none (deleted, or not shown)."""

    frame: int
    name: str
    what: str
    ref: int = 0
    value: Scalar = None
    """For `what="value"`: a number, a bool, None or a string (cut at 200 characters)."""


class Group(Event, frozen=True, tag=18):
    """The tensors in a container, module or object now: pairs of the suffix to add to its name and a tensor.

    `[(".fc1.weight", 3), ("[0]", 4), ("['w']", 5)]`
    """

    group: int
    items: list[tuple[str, int]]
    containers: list[tuple[str, str, int]] = []
    """The lists, tuples and dicts in it, itself included: the suffix to add to its name, the name of the class, and
    the number of items, of which the first 20 are examined."""


# ---------------------------------------------------------------- tensors


class Meta(Event, frozen=True, tag=20):
    """The properties of a tensor that rarely change, before the first `Snapshot` with this number."""

    meta: int
    shape: tuple[int, ...]
    dtype: str
    device: str
    strides: tuple[int, ...] | None
    requires_grad: bool
    is_leaf: bool | None
    """None where torch raises: for a view made under `no_grad` whose base was modified since."""
    grad_fn: str | None
    retains_grad: bool
    layout: str = "strided"
    class_name: str = "Tensor"


class Snapshot(Event, frozen=True, tag=21):
    """The state of a new or changed tensor."""

    tensor: int
    meta: int
    version: int | None
    storage: int | None
    node: int | None
    """Its `grad_fn` in the graph; None for a leaf."""
    grad: int | None
    """The tensor in its `.grad`."""
    value: Value
    """None: the same as in this tensor's last snapshot."""
    storage_offset: int = 0
    """Where it begins in its storage, in elements."""


class Gone(Event, frozen=True, tag=22):
    """These tensors were garbage-collected."""

    tensors: list[int]


class Op(Event, frozen=True, tag=23):
    """A torch operation ran. `Snapshot`s of the tensors that it created or modified follow."""

    kind = "op"
    site: int
    frame: int
    inputs: list[int | None]
    """Tensors in the order of the arguments (lists flattened); None for a positional argument that is not a tensor."""
    outputs: list[int]
    module: int | None = None
    """The innermost module in whose `forward` it ran."""
    call: int = 0
    """Its arguments that are no tensors; 0: it has none, or too many different ones were sent."""
    grad_enabled: bool = True
    """Whether autograd recorded at that time, unlike under `no_grad`."""
    selected: Places | None = None
    """Flat indices of what an index selects of its first input, in the order of the result; None above 1,000, and for
    an index of numbers and slices that is read: the result, a view, tells."""
    selected_of_view: Places | None = None
    """The same in the view that the numbers and slices of the index leave, if that is not all of it."""


LOAD = "load"
"""The operation of a `DataLoader` that loads a batch."""


class Call(Event, frozen=True, tag=56):
    """Arguments of an operation that are no tensors, before the first `Op` that has them.

    By name, or by place (a text). Dtypes, devices, slices (`1:3`) and tensors in a list are texts. Left out is what is
    None, long, or has no JSON value.
    """

    call: int
    arguments: dict[str, Data]


class Module(Event, frozen=True, tag=53):
    """An `nn.Module` in whose `forward` operations run, before the first of them."""

    module: int
    class_name: str
    path: str
    """Suffix to add to the name of the outermost module around it: `.fc1`, `[0].norm`; empty for that module."""
    parent: int | None
    """The module around it; None for the outermost."""
    of_torch: bool = False
    """Whether its class is one of torch's own."""


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
    """In a pass with `create_graph`: the node that ran last, of which it computed a gradient, and the index of that
    gradient in `Node.grad_inputs`; -1: the gradient that reached the node."""
    attributes: int = 0
    """Its attributes; 0: it has none, or more different ones were sent than are held."""


class Attributes(Event, frozen=True, tag=57):
    """What autograd nodes save that is no tensor, before the first `GraphNode` that has it.

    By the name of the node's `_saved_…`: `{"dim": [1], "keepdim": False}`. A complex number is `[re, im]`.
    """

    attributes: int
    values: dict[str, Data]


class Freed(Event, frozen=True, tag=31):
    """These nodes no longer exist: nothing refers to them."""

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
    """The gradients passed for the roots; empty if none were."""


class BackwardEnd(Event, frozen=True, tag=33):
    """The pass is over. Without `retain_graph` the nodes that ran have released their saved tensors."""

    kind = "backward_end"
    number: int
    ok: bool


class Node(Event, frozen=True, tag=34):
    """A node ran. In the words of `Node.register_hook`: `grad_outputs` reached it, `grad_inputs` it sends on, one per
    input of its `GraphNode`."""

    kind = "node"
    node: int
    grad_outputs: Gradients
    grad_inputs: Gradients


class Accumulate(Event, frozen=True, tag=35):
    """A leaf's gradient was written: the previous `.grad` (in the state) plus `incoming` is `new`.

    The parts of `incoming` are the `grad_inputs` of the nodes that ran in this pass and feed `node`.
    """

    kind = "accumulate"
    node: int
    tensor: int
    grad: int
    incoming: Value
    new: Value
    version: int | None = None
    """Version of the tensor `grad` now: accumulating in place raises it."""
    storage: int | None = None
    """Storage of `grad`, if it is new; its other properties are those of the leaf, or in a snapshot of `grad`."""


class Captured(Event, frozen=True, tag=36):
    """`autograd.grad` returned this gradient for this tensor."""

    kind = "captured"
    tensor: int
    result: int | None
    value: Value


class Retained(Event, frozen=True, tag=37):
    """The `.grad` of a non-leaf with `retain_grad` was written."""

    kind = "retained"
    tensor: int
    grad: int
    value: Value


class HookRan(Event, frozen=True, tag=38):
    """One of the learner's hooks ran; `after` equals `before` if it changed nothing.

    A tensor's hook gets its gradient, or runs after a leaf's gradient has been written (a step after its `Accumulate`).
    For a node's hook, `tensor` is 0; there is one event for each gradient that it changed, before the `Node`.
    """

    kind = "hook"
    tensor: int
    hook: str
    before: Value
    after: Value
    node: int | None = None
    """The node of a node's hook (`Node.register_hook`, `register_prehook`)."""
    input: int | None = None
    """Input of the node to which the gradient goes; None: the gradient that reached the node, which has not run yet."""


# ---------------------------------------------------------------- failures, output, exercises


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
    """Number of steps back to the event that made it inevitable; None: unknown."""


class Output(Event, frozen=True, tag=41):
    """Text printed; `stream` is stdout, stderr, or display: a result that a notebook shows."""

    stream: str
    text: str


class Warned(Event, frozen=True, tag=42):
    """A Python warning, with the file and line that it names if they are the learner's."""

    category: str
    message: str
    file: int | None = None
    line: int | None = None


class Plotted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A curve, an image or the like in a figure."""

    form: str
    """line, points, bars, errorbars, area, lines, image, mesh, contours, slices, or the name of matplotlib's class."""
    label: str
    count: int
    """Number of points, bars, elements of an image, or levels of contours."""
    x: list[float]
    """Least and greatest x; empty if there is none."""
    y: list[float]
    """Least and greatest y, or value of an image."""
    last: float | None = None
    """The last y of a line."""


class Subplot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a system of axes of a figure shows."""

    title: str
    labels: tuple[str, str]
    """Of the x and the y axis."""
    scales: tuple[str, str]
    """linear, log, …"""
    parts: list[Plotted]
    texts: list[str]


class Drawing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A figure drawn in `columns` by `rows` cells; `drawings.py` unpacks it."""

    columns: int
    rows: int
    packed: bytes


class Picture(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A figure drawn in pixels of a few colours, for `columns` by `rows` cells; `drawings.py` unpacks it."""

    columns: int
    rows: int
    width: int
    height: int
    colours: bytes
    """Red, green and blue of each colour."""
    packed: bytes


class Figure(Event, frozen=True, tag=43):
    """A figure that the program shows: plotext's calls, which can be drawn at any size, or matplotlib's, drawn."""

    calls: list[Data]
    drawings: list[Drawing] = []
    """From the smallest to the largest."""
    title: str = ""
    subplots: list[Subplot] = []
    left_out: list[str] = []
    """What could not be drawn."""
    file: str = ""
    """The file that it was saved in; empty if it was shown."""
    pictures: list[Picture] = []
    """From the smallest to the largest; only where they were asked for."""


class Answer(Event, frozen=True, tag=44):
    """The value of the expression of cell `cell` (its index in `Document.cells`), computed from the run.

    It is the right answer to a question, a wrong one that has a diagnosis, or whether a prose cell with `when` is
    shown.

    For a question "which line?" the value is the first line of the statement.
    """

    cell: int
    value: Data = None
    error: str | None = None
    last_line: int | None = None
    """Of that statement."""
    count: int | None = None
    """Number of the execution of that statement, from 1: the condition became true at `line:N#K`."""


class Checked(Event, frozen=True, tag=54):
    """The code of an exercise (its cell's index in `Document.cells`) was checked. The check is not recorded, nor is a
    solution that ran after a failed attempt."""

    cell: int
    exercise: str
    ok: bool
    message: str | dict[str, str] = ""
    """On failure; by language if the check has several."""
    line: int | None = None
    """Where it failed, in the file: in the check, or in the code that raised."""
    of: str = "attempt"
    """attempt: the code in the exercise cell. solution: the lesson's, which ran unrecorded after a failed attempt."""
    how: str = ""
    """What failed if the check has no message: stopped (the code raised), name (missing), check, solution (raised)."""
    error: str = ""
    """The exception's type, or the name that is missing."""


class Cut(Event, frozen=True, tag=55):
    """The recording is full: the learner's code runs on from here unrecorded.

    Events after it and before the next step are the end of the cell: after a `Gap` "full", the bindings of all names.
    Points, output, cells and the failure that ends the run are still recorded. A killed run has no such end.
    """

    kind = "cut"
    events: int
    """Number of events recorded before."""
    site: int
    """The statement that was about to run, or running."""
    frame: int
    iterations: list[int]
    """Current iterations of the loops around it and around the calls of its function, outermost first, from 1."""
    reason: str
    """events or bytes: the limit that was reached. for or steps: the option by which it ends here."""


ASKED = ("for", "steps")
"""The reasons of cuts that were asked for."""


class Skipped(Event, frozen=True, tag=59):
    """Iterations `first` to `last` of the loop at statement `loop` were not recorded: those before them did not touch a
    tensor, or others were to be kept. What they changed in names and tensors follows.

    With a `function`: calls `first` to `last` of it, of which some ran at the statement `loop`."""

    kind = "skipped"
    frame: int
    loop: int
    first: int
    last: int
    touched: bool = False
    """Whether an operation ended it: the rest of the last of them is recorded, without its statements."""
    function: str = ""
    """Its name, with that of its class."""
    count: int = 0
    """Number of iterations, where the loop was entered several times; 0: those from `first` to `last`."""
    why: str = ""
    """The option by which iterations of the training loop were not to be recorded: keep, until. With from and only it
    is all that ran before, without iterations."""


class Mark(Event, frozen=True, tag=61):
    """The program called `breakpoint()`, and ran on."""

    kind = "mark"
    site: int
    """The statement that called it."""
    frame: int


class Asked(Event, frozen=True, tag=62):
    """The program reads a line of its standard input that somebody types. `Answered` follows, unless it ends before."""

    kind = "asked"
    site: int
    """The statement that runs."""
    frame: int
    prompt: str
    """The line that the program has printed and not ended."""
    secret: bool = False
    """Whether what is typed must not be seen."""


class Answered(Event, frozen=True, tag=63):
    """The line that the program got."""

    prompt: str
    text: str | None
    """Without the end of the line; None: the end of its input. Empty if it is secret."""
    secret: bool = False
    has_end: bool = True
    """Whether the end of the line came with it, which the last one of a file may lack."""


class Waiting(Event, frozen=True, tag=64):
    """The program waits for a line to be typed, until `Answered`."""

    prompt: str
    secret: bool = False


class Point(Event, frozen=True, tag=45):
    """A value for the charts: of a scalar that backward was called on, once the recording is full; or one that the
    program logs."""

    name: str
    """Empty: it has none."""
    value: float
    site: int = 0
    root: int = 0
    """Index of the scalar among the roots of the call at `site`, from 0."""
    roots: int = 1
    """Number of roots."""
    parts: list[tuple[str, float]] = []
    """The named scalars that it is a sum of or scaled from, if it has no name."""
    logged: bool = False
    """Whether the program logs it, under this name, with `SummaryWriter.add_scalar`."""


class Gap(Event, frozen=True, tag=46):
    """Something is missing from the recording."""

    events: int
    """Number of missing events; 0: not counted."""
    why: str
    """A key of the texts in `timeline`, for instance full, printed, thread."""
    count: int = 0
    """A number for that text."""
    detail: str = ""


class RunEnd(Event, frozen=True, tag=47):
    """The run is over: outcome as in `CellEnd`, or refused; `note` is the reason.

    `status` is the exit status of the learner's program, or 128 + the signal's number if it died; `place` is the file,
    line and statement at which its process ended without an exception."""

    outcome: str
    status: int
    note: str = ""
    place: str = ""


class Inner(msgspec.Struct, frozen=True, array_like=True):
    """A node inside a composite operation. The fields are those of `Saved`."""

    name: str
    needs: list[bool]
    tensors: list[tuple[str, int, int, int]]


class Saved(Event, frozen=True, tag=50):
    """The tensors that nodes called `name`, created by the operation at `site`, save for backward; before the first.

    Each is (name, owner, index, bytes): owner 0 is the input `index` of the operation, 1 its output `index`, and 2 what
    only its nodes hold, such as a mask: memory `index` of the operation (from 1; 0: unknown), with its size."""

    site: int
    name: str
    tensors: list[tuple[str, int, int, int]]
    needs: list[bool] = []
    """For each input of the node, whether it needed a gradient: that decides what is saved."""
    inner: list[Inner] = []
    """The nodes inside the operation that lead to that one, breadth first, without leaves."""
    shape: tuple[int, ...] | None = None
    """That of the operation's result, where the sizes depend on it."""


class Update(msgspec.Struct, frozen=True, array_like=True):
    """The update of one parameter by an optimizer step; `group` is the index of its parameter group."""

    tensor: int
    group: int
    before: Value
    grad: Value
    after: Value
    state_before: dict[str, Value]
    state_after: dict[str, Value]


class OptimizerStep(Event, frozen=True, tag=51):
    """An optimizer step is over. `options` has those of each parameter group: lr, momentum, betas, …"""

    optimizer: str
    site: int
    frame: int
    options: list[dict[str, Data]]
    updates: list[Update]
    left_out: int = 0
    """Number of parameters without an `Update`: too large, or too many."""
    others: list[int] = []
    """Those of them that have a gradient, so that the step changed them."""
    number: int = 0
    """That of `OptimizerState`; 0: unknown."""


class OptimizerState(Event, frozen=True, tag=58):
    """What an optimizer holds: when it gets its name in the code (`opt`), and when its tensors are others. `groups` are
    the parameters by group, none once it is gone; `tensors` are those of its state: (parameter, tensor by name)."""

    optimizer: int
    class_name: str
    name: str
    groups: list[list[int]]
    options: list[dict[str, Data]]
    tensors: list[tuple[int, dict[str, int]]]


class Key(Event, frozen=True, tag=60):
    """The whole state at a point of the recording; written by the reader, never by the worker."""

    state: bytes


STEP_KINDS: tuple[type[Event], ...] = (
    CellStart, CellEnd, Line, Op, Backward, BackwardEnd, Node, Accumulate, Captured, Retained, HookRan, Failed, Cut,
    Skipped, Mark, Asked,
)  # fmt: skip
"""The events that are steps. The number of a kind is its position here, from 1."""

EVENTS: tuple[type[Event], ...] = (
    *STEP_KINDS, Source, Site, Document, FrameStart, FrameEnd, Iteration, LoopEnd, Bind, Group, Meta, Snapshot, Gone,
    GraphNode, Freed, Output, Warned, Figure, Answer, Checked, Point, Gap, RunEnd, Saved, OptimizerStep, OptimizerState,
    Module, Call, Attributes, Answered, Waiting, Key,
)  # fmt: skip
