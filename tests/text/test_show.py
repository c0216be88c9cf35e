"""One point of a recording: as JSON, the same from the run and from its file; as text."""

from __future__ import annotations

import io
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
from torch import nn
torch.manual_seed(0)
w = torch.tensor([1.0, float("nan"), float("-inf")], requires_grad=True)
scalar, empty = torch.tensor(3), torch.empty(0, 2)
z = torch.tensor([1 + 2j])
sparse = torch.eye(2).to_sparse()
big = torch.zeros(1001)
net = nn.Linear(2, 1)
params = [w.detach(), {"a": scalar}]
def inner(t):
    local = t * 2
    return local
for i in range(3):
    loss = (net(torch.ones(1, 2)) - 1).pow(2).sum()
    loss.backward()
print("w[i] [red]")
out = inner(w)
"""

TENSOR_FIELDS = [
    "value", "shape", "dtype", "device", "requires_grad", "is_leaf", "grad_fn", "grad", "retains_grad", "version",
    "storage", "views", "aliases",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    recording = record(SCRIPT)
    assert recording.status == 0, recording.stderr
    return recording


def shown(timeline: Timeline, step: int) -> dict[str, Any]:
    out = io.StringIO()
    show.write_json(timeline, step, out)
    assert out.getvalue().isascii()
    found: dict[str, Any] = json.loads(out.getvalue(), parse_constant=pytest.fail)
    return found


def test_the_fields(run: Recording) -> None:
    found = shown(run.timeline, run.timeline.steps)
    assert list(found) == [
        "step", "cell", "line", "tensors", "frames", "graph", "series", "figures", "figure", "output",
        "knobs", "optimizer", "notice", "prose",
    ]  # fmt: skip
    assert found["step"] == run.timeline.steps
    assert list(found["tensors"]["w"]) == TENSOR_FIELDS
    assert found["frames"] == [{"function": "<module>", "tensors": found["tensors"]}]
    assert list(found["graph"]["nodes"][0]) == [
        "id", "name", "tensor", "value", "grad", "state", "saved", "module", "pass",
        "code", "attributes",
    ]  # fmt: skip
    assert found["output"] == "w[i] [red]\n"
    assert found["figures"] == 0


def test_values_of_all_sorts(run: Recording) -> None:
    tensors = shown(run.timeline, run.timeline.steps)["tensors"]
    assert tensors["w"]["value"] == [1.0, "nan", "-inf"]
    assert tensors["scalar"]["value"] == 3
    assert (tensors["empty"]["value"], tensors["empty"]["shape"]) == ([], [0, 2])
    assert tensors["z"]["value"] == [[1.0, 2.0]]
    for name in ("sparse", "big"):
        assert set(tensors[name]["value"]) == {"shape", "dtype", "stats", "note"}
    assert tensors["big"]["value"]["stats"]["max"] == 0.0
    assert (tensors["net.weight"]["is_leaf"], tensors["net.weight"]["grad_fn"]) == (True, None)
    assert tensors["net.weight"]["grad"] is not None
    assert tensors["loss"]["grad_fn"] == "SumBackward0"
    assert tensors["params[0]"]["shape"] == [3]
    assert tensors["params[1]['a']"]["value"] == 3


def test_frames_are_innermost_first(run: Recording) -> None:
    found = shown(run.timeline, run.op("t * 2"))
    assert [frame["function"] for frame in found["frames"]] == ["inner", "<module>"]
    assert set(found["tensors"]) == {"t", "local"}
    assert set(found["frames"][1]["tensors"]) > {"w", "net.weight"}


def test_series_and_graph_up_to_the_point(run: Recording) -> None:
    first = run.timeline.passes[0]
    assert first.end_step is not None
    early, late = shown(run.timeline, first.end_step), shown(run.timeline, run.timeline.steps)
    assert [x for x, _ in early["series"]["loss"]] == [0]
    assert [x for x, _ in late["series"]["loss"]] == [0, 1, 2]
    names = [node["name"] for node in early["graph"]["nodes"]]
    assert names[-1] == "SumBackward0"
    ids = {node["id"]: node for node in early["graph"]["nodes"]}
    for a, b in early["graph"]["edges"]:
        assert list(ids).index(a) < list(ids).index(b)
    assert ids[early["graph"]["nodes"][-1]["id"]]["state"] == "freed"
    assert early["graph"]["nodes"][-1]["grad"] == 1.0


def test_the_same_bytes_from_the_file(run: Recording, tmp_path: Path) -> None:
    save(run.timeline, tmp_path / "run.trace")
    loaded = tracefile.load(tmp_path / "run.trace")
    for write in (steps.write_json, steps.write_text):
        live, saved = io.StringIO(), io.StringIO()
        write(run.timeline, live)
        write(loaded, saved)
        assert live.getvalue() == saved.getvalue()
    for step in range(0, run.timeline.steps + 1, 3):
        for point in (show.write_json, show.write_text):
            live, saved = io.StringIO(), io.StringIO()
            point(run.timeline, step, live)
            point(loaded, step, saved)
            assert live.getvalue() == saved.getvalue()


def test_two_runs_show_the_same(record: Forker) -> None:
    script = "import torch\nw = torch.tensor([1.], requires_grad=True)\n(w * 2).backward()\nprint(w.grad)\n"
    first, second = (record(script) for _ in range(2))
    found = [shown(one.timeline, one.timeline.steps) for one in (first, second)]
    assert found[0] == found[1]


def test_text_to_be_read(run: Recording) -> None:
    text = "\n".join(show.lines(run.timeline, run.timeline.steps))
    assert text.startswith(f"step {run.timeline.steps} of {run.timeline.steps}, cell 1\nthe script is done\n")
    assert "  name" in text
    assert "\nloss by backward pass: 0: " in text
    assert text.endswith("output\n  w[i] [red]")
    assert "tensors in inner" in "\n".join(show.lines(run.timeline, run.op("t * 2")))
    assert show.lines(run.timeline, 0)[0].startswith("before the first of ")


def test_a_failure_is_explained_once(record: Forker) -> None:
    recording = record("import torch\nw = torch.tensor([1.], requires_grad=True)\nw -= 1\n")
    (step,) = recording.steps_of("failed")
    text = "\n".join(show.lines(recording.timeline, step))
    assert text.count("w is a leaf that requires grad, and") == 1


def test_an_earlier_leaf_is_not_called_as_the_tensor_that_has_its_name(record: Forker) -> None:
    recording = record("import torch\nw = torch.ones(1, requires_grad=True)\nw = w.double()\n(w * w).backward()\n")
    graph = "\n".join(show.lines(recording.timeline, recording.timeline.steps)).partition("graph of pass 1")[2]
    assert [line.split()[0:3] for line in graph.splitlines()[2:4]] == [
        ["AccumulateGrad", "(old", "w)"], ["ToCopyBackward0", "w", "1"],
    ]  # fmt: skip


def test_much_output_and_long_lines_are_bounded(record: Forker) -> None:
    recording = record("for i in range(1000): print(i)\nprint('x' * 10_000)\nprint('\\x1b[2J\\u202e', end='')\n")
    out = io.StringIO()
    show.write_text(recording.timeline, recording.timeline.steps, out)
    lines = out.getvalue().splitlines()
    assert len(lines) < 60
    assert max(map(len, lines)) <= 200
    assert "\x1b" not in out.getvalue()
    assert "\u202e" not in out.getvalue()
    assert "the last 40 of 1002 lines" in out.getvalue()


def test_shares_modules_and_the_pass_that_made_a_node(record: Forker) -> None:
    """y = (x + w)(w + 1) at 2 and 1: w gets w + 1 = 2 through a, and x + w = 3 through b."""
    run = record(
        """\
import torch
from torch import nn
x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)
a = x + w
b = w + 1
y = a * b
y.backward()
net = nn.Sequential(nn.Linear(1, 1))
z = net(x)
g, = torch.autograd.grad((x * x).sum(), x, create_graph=True)
h = g * 1
"""
    )
    graph = shown(run.timeline, run.steps_of("backward_end")[0])["graph"]
    by_name = {node["tensor"]: node["id"] for node in graph["nodes"]}
    assert graph["shares"] == [
        [by_name["w"], by_name["a"], [[2.0]]],
        [by_name["w"], by_name["b"], [[3.0]]],
    ]
    end = shown(run.timeline, run.timeline.steps)["graph"]
    nodes = {node["tensor"]: node for node in end["nodes"]}
    assert nodes["z"]["module"] == {"class": "Linear", "path": "[0]"}
    assert nodes["net[0].weight"]["module"] is None
    assert nodes["h"]["pass"] is None
    assert {node["pass"] for node in end["nodes"]} == {None, 2}
