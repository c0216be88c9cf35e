"""The state of the learner's program after a step: its call stack, tensors, autograd graph and backward pass.

`replay` builds it from events. States share what did not change between them. The names of the fields are part of the
format of trace files (`events.Key` holds a whole state, `index.Summary` the sites), and so are their defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import msgspec

from tutor.trace.events import Span
from tutor.trace.values import Data, Gradients, Scalar, Value


class Shared(msgspec.Struct, gc=False):
    """Base of the structs that are copied before they are changed: several states may share them."""

    if TYPE_CHECKING:

        def __copy__(self) -> Self:
            """A shallow copy; msgspec provides it."""


class SiteInfo(msgspec.Struct, gc=False):
    """A place in the code. The fields are those of `events.Site`."""

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
    """An `nn.Module` in whose `forward` operations run; see `events.Module`."""

    module: int
    kind: str
    """Name of its class."""
    path: str
    parent: int | None
    of_torch: bool = False


class TensorState(Shared, gc=False):
    """A tensor after a step: the fields of its last `Snapshot` and `Meta`, and its names."""

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
    """Number of the tensor in its `.grad`; the value is in that tensor's own state."""
    value: Value
    label: str | None = None
    """Its most recent name. A parameter of a called function does not replace the caller's name."""
    label_frame: int = 0
    """Frame in which `label` was bound."""
    first_name: str | None = None
    """First name bound by the statement that created it."""
    operation: int = 0
    """Index of the operation that created it, from 1 over the recording; 0: none did. `Columns.operation` maps it to
    a step."""
    storage_offset: int = 0
    """Where it begins in its storage, in elements."""


class NodeState(Shared, gc=False):
    """An autograd node: its place in the graph, what the current backward pass did at it, and where it comes from.

    "The current pass" is `State.last_pass`, running or ended, as long as its graph is shown.
    """

    node: int
    name: str
    """`grad_fn.name()` without its namespace, for instance `MulBackward0`."""
    inputs: list[tuple[int, int] | None]
    """As `next_functions`: the node and which of its outputs; None for an input that needs no gradient."""
    tensor: int | None
    """Number of its output tensor, or of the leaf of an `AccumulateGrad`; None inside of a composite."""
    sequence: int
    """`_sequence_nr()`; -1 for an `AccumulateGrad`."""
    saved: list[str]
    """Names under which it saves tensors for its backward."""
    value: Value = None
    """Value of its tensor when the node was created; of a leaf, the current one."""
    shape: tuple[int, ...] | None = None
    """Shape of that tensor; None: unknown."""
    grad_outputs: Gradients | None = None
    """Gradients that reached it in the current pass, one per output; for an `AccumulateGrad` the incoming gradient.
    None: it has not run."""
    grad_inputs: Gradients | None = None
    """Gradients that it sent on in the current pass, one per item of `inputs`. None: it has not run, or is a leaf."""
    order: int = 0
    """Its position in the order in which the engine ran the nodes of the current pass, from 1; 0: it has not run."""
    state: str = "new"
    """new: created in this step; live; freed: its saved tensors were released, or it no longer exists."""
    gone: bool = False
    """Whether it no longer exists and is only still shown."""
    kept: list[tuple[str, int, int | None, int, int | None]] = []
    """Tensors saved for its backward: (name, tensor, version, bytes, storage), as they were when it was created; tensor
    0 is one that only nodes of its operation hold, with a negative storage. Empty if it saves none or that is
    unknown."""
    module: int | None = None
    """Innermost module in whose `forward` it was created."""
    of_pass: int | None = None
    """Pass during which it was created (double backward): it belongs to the graph of that pass's gradients."""
    of: tuple[int, int] | None = None
    """Node whose gradient it computed in that pass, and which gradient (see `events.GraphNode`)."""
    operation: int = 0
    """Index of the operation that created it, from 1 over the recording; 0: unknown. `Timeline.operation` maps it to a
    step."""
    site: int = 0
    """Site of that operation."""
    frame: int = 0
    """Frame in which that operation ran."""
    within: int = 0
    """Index of the last operation that had begun when it was created, from 1: the composite around an inner node."""
    others: list[tuple[int, int | None, int | None]] = []
    """Inputs of its operation that need no gradient: (position, tensor, version); tensor None: a number or the like."""
    label: str | None = None
    """Name of its tensor, once the tensor no longer exists."""
    attributes: dict[str, Data] = {}
    """What it saves that is no tensor; see `events.Attributes`."""


class PassState(Shared, gc=False):
    """A backward pass: the one in progress, or the last one that ended. See `events.Backward`."""

    number: int
    call: str
    """backward or grad."""
    roots: list[int]
    retain_graph: bool
    create_graph: bool
    gradient: Gradients
    running: bool
    ran: list[int]
    """Nodes in the order in which the engine ran them, `AccumulateGrad` included."""
    outer: PassState | None = None
    """The pass during which this one ran, in a hook or in the `backward` of a custom Function; it resumes after it."""
    outer_shown: set[int] = set()
    """`State.shown` of the outer pass."""


class OptimizerInfo(Shared, gc=False):
    """An optimizer of the learner's; see `events.OptimizerState`."""

    optimizer: int
    class_name: str
    name: str
    """The learner's name of it; empty: unknown."""
    groups: list[list[int]]
    """Its parameters, by parameter group."""
    options: list[dict[str, Data]]
    """Options of each group, as of its last step: lr, betas, …"""
    tensors: dict[int, dict[str, int]] = {}
    """By parameter: the tensors of its state, by name."""
    values: dict[int, dict[str, Value]] = {}
    """By parameter: what its state has beside tensors, as of the last step: numbers and lists of them."""

    def group_of(self, parameter: int) -> int | None:
        """Return the index of a parameter's group; None if it has none."""
        return next((index for index, group in enumerate(self.groups) if parameter in group), None)


class Binding(msgspec.Struct, gc=False):
    """The object that a name refers to."""

    what: str
    """tensor, group or value."""
    ref: int = 0
    """Number of the tensor or group."""
    value: Scalar = None
    """The value itself, of a number, bool, string or None."""


class FrameState(Shared, gc=False):
    """A call of one of the learner's functions; the module is frame 1. See `events.FrameStart`."""

    frame: int
    function: str
    file: int
    resumable: bool
    site: int | None
    """Site of the statement that is about to run in it, or running; None before the first."""
    names: dict[str, Binding]
    iterations: dict[int, int]
    """By loop (the site of its header), outermost first: its current iteration, from 1."""
    begun: int = 0
    """`State.operations` when its current statement began."""
    loads: int = 0
    """See `events.FrameStart`."""


class State(Shared, gc=False):
    """The state of the program after a step, as `Timeline.state` returns it. Do not modify it."""

    step: int = 0
    """From 1; 0 before the first."""
    cell: int | None = None
    """Number of the code cell that runs or ran last, from 1."""
    frames: list[FrameState] = []
    """The call stack, outermost first, without suspended generators."""
    suspended: dict[int, FrameState] = {}
    """By frame: suspended generators and coroutines."""
    tensors: dict[int, TensorState] = {}
    groups: dict[int, list[tuple[str, int]]] = {}
    """By group: its tensors as (suffix of the name, tensor); see `events.Group`."""
    containers: dict[int, list[tuple[str, str, int]]] = {}
    """By group: the lists, tuples and dicts in it; see `events.Group`."""
    nodes: dict[int, NodeState] = {}
    """Nodes that exist, and those of the current pass that no longer do."""
    shown: set[int] = set()
    """Nodes of the graph to draw: those of the current pass until the next operation that creates a node, then all
    that exist."""
    last_pass: PassState | None = None
    """The backward pass in progress, or the last one; None before the first."""
    passes: int = 0
    """Number of passes so far."""
    answers: dict[int, Data] = {}
    """By index of the question's cell: the answer."""
    figures: int = 0
    """Number of figures drawn so far."""
    output_length: int = 0
    """Number of characters printed so far."""
    knobs: dict[str, Data] = {}
    """By name: current values of the knobs."""
    showing_pass: bool = False
    """Whether `shown` is the graph of `last_pass`, not all existing nodes."""
    grad_of: dict[int, int] = {}
    """By tensor that is the `.grad` of another one: that other one."""
    collected: set[int] = set()
    """Tensors whose Python object was collected, but that some `.grad` still holds."""
    last_op: tuple[int, list[int | None], list[int], int | None, int] = (0, [], [], None, 0)
    """The last operation: (site, inputs, outputs, module, frame)."""
    operations: int = 0
    """Number of operations so far."""
    modules: dict[int, ModuleInfo] = {}
    full: bool = False
    """Whether the recording was already full: then it is unknown which nodes a pass has freed."""
    optimizers: dict[int, OptimizerInfo] = {}
    """By number: the optimizers that exist; the one that was seen last is the last."""

    def optimizer_of(self, parameter: int) -> OptimizerInfo | None:
        """Return the optimizer of a parameter, the last of several; None if there is none, or it is not known yet."""
        infos = reversed(list(self.optimizers.values()))
        return next((info for info in infos if info.group_of(parameter) is not None), None)

    def optimizer_state(self, parameter: int) -> dict[str, TensorState | Value]:
        """Return what its optimizer keeps for a parameter, by name: tensors (`exp_avg`), numbers and lists of them.

        Empty before the end of the optimizer's first step.
        """
        info = self.optimizer_of(parameter)
        if info is None:
            return {}
        numbers = info.tensors.get(parameter, {})
        tensors = {name: self.tensors[number] for name, number in numbers.items() if number in self.tensors}
        return {**info.values.get(parameter, {}), **tensors}


def copy_state(state: State) -> State:
    """Return a copy of a state. Events applied to one of them do not affect the other."""
    new = state.__copy__()
    new.frames = [_copy_frame(frame) for frame in state.frames]
    new.suspended = {number: _copy_frame(frame) for number, frame in state.suspended.items()}
    new.tensors, new.groups, new.nodes = state.tensors.copy(), state.groups.copy(), state.nodes.copy()
    new.shown, new.answers = state.shown.copy(), state.answers.copy()
    new.modules, new.containers = state.modules.copy(), state.containers.copy()
    new.grad_of, new.collected = state.grad_of.copy(), state.collected.copy()
    new.optimizers = state.optimizers.copy()
    if state.last_pass is not None:
        new.last_pass = state.last_pass.__copy__()
        new.last_pass.ran = state.last_pass.ran.copy()
    return new


def _copy_frame(frame: FrameState) -> FrameState:
    new = frame.__copy__()
    new.names, new.iterations = frame.names.copy(), frame.iterations.copy()
    return new
