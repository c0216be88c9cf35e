"""A second pass through a graph that has let go of what it saved: of one result, of a shared part, of what is carried
from one iteration to the next."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from tutor.explain.keeping import kept_by
from tutor.explain.mistakes.crossing import BEFORE_LOOP, CARRIED, Crossing, crossings, detaching, holder
from tutor.explain.mistakes.scene import Diagnosis, FailureContext, mistake, parsed
from tutor.explain.mistakes.unneeded import unneeded
from tutor.explain.words import joined, sentences
from tutor.i18n import _
from tutor.trace.events import OptimizerStep
from tutor.trace.state import State

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
    root = scene.roots() or _("the result")
    nodes = [graph.tensors[number].node for number in event.roots if number in graph.tensors]
    before = _("the backward pass of {place}", place=scene.where(first))
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
    before = _("the backward pass of {place}", place=scene.where(first))
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
    return None if made is None else scene.where(made)


def _sum(scene: FailureContext, first: int) -> str | None:
    """`(actor + critic)`; empty where both are called the same; None where there is no sum to go back from."""
    other, here = _call(scene, first), _call(scene, scene.step)
    if other is None or here is None:
        return None
    return "" if other == here else f"({other} + {here})"


def _call(scene: FailureContext, step: int) -> str | None:
    """The source of `loss` in `loss.backward()`; None for any other call, one that is given a gradient say."""
    code = scene.timeline.view(step).code
    for node in ast.walk(parsed(code)):
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
