"""The state of the learner's program at one point: what all events up to there add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import msgspec

from tutor.trace.events import Span
from tutor.trace.wire_types import Data, Gradients, Scalar, Value


class Shared(msgspec.Struct, gc=False):
    """What several states hold together: it is copied before it is changed."""

    if TYPE_CHECKING:

        def __copy__(self) -> Self:
            """A shallow copy; msgspec provides it."""


class SiteInfo(msgspec.Struct, gc=False):
    """A place in the code; see `events.Site`."""

    site: int
    file: int
    span: Span
    function: str
    statement: int
    op: str | None
    depth: int
    parent: str | None
    inplace: bool


class ModuleInfo(msgspec.Struct, gc=False):
    """A module in whose `forward` operations run; see `events.Module`."""

    module: int
    kind: str
    path: str
    parent: int | None


class TensorState(Shared, gc=False):
    """What is known of a tensor at this point."""

    tensor: int
    shape: tuple[int, ...]
    dtype: str
    device: str
    strides: tuple[int, ...] | None
    layout: str
    class_name: str
    requires_grad: bool
    is_leaf: bool | None
    grad_fn: str | None
    retains_grad: bool
    version: int | None
    storage: int | None
    node: int | None
    grad: int | None
    """The tensor in its `.grad`, whose value is that of its own state."""
    value: Value
    label: str | None = None
    """The last name that it had, those of calls with it left out: what they call it ends with them."""
    label_frame: int = 0
    """The frame that gave it that name."""
    first_name: str | None = None
    """The name under which the code that made it kept it first."""
    operation: int = 0
    """The how-manieth operation of the recording made it, from 1 (`Columns.operation` tells the step); 0: none did."""


class NodeState(Shared, gc=False):
    """An autograd node on show."""

    node: int
    name: str
    inputs: list[tuple[int, int] | None]
    tensor: int | None
    sequence: int
    saved: list[str]
    value: Value = None
    """What its tensor held when the node was made."""
    shape: tuple[int, ...] | None = None
    grad_outputs: Gradients | None = None
    """What reached it in the pass on show; for an `AccumulateGrad` the incoming gradient. None: it has not run."""
    grad_inputs: Gradients | None = None
    order: int = 0
    """Its place in the engine's order in the pass on show, from 1; 0: it has not run."""
    state: str = "new"
    """new: made in this step; live; freed: it let go of what it saved, or is gone."""
    gone: bool = False
    kept: list[tuple[str, int, int | None, int, int | None]] = []
    """What it keeps for its backward: under which name, which tensor (0: one of its own), and the tensor's version,
    bytes and storage then. Empty where it keeps nothing, and where that is not known."""

    module: int | None = None
    """The innermost module in whose `forward` it was made."""
    of_pass: int | None = None
    """The pass during which it was made: it belongs to the graph of that pass's gradients."""
    of: tuple[int, int] | None = None
    """Of which node it computed a gradient in that pass, and which (see `events.GraphNode`)."""
    operation: int = 0
    """The how-manieth operation of the recording made it, from 1 (`Timeline.operation` tells the step); 0: unknown."""
    site: int = 0
    """Where that stands in the code."""
    frame: int = 0
    """The activation of a function of the learner's in which it ran."""
    within: int = 0
    """The how-manieth operation had begun last when it appeared: of a node inside of an operation, that operation."""
    others: list[tuple[int, int | None, int | None]] = []
    """What that operation was given besides, which needs no gradient: its place among the inputs, the tensor and its
    version; no tensor where it is a number or the like."""
    label: str | None = None
    """What its tensor was called, once that is gone."""


class PassState(msgspec.Struct, gc=False):
    """The backward pass in progress, or the last one that ended."""

    number: int
    call: str
    roots: list[int]
    retain_graph: bool
    create_graph: bool
    gradient: Gradients
    running: bool
    ran: list[int]
    """Nodes in the engine's order, `AccumulateGrad` included."""
    outer: PassState | None = None
    """The pass while which this one ran, in a hook or a custom Function's `backward`; it goes on after it."""
    outer_shown: set[int] = set()
    """The nodes that were on show then."""


class Binding(msgspec.Struct, gc=False):
    """What a name means: `what` is tensor, group or value."""

    what: str
    ref: int = 0
    value: Scalar = None


class FrameState(msgspec.Struct, gc=False):
    """One activation of one of the learner's functions."""

    frame: int
    function: str
    file: int
    resumable: bool
    site: int | None
    """The statement about to run, or running, in it."""
    names: dict[str, Binding]
    iterations: dict[int, int]
    """By loop (the site of its header), in the order in which they were entered: which turn, from 1."""
    begun: int = 0
    """How many operations there were when the statement that runs in it began."""


class State(msgspec.Struct, gc=False):
    """Everything at one point. `timeline.state(k)` gives it; it must not be changed by who asked for it."""

    step: int = 0
    cell: int | None = None
    frames: list[FrameState] = []
    """The stack, outermost first; suspended generators are in `suspended`."""
    suspended: dict[int, FrameState] = {}
    tensors: dict[int, TensorState] = {}
    groups: dict[int, list[tuple[str, int]]] = {}
    containers: dict[int, list[tuple[str, str, int]]] = {}
    """By group: the lists, tuples and dicts in it (see `events.Group`)."""
    nodes: dict[int, NodeState] = {}
    """All nodes that live, and those of the pass on show."""
    shown: set[int] = set()
    """Those that the graph pane draws: the pass in progress or last ended, until the next operation that makes a
    node; then all that live."""
    last_pass: PassState | None = None
    passes: int = 0
    answers: dict[int, Data] = {}
    figures: int = 0
    output_length: int = 0
    """How many characters of the whole output (`timeline.output`) had been printed."""
    knobs: dict[str, Data] = {}
    showing_pass: bool = False
    """Whether `shown` is the graph of `last_pass`, rather than all that lives."""
    grad_of: dict[int, int] = {}
    """By a tensor in somebody's `.grad`: whose."""
    collected: set[int] = set()
    """Tensors whose Python object is gone, but that a `.grad` still holds."""
    last_op: tuple[int, list[int | None], list[int], int | None, int] = (0, [], [], None, 0)
    """The last operation: its site, inputs, outputs, module and frame."""
    operations: int = 0
    """How many operations there were."""
    modules: dict[int, ModuleInfo] = {}
    full: bool = False
    """Whether the recording was full before: of the nodes that live nobody knows whether a pass has used them up."""
