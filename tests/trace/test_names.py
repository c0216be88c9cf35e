"""What things are called."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutor.trace import events as ev
from tutor.trace.graph import gradient_parts, graph_of
from tutor.trace.names import name_of, names_of
from tutor.trace.operands import op_inputs, op_output
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

Build = Callable[..., Timeline]
LEAF = ev.Meta(1, (1,), "float32", "cpu", (1,), False, True, None, False)


def tensor(number: int) -> ev.Snapshot:
    return ev.Snapshot(number, 1, 0, number, None, None, [float(number)])


def operation(
    build: Build,
    code: str,
    op: str,
    inputs: list[int | None],
    *,
    depth: int = 0,
    column: int = 0,
    end: int | None = None,
    after: list[ev.Event] | None = None,
    inplace: bool = False,
) -> Timeline:
    """One operation at step 3; in scope: x is tensor 1, w 2, g 3 (in `w.grad`), ps[0] 4, model.fc.weight 5, n = 3."""
    span = (1, column, 1, len(code) if end is None else end)
    return build(
        [
            ev.Source(1, "a.py", code + "\n"), LEAF, ev.Site(1, 1, (1, 0, 1, len(code)), "<module>", 1),
            ev.Site(2, 1, span, "<module>", 1, op, depth, "SGD.step" if depth else None, inplace),
            ev.CellStart(1), *(tensor(number) for number in range(1, 7)), ev.Snapshot(2, 1, 0, 2, None, 3, [2.0]),
            ev.Bind(1, "x", "tensor", 1), ev.Bind(1, "w", "tensor", 2), ev.Bind(1, "n", "value", 0, 3),
            ev.Group(1, [("[0]", 4)]), ev.Bind(1, "ps", "group", 1),
            ev.Group(2, [(".fc.weight", 5)]), ev.Bind(1, "model", "group", 2),
            ev.Line(1, 1), ev.Op(2, 1, inputs, [9]), tensor(9), *(after or []), ev.Line(1, 1),
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "op", "inputs", "names"),
    [
        ("x + w", "add", [1, 2], ["x", "w"]),
        ("x + 1", "add", [1, None], ["x", "1"]),
        ("1 - x", "rsub", [1, None], ["x", "1"]),
        ("2.5 + x", "add", [1, None], ["x", "2.5"]),
        ("n * x", "mul", [1, None], ["x", "n"]),
        ("x @ x", "matmul", [1, 1], ["x", "x"]),
        ("(x + 1) * (w + 1)", "mul", [7, 8], ["%7", "%8"]),
        ("-x", "neg", [1], ["x"]),
        ("x > 0.5", "gt", [1, None], ["x", "0.5"]),
        ("x[0]", "getitem", [1, None], ["x", "0"]),
        ("x[:, n]", "getitem", [1, None], ["x", ":, n"]),
        ("w.grad * n", "mul", [3, None], ["w.grad", "n"]),
        ("ps[0] ** 2", "pow", [4, None], ["ps[0]", "2"]),
        ("torch.tensor([2.0], requires_grad=True)", "tensor", [None], ["[2.0]"]),
        ("torch.stack([x, w])", "stack", [1, 2], ["x", "w"]),
        ("torch.matmul(x, model.fc.weight)", "matmul", [1, 5], ["x", "model.fc.weight"]),
        ("torch.add(x, other=w)", "add", [1, 2], ["x", "w"]),
        ("t.add(x, other=w)", "add", [1, 2], ["x", "w"]),
        ("x.sum()", "sum", [1], ["x"]),
        ("x.view(n, -1)", "view", [1, None, None], ["x", "n", "-1"]),
        ("x.clamp_(min=w)", "clamp_", [1, 2], ["x", "w"]),
        ("x.T", "T", [1], ["x"]),
        ("model(x)", "linear", [1, 5, None], ["x", "model.fc.weight"]),
        ("model(x)", "relu", [6], ["%6"]),
        ("x -= n * 2", "isub", [1, None], ["x", "n * 2"]),
        ("x -= w", "isub", [1, 2], ["x", "w"]),
    ],
)
def test_inputs_in_the_learners_words(
    build: Build, code: str, op: str, inputs: list[int | None], names: list[str]
) -> None:
    assert op_inputs(operation(build, code, op, inputs), 3) == names


def test_inputs_of_an_assignment_into_a_tensor(build: Build) -> None:
    assert op_inputs(operation(build, "x[0] = 5.0", "setitem", [1, None, None], end=4), 3) == ["x", "0", "5.0"]
    assert op_inputs(operation(build, "w.data = x", "set_data", [2, 1], end=6), 3) == ["w", "x"]


def test_inputs_inside_a_composite_go_by_scope(build: Build) -> None:
    timeline = operation(build, "opt.step(x)", "add", [2, 3, None], depth=1)
    assert op_inputs(timeline, 3) == ["w", "w.grad"]


def test_inputs_without_source(build: Build) -> None:
    timeline = build([ev.CellStart(1), ev.Op(9, 1, [4, None], [5])])
    assert op_inputs(timeline, 2) == ["%4"]
    assert op_inputs(timeline, 1) == []
    assert op_output(timeline, 1) is None


def test_inputs_are_named_as_before_the_operation(build: Build) -> None:
    timeline = operation(build, "w = w - x", "sub", [2, 1], column=4, after=[ev.Bind(1, "w", "tensor", 9)])
    assert op_inputs(timeline, 3) == ["w", "x"]
    assert op_output(timeline, 3) == "w"


def test_outputs(build: Build) -> None:
    assert op_output(operation(build, "y = x + w", "add", [1, 2], column=4), 3) is None
    bound: list[ev.Event] = [ev.Bind(1, "i", "value", 0, 1), ev.Bind(1, "y", "tensor", 9)]
    assert op_output(operation(build, "y = x + w", "add", [1, 2], after=bound), 3) == "y"
    held: list[ev.Event] = [ev.Group(1, [("[0]", 9)])]
    assert op_output(operation(build, "ps[0] = x + w", "add", [1, 2], after=held), 3) == "ps[0]"
    inplace: list[ev.Event] = [ev.Bind(1, "y", "tensor", 9)]
    assert op_output(operation(build, "y.add_(1)", "add_", [9, None], after=inplace, inplace=True), 3) == "y"


def test_names_in_scope(build: Build) -> None:
    events: list[ev.Event] = [
        LEAF, ev.CellStart(1), *(tensor(number) for number in range(1, 5)), ev.Snapshot(2, 1, 0, 2, None, 4, [2.0]),
        tensor(6), ev.Bind(1, "x", "tensor", 1), ev.Bind(1, "also", "tensor", 1), ev.Bind(1, "n", "value", 0, 3),
        ev.Bind(1, "lost", "tensor", 77), ev.Group(1, [("['w']", 2), ("['gone']", 88)]), ev.Bind(1, "d", "group", 1),
        ev.FrameStart(2, "f", 1), ev.Bind(2, "a", "tensor", 1), ev.Bind(2, "old", "tensor", 6), ev.Line(1, 2),
        ev.Bind(2, "old", "none"),
    ]  # fmt: skip
    timeline = build(events)
    state = timeline.state(2)
    assert names_of(state) == {"a": 1}
    assert names_of(timeline.state(1)) == {"a": 1, "old": 6}
    assert names_of(state, 1) == {"x": 1, "also": 1, "d['w']": 2}
    assert names_of(state, state.frames[0]) == names_of(state, 1)
    assert names_of(state, 99) == {}
    assert name_of(state, 1) == "a"
    assert name_of(state, 1, "also") == "a"  # what is in the innermost frame comes first
    assert name_of(state, 2) == "d['w']"
    assert name_of(state, 4) == "d['w'].grad"
    assert name_of(state, 6) == "old"  # its last name
    assert name_of(state, 3) is None
    assert name_of(State(), 1) is None


def test_the_graph_in_drawing_order(build: Build, two_paths: list[ev.Event]) -> None:
    state = build(two_paths).state(19)
    nodes, edges = graph_of(state)
    assert [node.node for node in nodes] == [1, 2, 3, 4, 5]
    assert edges == [(1, 3), (2, 3), (2, 4), (3, 5), (4, 5)]
    assert graph_of(State()) == ([], [])


def test_leaves_stand_before_their_first_use(build: Build) -> None:
    state = build(
        [
            ev.CellStart(1), ev.GraphNode(1, "AccumulateGrad", [], 1, -1), ev.GraphNode(2, "AccumulateGrad", [], 2, -1),
            ev.GraphNode(4, "MulBackward0", [(3, 0), (1, 0)], 4, 8),
            ev.GraphNode(3, "AddBackward0", [(2, 0), None], 3, 7),
        ]
    ).state(1)  # fmt: skip
    nodes, edges = graph_of(state)
    assert [node.node for node in nodes] == [2, 3, 1, 4]
    assert set(edges) == {(2, 3), (3, 4), (1, 4)}


def test_parts_of_a_gradient(build: Build, two_paths: list[ev.Event]) -> None:
    timeline = build(two_paths)
    assert gradient_parts(timeline.state(17), 2) == [("AddBackward0", [3.0]), ("AddBackward0", [2.0])]
    assert gradient_parts(timeline.state(15), 2) == [("AddBackward0", [3.0])]
    assert gradient_parts(timeline.state(19), 5) == []
    assert gradient_parts(timeline.state(12), 2) == []


def test_a_square_sends_two_parts(build: Build) -> None:
    state = build(
        [
            LEAF, ev.CellStart(1), ev.Snapshot(2, 1, 0, 2, 2, None, [9.0]),
            ev.GraphNode(1, "AccumulateGrad", [], 1, -1),
            ev.GraphNode(2, "MulBackward0", [(1, 0), (1, 0)], 2, 0),
            ev.Backward(1, 1, 1, "backward", [2], False, False),
            ev.Node(2, [[1.0]], [[3.0], [3.0]]),
        ]
    ).state(3)  # fmt: skip
    assert gradient_parts(state, 1) == [("MulBackward0", [3.0]), ("MulBackward0", [3.0])]
