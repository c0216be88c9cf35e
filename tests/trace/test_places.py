"""WHERE: from a line of the source to a step."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutor.trace import events as ev
from tutor.trace.navigation import PlaceError, resolve
from tutor.trace.timeline import Timeline

Build = Callable[..., Timeline]

TEXT = """\
@decorated
def f(n):
    m = n + 1
    return m

for i in range(2):
    y = f(
        i,
    )
try:
    g()
except ValueError:
    z = 1
if y: z = 2
a = 1; b = 2
h()
never()
"""
HELPER = "def g():\n    raise ValueError\n"


@pytest.fixture
def timeline(build: Build) -> Timeline:
    def site(number: int, file: int, line: int, column: int, last: int) -> ev.Site:
        return ev.Site(number, file, (line, column, last, column + 3), "?", number)

    return build(
        [
            ev.Source(1, "/home/ada/run.py", TEXT), ev.Source(2, "/home/ada/lib/helper.py", HELPER),
            site(1, 1, 2, 0, 4), site(2, 1, 3, 4, 3), site(3, 1, 4, 4, 4), site(4, 1, 6, 0, 9), site(5, 1, 7, 4, 9),
            site(6, 1, 10, 0, 13), site(7, 1, 11, 4, 11), site(8, 1, 13, 4, 13), site(9, 1, 14, 0, 14),
            site(10, 1, 14, 6, 14), site(11, 1, 15, 0, 15), site(12, 1, 15, 7, 15), site(13, 1, 16, 0, 16),
            site(14, 2, 2, 4, 2), site(20, 1, 3, 8, 3),
            ev.CellStart(1),  # 1
            ev.FrameStart(1, "<module>", 1), ev.Line(1, 1),  # 2
            ev.Line(4, 1), ev.Iteration(1, 4, 1), ev.Line(5, 1),  # 3, 4
            ev.FrameStart(2, "f", 1), ev.Line(2, 2), ev.Op(20, 2, [None], [1]), ev.Line(3, 2),  # 5, 6, 7
            ev.FrameEnd(2),
            ev.Line(4, 1), ev.Iteration(1, 4, 2), ev.Line(5, 1),  # 8, 9
            ev.FrameStart(3, "f", 1), ev.Line(2, 3), ev.Op(20, 3, [None], [2]), ev.Line(3, 3),  # 10, 11, 12
            ev.FrameEnd(3), ev.Op(20, 1, [2], [3]),  # 13
            ev.Line(4, 1), ev.LoopEnd(1, 4),  # 14
            ev.Line(6, 1), ev.Line(7, 1),  # 15, 16
            ev.FrameStart(4, "g", 2), ev.Line(14, 4), ev.FrameEnd(4),  # 17
            ev.Failed("ValueError", "", 2, (2, 4, 2, 20), "g", 4, True),  # 18
            ev.Line(8, 1), ev.Line(9, 1), ev.Line(10, 1), ev.Line(11, 1), ev.Line(12, 1), ev.Line(13, 1),  # 19 to 24
            ev.Failed("NameError", "h", 1, (16, 0, 16, 1), "<module>", 1), ev.CellEnd(1, "failed"),  # 25, 26
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("where", "step"),
    [
        ("end", 26), ("0", 0), ("12", 12), ("cell:1", 26),
        ("line:1", 2), ("line:2", 2),  # the decorator belongs to the definition
        ("line:3", 11), ("line:3#1", 6), ("line:3#2", 11),
        ("line:4", 12), ("line:4#1", 7),  # the function's last statement: before the caller goes on
        ("line:6", 14), ("line:6#1", 3), ("line:6#2", 8), ("line:6#3", 14),
        ("line:7", 13), ("line:8", 13), ("line:9#1", 7),  # a call over several lines, with all that it did
        ("line:10", 15), ("line:13", 19), ("line:14", 21), ("line:15", 23), ("line:15#1", 23),
        ("run.py:13", 19), ("/home/ada/run.py:13", 19), ("ada/run.py:3#1", 6),
    ],
)  # fmt: skip
def test_places(timeline: Timeline, where: str, step: int) -> None:
    assert resolve(timeline, where) == step


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("27", "no step 27: this recording has 26"),
        ("-1", "no place in a recording"),
        ("", "no place in a recording"),
        ("line:", "no place in a recording"),
        ("line:x", "no place in a recording"),
        ("somewhere", "no place in a recording"),
        ("9" * 400, "no step 9"),
        ("line:5", "no statement on line 5"),
        ("line:0", "no line 0"),
        ("line:99", "no line 99: it has 18"),
        ("line:17", "line 17 of /home/ada/run.py never ran"),
        ("line:16", "begun, but never completed"),
        ("line:11", "begun, but never completed"),
        ("helper.py:2", "begun, but never completed"),
        ("line:3#3", "completed 2 times only"),
        ("line:13#2", "completed once only"),
        ("line:3#0", "counted from 1"),
        ("other.py:3", "No file 'other.py' is in this recording; there is /home/ada/lib/helper.py, /home/ada/run.py"),
        ("cell:2", "Code cell 2 did not run: cells 1 to 1 did"),
        ("cell:1:3", "This is no notebook"),
    ],
)
def test_places_that_are_not_there(timeline: Timeline, where: str, says: str) -> None:
    with pytest.raises(PlaceError, match=None) as error:
        resolve(timeline, where)
    assert says in str(error.value)


def test_a_failure_further_out_leaves_an_inner_statement_complete(build: Build) -> None:
    text = "def f():\n    return 1\nf() + None\n"
    timeline = build(
        [
            ev.Source(1, "a.py", text), ev.Site(1, 1, (2, 4, 2, 12), "f", 1),
            ev.Site(2, 1, (3, 0, 3, 10), "<module>", 2),
            ev.CellStart(1), ev.Line(2, 1), ev.FrameStart(2, "f", 1), ev.Line(1, 2), ev.FrameEnd(2),
            ev.Failed("TypeError", "", 1, (3, 0, 3, 10), "<module>", 1), ev.CellEnd(1, "failed"),
        ]
    )  # fmt: skip
    assert resolve(timeline, "line:2") == 3
    with pytest.raises(PlaceError, match="never completed"):
        resolve(timeline, "line:3")


def test_two_calls_in_a_row_are_two_executions(build: Build) -> None:
    text = "def f():\n    return 1\nf() + f()\n"
    timeline = build(
        [
            ev.Source(1, "a.py", text), ev.Site(1, 1, (2, 4, 2, 12), "f", 1),
            ev.Site(2, 1, (3, 0, 3, 9), "<module>", 2),
            ev.CellStart(1), ev.Line(2, 1), ev.FrameStart(2, "f", 1), ev.Line(1, 2), ev.FrameEnd(2),
            ev.FrameStart(3, "f", 1), ev.Line(1, 3), ev.FrameEnd(3), ev.CellEnd(1, "ok"),
        ]
    )  # fmt: skip
    assert [resolve(timeline, where) for where in ("line:2#1", "line:2#2", "line:3")] == [3, 4, 4]


@pytest.mark.parametrize("outcome", ["stopped", "died", None])
def test_a_statement_that_was_stopped_is_not_complete(build: Build, outcome: str | None) -> None:
    events: list[ev.Event] = [
        ev.Source(1, "a.py", "x = 1\nwhile True: pass\n"), ev.Site(1, 1, (1, 0, 1, 5), "<module>", 1),
        ev.Site(2, 1, (2, 0, 2, 16), "<module>", 2), ev.CellStart(1), ev.Line(1, 1), ev.Line(2, 1),
    ]  # fmt: skip
    timeline = build([*events, *([ev.CellEnd(1, outcome)] if outcome else [])])
    assert resolve(timeline, "line:1") == 2
    with pytest.raises(PlaceError, match="never completed"):
        resolve(timeline, "line:2")


def test_lines_of_a_notebook_belong_to_cells(build: Build) -> None:
    timeline = build(
        [
            ev.Source(1, "n.ipynb", "x = 1\n", 1), ev.Source(2, "n.ipynb", "y = 1\nz = 2\n", 2),
            ev.Site(1, 1, (1, 0, 1, 5), "<module>", 1), ev.Site(2, 2, (2, 0, 2, 5), "<module>", 2),
            ev.CellStart(1), ev.Line(1, 1), ev.CellEnd(1, "ok"), ev.CellStart(2), ev.Line(2, 1), ev.CellEnd(2, "ok"),
        ]
    )  # fmt: skip
    assert [resolve(timeline, where) for where in ("cell:1", "cell:2", "cell:1:1", "cell:2:2")] == [3, 6, 2, 5]
    for where, says in [("line:1", "say cell:C:N"), ("cell:3:1", "no code cell 3"), ("cell:2:9", "has no line 9")]:
        with pytest.raises(PlaceError, match=says):
            resolve(timeline, where)


def test_a_name_that_several_files_have(build: Build) -> None:
    timeline = build([ev.Source(1, "/a/m.py", "x\n"), ev.Source(2, "/b/m.py", "x\n"), ev.CellStart(1)])
    with pytest.raises(PlaceError, match=r"may be any of /a/m\.py, /b/m\.py"):
        resolve(timeline, "m.py:1")


def test_nothing_was_recorded() -> None:
    assert resolve(Timeline(), "end") == 0
    for where in ("line:1", "cell:1", "a.py:1", "1"):
        with pytest.raises(PlaceError):
            resolve(Timeline(), where)
