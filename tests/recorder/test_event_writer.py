"""What the learner's program does that is too large for a frame: nothing of it is the program's fault."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker
from tutor.trace import events as ev
from tutor.trace import wire

PROGRAM = """\
import torch
text = "{line}"
many = [torch.ones(1) for _ in range(3000)]
values = [torch.rand(1000, dtype=torch.complex128) for _ in range(300)]
joined = torch.cat(many)
print("y" * 9_000_000)
del many
x = torch.ones(1, requires_grad=True)
parts = list(x.expand(5000).unbind(0))
total = torch.stack(parts).sum()
total.backward()
del parts, total
print(x.grad)
"""


@pytest.mark.slow
def test_nothing_is_too_large_for_a_frame(record: Forker) -> None:
    recorded = record(PROGRAM.replace("{line}", "z" * 9_000_000))
    assert recorded.status == 0
    timeline = recorded.timeline
    for frame in timeline.frames.data:
        length, events, _ = wire.HEADER.unpack_from(frame)
        assert length <= wire.MAX_LENGTH
        assert events <= wire.MAX_EVENTS
        wire.inflate(frame)
    assert recorded.grad("x") == [5000.0]
    assert len(timeline.sources[1].text) == 3 << 20
    assert timeline.document is not None
    assert not [notice for notice in timeline.notices if "cannot be read" in notice or "damaged" in notice]
    gone = {number for event in recorded.of(ev.Gone) for number in event.tensors}
    assert len(gone) >= 3000
