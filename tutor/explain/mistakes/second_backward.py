"""Explain a second backward pass through a graph whose saved tensors were freed.

The second pass starts from the same result, from one that shares a part of the graph, or from one whose graph reaches
into an earlier iteration through a tensor that is carried over. `find_crossings` finds these edges into older nodes,
`detach_fix` says how to cut them, and `_skip_shared_part_fix` covers a first pass that went further back than its
optimizer reaches, as the discriminator's loss of a GAN does through the generator.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tutor.explain.formatting import joined, sentences
from tutor.explain.mistakes.context import FailureContext, parse_code, parse_statement
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.explain.saved_tensors import saved_by
from tutor.i18n import _
from tutor.trace.events import Bind, Op, OptimizerStep
from tutor.trace.index import PassInfo
from tutor.trace.names import names_of
from tutor.trace.state import FrameState, State

CARRIED, BEFORE_LOOP, SHARED = "carried", "before the loop", "shared"
"""How an older tensor came into a newer graph: carried over from an earlier iteration (or its name was rebound to a
result computed from it), made before the loop that both passes run in, or used for both results."""

_MAX_ITEMS = 20
"""Maximum items of a container that are recorded (see `events.Group`)."""
_MAX_STEPS_BACK = 2_000
"""Maximum steps searched back for the statement that bound a name."""


@dataclass(frozen=True)
class _Crossing:
    """An edge from a newer node to an older one."""

    node: int
    """The older node."""
    tensor: int | None
    """The tensor that was used, a result of the older node's operation; None if unknown."""
    used: int | None
    """The step of the operation that used it; None if unknown."""
    origin: str
    """CARRIED, BEFORE_LOOP or SHARED."""
    name: str | None
    """The tensor's name where it was used; None if it has none."""
    frame: int | None
    """The frame in which it has that name."""


def find_crossings(
    context: FailureContext, state: State, roots: Iterable[int | None], older: set[int], since: int
) -> list[_Crossing]:
    """Return the edges from the graph behind `roots` into the `older` nodes.

    From step `since` on the older nodes are outdated: earlier uses ran too early, later ones got them passed on.
    """
    by_edge: dict[tuple[int, int | None], _Crossing] = {}
    waiting = [root for root in roots if root is not None and root in state.nodes and root not in older]
    seen = set(waiting)
    while waiting:
        serial = waiting.pop()
        node = state.nodes[serial]
        for source in node.inputs:
            if source is None or source[0] in seen or source[0] not in state.nodes:
                continue
            if source[0] not in older:
                seen.add(source[0])
                waiting.append(source[0])
                continue
            used = context.step_made(node)
            for tensor in _tensors_of_output(context, state, source):
                by_edge.setdefault((source[0], tensor), _make_crossing(context, state, source[0], tensor, used, since))
    return sorted(by_edge.values(), key=lambda crossing: (crossing.node, crossing.tensor or 0))


def _tensors_of_output(context: FailureContext, state: State, source: tuple[int, int]) -> list[int | None]:
    """Return the tensor that is this output of a node; all candidates if unknown."""
    node = state.nodes[source[0]]
    step_made = context.step_made(node)
    event = None if step_made is None else context.timeline.event(step_made)
    if step_made is None or not isinstance(event, Op):
        return [node.tensor]
    after = context.timeline.state(step_made).tensors
    outputs = [serial for serial in event.outputs if serial in after and after[serial].node == node.node]
    if node.tensor is not None and source[1] < len(outputs):
        return [outputs[source[1]]]
    return [*outputs] or [node.tensor]


def _make_crossing(
    context: FailureContext, state: State, node: int, tensor: int | None, used: int | None, since: int
) -> _Crossing:
    """Return the edge, with the origin of the tensor and its name."""
    if tensor is None or used is None or used < since:
        return _Crossing(node, tensor, used, SHARED, None, None)
    before = context.timeline.state(used - 1)
    live_frames = {frame.frame for frame in state.frames}
    step_made = context.step_made(state.nodes[node])
    loops = {} if step_made is None else _iterations(context.timeline.state(step_made))
    active = _iterations(before)
    is_carried = any(loops.get(loop, count) != count for loop, count in active.items())
    inner_first = list(reversed(before.frames))
    for frame in sorted(inner_first, key=lambda each: each.frame not in live_frames):
        scope, name = _mentioned_name(context, before, frame, tensor)
        if name is None:
            continue
        serial = names_of(state, scope).get(name)
        held = None if serial is None else state.tensors.get(serial)
        rebound = scope in live_frames and (held is None or held.node != node)
        if rebound or is_carried:
            return _Crossing(node, tensor, used, CARRIED, name, scope)
        origin = BEFORE_LOOP if any(loop not in loops for loop in active) else SHARED
        return _Crossing(node, tensor, used, origin, name, scope)
    return _Crossing(node, tensor, used, CARRIED if is_carried else SHARED, None, None)


def _iterations(state: State) -> dict[tuple[int, int], int]:
    """Return the loops that the program is in and the iteration of each, by (frame, loop)."""
    return {(frame.frame, loop): count for frame in state.frames for loop, count in frame.iterations.items()}


def _mentioned_name(context: FailureContext, state: State, frame: FrameState, tensor: int) -> tuple[int, str | None]:
    """Return the frame and the name by which the running statement of `frame` mentions a tensor."""
    site = context.timeline.sites.get(frame.site or 0)
    mentioned = set()
    for node in ast.walk(parse_code(context.header_code(site))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            mentioned.add(node.id)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            mentioned.add(node.target.id)
    for scope in reversed(state.frames[: state.frames.index(frame) + 1]):
        named = names_of(state, scope)
        names = [name for name, serial in named.items() if serial == tensor and _variable_of(name) in mentioned]
        if names:
            return scope.frame, min(names, key=len)
        mentioned -= scope.names.keys()
    return frame.frame, None


def _variable_of(name: str) -> str:
    """Return `state` of `state[0]` and of `state.h`."""
    return re.split(r"[.\[]", name, maxsplit=1)[0]


# ---------------------------------------------------------------- detaching what is carried


def detach_fix(context: FailureContext, crossings: list[_Crossing]) -> str | None:
    """Say how to detach the tensors carried over, all items of containers; None if that is unknown of one of them."""
    statements: list[str] = []
    replacements: list[tuple[str, str]] = []
    for crossing in crossings:
        if crossing.name is None or crossing.used is None:
            return None
        if _is_bound_after_pass(context, crossing):
            statement = _detach_statement(
                context.timeline.state(crossing.used - 1), crossing, {each.tensor for each in crossings}
            )
            if statement is None:
                return None
            statements += [] if statement in statements else [statement]
        else:
            rebinding = _rebinding(context, crossing)
            if rebinding is None:
                return None
            replacements += [] if rebinding in replacements else [rebinding]
    texts = []
    if statements:
        code = joined([f"`{each}`" for each in statements])
        backward = context.backward_step()
        live_frames = {
            frame.frame for frame in context.timeline.state(context.step if backward is None else backward[0]).frames
        }
        used = min(each.used for each in crossings if each.used is not None)
        texts.append(
            _("If nothing should flow back that far, write {code} after each backward pass.", code=code)
            if all(each.frame in live_frames for each in crossings)
            else _("If nothing should flow back that far, write {code} before {place}.", code=code,
                    place=context.place_of(used))
        )  # fmt: skip
    texts += [
        _("If nothing should flow back that far, write `{code}` instead of `{old}`.", code=new, old=old)
        for old, new in replacements
    ]
    return sentences(texts)


def _is_bound_after_pass(context: FailureContext, crossing: _Crossing) -> bool:
    """Return whether the name refers to the tensor when the pass before its use has ended: it can be detached there."""
    ends = [info.end_step for info in context.timeline.passes if info.end_step is not None]
    last = max((end for end in ends if end < (crossing.used or 0)), default=None)
    if last is None:
        return True
    state = context.timeline.state(last)
    return crossing.frame not in {frame.frame for frame in state.frames} or (
        names_of(state, crossing.frame).get(crossing.name or "") == crossing.tensor
    )


def _rebinding(context: FailureContext, crossing: _Crossing) -> tuple[str, str] | None:
    """Return the statement that bound the name after the pass, and the same with a detached value; None if unknown."""
    timeline, name = context.timeline, _variable_of(crossing.name or "")
    for step in range((crossing.used or 0) - 1, max((crossing.used or 0) - _MAX_STEPS_BACK, 0), -1):
        if not any(
            isinstance(event, Bind) and event.name == name and event.frame == crossing.frame
            for event in timeline.following(step)
        ):
            continue
        code = context.statement_of(step)
        assignment = parse_statement(code)
        if not isinstance(assignment, ast.Assign) or [ast.unparse(node) for node in assignment.targets] != [name]:
            return None
        value = assignment.value
        if isinstance(value, ast.Tuple | ast.List):
            value = type(value)([_call_detach(node) for node in value.elts], ast.Load())
        else:
            value = _call_detach(value)
        return ast.unparse(assignment), f"{name} = {ast.unparse(value)}"
    return None


def _call_detach(value: ast.expr) -> ast.expr:
    """Return the expression `value.detach()`."""
    return ast.Call(ast.Attribute(value, "detach", ast.Load()), [], [])


def _carried_name(context: FailureContext, crossing: _Crossing) -> str | None:
    """Return what to call a tensor carried over: `state` of `state[0]`; None if it has no name."""
    if crossing.name is None or crossing.used is None:
        return None
    container = _find_container(context.timeline.state(crossing.used - 1), crossing)
    return crossing.name if container is None else _variable_of(crossing.name) + container[1][0][0]


def _find_container(state: State, crossing: _Crossing) -> tuple[int, list[tuple[str, str, int]]] | None:
    """Return the group that holds a tensor, and its containers in there, outermost first; None if there is none."""
    name = crossing.name or ""
    frame = next((each for each in state.frames if each.frame == crossing.frame), None)
    binding = None if frame is None else frame.names.get(_variable_of(name))
    if binding is None or binding.what != "group":
        return None
    suffix = name[len(_variable_of(name)) :]
    containers = [each for each in state.containers.get(binding.ref, ()) if suffix.startswith((each[0] + "[",))]
    return (binding.ref, sorted(containers, key=lambda each: len(each[0]))) if containers else None


def _detach_statement(state: State, crossing: _Crossing, carried: set[int | None]) -> str | None:
    """Return the statement that detaches a tensor, or the items of its container; None if unknown."""
    name = crossing.name or ""
    container = _find_container(state, crossing)
    if container is None:
        return f"{name} = {name}.detach()"
    group, containers = container
    prefix, kind, _ = containers[0]
    source = _variable_of(name) + prefix
    kinds = [kind for _, kind, _ in containers]
    if all(_only_tensors(state, group, each) for each in containers):
        return f"{source} = {_detached_items(source, kinds)}"
    if kind in ("list", "dict") and len(containers) == 1:
        return f"{name} = {name}.detach()"
    if kind == "tuple" and len(containers) == 1 and containers[0][2] < _MAX_ITEMS:
        items = dict(state.groups.get(group, ()))
        elements = [
            f"{source}[{index}].detach()" if items.get(f"{prefix}[{index}]") in carried else f"{source}[{index}]"
            for index in range(containers[0][2])
        ]
        return f"{source} = ({', '.join(elements)})"
    return None


def _only_tensors(state: State, group: int, container: tuple[str, str, int]) -> bool:
    """Return whether a container holds only tensors, or containers of tensors."""
    prefix, _, count = container
    pattern = re.compile(re.escape(prefix) + r"(\[[^\]]*\])")
    items = {match[1] for suffix, _ in state.groups.get(group, ()) if (match := pattern.match(suffix)) is not None}
    return len(items) == count


def _detached_items(source: str, kinds: list[str]) -> str:
    """Return `tuple(s.detach() for s in state)`."""
    kind, *rest = kinds
    item = {"dict": "v"}.get(kind, "each" if rest else "s")
    inner = _detached_items(item, rest) if rest else f"{item}.detach()"
    if kind == "dict":
        return f"{{k: {inner} for k, v in {source}.items()}}"
    if kind == "list":
        return f"[{inner} for {item} in {source}]"
    if kind == "tuple":
        return f"tuple({inner} for {item} in {source})"
    return f"type({source})(*({inner} for {item} in {source}))"


# ---------------------------------------------------------------- leaving out the shared part


def _skip_shared_part_fix(context: FailureContext, graph: State, crossings: list[_Crossing], first: int) -> str | None:
    """Say how to keep the first pass out of the part of the graph that both passes share.

    None unless the optimizers that stepped since change no parameter in that part.
    """
    timeline = context.timeline
    info = next((info for info in timeline.passes if info.start_step == first), None)
    if info is None or info.end_step is None or len({crossing.tensor for crossing in crossings}) != 1:
        return None
    tensor, optimized = crossings[0].tensor, _optimized_since(context, first)
    leaves = _leaves_behind(graph, {crossing.node for crossing in crossings})
    if tensor is None or not optimized or not leaves or leaves & optimized:
        return None
    step_used = _entering_operation(context, {crossing.node for crossing in crossings}, info)
    detached = None if step_used is None else _detached_call(context, step_used, tensor)
    if detached is None:
        return None
    name, old, new, line = detached
    return _(
        "No optimizer that has stepped since changes what {name} was computed from, so the first pass need not go "
        "there: write `{new}` in place of `{old}` on line {line}.", name=name, old=old, new=new, line=line,
    )  # fmt: skip


def _optimized_since(context: FailureContext, since: int) -> set[int]:
    """Return the parameters of the optimizers that have stepped since step `since`."""
    parameters: set[int] = set()
    for side_event in context.timeline.side_events:
        if since < side_event.step < context.step and isinstance(side_event.event, OptimizerStep):
            parameters.update(update.tensor for update in side_event.event.updates)
            parameters.update(side_event.event.others)
    return parameters


def _leaves_behind(graph: State, nodes: set[int]) -> set[int]:
    """Return the leaves that get gradients from these nodes."""
    leaves, waiting, seen = set(), list(nodes), set(nodes)
    while waiting:
        node = graph.nodes.get(waiting.pop())
        if node is None:
            continue
        if node.name == "AccumulateGrad" and node.tensor is not None:
            leaves.add(node.tensor)
        sources = {source[0] for source in node.inputs if source is not None} - seen
        seen |= sources
        waiting += sources
    return leaves


def _entering_operation(context: FailureContext, nodes: set[int], info: PassInfo) -> int | None:
    """Return the step of the only operation through which a pass entered the shared part; None if there are several."""
    graph = context.timeline.state(info.start_step)
    last = context.timeline.state(info.end_step or info.start_step).last_pass
    steps = set()
    for serial in last.ran if last is not None else ():
        node = graph.nodes.get(serial)
        if node is not None and serial not in nodes and any(source and source[0] in nodes for source in node.inputs):
            steps.add(context.step_made(node))
    return steps.pop() if len(steps) == 1 else None


def _detached_call(context: FailureContext, step_used: int, tensor: int) -> tuple[str, str, str, int] | None:
    """Return the tensor's name, the outermost call that is passed it, that call with it detached, and the line."""
    timeline, before = context.timeline, context.timeline.state(step_used - 1)
    for frame in before.frames:
        site = timeline.sites.get(frame.site or 0)
        names = {name for name, serial in names_of(before, frame).items() if serial == tensor}
        statement = parse_code(context.header_code(site))
        calls = [
            (call, argument)
            for call in ast.walk(statement)
            if isinstance(call, ast.Call)
            for argument in call.args
            if ast.unparse(argument) in names
        ]
        uses = [node for node in ast.walk(statement) if isinstance(node, ast.expr) and ast.unparse(node) in names]
        reads = [node for node in uses if isinstance(getattr(node, "ctx", ast.Load()), ast.Load)]
        if site is None or len(calls) != 1 or len(reads) != 1:
            continue
        call, argument = calls[0]
        arguments = [_call_detach(node) if node is argument else node for node in call.args]
        new = ast.unparse(ast.Call(call.func, arguments, call.keywords))
        return ast.unparse(argument), ast.unparse(call), new, site.span[0]
    return None


# ---------------------------------------------------------------- the explanation

_MAX_PASSES = 50
"""Maximum earlier passes searched for the one that freed the graph."""
_MAX_NAMED = 4
"""Maximum tensors named in a sentence."""


@mistake("RuntimeError", r"^Trying to backward through the graph a second time")
def explain_second_backward(context: FailureContext, _match: re.Match[str]) -> Diagnosis | None:
    """Explain "Trying to backward through the graph a second time"."""
    backward = context.backward_step()
    if backward is None:
        return None
    start_step, event = backward
    graph = context.timeline.state(start_step)
    freed = {serial for serial in graph.shown if graph.nodes[serial].state == "freed"}
    first_step = _pass_that_freed(context, start_step, freed)
    if first_step is None:
        return None
    root = context.root_name() or _("the result")
    nodes = [graph.tensors[serial].node for serial in event.roots if serial in graph.tensors]
    first_pass = _("the backward pass of {place}", place=context.place_of(first_step))
    if any(node in freed for node in nodes):
        problem = _(
            "The graph behind {root} was freed: {before} freed the values that its nodes had saved.",
            root=root, before=first_pass,
        )  # fmt: skip
        return Diagnosis(problem, first_step, _recompute_fix(context, graph, freed, root, nodes, first_step))
    nodes_to_saved = nodes_leading_to(
        graph, {serial for serial in freed if graph.nodes[serial].saved or graph.nodes[serial].kept}
    )
    older_nodes = nodes_to_saved & set(context.timeline.state(first_step).nodes)
    if not older_nodes.isdisjoint(nodes):  # all of it was computed before the first pass
        older_nodes &= freed
    crossings = find_crossings(context, graph, nodes, older_nodes, first_step)
    carried = [crossing for crossing in crossings if crossing.origin == CARRIED]
    if carried:
        return Diagnosis(
            _describe_carried(context, graph, carried, root, first_pass, alone=len(carried) == len(crossings)),
            first_step,
        )
    return Diagnosis(_describe_shared(context, graph, freed, crossings, root, first_step), first_step)


def _recompute_fix(
    context: FailureContext, graph: State, freed: set[int], root: str, nodes: list[int | None], first_step: int
) -> str:
    """Say what to do about two backward passes from one result."""
    if context.is_before_loop(nodes, graph.step):
        fix = _("{name} is computed once, before the loop: compute it again in each iteration.", name=root)
        if _is_stale(graph, freed) or _optimized_since(context, first_step):
            return fix
        retain = _("Or, if you do want several passes through one graph, write retain_graph=True in all but the last.")
        return sentences([fix, retain])
    if _is_stale(graph, freed):
        return _("Compute {root} again before each backward.", root=root)
    return _(
        "Compute {root} again before each backward, or, if you do want two passes through one graph, "
        "write retain_graph=True in the first.", root=root,
    )  # fmt: skip


def _describe_carried(
    context: FailureContext, graph: State, crossings: list[_Crossing], root: str, first_pass: str, *, alone: bool
) -> str:
    """Explain a graph that reaches into an earlier one through tensors carried over."""
    names = list(
        dict.fromkeys(name for crossing in crossings if (name := _carried_name(context, crossing)) is not None)
    )
    fix = detach_fix(context, crossings) if alone else None
    if not names:
        labels = list(dict.fromkeys(_label_crossing(context, graph, crossing) for crossing in crossings))
        places = [name for name in labels if name is not None]
        if len(places) == len(labels) <= _MAX_NAMED:
            return _(
                "A part of the graph behind {root} was freed: through {name}, it reaches back into what {before} "
                "freed. If nothing should flow back that far, detach what is carried over from there after that pass.",
                root=root, before=first_pass, name=joined(places),
            )  # fmt: skip
    if not names or len(names) > _MAX_NAMED:
        return _(
            "A part of the graph behind {root} was freed: it reaches back into what {before} freed. If nothing should "
            "flow back that far, detach what is carried over from there after that pass.",
            root=root, before=first_pass,
        )  # fmt: skip
    problem = _(
        "A part of the graph behind {root} was freed: through {name}, it reaches back into what {before} freed.",
        root=root, before=first_pass, name=joined(names),
    )  # fmt: skip
    if alone and fix is None:
        fix = _("If nothing should flow back that far, detach what is carried over from there after that pass.")
    return problem if fix is None else sentences([problem, fix])


def _describe_shared(
    context: FailureContext, graph: State, freed: set[int], crossings: list[_Crossing], root: str, first_step: int
) -> str:
    """Explain two results that share a part of the graph, with a pass for each."""
    first_pass = _("the backward pass of {place}", place=context.place_of(first_step))
    labels = list(dict.fromkeys(_label_crossing(context, graph, crossing) for crossing in crossings))
    names = [] if len(labels) > _MAX_NAMED else [name for name in labels if name is not None]
    names = names if len(names) == len(labels) else []
    problem = _(
        "A part of the graph behind {root} was freed: through {name}, it shares that part with what {before} freed.",
        root=root, before=first_pass, name=joined(names),
    ) if names else _(
        "A part of the graph behind {root} was freed: it shares that part with what {before} freed.",
        root=root, before=first_pass,
    )  # fmt: skip
    skip_fix = _skip_shared_part_fix(context, graph, crossings, first_step)
    if skip_fix is not None:
        return sentences([problem, skip_fix])
    is_stale = _is_stale(graph, freed)
    if is_stale:
        if names and all(crossing.origin == BEFORE_LOOP for crossing in crossings):
            fix = _("{name} is computed once, before the loop: compute it again in each iteration.",
                       name=joined(names))  # fmt: skip
        else:
            fix = _(
                "What that part had saved has been changed in place since then, so that retain_graph=True would not "
                "do: compute {root} again, all that it is computed from included.", root=root,
            )  # fmt: skip
        return sentences([problem, fix])
    losses = None if _optimized_since(context, first_step) else _sum_of_losses(context, first_step)
    if losses is None:
        fix = _("Write retain_graph=True in every pass through that part but the last.")
    elif losses:
        fix = _(
            "Add the losses up and go back once, `{losses}.backward()`, or write retain_graph=True in every pass "
            "through that part but the last.", losses=losses,
        )  # fmt: skip
    else:
        fix = _(
            "Add the losses up and call backward() once, on their sum, or write retain_graph=True in every pass "
            "through that part but the last."
        )
    return sentences([problem, fix])


def _label_crossing(context: FailureContext, graph: State, crossing: _Crossing) -> str | None:
    """Return what to call a crossing: a name, else the code of the older operation; None if unknown."""
    if crossing.name is not None:
        return crossing.name
    name = None if crossing.tensor is None else context.name(crossing.tensor)
    if name is not None:
        return name
    node = graph.nodes[crossing.node]
    step_made = context.step_made(node)
    return None if step_made is None else context.place_of(step_made)


def _sum_of_losses(context: FailureContext, first_step: int) -> str | None:
    """Return `(actor + critic)`; empty if both have the same name; None if there is no sum to call backward on."""
    other, own = _backward_source(context, first_step), _backward_source(context, context.step)
    if other is None or own is None:
        return None
    return "" if other == own else f"({other} + {own})"


def _backward_source(context: FailureContext, step: int) -> str | None:
    """Return the source of `loss` in `loss.backward()`; None for any other call, also one with a gradient."""
    code = context.timeline.view(step).code
    for node in ast.walk(parse_code(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "backward":
            keywords = {keyword.arg for keyword in node.keywords}
            source = ast.unparse(node.func.value)
            return (
                source if not node.args and keywords <= {"retain_graph"} and source not in _AUTOGRAD_MODULES else None
            )
    return None


_AUTOGRAD_MODULES = ("torch.autograd", "autograd")


def _pass_that_freed(context: FailureContext, start_step: int, freed: set[int]) -> int | None:
    """Return the step at which the first pass that freed these nodes began; None if unknown."""
    earlier = [info for info in context.timeline.passes if info.start_step < start_step and info.end_step is not None]
    first_step = None
    for info in reversed(earlier[-_MAX_PASSES:]):
        record = context.timeline.state(info.end_step or start_step).last_pass
        if record is not None and not record.retain_graph and freed.intersection(record.ran):
            first_step = info.start_step
    return first_step


def nodes_leading_to(graph: State, targets: set[int]) -> set[int]:
    """Return the shown nodes from which a pass reaches one of these nodes, themselves included."""
    result: set[int] = set()
    for serial in sorted(graph.shown):  # a node is numbered after its inputs
        if serial in targets or any(
            source is not None and source[0] in result for source in graph.nodes[serial].inputs
        ):
            result.add(serial)
    return result


def _is_stale(graph: State, nodes: Iterable[int]) -> bool:
    """Return whether a tensor that these nodes saved has been written to since: retaining the graph would not help."""
    return any(not saved.fits for serial in nodes for saved in saved_by(graph, graph.nodes[serial]))
