"""New tensors made out of plain numbers, and where those had been taken out of tensors.

Where a history was lost: back from a result to the operation that let go of what it was computed from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from weakref import WeakKeyDictionary

from tutor.explain.formatting import joined
from tutor.explain.mistakes.context import FailureContext, parenthesize, parse_code
from tutor.explain.mistakes.silent import by_data
from tutor.i18n import _
from tutor.trace.events import Accumulate, Backward, Captured, Event, Line, Op
from tutor.trace.names import MODULE, names_of
from tutor.trace.navigation import LINE
from tutor.trace.operands import op_texts

_MAKES = (
    "tensor", "as_tensor", "asarray", "from_numpy", "scalar_tensor", "full", "new_tensor", "new_full", "Tensor",
    "FloatTensor", "DoubleTensor", "LongTensor",
)  # fmt: skip
_TAKES = ("item", "tolist", "numpy", "array")
_CASTS = ("float", "int", "bool")
_MOST_NUMBERS = 8
"""So many of them are looked at."""
"""So many steps back it is looked for where numbers come from."""


@dataclass(frozen=True)
class Taken:
    """Plain numbers that were taken out of a tensor."""

    step: int
    tensor: int
    code: str
    """`loss.item()`"""
    source: str
    """`loss`, without `detach()` and the like."""


def makes(op: str) -> bool:
    """Whether an operation makes a new tensor out of numbers."""
    return op in _MAKES


def why_from_numbers(scene: FailureContext, step: int) -> str:
    """How an operation that makes a new tensor of numbers lost what they were computed from, and what to do."""
    place, call = scene.place_of(step), _call(scene, step)
    op = scene.timeline.event(step)
    found = taken_numbers(scene, step)
    if found:
        return by_way_of(place, found)
    argument = ast.unparse(call.args[0]) if call is not None and call.args else _("the tensor")
    assert isinstance(op, Op)
    state = scene.timeline.state(step - 1)
    if names_of(state).get(argument) in op.inputs or (call is not None and not _is_list(scene, step, call)):
        return _(
            "{place} copied the numbers of {source} into a new tensor, which knows nothing of what they were computed "
            "from. Use {source} itself where gradients should flow.", place=place, source=argument,
        )  # fmt: skip
    return _(
        "{place} made a new tensor of the numbers alone, which knows nothing of what they were computed from. Write "
        "torch.stack({source}): it joins tensors and keeps their history.", place=place, source=argument,
    )  # fmt: skip


def by_way_of(place: str, found: list[Taken]) -> str:
    """The same where numbers were taken out of tensors first."""
    names, sources = _names(found)
    return _(
        "{taken} took plain numbers out of the graph, and {place} made a new tensor of them, which knows nothing "
        "of what they were computed from. Leave both out and compute with {sources} where gradients should flow.",
        taken=names, place=place, sources=sources,
    )  # fmt: skip


def among_numbers(place: str, found: list[Taken]) -> str:
    """How an operation lost a history that got plain numbers in place of tensors."""
    names, sources = _names(found)
    return _(
        "{place} computes with plain numbers that {taken} took out of the graph. Compute with {sources} instead where "
        "gradients should flow.", place=place, taken=names, sources=sources,
    )  # fmt: skip


def _names(found: list[Taken]) -> tuple[str, str]:
    """What took the numbers out, and of what."""
    names = joined(list(dict.fromkeys(f"`{one.code}`" for one in found[:3])))
    return names, joined(list(dict.fromkeys(one.source for one in found[:3])))


def unseen(scene: FailureContext, step: int, op: Op) -> Iterator[tuple[str, list[Taken]]]:
    """The calls in the code of an operation that made a tensor of numbers for it and that torch does not tell of
    (`from_numpy`), and where the numbers were taken out."""
    for number, text in zip(op.inputs, op_texts(scene.timeline, step) or (), strict=False):
        call = next((node for node in ast.walk(parse_code(text)) if isinstance(node, ast.Call)), None)
        if number is None or call is None or scene.producer(number, before=step) is not None:
            continue
        if ast.unparse(call.func).rpartition(".")[2] in _MAKES:
            yield text, _found(scene, step, text, _read(parse_code(text)))


def _is_list(scene: FailureContext, step: int, call: ast.Call) -> bool:
    argument = call.args[0] if call.args else None
    if isinstance(argument, (ast.List, ast.Tuple, ast.ListComp)):
        return True
    state = scene.timeline.state(step - 1)
    name = "" if argument is None else ast.unparse(argument)
    return any(one.startswith(f"{name}[") for one in names_of(state))


_known: WeakKeyDictionary[FailureContext, dict[int, list[Taken]]] = WeakKeyDictionary()


def taken_numbers(scene: FailureContext, step: int) -> list[Taken]:
    """Where the numbers that an operation was given were taken out of tensors; by names, back in time."""
    known = _known.setdefault(scene, {})
    if step not in known:
        known[step] = _taken_at(scene, step)
    return known[step]


def _taken_at(scene: FailureContext, step: int) -> list[Taken]:
    event = scene.timeline.event(step)
    site = scene.timeline.sites.get(event.site) if isinstance(event, Op) else None
    if site is None or not isinstance(event, Op):
        return []
    code = scene.timeline.view(step).code or ""
    if makes(site.op or ""):
        copies = any(number is not None for number in event.inputs)
        return [] if copies else _found(scene, step, code, _read(parse_code(code)))
    texts = zip(event.inputs, op_texts(scene.timeline, step) or (), strict=False)
    code = ", ".join(text for number, text in texts if number is None)
    bound = {name: one.what for frame in scene.timeline.state(step - 1).frames for name, one in frame.names.items()}
    return _found(scene, step, code, {name for name in _read(parse_code(code)) if bound.get(name) == "value"})


def _found(scene: FailureContext, step: int, code: str, names: set[str]) -> list[Taken]:
    return list(_in_code(scene, step, code, step)) or list(islice(by_name(scene, step, names), _MOST_NUMBERS))


def _in_code(scene: FailureContext, step: int, code: str, end: int) -> Iterator[Taken]:
    """What the code of a statement, or a part of it, took out before the step `end`."""
    timeline = scene.timeline
    frame = getattr(timeline.event(step), "frame", None)
    for earlier in range(end - 1, max(end - _FARTHEST, 0), -1):
        event = timeline.event(earlier)
        if _begins(event, frame):
            break
        site = timeline.sites.get(event.site) if isinstance(event, Op) else None
        if not isinstance(event, Op) or site is None or (site.op or "").strip("_") not in _TAKES or not event.inputs:
            continue
        part = " ".join((timeline.view(earlier).code or "").split())
        if event.inputs[0] is not None and part and part in " ".join(code.split()):
            yield Taken(earlier, event.inputs[0], part, _source(part))
    state = timeline.state(end - 1)
    names = {**names_of(state, MODULE), **names_of(state)}
    calls = [node for node in ast.walk(parse_code(code)) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        if isinstance(node.func, ast.Name) and node.func.id in _CASTS and node.args:
            meant = [names[name] for name in _read(node.args[0]) if name in names]
            tensor = next((one for one in meant if state.tensors[one].requires_grad), None)
            if tensor is not None:
                yield Taken(end, tensor, ast.unparse(node), ast.unparse(node.args[0]))


def by_name(scene: FailureContext, step: int, wanted: set[str]) -> Iterator[Taken]:
    """What was taken out by the statements that gave these names their numbers."""
    timeline, columns = scene.timeline, scene.timeline.columns
    frame = getattr(timeline.event(step), "frame", None)
    for earlier in range(step - 1, max(step - _FARTHEST, 0), -1):
        if not wanted:
            return
        if columns.kinds[earlier - 1] != LINE:
            continue
        changed, read, anew = _stored(_statement(scene, columns.sites[earlier - 1]))
        if not changed & wanted or getattr(timeline.event(earlier), "frame", None) != frame:
            continue
        end = next((later for later in range(earlier + 1, step) if _begins(timeline.event(later), frame)), step)
        found = list(_in_code(scene, step, timeline.view(earlier).code or "", end))
        yield from found
        wanted = (wanted - changed if anew else wanted) | (set() if found else read)


def _begins(event: Event, frame: int | None) -> bool:
    return isinstance(event, Line) and event.frame == frame


def _statement(scene: FailureContext, site: int) -> str:
    place = scene.timeline.sites.get(site)
    book = scene.timeline.book
    return "" if place is None else book.code(place.file, book.header(place.file, place.span)) or ""


@lru_cache(maxsize=1024)
def _stored(code: str) -> tuple[set[str], set[str], bool]:
    """What a statement gives numbers to, what it reads, and whether nothing of before stays."""
    body = parse_code(code).body
    statement = body[0] if len(body) == 1 else None
    if isinstance(statement, ast.Assign):
        names = {name for target in statement.targets for name in _read(target)}
        return names, _read(statement.value), True
    if isinstance(statement, ast.AugAssign):
        return _read(statement.target), _read(statement.value), False
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in ("append", "extend"):
        return _read(call.func.value), {name for one in call.args for name in _read(one)}, False
    return set(), set(), False


def _read(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _call(scene: FailureContext, step: int) -> ast.Call | None:
    tree = parse_code(scene.timeline.view(step).code)
    return next((node for node in ast.walk(tree) if isinstance(node, ast.Call)), None)


def _source(code: str) -> str:
    """`w * 2` of `(w * 2).detach().numpy()`."""
    tree = parse_code(code)
    node = tree.body[0].value if tree.body and isinstance(tree.body[0], ast.Expr) else None
    while isinstance(node, (ast.Call, ast.Attribute)):
        inner = node.func if isinstance(node, ast.Call) else node
        if not isinstance(inner, ast.Attribute) or inner.attr not in (*_TAKES, "detach", "cpu", "data", "clone"):
            break
        node = inner.value
    return code if node is None else ast.unparse(node)


_MOST = 200
"""So many operations are gone back through."""
_FARTHEST = 1_000
"""So many steps back a statement is looked for."""
_PASSES = 20
"""So many passes are looked through for the one that gave a gradient."""
_CUTS = ("detach", "detach_")
_ENDS = ("argmax", "argmin", "eq", "ne", "gt", "lt", "ge", "le", "round", "sign", "floor", "ceil")


@dataclass(frozen=True)
class Cut:
    """The operation at which a history was lost, and how."""

    step: int
    why: str


def cut_behind(scene: FailureContext, tensor: int, before: int, wanted: int | None = None) -> Cut | None:
    """The last place at which the history of a tensor was lost, and, where a tensor is wanted, that of it."""
    through = _through_data(scene, tensor, before) if wanted is None else None
    if through is not None:
        return through
    for step, op in behind(scene, tensor, before):
        lost = _lost(scene, step, op)
        if lost and (wanted is None or any(leads_to(scene, one, step, wanted) for one in lost)):
            return Cut(step, _why(scene, step, op))
        for code, found in unseen(scene, step, op):
            taken = [one for one in found if _has_history(scene, one.tensor, one.step)]
            if taken and (wanted is None or any(leads_to(scene, one.tensor, one.step, wanted) for one in taken)):
                return Cut(step, by_way_of(scene.place_of(step, code), taken))
    return None if wanted is not None else _gradient(scene, tensor, before)


def _gradient(scene: FailureContext, tensor: int, before: int) -> Cut | None:
    """The pass that one of the tensors is a gradient of, where that made no graph."""
    timeline = scene.timeline
    made_of = {tensor, *(one for _, op in behind(scene, tensor, before) for one in op.inputs if one is not None)}
    for info in reversed([info for info in timeline.passes if info.start_step < before][-_PASSES:]):
        event = timeline.event(info.start_step)
        if not isinstance(event, Backward) or event.create_graph:
            continue
        for step in range(info.start_step + 1, min(info.end_step or before, before) + 1):
            for told in (timeline.event(step), *timeline.following(step)):
                gradient = (
                    told.result if isinstance(told, Captured) else told.grad if isinstance(told, Accumulate) else None
                )
                if gradient in made_of:
                    return Cut(info.start_step, _(
                        "{place} gave the gradients that it is computed from, and these have a history only if that "
                        "is asked for: write create_graph=True there.", place=scene.place_of(info.start_step),
                    ))  # fmt: skip
    return None


def behind(scene: FailureContext, tensor: int, before: int) -> Iterator[tuple[int, Op]]:
    """The operations that a tensor was computed by, from the last one back; through plain numbers too."""
    waiting = [(tensor, before)]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST:
        number, at = waiting.pop(0)
        made = scene.producer(number, before=at)
        if made is None or made[0] in seen:
            continue
        step, op = made
        seen.add(step)
        yield step, op
        waiting += [(one, step) for one in _given(scene, step, op)]
        waiting += [(one.tensor, one.step) for one in taken_numbers(scene, step)]
        waiting += [(one.tensor, one.step) for _, found in unseen(scene, step, op) for one in found]


def _through_data(scene: FailureContext, tensor: int, before: int) -> Cut | None:
    """The statement `v = w.data` that one of the tensors comes from: no operation tells of it."""
    timeline = scene.timeline
    made_of = {tensor, *(one for _, op in behind(scene, tensor, before) for one in op.inputs if one is not None)}
    for number in made_of:
        held = timeline.state(before - 1).tensors.get(number)
        if held is None or held.requires_grad or held.label is None or scene.producer(number, before) is not None:
            continue
        for step in range(before - 1, max(before - _FARTHEST, 0), -1):
            code = (timeline.view(step).code or "") if timeline.kind(step) == "line" else ""
            data = _data_of(code, held.label)
            if data is not None:
                return Cut(step, _by_data(scene.place_of(step), data))
    return None


def _data_of(code: str, name: str) -> str | None:
    """`(w * 2).sum()` of the statement `y = (w * 2).sum().data`."""
    body = parse_code(code).body
    statement = body[0] if len(body) == 1 else None
    value = statement.value if isinstance(statement, ast.Assign) else None
    if not isinstance(statement, ast.Assign) or not isinstance(value, ast.Attribute) or value.attr != "data":
        return None
    return parenthesize(ast.unparse(value.value)) if ast.unparse(statement.targets[0]) == name else None


def _by_data(place: str, name: str) -> str:
    return _(
        "{place} uses {name}.data, which is the same memory without the history. Write {name} alone where gradients "
        "should flow.", place=place, name=name,
    )  # fmt: skip


def leads_to(scene: FailureContext, tensor: int, before: int, wanted: int) -> bool:
    """Whether a tensor is another one, or was computed from it."""
    return tensor == wanted or any(wanted in op.inputs for _, op in behind(scene, tensor, before))


def _lost(scene: FailureContext, step: int, op: Op) -> list[int]:
    """What an operation was given that has a history, where its result has none of it."""
    before, after = scene.timeline.state(step - 1), scene.timeline.state(step)
    results = [after.tensors[number] for number in op.outputs if number in after.tensors]
    if any(result.node is not None for result in results):
        return []
    if all(result.requires_grad for result in results) and op.inputs[:1] == op.outputs[:1]:
        return []  # a leaf that was changed in place
    given = [one for one in _given(scene, step, op) if one in before.tensors and before.tensors[one].requires_grad]
    return given or [one.tensor for one in taken_numbers(scene, step) if _has_history(scene, one.tensor, one.step)]


def _given(scene: FailureContext, step: int, op: Op) -> list[int]:
    """The tensors that an operation was given; of `nn.Parameter(w * 2)`, which does not tell, the one in its code."""
    given = [number for number in op.inputs if number is not None]
    site = scene.timeline.sites.get(op.site)
    if given or site is None or site.op != "Parameter":
        return given
    calls = [node for node in ast.walk(parse_code(scene.timeline.view(step).code)) if isinstance(node, ast.Call)]
    wanted = ast.unparse(calls[0].args[0]) if calls and calls[0].args else ""
    named = names_of(scene.timeline.state(step - 1)).get(wanted)
    last = scene.timeline.event(step - 1)
    if named is None and isinstance(last, Op) and scene.timeline.sites[last.site].statement == site.statement:
        return last.outputs[:1]
    return [] if named is None else [named]


def _has_history(scene: FailureContext, tensor: int, step: int) -> bool:
    """Whether a tensor, or one that it was computed from, requires grad. Not by `cut_behind`, which asks this."""
    asked = [(tensor, step), *((one, at) for at, op in behind(scene, tensor, step) for one in _given(scene, at, op))]
    held = (scene.timeline.state(at - 1).tensors.get(one) for one, at in asked)
    return any(one is not None and one.requires_grad for one in held)


def _why(scene: FailureContext, step: int, op: Op) -> str:
    site = scene.timeline.sites.get(op.site)
    name, place = (site.op if site is not None else None) or "", scene.place_of(step)
    data = by_data(scene.timeline, step, op)
    if data is not None:
        return _by_data(place, data)
    if makes(name):
        return why_from_numbers(scene, step)
    given = [scene.timeline.state(step - 1).tensors.get(number) for number in _given(scene, step, op)]
    if not any(one is not None and one.requires_grad for one in given):
        return among_numbers(place, taken_numbers(scene, step))
    if name in _CUTS:
        return _("{place} cut it off. Leave that out where gradients should flow.", place=place)
    if name in _ENDS or _of_whole_numbers(scene, step, op):
        return _(
            "{place} gives a result that has no derivative. Compute the loss from what it was given, with operations "
            "that have one.", place=place,
        )  # fmt: skip
    after = scene.timeline.state(step).tensors
    made = [after[number] for number in op.outputs if number in after]
    if any(result.requires_grad for result in made):
        return _(
            "{place} made a new leaf: the history of what it was given is left behind. Use that itself.", place=place
        )
    rebound = _rebound(scene, step)
    if rebound is not None:
        return rebound
    return _(
        "{place} ran while gradients were switched off (torch.no_grad or the like). Compute it outside of that block.",
        place=place,
    )  # fmt: skip


def _of_whole_numbers(scene: FailureContext, step: int, op: Op) -> bool:
    after = scene.timeline.state(step).tensors
    return any(after[number].dtype.startswith(("int", "uint", "bool")) for number in op.outputs if number in after)


def _rebound(scene: FailureContext, step: int) -> str | None:
    """What to say where a parameter's name was given to a new tensor under `no_grad`."""
    code = scene.statement_of(step)
    body = [] if code is None else parse_code(code).body
    change = body[0] if len(body) == 1 else None
    if not isinstance(change, ast.Assign) or len(change.targets) != 1:
        return None
    name = ast.unparse(change.targets[0])
    before = scene.timeline.state(step - 1)
    held = before.tensors.get(names_of(before).get(name, 0))
    if held is None or not (held.is_leaf and held.requires_grad):
        return None
    return _(
        "{place} ran under no_grad and gave the name {name} to a new tensor that does not require grad; the leaf was "
        "left behind. Change the leaf itself, in place, in the same block: `{mend}`.",
        place=scene.place_of(step), name=name, mend=in_place(name, change.value),
    )  # fmt: skip


def in_place(name: str, value: ast.expr) -> str:
    """How to write this value into a tensor: `w -= lr * w.grad` of `w - lr * w.grad`."""
    if isinstance(value, ast.BinOp) and ast.unparse(value.left) == name:
        return ast.unparse(ast.AugAssign(ast.Name(name), value.op, value.right))
    return f"{name}.copy_({ast.unparse(value)})"
