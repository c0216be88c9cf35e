"""What events add up to; expected values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

from tutor.trace import events as ev
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

Build = Callable[..., Timeline]
LEAF = ev.Meta(1, (1,), "float32", "cpu", (1,), True, True, None, False)
MADE = ev.Meta(2, (1,), "float32", "cpu", (1,), True, False, "AddBackward0", False)


def end(timeline: Timeline) -> State:
    return timeline.state(timeline.steps)


def test_two_paths_to_one_leaf(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(two_paths)
    before = timeline.state(12)
    assert {number: tensor.value for number, tensor in before.tensors.items()} == {
        1: [2.0], 2: [1.0], 3: [3.0], 4: [2.0], 5: [6.0],
    }  # fmt: skip
    assert [before.tensors[number].grad for number in (1, 2)] == [None, None]
    assert before.shown == {1, 2, 3, 4, 5}
    assert not before.showing_pass
    after = timeline.state(19)
    x, w = after.tensors[1], after.tensors[2]
    assert x.grad is not None
    assert w.grad is not None
    assert (after.tensors[x.grad].value, after.tensors[w.grad].value) == ([2.0], [5.0])
    grad = after.tensors[w.grad]
    assert (grad.shape, grad.dtype, grad.device, grad.requires_grad, grad.is_leaf) == (
        (1,),
        "float32",
        "cpu",
        False,
        True,
    )
    assert (w.label, after.tensors[3].label) == ("w", "a")
    assert after.last_pass is not None
    assert after.last_pass.ran == [5, 4, 3, 2, 1]
    assert not after.last_pass.running
    assert after.shown == {1, 2, 3, 4, 5}


def test_gradients_appear_node_by_node(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(two_paths)
    seen = [
        {number: node.grad_outputs for number, node in timeline.state(step).nodes.items() if node.order}
        for step in range(13, 19)
    ]
    assert seen == [
        {},
        {5: [[1.0]]},
        {5: [[1.0]], 4: [[3.0]]},
        {5: [[1.0]], 4: [[3.0]], 3: [[2.0]]},
        {5: [[1.0]], 4: [[3.0]], 3: [[2.0]], 2: [[5.0]]},
        {5: [[1.0]], 4: [[3.0]], 3: [[2.0]], 2: [[5.0]], 1: [[2.0]]},
    ]
    assert timeline.state(18).nodes[1].order == 5


def test_nodes_are_new_then_live_then_freed(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(two_paths)
    add = [timeline.state(step).nodes[3].state for step in (7, 8, 18, 19)]
    assert add == ["new", "live", "live", "freed"]
    assert timeline.state(19).nodes[2].state == "live"  # a leaf's node outlives the pass
    assert [timeline.state(7).nodes[number].value for number in (1, 2, 3)] == [[2.0], [1.0], [3.0]]
    assert timeline.state(11).nodes[5].value == [6.0]  # also where the snapshot comes first


def test_the_next_node_after_a_pass_shows_what_lives(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(
        [
            *two_paths, ev.Freed([5]), ev.CellStart(2), ev.Snapshot(2, 1, 1, 2, None, 6, [0.5]), ev.Line(5, 1),
            ev.Op(6, 1, [1, 2], [8]), ev.GraphNode(6, "AddBackward0", [(1, 0), (2, 0)], 8, 3),
            ev.Snapshot(8, 2, 0, 8, 6, None, [2.5]), ev.Freed([3]), ev.Line(7, 1),
        ]
    )  # fmt: skip
    kept = timeline.state(22)
    assert kept.showing_pass
    assert (kept.nodes[5].gone, kept.nodes[5].state, kept.nodes[5].grad_outputs) == (True, "freed", [[1.0]])
    now = timeline.state(23)
    assert not now.showing_pass
    assert now.shown == set(now.nodes) == {1, 2, 4, 6}
    assert all(node.order == 0 and node.grad_outputs is None for node in now.nodes.values())
    assert (now.nodes[6].state, now.nodes[4].state) == ("new", "freed")
    assert now.nodes[2].value == [0.5]  # w, as it is used now


def test_a_second_pass_shows_its_own_graph_and_adds(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(
        [
            *two_paths[:-2], ev.Line(11, 1), ev.Backward(11, 1, 2, "backward", [4], True, False),
            ev.Node(4, [[1.0]], [[1.0], None]), ev.Accumulate(2, 2, 6, [1.0], [6.0]), ev.BackwardEnd(2, True),
        ]
    )  # fmt: skip
    start = timeline.state(21)
    assert (start.shown, start.passes) == ({2, 4}, 2)
    assert all(node.order == 0 for node in start.nodes.values())
    done = end(timeline)
    assert done.tensors[6].value == [6.0]
    assert done.nodes[4].order == 1
    assert timeline.state(20).tensors[6].value == [5.0]


def test_nodes_made_during_a_pass_are_shown_after_it(build: Build, two_paths: list[ev.Event]) -> None:
    events = [*two_paths[:-6], ev.GraphNode(9, "MulBackward0", [(5, 0)], None, 9)]
    assert end(build(events)).shown == {1, 2, 3, 4, 5}
    assert 9 in end(build(events)).nodes
    events += [ev.BackwardEnd(1, True), ev.GraphNode(10, "MulBackward0", [(9, 0)], None, 10)]
    assert {9, 10} <= end(build(events)).shown


def test_a_pass_that_only_reaches_a_leaf_shows_nothing(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build([*two_paths[:-4], ev.BackwardEnd(1, True), ev.Backward(11, 1, 2, "backward", [1], False, False)])
    assert end(timeline).shown == set()


def test_functions_come_and_go_with_their_names(build: Build) -> None:
    events: list[ev.Event] = [
        ev.CellStart(1), ev.FrameStart(1, "<module>", 1), ev.Line(1, 1), ev.FrameStart(2, "f", 1),
        ev.Bind(2, "n", "value", 0, 3), ev.Line(2, 2), ev.Line(3, 2), ev.FrameEnd(2),
        ev.Bind(1, "m", "value", 0, 9), ev.Line(4, 1), ev.Bind(1, "m", "none"),
    ]  # fmt: skip
    timeline = build(events)
    inner = timeline.state(3)
    assert [frame.function for frame in inner.frames] == ["<module>", "f"]
    assert inner.frames[1].names["n"].value == 3
    back = timeline.state(4)  # the function's last statement has run: it is over
    assert [frame.frame for frame in back.frames] == [1]
    assert back.frames[0].names["m"].value == 9
    assert timeline.state(5).frames[0].names == {}


def test_a_generator_is_on_the_stack_while_it_runs(build: Build) -> None:
    timeline = build(
        [
            ev.CellStart(1), ev.Line(1, 1), ev.FrameStart(2, "g", 1, True), ev.Bind(2, "k", "value", 0, 7),
            ev.Line(2, 2), ev.Line(1, 1), ev.Line(2, 2), ev.FrameEnd(2), ev.Line(3, 1),
        ]
    )  # fmt: skip
    stacks = [[frame.frame for frame in timeline.state(step).frames] for step in range(2, 7)]
    # State 2 is all before step 3: the generator was entered already.
    assert stacks == [[1, 2], [1, 2], [1], [1], [1]]
    assert timeline.state(4).suspended[2].names["k"].value == 7
    assert list(timeline.columns.frame_depths) == [1, 1, 2, 1, 2, 1]


def test_gone_tensors_go_but_gradients_stay_while_held(build: Build, two_paths: list[ev.Event]) -> None:
    events = [*two_paths, ev.Gone([6, 5])]
    state = end(build(events))
    assert 5 not in state.tensors
    assert state.tensors[6].value == [5.0]  # nobody holds w.grad as an object, but w does
    state = end(build([*events, ev.Snapshot(2, 1, 0, 2, None, None, None)]))  # zero_grad
    assert 6 not in state.tensors
    assert (state.tensors[2].grad, state.tensors[2].value) == (None, [1.0])
    assert (state.collected, 6 in state.grad_of) == (set(), False)
    state = end(build([*events, ev.Gone([2])]))
    assert state.tensors.keys() == {1, 3, 4, 7}


def test_a_retained_gradient_belongs_to_a_non_leaf(build: Build, two_paths: list[ev.Event]) -> None:
    at = next(place for place, event in enumerate(two_paths) if isinstance(event, ev.Backward)) + 2
    state = end(build([*two_paths[:at], ev.Retained(3, 20, [2.0])]))
    assert (state.tensors[3].grad, state.tensors[20].value) == (20, [2.0])


def test_captured_gradients_are_tensors(build: Build, two_paths: list[ev.Event]) -> None:
    at = next(place for place, event in enumerate(two_paths) if isinstance(event, ev.Backward)) + 2
    state = end(build([*two_paths[:at], ev.Captured(2, 21, [5.0]), ev.Captured(1, None, None)]))
    assert (state.tensors[21].value, state.tensors[2].grad) == ([5.0], None)


def test_labels_outlive_names(build: Build) -> None:
    base: list[ev.Event] = [
        LEAF, ev.CellStart(1), ev.Snapshot(1, 1, 0, 1, None, None, [1.0]), ev.Snapshot(2, 1, 0, 2, None, None, [2.0]),
        ev.Group(1, [(".fc.weight", 1)]), ev.Bind(1, "model", "group", 1), ev.FrameStart(2, "forward", 1),
        ev.Bind(2, "self", "group", 1), ev.Bind(2, "h", "tensor", 2), ev.FrameEnd(2),
    ]  # fmt: skip
    state = end(build(base))
    assert (state.tensors[1].label, state.tensors[2].label) == ("model.fc.weight", "h")
    state = end(build([*base, ev.Group(1, [(".fc.weight", 1), (".fc.bias", 2)])]))
    assert state.tensors[2].label == "model.fc.bias"


def test_knobs_answers_and_figures(build: Build) -> None:
    state = end(
        build(
            [
                ev.Document("d", {}, [], {"lr": 0.1, "n": 3}), ev.CellStart(1, {"lr": 0.2}), ev.Answer(2, [5.0]),
                ev.Figure([["plot", [1, 2]]]), ev.Output("stdout", "äé\n"),
            ]
        )
    )  # fmt: skip
    assert (state.knobs, state.answers, state.figures, state.output_length) == ({"lr": 0.2, "n": 3}, {2: [5.0]}, 1, 3)


def test_a_node_knows_the_operation_that_made_it_and_what_needs_no_gradient(
    build: Build, two_paths: list[ev.Event]
) -> None:
    timeline = build(two_paths)
    nodes = end(timeline).nodes
    assert [timeline.operation(nodes[number]) for number in (3, 4, 5)] == [7, 9, 11]
    assert [timeline.view(step).code for step in (7, 9, 11)] == ["x + w", "w + 1", "a * b"]
    assert [nodes[number].site for number in (3, 4, 5)] == [6, 8, 10]
    assert [nodes[number].others for number in (3, 4, 5)] == [[], [(1, None, None)], []]
    assert timeline.operation(nodes[1]) is None


def test_data_without_gradient_and_what_is_changed_in_place_are_remembered_with_their_version(build: Build) -> None:
    data = ev.Meta(3, (1,), "float32", "cpu", (1,), False, True, None, False)
    timeline = build(
        [
            LEAF, MADE, data, ev.CellStart(1), ev.Snapshot(1, 1, 0, 1, None, None, [2.0]),
            ev.Snapshot(2, 3, 4, 2, None, None, [5.0]), ev.Op(1, 1, [1, 2], [3]),
            ev.GraphNode(1, "AccumulateGrad", [], 1, -1), ev.GraphNode(2, "MulBackward0", [(1, 0), None], 3, 0),
            ev.Snapshot(3, 2, 0, 3, 2, None, [10.0]),
            ev.Op(2, 1, [2, 3], [2]), ev.Snapshot(2, 2, 5, 2, 3, None, [15.0]),
            ev.GraphNode(3, "AddBackward0", [None, (2, 0)], 2, 1),
        ]
    )  # fmt: skip
    nodes = end(timeline).nodes
    assert nodes[2].others == [(1, 2, 4)]
    assert nodes[3].others == [(0, 2, 4)]
