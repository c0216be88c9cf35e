"""Find where a result lost its history: the operation after which no graph leads back to the tensors it came from.

`find_cut` goes back from a result to a `detach`, a `no_grad` block, an integer result or a tensor made of plain
numbers; `_taken_numbers` finds where such numbers were read from tensors. Operations that build no graph say so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from weakref import WeakKeyDictionary

from tutor.explain.formatting import joined
from tutor.explain.mistakes.context import FailureContext, StepContext, parenthesize, parse_code, parse_statement
from tutor.explain.mistakes.registry import Diagnosis, silent_mistake
from tutor.explain.provenance import readable_name
from tutor.i18n import _
from tutor.trace.events import Accumulate, Backward, Captured, Event, Line, Op
from tutor.trace.names import MODULE, names_of
from tutor.trace.navigation import LINE
from tutor.trace.operands import op_texts
from tutor.trace.state import SiteInfo
from tutor.trace.timeline import Timeline

_CONSTRUCTORS = (
    "tensor", "as_tensor", "asarray", "from_numpy", "scalar_tensor", "full", "new_tensor", "new_full", "Tensor",
    "FloatTensor", "DoubleTensor", "LongTensor",
)  # fmt: skip
_READERS = ("item", "tolist", "numpy", "array")
_NUMBER_TYPES = ("float", "int", "bool")
_MAX_NUMBERS = 8
"""Maximum readings followed by name, for one operation."""
_MAX_STEPS_BACK = 1_000
"""Maximum steps searched back for a statement."""


@dataclass(frozen=True)
class _ReadNumber:
    """A plain number, or several, read from a tensor."""

    step: int
    tensor: int
    code: str
    """The code that read it: `loss.item()`."""
    source: str
    """The tensor's expression, without `detach()` and the like: `loss`."""


def _makes_tensor(op: str) -> bool:
    """Return whether an operation makes a new tensor of numbers."""
    return op in _CONSTRUCTORS


def _describe_constructor_cut(context: FailureContext, step: int) -> str:
    """Say how an operation that makes a tensor of numbers lost their history, and what to do."""
    place, call = context.place_of(step), _first_call(context, step)
    op = context.timeline.event(step)
    readings = _taken_numbers(context, step)
    if readings:
        return _describe_reading_cut(place, readings)
    argument = ast.unparse(call.args[0]) if call is not None and call.args else _("the tensor")
    assert isinstance(op, Op)
    state = context.timeline.state(step - 1)
    if names_of(state).get(argument) in op.inputs or (call is not None and not _is_list(context, step, call)):
        return _(
            "{place} copied the numbers of {source} into a new tensor, which knows nothing of what they were computed "
            "from. Use {source} itself where gradients should flow.", place=place, source=argument,
        )  # fmt: skip
    return _(
        "{place} made a new tensor of the numbers alone, which knows nothing of what they were computed from. Write "
        "torch.stack({source}): it joins tensors and keeps their history.", place=place, source=argument,
    )  # fmt: skip


def _describe_reading_cut(place: str, readings: list[_ReadNumber]) -> str:
    """Say how history was lost by reading numbers and making a new tensor of them."""
    names, sources = _join_readings(readings)
    return _(
        "{taken} took plain numbers out of the graph, and {place} made a new tensor of them, which knows nothing "
        "of what they were computed from. Leave both out and compute with {sources} where gradients should flow.",
        taken=names, place=place, sources=sources,
    )  # fmt: skip


def _describe_number_cut(place: str, readings: list[_ReadNumber]) -> str:
    """Say how an operation lost history by getting plain numbers in place of tensors."""
    names, sources = _join_readings(readings)
    return _(
        "{place} computes with plain numbers that {taken} took out of the graph. Compute with {sources} instead where "
        "gradients should flow.", place=place, taken=names, sources=sources,
    )  # fmt: skip


def _join_readings(readings: list[_ReadNumber]) -> tuple[str, str]:
    """Return the code that read the numbers, and the tensors read."""
    names = joined(list(dict.fromkeys(f"`{reading.code}`" for reading in readings[:3])))
    return names, joined(list(dict.fromkeys(reading.source for reading in readings[:3])))


def _unrecorded_constructors(context: FailureContext, step: int, op: Op) -> Iterator[tuple[str, list[_ReadNumber]]]:
    """Yield the unrecorded calls that made an input of an operation (`from_numpy`), and where its numbers were read."""
    for serial, text in zip(op.inputs, op_texts(context.timeline, step) or (), strict=False):
        call = next((node for node in ast.walk(parse_code(text)) if isinstance(node, ast.Call)), None)
        if serial is None or call is None or context.producer(serial, before=step) is not None:
            continue
        if ast.unparse(call.func).rpartition(".")[2] in _CONSTRUCTORS:
            yield text, _find_readings(context, step, text, _names_in(parse_code(text)))


def _is_list(context: FailureContext, step: int, call: ast.Call) -> bool:
    """Return whether a constructor is called with a list."""
    argument = call.args[0] if call.args else None
    if isinstance(argument, (ast.List, ast.Tuple, ast.ListComp)):
        return True
    state = context.timeline.state(step - 1)
    name = "" if argument is None else ast.unparse(argument)
    return any(each.startswith(f"{name}[") for each in names_of(state))


_numbers_cache: WeakKeyDictionary[FailureContext, dict[int, list[_ReadNumber]]] = WeakKeyDictionary()


def _taken_numbers(context: FailureContext, step: int) -> list[_ReadNumber]:
    """Return where the numbers passed to an operation were read from tensors, also through names."""
    cached = _numbers_cache.setdefault(context, {})
    if step not in cached:
        cached[step] = _find_taken_numbers(context, step)
    return cached[step]


def _find_taken_numbers(context: FailureContext, step: int) -> list[_ReadNumber]:
    """Return the same without a cache."""
    event = context.timeline.event(step)
    site = context.timeline.sites.get(event.site) if isinstance(event, Op) else None
    if site is None or not isinstance(event, Op):
        return []
    code = context.timeline.view(step).code or ""
    if _makes_tensor(site.op or ""):
        copies = any(serial is not None for serial in event.inputs)
        return [] if copies else _find_readings(context, step, code, _names_in(parse_code(code)))
    texts = zip(event.inputs, op_texts(context.timeline, step) or (), strict=False)
    code = ", ".join(text for serial, text in texts if serial is None)
    kinds = {
        name: binding.what for frame in context.timeline.state(step - 1).frames for name, binding in frame.names.items()
    }
    return _find_readings(
        context, step, code, {name for name in _names_in(parse_code(code)) if kinds.get(name) == "value"}
    )


def _find_readings(context: FailureContext, step: int, code: str, names: set[str]) -> list[_ReadNumber]:
    """Return the readings in the code; if there are none, those in the statements that bound these names."""
    return list(_readings_in_code(context, step, code, step)) or list(
        islice(readings_by_name(context, step, names), _MAX_NUMBERS)
    )


def _readings_in_code(context: FailureContext, step: int, code: str, end: int) -> Iterator[_ReadNumber]:
    """Yield the readings in the code of a statement, or a part of it, before step `end`."""
    timeline = context.timeline
    frame = getattr(timeline.event(step), "frame", None)
    for earlier in range(end - 1, max(end - _MAX_STEPS_BACK, 0), -1):
        event = timeline.event(earlier)
        if _is_line_in(event, frame):
            break
        site = timeline.sites.get(event.site) if isinstance(event, Op) else None
        if not isinstance(event, Op) or site is None or (site.op or "").strip("_") not in _READERS or not event.inputs:
            continue
        piece = " ".join((timeline.view(earlier).code or "").split())
        if event.inputs[0] is not None and piece and piece in " ".join(code.split()):
            yield _ReadNumber(earlier, event.inputs[0], piece, _strip_readers(piece))
    state = timeline.state(end - 1)
    names = {**names_of(state, MODULE), **names_of(state)}
    calls = [node for node in ast.walk(parse_code(code)) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        if isinstance(node.func, ast.Name) and node.func.id in _NUMBER_TYPES and node.args:
            serials = [names[name] for name in _names_in(node.args[0]) if name in names]
            tensor = next((serial for serial in serials if state.tensors[serial].requires_grad), None)
            if tensor is not None:
                yield _ReadNumber(end, tensor, ast.unparse(node), ast.unparse(node.args[0]))


def readings_by_name(context: FailureContext, step: int, names: set[str]) -> Iterator[_ReadNumber]:
    """Yield the readings in the statements that bound these names before a step."""
    timeline, columns = context.timeline, context.timeline.columns
    frame = getattr(timeline.event(step), "frame", None)
    for earlier in range(step - 1, max(step - _MAX_STEPS_BACK, 0), -1):
        if not names:
            return
        if columns.kinds[earlier - 1] != LINE:
            continue
        bound, read_names, is_rebinding = _bindings(context.header_code(timeline.sites.get(columns.sites[earlier - 1])))
        if not bound & names or getattr(timeline.event(earlier), "frame", None) != frame:
            continue
        end = next((later for later in range(earlier + 1, step) if _is_line_in(timeline.event(later), frame)), step)
        readings = list(_readings_in_code(context, step, timeline.view(earlier).code or "", end))
        yield from readings
        names = (names - bound if is_rebinding else names) | (set() if readings else read_names)


def _is_line_in(event: Event, frame: int | None) -> bool:
    """Return whether an event begins a statement in a frame."""
    return isinstance(event, Line) and event.frame == frame


@lru_cache(maxsize=1024)
def _bindings(code: str) -> tuple[set[str], set[str], bool]:
    """Return the names that a statement binds, the names it reads, and whether the old values are replaced."""
    statement = parse_statement(code)
    if isinstance(statement, ast.Assign):
        names = {name for target in statement.targets for name in _names_in(target)}
        return names, _names_in(statement.value), True
    if isinstance(statement, ast.AugAssign):
        return _names_in(statement.target), _names_in(statement.value), False
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in ("append", "extend"):
        return _names_in(call.func.value), {name for argument in call.args for name in _names_in(argument)}, False
    return set(), set(), False


def _names_in(tree: ast.AST) -> set[str]:
    """Return the names in a piece of code."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _first_call(context: FailureContext, step: int) -> ast.Call | None:
    """Return the first call in the code of a step; None if there is none."""
    tree = parse_code(context.timeline.view(step).code)
    return next((node for node in ast.walk(tree) if isinstance(node, ast.Call)), None)


def _strip_readers(code: str) -> str:
    """Return `w * 2` of `(w * 2).detach().numpy()`."""
    tree = parse_code(code)
    node = tree.body[0].value if tree.body and isinstance(tree.body[0], ast.Expr) else None
    while isinstance(node, (ast.Call, ast.Attribute)):
        inner = node.func if isinstance(node, ast.Call) else node
        if not isinstance(inner, ast.Attribute) or inner.attr not in (*_READERS, "detach", "cpu", "data", "clone"):
            break
        node = inner.value
    return code if node is None else ast.unparse(node)


# ---------------------------------------------------------------- from a result back to the cut

_MAX_OPERATIONS = 200
"""Maximum operations followed back."""
_MAX_PASSES = 20
"""Maximum passes searched for the one that returned a gradient."""


@dataclass(frozen=True)
class Cut:
    """The operation at which a history was lost, and a sentence that says how."""

    step: int
    why: str


def find_cut(context: FailureContext, tensor: int, before: int, target: int | None = None) -> Cut | None:
    """Return the last place at which the history of a tensor was lost; None if there is none.

    Args:
        before: The step to go back from.
        target: A tensor whose history must be lost there.
    """
    data_cut = _data_cut(context, tensor, before) if target is None else None
    if data_cut is not None:
        return data_cut
    for step, op in ancestors(context, tensor, before):
        inputs = _lost_inputs(context, step, op)
        if inputs and (target is None or any(is_computed_from(context, each, step, target) for each in inputs)):
            return Cut(step, _describe_cut(context, step, op))
        for code, readings in _unrecorded_constructors(context, step, op):
            with_history = [each for each in readings if _has_history(context, each.tensor, each.step)]
            if with_history and (
                target is None
                or any(is_computed_from(context, each.tensor, each.step, target) for each in with_history)
            ):
                return Cut(step, _describe_reading_cut(context.place_of(step, code), with_history))
    return None if target is not None else _gradient_cut(context, tensor, before)


def _gradient_cut(context: FailureContext, tensor: int, before: int) -> Cut | None:
    """Return the pass that gave an ancestor as a gradient without a graph; None if there is none."""
    timeline = context.timeline
    sources = {
        tensor,
        *(serial for _, op in ancestors(context, tensor, before) for serial in op.inputs if serial is not None),
    }
    for info in reversed([info for info in timeline.passes if info.start_step < before][-_MAX_PASSES:]):
        event = timeline.event(info.start_step)
        if not isinstance(event, Backward) or event.create_graph:
            continue
        for step in range(info.start_step + 1, min(info.end_step or before, before) + 1):
            for recorded in (timeline.event(step), *timeline.following(step)):
                gradient = (
                    recorded.result
                    if isinstance(recorded, Captured)
                    else recorded.grad
                    if isinstance(recorded, Accumulate)
                    else None
                )
                if gradient in sources:
                    return Cut(info.start_step, _(
                        "{place} gave the gradients that it is computed from, and these have a history only if that "
                        "is asked for: write create_graph=True there.", place=context.place_of(info.start_step),
                    ))  # fmt: skip
    return None


def ancestors(context: FailureContext, tensor: int, before: int) -> Iterator[tuple[int, Op]]:
    """Yield the operations that a tensor was computed by with their steps, latest first, also through plain numbers."""
    waiting = [(tensor, before)]
    seen: set[int] = set()
    while waiting and len(seen) < _MAX_OPERATIONS:
        serial, limit = waiting.pop(0)
        producer = context.producer(serial, before=limit)
        if producer is None or producer[0] in seen:
            continue
        step, op = producer
        seen.add(step)
        yield step, op
        waiting += [(input_serial, step) for input_serial in _inputs_of(context, step, op)]
        waiting += [(input_serial.tensor, input_serial.step) for input_serial in _taken_numbers(context, step)]
        waiting += [
            (input_serial.tensor, input_serial.step)
            for _, readings in _unrecorded_constructors(context, step, op)
            for input_serial in readings
        ]


def _data_cut(context: FailureContext, tensor: int, before: int) -> Cut | None:
    """Return the statement `v = w.data` that an ancestor comes from, which runs no operation; None if there is none."""
    timeline = context.timeline
    sources = {
        tensor,
        *(each for _, op in ancestors(context, tensor, before) for each in op.inputs if each is not None),
    }
    for serial in sources:
        candidate = timeline.state(before - 1).tensors.get(serial)
        if (
            candidate is None
            or candidate.requires_grad
            or candidate.label is None
            or context.producer(serial, before) is not None
        ):
            continue
        for step in range(before - 1, max(before - _MAX_STEPS_BACK, 0), -1):
            code = (timeline.view(step).code or "") if timeline.kind(step) == "line" else ""
            data = _data_source(code, candidate.label)
            if data is not None:
                return Cut(step, _describe_data_cut(context.place_of(step), data))
    return None


def _data_source(code: str, name: str) -> str | None:
    """Return `(w * 2).sum()` of the statement `y = (w * 2).sum().data`; None for any other statement."""
    statement = parse_statement(code)
    value = statement.value if isinstance(statement, ast.Assign) else None
    if not isinstance(statement, ast.Assign) or not isinstance(value, ast.Attribute) or value.attr != "data":
        return None
    return parenthesize(ast.unparse(value.value)) if ast.unparse(statement.targets[0]) == name else None


def _describe_data_cut(place: str, name: str) -> str:
    """Say that `.data` has no history."""
    return _(
        "{place} uses {name}.data, which is the same memory without the history. Write {name} alone where gradients "
        "should flow.", place=place, name=name,
    )  # fmt: skip


def is_computed_from(context: FailureContext, tensor: int, before: int, target: int) -> bool:
    """Return whether a tensor is another one, or was computed from it."""
    return tensor == target or any(target in op.inputs for _, op in ancestors(context, tensor, before))


def _lost_inputs(context: FailureContext, step: int, op: Op) -> list[int]:
    """Return the inputs of an operation that have a history, if its result has none."""
    before, after = context.timeline.state(step - 1), context.timeline.state(step)
    results = [after.tensors[serial] for serial in op.outputs if serial in after.tensors]
    if any(result.node is not None for result in results):
        return []
    if all(result.requires_grad for result in results) and op.inputs[:1] == op.outputs[:1]:
        return []  # a leaf that was changed in place
    inputs = [
        each for each in _inputs_of(context, step, op) if each in before.tensors and before.tensors[each].requires_grad
    ]
    return inputs or [
        each.tensor for each in _taken_numbers(context, step) if _has_history(context, each.tensor, each.step)
    ]


def _inputs_of(context: FailureContext, step: int, op: Op) -> list[int]:
    """Return the inputs of an operation; of `nn.Parameter(w * 2)`, which records none, the tensor in its code."""
    inputs = [each for each in op.inputs if each is not None]
    site = context.timeline.sites.get(op.site)
    if inputs or site is None or site.op != "Parameter":
        return inputs
    calls = [node for node in ast.walk(parse_code(context.timeline.view(step).code)) if isinstance(node, ast.Call)]
    source = ast.unparse(calls[0].args[0]) if calls and calls[0].args else ""
    serial = names_of(context.timeline.state(step - 1)).get(source)
    last = context.timeline.event(step - 1)
    if serial is None and isinstance(last, Op) and context.timeline.sites[last.site].statement == site.statement:
        return last.outputs[:1]
    return [] if serial is None else [serial]


def _has_history(context: FailureContext, tensor: int, step: int) -> bool:
    """Return whether a tensor, or one that it was computed from, requires grad."""
    candidates = [
        (tensor, step),
        *((each, limit) for limit, op in ancestors(context, tensor, step) for each in _inputs_of(context, limit, op)),
    ]
    tensors = (context.timeline.state(limit - 1).tensors.get(each) for each, limit in candidates)
    return any(each is not None and each.requires_grad for each in tensors)


def _describe_cut(context: FailureContext, step: int, op: Op) -> str:
    """Say how an operation lost the history of its inputs, and what to do."""
    site = context.timeline.sites.get(op.site)
    name, place = (site.op if site is not None else None) or "", context.place_of(step)
    data = _name_of_data(context.timeline, step, op)
    if data is not None:
        return _describe_data_cut(place, data)
    if _makes_tensor(name):
        return _describe_constructor_cut(context, step)
    inputs = [context.timeline.state(step - 1).tensors.get(serial) for serial in _inputs_of(context, step, op)]
    if not any(each is not None and each.requires_grad for each in inputs):
        return _describe_number_cut(place, _taken_numbers(context, step))
    if _is_integer_result(context, step, op):
        return _(
            "{place} gives a result that has no derivative. Compute the loss from what it was given, with operations "
            "that have one.", place=place,
        )  # fmt: skip
    after = context.timeline.state(step).tensors
    results = [after[serial] for serial in op.outputs if serial in after]
    if any(result.requires_grad for result in results):
        return _(
            "{place} made a new leaf: the history of what it was given is left behind. Use that itself.", place=place
        )
    if op.grad_enabled or name in ("detach", "detach_"):
        return _("{place} cut it off. Leave that out where gradients should flow.", place=place)
    return _describe_rebinding(context, step) or _(
        "{place} ran while gradients were switched off (torch.no_grad or the like). Compute it outside of that block.",
        place=place,
    )  # fmt: skip


def _is_integer_result(context: FailureContext, step: int, op: Op) -> bool:
    """Return whether an operation returned integers or truth values."""
    after = context.timeline.state(step).tensors
    return any(after[serial].dtype.startswith(("int", "uint", "bool")) for serial in op.outputs if serial in after)


def _describe_rebinding(context: FailureContext, step: int) -> str | None:
    """Explain a parameter's name that was bound to a new tensor under `no_grad`; None for any other statement."""
    code = context.statement_of(step)
    body = [] if code is None else parse_code(code).body
    assignment = body[0] if len(body) == 1 else None
    if not isinstance(assignment, ast.Assign) or len(assignment.targets) != 1:
        return None
    name = ast.unparse(assignment.targets[0])
    before = context.timeline.state(step - 1)
    tensor = before.tensors.get(names_of(before).get(name, 0))
    if tensor is None or not (tensor.is_leaf and tensor.requires_grad):
        return None
    return _(
        "{place} ran under no_grad and gave the name {name} to a new tensor that does not require grad; the leaf was "
        "left behind. Change the leaf itself, in place, in the same block: `{fix}`.",
        place=context.place_of(step), name=name, fix=format_inplace(name, assignment.value),
    )  # fmt: skip


def format_inplace(name: str, value: ast.expr) -> str:
    """Return code that writes a value into a tensor: `w -= lr * w.grad` of `w - lr * w.grad`."""
    if isinstance(value, ast.BinOp) and ast.unparse(value.left) == name:
        return ast.unparse(ast.AugAssign(ast.Name(name), value.op, value.right))
    return f"{name}.copy_({ast.unparse(value)})"


_DATA_ASSIGNMENT = re.compile(r"^(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<whole>[A-Za-z_][\w.\[\]]*)\.data\s*$")


@silent_mistake("op", priority=2)
def explain_ungraphed(context: StepContext) -> Diagnosis | None:
    """Say why an operation built no graph, unless it would build none anyway."""
    event, site = context.event, context.site
    if not isinstance(event, Op) or site is None or site.op is None or site.depth:
        return None
    text = _describe_ungraphed(context, event, site)
    return None if text is None else Diagnosis(text, role="quiet")


def _describe_ungraphed(context: StepContext, event: Op, site: SiteInfo) -> str | None:
    """Return why an operation built no graph; None if it built one, or would build none anyway."""
    timeline, step, state = context.timeline, context.step, context.state
    inputs = [state.tensors[serial] for serial in event.inputs if serial in state.tensors]
    results = [state.tensors[serial] for serial in event.outputs if serial in state.tensors]
    data = _name_of_data(timeline, step, event)
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
    if event.grad_enabled or not results:
        return None
    if results[0].requires_grad and (site.inplace or results[0].node is not None):
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


def _name_of_data(timeline: Timeline, step: int, event: Op) -> str | None:
    """Return the name of an input that requires grad and was passed as `.data`; None if there is none."""
    for serial, text in zip(event.inputs, op_texts(timeline, step) or (), strict=False):
        name = text.removesuffix(".data")
        if name == text:
            continue
        state = timeline.state(step)
        for tensor in (state.tensors.get(serial or 0), state.tensors.get(names_of(state).get(name, 0))):
            if tensor is not None and tensor.requires_grad:
                return name
    return None


@silent_mistake("line", priority=2)
def explain_data_assignment(context: StepContext) -> Diagnosis | None:
    """Say what the `v` of a statement `v = w.data` is, which runs no operation."""
    match = _DATA_ASSIGNMENT.search(context.timeline.view(context.step).code or "")
    return None if match is None else Diagnosis(_describe_data(match["whole"]), role="quiet")


def _describe_data(name: str) -> str:
    """Say what `.data` is."""
    return _(".data is the same memory as {name}, but autograd does not see what is done with it", name=name)


def _function_method(timeline: Timeline, site: SiteInfo) -> str | None:
    """Return `forward` or `backward` if an operation's code is in that method of an `autograd.Function`, else None."""
    if site.function not in ("forward", "backward"):
        return None
    text = timeline.definitions.text(site.file)
    blocks = [] if text is None else text.covering(site.span[0])
    class_node = next((block for block, _, _ in blocks if isinstance(block, ast.ClassDef)), None)
    bases = [] if class_node is None else [ast.unparse(base) for base in class_node.bases]
    return site.function if any(base.split(".")[-1] == "Function" for base in bases) else None


def _is_repeated(timeline: Timeline, step: int, event: Op) -> bool:
    """Return whether an earlier operation of the same call had an input that requires grad as well."""
    for earlier in range(step - 1, max(step - _MAX_STEPS_BACK, 0), -1):
        earlier_op = timeline.event(earlier)
        if isinstance(earlier_op, Op) and earlier_op.frame == event.frame:
            tensors = timeline.state(earlier).tensors
            requires_grad = any(serial in tensors and tensors[serial].requires_grad for serial in earlier_op.inputs)
            if requires_grad and not earlier_op.grad_enabled:
                return True
    return False
