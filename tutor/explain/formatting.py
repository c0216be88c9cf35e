"""What to call a tensor, and one whose name has come to mean another.

Numbers, values and code in the words of an explaining line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tutor.explain.expressions import old
from tutor.explain.rules.arrays import Grid
from tutor.i18n import _
from tutor.text_width import cut
from tutor.trace.events import Accumulate
from tutor.trace.names import name_of, names_of, tensor_name
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements, shape_of, short
from tutor.trace.values import number as formatted
from tutor.trace.wire_types import Value


def label(state: State, tensor: int | None) -> str | None:
    """The learner's name for a tensor, or `%7`; None for none. A name that means another tensor now is an old one."""
    if tensor is None:
        return None
    name = tensor_name(state, tensor)
    return old(name) if is_rebound(state, tensor) else name


def is_rebound(state: State, tensor: int) -> bool:
    """Whether a tensor has no name but its last one, and that means something else now, wherever it means anything."""
    known = state.tensors.get(tensor)
    if known is None or known.label is None or name_of(state, tensor) != known.label:
        return False
    frames = (*state.frames, *state.suspended.values())
    named = [frame.names[known.label] for frame in frames if known.label in frame.names]
    return bool(named) and not any(one.what == "tensor" and one.ref == tensor for one in named)


def lost_leaf(timeline: Timeline, step: int) -> str | None:
    """At the step at which a leaf gets its gradient: that its name means another tensor now, which gets none."""
    event, state = timeline.event(step), timeline.moment(step)
    if not isinstance(event, Accumulate) or not is_rebound(state, event.tensor):
        return None
    name = state.tensors[event.tensor].label or ""
    now = state.tensors.get(names_of(state).get(name, 0))
    if now is None or now.is_leaf or now.retains_grad:
        return None
    node = None if now.node is None else state.nodes.get(now.node)
    made = None if node is None else timeline.operation(node)
    line = None if made is None else timeline.view(made).line
    if line is None:
        return _("{name} means another tensor now, which is no leaf: {name}.grad gets nothing", name=name)
    return _("since line {line} {name} means another tensor, which is no leaf: {name}.grad gets nothing", name=name,
              line=line)  # fmt: skip


Part = tuple[str, str]
"""A piece of a line, and its role."""

ROLES = ("plain", "quiet", "code", "node", "value", "grad", "leaf", "error")
"""What a piece of a line can be: plain words, words of less weight, the learner's code, the name of an operation or
node, a value, a gradient, a leaf, something that went wrong."""

LISTED = 6
"""Up to so many elements are written out."""
_LONGEST = 60


def number(x: object) -> str:
    """A number as an explanation writes it: `2.0`, `0.05`, `1.5e-07`, `nan`, `3`, `True`."""
    return formatted(x, ".6g", ".0", ".0") if isinstance(x, float) else str(x)


def numbers(items: Iterable[object]) -> str:
    """`[1.0 2.0]`, or the number alone where there is one."""
    words = [number(item) for item in items]
    return words[0] if len(words) == 1 else "[" + " ".join(words) + "]"


def term(text: str) -> str:
    """A number as it stands after a sign: `(-0.5)`."""
    return f"({text})" if text.startswith("-") else text


def grid(values: Grid) -> str | None:
    """The numbers, the common one where all are the same, or None where they are too many to write out."""
    if values.single is not None:
        return number(values.single)
    return numbers(values.flat) if len(values.flat) <= LISTED and len(values.shape) <= 1 else None


def value(held: Value, dtype: str = "float32") -> str:
    """What a tensor holds, in short."""
    if held is None:
        return "None"
    items = elements(held)
    if items is not None and not dtype.startswith("complex"):
        if len(items) == 1:
            return number(items[0])
        if len(items) <= LISTED and len(shape_of(held)) == 1:
            return numbers(items)
    return short(held, dtype, _LONGEST)


def code(text: str | None, width: int = _LONGEST) -> str:
    """Source on one line, cut to the width."""
    return cut(" ".join((text or "").split()), width)


def first_line(text: str | None) -> str:
    """The first line of a statement, with a mark where there is more."""
    lines = (text or "").strip().splitlines()
    return "" if not lines else lines[0].rstrip() + (" …" if len(lines) > 1 else "")


def added(terms: Sequence[str]) -> str:
    """`2.0 + 3.0 + (-1.0)`."""
    return " + ".join([*terms[:1], *map(term, terms[1:])])


def joined(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    said = "".join(words[:1])
    for word in words[1:-1]:
        said = _("{words}, {word}", words=said, word=word)
    return _("{words} and {last}", words=said, last=words[-1]) if len(words) > 1 else said


def clauses(said: Sequence[str]) -> str:
    """The same of what has a verb of its own."""
    text = "".join(said[:1])
    for clause in said[1:-1]:
        text = _("{said}, {clause}", said=text, clause=clause)
    return _("{said} and {clause}", said=text, clause=said[-1]) if len(said) > 1 else text


def sentences(said: Sequence[str]) -> str:
    """One sentence after the other."""
    text = "".join(said[:1])
    for sentence in said[1:]:
        text = _("{sentence} {next}", sentence=text, next=sentence)
    return text


def listed(said: Sequence[str]) -> str:
    """`a; b; c`."""
    text = "".join(said[:1])
    for one in said[1:]:
        text = _("{said}; {more}", said=text, more=one)
    return text


_WIDE = "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"
_BETWEEN = re.compile(f"(?<={_WIDE}) +(?={_WIDE})")


def close(text: str) -> str:
    """Without the spaces that stand between two Chinese characters: templates have them for names and numbers."""
    return _BETWEEN.sub("", text)


_BLANK = re.compile(r"\{(\w+)\}")


def laid(template: str, role: str, **blanks: Part | Sequence[Part]) -> list[Part]:
    """A translated text in pieces: what stands between its blanks has this role, a blank has its own pieces."""
    parts: list[Part] = []
    for place, text in enumerate(_BLANK.split(template)):
        held = blanks[text] if place % 2 else (text, role)
        for piece in (held,) if isinstance(held, tuple) else held:
            if parts and parts[-1][1] == piece[1] == role:
                parts[-1] = (parts[-1][0] + piece[0], role)
            elif piece[0]:
                parts.append(piece)
    return parts
