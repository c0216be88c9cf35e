"""A recording that is full says where, as a step of its own; after it comes the end of the run, and nothing else."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker.recording import Forker, Recording
from tests.worker.servers import forked_workers
from tutor import explain
from tutor.lesson.catalog import Target
from tutor.session.session import Session, record_blocking
from tutor.text import show, steps
from tutor.text.steps import text_of as text_of_step
from tutor.trace import events as ev
from tutor.trace import navigation, tracefile
from tutor.trace.navigation import PlaceError, resolve
from tutor.trace.timeline import Timeline
from tutor.trace.tracefile import save

LOOP = """\
import torch
torch.manual_seed(0)
seen = []
for word in range(3000):
    for letter in range(4):
        number = letter + 1
        seen.append(number)
weight = torch.ones(2, requires_grad=True)
gone = torch.ones(1)
for step in range(5):
    loss = (weight * 3).sum()
    loss.backward()
    with torch.no_grad():
        weight -= 0.5 * weight.grad
    weight.grad = None
del gone
kept = weight * 2
print(loss.item())
"""
# Each pass brings a gradient of 3: weight goes down by 1.5 five times; the loss is 6 × weight before each.


@pytest.fixture(scope="module")
def full(record: Forker) -> Recording:
    return record(LOOP, max_events=3000)


def cut_of(recorded: Recording) -> int:
    (step,) = recorded.steps_of("cut")
    return step


def record_of(timeline: Timeline, step: int) -> dict[str, Any]:
    return steps.record(timeline, step)


def test_it_is_a_step_of_its_own_after_which_nothing_pretends_to_be_there(full: Recording) -> None:
    cut, timeline = cut_of(full), full.timeline
    assert timeline.cut == cut
    assert [timeline.kind(step) for step in range(cut, timeline.steps + 1)] == ["cut", "cell_end"]
    view = timeline.view(cut)
    event = view.event
    assert isinstance(event, ev.Cut)
    assert view.line in (4, 5, 6, 7)
    assert 3000 <= event.events < 3020
    assert event.reason == "events"


def test_it_says_where(full: Recording) -> None:
    """The place is that of the last statement; the iterations are those of its state."""
    cut, timeline = cut_of(full), full.timeline
    before = timeline.state(cut - 1)
    fields = record_of(timeline, cut)
    assert fields["kind"] == "cut"
    assert fields["line"] == timeline.view(cut - 1).line
    assert fields["iterations"] == list(before.frames[-1].iterations.values())
    assert fields["iteration"] == fields["iterations"][-1]
    assert fields["count"] >= 3000
    numbers = " › ".join(f"{number:,}" for number in fields["iterations"])
    assert f"full here, at line {fields['line']}, iteration {numbers} of the loops" in fields["text"]
    assert "what follows is the end of the run" in fields["text"]
    assert "fewer iterations" in fields["text"]
    assert f"full at step {cut:,}, at line {fields['line']}" in record_of(timeline, cut + 1)["text"]


def test_the_state_after_it_is_that_of_the_end(full: Recording) -> None:
    cut, timeline = cut_of(full), full.timeline
    for step in (cut, timeline.steps):
        state = timeline.state(step)
        assert [frame.function for frame in state.frames] == ["<module>"]
        assert full.value("weight", step) == [-6.5, -6.5]
        assert full.value("kept", step) == [-13.0, -13.0]
        assert full.value("loss", step) == 6 * -5.0
        assert full.grad("weight", step) is None
        assert "gone" not in full.names(step)
        assert state.frames[0].names["step"].value == 4
        assert state.frames[0].iterations == {}
        assert state.shown == set()
    assert full.names(cut - 1) == {}
    assert "step" not in timeline.state(cut - 1).frames[0].names


def test_charts_and_output_go_on(full: Recording) -> None:
    cut, timeline = cut_of(full), full.timeline
    assert [(point.step, point.value) for point in timeline.series["loss"]] == [
        (cut, 6.0), (cut, -3.0), (cut, -12.0), (cut, -21.0), (cut, -30.0)
    ]  # fmt: skip
    assert timeline.output(cut) == "-30.0\n"
    assert timeline.output(cut - 1) == ""
    assert show.record(timeline, cut - 1)["series"] == {}


def test_notices_say_it_once(full: Recording) -> None:
    assert len(full.timeline.notices) == 1
    assert f"full at step {cut_of(full):,}" in full.timeline.notices[0]


def test_keys_lead_to_it_and_not_over_it(full: Recording) -> None:
    cut, timeline = cut_of(full), full.timeline
    assert navigation.next_line(timeline, cut - 1) == cut
    assert navigation.forward(timeline, cut - 1) == cut
    assert navigation.next_line(timeline, cut) == cut + 1
    assert navigation.previous_line(timeline, cut + 1) == cut
    assert navigation.next_iteration(timeline, cut - 1) is None
    assert navigation.next_pass(timeline, cut - 1) is None


def test_places_do_not_say_that_what_ran_never_did(full: Recording) -> None:
    timeline = full.timeline
    with pytest.raises(PlaceError, match=r"line 12 of .* did not run before the recording was full, at step"):
        resolve(timeline, "line:12")
    count = len(full.steps_of("line"))
    with pytest.raises(PlaceError, match=r"was completed \d+ times before the recording was full"):
        resolve(timeline, f"line:6#{count}")
    assert resolve(timeline, "line:6") < cut_of(full)


def test_saved_and_read_again_it_is_the_same(full: Recording, tmp_path: Path) -> None:
    save(full.timeline, tmp_path / "full.trace")
    loaded = tracefile.load(tmp_path / "full.trace")
    assert loaded.notices == full.timeline.notices
    both: list[str] = []
    for timeline in (loaded, full.timeline):
        out = io.StringIO()
        show.write_json(timeline, timeline.steps, out)
        show.write_text(timeline, cut_of(full), out)
        print(json.dumps(record_of(timeline, cut_of(full))), file=out)
        both.append(out.getvalue())
    assert both[0] == both[1]


IN_FUNCTION = """\
import torch
w = torch.ones(1, requires_grad=True)
def body(k):
    total = torch.zeros(1)
    for inner in range(20):
        total = total + w * k
    return total
def numbers():
    for k in range(30):
        yield body(k)
for outer in numbers():
    loss = outer.sum()
    loss.backward()
last = w.grad.clone()
"""


@pytest.mark.parametrize("budget", [400, 1000, 1777, 2500, 5001])
def test_wherever_it_is_full_the_end_is_right(record: Forker, budget: int) -> None:
    """In a function, in a generator: what was open then is over at the end. Σ 20·k for k below 30 is 8,700."""
    recorded = record(IN_FUNCTION, max_events=budget)
    cut, timeline = cut_of(recorded), recorded.timeline
    assert [timeline.kind(step) for step in range(cut, timeline.steps + 1)] == ["cut", "cell_end"]
    assert [frame.function for frame in recorded.end.frames] == ["<module>"]
    assert not recorded.end.suspended
    assert recorded.value("last") == [8700.0]
    assert recorded.grad("w") == [8700.0]
    assert recorded.value("loss") == 20.0 * 29
    assert [point.value for point in timeline.series["loss"]] == [20.0 * k for k in range(30)]
    event = timeline.event(cut)
    assert isinstance(event, ev.Cut)
    assert event.events >= budget
    before = timeline.state(cut - 1)
    assert event.iterations == [turn for frame in before.frames for turn in frame.iterations.values()]


def test_a_run_that_fits_is_not_cut(record: Forker) -> None:
    """Not by its last events either."""
    whole = record(IN_FUNCTION)
    count = len(whole.events)
    assert record(IN_FUNCTION, max_events=count + 100).steps_of("cut") == []
    last = record(IN_FUNCTION, max_events=count - 2)
    kinds = [last.timeline.kind(step) for step in range(1, last.timeline.steps + 1)]
    assert "cut" not in kinds or kinds[-2:] == ["cut", "cell_end"]


def test_bytes(record: Forker) -> None:
    recorded = record(LOOP, max_bytes=20_000)
    event = recorded.timeline.event(cut_of(recorded))
    assert isinstance(event, ev.Cut)
    assert event.reason == "bytes"
    assert "bytes" in record_of(recorded.timeline, cut_of(recorded))["text"]


def test_two_runs_are_full_at_the_same_place(record: Forker) -> None:
    first, second = record(LOOP, max_events=2345), record(LOOP, max_events=2345)
    assert cut_of(first) == cut_of(second)
    assert first.timeline.view(cut_of(first)).event == second.timeline.view(cut_of(second)).event


def test_a_failure_after_it_is_told_without_a_guess(record: Forker) -> None:
    script = LOOP + "loss.backward()\n"
    recorded = record(script, max_events=3000)
    timeline = recorded.timeline
    cut = cut_of(recorded)
    assert [timeline.kind(step) for step in range(cut, timeline.steps + 1)] == ["cut", "failed", "cell_end"]
    failed = record_of(timeline, cut + 1)
    assert failed["line"] == 19
    assert "second time" in failed["message"]
    assert failed["explanation"] is None
    assert explain.cause(timeline, cut + 1) is None
    assert recorded.value("weight", cut) == [-6.5, -6.5]


CELLS = """\
# %%
import torch
w = torch.ones(1)
for k in range(500):
    w = w + 1

# %%
w = w * 2

# %%
print(w)
"""


def test_later_cells_have_their_ends(record: Forker) -> None:
    recorded = record(CELLS, max_events=600)
    timeline, cut = recorded.timeline, cut_of(recorded)
    kinds = [timeline.kind(step) for step in range(cut, timeline.steps + 1)]
    assert kinds == ["cut", "cell_end", "cell", "cell_end", "cell", "cell_end"]
    assert recorded.value("w", cut) == [501.0]
    assert recorded.value("w", resolve(timeline, "cell:1")) == [501.0]
    assert recorded.value("w", resolve(timeline, "cell:2")) == [1002.0]


def test_one_that_was_killed_does_not_say_that_its_end_follows(tmp_path: Path) -> None:
    """By a signal that nothing survives, while it went on."""
    script, trace = tmp_path / "script.py", tmp_path / "script.trace"
    program = CELLS.replace("# %%\n", "")
    script.write_text(f"{program}\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", encoding="utf-8")
    session = Session(Target("file", script, script.name), workers=forked_workers(), max_events=600)
    record_blocking(session, out=trace)
    timeline = tracefile.load(trace)
    assert timeline.cut is not None
    fields = record_of(timeline, timeline.cut)
    assert "what ran after this is not recorded" in fields["text"]
    assert "end of the run" not in fields["text"]
    assert "the state at the end" not in timeline.notices[0]


def test_an_older_recording_that_was_full_is_read(full: Recording) -> None:
    from tutor.trace import wire

    timeline = Timeline()
    timeline.feed(wire.pack([ev.CellStart(1), ev.Gap(0, "full", 7), ev.CellEnd(1, "ok")], 2))
    assert timeline.cut is None
    assert "full after 7 events" in timeline.notices[0]
    assert record_of(timeline, 2)["text"] == "cell 1 is done"


@pytest.mark.slow
def test_a_statement_without_end_is_cut_too(record: Forker) -> None:
    """In the midst of it: no operation of it comes after the cut, and it is not said to be completed."""
    script = "import torch\nx = torch.ones(1)\nlast = [x + k for k in range(60000)][-1]\ny = last * 2\n"
    recorded = record(script, max_events=1000)
    timeline, cut = recorded.timeline, cut_of(recorded)
    assert [timeline.kind(step) for step in range(cut, timeline.steps + 1)] == ["cut", "cell_end"]
    assert timeline.view(cut).line == 3
    assert recorded.value("y") == [120_000.0]
    assert timeline.series == {}
    with pytest.raises(PlaceError, match="was completed 0 times before the recording was full"):
        resolve(timeline, "line:3")


IN_A_PASS = """\
import torch
class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, gradient):
        doubled = gradient * 2
        return doubled
def hook(gradient):
    for part in range(3):
        seen = gradient + part
    return gradient * 10
w = torch.ones(2, requires_grad=True)
for k in range(6):
    middle = w * 3
    middle.register_hook(hook)
    loss = Twice.apply(middle).sum()
    loss.backward()
"""
# A pass brings 2 · 10 · 3 = 60, six times.


@pytest.mark.parametrize("budget", [130, 137, 144, 151, 158, 165, 172])
def test_in_the_midst_of_a_pass(record: Forker, budget: int) -> None:
    recorded = record(IN_A_PASS, max_events=budget)
    timeline, cut = recorded.timeline, cut_of(recorded)
    assert recorded.status == 0, recorded.stderr
    assert [timeline.kind(step) for step in range(cut, timeline.steps + 1)] == ["cut", "cell_end"]
    assert recorded.grad("w") == [360.0, 360.0]
    assert recorded.end.last_pass is None
    for step in range(cut - 2, timeline.steps + 1):
        assert text_of_step(timeline, step)
    before = timeline.state(cut - 1)
    event = timeline.event(cut)
    assert isinstance(event, ev.Cut)
    assert event.iterations == [turn for frame in before.frames for turn in frame.iterations.values()]


SLOW_AND_PLAIN = """\
import torch
def plainly(frames=[]):
    code = sys._getframe(1).f_code
    return torch.overrides._get_current_function_mode_stack()
import sys
w = torch.ones(2, requires_grad=True)
for k in range(60):
    loss = (w * k).sum()
    loss.backward()
modes = len(plainly())
print(modes, w.grad.tolist())
def failing(k):
    return (w * k).sum().backward(torch.ones(3))
try:
    failing(1)
except RuntimeError as error:
    trace = error.__traceback__
    while trace:
        print(trace.tb_frame.f_code.co_name, trace.tb_lineno)
        trace = trace.tb_next
"""


def test_past_it_nothing_of_the_recorder_is_in_the_way(record: Forker) -> None:
    recorded = record(SLOW_AND_PLAIN, max_events=200)
    assert recorded.status == 0, recorded.stderr
    whole = record(SLOW_AND_PLAIN)
    assert (
        recorded.timeline.output(recorded.timeline.steps).splitlines()[1:]
        == whole.timeline.output(whole.timeline.steps).splitlines()[1:]
    )
    assert recorded.timeline.output(recorded.timeline.steps).startswith("0 [1770.0, 1770.0]\n")
    assert [point.value for point in recorded.timeline.series["loss"]] == [2.0 * k for k in range(60)]
