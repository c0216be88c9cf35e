"""Where the graph behind a result reaches into an older one: through which tensors, and how they got there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tutor.explain.mistakes.scene import FailureContext, parsed
from tutor.explain.words import joined, sentences
from tutor.i18n import _
from tutor.trace.events import Bind, Op
from tutor.trace.names import names_of
from tutor.trace.state import FrameState, State

CARRIED, BEFORE_LOOP, SHARED = "carried", "before the loop", "shared"
"""How an older tensor came into a newer graph: from an earlier iteration (or its name was given to what was computed
from it), from before the loop that both passes are in, or just by being used for both."""

_ITEMS = 20
"""So many items of a container are known (see `events.Group`)."""
_FARTHEST = 2_000
"""So many steps back the statement is looked for that gave a name."""


@dataclass(frozen=True)
class Crossing:
    """An edge from a newer node to an older one."""

    node: int
    """The older node."""
    tensor: int | None
    """What was used: a result of the older node's operation."""
    used: int | None
    """The step of the operation that used it."""
    how: str
    name: str | None
    """What the tensor is called where it was used, for what follows from it."""
    frame: int | None
    """The activation in which that name holds."""


def crossings(
    scene: FailureContext, state: State, roots: Iterable[int | None], old: set[int], since: int
) -> list[Crossing]:
    """The edges from the graph behind these roots into the older nodes. `since` is the step from which on the older
    nodes were of no more use: what used them before it was computed too early, what did so later was given them."""
    found: dict[tuple[int, int | None], Crossing] = {}
    waiting = [root for root in roots if root is not None and root in state.nodes and root not in old]
    seen = set(waiting)
    while waiting:
        number = waiting.pop()
        node = state.nodes[number]
        for source in node.inputs:
            if source is None or source[0] in seen or source[0] not in state.nodes:
                continue
            if source[0] not in old:
                seen.add(source[0])
                waiting.append(source[0])
                continue
            used = scene.timeline.columns.operation(node.operation or node.within)
            for tensor in _results(scene, state, source):
                found.setdefault((source[0], tensor), _crossing(scene, state, source[0], tensor, used, since))
    return sorted(found.values(), key=lambda one: (one.node, one.tensor or 0))


def _results(scene: FailureContext, state: State, source: tuple[int, int]) -> list[int | None]:
    """The tensor that is this output of a node; all that can be, where it is not known which."""
    node = state.nodes[source[0]]
    made = scene.timeline.columns.operation(node.operation or node.within)
    event = None if made is None else scene.timeline.event(made)
    if made is None or not isinstance(event, Op):
        return [node.tensor]
    after = scene.timeline.state(made).tensors
    outputs = [one for one in event.outputs if one in after and after[one].node == node.node]
    if node.tensor is not None and source[1] < len(outputs):
        return [outputs[source[1]]]
    return [*outputs] or [node.tensor]


def _crossing(
    scene: FailureContext, now: State, node: int, tensor: int | None, used: int | None, since: int
) -> Crossing:
    if tensor is None or used is None or used < since:
        return Crossing(node, tensor, used, SHARED, None, None)
    before = scene.timeline.state(used - 1)
    living = {frame.frame for frame in now.frames}
    inner_first = list(reversed(before.frames))
    for frame in sorted(inner_first, key=lambda one: one.frame not in living):
        scope, name = _mentioned(scene, before, frame, tensor)
        if name is None:
            continue
        meant = names_of(now, scope).get(name)
        holder = None if meant is None else now.tensors.get(meant)
        rebound = scope in living and (holder is None or holder.node != node)
        made = scene.timeline.columns.operation(now.nodes[node].operation or now.nodes[node].within)
        loops = {} if made is None else _loops(scene.timeline.state(made))
        here = _loops(before)
        if rebound or any(loops.get(loop, count) != count for loop, count in here.items()):
            return Crossing(node, tensor, used, CARRIED, name, scope)
        how = BEFORE_LOOP if any(loop not in loops for loop in here) else SHARED
        return Crossing(node, tensor, used, how, name, scope)
    made = scene.timeline.columns.operation(now.nodes[node].operation or now.nodes[node].within)
    loops = {} if made is None else _loops(scene.timeline.state(made))
    carried = any(loops.get(loop, count) != count for loop, count in _loops(before).items())
    return Crossing(node, tensor, used, CARRIED if carried else SHARED, None, None)


def _loops(state: State) -> dict[tuple[int, int], int]:
    """The loops that the program is in, and which iteration of each: by frame and loop."""
    return {(frame.frame, loop): count for frame in state.frames for loop, count in frame.iterations.items()}


def _mentioned(scene: FailureContext, state: State, frame: FrameState, tensor: int) -> tuple[int, str | None]:
    """The name of a tensor, itself or in what holds it, that the statement running in a frame mentions; before it the
    frame that has the name, which may be one further out."""
    site = scene.timeline.sites.get(frame.site or 0)
    header = None if site is None else scene.timeline.book.header(site.file, site.span)
    code = None if site is None or header is None else scene.timeline.book.code(site.file, header)
    mentioned = set()
    for node in ast.walk(parsed(code)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            mentioned.add(node.id)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            mentioned.add(node.target.id)
    for scope in reversed(state.frames[: state.frames.index(frame) + 1]):
        named = names_of(state, scope)
        names = [name for name, number in named.items() if number == tensor and _root(name) in mentioned]
        if names:
            return scope.frame, min(names, key=len)
        mentioned -= scope.names.keys()
    return frame.frame, None


def _root(name: str) -> str:
    """`state` of `state[0]` and of `state.h`."""
    return re.split(r"[.\[]", name, maxsplit=1)[0]


# ---------------------------------------------------------------- detaching what is carried


def detaching(scene: FailureContext, carried: list[Crossing]) -> str | None:
    """How to detach what is carried over, of containers all items; None where that is not known of one of them."""
    after: list[str] = []
    instead: list[tuple[str, str]] = []
    for crossing in carried:
        if crossing.name is None or crossing.used is None:
            return None
        if _is_held(scene, crossing):
            statement = _detach(scene.timeline.state(crossing.used - 1), crossing, {one.tensor for one in carried})
            if statement is None:
                return None
            after += [] if statement in after else [statement]
        else:
            rebinding = _rebinding(scene, crossing)
            if rebinding is None:
                return None
            instead += [] if rebinding in instead else [rebinding]
    said = []
    if after:
        code = joined([f"`{one}`" for one in after])
        began = scene.backward_step()
        living = {frame.frame for frame in scene.timeline.state(scene.step if began is None else began[0]).frames}
        used = min(one.used for one in carried if one.used is not None)
        said.append(
            _("If nothing should flow back that far, write {code} after each backward pass.", code=code)
            if all(one.frame in living for one in carried)
            else _("If nothing should flow back that far, write {code} before {place}.", code=code,
                    place=scene.where(used))
        )  # fmt: skip
    said += [
        _("If nothing should flow back that far, write `{code}` instead of `{old}`.", code=new, old=old)
        for old, new in instead
    ]
    return sentences(said)


def _is_held(scene: FailureContext, crossing: Crossing) -> bool:
    """Whether the name means what is carried when the pass before its use has ended: one can detach it there."""
    ends = [info.end_step for info in scene.timeline.passes if info.end_step is not None]
    last = max((end for end in ends if end < (crossing.used or 0)), default=None)
    if last is None:
        return True
    state = scene.timeline.state(last)
    return crossing.frame not in {one.frame for one in state.frames} or (
        names_of(state, crossing.frame).get(crossing.name or "") == crossing.tensor
    )


def _rebinding(scene: FailureContext, crossing: Crossing) -> tuple[str, str] | None:
    """The statement that gave the name to what is carried, after the pass, and the same with it detached."""
    timeline, name = scene.timeline, _root(crossing.name or "")
    for step in range((crossing.used or 0) - 1, max((crossing.used or 0) - _FARTHEST, 0), -1):
        if not any(
            isinstance(event, Bind) and event.name == name and event.frame == crossing.frame
            for event in timeline.following(step)
        ):
            continue
        code = scene.statement_of(step)
        body = parsed(code).body
        change = body[0] if len(body) == 1 else None
        if not isinstance(change, ast.Assign) or [ast.unparse(one) for one in change.targets] != [name]:
            return None
        value = change.value
        if isinstance(value, ast.Tuple | ast.List):
            value = type(value)([_detached(one) for one in value.elts], ast.Load())
        else:
            value = _detached(value)
        return ast.unparse(change), f"{name} = {ast.unparse(value)}"
    return None


def _detached(value: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(value, "detach", ast.Load()), [], [])


def holder(scene: FailureContext, crossing: Crossing) -> str | None:
    """What to call what is carried: `state` of `state[0]`."""
    if crossing.name is None or crossing.used is None:
        return None
    place = _container(scene.timeline.state(crossing.used - 1), crossing)
    return crossing.name if place is None else _root(crossing.name) + place[1][0][0]


def _container(state: State, crossing: Crossing) -> tuple[int, list[tuple[str, str, int]]] | None:
    """The group that holds a tensor, and the containers in it that do, the outermost first."""
    name = crossing.name or ""
    frame = next((one for one in state.frames if one.frame == crossing.frame), None)
    binding = None if frame is None else frame.names.get(_root(name))
    if binding is None or binding.what != "group":
        return None
    suffix = name[len(_root(name)) :]
    around = [one for one in state.containers.get(binding.ref, ()) if suffix.startswith((one[0] + "[",))]
    return (binding.ref, sorted(around, key=lambda one: len(one[0]))) if around else None


def _detach(state: State, crossing: Crossing, all_of: set[int | None]) -> str | None:
    name = crossing.name or ""
    place = _container(state, crossing)
    if place is None:
        return f"{name} = {name}.detach()"
    group, around = place
    prefix, kind, _ = around[0]
    whole = _root(name) + prefix
    kinds = [kind for _, kind, _ in around]
    if all(_only_tensors(state, group, one) for one in around):
        return f"{whole} = {_each(whole, kinds)}"
    if kind in ("list", "dict") and len(around) == 1:
        return f"{name} = {name}.detach()"
    if kind == "tuple" and len(around) == 1 and around[0][2] < _ITEMS:
        items = dict(state.groups.get(group, ()))
        each = [
            f"{whole}[{at}].detach()" if items.get(f"{prefix}[{at}]") in all_of else f"{whole}[{at}]"
            for at in range(around[0][2])
        ]
        return f"{whole} = ({', '.join(each)})"
    return None


def _only_tensors(state: State, group: int, container: tuple[str, str, int]) -> bool:
    """Whether a container holds tensors alone, or containers of these."""
    prefix, _, count = container
    pattern = re.compile(re.escape(prefix) + r"(\[[^\]]*\])")
    held = {match[1] for suffix, _ in state.groups.get(group, ()) if (match := pattern.match(suffix)) is not None}
    return len(held) == count


def _each(whole: str, kinds: list[str]) -> str:
    """`tuple(s.detach() for s in state)`."""
    kind, *rest = kinds
    item = {"dict": "v"}.get(kind, "each" if rest else "s")
    inner = _each(item, rest) if rest else f"{item}.detach()"
    if kind == "dict":
        return f"{{k: {inner} for k, v in {whole}.items()}}"
    if kind == "list":
        return f"[{inner} for {item} in {whole}]"
    if kind == "tuple":
        return f"tuple({inner} for {item} in {whole})"
    return f"type({whole})(*({inner} for {item} in {whole}))"
