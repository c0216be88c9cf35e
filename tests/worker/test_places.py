"""WHERE of the command line on real recordings: the state after a line has run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.recording import Forker, Recording
from tutor.trace.navigation import PlaceError, resolve

SCRIPT = """\
import torch
w = torch.tensor([1.0], requires_grad=True)
def step(w, lr=0.5):
    loss = (w * 2 -
            4) ** 2
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        w.grad = None
    return loss
for i in range(3):
    loss = step(w, 0.25)
    if i == 1:
        kept = loss * 10
    count = i
total = torch.stack([
    loss,
    kept,
])
def never():
    return 1
x = 1; y = torch.tensor(5); z = 2
try:
    bad = torch.ones(2) @ torch.ones(3)
except RuntimeError:
    mended = torch.zeros(1)
while count < 5:
    count += 1
else:
    last = torch.ones(1)
"""
# loss = (2w - 4)², its slope 4(2w - 4); w goes 1 → 1 + 8/4 = 3 → 3 - 8/4 = 1 → 3. All losses are 4.


@pytest.fixture(scope="module")
def recorded(record: Forker) -> Recording:
    return record(SCRIPT)


def at(recorded: Recording, where: str) -> dict[str, Any]:
    """What the names of the innermost frame hold there."""
    step = resolve(recorded.timeline, where)
    state = recorded.timeline.state(step)
    found = {name: recorded.value(name, step) for name in recorded.names(step)}
    bindings = state.frames[-1].names.items()
    return found | {name: binding.value for name, binding in bindings if binding.what == "value"}


def test_simple_lines(recorded: Recording) -> None:
    assert at(recorded, "line:2") == {"w": [1.0]}
    assert at(recorded, "line:12#1") == {"w": [3.0], "i": 0, "loss": [4.0]}
    assert at(recorded, "line:12#2") == {"w": [1.0], "i": 1, "loss": [4.0], "count": 0}
    assert at(recorded, "line:12") == {"w": [3.0], "i": 2, "loss": [4.0], "count": 1, "kept": [40.0]}
    assert at(recorded, "line:12#3") == at(recorded, "line:12")


def test_the_line_of_a_compound_statement_is_its_header(recorded: Recording) -> None:
    """A loop's header runs a last time when there is nothing left to turn for."""
    assert at(recorded, "line:11#1") == {"w": [1.0], "i": 0}
    assert at(recorded, "line:11#2")["i"] == 1
    assert at(recorded, "line:11") == {"w": [3.0], "i": 2, "loss": [4.0], "count": 2, "kept": [40.0]}
    assert "kept" not in at(recorded, "line:13#2")
    assert at(recorded, "line:14")["kept"] == [40.0]


def test_inside_a_function(recorded: Recording) -> None:
    assert at(recorded, "line:5#1") == {"w": [1.0], "lr": 0.25, "loss": [4.0]}
    step = resolve(recorded.timeline, "line:6#1")
    assert (recorded.grad("w", step), recorded.value("w", step)) == ([-8.0], [1.0])
    assert recorded.value("w", resolve(recorded.timeline, "line:8#1")) == [3.0]
    assert recorded.grad("w", resolve(recorded.timeline, "line:8#1")) == [-8.0]
    assert recorded.grad("w", resolve(recorded.timeline, "line:9#2")) is None
    state = recorded.timeline.state(resolve(recorded.timeline, "line:6"))
    assert [frame.function for frame in state.frames] == ["<module>", "step"]


def test_a_statement_over_several_lines(recorded: Recording) -> None:
    wanted = at(recorded, "line:16")
    assert wanted["total"] == [[4.0], [40.0]]
    assert at(recorded, "line:18") == at(recorded, "line:19") == wanted


def test_several_statements_on_a_line(recorded: Recording) -> None:
    after = at(recorded, "line:22")
    assert (after["x"], after["y"], after["z"]) == (1, 5, 2)


def test_what_raised_never_completed(recorded: Recording) -> None:
    with pytest.raises(PlaceError, match="never completed"):
        resolve(recorded.timeline, "line:24")
    assert at(recorded, "line:26")["mended"] == [0.0]


def test_the_end_of_a_while(recorded: Recording) -> None:
    assert at(recorded, "line:28#3")["count"] == 5
    assert at(recorded, "line:28")["count"] == 5
    assert "last" not in at(recorded, "line:27")
    assert at(recorded, "line:30") == at(recorded, "end") == at(recorded, "cell:1")


@pytest.mark.parametrize("where", ["line:21", "line:28#4", "line:400", "line:31", "cell:2", "other.py:3", "100000"])
def test_places_that_there_are_not(recorded: Recording, where: str) -> None:
    with pytest.raises(PlaceError):
        resolve(recorded.timeline, where)
