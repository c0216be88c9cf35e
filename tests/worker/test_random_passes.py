"""Random passes: every gradient that is recorded is the one that torch's own hooks and `autograd.grad` give in a plain
run; and what a node is said to get from the others adds up to what reached it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sampling import count, sample
from tests.worker.plain_run import run_plainly
from tests.worker.random_passes import AGAIN, OPERATIONS, gathered, script
from tests.worker.recording import Forker, Recording
from tests.worker.test_gradients import stream_of
from tests.worker.test_recorded_equals_plain import compare_names
from tutor.explain.mistakes.wrong_gradients import describe_second_pass
from tutor.explain.verify import adds_up
from tutor.trace import events as ev
from tutor.trace.graph import gradient_parts

ROUNDS = count(1, 3)
"""Programs for each operation."""
CHOSEN = sample(OPERATIONS, 40)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of losses that broadcast
def test_random_passes(record: Forker, tmp_path: Path) -> None:
    programs = gathered(CHOSEN, ROUNDS)
    assert len(programs) == ROUNDS * len(CHOSEN) >= count(40, 200)
    path = tmp_path / "passes.py"
    path.write_text(script(programs))
    plain = run_plainly(path, tmp_path / "plain.json", passes=True)
    assert plain.status == 0, plain.stderr
    recorded = record(path)
    assert (recorded.status, recorded.stdout) == (plain.status, plain.stdout)
    assert recorded.timeline.notices == []
    ours, theirs = by_pass(stream_of(recorded)), by_pass(plain.passes)
    assert len(ours) == len(theirs) > 2 * len(programs)
    for number, (mine, its) in enumerate(zip(ours, theirs, strict=True)):
        assert mine == its, program_at(recorded, programs, recorded.steps_of("backward")[number])
    compare_names(recorded.end, plain)
    parts_add_up(recorded, programs)
    second_passes_are_foretold(recorded, programs)
    has_all(recorded, len(programs))


def by_pass(stream: list[Any]) -> list[list[Any]]:
    passes: list[list[Any]] = []
    for entry in stream:
        if entry[0] == "backward":
            passes.append([])
        passes[-1].append(entry)
    return passes


def program_at(recorded: Recording, programs: list[str], step: int) -> str:
    said = recorded.timeline.output(step).rsplit("program ", 1)[1]
    return programs[int(said.split()[0])]


def parts_add_up(recorded: Recording, programs: list[str]) -> None:
    """Where nothing but nodes sends to a node, and no hook changes what arrives."""
    timeline = recorded.timeline
    hooked: set[int] = set()
    checked = several = 0
    for step in range(1, timeline.steps + 1):
        event = timeline.event(step)
        if isinstance(event, ev.HookRan):
            hooked.add(event.tensor if event.node is None else -event.node)
        if not isinstance(event, ev.Node | ev.Accumulate):
            continue
        state = timeline.state(step)
        node, last = state.nodes[event.node], state.last_pass
        assert last is not None
        roots = [state.tensors[root].node for root in last.roots if root in state.tensors]
        arrived = event.grad_outputs if isinstance(event, ev.Node) else [event.incoming]
        if len(arrived) > 1 or node.node in roots or node.tensor in last.roots:
            continue
        if node.tensor in hooked or -node.node in hooked or node.tensor is None:
            continue
        parts = [value for _, value in gradient_parts(state, node.node)]
        assert adds_up(parts, arrived[0], "float32"), program_at(recorded, programs, step)
        checked += 1
        several += len(parts) > 1
    assert checked > count(400, 3000)
    assert several > count(130, 1000)


def second_passes_are_foretold(recorded: Recording, programs: list[str]) -> None:
    """What is said at the end of a pass of a second one through its graph comes true."""
    timeline = recorded.timeline
    lines = next(iter(timeline.sources.values())).text.splitlines()
    foretold = 0
    for info, before in zip(timeline.passes[1:], timeline.passes, strict=False):
        view = timeline.view(info.start_step)
        if AGAIN not in lines[(view.line or 1) - 1]:
            continue
        assert before.end_step is not None
        assert info.end_step is not None
        said = describe_second_pass(timeline.state(before.end_step))
        ended = timeline.event(info.end_step)
        assert isinstance(ended, ev.BackwardEnd)
        if said is not None:
            assert said.startswith("a second pass would not fail" if ended.ok else "a second pass would fail"), (
                program_at(recorded, programs, info.start_step)
            )
            foretold += 1
    assert foretold > count(26, 200)


def has_all(recorded: Recording, programs: int) -> None:
    """The graphs have what they are to have, as far as the recording tells it."""
    sites = recorded.timeline.sites
    writes = stretched = views = 0
    metas: dict[int, ev.Meta] = {}
    meta_of: dict[int, int] = {}
    for event in recorded.events:
        if isinstance(event, ev.Meta):
            metas[event.meta] = event
        elif isinstance(event, ev.Snapshot):
            meta_of[event.tensor] = event.meta
        elif isinstance(event, ev.Op):
            site = sites[event.site]
            inputs = [metas[meta_of[number]] for number in event.inputs if number in meta_of]
            writes += site.inplace and bool(inputs) and not inputs[0].is_leaf
            stretched += len({one.shape for one in inputs}) > 1 and site.op in ("add", "mul", "sub", "truediv", "pow")
            views += site.op in ("view", "reshape", "transpose", "getitem", "unsqueeze", "t")
    kept = [event for event in recorded.of(ev.Backward) if event.retain_graph]
    assert min(views, len(kept)) >= programs
    assert writes >= programs // 2  # of what is no leaf already; a copy's first change makes it none
    assert stretched >= programs // 2
