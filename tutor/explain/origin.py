"""Which operation made a backward node, and what its arguments held when it ran."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tutor import i18n
from tutor.explain import words
from tutor.explain.called import label
from tutor.explain.grid import Grid, count
from tutor.explain.operands import enclosed, literal, old, renewed
from tutor.explain.rules import Operand
from tutor.i18n import _
from tutor.trace.events import Op
from tutor.trace.names import numbered
from tutor.trace.operands import is_shown, op_inputs, op_output, op_texts
from tutor.trace.state import SiteInfo, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

# How many steps before a node's the operation that made it is looked for, and how many are remembered.
_FARTHEST = 20_000
_REMEMBERED = 20_000
_LONGEST_NAME = 32
_MOST_INNER = 64
_MOST_NESTED = 8
_NODE = re.compile(r"(\w+?)Backward(\d*)")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
UNKNOWN = "?"
"""The name of an operand that nothing is known of, until it is told of."""
UNFILLED = ("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted")
"""What these give, and what finds it, is whatever was in memory."""
_AUGMENTED = re.compile(r"([\w.\[\]:, -]+?) ?(?:\*\*|//|[-+*/%@])=")


@dataclass(frozen=True)
class RecordedOp:
    """An operation that ran."""

    step: int
    op: str
    code: str | None
    operands: tuple[Operand, ...]
    result: Operand
    named: bool
    """Whether the result has a name, or is called by its code."""
    dtype: str
    node: int | None = None
    """The node of the result, where it has one."""
    results: tuple[Operand, ...] = ()
    spots: tuple[tuple[int, ...], ...] = ()
    """Of a write to a part: the elements of the whole that it can be, in order."""
    index: tuple[int, ...] = ()
    """Of an indexing with tensors: which elements they take of what numbers and slices in the index leave."""


_known: WeakKeyDictionary[Timeline, dict[str, OrderedDict[int, RecordedOp | None]]] = WeakKeyDictionary()


def _known_of(timeline: Timeline) -> OrderedDict[int, RecordedOp | None]:
    """The operations by node. Operands are called by words of a language."""
    return _known.setdefault(timeline, {}).setdefault(i18n.current_language(), OrderedDict())


def maker(timeline: Timeline, step: int, node: int) -> RecordedOp | None:
    """The operation that made a node that lives at `step`; None where no single one did, or it is not recorded."""
    known = _known_of(timeline)
    if node in known:
        return known[node]
    state = timeline.state(step)
    tensor = state.nodes[node].tensor
    if tensor is None:
        consumer = _consumer(state, node)
        if consumer is not None:
            maker(timeline, step, consumer)
        return known.get(node)
    ran = timeline.operation(state.nodes[node])
    if ran is not None and ran < step:
        event = timeline.event(ran)
        if isinstance(event, Op) and tensor in event.outputs:
            return remember(timeline, _innermost(timeline, ran, tensor))
    for earlier in range(step - 1, max(step - _FARTHEST, 0), -1):
        if timeline.kind(earlier) != "op":
            continue
        event = timeline.event(earlier)
        if isinstance(event, Op) and tensor in event.outputs:
            after = timeline.state(earlier).tensors.get(tensor)
            if after is not None and after.node == node:
                return remember(timeline, _innermost(timeline, earlier, tensor))
    known[node] = None  # or it would be looked for each time
    return None


def _innermost(timeline: Timeline, step: int, tensor: int) -> int:
    """Of a composite told from inside: the operation in it that gave this result."""
    found, depth = step, timeline.columns.depths[step - 1]
    for earlier in range(step - 1, max(step - _MOST_INNER, 0), -1):
        event = timeline.event(earlier)
        if not isinstance(event, Op) or timeline.columns.depths[earlier - 1] <= depth:
            break
        if tensor in event.outputs:
            found = earlier
    return found


def _consumer(state: State, node: int) -> int | None:
    """The node of the composite's result that a node inside of it leads to."""
    running = [] if state.last_pass is None else state.last_pass.ran
    for _level in range(_MOST_INNER):
        found = next((one for one in running if _feeds(state, node, one)), None)
        if found is None or state.nodes[found].tensor is not None:
            return found
        node = found
    return None


def _feeds(state: State, node: int, consumer: int) -> bool:
    held = state.nodes.get(consumer)
    return held is not None and any(source is not None and source[0] == node for source in held.inputs)


def remember(timeline: Timeline, step: int, within: int = 0) -> RecordedOp | None:
    """The operation of a step, kept for the nodes that it made: their turn comes later. `within` says how many others
    were already asked for the name of what they were given."""
    event = timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    if not isinstance(event, Op) or site is None or not event.outputs:
        return None
    before, after = timeline.state(step - 1), timeline.state(step)  # in this order: going on is cheaper than going back
    result = after.tensors.get(event.outputs[0])
    if result is None:
        return None
    code = None if site.depth else timeline.view(step).code  # inside a composite it is the composite's
    op = _op(timeline, step, site.op or "", code)
    given = operands_of(timeline, step, event, before, after, within)
    own = code is not None or site.inplace
    name = op_output(timeline, step) if own else _outer_name(timeline, step, result.tensor)
    kept = before.tensors.get(result.tensor)
    changed = kept is None or (kept.version, kept.value) != (result.version, result.value)
    operands = tuple(_before(one, result.tensor, name, changed) for one in given)
    made = RecordedOp(
        step=step,
        op=op,
        code=code,
        operands=operands,
        result=_result(result, name, _of_module(after, event, code), _call(site, op, operands)),
        named=name is not None,
        dtype=result.dtype,
        node=result.node,
        results=tuple(_results(after, event)),
    )
    if within or _innermost(timeline, step, result.tensor) != step:  # the operation inside says more of the node
        return made
    known = _known_of(timeline)
    for node in _nodes_of(after, result.node):
        if node == result.node:
            known[node] = made
        else:
            known.setdefault(node, made)
        if len(known) > _REMEMBERED:
            known.popitem(last=False)
    return made


def _before(operand: Operand, result: int, name: str | None, changed: bool) -> Operand:
    """An operand that was changed in place, or whose name the result takes over, goes by another name than that. What
    `x.to(device)` gives back as it is has no other."""
    if operand.tensor == result and not changed:
        return operand
    if operand.tensor != result and (operand.tensor is None or operand.name != name):
        return operand
    return Operand(old(operand.name), operand.shape, operand.grid, operand.tensor)


def _nodes_of(state: State, node: int | None) -> list[int]:
    """The node of a result, and those inside of the composite: they have no tensor of their own."""
    found: list[int] = []
    waiting = [node]
    while waiting and len(found) < _MOST_INNER:
        number = waiting.pop()
        if number is None or number in found or number not in state.nodes:
            continue
        found.append(number)
        for source in state.nodes[number].inputs:
            feeding = None if source is None else state.nodes.get(source[0])
            if feeding is not None and feeding.tensor is None and feeding.sequence >= 0:
                waiting.append(feeding.node)
    return found


def _results(state: State, event: Op) -> list[Operand]:
    held = [state.tensors[tensor] for tensor in event.outputs if tensor in state.tensors]
    return [Operand(enclosed(numbered(one.tensor)), one.shape, grid_of(one), one.tensor) for one in held]


def _op(timeline: Timeline, step: int, op: str, code: str | None) -> str:
    """The operation's name, with an `r` before it where the code has the tensor to the right: `2 * w` is rmul."""
    texts = op_texts(timeline, step) if op in ("add", "mul") else None
    if texts is None or len(texts) != 2 or not code:
        return op
    starts = [code.lstrip("( ").startswith(text.lstrip("( ")) for text in texts]
    return "r" + op if starts == [False, True] else op


def _outer_name(timeline: Timeline, step: int, tensor: int) -> str | None:
    """The name of what an operation inside a composite gives, where that is what the composite gives."""
    for later in range(step + 1, min(step + _MOST_INNER, timeline.steps) + 1):
        event = timeline.event(later)
        if not isinstance(event, Op):
            return None
        if not timeline.columns.depths[later - 1]:
            return op_output(timeline, later) if tensor in event.outputs else None
    return None


def _of_module(state: State, event: Op, code: str | None) -> str | None:
    """The code; of an operation in a module inside of the one called there, `net[0](…)`; of `u[1:] *= 2` what was
    written to."""
    written = _AUGMENTED.match(code or "")
    if written is not None:
        return written[1]
    module = state.modules.get(event.module or 0)
    callee, _, rest = (code or "").partition("(")
    if module is None or not module.path or not rest or callee.startswith("self"):
        return code
    steps = module.path if module.path.startswith(("[", ".")) else f".{module.path}"
    return code if callee.endswith(steps) else f"{callee}{steps}(…)"


def _call(site: SiteInfo, op: str, operands: Sequence[Operand]) -> str | None:
    """What to call a result that has no name: `sum(log_softmax(x))`, or `sum(…)`. Not inside of an optimizer's step,
    or where a module is made."""
    parent = site.parent or ""
    if parent.endswith(".step") or (parent.endswith(".__init__") and (site.inplace or op in UNFILLED)):
        return None
    if site.inplace and operands:
        return renewed(operands[0].name)
    given = ", ".join(one.name for one in operands if one.name != UNKNOWN)
    op = op.strip("_")
    if op == "t" and not given.endswith("…"):
        return f"{given}ᵀ"
    long = len(op) + len(given) + 2 > _LONGEST_NAME or "%" in given
    return f"{op}(…)" if long or not given else f"{op}({given})"


def _result(tensor: TensorState, name: str | None, code: str | None, call: str | None) -> Operand:
    called = name or _short(code) or call or numbered(tensor.tensor)
    return Operand(enclosed(called), tensor.shape, grid_of(tensor), tensor.tensor)


def operands_of(
    timeline: Timeline, step: int, event: Op, before: State, after: State, within: int = 0
) -> list[Operand]:
    """What an operation was applied to, as it stands in the code."""
    names: Sequence[str] = op_inputs(timeline, step)
    texts = op_texts(timeline, step)
    if texts is None:  # the code does not show the arguments: the names are those of the tensors
        tensors = iter(names)
        texts = names = [UNKNOWN if tensor is None else next(tensors, UNKNOWN) for tensor in event.inputs]
    found = []
    inner = _composite(timeline, event)
    for tensor, name, text in zip(event.inputs, names, texts, strict=False):
        state = None if tensor is None else before.tensors.get(tensor) or after.tensors.get(tensor)
        if state is None:
            number = _number(before, name)
            found.append(Operand(enclosed(name), (), None if number is None else Grid((), (number,))))
        else:
            if name.startswith("%"):
                shown = None if text.startswith("%") else _short(text)
                name = shown or made_what(timeline, step, state.tensor, within + 1) or inner
            found.append(Operand(enclosed(name), state.shape, grid_of(state), state.tensor))
    return found


def made_what(timeline: Timeline, step: int, tensor: int, within: int = 0) -> str | None:
    """What to call a tensor without a name, that the code does not show either: by the operation that made it."""
    if within > _MOST_NESTED:  # an optimizer's buffer was changed in each turn so far
        return None
    for earlier in range(step - 1, max(step - _MOST_INNER, 0), -1):
        event = timeline.event(earlier)
        if isinstance(event, Op) and tensor in event.outputs:
            return _made_by(timeline, earlier, within)
    ran = made_at(timeline, timeline.state(step), tensor)
    return None if ran is None or ran >= step else _made_by(timeline, ran, within)


def made_at(timeline: Timeline, state: State, tensor: int) -> int | None:
    """The step of the operation that made a tensor; None where none did."""
    held = state.tensors.get(tensor)
    return timeline.columns.operation(held.operation) if held is not None and held.operation else None


_names: WeakKeyDictionary[Timeline, dict[tuple[int, int, str], str | None]] = WeakKeyDictionary()
"""By step, depth and language: what `_made_by` has found. Optimizers ask for the same names again and again."""


def _made_by(timeline: Timeline, step: int, within: int) -> str | None:
    names = _names.setdefault(timeline, {})
    key = step, within, i18n.current_language()
    if key not in names:
        made = remember(timeline, step, within)
        names[key] = None if made is None or made.result.name.startswith("%") else made.result.name
    return names[key]


def unnamed(timeline: Timeline, step: int, tensor: int) -> str | None:
    """The source text that made a tensor without a name, where that is an operation of the learner's code."""
    ran = made_at(timeline, timeline.state(step), tensor)
    if ran is None or timeline.columns.depths[ran - 1] or not is_shown(timeline, timeline.columns.sites[ran - 1]):
        return None
    return words.code(timeline.view(ran).code) or None


def readable(timeline: Timeline, step: int, tensor: int) -> str:
    """What to call a tensor in a sentence: by its name, else by what made it, never by its number."""
    state = timeline.moment(step)
    name = label(state, tensor) or ""
    if name and not name.startswith("%"):
        return name
    made = unnamed(timeline, step, tensor) or made_what(timeline, step, tensor)
    if made:
        return enclosed(made)
    held = state.tensors.get(tensor)
    return _("a leaf without a name") if held is not None and held.is_leaf else _("a tensor without a name")


def _composite(timeline: Timeline, event: Op) -> str:
    """What to call a tensor that nothing tells of, which an operation was given: something inside of a call."""
    site = timeline.sites.get(event.site)
    code = None if site is None else timeline.book.code(site.file, site.span)
    callee = (site.parent if site is not None else None) or (code or "").partition("(")[0]
    return inner_tensor(callee)


def inner_tensor(callee: str) -> str:
    """What to call a tensor that a call has made for itself: `an inner tensor of F.gumbel_softmax`."""
    callee = " ".join(callee.split())
    return _("an inner tensor of {call}", call=callee) if callee else _("a tensor without a name")


def result_of(node: str) -> str:
    """What to call the result of a node that has no name: `add(…)` for AddBackward0, `Mul.apply(…)` for a Function's
    own MulBackward."""
    name, digits = _NODE.fullmatch(node).groups() if _NODE.fullmatch(node) else (node, "0")  # type: ignore[union-attr]
    if not digits:
        return f"{name}.apply(…)"
    return _HUMP.sub("_", name).lower() + "(…)"


def _short(source: str | None) -> str | None:
    return source if source is not None and len(source) <= _LONGEST_NAME and "\n" not in source else None


def _number(state: State, text: str) -> float | None:
    """The number that an argument is: a literal, or a name of the learner's for one."""
    found: object = literal(text)
    if found is None:
        scopes = (*reversed(state.frames[1:]), *state.frames[:1])
        binding = next((frame.names[text] for frame in scopes if text in frame.names), None)
        found = binding.value if binding is not None and binding.what == "value" else None
    try:
        return float(found) if isinstance(found, (int, float)) else None
    except OverflowError:  # a whole number beyond all floats
        return None


def grid_of(tensor: TensorState) -> Grid | None:
    """What a tensor holds, where that is a list of real numbers."""
    return as_grid(tensor.value, tensor.shape, tensor.dtype)


def as_grid(value: object, shape: tuple[int, ...], dtype: str) -> Grid | None:
    """A value of the wire as numbers of this shape; None where it is none, or does not fit."""
    items = None if dtype.startswith("complex") else elements(value)
    if items is None or len(items) != count(shape) or not all(isinstance(x, (int, float)) for x in items):
        return None
    return Grid(shape, tuple(float(x) for x in items))
