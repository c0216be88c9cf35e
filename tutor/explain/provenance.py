"""Find the operation that made a backward node, and the operands that it had.

A write to a part of a tensor, `h[0, 1] = v` or `h[0].mul_(3)`, gives the whole tensor a new node (`CopySlices`, or
`IndexPutBackward0` for an index of tensors); a view of it is made again, by a node that no operation of the learner's
called for. For such nodes, `find_operation_or_write` finds the write and the elements that it changed.
"""

from __future__ import annotations

import ast
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from tutor import i18n
from tutor.explain import formatting
from tutor.explain.expressions import current_name, enclosed, literal, old_name, opened
from tutor.explain.formatting import label
from tutor.explain.rules.arrays import Grid, count
from tutor.explain.rules.registry import Operand
from tutor.explain.rules.shape import strided_indices, strides
from tutor.i18n import _
from tutor.trace.events import GraphNode, Op
from tutor.trace.names import name_of, placeholder_name
from tutor.trace.operands import is_shown, op_inputs, op_output, op_texts
from tutor.trace.optimizer_names import name_in, optimizer_tensor
from tutor.trace.source import parse
from tutor.trace.state import NodeState, SiteInfo, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements, places

_FARTHEST = 20_000
"""Most steps that are searched back for the operation of a node, or for a write."""
_LONGEST_NAME = 32
_MOST_INNER = 64
"""Most steps of a composite that are searched."""
_MOST_NODES = 500
"""Most nodes of a composite that are searched."""
_MOST_NESTED = 8
"""Most operations whose names are nested in the name of a result."""
_NODE = re.compile(r"(\w+?)Backward(\d*)")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
UNKNOWN = "?"
"""Name of an operand of which nothing is known, replaced when it is shown."""
UNFILLED = ("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted")
"""Operations that give uninitialized memory."""
_AUGMENTED = re.compile(r"([\w.\[\]:, -]+?) ?(?:\*\*|//|[-+*/%@])=")


class RecordedOp(msgspec.Struct, frozen=True):
    """An operation that ran, with its operands."""

    step: int
    op: str
    code: str | None
    operands: tuple[Operand, ...]
    result: Operand
    named: bool
    """Whether the result has a name, or is called by its code."""
    dtype: str
    node: int | None = None
    """The node of the result; None where it has none."""
    results: tuple[Operand, ...] = ()
    places: tuple[int, ...] | None = None
    """Of a write to a part, and of a view made again: the flat indices of the whole that the part has. Of an indexing
    with tensors: those that they take of what numbers and slices leave."""
    arguments: Mapping[str, Any] = {}
    """The arguments that are no tensors; see `events.Call`."""


_operations: WeakKeyDictionary[Timeline, dict[str, OrderedDict[int, RecordedOp | None]]] = WeakKeyDictionary()


def _operations_of(timeline: Timeline) -> OrderedDict[int, RecordedOp | None]:
    """Return the cache of operations by node; their operands are named in the current language."""
    return _operations.setdefault(timeline, {}).setdefault(i18n.current_language(), OrderedDict())


def find_operation(timeline: Timeline, step: int, node: int) -> RecordedOp | None:
    """Return the operation that made a node that lives at `step`; None where it is not recorded, or no single one
    did."""
    operations = _operations_of(timeline)
    if node in operations:
        return operations[node]
    state = timeline.state(step)
    tensor_of = {tensor.node: number for number, tensor in state.tensors.items() if state.nodes[node].tensor is None}
    tensor = state.nodes[node].tensor or tensor_of.get(node)
    if tensor is None:
        consumer = _consumer(state, node, tensor_of)
        if consumer is not None:
            find_operation(timeline, step, consumer)
        return operations.get(node)
    step_made = timeline.operation(state.nodes[node])
    if step_made is not None and step_made < step:
        event = timeline.event(step_made)
        if isinstance(event, Op) and tensor in event.outputs:
            return recorded_operation(timeline, _innermost(timeline, step_made, tensor))
    for earlier in range(step - 1, max(step - _FARTHEST, 0), -1):
        if timeline.kind(earlier) != "op":
            continue
        event = timeline.event(earlier)
        if isinstance(event, Op) and tensor in event.outputs:
            after = timeline.state(earlier).tensors.get(tensor)
            if after is not None and after.node == node:
                return recorded_operation(timeline, _innermost(timeline, earlier, tensor))
    operations[node] = None  # or it would be looked for each time
    return None


def _innermost(timeline: Timeline, step: int, tensor: int) -> int:
    """Return the operation inside a composite that gave this result; the composite itself where none did."""
    innermost, depth = step, timeline.columns.depths[step - 1]
    for earlier in range(step - 1, max(step - _MOST_INNER, 0), -1):
        event = timeline.event(earlier)
        if not isinstance(event, Op) or timeline.columns.depths[earlier - 1] <= depth:
            break
        if tensor in event.outputs:
            innermost = earlier
    return innermost


def _consumer(state: State, node: int, tensor_of: Mapping[int | None, int]) -> int | None:
    """Return the node of a composite's result that a node inside the composite leads to."""
    ran = [] if state.last_pass is None else state.last_pass.ran
    for _level in range(_MOST_NODES):
        consumer = next((candidate for candidate in ran if _feeds(state, node, candidate)), None)
        if consumer is None or state.nodes[consumer].tensor is not None or consumer in tensor_of:
            return consumer
        node = consumer
    return None


def _feeds(state: State, node: int, consumer: int) -> bool:
    consumer_node = state.nodes.get(consumer)
    return consumer_node is not None and any(
        source is not None and source[0] == node for source in consumer_node.inputs
    )


def recorded_operation(timeline: Timeline, step: int, within: int = 0) -> RecordedOp | None:
    """Return the operation of a step, and cache it for the nodes that it made.

    Args:
        timeline: The recording.
        step: The operation's step.
        within: How many operations were asked already for the name of what they were given.

    Returns:
        The operation; None where the step is none, or has no result.
    """
    event = timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    if not isinstance(event, Op) or site is None or not event.outputs:
        return None
    before, after = timeline.state(step - 1), timeline.state(step)  # in this order: going on is cheaper than going back
    result = after.tensors.get(event.outputs[0])
    if result is None:
        return None
    code = None if site.depth else timeline.view(step).code  # inside a composite it is the composite's
    op = _operation_name(timeline, step, site.op or "", code)
    inputs = operands_of(timeline, step, event, before, after, within)
    is_own = code is not None or site.inplace
    name = op_output(timeline, step) if is_own else _outer_name(timeline, step, result.tensor)
    if name is None and optimizer_tensor(timeline, result.tensor) is not None:
        name = name_in(timeline, after, result.tensor)
    previous = before.tensors.get(result.tensor)
    changed = previous is None or (previous.version, previous.value) != (result.version, result.value)
    operands = tuple(_operand_before(operand, result.tensor, name, changed) for operand in inputs)
    made = RecordedOp(
        step=step,
        op=op,
        code=code,
        operands=operands,
        result=_result(after, event, site, result, name, code, op, operands),
        named=name is not None,
        dtype=result.dtype,
        node=result.node,
        results=tuple(_results(after, event)),
        places=places(event.selected if event.selected_of_view is None else event.selected_of_view),
        arguments=timeline.arguments(step),
    )
    if within or _innermost(timeline, step, result.tensor) != step:  # the operation inside says more of the node
        return made
    operations = _operations_of(timeline)
    given = {before.tensors[tensor].node for tensor in event.inputs if tensor in before.tensors}
    results = {after.tensors[tensor].node for tensor in event.outputs if tensor in after.tensors} - given
    for node in _nodes_of(after, list(results), given):
        if node == result.node:
            operations[node] = made
        else:
            operations.setdefault(node, made)
        if len(operations) > _REMEMBERED:
            operations.popitem(last=False)
    return made


def _operand_before(operand: Operand, result: int, name: str | None, changed: bool) -> Operand:
    """Return an operand with another name than the result's, where it was changed in place or the result takes its name
    over. What `x.to(device)` gives back unchanged keeps it."""
    if operand.tensor == result and not changed:
        return operand
    if operand.tensor != result and (operand.tensor is None or operand.name != name):
        return operand
    return Operand(old_name(operand.name), operand.shape, operand.grid, operand.tensor)


def _nodes_of(state: State, results: Sequence[int | None], given: set[int | None]) -> list[int]:
    """Return the nodes of the results of an operation, and those inside it, which have no tensors and are not given."""
    nodes: dict[int, None] = {}
    waiting = list(results)
    while waiting and len(nodes) < _MOST_NODES:
        number = waiting.pop()
        if number is None or number in nodes or number not in state.nodes:
            continue
        nodes[number] = None
        for source in state.nodes[number].inputs:
            source_node = None if source is None else state.nodes.get(source[0])
            if (
                source_node is not None
                and source_node.tensor is None
                and source_node.sequence >= 0
                and source_node.node not in given
            ):
                waiting.append(source_node.node)
    return list(nodes)


def _results(state: State, event: Op) -> list[Operand]:
    tensors = [state.tensors[tensor] for tensor in event.outputs if tensor in state.tensors]
    return [
        Operand(enclosed(placeholder_name(output.tensor)), output.shape, grid_of(output), output.tensor)
        for output in tensors
    ]


def _operation_name(timeline: Timeline, step: int, op: str, code: str | None) -> str:
    """Return the operation's name; with an `r` before it where the tensor is on the right: `2 * w` is rmul."""
    texts = op_texts(timeline, step) if op in ("add", "mul") else None
    if texts is None or len(texts) != 2 or not code:
        return op
    starts = [code.lstrip("( ").startswith(text.lstrip("( ")) for text in texts]
    return "r" + op if starts == [False, True] else op


def _outer_name(timeline: Timeline, step: int, tensor: int) -> str | None:
    """Return the name of a result inside a composite, where it is also the composite's result."""
    for later in range(step + 1, min(step + _MOST_INNER, timeline.steps) + 1):
        event = timeline.event(later)
        if not isinstance(event, Op):
            return None
        if not timeline.columns.depths[later - 1]:
            return op_output(timeline, later) if tensor in event.outputs else None
    return None


def _of_module(state: State, event: Op, code: str | None, op: str) -> str | None:
    """Return the code as the name of a result: of a module inside the one that is called, `net[0](…)`, unless the
    operation itself is; of `u[1:] *= 2`, what was written to."""
    augmented = _augmented(code or "")
    if augmented is not None:
        return augmented
    module = state.modules.get(event.module or 0)
    callee = _callee(code or "")
    is_operation = callee.rpartition(".")[2].strip("_") == op.strip("_")
    if module is None or not module.path or not callee or is_operation or callee.startswith("self"):
        return code
    path = module.path if module.path.startswith(("[", ".")) else f".{module.path}"
    return code if callee.endswith(path) else f"{callee}{path}(…)"


@lru_cache(1024)
def _augmented(code: str) -> str | None:
    """Return what an augmented assignment writes to, `u[1:]` of `u[1:] *= 2`; None if the code is none."""
    match = _AUGMENTED.match(code)
    return None if match is None else match[1]


@lru_cache(1024)
def _callee(code: str) -> str:
    """Return what a call calls, `net.fc` of `net.fc(x)`; empty if the code is none."""
    call = getattr(parse(code, "eval"), "body", None)
    return (ast.get_source_segment(code, call.func) or "") if isinstance(call, ast.Call) else ""


def _call_text(site: SiteInfo, op: str, operands: Sequence[Operand]) -> str | None:
    """Return a name for a result without one: `sum(log_softmax(x))`, or `sum(…)`; None inside an optimizer's step, or
    where a module is made."""
    parent = site.parent or ""
    if parent.endswith(".step") or (parent.endswith(".__init__") and (site.inplace or op in UNFILLED)):
        return None
    if site.inplace and operands:
        return current_name(operands[0].name)
    names = [operand.name for operand in operands if operand.name != UNKNOWN]
    op = op.strip("_")
    if op == "t" and not "".join(names).endswith("…"):
        return f"{', '.join(names)}ᵀ"
    arguments = ", ".join(map(opened, names))
    long = len(op) + len(arguments) + 2 > _LONGEST_NAME or "%" in arguments
    return f"{op}(…)" if long or not arguments else f"{op}({arguments})"


def _result(
    after: State, event: Op, site: SiteInfo, tensor: TensorState, name: str | None, code: str | None, op: str,
    operands: Sequence[Operand],
) -> Operand:  # fmt: skip
    """Return the result of an operation, called by its name, else by what made it."""
    text = (
        name
        or _if_short(_of_module(after, event, code, op))
        or _call_text(site, op, operands)
        or placeholder_name(tensor.tensor)
    )
    return Operand(enclosed(text), tensor.shape, grid_of(tensor), tensor.tensor)


# ---------------------------------------------------------------- names of operands


def operands_of(
    timeline: Timeline, step: int, event: Op, before: State, after: State, within: int = 0
) -> list[Operand]:
    """Return the operands of an operation, named as in the code."""
    names: Sequence[str] = op_inputs(timeline, step)
    texts = op_texts(timeline, step)
    if texts is None:  # the code does not show the arguments: the names are those of the tensors
        tensors = iter(names)
        texts = names = [UNKNOWN if tensor is None else next(tensors, UNKNOWN) for tensor in event.inputs]
    operands = []
    inner_name = _composite(timeline, event)
    for tensor, name, text in zip(event.inputs, names, texts, strict=False):
        state = None if tensor is None else before.tensors.get(tensor) or after.tensors.get(tensor)
        if state is None:
            number = _number_given(event, timeline.arguments(step))
            number = _number_value(before, name) if number is None else number
            operands.append(Operand(enclosed(name), (), None if number is None else Grid((), (number,))))
        else:
            if name.startswith("%"):
                source = None if text.startswith("%") else _if_short(text)
                name = source or describe_origin(timeline, step, state.tensor, within + 1) or inner_name
            operands.append(Operand(enclosed(name), state.shape, grid_of(state), state.tensor, state.dtype == "bool"))
    return operands


def describe_origin(timeline: Timeline, step: int, tensor: int, within: int = 0) -> str | None:
    """Return a name for a tensor that neither a variable nor the code names: by the operation that made it."""
    if within > _MOST_NESTED:  # an optimizer's buffer was changed in each iteration so far
        return None
    for earlier in range(step - 1, max(step - _MOST_INNER, 0), -1):
        event = timeline.event(earlier)
        if isinstance(event, Op) and tensor in event.outputs:
            return _result_name(timeline, earlier, within)
    step_made = creation_step(timeline, timeline.state(step), tensor)
    return None if step_made is None or step_made >= step else _result_name(timeline, step_made, within)


def creation_step(timeline: Timeline, state: State, tensor: int) -> int | None:
    """Return the step of the operation that made a tensor; None where none did."""
    tensor_state = state.tensors.get(tensor)
    return (
        timeline.columns.operation(tensor_state.operation)
        if tensor_state is not None and tensor_state.operation
        else None
    )


_result_names: WeakKeyDictionary[Timeline, dict[tuple[int, int, str], str | None]] = WeakKeyDictionary()
"""By step, depth and language: what `_result_name` has returned. Optimizers ask for the same names often."""


def _result_name(timeline: Timeline, step: int, within: int) -> str | None:
    names = _result_names.setdefault(timeline, {})
    key = step, within, i18n.current_language()
    if key not in names:
        made = recorded_operation(timeline, step, within)
        names[key] = None if made is None or made.result.name.startswith("%") else made.result.name
    return names[key]


def source_of_unnamed(timeline: Timeline, step: int, tensor: int) -> str | None:
    """Return the source that made a tensor without a name; None where that is no operation in the learner's code."""
    step_made = creation_step(timeline, timeline.state(step), tensor)
    if (
        step_made is None
        or timeline.columns.depths[step_made - 1]
        or not is_shown(timeline, timeline.columns.sites[step_made - 1])
    ):
        return None
    return formatting.code(timeline.view(step_made).code) or None


def readable_name(timeline: Timeline, step: int, tensor: int) -> str:
    """Return a name for a tensor in a sentence: its own, else by what made it; never its number."""
    state = timeline.moment(step)
    name = label(state, tensor) or ""
    if name.startswith("%"):
        name = name_in(timeline, state, tensor) or ""
    if name:
        return name
    origin = source_of_unnamed(timeline, step, tensor) or describe_origin(timeline, step, tensor)
    if origin:
        return enclosed(origin)
    tensor_state = state.tensors.get(tensor)
    return (
        _("a leaf without a name")
        if tensor_state is not None and tensor_state.is_leaf
        else _("a tensor without a name")
    )


def _composite(timeline: Timeline, event: Op) -> str:
    """Return a name for an unknown tensor inside a call."""
    site = timeline.sites.get(event.site)
    code = None if site is None else timeline.definitions.code(site.file, site.span)
    callee = (site.parent if site is not None else None) or (code or "").partition("(")[0]
    return inner_tensor(callee)


def inner_tensor(callee: str) -> str:
    """Return a name for a tensor that a call has made for itself: `an inner tensor of F.gumbel_softmax`."""
    callee = " ".join(callee.split())
    return _("an inner tensor of {call}", call=callee) if callee else _("a tensor without a name")


def describe_result_of(node: str) -> str:
    """Return a name for a node's result without one: `add(…)` for AddBackward0, `Mul.apply(…)` for MulBackward of a
    custom Function."""
    name, digits = _NODE.fullmatch(node).groups() if _NODE.fullmatch(node) else (node, "0")  # type: ignore[union-attr]
    if not digits:
        return f"{name}.apply(…)"
    return _HUMP.sub("_", name).lower() + "(…)"


def _if_short(source: str | None) -> str | None:
    return source if source is not None and len(source) <= _LONGEST_NAME and "\n" not in source else None


def _number_given(event: Op, arguments: Mapping[str, Any]) -> float | None:
    """Return the number that an operation got where it has one operand that is no tensor; None for other operations."""
    numbers = [arguments[name] for name in ("self", "other", "exponent") if name in arguments]
    if event.inputs.count(None) != 1 or len(numbers) != 1 or not isinstance(numbers[0], (int, float)):
        return None
    return float(numbers[0])


def _number_value(state: State, text: str) -> float | None:
    """Return the number that an argument is: a literal, or a variable of the learner's."""
    value: object = literal(text)
    if value is None:
        scopes = (*reversed(state.frames[1:]), *state.frames[:1])
        binding = next((frame.names[text] for frame in scopes if text in frame.names), None)
        value = binding.value if binding is not None and binding.what == "value" else None
    try:
        return float(value) if isinstance(value, (int, float)) else None
    except OverflowError:  # a whole number beyond all floats
        return None


def grid_of(tensor: TensorState) -> Grid | None:
    """Return the values of a tensor; None where they are not real numbers that were recorded."""
    return as_grid(tensor.value, tensor.shape, tensor.dtype)


_NUMBERS = frozenset((bool, int, float))
_SINGLE = ((1,), ())
"""Usual shapes of one element."""


def as_grid(value: object, shape: tuple[int, ...], dtype: str) -> Grid | None:
    """Return a value of the wire as a grid of this shape; None where it is none, or does not fit."""
    if type(value) is list and len(value) == 1 and type(value[0]) is float and shape in _SINGLE:
        return None if dtype.startswith("complex") else Grid(shape, (value[0],))
    items = None if dtype.startswith("complex") else elements(value)
    if items is None or len(items) != count(shape) or not _NUMBERS.issuperset(map(type, items)):
        return None
    return Grid(shape, tuple(map(float, items)))


# ---------------------------------------------------------------- writes to a part of a tensor

WRITES = ("CopySlices", "IndexPutBackward0")
_REMADE = ("AsStridedBackward0", "SelectBackward0", "SliceBackward0", "ViewBackward0", "TBackward0",
          "TransposeBackward0")  # fmt: skip
"""Nodes that may stand for a view made again."""
_REMEMBERED = 20_000


_writes: WeakKeyDictionary[Timeline, dict[str, dict[int, RecordedOp]]] = WeakKeyDictionary()


def find_operation_or_write(timeline: Timeline, step: int, node: NodeState) -> RecordedOp | None:
    """Return the operation that made a node that lives at `step`: for nodes of writes to a part, the write."""
    if node.name not in WRITES and node.name not in _REMADE:
        return find_operation(timeline, step, node.node)
    operations = _writes.setdefault(timeline, {}).setdefault(i18n.current_language(), {})
    made = operations.get(node.node)
    if made is None:
        made = _find_write(timeline, step, node) or find_operation(timeline, step, node.node)
        if made is not None:
            operations[node.node] = made
            if len(operations) > _REMEMBERED:
                operations.pop(next(iter(operations)))
    return made


def _find_write(timeline: Timeline, step: int, node: NodeState) -> RecordedOp | None:
    """Return the write that made a node, or after which it was made again; None where it is not recorded."""
    write_step = _creation_step_of_node(timeline, step, node.node)
    event = timeline.event(write_step) if write_step else None
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    if not isinstance(event, Op) or site is None:
        return None
    before, after = timeline.state(write_step - 1), timeline.state(write_step)
    if node.name not in WRITES:
        return _remade_view(after, write_step, node) if site.inplace else None
    whole = next((tensor for tensor in after.tensors.values() if tensor.node == node.node), None)
    previous = None if whole is None else before.tensors.get(whole.tensor)
    if whole is None or previous is None:
        return None
    name = enclosed(name_of(after, whole.tensor) or _("the whole"))
    operand_before = Operand(old_name(name), previous.shape, grid_of(previous), previous.tensor)
    result = Operand(name, whole.shape, grid_of(whole), whole.tensor)
    others = operands_of(timeline, write_step, event, before, after)
    op, code = (site.op or "").strip("_"), timeline.view(write_step).code
    if op == "setitem":
        index, written = _index_text(code), timeline.selected(write_step)
        indexed = before.tensors.get(event.inputs[0] or 0)
        if indexed is not None and indexed.tensor != whole.tensor and written is not None:  # through a view
            view_places = _places_in(indexed, previous)
            written = None if view_places is None else tuple(view_places[at] for at in written)
        place = f"[{index}]" if index is not None else _("a part")
        others = [Operand(place, (), None), others[-1]]
    elif op == "index_put":
        written = timeline.selected(write_step)
    else:
        part, changed = before.tensors.get(event.outputs[0]), after.tensors.get(event.outputs[0])
        if part is None or changed is None:
            return None
        part = changed if part.value is None else part
        written = _places_in(part, previous)
        view = others[0].name
        others = [
            Operand(view, part.shape, as_grid(before.tensors[part.tensor].value, part.shape, part.dtype), part.tensor),
            *others[1:],
            Operand(view, part.shape, grid_of(changed), part.tensor),
        ]
    return RecordedOp(
        step=write_step, op=op, code=code, operands=(operand_before, *others), result=result, named=True,
        dtype=whole.dtype, node=node.node, results=(result,), places=written,
        arguments=timeline.arguments(write_step),
    )  # fmt: skip


def _creation_step_of_node(timeline: Timeline, step: int, node: int) -> int:
    """Return the step of the operation during which a node was first recorded; 0 for none."""
    node_state = timeline.state(step).nodes[node]
    step_made = timeline.columns.operation(node_state.operation or node_state.within) or 0
    events = timeline.following(step_made) if step_made else []
    return step_made if any(isinstance(event, GraphNode) and event.node == node for event in events) else 0


def _remade_view(after: State, step: int, node: NodeState) -> RecordedOp | None:
    """Return the operation for a view that was made again after a write to it."""
    view = after.tensors.get(node.tensor or 0)
    source = node.inputs[0] if node.inputs else None
    whole = (
        None
        if source is None
        else next((tensor_state for tensor_state in after.tensors.values() if tensor_state.node == source[0]), None)
    )
    if view is None or whole is None:
        return None
    operand = Operand(
        enclosed(name_of(after, whole.tensor) or _("the whole")), whole.shape, grid_of(whole), whole.tensor
    )
    name = name_of(after, view.tensor)
    result = Operand(enclosed(name or _("the part")), view.shape, grid_of(view), view.tensor)
    return RecordedOp(
        step=step, op="view", code=None, operands=(operand,), result=result, named=name is not None,
        dtype=view.dtype, node=node.node, results=(result,), places=_places_in(view, whole),
    )  # fmt: skip


def _places_in(part: TensorState, whole: TensorState) -> tuple[int, ...] | None:
    """Return the flat indices in a tensor that a view of it has, in order; None where that is not known."""
    if part.strides is None or list(whole.strides or ()) != strides(whole.shape):
        return None
    indices = tuple(strided_indices(part.shape, part.strides, part.storage_offset - whole.storage_offset))
    if indices and not 0 <= min(indices) <= max(indices) < count(whole.shape):
        return None
    whole_grid, part_grid = grid_of(whole), grid_of(part)
    if whole_grid is None or part_grid is None or [whole_grid.flat[at] for at in indices] == list(part_grid.flat):
        return indices
    return None  # in an old recording, which has no offsets


def _index_text(code: str | None) -> str | None:
    """Return the source between the brackets of an indexing; None for other code."""
    try:
        tree = ast.parse((code or "").strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return None
    if not isinstance(tree, ast.Subscript):
        return None
    text = ast.unparse(tree.slice)
    return text[1:-1] if isinstance(tree.slice, ast.Tuple) and text.startswith("(") else text
