"""A part of a run equals that part of a whole recording: from a place, calls of a function, a number of iterations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.worker.plain_run import Plain, run_plainly
from tests.worker.recording import Forker, Recording
from tests.worker.test_kept_iterations import moment
from tests.worker.test_recorded_equals_plain import compare_names
from tutor.trace import events as ev
from tutor.trace.selection import Part, parse_beginning, parse_function

Place = tuple[str | None, int | None, int | None]
SCRIPT = """\
import torch
torch.manual_seed(0)
model = torch.nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
def loss_of(x, y):
    error = model(x) - y
    return error.pow(2).mean()
def train(epoch):
    for batch in range(4):
        x = torch.randn(3, 2)
        y = x.sum(1, keepdim=True)
        opt.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        opt.step()
        if epoch == 2 and batch == 1:
            breakpoint()
    return loss
for epoch in range(5):
    last = train(epoch)
    print(epoch, last.item())
end = last * 2
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("part") / "prog.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture(scope="module")
def whole(record: Forker, script: Path) -> Recording:
    return record(script)


@pytest.fixture(scope="module")
def plain(script: Path, tmp_path_factory: pytest.TempPathFactory) -> Plain:
    text = SCRIPT.replace("breakpoint()", "pass")
    script = script.with_name("plain.py")
    script.write_text(text)
    return run_plainly(script, tmp_path_factory.mktemp("plain") / "plain.json")


def lines(recorded: Recording) -> list[Place]:
    """The statements that are recorded, with their iterations."""
    views = [recorded.timeline.view(step) for step in recorded.steps_of("line")]
    return [(view.function, view.line, view.iteration) for view in views]


PARTS = {
    "a name": (parse_beginning("epoch=3"), ("<module>", 20, 4), -1),
    "the end of the script": (parse_beginning("line:22"), ("<module>", 22, None), -1),
    "a loop of the module": (parse_beginning("line:21#3"), ("<module>", 21, 3), -1),
    "a line of a function": (parse_beginning("line:13#6"), ("train", 13, 2), -1),
    "a mark": (parse_beginning("mark"), ("train", 9, 3), -1),
    "two iterations": (parse_beginning("epoch=3").limited(2, 0), ("<module>", 20, 4), 2),
    "the first iterations": (Part().limited(3, 0), ("<module>", 1, None), 3),
    "a number of steps": (parse_beginning("line:13#6").limited(0, 12), ("train", 13, 2), 0),
}


@pytest.mark.parametrize("name", PARTS)
def test_from_there_on_all_is_as_in_a_whole_recording(
    record: Forker, script: Path, whole: Recording, plain: Plain, name: str
) -> None:
    part, first, passes = PARTS[name]
    recorded = record(script, part=part)
    assert (recorded.status, recorded.stdout) == (0, plain.stdout)
    compare_names(recorded.end, plain)
    assert not recorded.timeline.notices
    told, all_lines = lines(recorded), lines(whole)
    assert told[0] == first
    if passes >= 0:
        told.pop()  # the header before the cut: no iteration begins there
    place = len(all_lines) - len(told) if passes < 0 else _places(told, all_lines)[bool(part.count > 1)]
    assert told == all_lines[place : place + len(told)]
    for number in {0, len(told) - 1}:
        step, other = recorded.steps_of("line")[number], whole.steps_of("line")[place + number]
        assert moment(recorded, step) == moment(whole, other)
    losses = [point.value for point in whole.timeline.series["loss"]]
    assert [point.value for point in recorded.timeline.series["loss"]] == losses
    if passes >= 0:
        assert len(recorded.steps_of("backward")) == passes
        (cut,) = recorded.of(ev.Cut)
        assert cut.reason == ("for" if passes else "steps")
    if part.steps:
        assert part.steps <= recorded.timeline.cut <= part.steps + 8  # type: ignore[operator]


def _places(part: list[Place], whole: list[Place]) -> list[int]:
    """Where these statements stand in the others: the sixth time is in the second epoch."""
    return [place for place in range(len(whole)) if whole[place : place + len(part)] == part]


def test_only_the_calls_of_a_function_are_recorded(
    record: Forker, script: Path, whole: Recording, plain: Plain
) -> None:
    recorded = record(script, part=parse_function("prog.py:loss_of"))
    assert (recorded.status, recorded.stdout) == (0, plain.stdout)
    compare_names(recorded.end, plain)
    told = lines(recorded)
    assert {function for function, _, _ in told} == {"loss_of"}
    assert len(told) == 2 * 4 * 5
    for count in (1, 7, 20):
        mine, other = (each.op("model(x) - y", count) for each in (recorded, whole))
        assert recorded.value("error", mine) == whole.value("error", other)
    losses = [point.value for point in whole.timeline.series["loss"]]
    assert [point.value for point in recorded.timeline.series["loss"]] == losses


@pytest.mark.parametrize("part", [parse_beginning("epoch=9"), parse_function("other.py:loss_of")])
def test_a_part_that_never_begins_is_said(record: Forker, script: Path, part: Part) -> None:
    recorded = record(script, part=part)
    assert recorded.timeline.notices == [f"`{part.text}` was never reached."]
    assert not lines(recorded)
    assert recorded.value("end") is not None


CALLED = """\
import torch
from inner.lib import pairs
def double(x):
    return x * 2
def around(x):
    first = x + 1
    return double(first)
total = 0
for x in pairs():
    total = total + around(x)
end = total * 2
"""
LIB = {
    "inner/lib.py": """\
import torch
def pairs():
    for k in range(3):
        yield torch.ones(2) * k
"""
}


def test_what_was_skipped_stands_at_the_call(record: Forker) -> None:
    """Although the functions and loops around it ran as plain twins."""
    recorded = record(CALLED, beside=LIB, part=parse_function("script.py:double"))
    skipped = [recorded.timeline.view(step) for step in recorded.steps_of("skipped")]
    assert [recorded.code(view.step) for view in skipped[:3]] == ["return double(first)"] * 3


def test_generators_are_not_recorded_alone(record: Forker) -> None:
    part = parse_function("lib.py:pairs")
    recorded = record(CALLED, beside=LIB, part=part)
    (notice,) = recorded.timeline.notices
    assert notice.startswith(f"`{part.text}` is a generator or a coroutine")
    assert not lines(recorded)
    assert recorded.value("end") is not None


STORES = """\
import torch
flag = True
def advance():
    global phase
    phase += 1
    here = torch.ones(1) * phase
phase = 0
for k in range(4):
    if (half := k / 2) == 1:
        there = torch.ones(1) * k
    advance()
flag = 1
end = torch.ones(1)
"""


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("half=1.0", ("<module>", 10, 3)), ("phase=3", ("advance", 6, 3)), ("flag=1", ("<module>", 13, None)),
        ("flag=True", ("<module>", 3, None)),
    ],
)  # fmt: skip
def test_each_kind_of_store_gives_a_name_its_value(record: Forker, text: str, first: Place) -> None:
    """`:=` and a `global` too; 1 is not True."""
    recorded = record(STORES, part=parse_beginning(text))
    assert not recorded.timeline.notices
    assert lines(recorded)[0] == first
    assert recorded.timeline.state(recorded.steps_of("line")[0]).frames[0].names[text.partition("=")[0]].value == (
        parse_beginning(text).value
    )


@pytest.mark.parametrize(
    "text", ["", "line:0", "line:", "line:3#0", "line:x", "3=4", "epoch", "epoch=", "epoch==3", "epoch=[1]", "marks"]
)
def test_what_is_no_beginning_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_beginning(text)


@pytest.mark.parametrize("text", ["", "f", ":f", "model.py:", "model.py:f g", "model.py:f."])
def test_what_is_no_function_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_function(text)
