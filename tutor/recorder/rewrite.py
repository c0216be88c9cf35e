"""Rewrite the learner's syntax tree so that running it calls the recorder.

One call with the statement's number precedes each statement; one with the name and the value follows each store. This
costs 0.2 µs a statement, `sys.settrace` 14. The callees are constants, replaced by the recorder's functions in the
finished code object: no name of ours shows in `globals()` or `locals()`, and line numbers and docstrings stay. Bodies
of loops and functions have plain twins (`twins.py`).
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from tutor.recorder.patches import deep_recursion
from tutor.recorder.twins import PlainCopier, has_scope, suspends
from tutor.trace.events import Span

# ------------------------------------------------------------ questions about the tree


def source_lines(source: str) -> list[str]:
    """Return the lines as the compiler counts them (`splitlines` also breaks at form feeds and the like)."""
    return source.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def span_of(node: ast.AST, lines: list[str]) -> Span:
    """Return the span of a node in characters (`ast` counts UTF-8 bytes)."""
    first, last = node.lineno, node.end_lineno or node.lineno  # type: ignore[attr-defined]
    return (
        first,
        characters(lines, first, node.col_offset),  # type: ignore[attr-defined]
        last,
        characters(lines, last, node.end_col_offset or 0),  # type: ignore[attr-defined]
    )


def characters(lines: list[str], line: int, column: int) -> int:
    """Convert a column in UTF-8 bytes to one in characters."""
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    return column if text.isascii() else len(text.encode()[:column].decode(errors="ignore"))


def iterables(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.AST]]:
    """Yield what each loop and comprehension iterates over, with that loop or comprehension."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For):
            yield node.iter, node
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            for part in node.generators:
                yield part.iter, node


def stored_names(targets: Iterable[ast.AST]) -> list[str]:
    """Return the plain names that an assignment to these targets stores."""
    names: list[str] = []
    for target in targets:
        if isinstance(target, ast.Name):
            names.append(target.id)
        elif isinstance(target, ast.Tuple | ast.List):
            names += stored_names(target.elts)
        elif isinstance(target, ast.Starred):
            names += stored_names([target.value])
    return names


def declarations(scope: ast.AST) -> list[ast.Global | ast.Nonlocal]:
    """Return the `global` and `nonlocal` statements of a function, without those of functions inside it."""
    found: list[ast.Global | ast.Nonlocal] = []
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Global | ast.Nonlocal):
            found.append(node)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def captured_names(pattern: ast.pattern) -> list[str]:
    """Return the names that a pattern of `match` binds."""
    names = []
    for node in ast.walk(pattern):
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if isinstance(name, str):
            names.append(name)
    return names


def is_string(node: ast.expr) -> bool:
    """Return whether a node is a string literal."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def split_docstring(body: list[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """Split a body into its docstring, if any, and the rest."""
    if isinstance(body[0], ast.Expr) and is_string(body[0].value):
        return body[:1], body[1:]
    return [], body


def has_call(node: ast.AST) -> bool:
    """Return whether an expression may run other code: a call, an `await` or a `yield`."""
    return any(isinstance(child, ast.Call | ast.Await | ast.Yield | ast.YieldFrom) for child in ast.walk(node))


def may_change_containers(node: ast.stmt) -> bool:
    """Return whether a list, dict, module or object may hold other tensors after this statement.

    The learner's functions are scanned when they are left, so calls of these names matter only where they are torch's
    or Python's own.
    """
    for child in ast.walk(node):
        if isinstance(child, ast.Call):
            callee = child.func
            if isinstance(callee, ast.Attribute):
                if not (callee.attr in _HARMLESS or (callee.attr.endswith("_") and not child.keywords)):
                    return True
            elif not (isinstance(callee, ast.Name) and callee.id in _HARMLESS):
                return True
        elif isinstance(child, ast.Await | ast.Yield | ast.YieldFrom | ast.ClassDef):
            return True
        elif isinstance(child, ast.Attribute) and not isinstance(child.ctx, ast.Load):
            if child.attr not in ("data", "grad", "requires_grad"):
                return True
        elif isinstance(child, ast.Subscript) and not isinstance(child.ctx, ast.Load):
            return True
        elif isinstance(child, ast.AugAssign) and isinstance(child.target, ast.Name):
            return True  # `params += [w]`
    return False


_HARMLESS = {
    "backward", "item", "tolist", "no_grad", "enable_grad", "zero_grad", "print", "range", "zip", "len", "enumerate",
    "float", "int", "abs", "sum", "mean", "manual_seed", "detach", "format",
}  # fmt: skip


# ------------------------------------------------------------ rewriting

CALLBACKS = (
    "line", "line_scan", "bind", "bind_outer", "bind_expr", "unbind", "enter", "leave", "iterate", "loop_end",
    "caught", "handled", "star", "look", "defined", "returned", "begin", "gate", "show",
)  # fmt: skip
"""The recorder's functions that rewritten code calls, see `callbacks.FrameRecorder` for their arguments, and its
`Gate`. `show` is called with the value of the last expression of a notebook's cell."""

_ITERATES_AT_ITS_OPERAND = sys.version_info >= (3, 13)
_MARK = {name: b"\0gradtutor:" + name.encode() for name in CALLBACKS}
_NAME_OF_MARK = {mark: name for name, mark in _MARK.items()}
_Node = TypeVar("_Node", bound=ast.AST)


@dataclass(frozen=True)
class SiteAllocator:
    """Hands out the numbers of sites.

    Attributes:
        statement: Returns the number of a statement, given its span and function.
        call: Returns the number of a call, given its span, function, statement and name, whose result may be a tensor
            that torch made unseen (`torch.from_numpy`, `nn.Parameter`).
        loop: Called with the spans of an iterable and its loop, where the compiler gives the iteration the iterable's
            position (Python 3.13).
    """

    statement: Callable[[Span, str], int]
    call: Callable[[Span, str, int, str], int]
    loop: Callable[[Span, Span], None]


def compile_recorded(
    source: str,
    filename: str,
    sites: SiteAllocator,
    callbacks: dict[str, Any],
    *,
    imported: bool = False,
    notebook: bool = False,
    flags: int = 0,
) -> tuple[types.CodeType, types.CodeType]:
    """Compile `source` with the recorder's calls in it, and as it is.

    Args:
        source: The code.
        filename: The path for tracebacks.
        sites: Numbers the statements and calls.
        callbacks: The recorder's functions and its gate, by the names of `CALLBACKS`.
        imported: Whether it is a module that reports its begin and end.
        notebook: Whether it is a notebook's cell: `await` may stand outside of functions, and its last expression is
            shown.
        flags: The `__future__` features that earlier cells of the file have asked for.

    Returns:
        The rewritten code and the plain code; the plain code twice where the rewritten one is nested too deeply to
        compile.

    Raises:
        SyntaxError: As `compile` does; it also warns as `compile` does.
    """
    flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if notebook else 0
    plain: types.CodeType = compile(source, filename, "exec", flags, dont_inherit=True)
    with warnings.catch_warnings(), deep_recursion():
        warnings.simplefilter("ignore")  # of our marks: "'bytes' object is not callable"
        try:
            tree = ast.parse(source, filename)
            if notebook and _show_last(tree, source):
                plain = _swap(compile(tree, filename, "exec", flags, dont_inherit=True), callbacks)
            lines = source_lines(source)
            if _ITERATES_AT_ITS_OPERAND:
                for iterable, loop in iterables(tree):
                    sites.loop(span_of(iterable, lines), span_of(loop, lines))
            _Rewriter(lines, sites).module(tree, imported=imported)
            code: types.CodeType = compile(tree, filename, "exec", flags, dont_inherit=True)
        except (RecursionError, MemoryError, ValueError, SyntaxError):  # too deeply nested once rewritten
            return plain, plain
    return _swap(code, callbacks), plain


def _show_last(tree: ast.Module, source: str) -> bool:
    """Let the value of a cell's last expression be shown; return whether there is one, without a `;` after it."""
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr) or _ends_with_semicolon(source):
        return False
    last.value = _place(ast.Call(ast.Constant(_MARK["show"]), [last.value], []), last.value)
    return True


def _ends_with_semicolon(source: str) -> bool:
    """Return whether a `;` is the last that stands in valid code, but for comments."""
    idle = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    try:
        tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in idle]
    except (tokenize.TokenError, SyntaxError):
        return False
    return bool(tokens) and tokens[-1].string == ";"


def _swap(code: types.CodeType, callbacks: dict[str, Any]) -> types.CodeType:
    """Return the code with the marks among its constants replaced by the callbacks."""
    constants: list[Any] = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            constant = _swap(constant, callbacks)
        elif isinstance(constant, bytes) and constant in _NAME_OF_MARK:
            constant = callbacks[_NAME_OF_MARK[constant]]
        constants.append(constant)
    return code.replace(co_consts=tuple(constants))


class _Rewriter:
    """Rewrites the statements of a module."""

    def __init__(self, lines: list[str], sites: SiteAllocator) -> None:
        self._lines = lines
        self._sites = sites
        self._function = "<module>"
        self._in_module = True
        self._loops: list[int] = []
        self._headers: list[int] = []
        self._outer_names: set[str] = set()
        self._has_outer = False
        """Whether the function declares names `nonlocal`."""
        self._statement = 0

    # ------------------------------------------------------------ positions

    def span(self, node: ast.AST) -> Span:
        return span_of(node, self._lines)

    # ------------------------------------------------------------ blocks

    def module(self, tree: ast.Module, *, imported: bool) -> None:
        """Rewrite a module; its docstring and `__future__` imports stay first."""
        shared = not any(isinstance(node, ast.NamedExpr) for node in ast.walk(tree))
        self._copier = PlainCopier(shared, lambda at: self._call("handled", [], at), self._returned)
        body, head = tree.body, 0
        if body and isinstance(body[0], ast.Expr) and is_string(body[0].value):
            head = 1
        while head < len(body) and isinstance(body[head], ast.ImportFrom) and body[head].module == "__future__":  # type: ignore[attr-defined]
            head += 1
        rest = self._block(body[head:])
        tree.body = body[:head] + (self._scope_of(rest, (), [], body[head], body[-1]) if imported and rest else rest)

    def _block(self, body: list[ast.stmt], *, scan_first: bool = False) -> list[ast.stmt]:
        statements: list[ast.stmt] = []
        scan = scan_first
        for statement in body:
            if isinstance(statement, ast.Global | ast.Nonlocal):
                # Those of a function are at its head, before both copies of its body.
                statements.append(statement if self._in_module else _place(ast.Pass(), statement))
                continue
            number = self._sites.statement(self.span(statement), self._function)
            statements.append(self._call("line_scan" if scan else "line", [ast.Constant(number)], statement))
            scan = may_change_containers(statement)
            statements.extend(self._rewrite(statement, number))
        return statements

    def _call(self, name: str, args: list[ast.expr], at: ast.AST) -> ast.stmt:
        return _place(ast.Expr(self._call_expr(name, args)), at)

    @staticmethod
    def _call_expr(name: str, args: list[ast.expr]) -> ast.Call:
        return ast.Call(func=ast.Constant(_MARK[name]), args=args, keywords=[])

    # ------------------------------------------------------------ statements

    def _rewrite(self, node: ast.stmt, number: int) -> list[ast.stmt]:
        before, self._statement = self._statement, number
        try:
            method = getattr(self, "_" + type(node).__name__.lower(), None)
            if method is not None:
                result: list[ast.stmt] = method(node, number)
                return result
            self._expressions(node)
            return [node]
        finally:
            self._statement = before

    def _expressions(self, node: ast.AST) -> None:
        """Rewrite walrus assignments in the expressions of a statement, not in its blocks."""
        _Walrus(self).visit_fields(node)

    def _bind_calls(self, targets: Iterable[ast.AST], at: ast.AST, place: int = 0) -> list[ast.stmt]:
        """Return a call for each name that these targets store; `place` is the site of the call that made the value,
        or 0."""
        statements: list[ast.stmt] = []
        for name in stored_names(targets):
            args: list[ast.expr] = [ast.Constant(name), ast.Name(name, ast.Load())]
            if place:
                args.append(ast.Constant(place))
            statements.append(self._call("bind_outer" if name in self._outer_names else "bind", args, at))
        return statements

    def _assign(self, node: ast.Assign, number: int) -> list[ast.stmt]:
        self._expressions(node)
        binds = self._bind_calls(node.targets, node, self._call_site(node.value, number))
        return [node, *self._look_calls(node.targets, node), *binds]

    def _annassign(self, node: ast.AnnAssign, number: int) -> list[ast.stmt]:
        self._expressions(node)
        if node.value is None:
            return [node]
        return [node, *self._bind_calls([node.target], node, self._call_site(node.value, number))]

    def _call_site(self, value: ast.expr, number: int) -> int:
        """Return the site of a call whose result may be a tensor that torch made unseen; 0 for other expressions."""
        if not isinstance(value, ast.Call):
            return 0
        callee = value.func
        if isinstance(callee, ast.Attribute) and callee.attr == "apply":
            callee = callee.value
        name = (
            callee.attr if isinstance(callee, ast.Attribute) else callee.id if isinstance(callee, ast.Name) else "call"
        )
        return self._sites.call(self.span(value), self._function, number, name)

    def _augassign(self, node: ast.AugAssign, number: int) -> list[ast.stmt]:
        self._expressions(node)
        return [node, *self._look_calls([node.target], node), *self._bind_calls([node.target], node)]

    def _look_calls(self, targets: list[ast.expr], at: ast.AST) -> list[ast.stmt]:
        """Return the call after `z.real = …`, which no function mode sees."""
        written = any(isinstance(node, ast.Attribute) and node.attr in ("real", "imag") for node in targets)
        return [self._call("look", [], at)] if written else []

    def _importfrom(self, node: ast.ImportFrom, number: int) -> list[ast.stmt]:
        if any(alias.name == "*" for alias in node.names):
            return [node, self._call("star", [], node)]
        names = [ast.Name(alias.asname or alias.name, ast.Store()) for alias in node.names]
        return [node, *self._bind_calls(names, node)]

    def _delete(self, node: ast.Delete, number: int) -> list[ast.stmt]:
        statements: list[ast.stmt] = [node]
        statements += [
            self._call("unbind", [ast.Constant(target.id)], node)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        return statements

    def _for(self, node: ast.For | ast.AsyncFor, number: int) -> list[ast.stmt]:
        self._expressions(node)
        return self._loop(node, number, self._bind_calls([node.target], node))

    _asyncfor = _for

    def _while(self, node: ast.While, number: int) -> list[ast.stmt]:
        self._expressions(node)
        return self._loop(node, number, [])

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, number: int, first: list[ast.stmt]) -> list[ast.stmt]:
        """Repeat the header's call at the end of the body and at each `continue`, as a debugger shows it."""
        self._loops.append(number)
        self._headers.append(number)
        has_twin = not has_scope(node.body, self._in_module)
        suspended = self._has_outer or isinstance(node, ast.AsyncFor) or suspends([node])
        plain = self._copier.block(node.body) if has_twin else []
        body = first + self._block(node.body, scan_first=True)
        self._loops.pop()
        again = self._call("line_scan", [ast.Constant(number)], node)
        if not isinstance(body[-1], ast.Continue | ast.Break | ast.Return | ast.Raise):
            body.append(again)
        is_while = isinstance(node, ast.While)
        full = self._gate("full" if suspended or is_while else "plain")
        tick = ast.Call(self._gate("tick_while" if is_while else "tick"), [ast.Constant(number)], [])
        if suspended or not has_twin:
            body.insert(0, self._call("iterate", [ast.Constant(number)], node))
        elif isinstance(node, ast.For):
            targets = _constant(tuple(stored_names([node.target])))
            begin = self._call_expr("begin", [ast.Constant(number), targets, node.iter])
            node.iter = _place(ast.copy_location(begin, node.iter), node.iter)
        if has_twin:
            test = full if suspended else ast.BoolOp(ast.Or(), [full, tick])
            body = [_place(ast.If(test, plain, body), node)]
        node.body = body
        end = self._call("loop_end", [ast.Constant(number)], node)
        if node.orelse:  # it is no iteration
            node.orelse = [end, *self._block(node.orelse, scan_first=True)]
        return [node, end]

    @staticmethod
    def _gate(attribute: str) -> ast.expr:
        return ast.Attribute(ast.Constant(_MARK["gate"]), attribute, ast.Load())

    def _returned(self, names: list[ast.Name], at: ast.stmt) -> ast.stmt:
        """Return the statement of a plain twin by which names are found for losses that it returns."""
        values: list[ast.expr] = list(names)
        call = self._call("returned", [_constant(tuple(name.id for name in names)), ast.Tuple(values, ast.Load())], at)
        return _place(ast.If(self._gate("losses"), [call], []), at)

    def _continue(self, node: ast.Continue, number: int) -> list[ast.stmt]:
        return [self._call("line_scan", [ast.Constant(self._loops[-1])], node), node] if self._loops else [node]

    def _if(self, node: ast.If, number: int) -> list[ast.stmt]:
        self._expressions(node)
        scan = has_call(node.test)
        node.body = self._block(node.body, scan_first=scan)
        node.orelse = self._block(node.orelse, scan_first=scan)
        return [node]

    def _with(self, node: ast.With | ast.AsyncWith, number: int) -> list[ast.stmt]:
        self._expressions(node)
        targets = [item.optional_vars for item in node.items if item.optional_vars is not None]
        outer_count = len(self._headers)
        node.body = [*self._bind_calls(targets, node), *self._block(node.body, scan_first=True)]
        # `suppress` and the like swallow exceptions that have left loops.
        ends = [self._call("loop_end", [ast.Constant(loop)], node) for loop in self._headers[outer_count:]]
        return [node, *ends]

    _asyncwith = _with

    def _try(self, node: ast.Try, number: int) -> list[ast.stmt]:
        outer_count = len(self._headers)
        node.body = self._block(node.body)
        loops = tuple(self._headers[outer_count:])  # an exception may leave them
        for handler in node.handlers:
            caught = self._call("caught", [_constant(loops)], handler)
            handler.body = [caught, *self._block(handler.body, scan_first=True)]
        node.orelse = self._block(node.orelse, scan_first=True)
        node.finalbody = self._block(node.finalbody, scan_first=True)
        return [node]

    _trystar = _try

    def _match(self, node: ast.Match, number: int) -> list[ast.stmt]:
        self._expressions(node)
        for case in node.cases:
            names = [ast.Name(name, ast.Store()) for name in captured_names(case.pattern)]
            case.body = [*self._bind_calls(names, node), *self._block(case.body, scan_first=True)]
        return [node]

    def _functiondef(self, node: ast.FunctionDef | ast.AsyncFunctionDef, number: int) -> list[ast.stmt]:
        arguments = node.args
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        names += [argument.arg for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
        values: list[ast.expr] = [ast.Name(name, ast.Load()) for name in names]
        self._scope(node, node.name, tuple(names), values, number)
        node.decorator_list.append(ast.copy_location(ast.Constant(_MARK["defined"]), node))
        return [node]

    _asyncfunctiondef = _functiondef

    def _classdef(self, node: ast.ClassDef, number: int) -> list[ast.stmt]:
        self._scope(node, node.name, (), [])
        return [node]

    def _scope(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
        function: str,
        names: tuple[str, ...],
        values: list[ast.expr],
        number: int = 0,
    ) -> None:
        outer, self._function = self._function, function
        loops, self._loops = self._loops, []
        outer_names, has_outer, in_module = self._outer_names, self._has_outer, self._in_module
        declared = declarations(node)
        self._outer_names = {name for declaration in declared for name in declaration.names}
        self._has_outer = any(isinstance(declaration, ast.Nonlocal) for declaration in declared)
        self._in_module = False
        head, rest = split_docstring(node.body)
        has_twin = not isinstance(node, ast.ClassDef) and bool(rest) and not has_scope(rest, False)
        suspended = self._has_outer or isinstance(node, ast.AsyncFunctionDef) or suspends(rest)
        plain = self._copier.block(rest) if has_twin else []
        body = self._scope_of(self._block(rest), names, values, node.body[0], node.body[-1])
        if has_twin and plain:
            test = self._gate("full" if suspended else "plain")
            if not suspended and not declared:  # what it writes to names outside of it is recorded
                begins = ast.Subscript(self._gate("calls"), ast.Constant(number), ast.Load())
                test = ast.BoolOp(ast.Or(), [test, ast.Call(begins, [], [])])
            body = [_place(ast.If(test, plain, body), node.body[0])]
        node.body = [*head, *declared, *body]
        self._function, self._loops, self._outer_names = outer, loops, outer_names
        self._has_outer, self._in_module = has_outer, in_module

    def _scope_of(
        self, body: list[ast.stmt], names: tuple[str, ...], values: list[ast.expr], first: ast.stmt, last: ast.stmt
    ) -> list[ast.stmt]:
        """Return a body that reports when it is entered, and when it is left, also by an exception."""
        enter = self._call("enter", [_constant(names), ast.Tuple(values, ast.Load())], first)
        leave = self._call("leave", [], last)
        guarded = ast.Try(body=body or [ast.Pass()], handlers=[], orelse=[], finalbody=[leave])
        return [enter, _place(guarded, last)]


class _Walrus(ast.NodeTransformer):
    """Adds a call for the name of each `:=`; enters lambdas and comprehensions, not blocks."""

    def __init__(self, rewriter: _Rewriter) -> None:
        self._rewriter = rewriter

    def visit_fields(self, node: ast.AST) -> None:
        for field, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(node, field, self.visit(value))
            elif isinstance(value, list) and value and isinstance(value[0], ast.expr | ast.withitem):
                setattr(node, field, [self.visit(item) for item in value])

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        self.generic_visit(node)
        call = self._rewriter._call_expr("bind_expr", [ast.Constant(node.target.id), node])
        return _place(call, node)


def _place(node: _Node, at: ast.AST) -> _Node:
    """Give our nodes the position of the learner's statement, for the lines in tracebacks."""
    for child in ast.walk(node):
        if not hasattr(child, "lineno") and isinstance(child, ast.expr | ast.stmt):
            ast.copy_location(child, at)
            child.end_lineno, child.end_col_offset = child.lineno, child.col_offset
    return node


def _constant(values: tuple[Any, ...]) -> ast.expr:
    return ast.Constant(values)  # type: ignore[arg-type]  # the compiler takes tuples
