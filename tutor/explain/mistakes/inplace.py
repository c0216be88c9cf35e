"""How the learner's code would say the same without writing into a tensor.

What a node had kept and was written to before the pass came to it: which node's, and by which step.

Tensors changed in place that a node has saved for the way back: what was changed, and what to write instead."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tutor.explain.formatting import joined, sentences
from tutor.explain.mistakes.context import Diagnosis, FailureContext, mistake, parse_code
from tutor.explain.mistakes.second_backward import BEFORE_LOOP, CARRIED, crossings, detaching, leading_to
from tutor.explain.saved_tensors import Kept, kept_by, version_of, whose
from tutor.i18n import _
from tutor.text_width import cut
from tutor.trace.events import Line, Op, OptimizerStep, Snapshot
from tutor.trace.names import name_of, names_of
from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.values import elements

_WITHOUT = {
    "zero_", "fill_", "copy_", "normal_", "uniform_", "random_", "bernoulli_", "exponential_", "geometric_", "cauchy_",
    "log_normal_", "set_", "fill_diagonal_", "resize_", "apply_", "map_",
}  # fmt: skip
"""In-place methods that none without the underscore stands for."""


def written(statement: str, code: str) -> ast.expr | None:
    """What a piece of code writes into: `w` of `w -= 1`, `w[0]` of `w[0] = 5`, `x` of `F.relu_(x)` and
    `F.relu(x, inplace=True)`."""
    tree = parse_code(statement)
    alone = len(tree.body) == 1 and not hasattr(tree.body[0], "body")
    for change in (*ast.walk(tree), *ast.walk(parse_code(code))):
        if isinstance(change, ast.AugAssign) and (alone or _is_of(code, change, change.target)):
            return change.target
        target = change.targets[0] if isinstance(change, ast.Assign) else None
        if not isinstance(change, ast.Assign) or not isinstance(target, ast.Subscript):
            continue
        if _is_of(code, change, target) or (alone and code.strip() == statement.strip()):
            return target
    call = _call(code)
    if call is None:
        return None
    out = next((one.value for one in call.keywords if one.arg == "out"), None)
    if out is not None:
        return out
    name = _name(call)
    if name.endswith("_") and isinstance(call.func, ast.Attribute) and not is_library(call.func.value):
        return call.func.value
    if (name.endswith("_") or _is_inplace(call)) and call.args:
        return call.args[0]
    return None


def _is_of(code: str, change: ast.stmt, target: ast.expr) -> bool:
    """Whether a piece of code is a statement, or its target."""
    body = parse_code(code).body
    return len(body) == 1 and ast.unparse(body[0]) in (ast.unparse(target), ast.unparse(change))


def without(statement: str, code: str, *, of_tensor: bool) -> str | None:
    """The same as an operation that gives a new tensor; None where there is none. `of_tensor` says that the target is
    an element of a tensor, where an assignment would write into it too."""
    body = parse_code(statement).body
    if len(body) == 1 and isinstance(body[0], ast.AugAssign):
        change = body[0]
        target = ast.unparse(change.target)
        if of_tensor:
            return None
        return ast.unparse(ast.Assign([change.target], ast.BinOp(_load(target), change.op, change.value), lineno=1))
    call = _call(code)
    if call is None or of_tensor:
        return None
    name, given = _name(call), written(statement, code)
    keywords = [one for one in call.keywords if one.arg not in ("out", "inplace")]
    if name in _WITHOUT or given is None or not isinstance(call.func, ast.Attribute | ast.Name):
        return None
    if name.endswith("_"):
        func = ast.parse(ast.unparse(call.func).removesuffix("_"), mode="eval").body
    elif len(keywords) < len(call.keywords):
        func = call.func
    else:
        return None
    told = ast.unparse(ast.Call(func, call.args, keywords))
    if len(keywords) == len(call.keywords):  # as the learner has it
        source = code.strip()
        end = len(ast.get_source_segment(source, call.func) or "")
        told = source[: end - 1] + source[end:] if source[:end].endswith("_") else told
    alone = len(body) == 1 and isinstance(body[0], ast.Expr) and ast.unparse(body[0].value) == ast.unparse(call)
    return f"{ast.unparse(given)} = {told}" if alone and is_path(given) else told


def pieces(code: str, is_it: Iterator[str] | set[str]) -> list[str]:
    """The largest expressions in a piece of code that are one of these names, or an element of it."""
    names = set(is_it)
    found: list[str] = []
    waiting: list[ast.AST] = [parse_code(code)]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            text = ast.unparse(node)
            if text in names or ast.unparse(base_of(node)) in names:
                found += [] if text in found else [text]
                continue
        waiting.extend(ast.iter_child_nodes(node))
    return found


def base_of(node: ast.expr) -> ast.expr:
    """`w` of `w[0][1]`."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node


def is_path(node: ast.expr) -> bool:
    """Whether one can assign to it: `w`, `self.w`, `outs[0]`."""
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript)


def is_library(node: ast.expr) -> bool:
    """Whether it is a module of torch's, as one writes it."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("torch", "F", "nn", "functional")


def _call(code: str) -> ast.Call | None:
    body = parse_code(code.strip()).body
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr | ast.Assign | ast.Return) else None
    return value if isinstance(value, ast.Call) else None


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_inplace(call: ast.Call) -> bool:
    return any(
        one.arg == "inplace" and isinstance(one.value, ast.Constant) and one.value.value is True
        for one in call.keywords
    )


def _load(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


_FARTHEST = 5_000
"""So many steps are gone through for the last version of a tensor that was collected."""
_BYTES = {"Float": 4, "Double": 8, "Half": 2, "BFloat16": 2, "ComplexFloat": 8, "ComplexDouble": 16, "Long": 8}
"""By the type in torch's message: how many bytes an element has."""


@dataclass(frozen=True)
class Overwritten:
    """A tensor that a node had kept, and the step that wrote to it first."""

    kept: Kept
    made: int | None
    """The step of the operation that made the node."""
    step: int


@dataclass(frozen=True)
class Told:
    """What torch's message says of the tensor."""

    type: str
    shape: tuple[int, ...]
    then: int
    now: int


def all_overwritten(scene: FailureContext) -> list[Kept]:
    """What the nodes that the failed pass had still to run keep, where it has been written to."""
    state = scene.state_at_stop
    held = (kept for node in _waiting(state) for kept in kept_by(state, node))
    told = (_with_last_version(scene, kept) for kept in held if not kept.freed and kept.storage is not None)
    return [kept for kept in told if not kept.fits]


def _with_last_version(scene: FailureContext, kept: Kept) -> Kept:
    """With the last version of what was collected since, as a local of a function is; the node holds its memory."""
    if kept.now is not None or kept.version is None:
        return kept
    made = scene.timeline.columns.operation(kept.node.operation or kept.node.within)
    versions = [version for _, version in _versions(scene, kept, made or 0)]
    return replace(kept, now=versions[-1]) if versions else kept


def _versions(scene: FailureContext, kept: Kept, since: int) -> Iterator[tuple[int, int]]:
    """The steps after which a result that has the kept memory was looked at, and its version."""
    for step in range(since + 1, min(scene.step, since + _FARTHEST)):
        for event in scene.timeline.following(step):
            if not isinstance(event, Snapshot) or event.storage != kept.storage or event.version is None:
                continue
            if event.tensor == kept.tensor or event.node is not None:
                yield step, event.version


def overwritten(scene: FailureContext, told: Told) -> Overwritten | None:
    """What torch's message speaks of; None where that is not known."""
    state = scene.state_at_stop
    found = [kept for kept in all_overwritten(scene) if (kept.version, kept.now) == (told.then, told.now)]
    ready = _ready(state)
    narrower: tuple[Callable[[Kept], bool], ...] = (
        lambda kept: kept.node.node in ready,
        lambda kept: _has_shape(state, kept, told.shape),
        lambda kept: kept.bytes == math.prod(told.shape) * _BYTES.get(told.type, 0),
    )
    for fits in narrower:
        found = [kept for kept in found if fits(kept)] or found
    if not found:
        return None
    last = max(found, key=lambda kept: kept.node.sequence)
    made = scene.timeline.columns.operation(last.node.operation or last.node.within)
    return Overwritten(last, made, first_write(scene, last, made or 0))


def first_write(scene: FailureContext, kept: Kept, since: int) -> int:
    """The first step after which a tensor has another version than the one that was kept: versions only grow."""
    if version_of(scene.state_at_stop, kept.tensor, kept.storage) is None:
        later = (step for step, version in _versions(scene, kept, since) if version > (kept.version or 0))
        return next(later, scene.step)
    first, last = since, scene.step
    while last - first > 1:
        middle = (first + last) // 2
        version = version_of(scene.timeline.state(middle), kept.tensor, kept.storage)
        if version is None or version <= (kept.version or 0):
            first = middle
        else:
            last = middle
    return last


def owner(scene: FailureContext, kept: Kept, step: int) -> TensorState | None:
    """The tensor that the memory belongs to, as the learner knows it: the leaf, else the largest one, with a name if
    there is one."""
    state = scene.timeline.state(step)
    sharing = [one for one in state.tensors.values() if one.storage == kept.storage]
    leaf = next((one for one in sharing if one.is_leaf and one.requires_grad), None)
    if leaf is not None:
        return leaf
    named = [one for one in sharing if scene.name(one.tensor) is not None] or sharing
    return max(named, key=lambda one: (math.prod(one.shape), one.tensor == kept.tensor, -one.tensor), default=None)


def _waiting(state: State) -> list[NodeState]:
    ran = set(state.last_pass.ran) if state.last_pass is not None else set()
    return [state.nodes[number] for number in sorted(state.shown - ran) if number in state.nodes]


def _ready(state: State) -> set[int]:
    """The nodes that were next: all that they send gradients for had run."""
    waiting = {node.node for node in _waiting(state)}
    blocked = {source[0] for number in waiting for source in state.nodes[number].inputs if source is not None}
    return waiting - blocked


def _has_shape(state: State, kept: Kept, shape: tuple[int, ...]) -> bool:
    held = state.tensors.get(kept.tensor)
    return held is not None and sorted(held.shape) == sorted(shape)


_IN_PLACE = {
    "ReLU", "ReLU6", "LeakyReLU", "ELU", "SELU", "CELU", "SiLU", "Mish", "Hardtanh", "Hardswish", "Hardsigmoid",
    "Threshold", "RReLU", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout",
}  # fmt: skip
"""The modules that take `inplace=True`."""
_NAMED = 3
"""So many places are named."""
_WIDTH = 60


@mistake(
    "RuntimeError",
    r"has been modified by an inplace operation: \[(?:torch\.)?(?:\w+\.)?(?P<type>\w+)Tensor(?: \[(?P<shape>[^\]]*)\])?"
    r"\].*?is at version (?P<now>\d+); expected version (?P<then>\d+)",
)
def saved(scene: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    timeline, shape = scene.timeline, tuple(int(size) for size in re.findall(r"\d+", match["shape"] or ""))
    lost = overwritten(scene, Told(match["type"], shape, int(match["then"]), int(match["now"])))
    held = None if lost is None else owner(scene, lost.kept, lost.step)
    if lost is None or held is None:
        return None
    name = name_of(timeline.state(lost.step), held.tensor) if not held.is_leaf else scene.name(held.tensor)
    name = name or _output(scene, lost)
    parts = [] if lost.made is None else _pieces(scene, lost.kept, lost.made)
    part = parts[0] if len(parts) == 1 and parts[0] != name and not held.is_leaf else None
    through = _written_name(scene, lost)
    if part is None and through not in (None, name) and not held.is_leaf:
        name, part = through, name
    told = _(
        "{place} changed {name} in place, which {node} has kept for its gradient: the old values are needed on the way "
        "back, and they are gone."
    ) if part is None else _(
        "{place} changed {name} in place, and {part} with it, which {node} has kept for its gradient: the old values "
        "are needed on the way back, and they are gone."
    )  # fmt: skip
    said = told.format(place=_where(scene, lost.step), name=name, part=part, node=_whose(scene, lost))
    fix = _between(scene, lost, held) if _is_outside(scene, lost, held) else _instead(scene, lost, held)
    return Diagnosis(sentences([said, fix]), lost.step)


def _written_name(scene: FailureContext, lost: Overwritten) -> str | None:
    """The name of the tensor that was written to, where it looks into the memory that was kept."""
    target = written(scene.statement_of(lost.step) or "", scene.timeline.view(lost.step).code or "")
    before = scene.timeline.state(lost.step - 1)
    name = None if target is None else ast.unparse(base_of(target))
    tensor = before.tensors.get(names_of(before).get(name or "", 0))
    return name if tensor is not None and tensor.storage == lost.kept.storage else None


def _whose(scene: FailureContext, lost: Overwritten) -> str:
    """`MulBackward0 of y`, or `MulBackward0 of `w * h[t - 1]` on line 4`."""
    node = lost.kept.node
    said = whose(scene.state_at_stop, node, lost.kept.tensor)
    if said != node.name or node.tensor == lost.kept.tensor or lost.made is None:
        return said
    return _("{node} of {tensor}", node=node.name, tensor=scene.place_of(lost.made))


def _where(scene: FailureContext, step: int) -> str:
    """The statement that wrote, where the code of the operation is its target alone."""
    code, statement = scene.timeline.view(step).code or "", scene.statement_of(step) or ""
    stored = statement.lstrip().startswith(code) and "=" in statement.removeprefix(code)[:4]
    return scene.place_of(step, statement if stored and "\n" not in statement else None)


def _pieces(scene: FailureContext, kept: Kept, made: int) -> list[str]:
    """The expressions in the code of an operation that look into the memory that its node has kept."""
    state = scene.timeline.state(made - 1)
    named = {name for name, number in names_of(state).items() if state.tensors[number].storage == kept.storage}
    return pieces(scene.timeline.view(made).code or "", named)


def _is_outside(scene: FailureContext, lost: Overwritten, held: TensorState) -> bool:
    """Whether it is a parameter, or a buffer that was written to by another name: to be changed in its own place."""
    if not held.is_leaf or held.requires_grad:
        return bool(held.is_leaf)
    target = written(scene.statement_of(lost.step) or "", scene.timeline.view(lost.step).code or "")
    return target is None or ast.unparse(base_of(target)) != scene.name(held.tensor)


def _output(scene: FailureContext, lost: Overwritten) -> str:
    """What to call what has no name."""
    event = None if lost.made is None else scene.timeline.event(lost.made)
    module = scene.state.modules.get(event.module or 0) if isinstance(event, Op) else None
    if lost.made is None or lost.kept.tensor != lost.kept.node.tensor:
        return _("a tensor")
    if module is not None:
        return _("the output of {layer}", layer=scene.layer_name(lost.made, module.path))
    return _("the result of {place}", place=scene.place_of(lost.made))


# ---------------------------------------------------------------- a parameter, changed between


def _between(scene: FailureContext, lost: Overwritten, held: TensorState) -> str:
    """What to do where a parameter was changed between the forward pass and this backward pass."""
    timeline = scene.timeline
    event = timeline.event(lost.step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    if site is not None and site.op == "embedding" and lost.made is not None:
        parts = _pieces(scene, lost.kept, lost.made)
        told = _("With max_norm, the layer rescales rows of its weight in place whenever it is called.")
        copy = [_("Give what uses it a copy: {code}.", code=f"`{parts[0]}.clone()`")] if len(parts) == 1 else []
        return sentences([told, *copy])
    began = scene.backward_step()
    if began is None:
        return _("Make a new tensor instead of writing into that one.")
    start, call = began
    graph = timeline.state(start)
    spoilt = all_overwritten(scene)
    writes = sorted({lost.step, *(first_write(scene, kept, _made(scene, kept) or 0) for kept in spoilt)})
    frame = _common_frame(graph, [timeline.state(step - 1) for step in writes])
    places = joined(list(dict.fromkeys(f"`{_statement(scene, step, frame)[0]}`" for step in writes)))
    name = scene.root_name() if graph.frames and graph.frames[-1].frame == frame else None
    name = name or next((name for name, one in names_of(graph, frame).items() if one in call.roots), None)
    root = name or _("the result")
    older = leading_to(graph, {kept.node.node for kept in spoilt}) & set(timeline.state(writes[-1] - 1).nodes)
    roots = [graph.tensors[one].node for one in call.roots if one in graph.tensors]
    if older.isdisjoint(roots):
        through = crossings(scene, graph, roots, older, writes[-1])
        fix = detaching(scene, through) if through and all(one.how == CARRIED for one in through) else None
        if fix is not None:
            return fix
        names = list(dict.fromkeys(one.name for one in through if one.name is not None))
        if names and all(one.how == BEFORE_LOOP for one in through):
            return _("{name} is computed once, before the loop: compute it anew in each iteration.",
                      name=joined(names))  # fmt: skip
        return _("Compute {name} anew after {change}, the forward pass included.",
                  name=joined(names) if names else root, change=places)  # fmt: skip
    if scene.is_before_loop(roots, start):
        return _("{name} is computed once, before the loop: compute it anew in each iteration.", name=root)
    code, line = _statement(scene, start, frame)
    had, has = _has_gradient(timeline.state(lost.step - 1), held), _has_gradient(graph, held)
    if (had and not has) or any(_holds_a_pass(scene, step, frame) for step in writes):
        return _("Compute {name} anew after {change}, the forward pass included.", name=root, change=places)
    backward = _("`{code}` on line {number}", code=code, number=line)
    if has and any(one.step == lost.step for one in timeline.asides if isinstance(one.event, OptimizerStep)):
        return _(
            "Compute {root} anew after {change}, the forward pass included, or let {change} come after {backward} (it "
            "then goes by the gradients of both passes).", root=root, change=places, backward=backward,
        )  # fmt: skip
    return _(
        "Compute {root} anew after {change}, the forward pass included, or let {change} come after {backward}.",
        root=root, change=places, backward=backward,
    )  # fmt: skip


def _has_gradient(state: State, held: TensorState) -> bool:
    """Whether a leaf has a gradient that is not all zeros."""
    leaf = state.tensors.get(held.tensor)
    grad = None if leaf is None or leaf.grad is None else state.tensors.get(leaf.grad)
    numbers = None if grad is None else elements(grad.value)
    return grad is not None and (numbers is None or any(numbers))


def _holds_a_pass(scene: FailureContext, step: int, frame: int) -> bool:
    """Whether a backward pass ran in the statement of this activation that wrote: moved, that would come later too."""
    timeline = scene.timeline
    earlier = [info for info in timeline.passes if info.start_step < step]
    if not earlier:
        return False
    line = next(
        (at for at in range(step - 1, 0, -1)
         if isinstance(event := timeline.event(at), Line) and event.frame == frame), 0
    )  # fmt: skip
    return earlier[-1].start_step > line and scene.timeline.state(step - 1).frames[-1].frame != frame


def _made(scene: FailureContext, kept: Kept) -> int | None:
    return scene.timeline.columns.operation(kept.node.operation or kept.node.within)


def _common_frame(now: State, earlier: list[State]) -> int:
    """The innermost activation that all of this happened in."""
    shared = set.intersection(*({frame.frame for frame in state.frames} for state in (now, *earlier)))
    return next((frame.frame for frame in reversed(now.frames) if frame.frame in shared), 1)


def _statement(scene: FailureContext, step: int, number: int) -> tuple[str, int]:
    """The code of a step, and its line; of one inside of a function, what called it in this activation."""
    timeline, view = scene.timeline, scene.timeline.view(step)
    frames = timeline.state(step - 1).frames  # as the step may end a function
    frame = next((one for one in frames if one.frame == number), None)
    site = timeline.sites.get(frame.site or 0) if frame is not None else None
    if site is None or frame is frames[-1]:
        code, line = view.code or "", view.line or 0
    else:
        code, line = timeline.book.code(site.file, timeline.book.header(site.file, site.span)) or "", site.span[0]
    code = " ".join(code.split())
    return cut(code, _WIDTH), line


# ---------------------------------------------------------------- a result, changed by itself


def _instead(scene: FailureContext, lost: Overwritten, held: TensorState) -> str:
    """How to compute the same without changing what was kept."""
    timeline, step = scene.timeline, lost.step
    event, view = timeline.event(step), timeline.view(step)
    code, statement = view.code or "", scene.statement_of(step) or ""
    module = scene.state.modules.get(event.module or 0) if isinstance(event, Op) else None
    target = written(statement, code)
    if target is None and module is not None and module.kind in _IN_PLACE:
        return _(
            "{layer} writes into what it is given: make it `{plain}` instead of `{inplace}`.",
            layer=scene.layer_name(step, module.path), plain=f"nn.{module.kind}(…)",
            inplace=f"nn.{module.kind}(…, inplace=True)",
        )  # fmt: skip
    base = None if target is None else ast.unparse(base_of(target))
    before = timeline.state(step - 1)
    names = names_of(before)
    whole = before.tensors.get(names.get(base or "", 0))
    is_part = isinstance(target, ast.Subscript) and whole is not None
    view_of = target is not None and not is_part and whole is not None and whole.shape != held.shape
    plain = None if is_part or view_of else without(statement, code, of_tensor=is_part)
    if plain is not None:
        return _("Make a new tensor instead: `{code}`.", code=plain)
    name = scene.name(held.tensor)
    copies = _copies(scene)
    if copies and view.iteration is not None:
        return _(
            "Keep the parts in a list and make one tensor of them in the end, with torch.stack or torch.cat. Or give "
            "the operation a copy: {copies}.", copies=copies,
        )  # fmt: skip
    if copies:
        return _("Give the operation a copy: {copies}.", copies=copies)
    if name is not None and names.get(name) is not None:
        copy = f"{name} = {name}.clone()"
        if view_of and base is not None:
            return _("Write into a copy: `{code}`, before {view} is taken from it.", code=copy, view=base)
        return _("Write into a copy: `{code}`, before {place}.", code=copy, place=_where(scene, step))
    return _("Make a new tensor instead of writing into that one.")


def _copies(scene: FailureContext) -> str | None:
    """Which operands to copy, so that nothing that is kept is written to; None where that is not known of all."""
    found: dict[str, list[int]] = {}
    for kept in all_overwritten(scene):
        made = _made(scene, kept)
        parts = [] if made is None or kept.tensor == kept.node.tensor else _pieces(scene, kept, made)
        line = None if made is None else scene.timeline.view(made).line
        if len(parts) != 1 or line is None:
            return None
        lines = found.setdefault(parts[0], [])
        lines += [] if line in lines else [line]
    if not found or sum(map(len, found.values())) > _NAMED:
        return None
    told = [
        _("`{code}` on line {number}", code=f"{part}.clone()", number=line)
        for part, lines in found.items()
        for line in sorted(lines)
    ]
    return joined(told)
