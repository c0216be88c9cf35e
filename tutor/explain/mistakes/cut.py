"""Where a history was lost: back from a result to the operation that let go of what it was computed from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tutor.explain.mistakes import numbered
from tutor.explain.mistakes.given import enclosed
from tutor.explain.mistakes.scene import FailureContext, parsed
from tutor.explain.ungraphed import by_data
from tutor.i18n import _
from tutor.trace.events import Accumulate, Backward, Captured, Op
from tutor.trace.names import names_of

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
        for code, found in numbered.unseen(scene, step, op):
            taken = [one for one in found if _has_history(scene, one.tensor, one.step)]
            if taken and (wanted is None or any(leads_to(scene, one.tensor, one.step, wanted) for one in taken)):
                return Cut(step, numbered.by_way_of(scene.where(step, code), taken))
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
                        "is asked for: write create_graph=True there.", place=scene.where(info.start_step),
                    ))  # fmt: skip
    return None


def behind(scene: FailureContext, tensor: int, before: int) -> Iterator[tuple[int, Op]]:
    """The operations that a tensor was computed by, from the last one back; through plain numbers too."""
    waiting = [(tensor, before)]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST:
        number, at = waiting.pop(0)
        made = scene.maker(number, before=at)
        if made is None or made[0] in seen:
            continue
        step, op = made
        seen.add(step)
        yield step, op
        waiting += [(one, step) for one in _given(scene, step, op)]
        waiting += [(one.tensor, one.step) for one in numbered.taken_numbers(scene, step)]
        waiting += [(one.tensor, one.step) for _, found in numbered.unseen(scene, step, op) for one in found]


def _through_data(scene: FailureContext, tensor: int, before: int) -> Cut | None:
    """The statement `v = w.data` that one of the tensors comes from: no operation tells of it."""
    timeline = scene.timeline
    made_of = {tensor, *(one for _, op in behind(scene, tensor, before) for one in op.inputs if one is not None)}
    for number in made_of:
        held = timeline.state(before - 1).tensors.get(number)
        if held is None or held.requires_grad or held.label is None or scene.maker(number, before) is not None:
            continue
        for step in range(before - 1, max(before - _FARTHEST, 0), -1):
            code = (timeline.view(step).code or "") if timeline.kind(step) == "line" else ""
            data = _data_of(code, held.label)
            if data is not None:
                return Cut(step, _by_data(scene.where(step), data))
    return None


def _data_of(code: str, name: str) -> str | None:
    """`(w * 2).sum()` of the statement `y = (w * 2).sum().data`."""
    body = parsed(code).body
    statement = body[0] if len(body) == 1 else None
    value = statement.value if isinstance(statement, ast.Assign) else None
    if not isinstance(statement, ast.Assign) or not isinstance(value, ast.Attribute) or value.attr != "data":
        return None
    return enclosed(ast.unparse(value.value)) if ast.unparse(statement.targets[0]) == name else None


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
    return given or [
        one.tensor for one in numbered.taken_numbers(scene, step) if _has_history(scene, one.tensor, one.step)
    ]


def _given(scene: FailureContext, step: int, op: Op) -> list[int]:
    """The tensors that an operation was given; of `nn.Parameter(w * 2)`, which does not tell, the one in its code."""
    given = [number for number in op.inputs if number is not None]
    site = scene.timeline.sites.get(op.site)
    if given or site is None or site.op != "Parameter":
        return given
    calls = [node for node in ast.walk(parsed(scene.timeline.view(step).code)) if isinstance(node, ast.Call)]
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
    name, place = (site.op if site is not None else None) or "", scene.where(step)
    data = by_data(scene.timeline, step, op)
    if data is not None:
        return _by_data(place, data)
    if numbered.makes(name):
        return numbered.why_from_numbers(scene, step)
    given = [scene.timeline.state(step - 1).tensors.get(number) for number in _given(scene, step, op)]
    if not any(one is not None and one.requires_grad for one in given):
        return numbered.among_numbers(place, numbered.taken_numbers(scene, step))
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
    body = [] if code is None else parsed(code).body
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
        place=scene.where(step), name=name, mend=in_place(name, change.value),
    )  # fmt: skip


def in_place(name: str, value: ast.expr) -> str:
    """How to write this value into a tensor: `w -= lr * w.grad` of `w - lr * w.grad`."""
    if isinstance(value, ast.BinOp) and ast.unparse(value.left) == name:
        return ast.unparse(ast.AugAssign(ast.Name(name), value.op, value.right))
    return f"{name}.copy_({ast.unparse(value)})"
