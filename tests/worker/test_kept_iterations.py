"""Of the training loop the chosen iterations are recorded, as in a whole recording; the others run as they are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording, value_in
from tutor.recorder import checkpoints
from tutor.trace import events as ev
from tutor.trace import names, selection

SETUP = """\
import torch
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
x, y = torch.randn(4, 2), torch.randn(4, 1)
seen = []
"""
STEP = """\
{0}loss = (model(x) - y).pow(2).mean()
{0}opt.zero_grad()
{0}loss.backward()
{0}opt.step()
{0}seen.append(loss.item())
"""
IN_FUNCTIONS = (
    """\
def batches():
    for n in range(8):
        yield n
def evaluate():
    with torch.no_grad():
        for k in range(5):
            error = (model(x) - y).abs().mean()
    return error
def train(epoch):
    for batch in batches():
        w = epoch * 10 + batch
"""
    + STEP.format("        ")
    + """\
    return w
def main():
    for epoch in range(6):
        end = train(epoch)
        error = evaluate()
    return end
end = main()
"""
)
PROGRAMS: dict[str, tuple[str, str, list[int]]] = {
    "for": ("for i in range(20):\n" + STEP.format("    "), "0-1,every:7,last:2", [0, 1, 7, 14, 18, 19]),
    "while": ("i = 0\nwhile i < 20:\n    i += 1\n" + STEP.format("    "), "0-1,12", [0, 1, 12]),
    "epochs": (
        "for epoch in range(4):\n    for b in range(5):\n" + STEP.format("        "), "0,every:8,last:1", [0, 8, 16, 19]
    ),
    "functions": (IN_FUNCTIONS, "1-2,20,21", [0, 1, 2, 20, 21]),
    "micro batches": (
        "for i in range(9):\n    opt.zero_grad()\n    for k in range(6):\n"
        "        loss = (model(x) - y).pow(2).mean() / 6\n        loss.backward()\n"
        "    opt.step()\n    seen.append(loss.item())\n", "0,4", [0, 1, 2, 3, 4, 5, 24, 25, 26, 27, 28, 29]
    ),
    "break": ("for i in range(90):\n    if i == 15:\n        break\n" + STEP.format("    "), "3", [0, 3]),
    "exception": (
        "try:\n    for i in range(90):\n        if i == 15:\n            1 / 0\n" + STEP.format("        ")
        + "except ZeroDivisionError:\n    k = i\n", "3", [0, 3]
    ),
    "no twin": ("for i in range(12):\n    def f():\n        return i\n" + STEP.format("    "), "0-2,6", [0, 1, 2, 6]),
}  # fmt: skip


def passes(recorded: Recording) -> list[int]:
    """The backward passes that are recorded, by their place in the loss curve, from 0."""
    points = recorded.timeline.contents.series["loss"]
    steps = {recorded.timeline.contents.passes[k].start_step for k in range(len(recorded.timeline.passes))}
    return [point.x for point in points if point.step in steps]


def moment(recorded: Recording, step: int) -> tuple[Any, Any]:
    """The functions that run, with the iterations of their loops and their plain names; value and gradient of each
    tensor that has a name."""
    state = recorded.timeline.state(step)
    frames = [
        (
            frame.function,
            list(frame.iterations.values()),
            {name: bound.value for name, bound in frame.names.items() if bound.what == "value"},
        )
        for frame in state.frames
    ]
    tensors = {
        name: (value_in(state, number), grad and value_in(state, grad))
        for name, number in names.names_of(state).items()
        for grad in [state.tensors[number].grad]
    }
    return frames, tensors


@pytest.mark.parametrize("name", PROGRAMS)
def test_chosen_iterations_are_recorded(record: Forker, name: str, tmp_path: Path) -> None:
    """In them, and at the end, all is as in a whole recording, and so is the loss of every iteration."""
    code, keep, expected = PROGRAMS[name]
    script = SETUP + code + "print(seen, [p.tolist() for p in model.parameters()])\nafter = (model(x) * 2).sum()\n"
    some, whole = record(script, keep=selection.parse(keep)), record(script)
    path = tmp_path / "script.py"
    path.write_text(script)
    assert some.stdout == whole.stdout == run_plainly(path, tmp_path / "plain.json").stdout
    assert some.status == whole.status == 0
    assert not some.of(ev.Gap)
    assert passes(some) == expected
    losses, all_losses = (each.timeline.contents.series["loss"] for each in (some, whole))
    assert [point.value for point in losses] == [point.value for point in all_losses]
    places = [
        (info.start_step, whole.timeline.passes[number].start_step)
        for info, number in zip(some.timeline.passes, expected, strict=True)
    ]
    for step, other in [*places, (some.timeline.steps, whole.timeline.steps)]:
        assert moment(some, step) == moment(whole, other)


def test_a_line_names_the_loop(record: Forker) -> None:
    """Seven lines of set-up: the loop over epochs begins on line 8, and has the passes of all its batches."""
    code = "for epoch in range(4):\n    for b in range(2):\n" + STEP.format("        ")
    recorded = record(SETUP + code, keep=selection.parse("0,2"), loop=selection.CodeLine(7))
    assert passes(recorded) == [0, 1, 4, 5]


def test_a_program_that_would_not_fit_is_recorded_in_part(record: Forker) -> None:
    code = "for i in range(450):\n" + STEP.format("    ")
    recorded = record(SETUP + code, samples_loops=True, max_events=20_000)
    assert passes(recorded) == [0, 1, 2, 100, 200, 300, 400, 449]
    (notice,) = recorded.timeline.notices
    assert all(word in notice for word in ("0-2,every:100,last:1", "--keep", "--all"))
    assert recorded.timeline.cut is None


def test_a_program_of_which_no_length_is_known_is_recorded_in_part_from_half_of_the_budget_on(record: Forker) -> None:
    code = "i = 0\nwhile i < 450:\n    i += 1\n" + STEP.format("    ")
    recorded = record(SETUP + code, samples_loops=True, max_events=20_000)
    assert passes(recorded)[-2:] == [300, 400]
    assert recorded.timeline.cut is None


def test_a_program_that_fits_is_recorded_whole(record: Forker) -> None:
    recorded = record(SETUP + "for i in range(30):\n" + STEP.format("    "), samples_loops=True)
    assert passes(recorded) == list(range(30))
    assert not recorded.timeline.notices


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", ""), ("x", "x"), ("1, 3-1", "3-1"), ("every:0", "every:0"), ("last:0", "last:0"), ("1,,2", ""),
        ("-1", "-1"), ("1-", "1-"), ("every:", "every:"), ("0-2;5", "0-2;5"), ("٣", "٣"),
    ],
)  # fmt: skip
def test_what_is_no_selection_is_an_error(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(part)}$"):
        selection.parse(text)


NAN = """\
for i in range(800):
    x = torch.full((4, 2), float("nan")) if i == 731 else torch.randn(4, 2)
    if i % 50 == 0:
        print("at", i, file=log)
    k = i
"""


def test_the_iterations_around_the_first_nan_are_recorded(record: Forker, tmp_path: Path) -> None:
    """A nan in the data of iteration 731 of 800: that one, two before it and one after are recorded, as plain."""
    log = tmp_path / "log.txt"
    code = f"log = open({str(log)!r}, 'w')\n" + NAN + STEP.format("    ")
    code += "    print(i, end='\\n' if i % 10 == 9 else ' ')\n    print(loss.item(), flush=i % 7 == 0, end=' ')\n"
    script = SETUP + code + "log.close()\nprint(seen[:731])\n"
    recorded = record(script, keep=selection.parse("0"), until="nan", last=3)
    logged = log.read_text()
    path = tmp_path / "script.py"
    path.write_text(script)
    assert recorded.stdout == run_plainly(path, tmp_path / "plain.json").stdout
    assert logged == log.read_text() == "".join(f"at {i}\n" for i in range(0, 800, 50))
    assert passes(recorded) == [0, 729, 730, 731, 732]
    points = recorded.timeline.contents.series["loss"]
    assert [i for i, point in enumerate(points) if point.value != point.value] == list(range(731, 800))
    (notice,) = recorded.timeline.notices
    assert "732" in notice


IN_TWO_CALLS = """\
def train(n):
    for i in range(n):
        w = i
{step}
        if w == 60:
            loss[7]
def main():
    for epoch in range(2):
        train(50 + 40 * epoch)
main()
"""


def test_the_iterations_before_an_error_are_recorded(record: Forker, tmp_path: Path) -> None:
    """Iteration 60 of the second call fails, the 110th from 0; no condition on the loss is true before."""
    script = SETUP + IN_TWO_CALLS.format(step=STEP.format("        "))
    recorded = record(script, keep=selection.parse("0"), until="error", last=2)
    path = tmp_path / "script.py"
    path.write_text(script)
    plain = run_plainly(path, tmp_path / "plain.json")
    assert (recorded.status, recorded.stderr.splitlines()[-1]) == (1, plain.stderr.splitlines()[-1])
    assert passes(recorded) == [0, 109, 110]
    assert len(recorded.timeline.contents.series["loss"]) == 111
    (failed,) = recorded.steps_of("failed")
    assert recorded.code(failed) == "loss[7]"


def test_a_condition_that_is_never_true_is_said(record: Forker) -> None:
    code = "for i in range(12):\n" + STEP.format("    ")
    recorded = record(SETUP + code, keep=selection.parse("0"), until="loss > 1e9", last=2)
    assert passes(recorded) == [0]
    assert recorded.timeline.notices == ["`--until loss > 1e9` was never reached."]


def test_an_expression_is_a_condition(record: Forker) -> None:
    code = "for i in range(40):\n    at = i\n" + STEP.format("    ")
    recorded = record(SETUP + code, keep=selection.parse("0"), until="at == 20", last=2)
    assert passes(recorded) == [0, 19, 20, 21]


INTERRUPTED = """\
import os, subprocess, time, weakref
class Part:
    pass
part = Part()
gone = weakref.proxy(part)
del part
from tensorboardX.writer import SummaryWriter
log = SummaryWriter()
log_file = open(folder + "/log.txt", "a")
interrupts = 0
for i in range(60):
    at = i
    os.kill(os.getpid(), 0)
    if i >= 38:
        log.add_scalar("at", i, i)
        log_file.write("x")
        log_file.flush()
    if i == 39:
        try:
            subprocess.run(["sh", "-c", f"kill -INT {os.getpid()}"])
            time.sleep(20)
        except KeyboardInterrupt:
            interrupts += 1
"""


def test_after_going_back_the_program_is_the_same(record: Forker, tmp_path: Path) -> None:
    """It can be interrupted, a file that it appends to begins as it was, and its scalars are recorded."""
    code = f"folder = {str(tmp_path)!r}\n" + INTERRUPTED + STEP.format("    ") + "print(interrupts)\n"
    writer = {
        "tensorboardX/__init__.py": "",
        "tensorboardX/writer.py": "class SummaryWriter:\n    def add_scalar(self, *args): pass\n",
    }
    recorded = record(SETUP + code, keep=selection.parse("0"), until="at == 40", last=2, beside=writer)
    assert recorded.stdout == "1\n"
    assert passes(recorded) == [0, 39, 40, 41]
    assert (tmp_path / "log.txt").read_text() == "x" * 22
    assert [point.value for point in recorded.timeline.contents.series["at"]] == list(range(38, 60))


def test_a_process_that_the_program_has_started_is_a_child() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert process.pid in checkpoints._children()
        process.kill()
    assert process.pid not in checkpoints._children()


def test_the_condition_is_looked_at_in_recorded_iterations(record: Forker) -> None:
    code = 'for i in range(12):\n    x = x * float("nan") if i == 1 else x\n' + STEP.format("    ")
    recorded = record(SETUP + code, keep=selection.parse("0-2"), until="nan", last=2)
    assert passes(recorded) == [0, 1, 2]
    assert recorded.timeline.notices == ["Iteration 2 of the training loop is the first of `--until nan`."]


def test_the_condition_is_looked_at_when_the_loop_is_left(record: Forker) -> None:
    code = (
        "def train():\n    for i in range(90):\n        at = i\n"
        + STEP.format("        ")
        + "        if i == 30:\n            break\nfor epoch in range(2):\n    train()\n"
    )
    recorded = record(SETUP + code, keep=selection.parse("0"), until="at == 30", last=2)
    assert passes(recorded) == [0, 29, 30, 31]
    assert recorded.timeline.notices == ["Iteration 31 of the training loop is the first of `--until at == 30`."]
