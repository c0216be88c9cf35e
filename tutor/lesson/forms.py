"""Exercises that are answered in a form: their code assigns one literal, whose values the learner gives.

gradients: `gradients = {"w": ..., "y": ...}`, a number or list for each name in the graph
order: `order = ["b", "a"]`, to be put in order
value: `first = ...`, a name or number
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TypeAlias

from tutor.lesson import answers
from tutor.lesson.model import UNPARSED

KINDS = ("gradients", "order", "value")
"""The kinds of exercises that are forms."""

Texts: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Form:
    """What a form asks for, and what is filled in."""

    kind: str
    target: str
    """The name that the code assigns."""
    names: Texts
    """Of gradients, the names in the graph; of a value, nothing."""
    texts: Texts
    """What is filled in, for each name; of an order, its items."""

    def filled(self, texts: Texts) -> Form:
        """Return the form with other texts."""
        return replace(self, texts=texts)

    @property
    def code(self) -> str:
        """The code that assigns what is filled in.

        Raises:
            answers.AnswerError: A gradient is not a number or list.
        """
        if self.kind == "order":
            return f"{self.target} = [{', '.join(map(_quoted, self.texts))}]"
        if self.kind == "value":
            return f"{self.target} = {_literal(self.texts[0])}"
        pairs = zip(self.names, self.texts, strict=True)
        return f"{self.target} = {{{', '.join(f'{_quoted(name)}: {_number(text)}' for name, text in pairs)}}}"


def read(kind: str, source: str) -> Form | None:
    """Return the form that a piece of code is; None if it has not the shape of one."""
    try:
        (statement,) = ast.parse(source).body
    except (*UNPARSED, ValueError):
        return None
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return None
    target, value = statement.targets[0].id, statement.value
    if kind == "gradients" and isinstance(value, ast.Dict):
        names = [key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
        return (
            Form(kind, target, tuple(names), tuple(map(_text, value.values))) if len(names) == len(value.keys) else None
        )
    if kind == "order" and isinstance(value, ast.List) and len(value.elts) > 1:
        return Form(kind, target, (), tuple(map(_text, value.elts)))
    if kind == "value" and isinstance(value, ast.Constant):
        return Form(kind, target, (), (_text(value),))
    return None


def _text(value: ast.expr) -> str:
    """Return what a value is as typed; nothing for dots."""
    if isinstance(value, ast.Constant) and value.value is ...:
        return ""
    return str(value.value) if isinstance(value, ast.Constant) else ast.unparse(value)


def _number(text: str) -> str:
    """Return the code of a gradient; dots where nothing is filled in."""
    return repr(answers.parse(text)) if text.strip() else "..."


def _literal(text: str) -> str:
    """Return the code of a number, or else of a name."""
    try:
        return _number(text)
    except answers.AnswerError:
        return _quoted(text.strip())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
