"""Random graphs: what is recorded of their passes is what torch's own hooks and `autograd.grad` give in a plain run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.explain.graphs import gathered, script
from tests.sampling import count
from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording
from tests.worker.test_gradients import stream_of
from tutor.explain import plain
from tutor.explain.node import summarize_node
from tutor.explain.rules.registry import RULES
from tutor.trace import events as ev

PROGRAMS = count(50, 220)


def passes_of(stream: list[Any]) -> list[list[Any]]:
    passes: list[list[Any]] = []
    for entry in stream:
        if entry[0] == "backward":
            passes.append([])
        passes[-1].append(entry)
    return passes


@pytest.mark.filterwarnings("ignore")  # of losses that broadcast
def test_random_graphs(record: Forker, tmp_path: Path) -> None:
    programs = gathered(PROGRAMS)
    assert len(programs) >= count(40, 200)
    path = tmp_path / "graphs.py"
    path.write_text(script(programs))
    by_hand = run_plainly(path, tmp_path / "plain.json", passes=True)
    assert by_hand.status == 0, by_hand.stderr
    recording = record(path)
    assert (recording.status, recording.stdout) == (by_hand.status, by_hand.stdout)
    ours, theirs = passes_of(stream_of(recording)), passes_of(by_hand.passes)
    assert len(ours) == len(theirs) > count(65, 300)
    for mine, its in zip(ours, theirs, strict=True):
        assert mine == its, program_of(recording, programs, ours.index(mine))
    captured_is_accumulated(recording)
    rules_hold(recording, programs)


def program_of(recording: Recording, programs: list[str], number: int) -> str:
    """The program whose pass this is: the `number`-th of all, from 0."""
    return program_at(recording, programs, recording.steps_of("backward")[number])


def program_at(recording: Recording, programs: list[str], step: int) -> str:
    said = recording.timeline.output(step).rsplit("program ", 1)[1]
    return programs[int(said.split()[0])]


def captured_is_accumulated(recording: Recording) -> None:
    """Each program asks `autograd.grad` first, then `backward`: leaves get what was asked for."""
    captured: dict[int, Any] = {}
    compared = 0
    for event in recording.events:
        if isinstance(event, ev.Captured):
            captured[event.tensor] = event.value
        elif isinstance(event, ev.Accumulate):
            assert repr(captured.pop(event.tensor)) == repr(event.new)
            compared += 1
    assert compared > count(45, 200)


def rules_hold(recording: Recording, programs: list[str]) -> None:
    """Where there is a rule it is claimed for all that was sent, but for a few, and never for a part of it."""
    ruled = claimed = 0
    for step in recording.steps_of("node"):
        told = summarize_node(recording.timeline, step)
        assert told is not None
        assert len(told.claims) in (0, len(told.sent)), program_at(recording, programs, step)
        assert plain(recording.timeline, step)
        ruled += told.node in RULES and bool(told.sent)
        claimed += bool(told.claims)
    assert claimed >= 0.9 * ruled, (claimed, ruled)
