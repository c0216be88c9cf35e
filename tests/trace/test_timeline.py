"""The state at any step, however one gets there."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sampling import count
from tutor.trace import events as ev
from tutor.trace import frame_store, tracefile, wire
from tutor.trace import timeline as module
from tutor.trace.index import Definitions
from tutor.trace.replay import Replay
from tutor.trace.state import State
from tutor.trace.timeline import Timeline
from tutor.trace.tracefile import save

Build = Callable[..., Timeline]


def replayed(events: list[ev.Event], step: int) -> State:
    """The state by its definition: all events from the start, and what came last marked as new."""
    definitions = Definitions()
    for event in events:
        definitions.add(event)
    replay, seen, made = Replay(State(), definitions), 0, set[int]()
    for event in events:
        if isinstance(event, ev.STEP_KINDS):
            seen += 1
            made = set[int]()
            if seen > step:
                break
        if isinstance(event, ev.GraphNode):
            made.add(event.node)
        replay.run([event])
    state = replay.state
    state.step = step
    if seen > step:
        made = _made_after(events, step)
    for number in made & state.nodes.keys():
        node = state.nodes[number] = copy(state.nodes[number])
        node.state = "new" if node.state == "live" else node.state
    return state


def _made_after(events: list[ev.Event], step: int) -> set[int]:
    seen, made = 0, set()
    for event in events:
        seen += isinstance(event, ev.STEP_KINDS)
        if seen == step and isinstance(event, ev.GraphNode):
            made.add(event.node)
    return made


def plain(state: State) -> Any:
    return msgspec.to_builtins(state, str_keys=True, order="deterministic")


@settings(max_examples=count(20, 60), deadline=None)
@given(st.data(), st.integers(0, 120), st.integers(1, 40), st.integers(1, 60))
def test_any_state_equals_replaying_from_the_start(
    build: Build, by_chance: Callable[..., list[ev.Event]], data: st.DataObject, length: int, size: int, every: int
) -> None:
    random = data.draw(st.randoms(use_true_random=False))
    events = by_chance(random.randint, length)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame_store, "KEY_EVERY", every)
        patch.setattr(frame_store, "KEY_BYTES", 1 << 30)
        patch.setattr(module, "CACHED_STATES", 2)
        patch.setattr(frame_store, "MARKS", 3)
        timeline = build(events, size)
        assert timeline.notices == []
        order = data.draw(st.lists(st.integers(0, timeline.steps), max_size=12))
        for step in [*order, *range(timeline.steps + 1)]:
            assert plain(timeline.state(step)) == plain(replayed(events, step))


@settings(max_examples=count(10, 25), deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 100))
def test_a_saved_recording_is_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    build: Build,
    by_chance: Callable[..., list[ev.Event]],
    random: Any,
    length: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame_store, "KEY_EVERY", 20)
        live = build(by_chance(random.randint, length), 7)
    path = tmp_path_factory.mktemp("traces") / "a.trace"
    save(live, path)
    loaded = tracefile.load(path)
    assert (loaded.steps, loaded.notices) == (live.steps, [])
    recorded, read = (
        {name: column for name, column in vars(timeline.columns).items() if not name.startswith("_")}
        for timeline in (live, loaded)
    )
    assert read == recorded
    assert (loaded.cells, loaded.passes, loaded.series) == (live.cells, live.passes, live.series)
    for step in range(live.steps, -1, -1):
        assert plain(loaded.state(step)) == plain(live.state(step))
        assert loaded.output(step) == live.output(step)
        if step:
            assert loaded.view(step) == live.view(step)
            assert loaded.changed(step) == live.changed(step)


def test_a_state_once_given_stays_as_it_is(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(two_paths, 5)
    given_first = {step: timeline.state(step) for step in range(timeline.steps + 1)}
    before = {step: plain(state) for step, state in given_first.items()}
    for step in [20, 0, 13, 14, 15, 3, 19]:
        timeline.state(step)
    assert {step: plain(state) for step, state in given_first.items()} == before


def test_the_last_state_grows_with_what_belongs_to_it(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = Timeline()
    timeline.feed(wire.pack(two_paths[:8], 3))
    assert timeline.steps == 3
    assert timeline.state(3).tensors == {}
    timeline.feed(wire.pack(two_paths[8:11], 0))
    assert timeline.state(3).tensors[1].value == [2.0]
    assert timeline.state(3).frames[-1].names["x"].ref == 1


def test_views(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(two_paths)
    kinds = [timeline.kind(step) for step in range(1, timeline.steps + 1)]
    passed = ["backward", *["node"] * 3, *["accumulate"] * 2, "backward_end"]
    assert kinds == ["cell", *["line", "op"] * 5, "line", *passed, "cell_end"]
    add = timeline.view(7)
    assert (add.kind, add.file, add.line, add.span) == ("op", "/home/ada/two.py", 4, (4, 4, 4, 9))
    assert (add.code, add.function, add.depth, add.cell, add.pass_) == ("x + w", "<module>", 0, 1, None)
    node = timeline.view(14)
    assert (node.line, node.code, node.pass_, node.depth) == (7, "y.backward()", 1, None)
    assert timeline.view(1).line is None
    assert timeline.view(20).pass_ is None
    assert timeline.passes[0].start_step == 13
    assert timeline.passes[0].end_step == 19
    assert timeline.cells[0].outcome == "ok"
    assert [(name, [(p.step, p.x, p.value) for p in points]) for name, points in timeline.series.items()] == [
        ("y", [(13, 0, 6.0)])
    ]
    assert timeline.run_end == ev.RunEnd("ok", 0)
    assert timeline.state(0).knobs == {"lr": 0.5}


def test_what_changed(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(two_paths)
    add = timeline.changed(7)
    assert (add.tensors, add.grads, add.nodes, add.names) == ({3}, set(), {1, 2, 3}, {(1, "a")})
    w = timeline.changed(17)
    assert (w.tensors, w.grads, w.nodes, w.names) == ({6}, {2}, {2}, set())
    assert timeline.changed(20, 12).grads == {1, 2}
    assert timeline.changed(12, 20) == timeline.changed(20, 12)
    assert timeline.changed(0).tensors == set()


def test_what_changed_over_a_long_way_is_the_same(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(two_paths)
    near = timeline.changed(20, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "COMPARE_BEYOND", 1)
        far = timeline.changed(20, 5)
    assert far.names == near.names
    assert (far.tensors, far.grads) == (near.tensors, near.grads) == ({3, 4, 5, 6, 7}, {1, 2})
    assert far.nodes == near.nodes


def test_output_belongs_to_the_step_before_it(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build([*two_paths, ev.Output("stderr", "late")])
    assert [timeline.output(step) for step in (18, 19, 20)] == ["", "done\n", "done\nlate"]
    assert [(part.stream, part.text) for part in timeline.contents.printed] == [
        ("stdout", "done\n"),
        ("stderr", "late"),
    ]
    assert timeline.state(20).output_length == 9


def test_a_step_that_is_not_there(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(two_paths)
    for ask in (timeline.state, timeline.event, timeline.view, timeline.kind, timeline.output, timeline.changed):
        for step in (-1, 21):
            with pytest.raises(IndexError, match=r"no step -?\d+: this recording has 20"):
                ask(step)
    with pytest.raises(IndexError):
        timeline.event(0)
    assert Timeline().state(0) == State()


def test_a_frame_that_cannot_be_read_is_left_out_with_a_notice(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(two_paths[:20])
    steps = timeline.steps
    timeline.feed(b"\x04\x00\x00\x00" + b"\x01\x00\x00\x00" * 2 + b"junk")
    assert timeline.steps == steps
    assert len(timeline.notices) == 1
    timeline.feed(wire.pack([ev.Gap(12, "The budget was spent."), (77, 1), ev.Line(1, 1)], 1))
    assert timeline.notices[1:] == [
        "Events of kind 77, from a later version of gradtutor, were skipped.", "The budget was spent. (12 events)",
    ]  # fmt: skip
    assert timeline.kind(timeline.steps) == "line"


def test_numbers_that_nothing_has_are_passed_over(build: Build) -> None:
    strange: list[ev.Event] = [
        ev.Line(9, 99), ev.Bind(98, "x", "tensor", 97), ev.Snapshot(1, 96, 0, 1, None, None, [1.0]), ev.Gone([95]),
        ev.Op(2**40, 3, [94], [93]), ev.Node(92, [], []), ev.Accumulate(91, 90, 89, [1.0], [1.0]), ev.Freed([88]),
        ev.Backward(87, 86, 85, "backward", [84], False, False), ev.BackwardEnd(83, True), ev.Node(92, [], []),
        ev.Iteration(82, 81, 80), ev.LoopEnd(79, 78), ev.FrameEnd(77), ev.Captured(76, 75, [1.0]),
        ev.Retained(74, 73, [1.0]), ev.HookRan(72, "f", [1.0], [1.0]), ev.Group(71, [("[0]", 70)]),
        ev.CellEnd(69, "ok"), ev.Failed("E", "m", 68, (9, 9, 9, 9), None, 67),
        ev.GraphNode(66, "AddBackward0", [(65, 0)], 64, 1), ev.Iteration(1, -5, -7), ev.Line(-3, 1),
    ]  # fmt: skip
    timeline = build(strange)
    for step in range(timeline.steps + 1):
        timeline.state(step)
        if step:
            assert timeline.view(step).file is None


def test_a_loop_counts_its_turns_for_every_step_in_it(build: Build) -> None:
    text = "for i in range(2):\n    f(i)\nprint(i)\n"
    events: list[ev.Event] = [
        ev.Source(1, "a.py", text), ev.CellStart(1), ev.Site(1, 1, (1, 0, 2, 8), "<module>", 1),
        ev.Site(2, 1, (2, 4, 2, 8), "<module>", 2), ev.Site(3, 1, (3, 0, 3, 8), "<module>", 3),
        ev.Line(1, 1), ev.Iteration(1, 1, 1), ev.Line(2, 1), ev.FrameStart(2, "f", 1), ev.Line(3, 2), ev.FrameEnd(2),
        ev.Line(1, 1), ev.Iteration(1, 1, 2), ev.Line(2, 1), ev.Line(1, 1), ev.LoopEnd(1, 1), ev.Line(3, 1),
    ]  # fmt: skip
    timeline = build(events)
    assert [timeline.view(step).iteration for step in range(1, 9)] == [None, 1, 1, 1, 2, 2, None, None]
    assert timeline.view(2).code == "for i in range(2):"
    assert timeline.view(2).span == (1, 0, 1, 18)
    assert [timeline.view(step).depth for step in (2, 3, 4)] == [0, 0, 1]


def test_a_loop_that_an_exception_left_is_over_at_the_next_statement_outside(build: Build) -> None:
    text = "try:\n    for i in a:\n        f()\nexcept E:\n    g()\n"
    events: list[ev.Event] = [
        ev.Source(1, "a.py", text), ev.CellStart(1), ev.Site(1, 1, (2, 4, 3, 11), "<module>", 1),
        ev.Site(2, 1, (3, 8, 3, 11), "<module>", 2), ev.Site(3, 1, (5, 4, 5, 7), "<module>", 3),
        ev.Line(1, 1), ev.Iteration(1, 1, 1), ev.Line(2, 1), ev.Line(3, 1),
    ]  # fmt: skip
    timeline = build(events)
    assert [timeline.view(step).iteration for step in (2, 3, 4)] == [1, 1, None]


def test_load_wants_a_recording(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tracefile.load(tmp_path / "none.trace")
