"""What rewritten code reports becomes events: statements, frames, loops and names. A statement's site is its line."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.recorder.frames import Program
from tests.recorder.parts import Parts
from tests.worker.recording import plain_value
from tutor.recorder.event_writer import EventWriter
from tutor.trace import events as ev
from tutor.trace.command import STATEMENT


@pytest.fixture
def program(parts: Parts, tmp_path: Path) -> Iterator[Program]:
    with (tmp_path / "events").open("wb") as file:
        yield Program(parts, EventWriter(file.fileno(), 1_000_000, 1 << 30, lambda reason: False))


def lines(events: list[ev.Event]) -> list[tuple[int, int]]:
    """Frame and line of each statement."""
    return [(event.frame, event.site) for event in events if isinstance(event, ev.Line)]


def binds(events: list[ev.Event]) -> list[tuple[int, str, Any]]:
    """Frame, name, and value of each name that was stored: the number of a tensor, or what it is."""
    return [
        (event.frame, event.name, event.value if event.what == "value" else event.ref or event.what)
        for event in events if isinstance(event, ev.Bind)
    ]  # fmt: skip


def test_statements_and_names_of_the_script(program: Program) -> None:
    assert program.run("a = 2\nb = a + 1\n") == [
        ev.FrameStart(1, "<module>", 1), ev.Line(1, 1), ev.Bind(1, "a", "value", 0, 2), ev.Line(2, 1),
        ev.Bind(1, "b", "value", 0, 3),
    ]  # fmt: skip
    assert program.location.numbers[STATEMENT] == 2
    assert binds(program.run("del a\n")) == [(1, "a", "none")]
    assert program.frames.script is program.frames.current


def test_a_function_has_a_frame_with_its_arguments(program: Program) -> None:
    events = program.run("def double(x, y=3):\n    z = x * 2\n    return z\nr = double(4)\ns = r\n")
    assert [event for event in events if not isinstance(event, ev.Bind)] == [
        ev.FrameStart(1, "<module>", 1), ev.Line(1, 1), ev.Line(4, 1), ev.FrameStart(2, "double", 1), ev.Line(2, 2),
        ev.Line(3, 2), ev.FrameEnd(2), ev.Line(5, 1),
    ]  # fmt: skip
    assert (2, "x", 4) in binds(events)
    assert (2, "y", 3) in binds(events)
    assert (2, "z", 8) in binds(events)
    assert binds(events)[-2:] == [(1, "r", 8), (1, "s", 8)]


def test_a_recursive_function_has_a_frame_for_each_call(program: Program) -> None:
    events = program.run("def f(n):\n    return 1 if n == 0 else n * f(n - 1)\nr = f(3)\n")
    assert [event.frame for event in events if isinstance(event, ev.FrameStart)] == [1, 2, 3, 4, 5]
    assert [event.frame for event in events if isinstance(event, ev.FrameEnd)] == [5, 4, 3, 2]
    assert binds(events)[-1] == (1, "r", 6)


def test_two_generators_are_resumable_and_kept_apart(program: Program) -> None:
    events = program.run("""\
        def count(n):
            while True:
                n += 1
                yield n
        a, b = count(0), count(10)
        r = next(a), next(b), next(a)
        """)
    starts = [event for event in events if isinstance(event, ev.FrameStart)]
    assert [(event.frame, event.resumable) for event in starts] == [(1, False), (2, True), (3, True)]
    assert [bind for bind in binds(events) if bind[1] == "n"] == [(2, "n", 0), (2, "n", 1), (3, "n", 10), (3, "n", 11),
                                                                  (2, "n", 2)]  # fmt: skip


def test_iterations_are_counted_for_each_frame_and_loop(program: Program) -> None:
    events = program.run("""\
        def inner():
            for j in range(2):
                pass
        for i in range(2):
            inner()
        """)
    assert [event for event in events if isinstance(event, ev.Iteration | ev.LoopEnd)] == [
        ev.Iteration(1, 4, 1), ev.Iteration(2, 2, 1), ev.Iteration(2, 2, 2), ev.LoopEnd(2, 2),
        ev.Iteration(1, 4, 2), ev.Iteration(3, 2, 1), ev.Iteration(3, 2, 2), ev.LoopEnd(3, 2), ev.LoopEnd(1, 4),
    ]  # fmt: skip


def test_an_exception_ends_the_loops_that_it_left(program: Program) -> None:
    events = program.run("""\
        try:
            for i in range(3):
                1 / (i - 1)
        except ZeroDivisionError:
            e = 1
        """)
    assert [event for event in events if isinstance(event, ev.Iteration | ev.LoopEnd)] == [
        ev.Iteration(1, 2, 1), ev.Iteration(1, 2, 2), ev.LoopEnd(1, 2),
    ]  # fmt: skip
    assert program.caught == [4]


def test_the_frame_that_raised_is_known_until_another_does(program: Program) -> None:
    program.run("""\
        def f(n):
            if n:
                f(n - 1)
            1 / n
        try:
            f(2)
        except ZeroDivisionError as error:
            kept = error
        """)
    assert program.frames.raised_in(program.names["kept"]) == 4  # f(0): the script is 1, f(2) is 2
    assert program.frames.raised_in(ValueError()) == 1


def test_names_of_outer_scopes_belong_to_the_frames_that_have_them(program: Program) -> None:
    events = program.run("""\
        total = 0
        def outer():
            count = 0
            def inner():
                nonlocal count
                global total
                count += 1
                total += 10
            inner()
            return count
        r = outer()
        """)
    assert [bind for bind in binds(events) if bind[1] in ("count", "total")] == [
        (1, "total", 0), (2, "count", 0), (3, "count", 1), (2, "count", 1), (1, "total", 10),
    ]  # fmt: skip


def test_walrus_and_star_imports(program: Program) -> None:
    events = program.run("r = (n := 3) + 1\nfrom colorsys import *\n")
    assert (1, "n", 3) in binds(events)
    assert program.names["hls_to_rgb"] is not None
    assert (1, "r", 4) in binds(events)


def test_what_a_container_holds_is_looked_at_after_a_call(program: Program) -> None:
    events = program.run("w = torch.ones(1)\nmine = [w]\nv = torch.zeros(1)\nmine.append(v)\nend = 1\n")
    groups = [event for event in events if isinstance(event, ev.Group)]
    numbers = {name: value for _, name, value in binds(events)}
    assert groups[0].items == [("[0]", numbers["w"])]
    assert groups[-1].items == [("[0]", numbers["w"]), ("[1]", numbers["v"])]
    assert events.index(groups[-1]) < events.index(ev.Line(5, 1))


def test_deep_in_a_recursion_containers_far_out_are_looked_at_when_it_returns(program: Program) -> None:
    events = program.run("""\
        known, mine = torch.ones(1), []
        def down(k, own):
            if k == 0:
                mine.append(known)
                for each in kept:
                    each.append(known)
                end = 1
                return
            kept.append(own)
            down(k - 1, [])
            own.pop()
            end = 2
        kept = []
        down(60, [])
        """)
    frames = {event.ref: event.frame for event in events if isinstance(event, ev.Bind) and event.what == "group"}
    deepest = max(event.frame for event in events if isinstance(event, ev.FrameStart))
    appended = next(at for at, event in enumerate(events) if isinstance(event, ev.Line) and event.site == 7)
    returned = next(at for at, event in enumerate(events) if isinstance(event, ev.FrameEnd) and event.frame == deepest)
    seen = {
        frames[event.group]: at
        for at, event in [*enumerate(events)][::-1]
        if isinstance(event, ev.Group) and event.items
    }
    assert all(at < appended for frame, at in seen.items() if frame in (1, *range(deepest - 30, deepest + 1)))
    assert {frame for frame, at in seen.items() if at > returned} == set(range(2, deepest - 32))
    for frame in set(frames.values()) - {1, deepest}:
        shown = None
        for event in events:
            if isinstance(event, ev.Group) and frames[event.group] == frame:
                shown = event.items
            elif isinstance(event, ev.Line) and event.frame == frame and event.site in (11, 12):
                assert bool(shown) == (event.site == 11)


def test_a_write_that_no_mode_sees_is_recorded(program: Program) -> None:
    events = program.run("z = torch.ones(1, dtype=torch.complex64)\nz.imag = torch.tensor([3.0])\nend = 1\n")
    snapshots = [event for event in events if isinstance(event, ev.Snapshot)]
    assert [plain_value(event.value, "complex64") for event in snapshots] == [[[1.0, 0.0]], [[1.0, 3.0]]]
    assert events.index(snapshots[-1]) < events.index(ev.Line(3, 1))


def test_a_forward_is_one_of_its_module(program: Program) -> None:
    events = program.run("""\
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
            def forward(self, x):
                return helper(x)
        def helper(x):
            return x
        y = Net()(torch.ones(1))
        """)
    (module,) = [event for event in events if isinstance(event, ev.Module)]
    assert (module.class_name, module.path) == ("Net", "")
    assert program.frames.current is program.frames.script


def test_while_it_is_off_nothing_is_sent_but_the_statement_is_noted(program: Program) -> None:
    program.run("a = 1\n")
    program.frames.on = False
    stored: list[tuple[str, Any]] = []
    program.frames.on_name_stored = lambda name, value: stored.append((name, value))
    assert program.run("for i in range(2):\n    b = i\nc = (lambda: 5)()\n") == []
    assert stored == [("i", 0), ("b", 0), ("i", 1), ("b", 1), ("c", 5)]
    assert program.location.numbers[STATEMENT] == 3


def test_a_function_that_runs_in_another_thread_is_not_recorded(program: Program) -> None:
    events = program.run("""\
        def work():
            secret = 1
            for i in range(2):
                secret += i
        t = threading.Thread(target=work, name="mine")
        t.start()
        t.join()
        end = 1
        """)
    assert {frame for frame, _ in lines(events)} == {1}
    assert "secret" not in {name for _, name, _ in binds(events)}
    assert [event.detail for event in events if isinstance(event, ev.Gap)] == ["mine"]


def test_a_handler_that_is_due_runs_before_the_next_statement(program: Program) -> None:
    program.run("a = 1\n")
    called: list[tuple[int, int]] = []

    def handler(number: int, frame: FrameType | None) -> None:
        assert frame is not None
        called.append((number, frame.f_lineno))

    program.due.waiting.append((handler, signal.SIGUSR1))
    program.run("b = 1\nc = 2\n")
    assert called == [(signal.SIGUSR1, 1)]


def test_pickled_callbacks_do_nothing(program: Program) -> None:
    line = pickle.loads(pickle.dumps(program.frames.callbacks["line"]))
    line(1)
    assert program.parts.sent() == [ev.FrameStart(1, "<module>", 1)]
