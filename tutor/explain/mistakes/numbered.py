"""New tensors made out of plain numbers, and where those had been taken out of tensors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from weakref import WeakKeyDictionary

from tutor.explain.mistakes.scene import FailureContext, parsed
from tutor.explain.words import joined
from tutor.i18n import _
from tutor.trace.events import Event, Line, Op
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
_FARTHEST = 1_000
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
    place, call = scene.where(step), _call(scene, step)
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
        call = next((node for node in ast.walk(parsed(text)) if isinstance(node, ast.Call)), None)
        if number is None or call is None or scene.maker(number, before=step) is not None:
            continue
        if ast.unparse(call.func).rpartition(".")[2] in _MAKES:
            yield text, _found(scene, step, text, _read(parsed(text)))


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
        return [] if copies else _found(scene, step, code, _read(parsed(code)))
    texts = zip(event.inputs, op_texts(scene.timeline, step) or (), strict=False)
    code = ", ".join(text for number, text in texts if number is None)
    bound = {name: one.what for frame in scene.timeline.state(step - 1).frames for name, one in frame.names.items()}
    return _found(scene, step, code, {name for name in _read(parsed(code)) if bound.get(name) == "value"})


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
    calls = [node for node in ast.walk(parsed(code)) if isinstance(node, ast.Call)]
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
    body = parsed(code).body
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
    tree = parsed(scene.timeline.view(step).code)
    return next((node for node in ast.walk(tree) if isinstance(node, ast.Call)), None)


def _source(code: str) -> str:
    """`w * 2` of `(w * 2).detach().numpy()`."""
    tree = parsed(code)
    node = tree.body[0].value if tree.body and isinstance(tree.body[0], ast.Expr) else None
    while isinstance(node, (ast.Call, ast.Attribute)):
        inner = node.func if isinstance(node, ast.Call) else node
        if not isinstance(inner, ast.Attribute) or inner.attr not in (*_TAKES, "detach", "cpu", "data", "clone"):
            break
        node = inner.value
    return code if node is None else ast.unparse(node)
