"""Explain a tensor that a node saved for its backward and that was changed in place before the backward pass.

Finds which saved tensor torch's message is about and the step that wrote to it first, and says how the code could
compute the same without writing into it.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from tutor.explain.formatting import joined, sentences
from tutor.explain.mistakes.context import FailureContext, has_gradient, parse_code
from tutor.explain.mistakes.registry import Diagnosis, mistake
from tutor.explain.mistakes.second_backward import BEFORE_LOOP, CARRIED, detach_fix, find_crossings, nodes_leading_to
from tutor.explain.saved_tensors import SavedTensor, node_label, saved_by, version_of
from tutor.i18n import _
from tutor.text_width import cut
from tutor.trace.events import Line, Op, OptimizerStep, Snapshot
from tutor.trace.names import name_of, names_of
from tutor.trace.state import NodeState, State, TensorState

# ---------------------------------------------------------------- code that writes

_NO_OUT_OF_PLACE = {
    "zero_", "fill_", "copy_", "normal_", "uniform_", "random_", "bernoulli_", "exponential_", "geometric_", "cauchy_",
    "log_normal_", "set_", "fill_diagonal_", "resize_", "apply_", "map_",
}  # fmt: skip
"""In-place methods that have no counterpart without the underscore."""


def write_target(statement: str, code: str) -> ast.expr | None:
    """Return what code writes into: `w` of `w -= 1`, `w[0]` of `w[0] = 5`, `x` of `F.relu_(x)`; None: nothing."""
    tree = parse_code(statement)
    is_simple = len(tree.body) == 1 and not hasattr(tree.body[0], "body")
    for node in (*ast.walk(tree), *ast.walk(parse_code(code))):
        if isinstance(node, ast.AugAssign) and (is_simple or _is_statement_or_target(code, node, node.target)):
            return node.target
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if not isinstance(node, ast.Assign) or not isinstance(target, ast.Subscript):
            continue
        if _is_statement_or_target(code, node, target) or (is_simple and code.strip() == statement.strip()):
            return target
    call = _single_call(code)
    if call is None:
        return None
    out = next((keyword.value for keyword in call.keywords if keyword.arg == "out"), None)
    if out is not None:
        return out
    name = _callee_name(call)
    if name.endswith("_") and isinstance(call.func, ast.Attribute) and not is_library(call.func.value):
        return call.func.value
    if (name.endswith("_") or _has_inplace_flag(call)) and call.args:
        return call.args[0]
    return None


def _is_statement_or_target(code: str, statement: ast.stmt, target: ast.expr) -> bool:
    """Return whether a piece of code is a statement, or its target."""
    body = parse_code(code).body
    return len(body) == 1 and ast.unparse(body[0]) in (ast.unparse(target), ast.unparse(statement))


def out_of_place(statement: str, code: str, *, of_tensor: bool) -> str | None:
    """Return code that computes the same into a new tensor; None if there is none.

    Args:
        of_tensor: The target is an element of a tensor: an assignment would write into it too.
    """
    body = parse_code(statement).body
    if len(body) == 1 and isinstance(body[0], ast.AugAssign):
        assignment = body[0]
        target = ast.unparse(assignment.target)
        if of_tensor:
            return None
        return ast.unparse(
            ast.Assign(
                [assignment.target], ast.BinOp(_parse_expression(target), assignment.op, assignment.value), lineno=1
            )
        )
    call = _single_call(code)
    if call is None or of_tensor:
        return None
    name, destination = _callee_name(call), write_target(statement, code)
    keywords = [keyword for keyword in call.keywords if keyword.arg not in ("out", "inplace")]
    if name in _NO_OUT_OF_PLACE or destination is None or not isinstance(call.func, ast.Attribute | ast.Name):
        return None
    if name.endswith("_"):
        func = ast.parse(ast.unparse(call.func).removesuffix("_"), mode="eval").body
    elif len(keywords) < len(call.keywords):
        func = call.func
    else:
        return None
    expression = ast.unparse(ast.Call(func, call.args, keywords))
    if len(keywords) == len(call.keywords):  # as the learner has it
        source = code.strip()
        end = len(ast.get_source_segment(source, call.func) or "")
        expression = source[: end - 1] + source[end:] if source[:end].endswith("_") else expression
    is_expression = len(body) == 1 and isinstance(body[0], ast.Expr) and ast.unparse(body[0].value) == ast.unparse(call)
    return f"{ast.unparse(destination)} = {expression}" if is_expression and is_assignable(destination) else expression


def _largest_expressions(code: str, names: Iterator[str] | set[str]) -> list[str]:
    """Return the largest expressions in a piece of code that are one of these names, or an element of it."""
    sources = set(names)
    expressions: list[str] = []
    waiting: list[ast.AST] = [parse_code(code)]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            text = ast.unparse(node)
            if text in sources or ast.unparse(base_of(node)) in sources:
                expressions += [] if text in expressions else [text]
                continue
        waiting.extend(ast.iter_child_nodes(node))
    return expressions


def base_of(node: ast.expr) -> ast.expr:
    """Return `w` of `w[0][1]`."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node


def is_assignable(node: ast.expr) -> bool:
    """Return whether the expression can be assigned to: `w`, `self.w`, `outs[0]`."""
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript)


def is_library(node: ast.expr) -> bool:
    """Return whether the expression is a module of torch, by its usual names."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("torch", "F", "nn", "functional")


def _single_call(code: str) -> ast.Call | None:
    """Return the call that a piece of code consists of, or assigns or returns; None for any other code."""
    body = parse_code(code.strip()).body
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr | ast.Assign | ast.Return) else None
    return value if isinstance(value, ast.Call) else None


def _callee_name(call: ast.Call) -> str:
    """Return the name of the called function or method; empty if it has none."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _has_inplace_flag(call: ast.Call) -> bool:
    """Return whether `inplace=True` is passed."""
    return any(
        keyword.arg == "inplace" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        for keyword in call.keywords
    )


def _parse_expression(source: str) -> ast.expr:
    """Parse an expression."""
    return ast.parse(source, mode="eval").body


# ---------------------------------------------------------------- the saved tensor, and the step that wrote to it

_MAX_STEPS = 5_000
"""Maximum steps searched for the last version of a tensor that was garbage-collected."""
_ELEMENT_SIZES = {"Float": 4, "Double": 8, "Half": 2, "BFloat16": 2, "ComplexFloat": 8, "ComplexDouble": 16, "Long": 8}
"""Bytes of an element, by the tensor type in torch's message."""


@dataclass(frozen=True)
class _Overwritten:
    """A saved tensor, and the step that wrote to it first."""

    saved: SavedTensor
    operation: int | None
    """The step of the operation that made the node; None if unknown."""
    step: int


@dataclass(frozen=True)
class _VersionError:
    """The tensor's type, shape and versions in torch's message."""

    type: str
    shape: tuple[int, ...]
    then: int
    now: int


def _all_overwritten(context: FailureContext) -> list[SavedTensor]:
    """Return the tensors saved by nodes that the failing pass had still to run and written to since."""
    state = context.state_at_stop
    all_saved = (saved for node in _pending_nodes(state) for saved in saved_by(state, node))
    current = (
        _with_last_version(context, saved) for saved in all_saved if not saved.freed and saved.storage is not None
    )
    return [saved for saved in current if not saved.fits]


def _with_last_version(context: FailureContext, saved: SavedTensor) -> SavedTensor:
    """Return the saved tensor with its last recorded version, if it was garbage-collected itself."""
    if saved.now is not None or saved.version is None:
        return saved
    step_made = context.step_made(saved.node)
    versions = [version for _, version in _versions(context, saved, step_made or 0)]
    return replace(saved, now=versions[-1]) if versions else saved


def _versions(context: FailureContext, saved: SavedTensor, since: int) -> Iterator[tuple[int, int]]:
    """Yield the steps after which a result in the saved memory was recorded, with its version."""
    for step in range(since + 1, min(context.step, since + _MAX_STEPS)):
        for event in context.timeline.following(step):
            if not isinstance(event, Snapshot) or event.storage != saved.storage or event.version is None:
                continue
            if event.tensor == saved.tensor or event.node is not None:
                yield step, event.version


def _find_overwritten(context: FailureContext, error: _VersionError) -> _Overwritten | None:
    """Return the saved tensor that torch's message is about; None if unknown."""
    state = context.state_at_stop
    candidates = [saved for saved in _all_overwritten(context) if (saved.version, saved.now) == (error.then, error.now)]
    ready = _ready_nodes(state)
    narrower: tuple[Callable[[SavedTensor], bool], ...] = (
        lambda saved: saved.node.node in ready,
        lambda saved: _has_shape(state, saved, error.shape),
        lambda saved: saved.bytes == math.prod(error.shape) * _ELEMENT_SIZES.get(error.type, 0),
    )
    for fits in narrower:
        candidates = [saved for saved in candidates if fits(saved)] or candidates
    if not candidates:
        return None
    latest = max(candidates, key=lambda saved: saved.node.sequence)
    step_made = context.step_made(latest.node)
    return _Overwritten(latest, step_made, _first_write(context, latest, step_made or 0))


def _first_write(context: FailureContext, saved: SavedTensor, since: int) -> int:
    """Return the first step after which a tensor has a later version than the saved one: versions only grow."""
    if version_of(context.state_at_stop, saved.tensor, saved.storage) is None:
        steps = (step for step, version in _versions(context, saved, since) if version > (saved.version or 0))
        return next(steps, context.step)
    return context.first_step(
        lambda state: (version_of(state, saved.tensor, saved.storage) or 0) > (saved.version or 0), since + 1
    )


def _find_owner(context: FailureContext, saved: SavedTensor, step: int) -> TensorState | None:
    """Return the tensor that owns the memory: the leaf that requires grad, else the largest, named if possible."""
    state = context.timeline.state(step)
    sharing = [tensor for tensor in state.tensors.values() if tensor.storage == saved.storage]
    leaf = next((tensor for tensor in sharing if tensor.is_leaf and tensor.requires_grad), None)
    if leaf is not None:
        return leaf
    named = [tensor for tensor in sharing if context.name(tensor.tensor) is not None] or sharing
    return max(
        named, key=lambda tensor: (math.prod(tensor.shape), tensor.tensor == saved.tensor, -tensor.tensor), default=None
    )


def _pending_nodes(state: State) -> list[NodeState]:
    """Return the nodes that the last pass has not run."""
    ran = set(state.last_pass.ran) if state.last_pass is not None else set()
    return [state.nodes[serial] for serial in sorted(state.shown - ran) if serial in state.nodes]


def _ready_nodes(state: State) -> set[int]:
    """Return the nodes to run next: those whose gradients have all arrived."""
    pending = {node.node for node in _pending_nodes(state)}
    blocked = {source[0] for serial in pending for source in state.nodes[serial].inputs if source is not None}
    return pending - blocked


def _has_shape(state: State, saved: SavedTensor, shape: tuple[int, ...]) -> bool:
    """Return whether a saved tensor has this shape, in any order of dimensions."""
    tensor = state.tensors.get(saved.tensor)
    return tensor is not None and sorted(tensor.shape) == sorted(shape)


# ---------------------------------------------------------------- the explanation

_MAX_NAMED = 3
"""Maximum operands to be copied, in a fix."""
_MAX_CODE_WIDTH = 60


@mistake(
    "RuntimeError",
    r"has been modified by an inplace operation: \[(?:torch\.)?(?:\w+\.)?(?P<type>\w+)Tensor(?: \[(?P<shape>[^\]]*)\])?"
    r"\].*?is at version (?P<now>\d+); expected version (?P<then>\d+)",
)
def explain_modified_saved_tensor(context: FailureContext, match: re.Match[str]) -> Diagnosis | None:
    """Explain "one of the variables needed for gradient computation has been modified by an inplace operation"."""
    timeline, shape = context.timeline, tuple(int(size) for size in re.findall(r"\d+", match["shape"] or ""))
    overwritten = _find_overwritten(context, _VersionError(match["type"], shape, int(match["then"]), int(match["now"])))
    owner = None if overwritten is None else _find_owner(context, overwritten.saved, overwritten.step)
    if overwritten is None or owner is None:
        return None
    name = name_of(timeline.state(overwritten.step), owner.tensor) if not owner.is_leaf else context.name(owner.tensor)
    name = name or _describe_unnamed(context, overwritten)
    sources = (
        [] if overwritten.operation is None else _sharing_expressions(context, overwritten.saved, overwritten.operation)
    )
    alias = sources[0] if len(sources) == 1 and sources[0] != name and not owner.is_leaf else None
    written_name = _written_name(context, overwritten)
    if alias is None and written_name not in (None, name) and not owner.is_leaf:
        name, alias = written_name, name
    template = _(
        "{place} changed {name} in place, which {node} has kept for its gradient: the old values are needed on the way "
        "back, and they are gone."
    ) if alias is None else _(
        "{place} changed {name} in place, and {part} with it, which {node} has kept for its gradient: the old values "
        "are needed on the way back, and they are gone."
    )  # fmt: skip
    problem = template.format(
        place=_place_of_write(context, overwritten.step),
        name=name,
        part=alias,
        node=_describe_node(context, overwritten),
    )
    fix = (
        _recompute_fix(context, overwritten, owner)
        if _is_changed_elsewhere(context, overwritten, owner)
        else _out_of_place_fix(context, overwritten, owner)
    )
    return Diagnosis(problem, overwritten.step, fix)


def _written_name(context: FailureContext, overwritten: _Overwritten) -> str | None:
    """Return the name of the tensor that was written to, if it shares the saved memory; else None."""
    target = write_target(
        context.statement_of(overwritten.step) or "", context.timeline.view(overwritten.step).code or ""
    )
    before = context.timeline.state(overwritten.step - 1)
    name = None if target is None else ast.unparse(base_of(target))
    tensor = before.tensors.get(names_of(before).get(name or "", 0))
    return name if tensor is not None and tensor.storage == overwritten.saved.storage else None


def _describe_node(context: FailureContext, overwritten: _Overwritten) -> str:
    """Return `MulBackward0 of y`, or `MulBackward0 of `w * h[t - 1]` on line 4`."""
    node = overwritten.saved.node
    text = node_label(context.state_at_stop, node, overwritten.saved.tensor)
    if text != node.name or node.tensor == overwritten.saved.tensor or overwritten.operation is None:
        return text
    return _("{node} of {tensor}", node=node.name, tensor=context.place_of(overwritten.operation))


def _place_of_write(context: FailureContext, step: int) -> str:
    """Return the place of the statement that wrote, if the operation's code is its target alone."""
    code, statement = context.timeline.view(step).code or "", context.statement_of(step) or ""
    is_assignment = statement.lstrip().startswith(code) and "=" in statement.removeprefix(code)[:4]
    return context.place_of(step, statement if is_assignment and "\n" not in statement else None)


def _sharing_expressions(context: FailureContext, saved: SavedTensor, step_made: int) -> list[str]:
    """Return the expressions in the code of an operation that share the memory that its node saved."""
    state = context.timeline.state(step_made - 1)
    names = {name for name, serial in names_of(state).items() if state.tensors[serial].storage == saved.storage}
    return _largest_expressions(context.timeline.view(step_made).code or "", names)


def _is_changed_elsewhere(context: FailureContext, overwritten: _Overwritten, owner: TensorState) -> bool:
    """Return whether the owner is a parameter, or a buffer written to by another name: change it at another time."""
    if not owner.is_leaf or owner.requires_grad:
        return bool(owner.is_leaf)
    target = write_target(
        context.statement_of(overwritten.step) or "", context.timeline.view(overwritten.step).code or ""
    )
    return target is None or ast.unparse(base_of(target)) != context.name(owner.tensor)


def _describe_unnamed(context: FailureContext, overwritten: _Overwritten) -> str:
    """Return what to call a saved tensor without a name."""
    event = None if overwritten.operation is None else context.timeline.event(overwritten.operation)
    module = context.state.modules.get(event.module or 0) if isinstance(event, Op) else None
    if overwritten.operation is None or overwritten.saved.tensor != overwritten.saved.node.tensor:
        return _("a tensor")
    if module is not None:
        return _("the output of {layer}", layer=_layer_name(context, overwritten.operation, module.path))
    return _("the result of {place}", place=context.place_of(overwritten.operation))


def _layer_name(context: FailureContext, step: int, path: str) -> str:
    """Return what to call the module at `path` inside the one that the code of a step calls: `net[1]`."""
    calls = (node for node in ast.walk(parse_code(context.timeline.view(step).code)) if isinstance(node, ast.Call))
    callee = next((ast.unparse(call.func) for call in calls), "?")
    inner = path if not path or path.startswith("[") else f".{path}"
    return callee if callee.endswith(inner) or callee.startswith("self") else callee + inner


# ---------------------------------------------------------------- fixes for a changed parameter


def _recompute_fix(context: FailureContext, overwritten: _Overwritten, owner: TensorState) -> str:
    """Say what to do about a parameter changed between the forward pass and this backward pass."""
    timeline = context.timeline
    event = timeline.event(overwritten.step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    if site is not None and site.op == "embedding" and overwritten.operation is not None:
        parts = _sharing_expressions(context, overwritten.saved, overwritten.operation)
        reason = _("With max_norm, the layer rescales rows of its weight in place whenever it is called.")
        copy = [_("Give what uses it a copy: {code}.", code=f"`{parts[0]}.clone()`")] if len(parts) == 1 else []
        return sentences([reason, *copy])
    failing_pass = context.backward_step()
    if failing_pass is None:
        return _("Make a new tensor instead of writing into that one.")
    start_step, backward_event = failing_pass
    graph = timeline.state(start_step)
    changed = _all_overwritten(context)
    writes = sorted(
        {overwritten.step, *(_first_write(context, saved, context.step_made(saved.node) or 0) for saved in changed)}
    )
    frame = _common_frame(graph, [timeline.state(step - 1) for step in writes])
    changes = joined(list(dict.fromkeys(f"`{_statement_in_frame(context, step, frame)[0]}`" for step in writes)))
    name = context.root_name() if graph.frames and graph.frames[-1].frame == frame else None
    name = name or next(
        (name for name, crossing in names_of(graph, frame).items() if crossing in backward_event.roots), None
    )
    root = name or _("the result")
    older_nodes = nodes_leading_to(graph, {saved.node.node for saved in changed}) & set(
        timeline.state(writes[-1] - 1).nodes
    )
    roots = [graph.tensors[crossing].node for crossing in backward_event.roots if crossing in graph.tensors]
    if older_nodes.isdisjoint(roots):
        links = find_crossings(context, graph, roots, older_nodes, writes[-1])
        fix = detach_fix(context, links) if links and all(crossing.origin == CARRIED for crossing in links) else None
        if fix is not None:
            return fix
        names = list(dict.fromkeys(crossing.name for crossing in links if crossing.name is not None))
        if names and all(crossing.origin == BEFORE_LOOP for crossing in links):
            return _("{name} is computed once, before the loop: compute it again in each iteration.",
                      name=joined(names))  # fmt: skip
        return _("Compute {name} again after {change}, the forward pass included.",
                  name=joined(names) if names else root, change=changes)  # fmt: skip
    if context.is_before_loop(roots, start_step):
        return _("{name} is computed once, before the loop: compute it again in each iteration.", name=root)
    code, line = _statement_in_frame(context, start_step, frame)
    before, leaf = timeline.state(overwritten.step - 1), owner.tensor
    had_grad, has_grad = has_gradient(before, leaf), has_gradient(graph, leaf)
    if (had_grad and not has_grad) or any(_contains_pass(context, step, frame) for step in writes):
        return _("Compute {name} again after {change}, the forward pass included.", name=root, change=changes)
    backward = _("`{code}` on line {number}", code=code, number=line)
    updates = [side_event.step for side_event in timeline.side_events if isinstance(side_event.event, OptimizerStep)]
    if has_grad and overwritten.step in updates:
        return _(
            "Compute {root} again after {change}, the forward pass included, or let {change} come after {backward} (it "
            "then goes by the gradients of both passes).", root=root, change=changes, backward=backward,
        )  # fmt: skip
    return _(
        "Compute {root} again after {change}, the forward pass included, or let {change} come after {backward}.",
        root=root, change=changes, backward=backward,
    )  # fmt: skip


def _contains_pass(context: FailureContext, step: int, frame: int) -> bool:
    """Return whether a backward pass ran in the statement of this frame that wrote: moved, it would run later too."""
    timeline = context.timeline
    earlier = [info for info in timeline.passes if info.start_step < step]
    if not earlier:
        return False
    line = next(
        (start for start in range(step - 1, 0, -1)
         if isinstance(event := timeline.event(start), Line) and event.frame == frame), 0
    )  # fmt: skip
    return earlier[-1].start_step > line and context.timeline.state(step - 1).frames[-1].frame != frame


def _common_frame(current: State, earlier_states: list[State]) -> int:
    """Return the innermost frame that all these states share."""
    common = set.intersection(*({frame.frame for frame in state.frames} for state in (current, *earlier_states)))
    return next((frame.frame for frame in reversed(current.frames) if frame.frame in common), 1)


def _statement_in_frame(context: FailureContext, step: int, frame_number: int) -> tuple[str, int]:
    """Return the code of a step and its line; if it ran in a function called from this frame, those of the call."""
    timeline, view = context.timeline, context.timeline.view(step)
    frames = timeline.state(step - 1).frames  # as the step may end a function
    frame = next((each for each in frames if each.frame == frame_number), None)
    site = timeline.sites.get(frame.site or 0) if frame is not None else None
    if site is None or frame is frames[-1]:
        code, line = view.code or "", view.line or 0
    else:
        code, line = context.header_code(site), site.span[0]
    code = " ".join(code.split())
    return cut(code, _MAX_CODE_WIDTH), line


# ---------------------------------------------------------------- fixes for a changed result


def _out_of_place_fix(context: FailureContext, overwritten: _Overwritten, owner: TensorState) -> str:
    """Say how to compute the same without changing the saved tensor."""
    timeline, step = context.timeline, overwritten.step
    event, view = timeline.event(step), timeline.view(step)
    code, statement = view.code or "", context.statement_of(step) or ""
    module = context.state.modules.get(event.module or 0) if isinstance(event, Op) else None
    target = write_target(statement, code)
    if target is None and module is not None and module.of_torch:
        return _(
            "{layer} writes into what it is given: make it `{plain}` instead of `{inplace}`.",
            layer=_layer_name(context, step, module.path), plain=f"nn.{module.kind}(…)",
            inplace=f"nn.{module.kind}(…, inplace=True)",
        )  # fmt: skip
    base = None if target is None else ast.unparse(base_of(target))
    before = timeline.state(step - 1)
    names = names_of(before)
    base_tensor = before.tensors.get(names.get(base or "", 0))
    is_part = isinstance(target, ast.Subscript) and base_tensor is not None
    view_of = target is not None and not is_part and base_tensor is not None and base_tensor.shape != owner.shape
    replacement = None if is_part or view_of else out_of_place(statement, code, of_tensor=is_part)
    if replacement is not None:
        return _("Make a new tensor instead: `{code}`.", code=replacement)
    name = context.name(owner.tensor)
    copies = _copies_fix(context)
    if copies and view.iteration is not None:
        return _(
            "Keep the parts in a list and make one tensor of them in the end, with torch.stack or torch.cat. Or give "
            "the operation a copy: {copies}.", copies=copies,
        )  # fmt: skip
    if copies:
        return _("Give the operation a copy: {copies}.", copies=copies)
    if name is not None and names.get(name) is not None:
        copy_code = f"{name} = {name}.clone()"
        if view_of and base is not None:
            return _("Write into a copy: `{code}`, before {view} is taken from it.", code=copy_code, view=base)
        return _("Write into a copy: `{code}`, before {place}.", code=copy_code, place=_place_of_write(context, step))
    return _("Make a new tensor instead of writing into that one.")


def _copies_fix(context: FailureContext) -> str | None:
    """Say which operands to copy, so that nothing saved is written to; None if that is not known of all."""
    lines_by_source: dict[str, list[int]] = {}
    for saved in _all_overwritten(context):
        step_made = context.step_made(saved.node)
        sources = (
            []
            if step_made is None or saved.tensor == saved.node.tensor
            else _sharing_expressions(context, saved, step_made)
        )
        line = None if step_made is None else context.timeline.view(step_made).line
        if len(sources) != 1 or line is None:
            return None
        lines = lines_by_source.setdefault(sources[0], [])
        lines += [] if line in lines else [line]
    if not lines_by_source or sum(map(len, lines_by_source.values())) > _MAX_NAMED:
        return None
    texts = [
        _("`{code}` on line {number}", code=f"{source}.clone()", number=line)
        for source, lines in lines_by_source.items()
        for line in sorted(lines)
    ]
    return joined(texts)
