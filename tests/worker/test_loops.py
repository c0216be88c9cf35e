"""Which turn of which loop a step belongs to."""

from __future__ import annotations

from tests.worker.recording import Forker, Recording
from tutor.trace import events as ev


def turns(recorded: Recording, line: int) -> list[int | None]:
    """The iteration shown each time that the statement on this line was about to run."""
    views = (recorded.timeline.view(step) for step in recorded.steps_of("line"))
    return [view.iteration for view in views if view.line == line]


def loops_at(recorded: Recording, step: int) -> list[int]:
    """The turns of the loops around a step, outermost first, over all frames."""
    return [turn for frame in recorded.timeline.state(step).frames for turn in frame.iterations.values()]


def test_break_continue_else(record: Forker) -> None:
    recorded = record("""\
import torch
for i in range(5):
    if i == 1:
        continue
    if i == 3:
        break
    a = torch.tensor(i)
else:
    never = 1
for j in range(2):
    b = j
else:
    once = torch.tensor(1)
k = 0
while k < 3:
    k += 1
last = 0
""")
    assert turns(recorded, 3) == [1, 2, 3, 4]
    assert turns(recorded, 4) == [2]
    assert turns(recorded, 5) == [1, 3, 4]
    assert turns(recorded, 7) == [1, 3]
    assert turns(recorded, 9) == []
    assert turns(recorded, 11) == [1, 2]
    assert turns(recorded, 13) == [None]
    assert turns(recorded, 16) == [1, 2, 3]
    assert turns(recorded, 17) == [None]
    # A header runs once more than its body, unless a break leaves the loop.
    assert [len(turns(recorded, line)) for line in (2, 10, 15)] == [4, 3, 4]
    assert loops_at(recorded, recorded.timeline.steps) == []


def test_loops_in_loops_and_functions(record: Forker) -> None:
    recorded = record("""\
import torch
def inner(n):
    for m in range(n):
        t = torch.tensor(m)
        if m == 1:
            return t
for i in range(2):
    for j in range(3):
        x = inner(j)
""")
    step = recorded.op("torch.tensor(m)", 3)  # i=0: j=1 gives one, j=2 two
    assert loops_at(recorded, step) == [1, 3, 2]
    assert loops_at(recorded, recorded.op("torch.tensor(m)", 6)) == [2, 3, 2]
    assert loops_at(recorded, recorded.timeline.steps) == []
    assert turns(recorded, 9) == [1, 2, 3, 1, 2, 3]


def test_an_exception_leaves_loops(record: Forker) -> None:
    recorded = record("""\
import torch
def fails():
    for n in range(3):
        torch.ones(2) @ torch.ones(3)
for i in range(2):
    try:
        for j in range(3):
            for k in range(3):
                if k == 1:
                    raise ValueError
    except ValueError:
        a = torch.tensor(i)
    b = 0
    try:
        fails()
    except RuntimeError:
        c = torch.tensor(i)
done = torch.zeros(1)
""")
    for count in (1, 2):
        assert loops_at(recorded, recorded.op("torch.tensor(i)", count * 2 - 1)) == [count]
        assert loops_at(recorded, recorded.op("torch.tensor(i)", count * 2)) == [count]
    assert turns(recorded, 9) == [1, 2, 1, 2]
    assert turns(recorded, 13) == [1, 2]
    assert loops_at(recorded, recorded.op("torch.zeros(1)")) == []


def test_an_exception_that_is_suppressed_leaves_loops(record: Forker) -> None:
    recorded = record("""\
import contextlib
for i in range(2):
    with contextlib.suppress(ValueError):
        for j in range(3):
            if j == 1:
                raise ValueError
    k = 0
""")
    assert turns(recorded, 5) == [1, 2, 1, 2]
    assert turns(recorded, 7) == [1, 2]


def test_comprehensions_belong_to_their_statement(record: Forker) -> None:
    recorded = record("""\
import torch
squares = [torch.tensor(i) * i for i in range(3)]
total = sum(s for s in squares)
grow = lambda t: t + 1
grown = grow(squares[2])
""")
    lines = [recorded.timeline.view(step).line for step in recorded.steps_of("line")]
    assert lines == [1, 2, 3, 4, 5]
    assert [op for op, _ in recorded.ops()] == ["tensor", "mul"] * 3 + ["add"] * 3 + ["add"]
    step = recorded.op("t + 1")
    assert recorded.timeline.view(step).line == 4
    assert [frame.function for frame in recorded.timeline.state(step).frames] == ["<module>"]


def test_iterations_are_counted_in_their_frame(record: Forker) -> None:
    recorded = record("""\
import torch
def numbers():
    for n in range(3):
        yield torch.tensor(n)
for t in numbers():
    x = t + 0
""")
    assert [event.number for event in recorded.of(ev.Iteration)] == [1, 1, 2, 2, 3, 3]
    assert turns(recorded, 6) == [1, 2, 3]
    assert turns(recorded, 4) == [1, 2, 3]


def test_what_an_iteration_calls_stands_at_its_loop(record: Forker) -> None:
    """Compilers place it at the loop or at what it iterates over; calls in the latter stay where they are."""
    recorded = record("""\
import torch
y = torch.ones(2, 2)
for é, row in enumerate(y * 2):
    pass
for row in y.abs():
    pass
for row in map(torch.relu, y):
    pass
a = [r + 1 for r in y]
b = [s for r in y for s in r.exp()]
c = list(r for r in y)
def f(k=[r for r in y]):
    for r in y: yield r
for r in f():
    pass
""")
    assert recorded.ops() == [
        ("ones", "torch.ones(2, 2)"),
        ("mul", "y * 2"), ("unbind", "enumerate(y * 2)"),
        ("abs", "y.abs()"), ("unbind", "for row in y.abs():\n    pass"),
        ("unbind", "map(torch.relu, y)"), *[("relu", "for row in map(torch.relu, y):\n    pass")] * 2,
        ("unbind", "[r + 1 for r in y]"), *[("add", "r + 1")] * 2,
        ("unbind", "[s for r in y for s in r.exp()]"),
        *[("exp", "r.exp()"), ("unbind", "[s for r in y for s in r.exp()]")] * 2,
        ("unbind", "(r for r in y)"),
        ("unbind", "[r for r in y]"),
        ("unbind", "for r in y: yield r"),
    ]  # fmt: skip
