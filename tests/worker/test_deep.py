"""Code that is nested as deep as Python takes it is recorded, and does what it does."""

from __future__ import annotations

import ast

import pytest

from tests.worker.recording import Forker
from tutor.recorder.patches import deep_recursion

DEEP = {
    "sum": "x = " + "+".join(["1"] * 2500) + "\nprint(x)\n",
    "signs": "x = " + "-" * 150 + "1\nprint(x)\n",
    "blocks": "a = 1\n" + "".join(" " * at + "if a:\n" for at in range(18)) + " " * 18 + "a = 2\nprint(a)\n",
    "branches": "a = 1\nif a == 0: pass\n" + "".join(f"elif a == {n}: pass\n" for n in range(2, 900)) + "print(a)\n",
    "calls": "def f(x): return x\nprint(" + "f(" * 80 + "7" + ")" * 80 + ")\n",
    "chain": "class A: pass\na = A()\na.a = a\nprint(a" + ".a" * 900 + " is a)\n",
}
SLOW = [pytest.mark.slow]
PRINTED = {"sum": "2500", "signs": "1", "blocks": "2", "branches": "1", "calls": "7", "chain": "True"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW if name == "branches" else []) for name in DEEP])
def test_it_is_recorded(record: Forker, name: str) -> None:
    timeline = record(DEEP[name]).timeline
    assert timeline.output(timeline.steps) == PRINTED[name] + "\n"
    assert timeline.run_end is not None
    assert timeline.run_end.outcome == "ok"
    try:
        with deep_recursion():
            compile(ast.parse(DEEP[name]), "deep.py", "exec")
    except RecursionError:
        pytest.skip("Python 3.12 compiles text that is nested deeper than a tree may be: it runs unrecorded")
    assert any(timeline.kind(step) == "line" for step in range(1, timeline.steps + 1))
