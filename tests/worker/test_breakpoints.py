"""`breakpoint()` is a step of kind `mark`, after which the program runs on."""

from __future__ import annotations

from tests.worker.recording import Forker
from tutor import explain
from tutor.text import steps

SCRIPT = """\
import torch
w = torch.ones(2, requires_grad=True)
def double(t):
    breakpoint()
    return t * 2
for i in range(2):
    y = double(w)
breakpoint(header="here")
print("end")
"""


def test_a_breakpoint_is_a_mark(record: Forker) -> None:
    recorded = record(SCRIPT)
    assert (recorded.status, recorded.stdout) == (0, "end\n")
    marks = [steps.record(recorded.timeline, step) for step in recorded.steps_of("mark")]
    assert [(mark["line"], mark["function"], mark["iteration"]) for mark in marks] == [
        (4, "double", 1), (4, "double", 2), (8, "<module>", None)
    ]  # fmt: skip
    assert {mark["kind"] for mark in marks} == {"mark"}
    assert marks[0]["code"] == "breakpoint()"
    assert all(explain.step.plain(recorded.timeline, mark["step"]) == mark["text"] for mark in marks)
