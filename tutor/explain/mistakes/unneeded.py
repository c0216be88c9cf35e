"""A first pass that went further back than its optimizer reaches: the judge's loss of a GAN, through the maker."""

from __future__ import annotations

import ast

from tutor.explain.mistakes.crossing import Crossing
from tutor.explain.mistakes.scene import FailureContext, parsed
from tutor.i18n import _
from tutor.trace.events import OptimizerStep
from tutor.trace.index import PassInfo
from tutor.trace.names import names_of
from tutor.trace.state import State


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
        statement = parsed(code)
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
