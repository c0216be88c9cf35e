"""What nodes keep, shared storage and optimizers, in JSON and in the text of a point; the same from run and file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker.recording import Forker, Recording
from tutor.text import show, steps
from tutor.trace import tracefile
from tutor.trace.timeline import Timeline
from tutor.trace.tracefile import save

SCRIPT = """\
import torch
w = torch.tensor([1.0], requires_grad=True)
a = w * w
v = a.view(1, 1)
v += 1
b = w.exp()
b += 1
optimizer = torch.optim.SGD([w], lr=0.1)
loss = (w * w).sum()
loss.backward()
optimizer.step()
optimizer.zero_grad()
print(w)
"""


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    recording = record(SCRIPT)
    assert recording.status == 0, recording.stderr
    return recording


def shown(timeline: Timeline, step: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(show.record(timeline, step), allow_nan=False))
    return found


def test_what_nodes_save(run: Recording) -> None:
    nodes = {node["name"]: node for node in shown(run.timeline, run.op("b += 1"))["graph"]["nodes"]}
    assert nodes["ExpBackward0"]["saved"] == [
        {"name": "result", "tensor": "b", "bytes": 4, "version": 0, "fits": False, "freed": False}
    ]
    assert [one["tensor"] for one in nodes["MulBackward0"]["saved"]] == ["w", "w"]
    assert all(one["fits"] and not one["freed"] for one in nodes["MulBackward0"]["saved"])
    assert nodes["AccumulateGrad"]["saved"] == []
    after = shown(run.timeline, run.steps_of("backward_end")[0])["graph"]["nodes"]
    assert all(one["freed"] for node in after for one in node["saved"])


def test_views(run: Recording) -> None:
    tensors = shown(run.timeline, run.timeline.steps)["tensors"]
    assert tensors["a"]["views"] == ["v"]
    assert tensors["v"]["views"] == ["a"]
    assert tensors["w"]["views"] == []


def test_the_optimizer(run: Recording) -> None:
    records = [steps.record(run.timeline, step) for step in range(1, run.timeline.steps + 1)]
    told = [record for record in records if record.get("optimizer") is not None]
    assert [(one["kind"], one["line"], one["step"]) for one in told] == [("op", 11, told[0]["optimizer"]["step"])]
    assert {one["kind"] for one in records if "optimizer" in one} == {"line", "op"}
    optimizer = told[0]["optimizer"]
    assert optimizer["optimizer"] == "SGD"
    assert optimizer["options"][0]["lr"] == 0.1
    (update,) = optimizer["updates"]
    assert (update["parameter"], update["before"], update["grad"]) == ("w", [1.0], [2.0])
    assert update["after"] == pytest.approx([0.8])
    assert update["agrees"]
    assert update["working"] == "w = w - lr·g = 1 - 0.1·2 = 0.8"
    assert shown(run.timeline, told[0]["step"] - 1)["optimizer"] is None
    assert shown(run.timeline, run.timeline.steps)["optimizer"] == optimizer


def test_the_text_of_a_point(run: Recording) -> None:
    text = "\n".join(show.lines(run.timeline, run.op("b += 1")))
    assert "a shares its storage with v; version 1 since step " in text
    assert (
        "ExpBackward0 of b keeps b as result, 4 bytes, version 0, which is at version 1 now: backward would fail"
        in text
    )
    after = show.lines(run.timeline, run.line(12))
    start = after.index("SGD.step: w - lr·g")
    assert after[start + 1 : start + 3] == ["  w: 1 → 0.8, gradient 2", "    w = w - lr·g = 1 - 0.1·2 = 0.8"]
    assert "SGD.zero_grad: w.grad 2 → None" in "\n".join(show.lines(run.timeline, run.line(13)))


def test_the_same_from_run_and_file(run: Recording, tmp_path: Path) -> None:
    save(run.timeline, tmp_path / "run.trace")
    again = tracefile.load(tmp_path / "run.trace")
    for step in range(1, run.timeline.steps + 1):
        assert steps.record(again, step) == steps.record(run.timeline, step)
        assert show.record(again, step) == show.record(run.timeline, step)
        assert show.lines(again, step) == show.lines(run.timeline, step)


def test_a_pass_fails_only_where_one_uses_what_was_changed(record: Forker) -> None:
    run = record("import torch\nw = torch.ones(2, requires_grad=True)\nb = w.exp()\nb += 1\n(w * 2).sum().backward()\n")
    text = "\n".join(show.lines(run.timeline, run.op("b += 1")))
    assert "which is at version 1 now: backward would fail" in text
    assert "will fail" not in text
