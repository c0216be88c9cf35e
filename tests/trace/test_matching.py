"""The same moment in two runs that differ by a knob."""

from __future__ import annotations

from pathlib import Path

from tests.worker.recording import Forker
from tutor.trace.navigation import counterpart
from tutor.trace.timeline import Timeline

SCRIPT = """\
lr = 0.1
w = 1.0
for turn in range({turns}):
    w = w - lr
    if w < 0.75:
        w = w + 1
print(w)
"""


def lines(timeline: Timeline) -> list[int | None]:
    """The line of each step that is a statement about to run."""
    return [timeline.view(step).line for step in range(1, timeline.steps + 1) if timeline.kind(step) == "line"]


def test_the_same_turn_of_the_same_statement(record: Forker) -> None:
    short, long = record(SCRIPT.format(turns=2)).timeline, record(SCRIPT.format(turns=5)).timeline
    seen = 0
    for step in range(1, short.steps + 1):
        if short.kind(step) != "line":
            continue
        found = counterpart(short, step, long)
        assert found is not None
        assert long.view(found).line == short.view(step).line
        if short.view(step).line not in (3, 7):  # the last look at the loop's header is within it in the longer run
            assert long.view(found).iteration == short.view(step).iteration
        seen += 1
    assert seen == len(lines(short))


def test_what_the_other_run_never_did_has_none(record: Forker) -> None:
    short, long = record(SCRIPT.format(turns=2)).timeline, record(SCRIPT.format(turns=5)).timeline
    fourth = [step for step in range(1, long.steps + 1) if long.view(step).line == 4 and long.kind(step) == "line"][3]
    assert counterpart(long, fourth, short) is None
    inside = next(step for step in range(1, long.steps + 1) if long.view(step).line == 6)
    assert counterpart(long, inside, short) is None


def test_both_ends_are_the_same_moment(record: Forker) -> None:
    short, long = record(SCRIPT.format(turns=2)).timeline, record(SCRIPT.format(turns=5)).timeline
    assert counterpart(short, short.steps, long) == long.steps
    assert counterpart(short, 1, long) == 1


def test_a_cell_that_grew_moves_what_follows_it(record: Forker, tmp_path: Path) -> None:
    before = record("# %%\nx = 1\n\n# %%\ny = 2\nz = 3\n").timeline
    after = record("# %%\nx = 1\nx = 2\nx = 3\n\n# %%\ny = 2\nz = 3\n").timeline
    step = next(step for step in range(1, before.steps + 1) if before.view(step).code == "z = 3")
    found = counterpart(before, step, after)
    assert found is not None
    assert after.view(found).code == "z = 3"
