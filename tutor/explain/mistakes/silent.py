"""Find mistakes that raise no exception.

- `broadcast_warning`: a loss broadcasts a column against a row, so that each prediction meets each target.
- `unoptimized_at_step`, `unoptimized_at_accumulation`: parameters get gradients, and no optimizer changes them.
- `explain_unrecorded_operation`, `explain_data_assignment`: autograd does not record what is done with a tensor.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tutor.explain import formatting
from tutor.explain.provenance import readable_name
from tutor.explain.rules.arrays import Shape, broadcast_shape, count
from tutor.explain.rules.registry import shape_text
from tutor.i18n import _, ngettext
from tutor.trace.events import Accumulate, Captured, Line, Op, OptimizerStep
from tutor.trace.names import name_of, names_of
from tutor.trace.operands import op_texts
from tutor.trace.source import parse
from tutor.trace.state import SiteInfo, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements

_DIFFERENCES = ("sub", "rsub", "subtract")
_LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
_SAME_SHAPE = ("pow", "square", "abs", "sqrt", "mul", "rmul", "div", "truediv", "neg", "clamp", "exp", "log", "cosh",
               "add", "radd", "where", "float", "double", "pow_", "abs_", "square_", "absolute")  # fmt: skip
_REDUCTIONS = ("mean", "sum", "norm", "nanmean", "median", "linalg_norm", "vector_norm")
_ON_PURPOSE = re.compile(r"None|unsqueeze|newaxis|view|reshape|expand|cdist")
_MAX_STEPS = 60
"""Maximum steps between a difference and its loss, or the operation that made an operand."""


# ---------------------------------------------------------------- a loss that broadcasts


def broadcast_warning(timeline: Timeline, step: int) -> str | None:
    """Return a warning at a difference, or a loss, of shapes [n, 1] and [n]; None elsewhere, or if it is intended."""
    event = timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    if not isinstance(event, Op) or site is None or site.depth:
        return None
    kind = (site.op or "").strip("_")
    if kind not in (*_DIFFERENCES, *_LOSSES):
        return None
    tensors = timeline.state(step - 1).tensors
    operands = [tensors[number] for number in event.inputs[:2] if number in tensors]
    if len(operands) != 2 or not _is_column_and_row(operands[0].shape, operands[1].shape):
        return None
    if kind in _DIFFERENCES and (
        _is_intended(timeline, step, event, operands) or not _feeds_loss(timeline, step, event)
    ):
        return None
    texts = op_texts(timeline, step)
    if texts is None:  # of `nn.MSELoss()(a, b)`
        return _describe_broadcast(operands, _loss_arguments(timeline.view(step).code))
    names = [text for number, text in zip(event.inputs, texts, strict=False) if number in tensors]
    return _describe_broadcast(operands, names if len(names) == 2 else None)


def _loss_arguments(code: str | None) -> list[str] | None:
    """Return the two arguments of the call of a loss; None for any other code."""
    tree = parse((code or "").strip())
    body = tree.body if isinstance(tree, ast.Module) else []
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not isinstance(call, ast.Call) or len(call.args) != 2 or call.keywords:
        return None
    return [ast.unparse(argument) for argument in call.args]


def _is_column_and_row(a: Shape, b: Shape) -> bool:
    """Return whether the shapes are a column and a row of as many elements: [3, 1] and [3] broadcast to [3, 3]."""
    row, column = sorted((a, b), key=len)
    if column != (*row, 1) or not row:
        return False
    try:
        return count(broadcast_shape(a, b)) > max(count(a), count(b))
    except ValueError:
        return False


def _is_intended(timeline: Timeline, step: int, event: Op, operands: list[TensorState]) -> bool:
    """Return whether the code shows that all pairs are meant: `x[:, None] - x`."""
    if any(_ON_PURPOSE.search(text) for text in op_texts(timeline, step) or [timeline.view(step).code or ""]):
        return True
    serials = {operand.tensor for operand in operands}
    return any(bool(_inputs_of(timeline, step, operand.tensor) & (serials - {operand.tensor})) for operand in operands)


def _inputs_of(timeline: Timeline, step: int, tensor: int) -> set[int]:
    """Return the inputs of the operation that returned a tensor; empty if it is not among the last steps."""
    for earlier in range(step - 1, max(step - _MAX_STEPS, 0), -1):
        event = timeline.event(earlier)
        if isinstance(event, Op) and tensor in event.outputs:
            return {serial for serial in event.inputs if serial is not None}
    return set()


def _feeds_loss(timeline: Timeline, step: int, event: Op) -> bool:
    """Return whether the differences are only transformed element by element, and then reduced to a scalar."""
    results = set(event.outputs)
    for later in range(step + 1, min(step + _MAX_STEPS, timeline.steps) + 1):
        operation = timeline.event(later)
        site = timeline.sites.get(operation.site) if isinstance(operation, Op) else None
        if not isinstance(operation, Op) or site is None or site.depth or not results.intersection(operation.inputs):
            continue
        kind = (site.op or "").strip("_")
        tensors = timeline.state(later).tensors
        is_scalar = any(serial in tensors and tensors[serial].shape == () for serial in operation.outputs)
        if kind in _REDUCTIONS and is_scalar:
            return True
        if kind in _SAME_SHAPE:
            results.update(operation.outputs)
    return False


def _describe_broadcast(operands: list[TensorState], names: list[str] | None) -> str:
    """Return the warning, with a fix if both operands have names."""
    first, second = (operand.shape for operand in operands)
    values = {
        "first": shape_text(first), "second": shape_text(second), "wide": shape_text(broadcast_shape(first, second)),
    }  # fmt: skip
    row = 0 if len(first) < len(second) else 1
    if names is None:
        return _(
            "{first} meets {second} and gives {wide}: each prediction is compared with each target, not with its own",
            **values,
        )  # fmt: skip
    dim = len(operands[row].shape)
    fixes = (f"{_parenthesize(names[row])}.unsqueeze({dim})", f"{_parenthesize(names[1 - row])}.squeeze({dim})")
    return _(
        "{first} meets {second} and gives {wide}: each prediction is compared with each target, not with its own; "
        "write {unsqueezed} or {squeezed}", unsqueezed=fixes[0], squeezed=fixes[1], **values,
    )  # fmt: skip


def _parenthesize(text: str) -> str:
    """Return the text in parentheses, if it needs them for a method to be called on it."""
    is_primary = re.fullmatch(r"[\w.]+(?:\([^()]*\)|\[[^\[\]]*\])*", text) is not None
    return text if is_primary else f"({text})"


# ---------------------------------------------------------------- parameters that no optimizer changes

_MAX_NAMED = 2
"""Maximum parameters named in a sentence."""


@dataclass(frozen=True)
class _TrainingFacts:
    """Which parameters get gradients and which are optimized, in a whole recording."""

    steps: int
    reached: dict[int, list[int]]
    """By unoptimized leaf: the steps at which it got a gradient."""
    together: dict[int, list[int]]
    """The same, for passes alone in which an optimized tensor got a gradient too."""
    trains: bool
    """Whether optimizers change parameters of modules: a model is trained, not an image or a code for a fixed one."""
    first: int
    """The step of the recording at which an optimizer stepped first; 0 if none did."""
    name: str
    """The class of that optimizer."""


_facts_cache: WeakKeyDictionary[Timeline, _TrainingFacts] = WeakKeyDictionary()


def _training_facts(timeline: Timeline) -> _TrainingFacts:
    """Return the facts of a recording; they are cached until it grows."""
    facts = _facts_cache.get(timeline)
    if facts is not None and facts.steps == timeline.steps:
        return facts
    optimized: set[int] = set()
    first, name = 0, ""
    for side_event in timeline.side_events:
        if isinstance(side_event.event, OptimizerStep):
            optimized.update(update.tensor for update in side_event.event.updates)
            optimized.update(side_event.event.others)
            if not name:
                first, name = side_event.step, side_event.event.optimizer
    reached, together = _unoptimized_leaves(timeline, optimized) if name else ({}, {})
    tensors = timeline.state(first).tensors
    trains = any(serial in tensors and tensors[serial].class_name == "Parameter" for serial in optimized)
    facts = _facts_cache[timeline] = _TrainingFacts(timeline.steps, reached, together, trains, first, name)
    return facts


def _unoptimized_leaves(timeline: Timeline, optimized: set[int]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Return the steps at which leaves that no optimizer changes got gradients, and those in passes with optimized
    leaves.

    A leaf that `autograd.grad` is asked for is left out: its gradient is the result.
    """
    reached: dict[int, list[int]] = {}
    together: dict[int, list[int]] = {}
    captured: set[int] = set()
    accumulated: list[tuple[int, int]] = []
    depth, has_optimized = 0, False
    for step in range(1, timeline.steps + 1):
        kind = timeline.kind(step)
        if kind == "backward":
            if not depth:
                accumulated, has_optimized = [], False
            depth += 1
        elif kind == "backward_end":
            depth = max(depth - 1, 0)
            for tensor, step_ in accumulated if has_optimized and not depth else ():
                together.setdefault(tensor, []).append(step_)
        elif kind in ("accumulate", "captured"):
            event = timeline.event(step)
            if isinstance(event, Captured):
                captured.add(event.tensor)
            elif isinstance(event, Accumulate) and event.tensor in optimized:
                has_optimized = True
            elif isinstance(event, Accumulate):
                accumulated.append((event.tensor, step))
                reached.setdefault(event.tensor, []).append(step)
    return {tensor: steps for tensor, steps in reached.items() if tensor not in captured}, together


def unoptimized_at_step(timeline: Timeline, step: int) -> str | None:
    """Return a warning at a step of an optimizer about parameters that get gradients and that no optimizer changes."""
    facts, state = _training_facts(timeline), timeline.state(step)
    left_out = [serial for serial in facts.reached if _is_unoptimized(timeline, facts, state, serial, step)]
    if not left_out:
        return None
    names = [name for serial in left_out[:_MAX_NAMED] if (name := name_of(state, serial)) is not None]
    if not names:
        return None
    rest = len(left_out) - len(names)
    listed = [*names, ngettext("{count} more parameter", "{count} more parameters", rest)]
    passes = max(sum(reached <= step for reached in facts.reached[serial]) for serial in left_out)
    problem = ngettext(
        "no optimizer changes {names}, though gradients came in {count} pass",
        "no optimizer changes {names}, though gradients came in {count} passes",
        passes, names=formatting.joined(listed if rest else names),
    )  # fmt: skip
    return formatting.listed([problem, _unoptimized_fix(timeline, facts, left_out[0], names[0])])


def unoptimized_at_accumulation(timeline: Timeline, step: int) -> str | None:
    """Return a warning where a gradient is added to an old one of a parameter that no optimizer changes."""
    event = timeline.event(step)
    if not isinstance(event, Accumulate):
        return None
    facts, before = _training_facts(timeline), timeline.state(step - 1)
    tensor = before.tensors.get(event.tensor)
    if (
        tensor is None
        or not _has_gradient(before, tensor)
        or not _is_unoptimized(timeline, facts, before, event.tensor, step)
    ):
        return None
    name = name_of(before, event.tensor)
    if name is None:
        return None
    return _("{name}.grad adds up from pass to pass, and no optimizer changes {name}", name=name)


def _is_unoptimized(timeline: Timeline, facts: _TrainingFacts, state: State, serial: int, step: int) -> bool:
    """Return whether a leaf has got several gradients by this step and has not been changed since the first."""
    reached = [accumulated for accumulated in facts.reached.get(serial, ()) if accumulated <= step]
    tensor = state.tensors.get(serial)
    if (
        sum(accumulated <= step for accumulated in facts.together.get(serial, ())) < 2
        or not facts.first
        or facts.first > step
        or not reached
    ):
        return False
    if tensor is None or not tensor.requires_grad:
        return False
    earlier = timeline.state(reached[0]).tensors.get(serial)
    if (
        earlier is None
        or earlier.version != tensor.version
        or earlier.storage != tensor.storage
        or earlier.value != tensor.value
    ):
        return False  # stepped by hand
    return facts.trains if tensor.class_name == "Parameter" else _accumulates_unread(timeline, tensor, reached)


def _accumulates_unread(timeline: Timeline, tensor: TensorState, reached: list[int]) -> bool:
    """Return whether a plain leaf's gradient is accumulated repeatedly and never read."""
    before = timeline.state(reached[-1] - 1)
    leaf = before.tensors.get(tensor.tensor)
    if leaf is None or not _has_gradient(before, leaf):
        return False
    for step in range(reached[0], reached[-1]):
        event = timeline.event(step) if timeline.kind(step) == "op" else None
        if isinstance(event, Op) and leaf.grad in event.inputs:
            return False
    return True


def _has_gradient(state: State, tensor: TensorState) -> bool:
    """Return whether a tensor has a gradient that is not all zeros."""
    grad = None if tensor.grad is None else state.tensors.get(tensor.grad)
    if grad is None:
        return False
    values = elements(grad.value)
    return values is None or any(values)


_CONTAINER_ITEM = re.compile(r"(?P<owner>.*)\.(?P<field>\w+)\[[^\]]+\]")


def _unoptimized_fix(timeline: Timeline, facts: _TrainingFacts, serial: int, name: str) -> str:
    """Say why no optimizer changes a parameter, or what to do about it."""
    container_info = _plain_container(timeline, name)
    if container_info is not None:
        owner, container, module = container_info
        return _(
            "{owner} is a plain {container}, in which a module does not look for parameters: write {module} for it",
            owner=owner, container=container, module=module,
        )  # fmt: skip
    step_made, optimizer_step = _first_appearance(timeline, serial), _optimizer_creation(timeline, facts)
    line = None if step_made is None else timeline.view(step_made).line
    if step_made is not None and optimizer_step is not None and optimizer_step < step_made and line is not None:
        return _(
            "it was made on line {line}, after the optimizer (line {optimizer}): make the optimizer when the model is "
            "complete", line=line, optimizer=timeline.view(optimizer_step).line,
        )  # fmt: skip
    return _("give it to the optimizer, or let it need no gradient: {fix}", fix=f"{name}.requires_grad_(False)")


def _plain_container(timeline: Timeline, name: str) -> tuple[str, str, str] | None:
    """Return the list or dict of a module that holds a parameter, its type, and the module to use instead."""
    match = _CONTAINER_ITEM.match(name)
    if match is None:
        return None
    for source in timeline.sources.values():
        tree = parse(source.text)
        for node in ast.walk(tree) if tree is not None else ():
            if not isinstance(node, (ast.Assign, ast.AnnAssign)):
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if not any(isinstance(target, ast.Attribute) and target.attr == match["field"] for target in targets):
                continue
            if isinstance(node.value, (ast.List, ast.ListComp)):
                return f"{match['owner']}.{match['field']}", _("list"), "nn.ModuleList([…])"
            if isinstance(node.value, (ast.Dict, ast.DictComp)):
                return f"{match['owner']}.{match['field']}", _("dict"), "nn.ModuleDict({…})"
    return None


def _first_appearance(timeline: Timeline, serial: int) -> int | None:
    """Return the step after which a tensor that got a gradient existed; None if it did from the beginning."""
    first, last = 0, _training_facts(timeline).reached[serial][0]
    while first < last:
        middle = (first + last) // 2
        if serial in timeline.state(middle).tensors:
            last = middle
        else:
            first = middle + 1
    return first or None


def _optimizer_creation(timeline: Timeline, facts: _TrainingFacts) -> int | None:
    """Return the step of the statement that made the optimizer; None if unknown."""
    call = f"{facts.name}("
    lines = (step for step in range(facts.first, 0, -1) if timeline.kind(step) == "line")
    return next((step for step in lines if call in (timeline.view(step).code or "")), None)


# ---------------------------------------------------------------- operations that build no graph

_DIFFERENTIABLE = {
    "add", "sub", "mul", "div", "truediv", "pow", "neg", "radd", "rsub", "rmul", "rtruediv", "matmul", "mm", "bmm",
    "linear", "exp", "log", "sin", "cos", "tanh", "sigmoid", "relu", "softmax", "sqrt", "sum", "mean", "square",
    "mse_loss", "cross_entropy", "iadd", "isub", "imul", "itruediv", "add_", "sub_", "mul_", "div_", "copy_", "zero_",
    "fill_", "clamp_", "addcdiv_", "addcmul_",
}  # fmt: skip
"""Operations whose result requires grad where an input does, unless gradients are disabled."""
DATA_ASSIGNMENT = re.compile(r"^(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<whole>[A-Za-z_][\w.\[\]]*)\.data\s*$")
_MAX_STEPS_BACK = 200
"""Maximum steps searched back for an earlier operation of the same call that had the same warning."""


def explain_unrecorded_operation(timeline: Timeline, step: int, event: Op, site: SiteInfo) -> str | None:
    """Return why the operation of a step built no graph; None if it built one, or would build none anyway."""
    state = timeline.state(step)
    inputs = [state.tensors[serial] for serial in event.inputs if serial in state.tensors]
    results = [state.tensors[serial] for serial in event.outputs if serial in state.tensors]
    data = name_of_data(timeline, step, event)
    if data is not None:
        return _describe_data(data)
    if not any(tensor.requires_grad for tensor in inputs):
        return None
    if site.op == "detach":
        return _("the same memory, but cut off from the graph: gradients stop here")
    if site.op == "set_data":
        return _(
            "{name} gets other memory, and autograd does not see the change",
            name=readable_name(timeline, step, inputs[0].tensor),
        )
    if site.op not in _DIFFERENTIABLE or not results:
        return None
    if results[0].requires_grad:
        unrecorded = site.inplace and results[0].is_leaf
        return _("autograd does not record this change of a leaf") if unrecorded else None
    if not results[0].dtype.startswith(("float", "bfloat", "complex")):
        return None
    if results[0].version is None:
        return _("made in inference mode: no graph is made")
    method = _function_method(timeline, site)
    if method is None:
        return _("gradients are off here, as under no_grad: no graph is made")
    if _is_repeated(timeline, step, event):
        return None
    if method == "forward":
        return _("in a Function's forward gradients are off: no graph is made of it, its backward stands in for one")
    return _("in a Function's backward gradients are off, unless the pass is run with create_graph=True")


def name_of_data(timeline: Timeline, step: int, event: Op) -> str | None:
    """Return the name of an input that requires grad and was passed as `.data`; None if there is none."""
    state = timeline.state(step)
    for serial, text in zip(event.inputs, op_texts(timeline, step) or (), strict=False):
        name = text.removesuffix(".data")
        for tensor in (state.tensors.get(serial or 0), state.tensors.get(names_of(state).get(name, 0))):
            if name != text and tensor is not None and tensor.requires_grad:
                return name
    return None


def explain_data_assignment(timeline: Timeline, step: int) -> str | None:
    """Return a note on a statement `v = w.data`, which runs no operation; None for any other statement."""
    code = timeline.view(step).code or ""
    match = DATA_ASSIGNMENT.search(code) if isinstance(timeline.event(step), Line) else None
    return None if match is None else _describe_data(match["whole"])


def _describe_data(name: str) -> str:
    """Say what `.data` is."""
    return _(".data is the same memory as {name}, but autograd does not see what is done with it", name=name)


def _function_method(timeline: Timeline, site: SiteInfo) -> str | None:
    """Return `forward` or `backward` if an operation's code is in that method of an `autograd.Function`, else None."""
    if site.function not in ("forward", "backward"):
        return None
    text = timeline.book.text(site.file)
    blocks = [] if text is None else text.covering(site.span[0])
    class_node = next((block for block, _, _ in blocks if isinstance(block, ast.ClassDef)), None)
    bases = [] if class_node is None else [ast.unparse(base) for base in class_node.bases]
    return site.function if any(base.split(".")[-1] == "Function" for base in bases) else None


def _is_repeated(timeline: Timeline, step: int, event: Op) -> bool:
    """Return whether an earlier operation of the same call had an input that requires grad as well."""
    for earlier in range(step - 1, max(step - _MAX_STEPS_BACK, 0), -1):
        earlier_op = timeline.event(earlier)
        if isinstance(earlier_op, Op) and earlier_op.frame == event.frame:
            site = timeline.sites.get(earlier_op.site)
            tensors = timeline.state(earlier).tensors
            requires_grad = any(serial in tensors and tensors[serial].requires_grad for serial in earlier_op.inputs)
            if requires_grad and site is not None and site.op in _DIFFERENTIABLE:
                return True
    return False
