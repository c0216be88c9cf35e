"""What the prose of a lesson says of the run: values, comparisons and numbers, and whether the run agrees.

A value ("`w.grad` is 4") or comparison ("`w` is above 2") is wrong if the run knows the name and it is never so at any
step: text also speaks of earlier and later values. Conditional sentences and questions are ignored.

Where a knob is turned, what was so at the step at which the text stands must still be so. A number without a name
("after 580 iterations") means all names that have that value there: it is wrong if none of them has it any more.
Numbers of the lesson's code, and whole numbers of one digit, mean nothing.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tutor.explain.expressions import look_up
from tutor.lesson import answers
from tutor.lesson.markdown import blocks, live_values
from tutor.lesson.model import UNPARSED, Cell, Lesson
from tutor.trace import values
from tutor.trace.names import names_of
from tutor.trace.number_format import number
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

MAX_STEPS_READ = 2_000
"""Maximum steps at which the value of a name is read."""

_NAME = r"(?P<name>[A-Za-z_]\w*(?:\.\w+|\[\d+\])*(?:\.item\(\))?)"
_NUMBER = r"[-−]?\d+(?:\.\d*)?(?:e[-+]?\d+)?"
_LIST = r"\[[-−\d\s.,\[\]e]+\]"
_VALUE = rf"(?P<value>{_NUMBER}|{_LIST}|tensor\((?:{_NUMBER}|{_LIST})\)|True|False|None)"
_BEGIN, _CLOSE = r"\s*(?:\*\*)?`?", r"`?(?:\*\*)?"
_WORDS = "and|or|but|because|since|while|then|again|now|too|not"
_END = rf"(?={_CLOSE}\s*(?:$|[,;:!?()，。；：！？（）、]|\.(?:\s|$)|(?:{_WORDS})\b|[\u4e00-\u9fff]))"
_IS = r"(?:is|was|holds|equals|becomes|stays|gives)(?:\s+(?:now|still|exactly|only|just|always))?"
_IS_ZH = r"(?:的值)?(?:现在|仍然?|还|就|正好|最终|已经|一直|始终|都)*(?:是|等于|为|变成了?|变为|得到)"
_CLAIMS = (
    re.compile(rf"(?<![\w.\]]){_NAME}`?\s*(?<![=<>!])={_BEGIN}{_VALUE}{_END}"),
    re.compile(rf"`{_NAME}`\s+{_IS}{_BEGIN}{_VALUE}{_END}"),
    re.compile(rf"`{_NAME}`\s*{_IS_ZH}{_BEGIN}{_VALUE}{_END}"),
)
_CONDITIONAL = re.compile(
    r"\b(?:if|suppose|would|were|imagine|say|try|instead|change|set|wrong|think)\b"
    r"|如果|假如|假设|倘若|若|要是|试试|改成|改为|设为|设成|以为|会是",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"(?:\b(?:where|when|whenever|while|once|until|unless|for|with|at)\s+|当\s*|(?<!现)在\s*)`?$", re.IGNORECASE
)
_WHEN_ZH = re.compile(r"`?\s*(?:时|的时候|的地方|处|的话|之前|以前)")
_OTHER = rf"`?(?:(?P<other>[A-Za-z_]\w*(?:\.\w+|\[\d+\])*(?:\.item\(\))?)|(?P<number>{_NUMBER}))`?"
_DEGREE = r"(?:(?:far|much|well|still|now|even|just|slightly|already|always|clearly)\s+|a\s+little\s+)*"
_DEGREE_ZH = "(?:现在|仍然?|还|都|就|已经?|始终|一直|总)*"
_COMPARISONS = (
    re.compile(
        rf"`{_NAME}`\s+(?:is|was|stays|remains)\s+{_DEGREE}"
        rf"(?:(?P<more>larger|greater|higher|more)\s+than|(?P<above>above|over)"
        rf"|(?P<less>smaller|less|lower|fewer)\s+than|(?P<below>below|under))\s+{_OTHER}(?![\w.%]*\d)"
    ),
    re.compile(rf"`{_NAME}`\s*{_DEGREE_ZH}(?:(?P<more>大于|高于|超过|多于)|(?P<less>小于|低于|少于|不到))\s*{_OTHER}"),
    re.compile(rf"`{_NAME}`\s*{_DEGREE_ZH}比\s*{_OTHER}\s*(?:还|要|更)*(?:(?P<more>[大高多])|(?P<less>[小低少]))"),
)
_CODE_SPAN = re.compile(r"`[^`]*`")
_NUMBER_SPAN = re.compile(rf"`{_NUMBER}`")
_LONE_NUMBER = re.compile(r"(?<![\w.,/×:^-])(?<!\d )[-−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w/×:^%]|[.,]\d)")
_LIST_MARK = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
_MAX_ELEMENTS = 20
"""Maximum elements of a list or tensor whose numbers a text may mean."""


@dataclass(frozen=True)
class Statement:
    """What a text says of a name: a value, or how it compares with another name or a number."""

    line: int
    """Line in the file."""
    name: str
    said: str
    """The value, or the comparison: `> 2`."""
    more: bool | None = None
    """Of a comparison, whether the name is said to be the larger one; None for a value."""
    other: str = ""
    """Of a comparison: a name, or a number."""

    def holds(self, state: State) -> bool | None:
        """Return whether a state agrees; None if it does not know the names."""
        value = _value_of(state, self.name)
        if value is _UNKNOWN:
            return None
        if self.more is None:
            return agrees(self.said, value)
        left, right = answers.unwrap(value), self._other_value(state)
        if not _is_number(left) or not _is_number(right):
            return None
        return bool(left > right if self.more else left < right)

    def _other_value(self, state: State) -> Any:
        try:
            return float(self.other.replace("−", "-"))
        except ValueError:
            return answers.unwrap(_value_of(state, self.other))

    def value_at(self, state: State) -> str:
        """Return the value of the name, to be shown."""
        value = _value_of(state, self.name)
        return "…" if value is _UNKNOWN else answers.format_answer(value)


@dataclass(frozen=True)
class LoneNumber:
    """A number in a text that no name is said to have."""

    line: int
    text: str


@dataclass(frozen=True)
class Moment:
    """A run, and the step at which a text stands in it."""

    timeline: Timeline
    step: int

    @cached_property
    def state(self) -> State:
        """The state at that step."""
        return self.timeline.state(self.step)

    @cached_property
    def numbers(self) -> dict[str, float]:
        """The numbers that the program has names for, by the text that reads them."""
        return dict(_numbers(self.state))


# ---------------------------------------------------------------- what a text says


def statements(cell: Cell) -> Iterator[Statement]:
    """Yield what the texts of a cell say of names."""
    for language, text in cell.text.items():
        first, plain = cell.text_lines[language], _running_text(text, cell)
        for pattern in _CLAIMS:
            for match in pattern.finditer(plain):
                if _is_asserted(plain, match.start(), match.end()):
                    yield Statement(first + text[: match.start()].count("\n"), match["name"], match["value"])
        for pattern in _COMPARISONS:
            for match in pattern.finditer(plain):
                groups = match.groupdict()
                more = bool(groups.get("more") or groups.get("above"))
                other = match["other"] or match["number"].rstrip(".")
                said = f"{'>' if more else '<'} {other}"
                asserted = _is_asserted(plain, match.start(), match.end())
                if asserted and not _is_question(plain, match.end()):
                    yield Statement(first + text[: match.start()].count("\n"), match["name"], said, more, other)


def lone_numbers(cell: Cell, of_code: set[float]) -> Iterator[LoneNumber]:
    """Yield the numbers in the texts of a cell that no name is said to have, without those of the code."""
    for language, text in cell.text.items():
        plain = _running_text(text, cell)
        said = [match for pattern in (*_CLAIMS, *_COMPARISONS) for match in pattern.finditer(plain)]
        code = [match for match in _CODE_SPAN.finditer(plain) if not _NUMBER_SPAN.fullmatch(match[0])]
        for match in (*said, *code, *_LIST_MARK.finditer(plain)):
            plain = plain[: match.start()] + re.sub(r"[^\n]", " ", match[0]) + plain[match.end() :]
        for match in _LONE_NUMBER.finditer(plain):
            written = match[0].replace("−", "-")
            if abs(float(written)) in of_code or re.fullmatch(r"-?\d", written):
                continue
            conditional = _CONDITIONAL.search(_sentence(plain, match.start(), match.end()))
            if not conditional and not _is_question(plain, match.end()):
                yield LoneNumber(cell.text_lines[language] + text[: match.start()].count("\n"), match[0])


def numbers_of_code(lesson: Lesson) -> set[float]:
    """Return the magnitudes of all numbers in the code of a lesson."""
    found: set[float] = set()
    for cell in lesson.code_cells:
        try:
            tree = ast.parse(cell.source)
        except UNPARSED:
            continue
        constants: list[Any] = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        found.update(abs(float(value)) for value in constants if _is_number(value))
    return found


def _running_text(text: str, cell: Cell) -> str:
    """Return a text with code blocks, live values and the options of a choice blanked out."""
    hidden = [
        (block.start, block.end)
        for block in blocks(text)
        if block.kind == "code" or (cell.question == "choice" and block.item is not None)
    ]
    for start, end in (*hidden, *((value.start, value.end) for value in live_values(text))):
        text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
    return text


def _is_asserted(text: str, start: int, end: int) -> bool:
    """Return whether what stands there is said without a condition."""
    depends = _WHEN.search(text[:start]) or _WHEN_ZH.match(text[end:])
    return not depends and not _CONDITIONAL.search(_sentence(text, start, end))


def _is_question(text: str, end: int) -> bool:
    """Return whether the sentence that goes on there is a question."""
    close = re.search(r"[.!?](?:\s|$)|[。！？]|\n\s*\n", text[end:])
    return close is not None and close[0][0] in "?？"


def _sentence(text: str, start: int, end: int) -> str:
    """Return the sentence around a part of the text."""
    before = max((match.end() for match in re.finditer(r"[.!?]\s|[。！？]|\n\s*\n", text[:start])), default=0)
    after = re.search(r"[.!?](?:\s|$)|[。！？]|\n\s*\n", text[end:])
    return text[before : end + after.start()] if after else text[before:]


# ---------------------------------------------------------------- values of a run


_UNKNOWN = object()


def _value_of(state: State, name: str) -> Any:
    """Return the value of a name; `_UNKNOWN` if it is not known."""
    base = name.removesuffix(".item()")
    tensor, plain = look_up(state, base)
    if tensor is not None:
        return _to_list(tensor.value, tensor.dtype)
    if plain is not None:
        return plain
    owner, _, last = base.rpartition(".")
    tensor = look_up(state, owner)[0] if owner else None
    if tensor is not None and last == "grad":
        grad = None if tensor.grad is None else state.tensors.get(tensor.grad)
        return None if grad is None else _to_list(grad.value, grad.dtype)
    if tensor is not None and last in ("requires_grad", "is_leaf"):
        return getattr(tensor, last)
    return _UNKNOWN


def _to_list(value: Any, dtype: str) -> Any:
    """Return a recorded value as nested lists; `_UNKNOWN` if it is not recorded in full."""
    value_list = values.to_json(value, dtype)
    return _UNKNOWN if isinstance(value_list, dict) or value_list is None else value_list


def _cell_ends(timeline: Timeline) -> list[int]:
    """Return the last step of each cell that has ended."""
    return [cell.end for cell in timeline.cells if cell.end is not None]


def _numbers(state: State) -> Iterator[tuple[str, float]]:
    """Yield the numbers that the program has names for."""
    for frame in {id(frame): frame for frame in (*state.frames[:1], *state.frames[-1:])}.values():
        for name, serial in names_of(state, frame).items():
            tensor = state.tensors[serial]
            yield from _elements(name, _to_list(tensor.value, tensor.dtype))
            grad = None if tensor.grad is None else state.tensors.get(tensor.grad)
            if grad is not None:
                yield from _elements(f"{name}.grad", _to_list(grad.value, grad.dtype))
        for name, binding in frame.names.items():
            if binding.what == "value":
                yield from _elements(name, binding.value)


def _elements(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a value: of lists those that are not too many."""
    value = answers.unwrap(value)
    if _is_number(value):
        yield name, float(value)
    elif isinstance(value, list | tuple) and len(value) <= _MAX_ELEMENTS:
        for index, item in enumerate(value):
            yield from _elements(f"{name}[{index}]", item)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def agrees(claim: str, value: Any) -> bool:
    """Return whether the text of a value agrees with a value, to the digits that are written."""
    claim = claim.replace("−", "-")
    try:
        claimed = answers.parse(re.sub(r"(?<=[\d.])\s+(?=[-\d])", ", ", claim))
    except answers.AnswerError:
        return True  # not a value after all
    if answers.matches(claimed, value):
        return True
    number = answers.unwrap(value)
    if isinstance(claimed, int | float) and not isinstance(claimed, bool) and isinstance(number, int | float):
        decimals = len(claim.partition("e")[0].partition(".")[2])
        return abs(number - claimed) <= 0.5 * 10.0**-decimals * (1 + 1e-9) and decimals > 0
    return False


def _is_written_as(written: str, value: float) -> bool:
    """Return whether a number in a text is a value, to the digits that are written."""
    said = float(written.replace("−", "-"))
    decimals = len(written.partition("e")[0].partition(".")[2])
    return math.isclose(said, value, rel_tol=1e-6) or (decimals > 0 and abs(said - value) <= 0.5 * 10.0**-decimals)


# ---------------------------------------------------------------- whether a run agrees


def contradiction(moment: Moment, statement: Statement) -> str | None:
    """Return the value in the run if a statement never holds in it; None if it holds at some step, or is not known.

    A value copied from the code is no statement.
    """
    timeline = moment.timeline
    if _is_copied(timeline, statement):
        return None
    first: str | None = None
    stride = max(1, timeline.steps // MAX_STEPS_READ)
    ends = _cell_ends(timeline)
    if all(statement.holds(timeline.state(at)) is None for at in (moment.step, *ends)):
        return None
    for at in dict.fromkeys((moment.step, *ends, *range(1, timeline.steps + 1, stride))):
        state = timeline.state(at)
        holds = statement.holds(state)
        if holds:
            return None
        if holds is False and first is None:
            first = statement.value_at(state)
    return first


def _is_copied(timeline: Timeline, statement: Statement) -> bool:
    """Return whether the code of a run has the stated value: `lr = 0.01`, or `SGD([w], lr=0.01)`."""
    cells = timeline.document.cells if timeline.document is not None else []
    copied = f"{statement.name}={statement.said}"
    return any(copied in str(cell.get("source", "")).replace(" ", "") for cell in cells)


def made_false(written: Moment, turned: Moment, statement: Statement) -> str | None:
    """Return the value in a run with another knob if that makes a statement false; None if it does not.

    Args:
        written: Where the text stands in the run that it was written for.
        turned: Where it stands in the other run.
    """
    if statement.holds(written.state):
        is_false = statement.holds(turned.state) is False and not _is_copied(turned.timeline, statement)
        return statement.value_at(turned.state) if is_false else None
    return contradiction(turned, statement)


def number_made_false(written: Moment, turned: Moment, lone: LoneNumber) -> tuple[str, str] | None:
    """Return what a number meant and its value in a run with another knob, if it is wrong there; else None."""
    meant = [name for name, value in written.numbers.items() if _is_written_as(lone.text, value)]
    changed = [(name, turned.numbers[name]) for name in meant if name in turned.numbers]
    if not changed or any(_is_written_as(lone.text, value) for _name, value in changed):
        return None
    name, value = changed[0]
    return name, number(value)
