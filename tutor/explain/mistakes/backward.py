"""Backward called where it cannot go: twice, from many elements, from what has no graph."""

from __future__ import annotations

import ast
import re

from tutor.explain.grid import count
from tutor.explain.mistakes.cut import cut_behind
from tutor.explain.mistakes.given import enclosed, plain
from tutor.explain.mistakes.scene import Found, Scene, mistake
from tutor.explain.rules import shape_text
from tutor.language import tr
from tutor.trace.state import State

_PASSES = 50
"""How many earlier passes are looked through for the one that let go of the graph."""


@mistake("RuntimeError", r"^Trying to backward through the graph a second time")
def second_time(scene: Scene, _: re.Match[str]) -> Found | None:
    began = scene.backward_step()
    if began is None:
        return None
    start, event = began
    graph = scene.timeline.state(start)
    freed = {number for number in graph.shown if graph.nodes[number].state == "freed"}
    first = _pass_that_freed(scene, start, freed)
    if first is None:
        return None
    root = scene.roots() or tr("the result")
    nodes = [graph.tensors[number].node for number in event.roots if number in graph.tensors]
    before = tr("the backward pass of {place}", place=scene.where(first))
    if any(node in freed for node in nodes):
        said = tr(
            "The graph behind {root} was used up: {before} went through it and let go of the values that its nodes "
            "had saved. Compute {root} anew before each backward, or, if you do want two passes through one graph, "
            "write retain_graph=True in the first.", root=root, before=before,
        )  # fmt: skip
        return Found(said, first)
    shared = _shared_name(scene, graph, freed)
    if shared is None:
        said = tr(
            "A part of the graph behind {root} was used up: it reaches back into what {before} went through and let go "
            "of. If nothing should flow back that far, write detach() what is carried over after that pass.",
            root=root, before=before,
        )  # fmt: skip
    else:
        said = tr(
            "A part of the graph behind {root} was used up: through {name}, it reaches back into what {before} went "
            "through and let go of. If nothing should flow back that far, write {mend} after that pass.",
            root=root, before=before, name=shared, mend=f"{shared} = {shared}.detach()",
        )  # fmt: skip
    return Found(said, first)


def _pass_that_freed(scene: Scene, start: int, freed: set[int]) -> int | None:
    """The step at which the first pass through these nodes began that let go of them."""
    earlier = [info for info in scene.timeline.passes if info.start_step < start and info.end_step is not None]
    found = None
    for info in reversed(earlier[-_PASSES:]):
        last = scene.timeline.state(info.end_step or start).last_pass
        if last is not None and not last.retain_graph and freed.intersection(last.ran):
            found = info.start_step
    return found


def _shared_name(scene: Scene, graph: State, freed: set[int]) -> str | None:
    """The tensor through which a new graph hangs on to an old one."""
    for number in sorted(graph.shown - freed):
        for source in graph.nodes[number].inputs:
            if source is not None and source[0] in freed:
                tensor = graph.nodes[source[0]].tensor
                name = None if tensor is None else scene.name(tensor)
                if name is not None:
                    return name
    return None


@mistake("RuntimeError", r"^grad can be implicitly created only for scalar outputs")
def not_scalar(scene: Scene, _: re.Match[str]) -> str:
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call)), None)
    by_grad = call is not None and ast.unparse(call.func).endswith("autograd.grad") and bool(call.args)
    root = ast.unparse(call.args[0]) if call is not None and by_grad else scene.roots()
    tensor = None if root is None else scene.tensor(root)
    if root is None or (call is not None and by_grad and isinstance(call.args[0], (ast.List, ast.Tuple))):
        return tr(
            "A gradient without a weight for each element is that of a single number, and what `{code}` begins at has "
            "several. Make one of it first, by sum() or mean().", code=scene.code,
        )  # fmt: skip
    holds = tr("{root} has several elements", root=root)
    if tensor:
        holds = tr("{root} has {count} elements (shape {shape})", root=root, count=count(tensor.shape),
                   shape=shape_text(tensor.shape))  # fmt: skip
    called = enclosed(plain(root))
    if by_grad:
        return tr(
            "{holds}, and without grad_outputs the gradient is that of a single number. Make one of it first, for "
            "instance {sum} or {mean}, or say how much each element counts by grad_outputs=, a tensor of the same "
            "shape.", holds=holds, sum=f"{called}.sum()", mean=f"{called}.mean()",
        )  # fmt: skip
    return tr(
        "{holds}, and backward() without an argument starts from a single number. Make one of it first, for instance "
        "{sum} or {mean}, or say how much each element counts: {weighed} with a tensor of the same shape.",
        holds=holds, sum=f"{called}.sum().backward()", mean=f"{called}.mean().backward()",
        weighed=f"{called}.backward(gradient=…)",
    )  # fmt: skip


@mistake("RuntimeError", r"^element 0 of tensors does not require grad and does not have a grad_fn")
def no_graph(scene: Scene, _: re.Match[str]) -> Found:
    root = scene.roots() or tr("the result")
    tensor = scene.tensor(root)
    begun = scene.backward_step()
    number = tensor.tensor if tensor is not None else begun[1].roots[0] if begun is not None and begun[1].roots else 0
    begin = tr("{root} has no history, so there is nothing to go back through: {why}")
    found = cut_behind(scene, number, scene.step)
    if found is not None:
        return Found(begin.format(root=root, why=found.why), found.step)
    why = tr(
        "nothing that {root} was computed from requires grad. Say requires_grad=True where the tensors that you want "
        "gradients for are made.", root=root,
    )  # fmt: skip
    return Found(begin.format(root=root, why=why))


@mistake("RuntimeError", r"appears to not have been used in the graph")
def unused(scene: Scene, match: re.Match[str]) -> str | None:
    call = next((node for node in ast.walk(scene.tree) if isinstance(node, ast.Call) and len(node.args) > 1), None)
    if call is None:
        return None
    result, wanted = call.args[0], call.args[1]
    place = re.search(r"at index (\d+)", match.string)
    if isinstance(wanted, (ast.List, ast.Tuple)) and place is not None and int(place[1]) < len(wanted.elts):
        wanted = wanted.elts[int(place[1])]
    name, root = ast.unparse(wanted), ast.unparse(result)
    return tr(
        "{root} was not computed from {name}, so it has no gradient with respect to it. Was {name} rebound after it "
        "was used, or is another tensor meant? With allow_unused=True the answer is None instead of an error.",
        root=root, name=name,
    )  # fmt: skip
