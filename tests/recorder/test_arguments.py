"""The arguments of operations: those that are written to, and those that are no tensors, by name."""

from __future__ import annotations

import json
import math
from io import StringIO
from typing import Any

import pytest
import torch

from tests.worker.recording import Forker, Recording
from tutor.recorder.arguments import MOST_DEFINED, CallRecorder, written_by
from tutor.text import steps

GIVEN = """
import numpy
import torch
import torch.nn.functional as F
x = torch.ones(3, 4, requires_grad=True)
i = torch.tensor([0, 2])
b = torch.ones(3, 4)
size = [2, 6]
"""

CALLS: dict[str, dict[str, Any]] = {
    "x.sum(1)": {"dim": 1},
    "torch.sum(x, -1, True)": {"dim": -1, "keepdim": True},
    "x.sum(axis=(0, 1), keepdims=True)": {"dim": [0, 1], "keepdim": True},
    "x.sum(dtype=torch.float64)": {"dtype": "torch.float64"},
    "x.add(b, alpha=2.0)": {"alpha": 2.0},
    "torch.add(x, 2)": {"other": 2},
    "x * b": {},
    "x * 2": {"other": 2},
    "x * 2.0": {"other": 2.0},
    "2 - x": {"other": 2},
    "2 ** x": {"other": 2},
    "x ** 2": {"exponent": 2},
    "x ** numpy.float64(0.5)": {"exponent": 0.5},
    "x * (1 + 2j)": {"other": [1.0, 2.0]},
    "x > 0.5": {"other": 0.5},
    "x / 3": {"other": 3},
    "x // 3": {"other": 3},
    "x % 3": {"other": 3},
    "x.detach().__itruediv__(3)": {"other": 3},
    "x.detach().__ipow__(3)": {"exponent": 3},
    "x.diagonal(-1)": {"offset": -1},
    "x.view(2, -1)": {"size": [2, -1]},
    "x.view(size)": {"size": [2, 6]},
    "x.view(torch.int32)": {"dtype": "torch.int32"},
    "x.reshape(-1)": {"shape": [-1]},
    "x.permute(1, 0)": {"dims": [1, 0]},
    "x.transpose(0, -1)": {"dim0": 0, "dim1": -1},
    "x.to(torch.float64)": {"dtype": "torch.float64"},
    "x.to('cpu', torch.float64)": {"device": "cpu", "dtype": "torch.float64"},
    "x.clamp(0, float('inf'))": {"min": 0, "max": math.inf},
    "x.roll((-1, 2), (0, 1))": {"shifts": [-1, 2], "dims": [0, 1]},
    "x.split(2, -1)": {"split_size": 2, "dim": -1},
    "x.max(1)": {"dim": 1},
    "x.max(b)": {},
    "x.gather(1, i[:, None].expand(2, 1))": {"dim": 1},
    "torch.cat([x, x], 1)": {"dim": 1},
    "torch.cat([x, x], dim=-1)": {"dim": -1},
    "torch.einsum('ij,kj->ik', x, b)": {"equation": "ij,kj->ik"},
    "torch.addmm(b[:, :3], x, b.T, beta=2, alpha=3)": {"beta": 2, "alpha": 3},
    "torch.where(x > 0, x, 0.0)": {"other": 0.0},
    "F.softmax(x, -1)": {"dim": -1},
    "F.gelu(x, approximate='tanh')": {"approximate": "tanh"},
    "F.max_pool2d(x[None], 2, stride=1)": {
        "kernel_size": 2, "stride": 1, "padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False,
    },
    "F.conv1d(x[None], x[None], padding='same')": {"padding": "same"},
    "F.pad(x, (1, -1))": {"pad": [1, -1], "mode": "constant"},
    "torch.linalg.vector_norm(x, float('inf'), dim=-1)": {"ord": math.inf, "dim": -1},
    "torch.tensor([1, 2], dtype=torch.float32)": {"dtype": "torch.float32"},  # the elements are its result's
    "torch.zeros(2, 3)": {"size": [2, 3]},
    "torch.arange(0, 10, 2)": {"start": 0, "end": 10, "step": 2},
    "x[0]": {"index": [0]},
    "x[-1, 1:]": {"index": [-1, "1:"]},
    "x[::2]": {"index": ["::2"]},
    "x[..., None]": {"index": ["...", None]},
    "x[[0, 2]]": {"index": [[0, 2]]},
    "x[0, 2]": {"index": [0, 2]},
    "x[i]": {},
    "x[0, i]": {"index": [0, "tensor"]},
    "torch.ops.aten.sum.dim_IntList(x, [1], True)": {"dim": [1], "keepdim": True},
}  # fmt: skip


@pytest.fixture(scope="module")
def table(record: Forker) -> Recording:
    return record(GIVEN + "\n".join(f"y = {call}" for call in CALLS) + "\n")


@pytest.mark.parametrize("call", CALLS)
def test_by_name(table: Recording, call: str) -> None:
    assert table.timeline.arguments(table.op(call)) == CALLS[call]


def arguments(recording: Recording, code: str) -> list[dict[str, Any]]:
    """The arguments of each execution of a call."""
    steps_of_code = [step for step in recording.steps_of("op") if recording.code(step) == code]
    return [recording.timeline.arguments(step) for step in steps_of_code]


def test_each_visit_of_a_site_has_its_own(record: Forker) -> None:
    recording = record("""
import torch
x = torch.ones(2, 3)
for n in (2, 2.0, True, -1, float("nan"), float("nan"), 0.0, -0.0):
    y = x * n
""")
    found = [each["other"] for each in arguments(recording, "x * n")]
    assert [type(other) for other in found] == [int, float, bool, int, float, float, float, float]
    assert [*map(str, found)] == ["2", "2.0", "True", "-1", "nan", "nan", "0.0", "-0.0"]


def test_writes_and_parts_of_composites(record: Forker) -> None:
    recording = record("""
import torch
import torch.nn.functional as F
b = torch.ones(2, 3)
b[0, 1:] = 3.0
b += 2
b.mul_(0.5)
x = torch.ones(2, 3, requires_grad=True)
y = F.cross_entropy(x, torch.tensor([0, 1]), reduction="sum")
""")
    assert arguments(recording, "b[0, 1:]") == [{"index": [0, "1:"], "value": 3.0}]
    ops = {
        view.site.op: recording.timeline.arguments(view.step)
        for view in map(recording.timeline.view, recording.steps_of("op"))
        if view.site is not None
    }
    assert ops["add_"] == {"other": 2}
    assert ops["mul_"] == {"other": 0.5}
    assert ops["log_softmax"] == {"dim": 1, "half_to_float": False}
    assert ops["nll_loss"] == {"reduction": 2, "ignore_index": -100}
    assert ops["cross_entropy"] == {"ignore_index": -100, "reduction": "sum", "label_smoothing": 0.0}


def test_of_a_custom_function(record: Forker) -> None:
    recording = record("""
import torch

class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t, factor, names):
        return t * factor

    @staticmethod
    def backward(ctx, grad):
        return grad, None, None

x = torch.ones(2, requires_grad=True)
y = Scale.apply(x, 3, {"a": 1})
""")
    assert arguments(recording, 'Scale.apply(x, 3, {"a": 1})') == [{"factor": 3}]


ODD = """
import torch
x = torch.arange(3.0)

class Index:
    def __init__(self):
        self.asked = 0
    def __index__(self):
        self.asked += 1
        return 1
    def __eq__(self, other):
        raise ValueError
    def __hash__(self):
        raise ValueError

class Sizes(list):
    def __iter__(self):
        at.asked += 100
        return super().__iter__()

at = Index()
y = x[at]
torch.ops.aten.sum.dim_IntList(x, Sizes([0]))
print("asked", at.asked)
z = x[[0] * 70]
"""


def test_odd_arguments_run_nothing_of_the_learners(record: Forker, capsys: pytest.CaptureFixture[str]) -> None:
    """Objects with methods of their own, and lists too long: left out, and not asked once more."""
    recording = record(ODD)
    exec(ODD, {})
    assert recording.stdout == capsys.readouterr().out
    assert arguments(recording, "x[at]") == [{}]
    assert arguments(recording, "x[[0] * 70]") == [{}]
    assert recording.timeline.notices == []


def test_listed_as_json(table: Recording) -> None:
    out = StringIO()
    steps.write_json(table.timeline, out)
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    found = {row["code"]: row["arguments"] for row in rows if row["kind"] == "op"}
    assert found["x.add(b, alpha=2.0)"] == {"alpha": 2.0}
    assert found["x.clamp(0, float('inf'))"] == {"min": 0, "max": "inf"}
    assert all("arguments" not in row for row in rows if row["kind"] != "op")


def test_a_limit_to_what_differs_at_each_visit() -> None:
    """Readers hold all that was sent: past the limit only what is known has a number."""
    sent: list[Any] = []
    recorder, x = CallRecorder(sent.append), torch.ones(1)
    numbers = [recorder.number_of(torch.pow, (x, n), {}) for n in range(MOST_DEFINED + 2)]
    assert numbers == [*range(1, MOST_DEFINED + 1), 0, 0]
    assert len(sent) == MOST_DEFINED
    assert recorder.number_of(torch.pow, (x, 7), {}) == 8


def test_what_is_equal_but_of_another_type_has_its_own_number() -> None:
    recorder, x = CallRecorder([].append), torch.ones(1)
    values = [1, True, 1.0, 0.0, -0.0, "1", None, (1, 1), (True, True), (1.0, 1), (1,), [1, 1], torch.Size((2, 2))]
    calls: list[tuple[Any, dict[str, Any]]] = [((x, value), {}) for value in values] + [
        ((x,), {"p": value}) for value in values
    ]
    numbers = [recorder.number_of(torch.norm, *call) for call in calls]
    assert numbers == [recorder.number_of(torch.norm, *call) for call in calls]
    by_place, by_name = numbers[: len(values)], numbers[len(values) :]
    for part in (by_place, by_name):
        assert part[values.index(None)] == 0  # as if it were not given
        assert part[7] == part[11]  # a list is as good as a tuple
        assert len(set(part)) == len(values) - 1


# ---------------------------------------------------------------- written to

Tensor, ATEN = torch.Tensor, torch.ops.aten
A, B, C, D = (torch.ones(2) for _ in range(4))


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "written"),
    [
        (Tensor.add, (A, B), {}, []),
        (Tensor.add_, (A, B), {}, [A]),
        (Tensor.__iadd__, (A, B), {}, [A]),
        (Tensor.__setitem__, (A, 0, B), {}, [A]),
        (torch.add, (A, B), {"out": C}, [C]),
        (torch.max, (A, 0), {"out": (C, D)}, [(C, D)]),
        (ATEN.add_.Tensor, (A, B), {}, [A]),
        (ATEN.add.out, (A, B), {"out": C}, [C]),
        (torch._foreach_add_, ([A, B], 1), {}, [[A, B]]),
        (ATEN.native_batch_norm.default, (A, B, B, C, D, True, 0.1, 1e-5), {}, [C, D]),
    ],
)
def test_what_is_written_to(function: Any, args: Any, kwargs: dict[str, Any], written: list[Any]) -> None:
    found = list(written_by(function).among(args, kwargs))
    assert len(found) == len(written)
    assert all(one is other or one == other for one, other in zip(found, written, strict=True))
