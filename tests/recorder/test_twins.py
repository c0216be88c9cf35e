"""Plain twins of loops and functions compute what the program does, whichever copy runs in which iteration."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from tests.recorder.test_rewrite import PROGRAMS, Program
from tutor.recorder.twins import Gate

LOOPS = {
    "break and else": "result = []\nfor i in range(9):\n    if i == 7:\n        break\n    result.append(i)\nelse:\n"
                      "    result.append('else')\nfor j in range(3):\n    pass\nelse:\n    result.append(j)\n",
    "continue": "result = []\nfor i in range(9):\n    if i % 2:\n        continue\n    result.append(i)\n",
    "while": "n, result = 0, []\nwhile (n := n + 1) < 9:\n    result.append(n)\n    if n == 6:\n        n += 1\n",
    "return in a loop": "def f(n):\n    for i in range(n):\n        if i == 5:\n            return i\n    return -1\n"
                        "result = f(3), f(9)\n",
    "nested": "result = 0\nfor i in range(6):\n    for j in range(i):\n        if j == 4:\n            break\n"
              "        result += i * j\n    else:\n        result += 1\n",
    "a generator": "def g(n):\n    for i in range(n):\n        got = yield i\n        if got:\n            yield got\n"
                   "it = g(6)\nresult = [next(it), it.send('a'), *it]\n",
    "a generator without yield in a loop": "def g(n):\n    s = 0\n    for i in range(n):\n        s += i\n    yield s\n"
                                           "    yield s + 1\nresult = list(g(9))\n",
    "async": "import asyncio\nasync def later(n):\n    for i in range(n):\n        yield i\nasync def f():\n"
             "    total = 0\n    async for i in later(7):\n        total += i\n        await asyncio.sleep(0)\n"
             "    return total, [x async for x in later(3)]\nresult = asyncio.run(f())\n",
    "comprehensions": "result = []\nfor i in range(6):\n    result.append([(last := k * i) for k in range(3) if k])\n"
                      "    result.append(last)\n",
    "closures": "result = []\nfor i in range(6):\n    result.append(lambda: i)\nresult = [f() for f in result]\n",
    "a def in a loop": "result = []\nfor i in range(6):\n    def f(k=i):\n        return k\n    result.append(f())\n",
    "a class in a loop": "result = []\nfor i in range(5):\n    class A:\n        n = i\n        for k in range(4):\n"
                         "            n += k\n    result.append(A.n)\n",
    "nonlocal": "def f():\n    n = 0\n    def more(k):\n        nonlocal n\n        for i in range(k):\n"
                "            n += i\n    for i in range(6):\n        more(i)\n    return n\nresult = f()\n",
    "global": "n = 0\ndef f(k):\n    if k:\n        global n\n    for i in range(k):\n        global m\n        m = i\n"
              "        n += i\nfor i in range(6):\n    f(i)\nresult = n, m\n",
    "global alone": "def f():\n    if 1:\n        global n\n    n = 2\nf()\nresult = n\n",
    "a global loop": "for i in range(5):\n    global x\n    x = i\nresult = x\n",
    "del": "result = []\nfor i in range(6):\n    k = i\n    result.append(k)\n    del k\n"
           "result.append('k' in globals())\n",
    "locals": "def f():\n    for i in range(5):\n        k = i\n    return sorted(locals())\nresult = f()\n",
    "exec": "result = []\nfor i in range(5):\n    exec('made = i * 2')\n    result.append(made)\n",
    "exceptions": "result = []\nfor i in range(6):\n    try:\n        result.append(6 // (i - 3))\n"
                  "    except ZeroDivisionError as error:\n        result.append(str(error))\n        continue\n"
                  "    else:\n        result.append('fine')\n    finally:\n        result.append(i)\n",
    "with": "import contextlib\nresult = []\nfor i in range(6):\n    with contextlib.suppress(ZeroDivisionError):\n"
            "        result.append(6 // (i - 3))\n",
    "match": "result = []\nfor i in [1, 'a', [2, 3], {'k': 4}, None, 5]:\n    match i:\n        case int(n) if n > 4:\n"
             "            result.append(n)\n        case [first, *rest]:\n            result.append((first, rest))\n"
             "        case {'k': k}:\n            result.append(k)\n        case _:\n            result.append('_')\n",
    "recursion": "def fib(n):\n    total = 0\n    for k in (1, 2):\n        total += fib(n - k) if n > 1 else n\n"
                 "    return total if n > 1 else n\nresult = fib(9)\n",
    "a list that grows": "result = [1]\nfor k in result:\n    if len(result) < 9:\n        result.append(k + 1)\n",
    "its own iterator": "it = iter(range(12))\nresult = []\nfor k in it:\n    result.append((k, next(it, None)))\n",
    "unpacking": "result = []\nfor a, (b, *c) in [(1, 'xyz')] * 5:\n    result.append((a, b, c))\n",
    "an attribute as target": "class A: pass\nA.n, result = 0, []\nfor A.n in range(5):\n    result.append(A.n)\n",
    "a docstring alone": "def f():\n    'Documentation.'\nresult = f(), f.__doc__\n",
    "names": "def f(b, a):\n    'Documentation.'\n    for c in a:\n        d = c\n    return f.__code__.co_varnames\n"
             "result = f(1, [2, 3, 4, 5]), f.__doc__\n",
}  # fmt: skip


class Every:
    """Runs every `n`-th iteration plain."""

    def __init__(self, n: int) -> None:
        self.n, self.count = n, 0

    def __call__(self, site: int) -> bool:
        self.count += 1
        return self.count % self.n == 0


def gates() -> dict[str, Gate]:
    """Gates that let the twins run always, or in turn with what is recorded."""
    found = {f"every {n}": Gate(Every(n)) for n in (1, 2, 3)}
    found["functions"] = Gate(Every(2))
    found["functions"].plain = True
    found["full"] = Gate(lambda site: False)
    found["full"].plain = found["full"].full = found["full"].losses = True
    return found


@pytest.mark.parametrize("gate", gates())
@pytest.mark.parametrize("source", (LOOPS | PROGRAMS).values(), ids=LOOPS | PROGRAMS)
def test_a_twin_computes_what_the_program_does(source: str, gate: str) -> None:
    plain: dict[str, Any] = {}
    exec(compile(source, "program.py", "exec"), plain)
    program = Program(source, gate=gates()[gate])
    assert program.error is None
    assert program.code is not program.plain
    assert program.names["result"] == plain["result"]


@pytest.mark.parametrize("gate", gates())
def test_a_twin_fails_where_the_program_does(gate: str) -> None:
    sources = [
        "def f(k):\n    a = 1\n    return (a +\n            'x')\n\nfor i in range(9):\n    if i == 6:\n        f(i)\n",
        "def f(k):\n    return missing\nfor i in range(9):\n    x = [f(k) for k in range(3)]\n",
        "def f(k):\n    try:\n        1 / 0\n    except ZeroDivisionError as e:\n        raise ValueError(k) from e\n"
        "k = 0\nwhile True:\n    k += 1\n    if k > 5: f(k)\n",
    ]  # fmt: skip
    for source in sources:
        with pytest.raises(Exception) as plain:  # noqa: PT011
            exec(compile(source, "program.py", "exec"), {})
        error = Program(source, gate=gates()[gate]).error
        assert error is not None

        def text(error: BaseException) -> list[Any]:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "program.py"]
            places = [(frame.name, frame.lineno, frame.end_lineno, frame.colno, frame.end_colno) for frame in frames]
            return [type(error), str(error), places, error.__cause__ and text(error.__cause__)]

        assert text(error) == text(plain.value)


def test_a_twin_calls_nothing() -> None:
    gate = Gate(lambda site: True)
    gate.plain = True
    source = "def f(k):\n    n = k\n    return n\nfor i in range(5):\n    for j in range(4):\n        f(j)\n"
    assert [note[0] for note in Program(source, gate=gate).notes] == ["line", "defined", "line", "loop_end"]


def test_names_that_a_function_returns_are_noted_past_the_budget() -> None:
    gate = Gate(lambda site: True)
    gate.plain = gate.losses = True
    source = "def f(a, b):\n    if a:\n        return a + b * 2\n    return len(b)\nx = f(3, 4), f(0, 'x')\n"
    assert Program(source, gate=gate).of("returned") == [("returned", ("a", "b"), (3, 4))]
