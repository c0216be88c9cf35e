"""Of a loop without tensors the first and last iterations are recorded, of a function the first calls; what follows is
as in a whole recording."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.sampling import count, seed
from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording
from tutor.text import steps
from tutor.trace import events as ev

Moment = tuple[Any, ...]
KINDS = ("line", "failed", "cell_end")


def gaps(recorded: Recording) -> list[tuple[int, int, int, bool]]:
    """Line, first and last iteration of each gap, and whether a tensor ended it."""
    found = []
    for step in recorded.steps_of("skipped"):
        event = recorded.timeline.event(step)
        assert isinstance(event, ev.Skipped)
        if not event.function:
            found.append((recorded.timeline.view(step).line or 0, event.first, event.last, event.touched))
    return found


def call_gaps(recorded: Recording) -> list[tuple[int, str, int, int, bool]]:
    """Line, function, first and last call of each gap, and whether a tensor was touched in the last."""
    found = []
    for step in recorded.steps_of("skipped"):
        event = recorded.timeline.event(step)
        assert isinstance(event, ev.Skipped)
        if event.function:
            line = recorded.timeline.view(step).line or 0
            found.append((line, event.function, event.first, event.last, event.touched))
    return found


def moments(recorded: Recording) -> list[Moment]:
    """The statements before which the program stood, with the iterations around them and what all names meant."""
    found = []
    timeline = recorded.timeline
    for step in sorted(step for kind in KINDS for step in recorded.steps_of(kind)):
        state = timeline.state(step - 1)
        view = timeline.view(step)
        frames = [(frame.function, sorted((name, str(bound.value), bound.what) for name, bound in frame.names.items()))
                  for frame in state.frames]  # fmt: skip
        found.append((view.kind, view.line, frames))
    return found


def is_part(some: list[Moment], whole: list[Moment]) -> Moment | None:
    """The first of some moments that the whole does not have in this order; None if it has all."""
    rest = iter(whole)
    return next((moment for moment in some if not any(moment == other for other in rest)), None)


SETUP = "import torch\nw = torch.ones(2, requires_grad=True)\n"

LOOPS: dict[str, tuple[str, list[tuple[int, int, int, bool]]]] = {
    "for": ("for i in range(100):\n    k = i * 2\n", [(3, 4, 97, False)]),
    "enumerate and zip": (
        "n = 0\nfor i, (a, b) in enumerate(zip(range(40), 'x' * 50)):\n    n += i\n", [(4, 4, 37, False)]
    ),
    "short": ("for i in range(15):\n    k = i\n", []),
    "a length that is not known": ("for i in (k * 2 for k in range(30)):\n    j = i\n", [(3, 4, 30, False)]),
    "while": ("n = 0\nwhile n < 50:\n    n += 1\n", [(4, 4, 50, False)]),
    "break": ("for i in range(100):\n    if i == 60:\n        break\nelse:\n    never = 1\n", [(3, 4, 61, False)]),
    "continue and else": (
        "n = 0\nfor i in range(50):\n    if i % 3:\n        continue\n    n += i\nelse:\n"
        "    m = n\n", [(4, 4, 47, False)]
    ),
    "return": (
        "def f(n):\n    for i in range(n):\n        if i == 40:\n            return i\n"
        "x = f(90)\ny = x\n", [(4, 4, 41, False)]
    ),
    "nested": (
        "n = 0\nfor i in range(30):\n    for j in range(20):\n        n += i * j\n",
        [(5, 4, 17, False)] * 3 + [(4, 4, 27, False)] + [(5, 4, 17, False)] * 3,
    ),
    "a tensor later": (
        "for i in range(40):\n    k = i\n    if i == 20:\n        loss = (w * k).sum()\n"
        "    j = k\n", [(3, 4, 21, True)]
    ),
    "a tensor at once": ("for i in range(40):\n    loss = (w * i).sum()\n", []),
    "a tensor that is only bound": ("for t in [w] * 40:\n    k = 1\n", []),
    "an exception that is caught": (
        "try:\n    for i in range(40):\n        x = 1 / (30 - i)\n"
        "except ZeroDivisionError as error:\n    y = i\nz = 1\n",
        [(4, 4, 31, False)],
    ),
    "an exception in a function": (
        "def f(n):\n    for i in range(n):\n        x = 1 / (30 - i)\ntry:\n    f(60)\n"
        "except ZeroDivisionError:\n    y = 2\n",
        [(4, 4, 31, False)],
    ),
    "an exception handled inside": (
        "n = 0\nfor i in range(40):\n    try:\n        n += 1 // (i % 7)\n"
        "    except ZeroDivisionError:\n        n -= 1\n",
        [(4, 4, 37, False)],
    ),
    "finally": (
        "n = []\ntry:\n    try:\n        for i in range(40):\n            x = 1 / (30 - i)\n"
        "    finally:\n        n = i\n"
        "except ZeroDivisionError:\n    pass\n", [(6, 4, 31, False)]
    ),
    "del": ("for i in range(40):\n    k = i\n    del k\nm = i\n", [(3, 4, 37, False)]),
    "global": (
        "n = 0\ndef f(i):\n    global n\n    n += i\nfor i in range(40):\n    f(i)\n", [(7, 4, 37, False)]
    ),
    "nonlocal": (
        "def f():\n    n = 0\n    def g(i):\n        nonlocal n\n        n += i\n"
        "    for i in range(40):\n        g(i)\n"
        "    m = n\n    return m\nx = f()\n", [(8, 4, 4, False)]
    ),
    "a class": (
        "class A:\n    def __init__(self): self.n = 0\n    def add(self, i): self.n += i\n"
        "a = A()\nfor i in range(40):\n"
        "    a.add(i)\nx = a.n\n", [(7, 4, 37, False)]
    ),
    "containers": (
        "kept = []\nfor i in range(40):\n    if i < 2:\n        kept.append(i)\n"
        "    elif i == 9:\n        kept.append(w)\n",
        [(4, 4, 37, False)],
    ),
    "walrus": ("n = 0\nwhile (n := n + 1) < 40:\n    k = [last := j for j in range(n)]\n", [(4, 4, 39, False)]),
    "a generator of one's own": (
        "def g():\n    for i in range(40):\n        yield i\nn = 0\nfor i in g():\n    n += i\n", [(7, 4, 4, False)]
    ),
    "recursion": (
        "def f(n):\n    total = 0\n    for i in range(20):\n        total += f(n - 1) if n and i == 10 else 1\n"
        "    return total\nx = f(3)\n", [(5, 4, 17, False)]
    ),
    "locals": ("def f():\n    for i in range(40):\n        k = i\n    return sorted(locals())\nx = f()\n", []),
    "exec": ("for i in range(40):\n    exec('made = i * 2')\nx = made\n", [(3, 4, 37, False)]),
    "its own iterator": ("it = iter(range(60))\nn = []\nfor k in it:\n"
        "    n = k, next(it, None)\n", [(5, 4, 30, False)]),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOPS)
def test_the_middle_of_a_loop_is_left_out(record: Forker, name: str, tmp_path: Path) -> None:
    code, expected = LOOPS[name]
    script = SETUP + code + "end = (w * 2).sum()\nend.backward()\nprint(w.grad, sorted(globals()))\n"
    sampled, whole = record(script, samples_loops=True), record(script)
    path = tmp_path / "script.py"
    path.write_text(script)
    assert sampled.stdout == whole.stdout == run_plainly(path, tmp_path / "plain.json").stdout
    assert sampled.status == whole.status == 0
    assert gaps(sampled) == expected
    assert gaps(whole) == []
    assert moments(sampled)[-1] == moments(whole)[-1]
    if not any(touched for *_, touched in expected):
        assert is_part(moments(sampled), moments(whole)) is None


CALLS: dict[str, tuple[str, list[tuple[int, str, int, int, bool]]]] = {
    "in one statement": (
        "def f(i):\n    k = i * 2\n    return k\nx = [f(i) for i in range(100)]\ny = f(7)\n",
        [(6, "f", 4, 100, False), (7, "f", 101, 101, False)],
    ),
    "few calls": ("def f(i):\n    return i\nx = f(1) + f(2) + f(3)\n", []),
    "recursion": (
        "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\nx = f(5)\n",
        [(4, "f", 4, 7, False), (4, "f", 8, 10, False), (4, "f", 11, 15, False)],
    ),
    "a method, sorted": (
        "class A:\n    def key(self, i):\n        return -i\na = A()\nx = sorted(range(20), key=a.key)\n",
        [(7, "A.key", 4, 20, False)],
    ),
    "a tensor as argument": ("def f(t):\n    return 1\nx = [f(w) for i in range(9)]\n", []),
    "a tensor in the second call": (
        "def f(i):\n    if i == 1:\n        return (w * i).sum().item()\n    return i\nx = [f(i) for i in range(9)]\n",
        [],
    ),
    "a tensor in the sixth call": (
        "def f(i):\n    if i == 5:\n        return (w * i).sum().item()\n    return i\nx = [f(i) for i in range(9)]\n",
        [(7, "f", 4, 6, True)],
    ),
    "a tensor further in": (
        "def g(i):\n    return (w * i).sum().item()\ndef f(i):\n    return g(i) if i == 5 else i\n"
        "x = [f(i) for i in range(9)]\n",
        [(7, "f", 4, 6, False)],
    ),
    "a tensor between the calls": (
        "def f(i):\n    return i / 2\nfor i in range(5):\n    loss = (w * f(i)).sum()\n    loss.backward()\n",
        [(6, "f", 4, 4, False), (6, "f", 5, 5, False)],
    ),
    "global": ("n = 0\ndef f():\n    global n\n    n += 1\nx = [f() for i in range(9)]\ny = n\n", []),
    "a generator": (
        "def g(n):\n    for i in range(n):\n        yield i\nx = [list(g(3)) for i in range(9)]\n", []
    ),
    "a function inside": (
        "def f(i):\n    def g(j):\n        return j + i\n    return g(1)\nx = [f(i) for i in range(9)]\n",
        [(6, "g", n, n, False) for n in range(4, 10)]
    ),
    "an exception": (
        "def f(i):\n    return 1 / (6 - i)\ntry:\n    x = [f(i) for i in range(9)]\n"
        "except ZeroDivisionError as error:\n    y = 1\n",
        [(6, "f", 4, 7, False)],
    ),
    "an exception handled inside": (
        "def f(i):\n    try:\n        return 1 / (6 - i)\n    except ZeroDivisionError:\n        return 0\n"
        "x = [f(i) for i in range(9)]\n",
        [(8, "f", 4, 9, False)],
    ),
    "what it puts into a container": (
        "kept = []\ndef f(i):\n    kept.append(held[0])\nheld = [w]\nx = [f(i) for i in range(6)]\n"
        "y = kept[5]\n",
        [(7, "f", 4, 6, False)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_calls_without_tensors_are_left_out_after_three(record: Forker, name: str, tmp_path: Path) -> None:
    code, expected = CALLS[name]
    script = SETUP + code + "end = (w * 2).sum()\nend.backward()\nprint(w.grad, sorted(globals()))\n"
    sampled, whole = record(script, samples_loops=True), record(script)
    path = tmp_path / "script.py"
    path.write_text(script)
    assert sampled.stdout == whole.stdout == run_plainly(path, tmp_path / "plain.json").stdout
    assert (sampled.status, sampled.timeline.notices) == (whole.status, whole.timeline.notices) == (0, [])
    assert call_gaps(sampled) == expected
    assert call_gaps(whole) == []
    assert moments(sampled)[-1] == moments(whole)[-1]
    if name != "a tensor further in" and not any(touched for *_, touched in expected):  # f is not on the stack there
        assert is_part(moments(sampled), moments(whole)) is None


def test_what_steps_say_of_calls(record: Forker) -> None:
    recorded = record("def tokenise(i):\n    return i\nx = [tokenise(i) for i in range(97)]\n", samples_loops=True)
    (step,) = recorded.steps_of("skipped")
    fields = steps.record(recorded.timeline, step)
    assert fields["text"] == "calls 4 to 97 of tokenise: no tensors, not recorded"
    assert (fields["line"], fields["of"], fields["count"]) == (3, "tokenise", 94)


def test_a_failure_in_a_call_that_is_not_recorded_is_where_it_is(record: Forker) -> None:
    script = "def f(k):\n    return 1 / (k - 30)\nx = [f(i) for i in range(90)]\n"
    sampled, whole = record(script, samples_loops=True), record(script)
    places = [
        [line.partition(", ")[2] for line in each.stderr.splitlines() if "File" in line] for each in (sampled, whole)
    ]
    assert places[0] == places[1]
    failed = [each.timeline.view(each.steps_of("failed")[0]) for each in (sampled, whole)]
    assert (failed[0].line, failed[0].code) == (failed[1].line, failed[1].code) == (2, failed[1].code)
    assert call_gaps(sampled) == [(3, "f", 4, 31, False)]


def test_a_failure_in_a_gap_is_where_it_is(record: Forker) -> None:
    script = "def f(k):\n    return 1 / (k - 30)\nfor i in range(100):\n    x = i\n    f(i)\n"
    sampled, whole = record(script, samples_loops=True), record(script)
    places = [
        [line.partition(", ")[2] for line in each.stderr.splitlines() if "File" in line] for each in (sampled, whole)
    ]
    assert places[0] == places[1] == ["line 5, in <module>", "line 2, in f"]
    failed = [record_.timeline.view(record_.steps_of("failed")[0]) for record_ in (sampled, whole)]
    assert (failed[0].line, failed[0].code) == (failed[1].line, failed[1].code) == (2, failed[1].code)
    assert gaps(sampled) == [(3, 4, 31, False)]
    step = sampled.steps_of("failed")[0]
    assert sampled.timeline.state(step).frames[0].names["x"].value == 30
    assert list(sampled.timeline.state(step).frames[0].iterations.values()) == [31]


def test_what_steps_say(record: Forker) -> None:
    recorded = record("for i in range(100_000):\n    x = i\n", samples_loops=True)
    (step,) = recorded.steps_of("skipped")
    fields = steps.record(recorded.timeline, step)
    assert fields["text"] == "iterations 4 to 99,997: no tensors, not recorded"
    assert (fields["line"], fields["first"], fields["last"], fields["count"]) == (1, 4, 99_997, 99_994)


def block(draw: random.Random, depth: int, names: list[str]) -> list[str]:
    """A few statements without tensors, with loops in them."""
    lines: list[str] = []
    for _ in range(draw.randint(1, 3)):
        name = draw.choice(names)
        kind = draw.choice(["for", "while", "plain", "if", "call", "try", "list"]) if depth < 3 else "plain"
        kind = "plain" if kind == "call" and names == ["n"] else kind  # in the function itself
        inner = (
            [f"    {line}" for line in block(draw, depth + 1, names)] if kind in ("for", "while", "if", "try") else []
        )
        leave = draw.choice(["", "", "", f"    if {name} % 11 == 10: break", f"    if {name} % 5 == 4: continue"])
        if kind == "for":
            over = draw.choice(["range({n})", "list(range({n}))", "(q for q in range({n}))", "'x' * {n}"])
            target = f"i{depth}"
            lines += [
                f"for {target} in {over.format(n=draw.choice([2, 17, 25]))}:",
                *([leave] if leave else []),
                *inner,
            ]
        elif kind == "while":
            lines += [f"c{depth} = 0", f"while c{depth} < {draw.choice([3, 20])}:", f"    c{depth} += 1", *inner]
            if draw.random() < 0.3:
                lines += ["else:", f"    {name} += 1"]
        elif kind == "if":
            lines += [f"if {name} % 2:", *inner]
        elif kind == "try":
            lines += ["try:", *inner, f"    {name} = {name} // ({name} % 3)", "except ZeroDivisionError as error:",
                      f"    {name} += 1", "finally:", f"    {draw.choice(names)} += 2"]  # fmt: skip
        elif kind == "call":
            lines.append(f"{name} = helped({name})")
        elif kind == "list":
            lines.append(f"{name} = sum([{draw.choice(names)} * j for j in range(4)]) % 97")
        else:
            lines.append(f"{name} = ({name} * {draw.randint(2, 9)} + {draw.randint(0, 9)}) % 101")
    return lines


def program(number: int) -> str:
    """A program with loops, in functions and outside, that touches a tensor now and then."""
    draw = random.Random(number)
    names = ["a", "b", "c"]
    helper = [f"    {line}" for line in block(draw, 2, ["n"])]
    function = [f"    {line}" for line in block(draw, 0, names)]
    main = block(draw, 0, names)
    return "\n".join([
        "import torch", "w = torch.ones(2, requires_grad=True)", "a, b, c, n = 3, 5, 7, 1",
        "def helped(n):", *helper, "    return n",
        "def run(a, b, c):", *function, "    loss = (w * a).sum()", "    loss.backward()", "    return a + b + c",
        *main, "total = run(a, b, c)", *block(draw, 1, names),
        "print(a, b, c, total, w.grad.tolist())", "",
    ])  # fmt: skip


@pytest.mark.slow
def test_random_loops(record: Forker, tmp_path: Path) -> None:
    skipped = 0
    for number in range(count(5, 200)):
        script = program(seed() * 1000 + number)
        path = tmp_path / f"{number}.py"
        path.write_text(script)
        plain = run_plainly(path, tmp_path / "plain.json")
        sampled = record(script, samples_loops=True, max_events=300_000)
        assert (sampled.stdout, sampled.status) == (plain.stdout, plain.status), script
        skipped += len(gaps(sampled))
        whole = record(script, max_events=300_000)
        assert whole.stdout == plain.stdout, script
        if whole.timeline.cut is None:
            assert moments(sampled)[-1] == moments(whole)[-1], script
            if whole.timeline.steps < 4000:
                assert is_part(moments(sampled), moments(whole)) is None, script
    assert skipped
