"""Where each key leads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutor.trace import events as ev
from tutor.trace import navigation
from tutor.trace.timeline import Timeline

Build = Callable[..., Timeline]


@pytest.fixture
def timeline(build: Build) -> Timeline:
    """A loop of two turns that calls a function, an optimizer's step, a backward pass; then a second cell."""
    return build(
        [
            *(ev.Site(number, 1, (number, 0, number, 5), "<module>", number) for number in range(1, 7)),
            ev.Site(11, 1, (3, 0, 3, 5), "f", 3, "mul"),
            ev.Site(12, 1, (4, 0, 4, 5), "<module>", 4, "add", 1, "SGD.step"),
            ev.Site(13, 1, (4, 0, 4, 5), "<module>", 4, "loss", 0),
            ev.CellStart(1),  # 1
            ev.Line(1, 1), ev.Iteration(1, 1, 1), ev.Line(2, 1),  # 2, 3
            ev.FrameStart(2, "f", 1), ev.Line(3, 2), ev.Op(11, 2, [], [1]), ev.FrameEnd(2),  # 4, 5
            ev.Line(4, 1), ev.Op(12, 1, [], [2]), ev.Op(12, 1, [], [3]), ev.Op(13, 1, [], [4]),  # 6, 7, 8, 9
            ev.Line(1, 1), ev.Iteration(1, 1, 2), ev.Line(2, 1),  # 10, 11
            ev.FrameStart(3, "f", 1), ev.Line(3, 3), ev.FrameEnd(3),  # 12
            ev.Line(4, 1), ev.Line(1, 1), ev.LoopEnd(1, 1),  # 13, 14
            ev.Line(5, 1), ev.Backward(5, 1, 1, "backward", [], False, False), ev.Node(1, [], []),  # 15, 16, 17
            ev.BackwardEnd(1, True), ev.Op(13, 1, [], [5]), ev.CellEnd(1, "ok"),  # 18, 19, 20
            ev.CellStart(2), ev.Line(6, 1), ev.Backward(6, 1, 2, "grad", [], False, False),  # 21, 22, 23
            ev.BackwardEnd(2, True), ev.CellEnd(2, "ok"),  # 24, 25
        ]
    )  # fmt: skip


Move = Callable[[Timeline, int], int | None]


@pytest.mark.parametrize(
    ("move", "leads"),
    [
        (navigation.forward, {0: 1, 1: 2, 5: 6, 6: 9, 7: 8, 8: 9, 24: 25, 25: None}),
        (navigation.back, {25: 24, 9: 6, 8: 7, 7: 6, 2: 1, 1: None, 0: None}),
        (navigation.next_line, {0: 2, 1: 2, 2: 3, 3: 6, 4: 6, 5: 6, 6: 10, 15: 20, 16: 20, 20: 22, 22: 25, 25: None}),
        (navigation.previous_line, {25: 22, 22: 20, 20: 15, 18: 15, 6: 3, 5: 4, 4: 3, 3: 2, 2: None}),
        (navigation.into, {3: 4, 6: 7, 9: 7, 16: 17, 2: None, 5: None, 25: None, 0: None}),
        (navigation.out, {4: 6, 5: 6, 7: 9, 8: 9, 12: 13, 16: 18, 17: 18, 3: None, 0: None}),
        (navigation.next_cell, {0: 1, 1: 21, 20: 21, 21: None}),
        (navigation.previous_cell, {25: 21, 21: 1, 5: 1, 1: None}),
        (navigation.next_pass, {0: 16, 16: 23, 17: 23, 23: None}),
        (navigation.previous_pass, {25: 23, 23: 16, 17: 16, 16: None}),
        (navigation.next_iteration, {2: 3, 3: 11, 5: 11, 10: 11, 11: None, 15: None, 0: 3}),
        (navigation.previous_iteration, {11: 3, 13: 3, 3: None, 2: None, 15: 11, 25: 11, 0: None}),
    ],
)
def test_moves(timeline: Timeline, move: Move, leads: dict[int, int | None]) -> None:
    assert {step: move(timeline, step) for step in leads} == leads


def test_forward_as_deep_as_asked(timeline: Timeline) -> None:
    assert navigation.forward(timeline, 6, 1) == 7
    assert navigation.forward(timeline, 7, 0) == 9
    assert navigation.back(timeline, 9, 1) == 8


def test_a_failure_is_a_place_to_stop_at(build: Build) -> None:
    timeline = build([ev.CellStart(1), ev.Line(1, 1), ev.Failed("E", "", None, None, None, 1), ev.CellEnd(1, "failed")])
    assert [navigation.next_line(timeline, step) for step in range(5)] == [2, 2, 3, 4, None]


def test_nowhere_to_go_in_an_empty_recording() -> None:
    timeline = Timeline()
    moves: list[Move] = [
        navigation.forward, navigation.back, navigation.next_line, navigation.previous_line, navigation.into,
        navigation.out, navigation.next_cell, navigation.previous_cell, navigation.next_pass, navigation.previous_pass,
        navigation.next_iteration, navigation.previous_iteration,
    ]  # fmt: skip
    assert [move(timeline, 0) for move in moves] == [None] * 12
