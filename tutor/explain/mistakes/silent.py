"""A difference of a column and a row that is meant element by element, and spreads to all pairs.

Parameters that get gradients in several passes, while optimizers change others and never them.

Why an operation on what needs gradients made no graph: `no_grad`, `.data`, the code of a custom Function."""

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
_FARTHEST = 60
"""So many steps on, the loss is looked for."""


def spread(timeline: Timeline, step: int) -> str | None:
    """At a difference, or at a loss: that it pairs each prediction with each target."""
    event = timeline.event(step)
    site = timeline.sites.get(event.site) if isinstance(event, Op) else None
    if not isinstance(event, Op) or site is None or site.depth:
        return None
    kind = (site.op or "").strip("_")
    if kind not in (*_DIFFERENCES, *_LOSSES):
        return None
    tensors = timeline.state(step - 1).tensors
    sides = [tensors[number] for number in event.inputs[:2] if number in tensors]
    if len(sides) != 2 or not _pairs(sides[0].shape, sides[1].shape):
        return None
    if kind in _DIFFERENCES and (_on_purpose(timeline, step, event, sides) or not _feeds_a_loss(timeline, step, event)):
        return None
    texts = op_texts(timeline, step)
    if texts is None:  # of `nn.MSELoss()(a, b)`
        return _says(sides, _arguments(timeline.view(step).code))
    names = [text for number, text in zip(event.inputs, texts, strict=False) if number in tensors]
    return _says(sides, names if len(names) == 2 else None)


def _arguments(code: str | None) -> list[str] | None:
    """The two that the call of a loss is given."""
    tree = parse((code or "").strip())
    body = tree.body if isinstance(tree, ast.Module) else []
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not isinstance(call, ast.Call) or len(call.args) != 2 or call.keywords:
        return None
    return [ast.unparse(one) for one in call.args]


def _pairs(a: Shape, b: Shape) -> bool:
    """Whether the one is a column of the other's elements, [3, 1] and [3], so that together they are [3, 3]."""
    flat, column = sorted((a, b), key=len)
    if column != (*flat, 1) or not flat:
        return False
    try:
        return count(broadcast_shape(a, b)) > max(count(a), count(b))
    except ValueError:
        return False


def _on_purpose(timeline: Timeline, step: int, event: Op, sides: list[TensorState]) -> bool:
    """Whether the code shows that all pairs are meant: `x[:, None] - x`."""
    if any(_ON_PURPOSE.search(text) for text in op_texts(timeline, step) or [timeline.view(step).code or ""]):
        return True
    numbers = {side.tensor for side in sides}
    return any(bool(_made_of(timeline, step, side.tensor) & (numbers - {side.tensor})) for side in sides)


def _made_of(timeline: Timeline, step: int, tensor: int) -> set[int]:
    """What the operation that made a tensor was given, where it ran a little before."""
    for earlier in range(step - 1, max(step - _FARTHEST, 0), -1):
        event = timeline.event(earlier)
        if isinstance(event, Op) and tensor in event.outputs:
            return {number for number in event.inputs if number is not None}
    return set()


def _feeds_a_loss(timeline: Timeline, step: int, event: Op) -> bool:
    """Whether the numbers are only squared, weighted and the like, and then made one."""
    held = set(event.outputs)
    for later in range(step + 1, min(step + _FARTHEST, timeline.steps) + 1):
        after = timeline.event(later)
        site = timeline.sites.get(after.site) if isinstance(after, Op) else None
        if not isinstance(after, Op) or site is None or site.depth or not held.intersection(after.inputs):
            continue
        kind = (site.op or "").strip("_")
        tensors = timeline.state(later).tensors
        single = any(number in tensors and tensors[number].shape == () for number in after.outputs)
        if kind in _REDUCTIONS and single:
            return True
        if kind in _SAME_SHAPE:
            held.update(after.outputs)
    return False


def _says(sides: list[TensorState], names: list[str] | None) -> str:
    first, second = (side.shape for side in sides)
    said = {
        "first": shape_text(first), "second": shape_text(second), "wide": shape_text(broadcast_shape(first, second)),
    }  # fmt: skip
    flat = 0 if len(first) < len(second) else 1
    if names is None:
        return _(
            "{first} meets {second} and gives {wide}: each prediction is compared with each target, not with its own",
            **said,
        )  # fmt: skip
    dim = len(sides[flat].shape)
    fixes = (f"{_callable(names[flat])}.unsqueeze({dim})", f"{_callable(names[1 - flat])}.squeeze({dim})")
    return _(
        "{first} meets {second} and gives {wide}: each prediction is compared with each target, not with its own; "
        "write {unsqueezed} or {squeezed}", unsqueezed=fixes[0], squeezed=fixes[1], **said,
    )  # fmt: skip


def _callable(text: str) -> str:
    """The text as a method can be called on it."""
    plain = re.fullmatch(r"[\w.]+(?:\([^()]*\)|\[[^\[\]]*\])*", text) is not None
    return text if plain else f"({text})"


_NAMED = 2
"""So many of them are named."""


@dataclass(frozen=True)
class _Run:
    """What is known of a whole recording."""

    steps: int
    reached: dict[int, list[int]]
    """By leaf: the steps at which it got a gradient."""
    together: dict[int, list[int]]
    """Those of these steps in whose pass something that an optimizer changes got a gradient too."""
    trains: bool
    """Whether optimizers change parameters of modules: a model is trained, not an image or a code for a fixed one."""
    first: int
    """The step of the recording after which an optimizer had made its first step."""
    name: str
    """What that optimizer is called."""


_runs: WeakKeyDictionary[Timeline, _Run] = WeakKeyDictionary()


def _run(timeline: Timeline) -> _Run:
    run = _runs.get(timeline)
    if run is not None and run.steps == timeline.steps:
        return run
    optimized: set[int] = set()
    first, name = 0, ""
    for aside in timeline.side_events:
        if isinstance(aside.event, OptimizerStep):
            optimized.update(update.tensor for update in aside.event.updates)
            optimized.update(aside.event.others)
            if not name:
                first, name = aside.step, aside.event.optimizer
    reached, together = _reached(timeline, optimized) if name else ({}, {})
    end = timeline.state(first).tensors
    trains = any(number in end and end[number].class_name == "Parameter" for number in optimized)
    run = _runs[timeline] = _Run(timeline.steps, reached, together, trains, first, name)
    return run


def _reached(timeline: Timeline, optimized: set[int]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """By leaf that no optimizer changes: the steps at which it got a gradient; and those of them whose pass reached
    something that is optimized. Not a leaf that `autograd.grad` is asked for: its gradient is what is wanted."""
    reached: dict[int, list[int]] = {}
    together: dict[int, list[int]] = {}
    wanted: set[int] = set()
    of_pass: list[tuple[int, int]] = []
    depth, optimizes = 0, False
    for step in range(1, timeline.steps + 1):
        kind = timeline.kind(step)
        if kind == "backward":
            if not depth:
                of_pass, optimizes = [], False
            depth += 1
        elif kind == "backward_end":
            depth = max(depth - 1, 0)
            for tensor, at in of_pass if optimizes and not depth else ():
                together.setdefault(tensor, []).append(at)
        elif kind in ("accumulate", "captured"):
            event = timeline.event(step)
            if isinstance(event, Captured):
                wanted.add(event.tensor)
            elif isinstance(event, Accumulate) and event.tensor in optimized:
                optimizes = True
            elif isinstance(event, Accumulate):
                of_pass.append((event.tensor, step))
                reached.setdefault(event.tensor, []).append(step)
    return {tensor: steps for tensor, steps in reached.items() if tensor not in wanted}, together


def at_step(timeline: Timeline, step: int) -> str | None:
    """After an optimizer's step: which parameters get gradients and are changed by no optimizer."""
    run, state = _run(timeline), timeline.state(step)
    found = [number for number in run.reached if _left_out(timeline, run, state, number, step)]
    if not found:
        return None
    named = [name for number in found[:_NAMED] if (name := name_of(state, number)) is not None]
    if not named:
        return None
    more = len(found) - len(named)
    shown = [*named, ngettext("{count} more parameter", "{count} more parameters", more)]
    passes = max(sum(at <= step for at in run.reached[number]) for number in found)
    said = ngettext(
        "no optimizer changes {names}, though gradients came in {count} pass",
        "no optimizer changes {names}, though gradients came in {count} passes",
        passes, names=formatting.joined(shown if more else named),
    )  # fmt: skip
    return formatting.listed([said, _reason(timeline, run, found[0], named[0])])


def at_accumulation(timeline: Timeline, step: int) -> str | None:
    """At the addition to an old gradient: that no optimizer changes the parameter, so that it only grows."""
    event = timeline.event(step)
    if not isinstance(event, Accumulate):
        return None
    run, before = _run(timeline), timeline.state(step - 1)
    held = before.tensors.get(event.tensor)
    if held is None or not _has_gradient(before, held) or not _left_out(timeline, run, before, event.tensor, step):
        return None
    name = name_of(before, event.tensor)
    if name is None:
        return None
    return _("{name}.grad adds up from pass to pass, and no optimizer changes {name}", name=name)


def _left_out(timeline: Timeline, run: _Run, state: State, number: int, step: int) -> bool:
    """Whether by this step a leaf has got several gradients, and nobody has changed it since the first."""
    reached = [at for at in run.reached.get(number, ()) if at <= step]
    held = state.tensors.get(number)
    if sum(at <= step for at in run.together.get(number, ())) < 2 or not run.first or run.first > step or not reached:
        return False
    if held is None or not held.requires_grad:
        return False
    was = timeline.state(reached[0]).tensors.get(number)
    if was is None or was.version != held.version or was.storage != held.storage or was.value != held.value:
        return False  # stepped by hand
    return run.trains if held.class_name == "Parameter" else _piles_up(timeline, held, reached)


def _piles_up(timeline: Timeline, held: TensorState, reached: list[int]) -> bool:
    """Whether a plain leaf's gradient is added to again and again, and read by nobody."""
    before = timeline.state(reached[-1] - 1)
    leaf = before.tensors.get(held.tensor)
    if leaf is None or not _has_gradient(before, leaf):
        return False
    for step in range(reached[0], reached[-1]):
        event = timeline.event(step) if timeline.kind(step) == "op" else None
        if isinstance(event, Op) and leaf.grad in event.inputs:
            return False
    return True


def _has_gradient(state: State, held: TensorState) -> bool:
    grad = None if held.grad is None else state.tensors.get(held.grad)
    if grad is None:
        return False
    numbers = elements(grad.value)
    return numbers is None or any(numbers)


# ---------------------------------------------------------------- why, and what to do

_LAST = re.compile(r"(?P<owner>.*)\.(?P<field>\w+)\[[^\]]+\]")


def _reason(timeline: Timeline, run: _Run, number: int, name: str) -> str:
    kind = _plain_container(timeline, name)
    if kind is not None:
        owner, container, module = kind
        return _(
            "{owner} is a plain {container}, in which a module does not look for parameters: write {module} for it",
            owner=owner, container=container, module=module,
        )  # fmt: skip
    made, line = _first_seen(timeline, number), _optimizer_line(timeline, run)
    at = None if made is None else timeline.view(made).line
    if made is not None and line is not None and line < made and at is not None:
        return _(
            "it was made on line {line}, after the optimizer (line {optimizer}): make the optimizer when the model is "
            "complete", line=at, optimizer=timeline.view(line).line,
        )  # fmt: skip
    return _("give it to the optimizer, or let it need no gradient: {fix}", fix=f"{name}.requires_grad_(False)")


def _plain_container(timeline: Timeline, name: str) -> tuple[str, str, str] | None:
    """The list or dict of a module that holds a parameter: `model.blocks` of `model.blocks[0].weight`."""
    found = _LAST.match(name)
    if found is None:
        return None
    for source in timeline.sources.values():
        tree = parse(source.text)
        for node in ast.walk(tree) if tree is not None else ():
            if not isinstance(node, (ast.Assign, ast.AnnAssign)):
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if not any(isinstance(one, ast.Attribute) and one.attr == found["field"] for one in targets):
                continue
            if isinstance(node.value, (ast.List, ast.ListComp)):
                return f"{found['owner']}.{found['field']}", _("list"), "nn.ModuleList([…])"
            if isinstance(node.value, (ast.Dict, ast.DictComp)):
                return f"{found['owner']}.{found['field']}", _("dict"), "nn.ModuleDict({…})"
    return None


def _first_seen(timeline: Timeline, number: int) -> int | None:
    """The step after which a tensor was there, looked for before it first got a gradient."""
    low, high = 0, _run(timeline).reached[number][0]
    while low < high:
        middle = (low + high) // 2
        if number in timeline.state(middle).tensors:
            high = middle
        else:
            low = middle + 1
    return low or None


def _optimizer_line(timeline: Timeline, run: _Run) -> int | None:
    """The step of the statement that made the optimizer, where it says so."""
    called = f"{run.name}("
    lines = (step for step in range(run.first, 0, -1) if timeline.kind(step) == "line")
    return next((step for step in lines if called in (timeline.view(step).code or "")), None)


_DIFFERENTIABLE = {
    "add", "sub", "mul", "div", "truediv", "pow", "neg", "radd", "rsub", "rmul", "rtruediv", "matmul", "mm", "bmm",
    "linear", "exp", "log", "sin", "cos", "tanh", "sigmoid", "relu", "softmax", "sqrt", "sum", "mean", "square",
    "mse_loss", "cross_entropy", "iadd", "isub", "imul", "itruediv", "add_", "sub_", "mul_", "div_", "copy_", "zero_",
    "fill_", "clamp_", "addcdiv_", "addcmul_",
}  # fmt: skip
"""Operations whose results would need gradients where an input does, unless something has switched that off."""
TAKES_DATA = re.compile(r"^(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<whole>[A-Za-z_][\w.\[\]]*)\.data\s*$")
_REACH = 200
"""So many steps back it is looked whether the same was said in this call."""


def ungraphed(timeline: Timeline, step: int, event: Op, site: SiteInfo) -> str | None:
    """Why the operation of a step made no graph; None where it made one, or would make none anyway."""
    state = timeline.state(step)
    inputs = [state.tensors[number] for number in event.inputs if number in state.tensors]
    made = [state.tensors[number] for number in event.outputs if number in state.tensors]
    data = by_data(timeline, step, event)
    if data is not None:
        return _of_data(data)
    if not any(tensor.requires_grad for tensor in inputs):
        return None
    if site.op == "detach":
        return _("the same memory, but cut off from the graph: gradients stop here")
    if site.op == "set_data":
        return _(
            "{name} gets other memory, and autograd does not see the change",
            name=readable_name(timeline, step, inputs[0].tensor),
        )
    if site.op not in _DIFFERENTIABLE or not made:
        return None
    if made[0].requires_grad:
        unrecorded = site.inplace and made[0].is_leaf
        return _("autograd does not record this change of a leaf") if unrecorded else None
    if not made[0].dtype.startswith(("float", "bfloat", "complex")):
        return None
    if made[0].version is None:
        return _("made in inference mode: no graph is made")
    method = _method_of_function(timeline, site)
    if method is None:
        return _("gradients are off here, as under no_grad: no graph is made")
    if _said_before(timeline, step, event):
        return None
    if method == "forward":
        return _("in a Function's forward gradients are off: no graph is made of it, its backward stands in for one")
    return _("in a Function's backward gradients are off, unless the pass is run with create_graph=True")


def by_data(timeline: Timeline, step: int, event: Op) -> str | None:
    """The name of what needs gradients, and was given to the operation of a step by way of `.data`."""
    state = timeline.state(step)
    for number, text in zip(event.inputs, op_texts(timeline, step) or (), strict=False):
        name = text.removesuffix(".data")
        for held in (state.tensors.get(number or 0), state.tensors.get(names_of(state).get(name, 0))):
            if name != text and held is not None and held.requires_grad:
                return name
    return None


def taken(timeline: Timeline, step: int) -> str | None:
    """What to say of a statement that does nothing but take `.data`: no operation tells of it."""
    code = timeline.view(step).code or ""
    found = TAKES_DATA.search(code) if isinstance(timeline.event(step), Line) else None
    return None if found is None else _of_data(found["whole"])


def _of_data(name: str) -> str:
    return _(".data is the same memory as {name}, but autograd does not see what is done with it", name=name)


def _method_of_function(timeline: Timeline, site: SiteInfo) -> str | None:
    """`forward` or `backward`, where the code of an operation stands in that of a custom `autograd.Function`."""
    if site.function not in ("forward", "backward"):
        return None
    text = timeline.book.text(site.file)
    blocks = [] if text is None else text.covering(site.span[0])
    around = next((block for block, _, _ in blocks if isinstance(block, ast.ClassDef)), None)
    bases = [] if around is None else [ast.unparse(base) for base in around.bases]
    return site.function if any(base.split(".")[-1] == "Function" for base in bases) else None


def _said_before(timeline: Timeline, step: int, event: Op) -> bool:
    """Whether an earlier operation of the same call was given what needs gradients as well."""
    for earlier in range(step - 1, max(step - _REACH, 0), -1):
        before = timeline.event(earlier)
        if isinstance(before, Op) and before.frame == event.frame:
            site = timeline.sites.get(before.site)
            tensors = timeline.state(earlier).tensors
            needed = any(number in tensors and tensors[number].requires_grad for number in before.inputs)
            if needed and site is not None and site.op in _DIFFERENTIABLE:
                return True
    return False
