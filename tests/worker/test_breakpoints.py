"""`breakpoint()` is a step of kind `mark`, after which the program runs on."""

from __future__ import annotations

from pathlib import Path

from tests.worker.recording import Forker
from tutor import explain
from tutor.lesson.catalog import Target
from tutor.study.model import Model
from tutor.text import steps
from tutor.ui.bindings import BY_ID

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


def test_the_walk_opens_at_the_first_mark(record: Forker) -> None:
    timeline = record(SCRIPT).timeline
    marks = [step for step in range(1, timeline.steps + 1) if timeline.kind(step) == "mark"]
    model = Model(Target("trace", Path("script.trace"), "script.trace"), timeline=timeline)
    model.begin()
    ahead, back = BY_ID["next_mark"].move, BY_ID["previous_mark"].move
    assert ahead is not None
    assert back is not None
    seen = [model.cursor]
    while model.move(ahead.load()).moved:
        seen.append(model.cursor)
    assert seen == marks
    while model.move(back.load()).moved:
        seen.append(model.cursor)
    assert seen[len(marks) :] == marks[-2::-1]
    model.go(0)
    model.grew()
    assert model.cursor == 0
