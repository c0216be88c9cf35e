"""Format names, numbers, values and code: for an explaining line, and for the cells of a table.

A line is a list of `Part`s, pairs of text and role, so that the screen can style it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from tutor.explain.expressions import old_name
from tutor.explain.rules.arrays import Grid
from tutor.i18n import _, ngettext
from tutor.text_width import cut, width
from tutor.trace.names import lasting_name, name_of, names_by_tensor, tensor_name
from tutor.trace.number_format import inline, number
from tutor.trace.state import State, TensorState
from tutor.trace.values import Value


def label(state: State, tensor: int | None) -> str | None:
    """Return the learner's name for a tensor, or `%7`; None for no tensor. A name that means another tensor by now is
    marked as old."""
    if tensor is None:
        return None
    name = tensor_name(state, tensor)
    return old_name(name) if is_rebound(state, tensor) else name


def is_rebound(state: State, tensor: int) -> bool:
    """Return whether the only name of a tensor is one that means something else now, in every frame that has it."""
    tensor_state = state.tensors.get(tensor)
    if tensor_state is None or tensor_state.label is None or name_of(state, tensor) != tensor_state.label:
        return False
    frames = (*state.frames, *state.suspended.values())
    bindings = [frame.names[tensor_state.label] for frame in frames if tensor_state.label in frame.names]
    return bool(bindings) and not any(binding.what == "tensor" and binding.ref == tensor for binding in bindings)


Part = tuple[str, str]
"""A piece of a line, and its role."""

ROLES = ("plain", "quiet", "code", "node", "value", "grad", "leaf", "error")
"""Roles: plain words, secondary words, the learner's code, an operation or a node, a value, a gradient, a leaf, an
error."""

LISTED = 6
"""Most elements that are written out."""
_LONGEST = 120


def term(text: str) -> str:
    """Put a negative number in parentheses, to follow a sign: `(-0.5)`."""
    return f"({text})" if text.startswith("-") else text


def grid(values: Grid, dtype: str) -> str | None:
    """Format values; one number where all are equal; None where they are too many to write out."""
    single = values.single
    if single is not None:
        return number(single, dtype)
    return inline(list(values.flat), dtype) if _is_short(values) else None


def is_written_out(values: Grid) -> bool:
    """Return whether `grid` formats values."""
    return _is_short(values) or values.single is not None


def _is_short(values: Grid) -> bool:
    return len(values.flat) <= LISTED and len(values.shape) <= 1


def code(text: str | None, cells: int = _LONGEST) -> str:
    """Return source on one line, cut to a width in cells."""
    return cut(" ".join((text or "").split()), cells)


def first_line(text: str | None) -> str:
    """Return the first line of a statement, marked where there are more."""
    lines = (text or "").strip().splitlines()
    return "" if not lines else lines[0].rstrip() + (" …" if len(lines) > 1 else "")


def added(terms: Sequence[str]) -> str:
    """Join terms to a sum: `2 + 3 + (-1)`."""
    return " + ".join([*terms[:1], *map(term, terms[1:])])


def sum_text(terms: Sequence[str], cells: int) -> str:
    """Return a sum of at most `cells` cells, or of one term; of a longer one it says how many are left out."""
    sign = " + "
    widths = [end - len(sign) for end in accumulate(width(term) + len(sign) for term in terms)]
    """Of the sums of the first terms."""

    def with_rest(text: str, kept: int) -> str:
        more = len(terms) - kept
        return ngettext("{sum} + … ({count} more term)", "{sum} + … ({count} more terms)", more, sum=text)

    if len(terms) < 2 or widths[-1] <= cells:
        return sign.join(terms)
    counts = range(1, len(terms))
    kept = max(bisect_right(counts, cells, key=lambda kept: widths[kept - 1] + width(with_rest("", kept))), 1)
    return with_rest(sign.join(terms[:kept]), kept)


def joined(words: Sequence[str]) -> str:
    """Join words: `a`, `a and b`, `a, b and c`."""
    text = "".join(words[:1])
    for word in words[1:-1]:
        text = _("{words}, {word}", words=text, word=word)
    return _("{words} and {last}", words=text, last=words[-1]) if len(words) > 1 else text


def clauses(items: Sequence[str]) -> str:
    """Join clauses, which have verbs, as `joined` does words."""
    text = "".join(items[:1])
    for clause in items[1:-1]:
        text = _("{said}, {clause}", said=text, clause=clause)
    return _("{said} and {clause}", said=text, clause=items[-1]) if len(items) > 1 else text


def sentences(items: Sequence[str]) -> str:
    """Put one sentence after the other; without the empty ones."""
    text, *others = [item for item in items if item] or [""]
    for sentence in others:
        text = _("{sentence} {next}", sentence=text, next=sentence)
    return text


def listed(items: Sequence[str]) -> str:
    """Join phrases with semicolons: `a; b; c`; without the empty ones."""
    text, *others = [item for item in items if item] or [""]
    for item in others:
        text = _("{said}; {more}", said=text, more=item)
    return text


_WIDE_CHARACTER = "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"
_SPACE_BETWEEN_WIDE = re.compile(f"(?<={_WIDE_CHARACTER}) +(?={_WIDE_CHARACTER})")


def close_wide(text: str) -> str:
    """Remove spaces between Chinese characters, which templates have around placeholders."""
    return _SPACE_BETWEEN_WIDE.sub("", text)


_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def styled(template: str, role: str, **values: Part | Sequence[Part]) -> list[Part]:
    """Split a translated template into parts.

    Args:
        template: Text with placeholders, translated.
        role: Role of the text between the placeholders.
        values: For each placeholder, a part, or several.
    """
    parts: list[Part] = []
    for position, text in enumerate(_PLACEHOLDER.split(template)):
        content = values[text] if position % 2 else (text, role)
        for part in (content,) if isinstance(content, tuple) else content:
            if parts and parts[-1][1] == part[1] == role:
                parts[-1] = (parts[-1][0] + part[0], role)
            elif part[0]:
                parts.append(part)
    return parts


class TensorNames:
    """The learner's names of tensors at a step."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._names = names_by_tensor(state)

    def __call__(self, tensor: int | None) -> str:
        """Return the name of a tensor; empty if it has none."""
        if tensor is None:
            return ""
        name = self._names.get(tensor)
        if name is None and tensor in self.state.tensors:
            record = self.state.tensors[tensor]
            name = lasting_name(self.state, record)
            if name is not None and record.is_leaf and is_rebound(self.state, tensor):
                return old_name(name)  # not to be confused with the tensor that now has this name
        return name or ""


class ValueTexts:
    """Cache of values as text: most values stay the same from step to step."""

    def __init__(self, make: Callable[[Value, str, int], str], width: int) -> None:
        self._make = make
        self._width = width
        self._cache: dict[int, tuple[Value, str]] = {}

    def __call__(self, value: Value, dtype: str) -> str:
        """Return the text of a value."""
        # The value is held together with its text, so that its id stays its own.
        entry = self._cache.get(id(value))
        if entry is None:
            if len(self._cache) > _CACHE_SIZE:
                self._cache.clear()
            entry = self._cache[id(value)] = value, self._make(value, dtype, self._width)
        return entry[1]


_CACHE_SIZE = 5_000


def grad_of(state: State, tensor: TensorState) -> TensorState | None:
    """Return the tensor in the `.grad` of another, or None."""
    return None if tensor.grad is None else state.tensors.get(tensor.grad)
