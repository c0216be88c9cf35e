"""Other numbers for a question that is asked again: `vary="x: [2, 3]; w: [1, 5]"`, and the code that has them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from tutor.i18n import _
from tutor.lesson.model import UNPARSED

Numbers: TypeAlias = dict[str, Any]
"""By name: the number, or the list of numbers, that takes the place of the one in its assignment."""

_MAKERS = frozenset({"torch.tensor", "np.array"})
"""Calls whose result has the value of their first argument."""


def parse(text: str) -> list[Numbers]:
    """Return the sets of numbers that `vary` lists: the first of each name, then the second, and so on.

    Raises:
        ValueError: It is malformed; the message says how.
    """
    lists: dict[str, list[Any]] = {}
    for part in text.split(";"):
        name, _colon, values = part.partition(":")
        name = name.strip()
        try:
            parsed = ast.literal_eval(values.strip())
        except UNPARSED:
            parsed = None
        is_list = isinstance(parsed, list) and bool(parsed)
        if not name.isidentifier() or not is_list or not all(map(_is_number, parsed)):
            raise ValueError(_("`{part}` is no name with a list of numbers.", part=part.strip()))
        lists[name] = parsed
    if len({len(values) for values in lists.values()}) > 1:
        raise ValueError(_("the lists of `vary` have different lengths."))
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]


def _is_number(value: Any) -> bool:
    """Return whether a value is a number, or a list of such values."""
    return all(map(_is_number, value)) if isinstance(value, list) else isinstance(value, (int, float))


def edits(cells: Mapping[int, str], numbers: Numbers) -> dict[int, str]:
    """Return the code of the cells that change, by their number.

    Of each name the last of these cells that assigns it is changed: in its first assignment there the only number, or
    the only list, becomes the new one.

    Raises:
        ValueError: No cell has such an assignment; the message names it.
    """
    changed: dict[int, str] = {}
    for name, value in numbers.items():
        for number in sorted(cells, reverse=True):
            source = _replace(changed.get(number, cells[number]), name, value)
            if source is not None:
                changed[number] = source
                break
        else:
            raise ValueError(_("no line assigns a single number or list to `{name}`.", name=name))
    return changed


def describe(codes: Iterable[str], name: str, value: Any) -> str:
    """Return what a changed name is in a sentence, from the code of all changed cells: `x = 3`, or `y = x * 3`.

    The value stands for what is assigned if that is a number or list, or a call with it (`torch.tensor(3.0)`); else
    the name is not that value, and the whole assignment is shown.
    """
    for source in codes:
        found = _assignment(source, name, isinstance(value, list))
        if found is not None and ast.literal_eval(found[1]) == value:
            statement, literal = found
            held = statement.value
            if isinstance(held, ast.Call) and ast.unparse(held.func) in _MAKERS:
                held = held.args[0]
            while isinstance(held, ast.List) and held is not literal and len(held.elts) == 1:
                held = held.elts[0]
            if held is not literal and not isinstance(held, ast.Tuple):
                return ast.unparse(statement)
    return f"{name} = {value}"


def _replace(source: str, name: str, value: Any) -> str | None:
    """Return the code with another number or list in the first assignment to a name; None if there is none."""
    found = _assignment(source, name, isinstance(value, list))
    return None if found is None else _with_literal(source, found[1], value)


def _assignment(source: str, name: str, lists: bool) -> tuple[ast.Assign, ast.expr] | None:
    """Return the first assignment that gives a name a single number, or list, and that one; None if there is none."""
    try:
        tree = ast.parse(source)
    except UNPARSED:
        return None
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and len(literals := _literals(statement, name, lists)) == 1:
            return statement, literals[0]
    return None


def _literals(statement: ast.Assign, name: str, lists: bool) -> list[ast.expr]:
    """Return the numbers, or the outermost lists, in what an assignment gives to a name, keyword arguments apart."""
    target, value = statement.targets[0], statement.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=False)
    else:
        pairs = zip([target], [value], strict=True)
    assigned = [value for target, value in pairs if isinstance(target, ast.Name) and target.id == name]
    result: list[ast.expr] = []
    waiting: list[ast.AST] = list(assigned)
    while waiting:
        node = waiting.pop()
        operand = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else node
        if isinstance(node, ast.List) and lists:
            result.append(node)
        elif isinstance(operand, ast.Constant) and type(operand.value) in (int, float) and not lists:
            assert isinstance(node, ast.expr)
            result.append(node)
        else:
            waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.keyword)]
    return result


def _with_literal(source: str, literal: ast.expr, value: Any) -> str:
    """Return the code with a value in place of a literal, as floats where it has a float."""
    assert literal.end_lineno is not None
    assert literal.end_col_offset is not None
    is_float = any(isinstance(node, ast.Constant) and isinstance(node.value, float) for node in ast.walk(literal))
    lines = source.split("\n")
    first, last = lines[literal.lineno - 1].encode(), lines[literal.end_lineno - 1].encode()
    text = repr(_as_float(value) if is_float else value)
    row = (first[: literal.col_offset] + text.encode() + last[literal.end_col_offset :]).decode()
    return "\n".join([*lines[: literal.lineno - 1], row, *lines[literal.end_lineno :]])


def _as_float(value: Any) -> Any:
    return [_as_float(item) for item in value] if isinstance(value, list) else float(value)
