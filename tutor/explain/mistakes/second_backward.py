"""Where the graph behind a result reaches into an older one: through which tensors, and how they got there.

A first pass that went further back than its optimizer reaches: the judge's loss of a GAN, through the maker.

A second pass through a graph that has let go of what it saved: of one result, of a shared part, of what is carried
from one iteration to the next."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tutor.explain.formatting import joined, sentences
from tutor.explain.mistakes.context import Diagnosis, FailureContext, mistake, parse_code
from tutor.explain.saved_tensors import kept_by
from tutor.i18n import _
from tutor.trace.events import Bind, Op, OptimizerStep
from tutor.trace.index import PassInfo
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
    for node in ast.walk(parse_code(code)):
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
                    place=scene.place_of(used))
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
        body = parse_code(code).body
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


def unneeded(scene: FailureContext, graph: State, through: list[Crossing], first: int) -> str | None:
    """How to keep the pass that began at step `first` out of the part of the graph that both passes share, where the
    optimizers that stepped since change no parameter in there; None where that is not so."""
    timeline = scene.timeline
    info = next((info for info in timeline.passes if info.start_step == first), None)
    if info is None or info.end_step is None or len({one.tensor for one in through}) != 1:
        return None
    tensor, optimized = through[0].tensor, _optimized(scene, first)
    leaves = _leaves(graph, {one.node for one in through})
    if tensor is None or not optimized or not leaves or leaves & optimized:
        return None
    used = _used(scene, {one.node for one in through}, info)
    written = None if used is None else _with_detach(scene, used, tensor)
    if written is None:
        return None
    name, old, new, line = written
    return _(
        "No optimizer that has stepped since changes what {name} was computed from, so the first pass need not go "
        "there: write `{new}` in place of `{old}` on line {line}.", name=name, old=old, new=new, line=line,
    )  # fmt: skip


def _optimized(scene: FailureContext, since: int) -> set[int]:
    """The parameters of the optimizers that have stepped since."""
    found: set[int] = set()
    for aside in scene.timeline.asides:
        if since < aside.step < scene.step and isinstance(aside.event, OptimizerStep):
            found.update(update.tensor for update in aside.event.updates)
            found.update(aside.event.others)
    return found


def _leaves(graph: State, nodes: set[int]) -> set[int]:
    """The leaves that gradients come to from these nodes."""
    found, waiting, seen = set(), list(nodes), set(nodes)
    while waiting:
        node = graph.nodes.get(waiting.pop())
        if node is None:
            continue
        if node.name == "AccumulateGrad" and node.tensor is not None:
            found.add(node.tensor)
        sources = {source[0] for source in node.inputs if source is not None} - seen
        seen |= sources
        waiting += sources
    return found


def _used(scene: FailureContext, nodes: set[int], info: PassInfo) -> int | None:
    """The step of the operation through which the first pass came into the shared part, where there is one alone."""
    graph = scene.timeline.state(info.start_step)
    last = scene.timeline.state(info.end_step or info.start_step).last_pass
    found = set()
    for number in last.ran if last is not None else ():
        node = graph.nodes.get(number)
        if node is not None and number not in nodes and any(source and source[0] in nodes for source in node.inputs):
            found.add(scene.timeline.columns.operation(node.operation or node.within))
    return found.pop() if len(found) == 1 else None


def _with_detach(scene: FailureContext, used: int, tensor: int) -> tuple[str, str, str, int] | None:
    """The tensor's name where it was handed on, the expression that did so, the same with it detached, and the line:
    in the outermost function that has a name for it."""
    timeline, before = scene.timeline, scene.timeline.state(used - 1)
    for frame in before.frames:
        site = timeline.sites.get(frame.site or 0)
        names = {name for name, number in names_of(before, frame).items() if number == tensor}
        code = None if site is None else timeline.book.code(site.file, timeline.book.header(site.file, site.span))
        statement = parse_code(code)
        calls = [
            (call, argument)
            for call in ast.walk(statement)
            if isinstance(call, ast.Call)
            for argument in call.args
            if ast.unparse(argument) in names
        ]
        uses = [one for one in ast.walk(statement) if isinstance(one, ast.expr) and ast.unparse(one) in names]
        if site is None or len(calls) != 1 or len([one for one in uses if _is_read(one)]) != 1:
            continue
        call, argument = calls[0]
        given = [_detached_argument(one) if one is argument else one for one in call.args]
        new = ast.unparse(ast.Call(call.func, given, call.keywords))
        return ast.unparse(argument), ast.unparse(call), new, site.span[0]
    return None


def _is_read(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def _detached_argument(node: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(node, "detach", ast.Load()), [], [])


_PASSES = 50
"""How many earlier passes are looked through for the one that let go of the graph."""
_NAMED = 4
"""So many tensors are named."""


@mistake("RuntimeError", r"^Trying to backward through the graph a second time")
def second_time(scene: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    began = scene.backward_step()
    if began is None:
        return None
    start, event = began
    graph = scene.timeline.state(start)
    freed = {number for number in graph.shown if graph.nodes[number].state == "freed"}
    first = _pass_that_freed(scene, start, freed)
    if first is None:
        return None
    root = scene.root_name() or _("the result")
    nodes = [graph.tensors[number].node for number in event.roots if number in graph.tensors]
    before = _("the backward pass of {place}", place=scene.place_of(first))
    if any(node in freed for node in nodes):
        said = _(
            "The graph behind {root} was used up: {before} went through it and let go of the values that its nodes "
            "had saved.", root=root, before=before,
        )  # fmt: skip
        return Diagnosis(sentences([said, _anew(scene, graph, freed, root, nodes, first)]), first)
    saving = leading_to(graph, {number for number in freed if graph.nodes[number].saved or graph.nodes[number].kept})
    older = saving & set(scene.timeline.state(first).nodes)
    if not older.isdisjoint(nodes):  # all of it was computed before the first pass
        older &= freed
    through = crossings(scene, graph, nodes, older, first)
    carried = [one for one in through if one.how == CARRIED]
    if carried:
        return Diagnosis(_carried(scene, graph, carried, root, before, alone=len(carried) == len(through)), first)
    return Diagnosis(_shared(scene, graph, freed, through, root, first), first)


def _anew(scene: FailureContext, graph: State, freed: set[int], root: str, nodes: list[int | None], first: int) -> str:
    """What to do where backward was called twice on one result."""
    if scene.is_before_loop(nodes, graph.step):
        said = _("{name} is computed once, before the loop: compute it anew in each iteration.", name=root)
        return said if _is_stale(graph, freed) or _stepped(scene, first) else sentences([said, _or_retain()])
    if _is_stale(graph, freed):
        return _("Compute {root} anew before each backward.", root=root)
    return _(
        "Compute {root} anew before each backward, or, if you do want two passes through one graph, "
        "write retain_graph=True in the first.", root=root,
    )  # fmt: skip


def _or_retain() -> str:
    return _("Or, if you do want several passes through one graph, write retain_graph=True in all but the last.")


def _carried(
    scene: FailureContext, graph: State, carried: list[Crossing], root: str, before: str, *, alone: bool
) -> str:
    names = list(dict.fromkeys(name for one in carried if (name := holder(scene, one)) is not None))
    fix = detaching(scene, carried) if alone else None
    if not names:
        called = list(dict.fromkeys(_called(scene, graph, one) for one in carried))
        places = [name for name in called if name is not None]
        if len(places) == len(called) <= _NAMED:
            return _(
                "A part of the graph behind {root} was used up: through {name}, it reaches back into what {before} "
                "went through and let go of. If nothing should flow back that far, detach what is carried over from "
                "there after that pass.", root=root, before=before, name=joined(places),
            )  # fmt: skip
    if not names or len(names) > _NAMED:
        return _(
            "A part of the graph behind {root} was used up: it reaches back into what {before} went through and let go "
            "of. If nothing should flow back that far, detach what is carried over from there after that pass.",
            root=root, before=before,
        )  # fmt: skip
    said = _(
        "A part of the graph behind {root} was used up: through {name}, it reaches back into what {before} went "
        "through and let go of.", root=root, before=before, name=joined(names),
    )  # fmt: skip
    if alone and fix is None:
        fix = _("If nothing should flow back that far, detach what is carried over from there after that pass.")
    return said if fix is None else sentences([said, fix])


def _shared(
    scene: FailureContext, graph: State, freed: set[int], through: list[Crossing], root: str, first: int
) -> str:
    """Two results of one part, and a pass for each."""
    before = _("the backward pass of {place}", place=scene.place_of(first))
    called = list(dict.fromkeys(_called(scene, graph, one) for one in through))
    names = [] if len(called) > _NAMED else [name for name in called if name is not None]
    names = names if len(names) == len(called) else []
    said = _(
        "A part of the graph behind {root} was used up: through {name}, it shares that part with what {before} went "
        "through and let go of.", root=root, before=before, name=joined(names),
    ) if names else _(
        "A part of the graph behind {root} was used up: it shares that part with what {before} went through and let "
        "go of.", root=root, before=before,
    )  # fmt: skip
    without = unneeded(scene, graph, through, first)
    if without is not None:
        return sentences([said, without])
    stale = _is_stale(graph, freed)
    if stale:
        if names and all(one.how == BEFORE_LOOP for one in through):
            again = _("{name} is computed once, before the loop: compute it anew in each iteration.",
                       name=joined(names))  # fmt: skip
        else:
            again = _(
                "What that part had saved has been changed in place since then, so that retain_graph=True would not "
                "do: compute {root} anew, all that it is computed from included.", root=root,
            )  # fmt: skip
        return sentences([said, again])
    losses = None if _stepped(scene, first) else _sum(scene, first)
    if losses is None:
        again = _("Write retain_graph=True in every pass through that part but the last.")
    elif losses:
        again = _(
            "Add the losses up and go back once, `{losses}.backward()`, or write retain_graph=True in every pass "
            "through that part but the last.", losses=losses,
        )  # fmt: skip
    else:
        again = _(
            "Add the losses up and call backward() once, on their sum, or write retain_graph=True in every pass "
            "through that part but the last."
        )
    return sentences([said, again])


def _stepped(scene: FailureContext, since: int) -> bool:
    """Whether an optimizer has made a step since then."""
    return any(since < one.step < scene.step and isinstance(one.event, OptimizerStep) for one in scene.timeline.asides)


def _called(scene: FailureContext, graph: State, crossing: Crossing) -> str | None:
    if crossing.name is not None:
        return crossing.name
    named = None if crossing.tensor is None else scene.name(crossing.tensor)
    if named is not None:
        return named
    node = graph.nodes[crossing.node]
    made = scene.timeline.columns.operation(node.operation or node.within)
    return None if made is None else scene.place_of(made)


def _sum(scene: FailureContext, first: int) -> str | None:
    """`(actor + critic)`; empty where both are called the same; None where there is no sum to go back from."""
    other, here = _call(scene, first), _call(scene, scene.step)
    if other is None or here is None:
        return None
    return "" if other == here else f"({other} + {here})"


def _call(scene: FailureContext, step: int) -> str | None:
    """The source of `loss` in `loss.backward()`; None for any other call, one that is given a gradient say."""
    code = scene.timeline.view(step).code
    for node in ast.walk(parse_code(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "backward":
            given = {keyword.arg for keyword in node.keywords}
            named = ast.unparse(node.func.value)
            return named if not node.args and given <= {"retain_graph"} and named not in _LIBRARY else None
    return None


_LIBRARY = ("torch.autograd", "autograd")


def _pass_that_freed(scene: FailureContext, start: int, freed: set[int]) -> int | None:
    """The step at which the first pass through these nodes began that let go of them."""
    earlier = [info for info in scene.timeline.passes if info.start_step < start and info.end_step is not None]
    found = None
    for info in reversed(earlier[-_PASSES:]):
        last = scene.timeline.state(info.end_step or start).last_pass
        if last is not None and not last.retain_graph and freed.intersection(last.ran):
            found = info.start_step
    return found


def leading_to(graph: State, wanted: set[int]) -> set[int]:
    """The nodes on show from which a pass comes to one of these, themselves included."""
    found: set[int] = set()
    for number in sorted(graph.shown):  # a node is numbered after its inputs
        if number in wanted or any(source is not None and source[0] in found for source in graph.nodes[number].inputs):
            found.add(number)
    return found


def _is_stale(graph: State, nodes: Iterable[int]) -> bool:
    """Whether something that these nodes had kept has been written to since: keeping the graph would not help."""
    return any(not kept.fits for number in nodes for kept in kept_by(graph, graph.nodes[number]))
