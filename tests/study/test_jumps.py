"""Back to where a jump came from, and forward again; text found, counted and copied."""

from __future__ import annotations

from collections.abc import Callable

from tests.ui.recordings import SCRIPT, STEPS, timeline_of, training, two_paths
from tutor.study import copying
from tutor.study.finding import nearest, places_with, steps_with
from tutor.study.model import Model
from tutor.study.moves import FORWARD
from tutor.study.result import Result
from tutor.trace.names import names_of
from tutor.trace.timeline import Timeline


def test_back_leads_through_the_jumps_and_forward_again() -> None:
    model = Model(SCRIPT, timeline=timeline_of(training()))
    model.move(FORWARD)
    model.jump(9)
    model.jump(30)
    model.move(FORWARD)  # a step is no jump
    assert model.jump_back().moved
    assert model.cursor == 9
    model.jump_back()
    assert model.cursor == 3
    assert model.jump_back().outcome == "nowhere"
    model.jump_forward()
    model.jump_forward()
    assert model.cursor == 31
    assert model.jump_forward().outcome == "nowhere"
    model.jump_back()
    model.jump(4)  # another way: what was ahead is gone
    assert model.jump_forward().outcome == "nowhere"


def test_find_the_end_and_a_typed_place_are_jumps_and_another_recording_has_none() -> None:
    model = Model(SCRIPT, timeline=timeline_of(training()))
    jumps: tuple[tuple[int, Callable[[], Result]], ...] = (
        (3, lambda: model.find("backward")), (5, model.last), (7, lambda: model.go_to_place("12")),
    )  # fmt: skip
    for step, jump in jumps:
        model.go(step)
        assert jump().moved
        model.jump_back()
        assert model.cursor == step
    model.jump(20)
    model.show_recording(timeline_of(training(2)))
    assert model.jump_back().outcome == "nowhere"


def test_what_is_found_is_counted_and_goes_round_in_both_directions() -> None:
    timeline = timeline_of(two_paths())
    steps = steps_with(timeline, "w + 1", STEPS)
    assert steps == [10, 11]
    assert [steps[nearest(steps, step) or 0] for step in (0, 10, 11)] == [10, 11, 10]
    assert [steps[nearest(steps, step, previous=True) or 0] for step in (0, 10, 11, 26)] == [11, 11, 10, 11]
    assert steps_with(timeline, "TENSOR([5.])", STEPS) == [24]  # it was printed
    assert steps_with(timeline, "tensor([5.])", 20) == []
    assert steps_with(timeline, " ", STEPS) == []
    model = Model(SCRIPT, timeline=timeline_of(training()))
    count = model.count("loss.backward")
    assert count >= 20
    assert model.find("loss.backward").text == f"1/{count}"
    assert model.find("loss.backward", previous=True).text == f"{count}/{count}"


def test_each_statement_with_a_text_is_a_place_once() -> None:
    places = list(places_with(timeline_of(training()), 12, "loss", 60))
    assert len({code for _step, code in places}) == len(places)
    assert all("loss" in code for _step, code in places)
    assert places[0][0] > 12


def of_name(timeline: Timeline, step: int, name: str) -> tuple[str, int]:
    return "tensor", names_of(timeline.state(step))[name]


def test_a_value_is_copied_as_python_writes_it_and_a_step_as_text() -> None:
    timeline = timeline_of(two_paths())
    tensor = copying.tensor_at(timeline, 13, of_name(timeline, 13, "a"))
    assert tensor is not None
    assert copying.value_text(tensor) == "[3.0]"
    assert copying.described(timeline.state(13), tensor) == "a"
    brought = copying.tensor_at(timeline, 9, None)
    assert brought is not None
    assert copying.value_text(brought) == "[3.0]"
    node = copying.tensor_at(timeline, 16, ("node", 5))
    assert node is not None
    assert copying.value_text(node) == "[6.0]"
    assert copying.tensor_at(timeline, 8, None) is None
    assert copying.tensor_at(timeline, 0, None) is None
    assert copying.tensor_at(Timeline(), 0, None) is None
    text = copying.step_text(timeline, 16, STEPS)
    assert text.startswith("step 16: MulBackward0")
    assert "next: " in text
