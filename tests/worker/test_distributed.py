"""Two processes that exchange tensors by gloo: what C++ code writes after a pass, and what collectives write."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.cli.by_forks import COMMAND, inherited
from tests.worker.recording import Recording
from tutor.trace import tracefile
from tutor.trace.names import names_of

pytestmark = pytest.mark.sampled(1)

if not torch.distributed.is_gloo_available():
    pytest.skip("this torch has no gloo", allow_module_level=True)

HEAD = """\
import json, os, sys
import torch
import torch.distributed as dist
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
dist.init_process_group("gloo", rank=rank, world_size=world)
torch.manual_seed(0)
"""
DDP = """\
net = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
loss = net(torch.full((4, 2), float(rank))).pow(2).mean()
loss.backward()
then = 1
total = torch.full((3,), float(rank + 1))
view = total[:2]
dist.all_reduce(total)
then = 2
late = torch.full((3,), float(rank + 1))
work = dist.all_reduce(late, async_op=True)
work.wait()
then = 3
parts = [torch.zeros(1) for _ in range(world)]
dist.all_gather(parts, torch.tensor([float(rank)]))
large = torch.full((2000,), float(rank + 1))
dist.broadcast(large, 1)
gathered = torch.zeros(2)
dist.all_gather_into_tensor(gathered, torch.tensor([float(rank + 5)]))
if rank:
    dist.send(torch.tensor([9.0]), 0)
    received = torch.tensor([9.0])
else:
    received = torch.zeros(1)
    dist.recv(received, 1)
then = 4
"""
SHARDED = """\
from torch.distributed.fsdp import fully_shard
net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
fully_shard(net)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for i in range(2):
    loss = net(torch.full((4, 4), float(rank + 1))).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
weight = net[0].weight
mine = weight.to_local().detach()
gradient = weight.grad.to_local()
then = 1
"""
TAIL = """\
json.dump({name: thing.tolist() for name, thing in globals().items() if type(thing) is torch.Tensor},
          open(sys.argv[1] + str(rank), "w"))
dist.barrier()
dist.destroy_process_group()
"""


def run(folder: Path, body: str) -> list[tuple[Recording, dict[str, Any]]]:
    """Records two ranks at once; what each recorded, and the tensors that it wrote down itself at the end."""
    script = folder / "script.py"
    script.write_text(HEAD + body + TAIL, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = []
    for rank in range(2):
        environment = {
            **os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": "2",
        }  # fmt: skip
        trace = folder / f"{rank}.trace"
        command = [*COMMAND, "record", "-o", str(trace), str(script), str(folder / "out")]
        ranks.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **inherited(environment))
        )
    outputs = [rank.communicate(timeout=120) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], outputs
    assert all(b"could not be recorded" not in errors for _, errors in outputs), outputs
    return [
        (Recording(tracefile.load(folder / f"{rank}.trace"), 0), json.loads((folder / f"out{rank}").read_text()))
        for rank in range(2)
    ]


@pytest.mark.slow
def test_two_ranks_with_ddp(tmp_path: Path) -> None:
    for recorded, plain in run(tmp_path, DDP):
        lines = {number: recorded.line(HEAD.count("\n") + number) for number in (4, 8, 12, 26)}
        # Of the mean over both ranks; the inputs of rank 0 are 0, those of rank 1 are 1.
        state = recorded.timeline.state(lines[4])
        numbers = names_of(state)
        gradients = [recorded.grad(f"net.module.{name}", lines[4]) for name in ("weight", "bias")]
        weight = recorded.value("net.module.weight", lines[4])
        bias = recorded.value("net.module.bias", lines[4])
        assert "net.module.weight" in numbers
        made = [bias[0] + rank * sum(weight[0]) for rank in (0, 1)]
        assert gradients[0] == [[pytest.approx(2 * made[1] / 2)] * 2]
        assert gradients[1] == [pytest.approx((2 * made[0] + 2 * made[1]) / 2)]
        assert recorded.value("total", lines[8]) == [3.0, 3.0, 3.0]
        assert recorded.value("view", lines[8]) == [3.0, 3.0]
        assert recorded.value("late", lines[12]) == [3.0, 3.0, 3.0]
        assert recorded.value("parts[1]", lines[26]) == [1.0]
        assert recorded.value("gathered", lines[26]) == [5.0, 6.0]
        assert recorded.value("received", lines[26]) == [9.0]
        large = recorded.value("large", lines[26])
        assert (large["stats"]["min"], large["stats"]["max"]) == (2.0, 2.0)
        for name in ("total", "late", "gathered", "received"):
            assert recorded.value(name) == plain[name]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(torch.cpu.Stream, "record_event"), reason="this torch shards on devices alone")
def test_two_ranks_with_sharded_parameters(tmp_path: Path) -> None:
    for recorded, plain in run(tmp_path, SHARDED):
        then = recorded.line((HEAD + SHARDED).count("\n"))
        for name in ("mine", "gradient", "loss"):
            assert recorded.value(name, then) == plain[name]
        weight = recorded.value("weight", then)
        assert (weight["stats"], weight["note"]) == (None, "DTensor, whose elements are not read")


ALIKE = """\
torch.manual_seed(rank)
inner = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
before = 1
net = torch.nn.parallel.DistributedDataParallel(inner, gradient_as_bucket_view=True)
then = 1
net(torch.full((4, 2), float(rank)) + torch.arange(4.0)[:, None])
ran = inner[1].running_mean.clone()
out = net(torch.full((4, 2), float(rank)) + torch.arange(4.0)[:, None])
then = 2
weight, counted = inner[0].weight.detach(), torch.tensor(inner[0].weight._version)
"""


@pytest.mark.slow
def test_ranks_that_ddp_makes_alike(tmp_path: Path) -> None:
    ranks = run(tmp_path, ALIKE)
    begin = HEAD.count("\n")
    first = ranks[0][0]
    for recorded, plain in ranks:
        then = recorded.line(begin + 5)
        state = recorded.timeline.state(then)
        assert recorded.value("inner[0].weight", then) == plain["weight"]
        assert state.tensors[names_of(state)["inner[0].weight"]].version == plain["counted"]
        assert recorded.value("inner[0].bias", then) == first.value("inner[0].bias", first.line(begin + 5))
    different = [recorded.value("inner[0].weight", recorded.line(begin + 3)) for recorded, _ in ranks]
    assert different[0] != different[1]


SEVERAL = """\
sent, received = torch.full((2,), float(rank + 1)), torch.zeros(2)
works = dist.batch_isend_irecv([dist.P2POp(dist.isend, sent, 1 - rank), dist.P2POp(dist.irecv, received, 1 - rank)])
for work in works:
    work.wait()
then = 1
first, second, both = torch.ones(2), torch.ones(2) * rank, torch.ones(2)
works = [dist.all_reduce(one, async_op=True) for one in (first, second, both, both)]
works[2].wait()
works[0].wait()
works[3].wait()
works[1].wait()
then = 2
"""


@pytest.mark.slow
def test_several_works_that_are_waited_for_one_by_one(tmp_path: Path) -> None:
    for recorded, plain in run(tmp_path, SEVERAL):
        begin = HEAD.count("\n")
        assert recorded.value("received", recorded.line(begin + 5)) == plain["received"]
        for name in ("first", "second", "both"):
            assert recorded.value(name, recorded.line(begin + 12)) == plain[name]
