"""Where a typed place, a search and the moves of the screen lead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.recordings import STEPS, timeline_of, training, two_paths
from tests.worker.recording import Forker
from tutor.study import moves
from tutor.trace.navigation import PlaceError

CALLED = """
import torch
def f(k):
    a = torch.tensor(1.0) * k
    return a
for k in range(5):
    f(k)
print("over")
"""


def test_an_iteration_is_found_from_inside_a_call_and_after_the_loop(record: Forker) -> None:
    timeline = record(CALLED).timeline
    inside = next(step for step in range(1, timeline.steps) if timeline.view(step).function == "f")
    outside = timeline.steps
    for step in (inside, outside, 1):
        reached = moves.resolve_typed(timeline, step, "iteration 3")
        assert timeline.view(reached).iteration == 3
        assert timeline.view(reached).code == "f(k)"


def test_the_case_of_a_files_name_matters(tmp_path: Path, record: Forker) -> None:
    (tmp_path / "Model.py").write_text("def f(x):\n    return x + 1\n")
    timeline = record(
        f"import sys, torch\nsys.path.insert(0, {str(tmp_path)!r})\nimport Model\nModel.f(torch.ones(1))\n"
    ).timeline
    reached = moves.resolve_typed(timeline, 1, "Model.py:2")
    assert timeline.view(reached).code == "x + 1"
    with pytest.raises(PlaceError):
        moves.resolve_typed(timeline, 1, "model.py:2")


def test_where_there_is_no_loop_that_is_said() -> None:
    timeline = timeline_of(two_paths())
    with pytest.raises(PlaceError, match="no loop"):
        moves.resolve_typed(timeline, 3, "iteration 1")


@pytest.mark.parametrize(
    ("typed", "step"),
    [("12", 12), (" Step 3", 3), ("line 7", 11), ("l:7", 11), ("c 2", 22), ("backward #1", 15), ("END", STEPS)],
)
def test_a_place_is_typed_in_many_ways(typed: str, step: int) -> None:
    assert moves.resolve_typed(timeline_of(two_paths()), 1, typed) == step


@pytest.mark.parametrize(
    ("typed", "reason"), [("pass 2", "There is 1 backward pass"), ("27", "no step 27"), ("x", "18, line 9")]
)
def test_a_place_that_is_not_there_is_refused_with_the_reason(typed: str, reason: str) -> None:
    with pytest.raises(PlaceError, match=reason):
        moves.resolve_typed(timeline_of(two_paths()), 1, typed)


def test_the_screen_goes_back_to_the_beginning_and_on_to_the_end_of_the_last_cell() -> None:
    timeline = timeline_of(training(2))
    assert moves.back(timeline, 1) == 0
    assert moves.back(timeline, 0) is None
    assert moves.next_cell(timeline, 0) == timeline.steps
    assert moves.next_cell(timeline, timeline.steps) is None


STOPS = '''"""A script."""
import torch
from math import pi

def double(x):
    """Twice."""
    return x * 2

class Net(torch.nn.Module):
    """Nothing."""
    def forward(self, x):
        return x

w = torch.tensor(1.0)
k = 3
def later(): return k
from threes import three
y = double(w)
'''


def test_the_first_step_shows_a_tensor_and_definitions_are_passed(record: Forker, tmp_path: Path) -> None:
    (tmp_path / "threes.py").write_text("import torch\nthree = torch.tensor(3.0)\n", encoding="utf-8")
    script = tmp_path / "script.py"
    script.write_text(STOPS, encoding="utf-8")
    timeline = record(script).timeline
    stops, step = [], 0
    while (following := moves.forward(timeline, step)) is not None:
        step = following
        stops.append(step)
    said = [(timeline.kind(stop), timeline.view(stop).code) for stop in stops]
    assert said == [
        ("op", "torch.tensor(1.0)"),
        ("line", "k = 3"),
        ("line", "three = torch.tensor(3.0)"),
        ("op", "torch.tensor(3.0)"),
        ("line", "y = double(w)"),
        ("line", "return x * 2"),
        ("op", "x * 2"),
        ("cell_end", None),
    ]
    back = [step]
    while (before := moves.back(timeline, back[-1])) is not None:
        back.append(before)
    assert back == [*reversed(stops), 0]
    assert moves.resolve_typed(timeline, 0, "1") == 1  # what is passed can be gone to
    assert timeline.view(moves.next_line(timeline, 0) or 0).code == "k = 3"
    assert moves.previous_line(timeline, stops[1]) == 0


def test_a_statement_without_an_operation_is_a_stop_at_the_beginning_too(record: Forker) -> None:
    timeline = record("import torch\nprint('hello')\nk = 2\n").timeline
    assert timeline.view(moves.forward(timeline, 0) or 0).code == "print('hello')"


SETTINGS = """import torch
def main():
    rate = 0.1
    torch.manual_seed(0)
    w = torch.ones(2)
    w.add_(rate)
name = "run"
torch.set_num_threads(1)
main()
print(name)
"""


def test_the_first_step_shows_a_tensor_after_settings_and_within_a_call(record: Forker) -> None:
    timeline = record(SETTINGS).timeline
    first = moves.forward(timeline, 0) or 0
    assert (timeline.kind(first), timeline.view(first).code) == ("op", "torch.ones(2)")
    assert moves.back(timeline, first) == 0
    call = moves.next_line(timeline, 0) or 0  # not the statement after the call, in which all happens
    assert timeline.view(call).code == "main()"
    assert timeline.view(moves.next_line(timeline, call) or 0).code == "print(name)"
