"""What an index selects; and other facts of a tensor, an operation and a module that were searched for once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.recording import Forker, Recording
from tutor.trace import events as ev
from tutor.trace.values import places

GIVEN = """
import numpy
import torch
x = torch.arange(24.0).view(2, 3, 4).requires_grad_()
b = torch.zeros(2, 3, 4)
i = torch.tensor([1, 0, 1])
j = torch.tensor([[0], [2]])
t = torch.tensor(1)
n = numpy.array([2, 0])
mask = torch.tensor([[True, False, True], [False, True, False]])
bytes_ = mask[0].to(torch.uint8)
row = torch.arange(5)
"""

READS = [
    "x[i]", "x[:, j]", "x[i, 0]", "x[0, i]", "x[0, 1:, i]", "x[..., i]", "x[None, i]", "x[mask]", "x[0, mask[0]]",
    "x[:, mask[0], 1]", "x[[1, 0]]", "x[:, [0, 2], ::2]", "x[[True, False]]", "x[n[n < 2]]", "x[t, i]", "x[i, :, i]",
    "x[0, j, n]", "x.detach()[i]", "row[row]", "x[:, bytes_]", "x[numpy.int64(1), i]", "x[True]", "x[False]",
    "x[t > 0, 1]", "x[range(2)]", "x[0, range(1, 3), i[:2]]", "x[0, True]", "x[None, :, True, i]",
]  # fmt: skip
WRITES = [
    "b[0]", "b[0, 1]", "b[:, 1:]", "b[..., -1]", "b[i]", "b[mask]", "b[0, i, ::2]", "b[[0, 1], [2, 0]]", "b[None]",
]  # fmt: skip


@pytest.fixture(scope="module")
def table(record: Forker) -> Recording:
    lines = ["import warnings", "warnings.simplefilter('ignore')", *READS, *(f"{write} = 5.0" for write in WRITES)]
    return record(GIVEN + "\n".join(lines) + "\n")


@pytest.mark.parametrize("code", [*READS, *WRITES])
@pytest.mark.filterwarnings("ignore")
def test_what_is_read_and_written(table: Recording, code: str) -> None:
    """Each element that is read is its own flat index; each that is written to is no zero."""
    given: dict[str, Any] = {}
    exec(GIVEN, given)
    selected = table.timeline.selected(table.op(code))
    assert selected is not None
    if code in READS:
        assert list(selected) == eval(code, given).flatten().tolist()
    else:
        exec(f"{code} = 5.0", given)
        assert sorted({*selected}) == given["b"].flatten().nonzero().flatten().tolist()


def test_of_what_numbers_and_slices_leave(table: Recording) -> None:
    def of_view(code: str) -> Any:
        event = table.timeline.event(table.op(code))
        assert isinstance(event, ev.Op)
        return places(event.selected_of_view)

    assert of_view("x[i]") is None
    assert of_view("x[0, i]") == (4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7)
    assert of_view("x[0, 1:, i]") == (1, 0, 1, 5, 4, 5)
    assert of_view("x[mask]") is None


def test_each_visit_has_its_own(record: Forker) -> None:
    recording = record("""
import torch
torch.manual_seed(0)
x = torch.arange(6.0)
for k in range(3):
    order = torch.randperm(6)[:2]
    y = x[order]
    print(order.tolist())
""")
    steps = [step for step in recording.steps_of("op") if recording.code(step) == "x[order]"]
    assert "".join(f"{[*(recording.timeline.selected(step) or ())]}\n" for step in steps) == recording.stdout


UNKNOWN = """
import torch

class Index:
    asked = 0
    def __index__(self):
        Index.asked += 1
        return 0

x, big, at, own = torch.zeros(2, 3), torch.zeros(1001), Index(), torch.tensor([True, False])
x[at]
x[at] = 1.0
big[[1, 2]]
own[own] = False
x[0, 1:]
torch.vmap(lambda row, k: row[k])(x, torch.tensor([[1], [0]]))
print(Index.asked)
"""


def test_where_it_is_not_known(record: Forker, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of the learner's runs a second time to find out."""
    recording = record(UNKNOWN)
    exec(UNKNOWN, {})
    assert recording.stdout == capsys.readouterr().out
    assert recording.stderr == ""
    assert recording.timeline.notices == []
    events = recording.of(ev.Op)
    assert [event.selected for event in events] == [None] * len(events)
    assert {"getitem", "setitem"} <= {op for op, _ in recording.ops()}


FACTS = """
import torch
from torch import nn

class Linear(nn.Linear):
    pass

x = torch.arange(6.0, requires_grad=True)
views = x[2:], x.view(2, 3)[1, 1:]
with torch.no_grad():
    a = x * 2
    with torch.enable_grad():
        b = x * 3
with torch.inference_mode():
    c = x * 4
d = x * 5
e = nn.Linear(6, 1)(x) + Linear(6, 1)(x)
base = torch.zeros(4)
part = base[2:]
base += 1
"""


def test_offsets_grad_mode_and_whose_class(record: Forker) -> None:
    recording = record(FACTS)
    tensors = recording.end.tensors
    names = recording.names()
    assert [tensors[names[name]].storage_offset for name in ("x", "views[0]", "views[1]", "part")] == [0, 2, 4, 2]
    enabled = {}
    for step in recording.steps_of("op"):
        event = recording.timeline.event(step)
        assert isinstance(event, ev.Op)
        enabled[recording.code(step)] = event.grad_enabled
    assert [enabled[f"x * {n}"] for n in (2, 3, 4, 5)] == [False, True, False, True]
    assert [(module.kind, module.of_torch) for module in recording.end.modules.values()] == [
        ("Linear", True), ("Linear", False),
    ]  # fmt: skip
