"""Numbers in prose that the run contradicts: "`w.grad` is 4" where it is 5.

Only what is said of a name that the run knows counts, and only where that name never has that value at any point: text
also speaks of what was and of what will be. A sentence that only supposes is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tutor.explain.expressions import find
from tutor.lesson import answers
from tutor.lesson.markdown import blocks, live_values
from tutor.lesson.model import Cell
from tutor.trace import values
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

MOST_STEPS = 2_000
"""So many points of the run are looked at."""

_NAME = r"(?P<name>[A-Za-z_]\w*(?:\.\w+|\[\d+\])*(?:\.item\(\))?)"
_NUMBER = r"[-−]?\d+(?:\.\d*)?(?:e[-+]?\d+)?"
_LIST = r"\[[-−\d\s.,\[\]e]+\]"
_VALUE = rf"(?P<value>{_NUMBER}|{_LIST}|tensor\((?:{_NUMBER}|{_LIST})\)|True|False|None)"
_BEGIN, _CLOSE = r"\s*(?:\*\*)?`?", r"`?(?:\*\*)?"
_WORDS = "and|or|but|because|since|while|then|again|now|too|not"
_END = rf"(?={_CLOSE}\s*(?:$|[,;:!?()，。；：！？（）、]|\.(?:\s|$)|(?:{_WORDS})\b|[\u4e00-\u9fff]))"
_IS = r"(?:is|was|holds|equals|becomes|stays|gives)(?:\s+(?:now|still|exactly|only|just|always))?"
_IS_ZH = r"(?:的值)?(?:现在|仍然?|还|就|正好|最终|已经|一直|始终|都)*(?:是|等于|为|变成了?|变为|得到)"
_SAID = (
    re.compile(rf"(?<![\w.\]]){_NAME}`?\s*(?<![=<>!])={_BEGIN}{_VALUE}{_END}"),
    re.compile(rf"`{_NAME}`\s+{_IS}{_BEGIN}{_VALUE}{_END}"),
    re.compile(rf"`{_NAME}`\s*{_IS_ZH}{_BEGIN}{_VALUE}{_END}"),
)
_SUPPOSES = re.compile(
    r"\b(?:if|suppose|would|were|imagine|say|try|instead|change|set|wrong|think)\b"
    r"|如果|假如|假设|倘若|若|要是|试试|改成|改为|设为|设成|以为|会是",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"(?:\b(?:where|when|whenever|while|once|until|unless|for|with|at)\s+|当\s*|(?<!现)在\s*)`?$", re.IGNORECASE
)
_WHEN_ZH = re.compile(r"`?\s*(?:时|的时候|的地方|处|的话|之前|以前)")


def contradicted(timeline: Timeline, cell: Cell, step: int) -> Iterator[tuple[int, str, str, str]]:
    """What a prose cell, read at this step, says wrongly: the line, the name, the value said, the run's value."""
    for language, text in cell.text.items():
        for start, name, said in _claims(text):
            here = _value(timeline.state(step), name)
            if here is _NONE and not _known_anywhere(timeline, name):
                continue
            wrong = _wrong(timeline, step, name, said)
            if wrong is not None:
                yield cell.text_lines[language] + text[:start].count("\n"), name, said, wrong


def _claims(text: str) -> Iterator[tuple[int, str, str]]:
    """Where something is said, of which name, and what."""
    plain = text
    places = [(block.start, block.end) for block in blocks(text) if block.kind == "code"]
    for start, end in (*places, *((value.start, value.end) for value in live_values(text))):
        plain = plain[:start] + re.sub(r"[^\n]", " ", text[start:end]) + plain[end:]
    for pattern in _SAID:
        for found in pattern.finditer(plain):
            depends = _WHEN.search(plain[: found.start()]) or _WHEN_ZH.match(plain[found.end() :])
            if not depends and not _SUPPOSES.search(_sentence(plain, found.start(), found.end())):
                yield found.start(), found["name"], found["value"]


def _sentence(text: str, start: int, end: int) -> str:
    """The sentence around a place."""
    before = max((found.end() for found in re.finditer(r"[.!?]\s|[。！？]|\n\s*\n", text[:start])), default=0)
    after = re.search(r"[.!?](?:\s|$)|[。！？]|\n\s*\n", text[end:])
    return text[before : end + after.start()] if after else text[before:]


_NONE = object()


def _value(state: State, name: str) -> Any:
    """What a name holds; `_NONE` where it is not known."""
    base = name.removesuffix(".item()")
    tensor, plain = find(state, base)
    if tensor is not None:
        return _list(tensor.value, tensor.dtype)
    if plain is not None:
        return plain
    owner, _, last = base.rpartition(".")
    tensor = find(state, owner)[0] if owner else None
    if tensor is not None and last == "grad":
        grad = None if tensor.grad is None else state.tensors.get(tensor.grad)
        return None if grad is None else _list(grad.value, grad.dtype)
    if tensor is not None and last in ("requires_grad", "is_leaf"):
        return getattr(tensor, last)
    return _NONE


def _list(value: Any, dtype: str) -> Any:
    found = values.to_json(value, dtype)
    return _NONE if isinstance(found, dict) or found is None else found


def _known_anywhere(timeline: Timeline, name: str) -> bool:
    return any(_value(timeline.state(step), name) is not _NONE for step in _ends(timeline))


def _ends(timeline: Timeline) -> list[int]:
    return [cell.end for cell in timeline.cells if cell.end is not None]


def _wrong(timeline: Timeline, step: int, name: str, said: str) -> str | None:
    """The value that the run gives, where it never gives what is said. What the code says too is a quotation."""
    cells = timeline.document.cells if timeline.document is not None else []
    if any(f"{name}={said}" in str(cell.get("source", "")).replace(" ", "") for cell in cells):
        return None
    first: Any = _NONE
    every = max(1, timeline.steps // MOST_STEPS)
    for place in dict.fromkeys((step, *_ends(timeline), *range(1, timeline.steps + 1, every))):
        value = _value(timeline.state(place), name)
        if value is _NONE:
            continue
        if agrees(said, value):
            return None
        first = value if first is _NONE else first
    return None if first is _NONE else answers.shown(first)


def agrees(said: str, value: Any) -> bool:
    """Whether the text for a value says this one, as exactly as it is written."""
    said = said.replace("−", "-")
    try:
        meant = answers.parse(re.sub(r"(?<=[\d.])\s+(?=[-\d])", ", ", said))
    except answers.AnswerError:
        return True  # not a value after all
    if answers.matches(meant, value):
        return True
    number = answers.alone(value)
    if isinstance(meant, int | float) and not isinstance(meant, bool) and isinstance(number, int | float):
        decimals = len(said.partition("e")[0].partition(".")[2])
        return abs(number - meant) <= 0.5 * 10.0**-decimals * (1 + 1e-9) and decimals > 0
    return False
