"""Which operation made a backward node, and what its arguments held when it ran.

Writes to a part of a tensor, `h[0, 1] = v` and `h[0].mul_(3)`: which operation did it, and to which elements.

Autograd gives the whole tensor a new node then (`CopySlices`, or `IndexPutBackward0` where the index holds tensors);
what looks at the part is made anew from it, by a node that no operation of the learner's called for."""

from __future__ import annotations

import ast
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from tutor import i18n
from tutor.explain import formatting
from tutor.explain.expressions import enclosed, literal, old, renewed
from tutor.explain.expressions import old as name_of_old
from tutor.explain.formatting import label
from tutor.explain.rules.arrays import Grid, Taken, count, taken
from tutor.explain.rules.registry import Operand
from tutor.explain.rules.shape import strides, walk
from tutor.i18n import _
from tutor.trace.events import GraphNode, Op
from tutor.trace.names import name_of, placeholder_name
from tutor.trace.operands import is_shown, op_inputs, op_output, op_texts
from tutor.trace.state import NodeState, SiteInfo, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

# How many steps before a node's the operation that made it is looked for, and how many are remembered.
_FARTHEST = 20_000
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
    return [Operand(enclosed(placeholder_name(one.tensor)), one.shape, grid_of(one), one.tensor) for one in held]


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
    called = name or _short(code) or call or placeholder_name(tensor.tensor)
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
    return formatting.code(timeline.view(ran).code) or None


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


WRITES = ("CopySlices", "IndexPutBackward0")
_AGAIN = ("AsStridedBackward0", "SelectBackward0", "SliceBackward0", "ViewBackward0", "TBackward0",
          "TransposeBackward0", "IndexBackward0")  # fmt: skip
"""Nodes that may stand for a view made anew, or whose index says more than the numbers."""
_FARTHEST_WRITE = 20_000
_MOST_SPOTS = 200
_REMEMBERED = 20_000


_writes: WeakKeyDictionary[Timeline, dict[str, dict[int, RecordedOp]]] = WeakKeyDictionary()


def made_by(timeline: Timeline, step: int, node: NodeState) -> RecordedOp | None:
    """The operation that made a node which lives at `step`."""
    if node.name not in WRITES and node.name not in _AGAIN:
        return maker(timeline, step, node.node)
    known = _writes.setdefault(timeline, {}).setdefault(i18n.current_language(), {})
    made = known.get(node.node)
    if made is None:
        made = _part_maker(timeline, step, node) or maker(timeline, step, node.node)
        if made is not None:
            known[node.node] = made
            if len(known) > _REMEMBERED:
                known.pop(next(iter(known)))
    return made


def _part_maker(timeline: Timeline, step: int, node: NodeState) -> RecordedOp | None:
    """The write that made a node, or the write after which it was made anew."""
    made_at = _step_of(timeline, step, node.node)
    event = timeline.event(made_at) if made_at else None
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    if not isinstance(event, Op) or site is None:
        return None
    before, after = timeline.state(made_at - 1), timeline.state(made_at)
    if node.name == "IndexBackward0":
        made, first = maker(timeline, step, node.node), next((one for one in event.inputs if one is not None), None)
        found = None if first is None or site.depth else taken_by(timeline, made_at, first)
        return made if made is None or found is None else replace(made, index=found.inner)
    if node.name not in WRITES:
        return _again(after, made_at, node) if site.inplace else None
    whole = next((one for one in after.tensors.values() if one.node == node.node), None)
    old = None if whole is None else before.tensors.get(whole.tensor)
    if whole is None or old is None:
        return None
    name = enclosed(name_of(after, whole.tensor) or _("the whole"))
    was = Operand(name_of_old(name), old.shape, grid_of(old), old.tensor)
    result = Operand(name, whole.shape, grid_of(whole), whole.tensor)
    rest = operands_of(timeline, made_at, event, before, after)
    op, code = (site.op or "").strip("_"), timeline.view(made_at).code
    if op == "setitem":
        index = _index(code)
        found = None if index is None else index_taken(timeline, made_at, index, old)
        spots = [] if found is None else [found.places]
        looked = before.tensors.get(event.inputs[0] or 0)
        if looked is not None and looked.tensor != whole.tensor:  # through a view
            inside = index_taken(timeline, made_at, index or "", looked)
            spots = [] if inside is None else [tuple(spot[at] for at in inside.places) for spot in _spots(looked, old)]
        where = f"[{index}]" if index is not None else _("a part")
        rest = [Operand(where, (), None), rest[-1]]
    elif op == "index_put":
        spots, where = [], _("the index")
    else:
        part, changed = before.tensors.get(event.outputs[0]), after.tensors.get(event.outputs[0])
        if part is None or changed is None:
            return None
        part = changed if part.value is None else part
        spots = [tuple(spot) for spot in _spots(part, old)]
        view = rest[0].name
        rest = [
            Operand(view, part.shape, as_grid(before.tensors[part.tensor].value, part.shape, part.dtype), part.tensor),
            *rest[1:],
            Operand(view, part.shape, grid_of(changed), part.tensor),
        ]
    return RecordedOp(
        step=made_at, op=op, code=code, operands=(was, *rest), result=result, named=True, dtype=whole.dtype,
        node=node.node, results=(result,), spots=tuple(spots),
    )  # fmt: skip


def _step_of(timeline: Timeline, step: int, node: int) -> int:
    """The operation after which a node was told of."""
    for earlier in range(step - 1, max(step - _FARTHEST_WRITE, 0), -1):
        if timeline.kind(earlier) == "op" and any(
            isinstance(event, GraphNode) and event.node == node for event in timeline.following(earlier)
        ):
            return earlier
    return 0


def _again(after: State, step: int, node: NodeState) -> RecordedOp | None:
    """A view that was made anew after a write to it."""
    view = after.tensors.get(node.tensor or 0)
    source = node.inputs[0] if node.inputs else None
    whole = None if source is None else next((one for one in after.tensors.values() if one.node == source[0]), None)
    if view is None or whole is None:
        return None
    operand = Operand(
        enclosed(name_of(after, whole.tensor) or _("the whole")), whole.shape, grid_of(whole), whole.tensor
    )
    named = name_of(after, view.tensor)
    result = Operand(enclosed(named or _("the part")), view.shape, grid_of(view), view.tensor)
    spots = tuple(tuple(spot) for spot in _spots(view, whole))
    return RecordedOp(
        step=step, op="view", code=None, operands=(operand,), result=result, named=named is not None,
        dtype=view.dtype, node=node.node, results=(result,), spots=spots,
    )  # fmt: skip


def _spots(part: TensorState, whole: TensorState) -> Iterator[list[int]]:
    """Where in its whole a part can lie: its strides are known, where it begins is not."""
    if part.strides is None or list(whole.strides or ()) != strides(whole.shape):
        return
    span = sum((size - 1) * step for size, step in zip(part.shape, part.strides, strict=True))
    held, inside = grid_of(whole), grid_of(part)
    for start in range(min(count(whole.shape) - span, _MOST_SPOTS)):
        places = walk(part.shape, part.strides, start)
        if held is None or inside is None or [held.flat[at] for at in places] == list(inside.flat):
            yield places


# ---------------------------------------------------------------- what an index takes


def _index(code: str | None) -> str | None:
    """What stands in the brackets."""
    try:
        tree = ast.parse((code or "").strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return None
    if not isinstance(tree, ast.Subscript):
        return None
    text = ast.unparse(tree.slice)
    return text[1:-1] if isinstance(tree.slice, ast.Tuple) and text.startswith("(") else text


def index_taken(timeline: Timeline, step: int, index: str, whole: TensorState) -> Taken | None:
    """What an index in the code of a step takes."""
    state, event = timeline.state(step - 1), timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    stored = site is not None and site.op == "setitem"  # then what is stored stands last
    inputs = [] if not isinstance(event, Op) else event.inputs[1:-1] if stored else event.inputs[1:]
    given = [one for one in inputs if one is not None]

    def look(text: str) -> int | tuple[Grid, bool] | None:
        for frame in (*reversed(state.frames[1:]), *state.frames[:1]):
            binding = frame.names.get(text)
            if binding is not None and binding.what == "value":
                return binding.value if type(binding.value) is int else None
        number = next((one for one in given if name_of(state, one) == text), None)
        if number is None and text == index and given:  # the index is an expression
            number = given[0]
        held = state.tensors.get(number or 0)
        if held is None:
            named = next((one for one in state.tensors.values() if one.label == text), None)
            held = named
        grid = None if held is None else grid_of(held)
        return None if held is None or grid is None else (grid, held.dtype == "bool")

    return taken(index, whole.shape, look)


def taken_by(timeline: Timeline, step: int, tensor: int) -> Taken | None:
    """What an indexing such as `a[0, idx]` at a step takes."""
    index = _index(timeline.view(step).code)
    whole = timeline.state(step - 1).tensors.get(tensor)
    return None if index is None or whole is None else index_taken(timeline, step, index, whole)
