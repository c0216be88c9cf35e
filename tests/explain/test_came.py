"""The step at which a value that a question asks for came to be."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker
from tutor.explain.expressions import last_change_step

SCRIPT = """\
# %%
import torch
w = torch.tensor(1.0, requires_grad=True)

# %%
y = (2 + w) * (w + 1)
y.backward()
n = 3
print(n)
"""


def test_a_gradient_came_when_it_was_accumulated(record: Forker) -> None:
    recording = record(SCRIPT)
    timeline = recording.timeline
    end = recording.steps_of("cell_end")[-1]
    (accumulated,) = recording.steps_of("accumulate")
    assert last_change_step(timeline, "w.grad", end) == accumulated
    assert last_change_step(timeline, "w.grad.item() > 4", end) == accumulated
    assert last_change_step(timeline, "y", end) == recording.op("(2 + w) * (w + 1)")
    assert last_change_step(timeline, "n", end) == recording.line(8)
    both = last_change_step(timeline, "y.dtype == w.grad.dtype", end)
    assert both == last_change_step(timeline, "w.grad.dtype == y.dtype", end) == accumulated  # not where `y` was made


@pytest.mark.parametrize("expression", ["w", "nobody", "1 + 1", "", "((("])
def test_what_was_there_before_or_is_not_known_has_none(record: Forker, expression: str) -> None:
    recording = record(SCRIPT)
    assert last_change_step(recording.timeline, expression, recording.steps_of("cell_end")[-1]) is None
