"""Say where a nan or inf began, in the learner's names and numbers: its cause, how far it came, and a fix."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tutor.explain import formatting
from tutor.explain.mistakes.context import StepContext
from tutor.explain.mistakes.wrong_gradients import explain_first_nonfinite
from tutor.explain.provenance import UNFILLED, RecordedOp, recorded_operation
from tutor.explain.rules.arrays import Grid
from tutor.explain.rules.registry import Operand
from tutor.i18n import N_, _
from tutor.trace.events import Op
from tutor.trace.nonfinite import Origin
from tutor.trace.number_format import number
from tutor.trace.timeline import Timeline

_LARGEST = {
    "float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38,
    "float64": 1.7976931348623157e308,
}  # fmt: skip
"""The largest number of each dtype."""
_GREW = 100.0
"""Factor by which a loss has grown when it counts as diverged."""
_NAME = re.compile(r"[^\W\d][\w.]*(\[[^\]]*\])*")
"""A variable, an attribute or an item: short enough to be repeated in a sentence."""


@dataclass(frozen=True)
class NonFiniteReport:
    """What is said of an origin of nan or inf; empty where there is nothing to say."""

    sentence: str
    """What is nan, and why."""
    chain: str
    """What it came to, with steps: `y 17 → loss 21 → w.grad 30`."""
    fix: str = ""


@dataclass(frozen=True)
class _Cause:
    """The elements at which an operation gave nan or inf, and what its operands are there."""

    condition: str
    """`s is negative`"""
    operand: Operand
    """The operand to show."""
    fix: str = ""


def report(timeline: Timeline, origin: Origin) -> NonFiniteReport:
    """Return what to say of an origin."""
    chain = _chain(timeline, origin)
    if origin.kind == "node":
        diagnosis = explain_first_nonfinite(StepContext(timeline, origin.step))
        if isinstance(diagnosis, list) or diagnosis is None:
            text = N_("a backward node made the first {kind}, of gradients that are finite")
            return NonFiniteReport(_(text, kind=origin.name), chain)
        return NonFiniteReport(formatting.listed([diagnosis.sentence, diagnosis.fix]), chain)
    made = recorded_operation(timeline, origin.step)
    if origin.kind == "given":
        return NonFiniteReport(_given(timeline, origin, made), chain, _fix_for_data(timeline, origin, made))
    if made is None:
        return NonFiniteReport(_counted(origin, _label(timeline, origin)), chain)
    cause = _cause(made)
    growth = _growth(timeline, origin.step)
    if cause is not None:
        return NonFiniteReport(_because(timeline, made, cause), chain, growth or cause.fix)
    if _is_overflow(made):
        text = N_("{equation} is inf: too large for {dtype}, which ends at {largest}")
        if origin.counts.size > 1:
            text = N_("{equation} is inf in {count} of {size} elements: too large for {dtype}, which ends at {largest}")
        sentence = _(
            text, equation=_equation(timeline, made), count=origin.counts.infinities, size=origin.counts.size,
            dtype=made.dtype, largest=number(_LARGEST[made.dtype]),
        )  # fmt: skip
        return NonFiniteReport(sentence, chain, growth)
    return NonFiniteReport(_counted(origin, _equation(timeline, made)), chain, growth)


# ---------------------------------------------------------------- what is said of it


def _counted(origin: Origin, equation: str) -> str:
    """Return that an operation made it, where its cause is not known."""
    counts = origin.counts
    text = N_("{equation} is {kind}, and nothing that it was given is")
    if counts.size > 1:
        text = N_("{equation} is {kind} in {count} of {size} elements, and nothing that it was given is")
    count = counts.nans or counts.infinities
    return _(text, equation=equation, kind=origin.name, count=count, size=counts.size)


def _because(timeline: Timeline, made: RecordedOp, cause: _Cause) -> str:
    """Return the sentence with the first element that shows the cause."""
    bad = _nonfinite_places(made.result)
    operand, result = cause.operand, made.result
    grid, first = operand.numbers, bad[0]
    kinds = dict.fromkeys(_kind_of(result.numbers.flat[place]) for place in bad)
    values = {"equation": _equation(timeline, made), "kind": " / ".join(kinds), "condition": cause.condition}
    if len(result.numbers.flat) == 1:
        return _("{equation} is {kind}, since {condition}", **values)
    text = _(
        "{equation} is {kind} where {condition}: {count} of its {size} elements",
        count=len(bad), size=len(result.numbers.flat), **values,
    )  # fmt: skip
    if len(grid.flat) != len(result.numbers.flat) or not _NAME.fullmatch(operand.name):
        return text
    place = ", ".join(map(str, _index(first, grid.shape)))
    return _("{said}, {example}", said=text, example=f"{operand.name}[{place}] = {number(grid.flat[first])}")


def _given(timeline: Timeline, origin: Origin, made: RecordedOp | None) -> str:
    counts, kind = origin.counts, origin.name
    values = {"kind": kind, "count": counts.nans or counts.infinities, "size": counts.size}
    event = timeline.event(origin.step)
    if made is None or not isinstance(event, Op):
        text = N_("{name} has {kind} in {count} of {size} elements, which no recorded operation put there")
        return _(text, name=_label(timeline, origin), **values)
    equation = _equation(timeline, made)
    if made.op in UNFILLED:
        text = N_("{equation} is memory that was not filled: {kind} in {count} of {size} elements")
    elif any(tensor is not None for tensor in event.inputs) and _finite_inputs(made):
        text = N_("{equation} puts {kind} into {count} of {size} elements")
    else:
        text = N_("{equation} has {kind} in {count} of {size} elements from the beginning")
    return _(text, equation=equation, **values)


def _finite_inputs(made: RecordedOp) -> bool:
    return all(
        operand.grid is not None and all(map(math.isfinite, operand.grid.flat))
        for operand in made.operands
        if operand.tensor is not None
    )


def _fix_for_data(timeline: Timeline, origin: Origin, made: RecordedOp | None) -> str:
    name = _label(timeline, origin)
    if not origin.counts.nans or made is None or not made.named or not name.isidentifier():
        return ""
    return _("torch.isnan({name}) finds them: leave them out, or replace them", name=name)


def _equation(timeline: Timeline, made: RecordedOp) -> str:
    """Return `y = torch.sqrt(s)`; inside of a composite, `log in F.gaussian_nll_loss(…)`."""
    if made.code is None:
        code = formatting.code(timeline.view(made.step).code)
        return _("{operation} in {code}", operation=made.op, code=code) if code else made.op
    code = formatting.code(made.code)
    name = made.result.name
    return f"{name} = {code}" if made.named and name != code and "%" not in name else code


def _named(operand: Operand) -> str:
    """Return the name of an operand; words for it where it has none, or only code."""
    return operand.name if _NAME.fullmatch(operand.name) or operand.tensor is None else _("its input")


def _label(timeline: Timeline, origin: Origin) -> str:
    """Return the name of the tensor that had it first, or its node."""
    if origin.tensor is None:
        node = getattr(timeline.event(origin.step), "node", None)
        state = timeline.state(origin.step).nodes.get(node or 0)
        return _("a gradient") if state is None else state.name
    made = recorded_operation(timeline, origin.step)
    if made is not None and made.result.tensor == origin.tensor and "%" not in made.result.name:
        return formatting.code(made.result.name, 24)
    return formatting.label(timeline.state(origin.step), origin.tensor) or _("a tensor")


def _chain(timeline: Timeline, origin: Origin) -> str:
    """Return what it came to, in order; empty where it came to nothing."""
    first = _label(timeline, origin)
    links: list[tuple[int, list[str]]] = []
    for what in ("loss", "grad", "parameter"):
        places = [place for place in origin.reached if place.what == what and place.step > origin.step]
        texts = []
        for place in places:
            name = formatting.label(timeline.state(place.step), place.tensor) or ""
            name = f"{formatting.code(name, 24)}{'.grad' * (what == 'grad')}"
            texts += [f"{name} {place.step:,}"] if name != first else []  # a loss may be what was nan first
        if texts:
            links.append((places[0].step, texts))
    if origin.first_nan is not None:
        links.append((origin.first_nan, [f"nan {origin.first_nan:,}"]))
    groups = [[f"{first} {origin.step:,}"], *(texts for _step, texts in sorted(links))]
    return " → ".join(", ".join(group) for group in groups) if links else ""


def _growth(timeline: Timeline, step: int) -> str:
    """Return that the loss has grown up to a step, and so what to change; empty where it has not."""
    for name, points in timeline.series.items():
        values = [point.value for point in points if point.step <= step and math.isfinite(point.value)]
        if len(values) > 1 and abs(values[-1]) > _GREW * max(abs(values[0]), 1e-12):
            text = N_("a smaller learning rate: {name} grew from {first} to {last} in {count} passes")
            return _(text, name=name, first=number(values[0]), last=number(values[-1]), count=len(values))
    return ""


# ---------------------------------------------------------------- causes


def _nonfinite_places(result: Operand) -> list[int]:
    grid = result.grid
    return [] if grid is None else [place for place, x in enumerate(grid.flat) if not math.isfinite(x)]


def _kind_of(x: float) -> str:
    return "nan" if math.isnan(x) else "inf" if x > 0 else "-inf"


def _index(flat: int, shape: Sequence[int]) -> list[int]:
    places = []
    for size in reversed(shape):
        places.append(flat % size)
        flat //= size
    return places[::-1] or [0]


Test = Callable[[float], bool]
_NEGATIVE, _ZERO = N_("{x} is negative"), N_("{x} is 0")
_NOT_POSITIVE = N_("{x} is 0 or negative")
_OUTSIDE, _AT_ONE = N_("{x} is not within -1 and 1"), N_("{x} is 1 or -1")
_LOGARITHM: list[tuple[str, Test]] = [
    (_NEGATIVE, lambda x: x < 0), (_ZERO, lambda x: x == 0), (_NOT_POSITIVE, lambda x: x <= 0),
]  # fmt: skip
_UNARY: dict[str, list[tuple[str, Test]]] = {
    "sqrt": [(_NEGATIVE, lambda x: x < 0)],
    "rsqrt": _LOGARITHM,
    "log": _LOGARITHM,
    "log2": _LOGARITHM,
    "log10": _LOGARITHM,
    "log1p": [(N_("{x} is below -1"), lambda x: x < -1), (N_("{x} is -1"), lambda x: x == -1)],
    "reciprocal": [(_ZERO, lambda x: x == 0)],
    "asin": [(_OUTSIDE, lambda x: abs(x) > 1)],
    "acos": [(_OUTSIDE, lambda x: abs(x) > 1)],
    "atanh": [(_OUTSIDE, lambda x: abs(x) > 1), (_AT_ONE, lambda x: abs(x) == 1)],
    "acosh": [(N_("{x} is below 1"), lambda x: x < 1)],
    "logit": [
        (N_("{x} is 0 or 1"), lambda x: x in (0, 1)), (N_("{x} is not within 0 and 1"), lambda x: not 0 <= x <= 1),
    ],
}  # fmt: skip
_EXPONENTIALS: dict[str, Callable[[float], float]] = {"exp": math.log, "expm1": math.log, "exp2": math.log2}
_ABOVE = N_("{x} is above {limit}")
_QUOTIENTS = ("div", "truediv", "true_divide", "rdiv", "rtruediv", "itruediv")
_DIFFERENCES = ("add", "sub", "radd", "rsub", "iadd", "isub")
_OVERFLOWING = (
    *_DIFFERENCES, "mul", "rmul", "imul", "pow", "square", "matmul", "mm", "bmm", "mv", "dot", "addmm", "linear", "sum",
    "mean", "prod", "cumsum", "cumprod", "einsum", "mse_loss", "half", "to", "bfloat16", "float", "addcmul", "var",
    "conv1d", "conv2d", *_QUOTIENTS,
)  # fmt: skip
"""Operations whose result is infinite only where it is too large for its dtype, if they are given finite numbers and
divide by none that is 0."""


def _cause(made: RecordedOp) -> _Cause | None:
    """Return the condition that holds at exactly the elements that are nan or inf; None where none is known."""
    bad, op = _nonfinite_places(made.result), made.op.strip("_")
    operands = [operand for operand in made.operands if operand.grid is not None]
    if not bad or not operands:
        return None
    if op == "nll_loss" and len(operands) > 1:
        ignored = made.arguments.get("ignore_index", -100)
        is_ignored = all(x == ignored for x in operands[1].numbers.flat)
        return (
            _Cause(_("all targets are {number}, which do not count", number=ignored), operands[1])
            if is_ignored
            else None
        )
    first = operands[0]
    if op in _UNARY:
        for condition, test in _UNARY[op]:
            if _places(first.numbers, test) == bad:
                return _Cause(_(condition, x=_named(first)), first, _clamp(first, op))
    if op in _EXPONENTIALS and made.dtype in _LARGEST:
        limit = _EXPONENTIALS[op](_LARGEST[made.dtype])
        if _places(first.numbers, lambda x: x > limit) == bad:
            return _Cause(_(_ABOVE, x=_named(first), limit=number(limit)), first)
    if op in ("softmax", "log_softmax"):
        return _empty_rows(made, first, bad)
    if op == "mean" and not first.numbers.flat:
        return _Cause(_("it is the mean of no elements"), first)
    if op in ("var", "std") and len(first.numbers.flat) == 1:
        return _Cause(_("it is taken of one element, which has no spread"), first)
    return _binary_cause(made, op, operands, bad) if len(operands) == 2 else None


def _places(grid: Grid, test: Test) -> list[int]:
    return [place for place, x in enumerate(grid.flat) if test(x)]


def _binary_cause(made: RecordedOp, op: str, operands: Sequence[Operand], bad: list[int]) -> _Cause | None:
    try:
        a, b = (operand.numbers.expand(made.result.shape).flat for operand in operands)
    except (ValueError, LookupError):
        return None
    left, right = operands
    if op in _QUOTIENTS:
        divisor, numbers, above = (left, a, b) if op in ("rdiv", "rtruediv") else (right, b, a)
        if [place for place, x in enumerate(numbers) if x == 0] != bad:
            return None
        if all(above[place] == 0 for place in bad):
            return _Cause(_("it is 0 / 0"), divisor, _avoid_zero(divisor))
        condition = _("the divisor is 0") if not _NAME.fullmatch(divisor.name) else _(_ZERO, x=divisor.name)
        return _Cause(condition, divisor, _avoid_zero(divisor))
    if op == "pow":
        conditions: list[tuple[str, Callable[[float, float], bool]]] = [
            (N_("{x} is negative and its exponent {p} is no whole number"), lambda x, p: x < 0 and p % 1 != 0),
            (N_("{x} is 0 and its exponent {p} is negative"), lambda x, p: x == 0 and p < 0),
        ]
        for condition, test in conditions:
            if [place for place, pair in enumerate(zip(a, b, strict=True)) if test(*pair)] == bad:
                return _Cause(_(condition, x=_named(left), p=_named(right)), left, _clamp(left, op))
    if (
        op in _DIFFERENCES
        and [place for place, (x, y) in enumerate(zip(a, b, strict=True)) if math.isinf(x) and math.isinf(y)] == bad
    ):
        return _Cause(_("it is inf - inf"), left)
    if (
        op in ("mul", "rmul", "imul")
        and [place for place, (x, y) in enumerate(zip(a, b, strict=True)) if {abs(x), abs(y)} == {0.0, math.inf}] == bad
    ):
        return _Cause(_("it is 0 × inf"), left)
    return None


def _empty_rows(made: RecordedOp, operand: Operand, bad: list[int]) -> _Cause | None:
    """Return the cause of a softmax of nothing but -inf."""
    dim, shape = made.arguments.get("dim"), operand.shape
    if not isinstance(dim, int) or not shape:
        return None
    stride = math.prod(shape[dim % len(shape) + 1 :])
    size = shape[dim % len(shape)]
    flat = operand.numbers.flat
    hits = []
    for place in range(len(flat)):
        start = place - place // stride % size * stride
        if all(x == -math.inf for x in flat[start : start + stride * size : stride]):
            hits.append(place)
    if hits != bad:
        return None
    condition = _("all numbers along dim {dim} are -inf", dim=dim)
    return _Cause(condition, operand, _("leave a finite number in each row: do not mask all of it"))


def _is_overflow(made: RecordedOp) -> bool:
    """Return whether the result is infinite since it is too large for its dtype."""
    op = made.op.strip("_")
    result = made.result.grid
    only_infinite = result is not None and not any(map(math.isnan, result.flat))
    if op not in _OVERFLOWING or made.dtype not in _LARGEST or not only_infinite or not _finite_inputs(made):
        return False
    divides = op in _QUOTIENTS or op == "pow"
    return not divides or all(operand.grid is not None and 0 not in operand.grid.flat for operand in made.operands)


# ---------------------------------------------------------------- fixes


def _clamp(operand: Operand, op: str) -> str:
    """Return an input kept where the operation is finite; empty where it has no name."""
    if operand.tensor is None or not _NAME.fullmatch(operand.name) or op not in (*_POSITIVE, "asin", "acos"):
        return ""
    limits = "-1, 1" if op in ("asin", "acos") else "min=1e-6"
    return _("{new} in place of {old}", new=f"{operand.name}.clamp({limits})", old=operand.name)


_POSITIVE = ("sqrt", "rsqrt", "log", "log2", "log10", "pow")
"""Operations that are finite above 0."""


def _avoid_zero(operand: Operand) -> str:
    """Return a divisor that is not 0; empty where it has no name."""
    if operand.tensor is None or not _NAME.fullmatch(operand.name):
        return ""
    name = operand.name
    is_above = all(x >= 0 for x in operand.numbers.flat)
    new = f"{name}.clamp(min=1e-8)" if is_above else f"torch.where({name} == 0, 1.0, {name})"
    return _("{new} in place of {old}", new=new, old=name)
