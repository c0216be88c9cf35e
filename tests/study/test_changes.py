"""Who changed a tensor: the same steps as by looking at each step alone."""

from __future__ import annotations

import io
import re
from pathlib import Path

from tests.worker.recording import Forker
from tutor.lesson.catalog import Target
from tutor.study.changes import last_change
from tutor.text.walk import Walker
from tutor.trace.names import names_of

LOOP = """
import torch
w = torch.ones(2, requires_grad=True)
optimizer = torch.optim.Adam([w])
for epoch in range(3):
    loss = (w * w).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
w.requires_grad_(False)
print("over")
"""


def test_each_change_of_a_parameter_and_of_a_name_that_is_bound_again(record: Forker) -> None:
    timeline = record(LOOP).timeline
    names = names_of(timeline.state(timeline.steps))
    found: dict[str, list[str | None]] = {}
    for name in ("w", "loss"):
        step, tensor = timeline.steps, names[name]
        while (change := last_change(timeline, step, tensor)) is not None:
            assert change[0] < step
            step, tensor = change
            changes = timeline.changed(step, step - 1)
            assert tensor in changes.tensors | changes.grads
            found.setdefault(name, []).insert(0, timeline.view(step).code)
    assert found["loss"] == ["(w * w).sum()"] * 3
    assert found["w"] == [
        "torch.ones(2, requires_grad=True)", "loss.backward()", "optimizer.step()",
        *["optimizer.zero_grad()", "loss.backward()", "optimizer.step()"] * 2, "w.requires_grad_(False)",
    ]  # fmt: skip


def test_the_plain_walk_goes_from_change_to_change(record: Forker) -> None:
    timeline = record(LOOP).timeline
    out = io.StringIO()
    typed = io.StringIO("u\nend\nu none\nu w\nu\nu\n'\nq\n")
    Walker(Target("trace", Path("loop.py"), "loop.py"), timeline, None, "en", typed, out).run()
    said = re.findall(r"^\d+: .*|^Which.*", out.getvalue(), re.MULTILINE)
    assert said[0] == said[2] == "Which tensor? Type u and its name."
    steps = [int(line.partition(":")[0]) for line in said[3:]]
    assert [timeline.view(step).code for step in steps] == [
        "w.requires_grad_(False)", "optimizer.step()", "loss.backward()", "optimizer.step()",
    ]  # fmt: skip
    assert steps[3] == steps[1]  # back from the last jump
