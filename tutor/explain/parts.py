"""Writes to a part of a tensor, `h[0, 1] = v` and `h[0].mul_(3)`: which operation did it, and to which elements.

Autograd gives the whole tensor a new node then (`CopySlices`, or `IndexPutBackward0` where the index holds tensors);
what looks at the part is made anew from it, by a node that no operation of the learner's called for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from weakref import WeakKeyDictionary

from tutor import i18n
from tutor.explain.grid import Grid, count
from tutor.explain.indexing import Taken, taken
from tutor.explain.operands import enclosed
from tutor.explain.operands import old as name_of_old
from tutor.explain.origin import RecordedOp, as_grid, grid_of, maker, operands_of
from tutor.explain.rules import Operand
from tutor.explain.shapes import strides, walk
from tutor.i18n import _
from tutor.trace.events import GraphNode, Op
from tutor.trace.names import name_of
from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.timeline import Timeline

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
