"""Where the graph behind a result reaches into an older one: through which tensors, and how they got there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tutor.explain.mistakes.scene import Scene, parsed
from tutor.trace.events import Op
from tutor.trace.names import names_of
from tutor.trace.state import FrameState, State

CARRIED, BEFORE_LOOP, SHARED = "carried", "before the loop", "shared"
"""How an older tensor came into a newer graph: from an earlier iteration (or its name was given to what was computed
from it), from before the loop that both passes are in, or just by being used for both."""


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


def crossings(scene: Scene, state: State, roots: Iterable[int | None], old: set[int], since: int) -> list[Crossing]:
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


def _results(scene: Scene, state: State, source: tuple[int, int]) -> list[int | None]:
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


def _crossing(scene: Scene, now: State, node: int, tensor: int | None, used: int | None, since: int) -> Crossing:
    if tensor is None or used is None or used < since:
        return Crossing(node, tensor, used, SHARED, None, None)
    before = scene.timeline.state(used - 1)
    living = {frame.frame for frame in now.frames}
    inner_first = list(reversed(before.frames))
    for frame in sorted(inner_first, key=lambda one: one.frame not in living):
        name = _mentioned(scene, before, frame, tensor)
        if name is None:
            continue
        meant = names_of(now, frame.frame).get(name)
        holder = None if meant is None else now.tensors.get(meant)
        rebound = frame.frame in living and (holder is None or holder.node != node)
        made = scene.timeline.columns.operation(now.nodes[node].operation or now.nodes[node].within)
        loops = {} if made is None else _loops(scene.timeline.state(made))
        here = _loops(before)
        if rebound or any(loops.get(loop, count) != count for loop, count in here.items()):
            return Crossing(node, tensor, used, CARRIED, name, frame.frame)
        how = BEFORE_LOOP if any(loop not in loops for loop in here) else SHARED
        return Crossing(node, tensor, used, how, name, frame.frame)
    return Crossing(node, tensor, used, SHARED, None, None)


def _loops(state: State) -> dict[tuple[int, int], int]:
    """The loops that the program is in, and which iteration of each: by frame and loop."""
    return {(frame.frame, loop): count for frame in state.frames for loop, count in frame.iterations.items()}


def _mentioned(scene: Scene, state: State, frame: FrameState, tensor: int) -> str | None:
    """The name of a tensor in a frame that the statement running there mentions, itself or what holds it."""
    site = scene.timeline.sites.get(frame.site or 0)
    header = None if site is None else scene.timeline.book.header(site.file, site.span)
    code = None if site is None or header is None else scene.timeline.book.code(site.file, header)
    mentioned = set()
    for node in ast.walk(parsed(code)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            mentioned.add(node.id)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            mentioned.add(node.target.id)
    names = [name for name, number in names_of(state, frame).items() if number == tensor and _root(name) in mentioned]
    return min(names, key=len, default=None)


def _root(name: str) -> str:
    """`state` of `state[0]` and of `state.h`."""
    return re.split(r"[.\[]", name, maxsplit=1)[0]


# ---------------------------------------------------------------- detaching what is carried


def detached(scene: Scene, carried: list[Crossing]) -> list[str] | None:
    """The statements that detach what is carried over, of containers all items; None where one of them has no name."""
    found: list[str] = []
    for crossing in carried:
        if crossing.name is None or crossing.used is None:
            return None
        state = scene.timeline.state(crossing.used - 1)
        statement = _detach(state, crossing, {one.tensor for one in carried})
        if statement is None:
            return None
        if statement not in found:
            found.append(statement)
    return found


def holder(scene: Scene, crossing: Crossing) -> str | None:
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
    if kind == "tuple" and len(around) == 1:
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
    return len(held) == min(count, 20)


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
