"""A recording is as large as what happens in it: what is gone does not go on costing."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from tests.worker.servers import forked_workers
from tutor.lesson.catalog import Target
from tutor.session.session import Session, record_blocking
from tutor.trace.timeline import Timeline

LOOP = """\
import torch
w = torch.tensor([1.0], requires_grad=True)
for turn in range({turns}):
    loss = (w * 2 + 1 - 3) ** 2
    loss.backward()
    w.data -= 0.01 * w.grad.data
    w.grad.data.zero_()
"""


def recorded(folder: Path, turns: int) -> Timeline:
    script = folder / f"loop{turns}.py"
    script.write_text(LOOP.format(turns=turns))
    return record_blocking(Session(Target("file", script, script.name), workers=forked_workers()))


def test_tensors_that_are_gone_are_forgotten_though_new_ones_have_their_place(tmp_path: Path) -> None:
    short, long = recorded(tmp_path, 100), recorded(tmp_path, 400)
    known = [len(timeline.state(timeline.steps - 1).tensors) for timeline in (short, long)]
    assert max(known) < 150  # of some 2,800 in all; they are forgotten in sweeps
    keys = [[len(frame()) for _, frame in timeline.seeker.keys] for timeline in (short, long)]
    assert median(keys[1]) < 2 * max(keys[0])  # when a sweep comes depends on time
