"""What is recorded of backward passes is what torch's own hooks see in a plain run of the same script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import SCRIPTS, Forker, Recording
from tests.worker.test_recorded_equals_plain import compare_names, shown
from tutor.trace import events as ev

WATCHED = [
    "grads_shared", "grads_views", "grads_passes", "grads_hooks", "grads_everything", "grads_layers", "mlp", "modules",
    "optimizers",
]  # fmt: skip


@pytest.mark.parametrize("name", WATCHED)
def test_every_gradient(name: str, record: Forker, tmp_path: Path) -> None:
    script = SCRIPTS / f"{name}.py"
    plain = run_plainly(script, tmp_path / "plain.json", passes=True)
    recorded = record(script)
    assert (recorded.status, recorded.stdout) == (plain.status, plain.stdout)
    assert recorded.timeline.notices == []
    assert len(plain.passes) > 10
    assert stream_of(recorded) == plain.passes
    compare_names(recorded.end, plain)


def stream_of(recorded: Recording) -> list[Any]:
    """What the engine did, as `sitecustomize.py` tells it."""
    stream: list[Any] = []
    nodes: dict[int, str] = {}
    tensors: dict[int, Any] = {}
    for event in recorded.events:
        if isinstance(event, ev.GraphNode):
            nodes[event.node] = event.name
        elif isinstance(event, ev.Snapshot) and event.value is not None:
            tensors[event.tensor] = shown(event.value)
        elif isinstance(event, ev.Backward):
            stream.append(["backward", [tensors[root] for root in event.roots]])
        elif isinstance(event, ev.Node):
            outputs, inputs = map(shown, event.grad_outputs), map(shown, event.grad_inputs)
            stream.append(["node", nodes[event.node], list(outputs), list(inputs)])
        elif isinstance(event, ev.Accumulate):
            stream.append(["accumulate", shown(event.incoming), shown(event.new)])
        elif isinstance(event, ev.HookRan) and event.node is None:
            stream.append(["hook", shown(event.before), shown(event.after)])
        elif isinstance(event, ev.Captured):
            stream.append(["captured", shown(event.value)])
        elif isinstance(event, ev.BackwardEnd):
            stream.append(["end"])
    return stream
