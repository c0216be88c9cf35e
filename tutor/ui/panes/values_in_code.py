"""The values at the right edge of the code: what the names hold now that a line assigns."""

from __future__ import annotations

import ast
from collections import Counter
from functools import lru_cache

from tutor.trace import number_format
from tutor.trace.events import Span
from tutor.trace.source import SourceText
from tutor.trace.state import Binding, FrameState, State

_WIDEST = 24
"""The most cells of a value."""
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MODULE = "<module>"


def assigned_values(source: SourceText, state: State, file: int, current: Span | None) -> dict[int, str]:
    """Return by line what the names hold that it assigns: of the module, and of the function that runs.

    A name that several lines assign has its value at none of them but the current one: it may be from any.
    """
    frames = [frame for frame in state.frames if frame.file == file]
    shown = {frame.function.rpartition(".")[2]: frame for frame in frames[:1] + frames[-1:]}
    values: dict[int, str] = {}
    for first, line, function, names, is_only in _assignments(source):
        frame = shown.get(function)
        if frame is None or not (is_only or (current is not None and (current[0], current[2]) == (first, line))):
            continue
        texts = [_text(state, frame, name) for name in names]
        if all(texts):
            values[line] = ", ".join(texts)
    return values


def _text(state: State, frame: FrameState, name: str) -> str:
    binding: Binding | None = frame.names.get(name)
    if binding is None:
        return ""
    tensor = state.tensors.get(binding.ref) if binding.what == "tensor" else None
    if tensor is not None:
        return number_format.summary(tensor.value, tensor.dtype, tensor.shape, _WIDEST)
    if binding.what == "value" and isinstance(binding.value, (int, float)):
        return number_format.number(binding.value)
    return ""


@lru_cache(8)
def _assignments(source: SourceText) -> list[tuple[int, int, str, tuple[str, ...], bool]]:
    """Return for each assignment to names: its first and last line, its function, the names, and whether no other
    assigns them.
    """
    scopes: dict[ast.AST, str] = {}
    for node, _first, _last in source.blocks:  # an inner scope comes after the one around it
        if isinstance(node, _SCOPES):
            scopes.update(dict.fromkeys(_statements_in(node), "" if isinstance(node, ast.ClassDef) else node.name))
    lines = [
        (node, scopes.get(node, _MODULE), names) for node, _first, _last in source.blocks if (names := _names(node))
    ]
    counts = Counter((scope, name) for _node, scope, names in lines for name in names)
    return [
        (node.lineno, node.end_lineno or node.lineno, scope, names, all(counts[scope, name] == 1 for name in names))
        for node, scope, names in lines
        if scope and not isinstance(node, (ast.For, ast.AsyncFor))
    ]


def _statements_in(scope: ast.AST) -> list[ast.AST]:
    return [node for node in ast.walk(scope) if isinstance(node, ast.stmt) and node is not scope]


def _names(node: ast.stmt) -> tuple[str, ...]:
    """Return the names that a statement assigns, empty if it assigns something else too."""
    match node:
        case ast.Assign(targets=[target]) | ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
        case ast.For(target=target) | ast.AsyncFor(target=target):
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
        case _:
            return ()
    names = tuple(part.id for part in parts if isinstance(part, ast.Name))
    return names if len(names) == len(parts) else ()
