"""What became of a thing over a recording, checked against the states at every step, and against arithmetic."""

from __future__ import annotations

import math
from array import array
from itertools import pairwise
from textwrap import dedent

import pytest

from tests.ui.recordings import timeline_of, training
from tests.ui.recordings import two_paths as two_paths_lesson
from tests.worker.recording import Forker
from tutor.trace.history import MAX_VALUES, History, NodeRuns, Reader, Tracked, Uses, ValueSeries, reduce_value, track
from tutor.trace.names import names_of
from tutor.trace.timeline import Timeline
from tutor.trace.values import elements


def course_of(timeline: Timeline, name: str, most: int = 100_000) -> History:
    state = timeline.state(timeline.steps)
    course = History(track(timeline, state, names_of(state)[name]))
    reader = Reader(timeline, course)
    while not reader.read(most):
        pass
    return course


def test_a_name_in_a_loop_is_one_course() -> None:
    """`loss` is another tensor in each of the 20 turns: 9, 9/2, 9/3, …, and infinite in the fifth."""
    timeline = timeline_of(training(20))
    for most in (1, 10, 100_000):
        course = course_of(timeline, "loss", most)
        numbers = [number for _, number in course.values.points()]
        assert numbers == [math.inf if turn == 5 else 9.0 / turn for turn in range(1, 21)]
        assert course.objects == 20
    states = {step: timeline.state(step) for step in range(1, timeline.steps + 1)}
    for step, number in course_of(timeline, "loss").values.points():
        assert states[step].tensors[names_of(states[step])["loss"]].value == number
        assert names_of(states[step - 1]).get("loss") != names_of(states[step])["loss"]


def test_a_gradient_is_followed_with_its_leaf() -> None:
    """In training() w.grad is 2, 4, 6, …, 40."""
    course = course_of(timeline_of(training(20)), "w")
    assert [number for _, number in course.grads.points()] == [2.0 * turn for turn in range(1, 21)]
    assert [number for _, number in course.values.points()] == [1.0]


@pytest.mark.slow
def test_everything_agrees_with_the_states_of_a_real_run(record: Forker) -> None:
    """At every step the last point is what the state says: rebinding, in-place changes, zero_grad, functions."""
    timeline = record(dedent("""\
        import torch
        w = torch.tensor([2.0], requires_grad=True)
        v = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        opt = torch.optim.SGD([v], lr=0.1)
        def loss_of(a):
            inner = (a * w).sum()
            return inner
        for i in range(3):
            loss = loss_of(v) ** 2
            loss.backward()
            opt.step()
            opt.zero_grad()
            with torch.no_grad():
                w -= 0.01 * w.grad
            if i == 1:
                w.grad.zero_()
                w = (w * 2).detach().requires_grad_()
    """)).timeline  # fmt: skip
    for name, element in (("w", None), ("v", 1), ("loss", None)):
        course = course_of(timeline, name)
        for kind, history in (("value", course.values), ("grad", course.grads)):
            points = history.points("norm", element)
            assert points or (name, kind) == ("loss", "grad")
            for step in range(1, timeline.steps + 1):
                state = timeline.state(step)
                tensor = state.tensors.get(names_of(state, 1).get(name, 0))
                if tensor is not None and kind == "grad":
                    tensor = state.tensors.get(tensor.grad or 0)
                shown = [number for at, number in points if at <= step]
                if tensor is not None and tensor.value is not None:
                    flat = elements(tensor.value)
                    assert flat is not None
                    assert shown[-1] == flat[element or 0], (name, kind, step)


def test_a_name_of_a_function_is_followed_through_its_calls(record: Forker) -> None:
    timeline = record(dedent("""\
        import torch
        def f(k):
            inner = torch.tensor(3.0) * k
            return inner
        inner = torch.tensor(100.0)
        for k in range(4):
            f(k)
    """)).timeline  # fmt: skip
    course = History(Tracked("inner", "f", 0))
    assert Reader(timeline, course).read()
    assert [number for _, number in course.values.points()] == [0.0, 3.0, 6.0, 9.0]


def test_where_a_tensor_is_made_and_who_takes_it() -> None:
    """In y = (x + w)(w + 1): w is made at step 5, taken at 9 and at 11; y is made at 13, and backward starts at it."""
    timeline = timeline_of(two_paths_lesson())
    w, y = Uses(timeline, 2), Uses(timeline, 5)
    assert Reader(timeline, w, y).read()
    assert (w.seen, w.used, w.changed) == (5, [9, 11], [])
    assert (y.seen, y.used) == (13, [15])
    node = NodeRuns(5)
    Reader(timeline, node).read()
    assert (node.made, node.ran) == (13, [16])


def test_an_optimizer_counts_once_a_step(record: Forker) -> None:
    timeline = record(dedent("""\
        import torch
        w = torch.tensor([2.0], requires_grad=True)
        opt = torch.optim.Adam([w], lr=0.1)
        for _ in range(3):
            loss = w * w
            loss.backward()
            opt.step()
    """)).timeline  # fmt: skip
    uses = Uses(timeline, names_of(timeline.state(timeline.steps))["w"])
    Reader(timeline, uses).read()
    assert [timeline.view(step).code for step in uses.used[:1]] == ["w * w"]
    codes = [timeline.view(step).code for step in [*uses.used, *uses.changed]]
    assert codes.count("w * w") == 3
    assert len(codes) <= 9


@pytest.mark.parametrize("count", [10, MAX_VALUES, MAX_VALUES + 1, 5 * MAX_VALUES + 3])
def test_long_histories_of_tensors_are_thinned(count: int) -> None:
    history = ValueSeries()
    for step in range(1, count + 1):
        history.add(step, [float(step), 0.0])
    points = history.points("norm")
    assert history.changes == count
    assert len(points) <= MAX_VALUES + 1
    assert points[0] == (1, 1.0)
    assert points[-1] == (count, float(count))
    assert all(number == step for step, number in points)
    assert {b - a for (a, _), (b, _) in pairwise(points[:-1])} <= {history.stride}


def test_nothing_and_not_a_number_are_two_things() -> None:
    history = ValueSeries()
    for step, value in ((1, None), (2, 1.0), (3, math.nan), (4, None), (5, 2.0)):
        history.add(step, value)
    points = history.points()
    assert [step for step, _ in points] == [2, 3, 5]
    assert math.isnan(points[1][1])


def test_means_and_norms() -> None:
    """Of 3 and 4 the mean is 3.5 and the norm 5; of a summed-up tensor both follow from mean and deviation."""
    assert reduce_value([3.0, 4.0], "norm") == 5.0
    assert reduce_value([3.0, 4.0], "mean") == 3.5
    blob = {"shape": [2], "code": "f", "data": array("f", [3.0, 4.0]).tobytes()}
    assert reduce_value(blob, "norm") == 5.0
    numbers = [float(n % 7) for n in range(2000)]
    mean = sum(numbers) / 2000
    std = math.sqrt(sum((n - mean) ** 2 for n in numbers) / 1999)
    stats = {"mean": mean, "std": std, "nan": 0, "inf": 0}
    found = reduce_value({"shape": [40, 50], "dtype": "float32", "note": "", "stats": stats}, "norm")
    assert found == pytest.approx(math.sqrt(sum(n * n for n in numbers)))
    assert reduce_value({"shape": [40, 50], "stats": None}, "norm") is None
    assert reduce_value("text", "mean") is None
