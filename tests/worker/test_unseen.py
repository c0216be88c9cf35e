"""The recording changes nothing that a program can notice, and nothing that a program does breaks the recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording
from tutor.trace import events as ev


def test_recursion_without_end(record: Forker) -> None:
    recorded = record("""\
import torch
def down(n):
    t = torch.tensor(n)
    return down(n + 1)
def inner(n):
    try:
        return inner(n + 1)
    except RecursionError:
        return n
reached = inner(0) > 900
try:
    down(0)
except RecursionError as error:
    text = str(error)
after = torch.ones(1)
""")
    assert recorded.status == 0
    assert recorded.timeline.notices == []
    assert [frame.function for frame in recorded.end.frames] == ["<module>"]
    assert recorded.value("after") == [1.0]
    bound = {name: binding.value for name, binding in recorded.end.frames[0].names.items() if binding.what == "value"}
    assert bound["reached"] is True
    assert bound["text"].startswith("maximum recursion depth exceeded")
