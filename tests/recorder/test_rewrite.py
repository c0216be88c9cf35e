"""Rewritten code reports what it runs, and runs as it would without. Callbacks note the calls, without a recorder."""

from __future__ import annotations
import __future__

import ast
import contextlib
import sys
import textwrap
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from tutor.recorder import rewrite
from tutor.recorder.rewrite import CALLBACKS, SiteAllocator, compile_recorded, source_lines, span_of
from tutor.recorder.twins import Gate
from tutor.trace.events import Span

Note = tuple[Any, ...]


class Program:
    """A program that was rewritten and run: the calls of the callbacks, its names, and its sites.

    Attributes:
        notes: Each call: the callback's name and its arguments; for a statement the line instead of the number.
        names: The program's globals.
        error: The exception that ended it.
        statements: Span and function of each statement, in the order of their numbers from 1.
        calls: Span, function, statement and name of each call that was numbered; numbers are from 1001.
    """

    def __init__(
        self, source: str, *, imported: bool = False, flags: int = 0, gate: Gate | None = None, **names: Any
    ) -> None:
        self.notes: list[Note] = []
        self.names: dict[str, Any] = dict(names)
        self.error: Exception | None = None
        self.statements: list[tuple[Span, str]] = []
        self.calls: list[tuple[Span, str, int, str]] = []
        self.loops: list[tuple[Span, Span]] = []
        self.gate = gate or Gate(self._callback("iterate"))
        source = textwrap.dedent(source)
        self.code, self.plain = compile_recorded(
            source, "program.py", SiteAllocator(self._statement, self._call, lambda *spans: self.loops.append(spans)),
            {name: self._callback(name) for name in CALLBACKS} | {"gate": self.gate}, imported=imported, flags=flags,
        )  # fmt: skip
        try:
            exec(self.code, self.names)
        except Exception as error:
            self.error = error

    def _statement(self, span: Span, function: str) -> int:
        self.statements.append((span, function))
        return len(self.statements)

    def _call(self, span: Span, function: str, statement: int, name: str) -> int:
        self.calls.append((span, function, statement, name))
        return 1000 + len(self.calls)

    def line_of(self, site: int) -> int:
        return self.statements[site - 1][0][0]

    def _callback(self, name: str) -> Callable[..., Any]:
        def note(*args: Any) -> Any:
            if name in ("line", "line_scan", "iterate", "loop_end"):
                args = (self.line_of(args[0]),)
            elif name == "begin":
                return args[2]
            elif name == "caught":
                args = tuple(map(self.line_of, args[0]))
            self.notes.append((name, *args))
            return args[0] if name == "defined" else args[1] if name == "bind_expr" else None

        return note

    def of(self, *kinds: str) -> list[Note]:
        """The calls of some callbacks."""
        return [note for note in self.notes if note[0] in kinds]

    @property
    def lines(self) -> list[int]:
        """The lines of the statements that ran, in order."""
        return [note[1] for note in self.of("line", "line_scan")]


# ------------------------------------------------------------ statements and names


def test_each_statement_is_reported_before_it_runs() -> None:
    program = Program("a = 1\nb = a + 1; c = b * 2\ndel a\n")
    assert program.notes == [
        ("line", 1), ("bind", "a", 1), ("line", 2), ("bind", "b", 2), ("line", 2), ("bind", "c", 4), ("line", 3),
        ("unbind", "a"),
    ]  # fmt: skip
    assert program.statements == [((1, 0, 1, 5), "<module>"), ((2, 0, 2, 9), "<module>"), ((2, 11, 2, 20), "<module>"),
                                  ((3, 0, 3, 5), "<module>")]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "bound"),
    [
        ("a = b = 1", {"a": 1, "b": 1}),
        ("a, (b, *c) = 1, (2, 3, 4)", {"a": 1, "b": 2, "c": [3, 4]}),
        ("[a, b] = 'xy'", {"a": "x", "b": "y"}),
        ("a: int = 5", {"a": 5}),
        ("a: int", {}),
        ("a = 2; a += 3", {"a": 5}),
        ("import math", {}),
        ("from math import pi as p", {"p": 3.141592653589793}),
        ("items = [0]\nitems[0] = 7", {"items": [7]}),
        ("(a := 3)", {"a": 3}),
        ("if (n := 4) > 3: pass", {"n": 4}),
        ("squares = [(last := i) ** 2 for i in range(3)]", {"last": 2, "squares": [0, 1, 4]}),
        ("double = lambda x: (y := x * 2)\nz = double(4)", {"y": 8, "z": 8}),
        ("for i, j in [(1, 2)]: pass", {"i": 1, "j": 2}),
        ("with open(__file__) as f: pass", {"f": None}),
        ("match {'k': 1, 'l': 2}:\n    case {'k': a, **rest}: pass", {"a": 1, "rest": {"l": 2}}),
        ("match [1, 2, 3]:\n    case [first, *others] as whole: pass", {"first": 1, "others": [2, 3],
                                                                        "whole": [1, 2, 3]}),
    ],
)  # fmt: skip
def test_each_store_is_reported_with_its_value(code: str, bound: dict[str, Any]) -> None:
    program = Program(code, __file__=__file__)
    assert program.error is None
    seen = {note[1]: note[2] for note in program.of("bind", "bind_expr") if not callable(note[2])}
    assert seen.keys() == bound.keys()
    assert {name: value for name, value in seen.items() if name != "f"} == {
        name: value for name, value in bound.items() if name != "f"
    }


def test_a_star_import_is_reported() -> None:
    assert Program("from math import *\n").of("star", "bind") == [("star",)]


def test_a_call_that_makes_a_value_has_a_site() -> None:
    program = Program("a = int('5')\nb = a\nc = str.upper('x')\nd = A.apply(1)\ne = (lambda: 3)()\n",
                      A=type("A", (), {"apply": int}))  # fmt: skip
    assert program.error is None
    assert [(statement, name) for _, _, statement, name in program.calls] == [
        (1, "int"), (3, "upper"), (4, "A"), (5, "call")
    ]  # fmt: skip
    assert program.calls[0][:2] == ((1, 4, 1, 12), "<module>")
    assert program.of("bind") == [
        ("bind", "a", 5, 1001), ("bind", "b", 5), ("bind", "c", "X", 1002), ("bind", "d", 1, 1003),
        ("bind", "e", 3, 1004),
    ]  # fmt: skip


def test_names_of_other_functions_are_told_apart() -> None:
    program = Program("""\
        total = 0
        def add():
            global total
            total = 1
            def inner():
                nonlocal_name = 2
                return nonlocal_name
            count = 0
            def more():
                nonlocal count
                count += 5
            more()
            return inner()
        add()
    """)
    assert program.error is None
    assert program.of("bind_outer") == [("bind_outer", "total", 1), ("bind_outer", "count", 5)]
    assert ("bind", "nonlocal_name", 2) in program.notes


def test_a_write_to_a_part_of_a_complex_tensor_is_looked_for() -> None:
    program = Program("z.real = 1\nz.other = 2\nz.imag += 3\n", z=type("Z", (), {"imag": 0})())
    assert program.notes == [("line", 1), ("look",), ("line_scan", 2), ("line_scan", 3), ("look",)]


# ------------------------------------------------------------ loops


def test_a_loop_shows_its_header_before_each_iteration() -> None:
    program = Program("""\
        for i in range(2):
            a = i
        b = 3
    """)
    assert program.notes == [
        ("line", 1),
        ("iterate", 1), ("bind", "i", 0), ("line_scan", 2), ("bind", "a", 0), ("line_scan", 1),
        ("iterate", 1), ("bind", "i", 1), ("line_scan", 2), ("bind", "a", 1), ("line_scan", 1),
        ("loop_end", 1), ("line", 3), ("bind", "b", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "lines", "ends"),
    [
        ("for i in range(3):\n    if i == 1:\n        continue\n    a = i\n", [1, 2, 4, 1, 2, 3, 1, 2, 4, 1], 1),
        ("for i in range(3):\n    if i == 1:\n        break\nelse:\n    b = 1\n", [1, 2, 1, 2, 3], 1),
        ("for i in range(1):\n    a = i\nelse:\n    b = 1\n", [1, 2, 1, 4], 2),
        ("n = 2\nwhile n:\n    n -= 1\n", [1, 2, 3, 2, 3, 2], 1),
        ("for i in []:\n    a = i\n", [1], 1),
    ],
)
def test_continue_break_and_else(code: str, lines: list[int], ends: int) -> None:
    program = Program(code)
    assert program.lines == lines
    assert len(program.of("loop_end")) == ends  # before `else`, where there is one, and after the loop


def test_an_exception_leaves_the_loops_inside_its_try() -> None:
    program = Program("""\
        for i in range(2):
            try:
                for j in range(2):
                    1 / 0
            except ZeroDivisionError as error:
                a = i
    """)
    assert program.of("caught") == [("caught", 3)] * 2
    assert program.error is None


def test_what_swallows_exceptions_ends_its_loops() -> None:
    program = Program("""\
        import contextlib
        with contextlib.suppress(ZeroDivisionError):
            while True:
                1 / 0
        a = 1
    """)
    assert program.of("loop_end") == [("loop_end", 3)]


# ------------------------------------------------------------ functions, classes, modules


def test_a_function_reports_its_arguments_and_its_end() -> None:
    program = Program("""\
        def f(a, /, b, *c, d=4, **e):
            "Documentation."
            return a + b
        r = f(1, 2, 3, z=5)
    """)
    assert program.of("enter", "leave") == [
        ("enter", ("a", "b", "d", "c", "e"), (1, 2, 4, (3,), {"z": 5})), ("leave",)
    ]  # fmt: skip
    assert program.names["f"].__doc__ == "Documentation."
    assert [function for _, function in program.statements] == ["<module>", "f", "<module>"]
    assert program.of("defined") == [("defined", program.names["f"])]


def test_a_function_that_raises_is_left_too() -> None:
    program = Program("def f():\n    1 / 0\nf()\n")
    assert isinstance(program.error, ZeroDivisionError)
    assert program.of("enter", "leave") == [("enter", (), ()), ("leave",)]


def test_generators_and_async_functions() -> None:
    program = Program("""\
        import asyncio
        def numbers():
            yield 1
            yield 2
        async def wait():
            async with asyncio.Lock() as lock:
                return [x async for x in later()]
        async def later():
            yield 7
        a = list(numbers())
        b = asyncio.run(wait())
    """)
    assert program.error is None
    assert (program.names["a"], program.names["b"]) == ([1, 2], [7])
    assert len(program.of("enter")) == len(program.of("leave")) == 3


def test_a_class_is_a_scope_without_arguments() -> None:
    program = Program("""\
        class A(object):
            "Documentation."
            size = 3
            def method(self):
                return self.size
        a = A().method()
    """)
    assert (program.names["A"].__doc__, program.names["a"]) == ("Documentation.", 3)
    assert program.of("enter")[0] == ("enter", (), ())
    assert program.of("bind")[0] == ("bind", "size", 3)


def test_a_module_reports_its_begin_and_end_behind_what_must_stay_first() -> None:
    program = Program('"Documentation."\nfrom __future__ import annotations\na: undefined = 1\n', imported=True)
    assert program.error is None
    assert program.names["__doc__"] == "Documentation."
    assert program.notes == [("enter", (), ()), ("line", 3), ("bind", "a", 1), ("leave",)]


def test_future_features_of_earlier_cells_count() -> None:
    flags = __future__.annotations.compiler_flag
    assert Program("a: undefined = 1\n", flags=flags).names["__annotations__"] == {"a": "undefined"}
    assert isinstance(Program("a: undefined = 1\n").error, NameError)


# ------------------------------------------------------------ nothing shows

PROGRAMS = {
    "locals": "def f(a):\n    b = 2\n    return sorted(locals())\nresult = f(1)\n",
    "globals": "x = 1\nresult = sorted(name for name in globals() if not name.startswith('__') and name != 'result')\n",
    "names in the code": "def f(a):\n    for b in a:\n        c = b\nresult = f.__code__.co_varnames\n",
    "free variables": "def f(a):\n    return lambda: a\nresult = f(1).__code__.co_freevars\n",
    "super": "class A:\n    def m(self): return 1\n"
             "class B(A):\n    def m(self): return super().m() + 1\nresult = B().m()\n",
    "a private name": "class A:\n    def m(self):\n        __x = 1\n        return __x\nresult = A().m()\n",
    "a decorator": "def twice(f): return lambda: f() * 2\n@twice\ndef f(): return 4\nresult = f()\n",
    "finally": "def f():\n    try:\n        return 1\n    finally:\n        g.append(2)\ng = []\nresult = f(), g\n",
    "exception groups": "result = []\ntry:\n    raise ExceptionGroup('g', [ValueError(1), TypeError(2)])\n"
                        "except* ValueError as v:\n    result.append(str(v.exceptions[0]))\nexcept* TypeError as t:\n"
                        "    result.append(str(t.exceptions[0]))\n",
    "an error's name is gone": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    pass\nresult = 'e' in globals()\n",
    "a generator's value": "def g():\n    x = yield 1\n    return x\nit = g()\nnext(it)\ntry:\n    it.send(5)\n"
                           "except StopIteration as s:\n    result = s.value\n",
}  # fmt: skip


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_computes_what_it_does_plainly(source: str) -> None:
    plain: dict[str, Any] = {}
    exec(compile(source, "program.py", "exec"), plain)
    program = Program(source)
    assert program.error is None
    assert program.names["result"] == plain["result"]
    names: dict[str, Any] = {}
    exec(program.plain, names)
    assert names["result"] == plain["result"]


def test_lines_in_tracebacks_are_those_of_the_program() -> None:
    source = "def f():\n    a = 1\n\n    b = (a +\n         'x')\n\nfor i in range(2):\n    if i:\n        f()\n"
    with pytest.raises(TypeError) as plain:
        exec(compile(source, "program.py", "exec"), {})
    error = Program(source).error
    assert error is not None

    def places(trace: Any) -> list[Any]:
        frames = [frame for frame in traceback.extract_tb(trace) if frame.filename == "program.py"]
        return [(frame.name, frame.lineno, frame.end_lineno, frame.colno, frame.end_colno) for frame in frames]

    assert places(error.__traceback__) == places(plain.value.__traceback__)
    assert [place[1] for place in places(error.__traceback__)] == [9, 4]


@pytest.mark.parametrize("source", ["a = (\n", "return 1\n", "def f(x):\n    global x\n", "x = 1\n  y = 2\n"])
def test_a_syntax_error_is_pythons_own(source: str) -> None:
    with pytest.raises(SyntaxError) as plain:
        compile(source, "program.py", "exec")
    with pytest.raises(SyntaxError) as raised:
        Program(source)
    assert str(raised.value) == str(plain.value)


def nested(depth: int) -> str:
    """A function with loops in loops."""
    loops = ["    " * level + "while True:" for level in range(1, depth + 1)]
    return "\n".join(["def f():", *loops, "    " * (depth + 1) + "return 1", "result = f()"])


def test_what_is_nested_too_deeply_once_rewritten_runs_unrecorded() -> None:
    depth = 10
    with contextlib.suppress(SyntaxError):  # too many nested blocks
        while compile(nested(depth + 1), "program.py", "exec"):
            depth += 1
    assert Program(nested(depth - 2)).lines[:2] == [1, depth + 1]
    program = Program(nested(depth))
    assert program.code is program.plain
    assert (program.names["result"], program.notes) == (1, [])


# ------------------------------------------------------------ questions about the tree


def test_lines_are_those_of_the_compiler() -> None:
    assert source_lines("a\r\nb\rc\x0cd\u2028e\n") == ["a", "b", "c\x0cd\u2028e", ""]


def test_spans_count_characters() -> None:
    source = "梯度 = '中文' + x\n"
    value = ast.parse(source).body[0].value  # type: ignore[attr-defined]
    first, start, last, end = span_of(value, source_lines(source))
    assert (first, last, source[start:end]) == (1, 1, "'中文' + x")


@pytest.mark.parametrize(
    ("statement", "may"),
    [
        ("x = y + 1", False), ("loss.backward()", False), ("print(len(a))", False), ("w.add_(1)", False),
        ("w.add_(1, alpha=2)", True), ("f(x)", True), ("a.append(x)", True), ("a[0] = 1", True),
        ("w.grad = None", False), ("w.data = v", False), ("self.x = 1", True), ("params += [w]", True),
        ("x = await y", True),
        ("class A: pass", True), ("x = [i for i in y]", False), ("del a[0]", True), ("f()()", True),
    ],
)  # fmt: skip
def test_which_statements_may_change_containers(statement: str, may: bool) -> None:
    tree = ast.parse(f"async def f():\n    {statement}").body[0]
    assert rewrite.may_change_containers(tree.body[0]) is may  # type: ignore[attr-defined]


def test_iterables_of_loops_and_comprehensions() -> None:
    tree = ast.parse("for i in a: pass\nb = [j for j in c for k in d]\ne = {l: 1 for l in f}\n")
    assert [ast.unparse(iterable) for iterable, _ in rewrite.iterables(tree)] == ["a", "c", "d", "f"]


def test_declarations_of_inner_functions_are_their_own() -> None:
    function = ast.parse("def f():\n    if 1:\n        global a\n    def g():\n        nonlocal b\n").body[0]
    assert [(type(node), node.names) for node in rewrite.declarations(function)] == [(ast.Global, ["a"])]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="older Pythons iterate at the loop")
def test_the_loop_around_an_iterable_is_told() -> None:
    program = Program("for i in range(2):\n    a = i\n")
    assert program.loops == [((1, 9, 1, 17), (1, 0, 2, 9))]
