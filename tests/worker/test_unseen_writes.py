"""Values that change where no version counter tells of it, or where no function mode sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording, value_in
from tests.worker.test_recorded_equals_plain import compare_names
from tutor.trace import events as ev
from tutor.trace.names import names_of

CASES = Path(__file__).parent / "scripts" / "writes"


@pytest.mark.parametrize("script", sorted(CASES.glob("*.py")), ids=lambda path: path.stem)
def test_the_end_is_that_of_a_plain_run(script: Path, record: Forker, tmp_path: Path) -> None:
    plain = run_plainly(script, tmp_path / "plain.json")
    recorded = record(script)
    assert (recorded.status, recorded.stdout, recorded.stderr) == (plain.status, plain.stdout, plain.stderr)
    compare_names(recorded.end, plain)


def note_at(recorded: Recording, line: int, name: str, count: int = 1) -> object:
    """What `name` holds when the statement on a line is about to run."""
    return recorded.value(name, recorded.line(line, count))


def test_a_fused_optimizer(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
opt = torch.optim.Adam([w], lr=0.1, fused=True)
(w * w).sum().backward()
opt.step()
first = 1
(w * w).sum().backward()
opt.step()
last = 2
""")
    assert note_at(recorded, 6, "w") == pytest.approx([0.9, 1.9])
    assert note_at(recorded, 9, "w") == pytest.approx([0.8029473, 1.8032147])


def test_scaled_gradients_are_unscaled(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
opt = torch.optim.SGD([w], lr=0.1)
scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
scaler.scale((w * w).sum()).backward()
scaler.unscale_(opt)
then = 1
""")
    assert recorded.grad("w", recorded.line(6)) == [8.0, 16.0]
    assert recorded.grad("w", recorded.line(7)) == [2.0, 4.0]


def test_a_view_made_under_no_grad(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.ones(3, 2, requires_grad=True)
with torch.no_grad():
    row = w[0]
    row.fill_(5.0)
then = 1
""")
    assert recorded.timeline.notices == []
    step = recorded.line(6)
    state = recorded.timeline.state(step)
    assert recorded.value("w", step) == [[5.0, 5.0], [1.0, 1.0], [1.0, 1.0]]
    assert recorded.value("row", step) == [5.0, 5.0]
    whole, row = (state.tensors[recorded.names(step)[name]] for name in ("w", "row"))
    assert (whole.version, whole.is_leaf, whole.requires_grad) == (1, True, True)
    assert (row.version, row.is_leaf, row.grad_fn, row.requires_grad) == (1, None, None, True)


def test_a_tensor_of_inference_mode(record: Forker) -> None:
    recorded = record("""\
import torch
import torch.nn.functional as F
with torch.inference_mode():
    a = torch.zeros(2)
    part = a[:1]
    a[0] = 1.0
    a += 5
    b = torch.tensor([-1.0, 1.0])
    F.relu(b, inplace=True)
    large = torch.full((3000,), -1.0)
    F.relu(large, inplace=True)
    torch.add(a, a, out=b)
then = 1
""")
    assert note_at(recorded, 7, "a") == [1.0, 0.0]
    assert note_at(recorded, 8, "a") == [6.0, 5.0]
    assert note_at(recorded, 8, "part") == [6.0]
    assert note_at(recorded, 10, "b") == [0.0, 1.0]
    assert note_at(recorded, 13, "b") == [12.0, 10.0]
    assert recorded.value("large")["stats"]["max"] == 0.0


def test_memory_that_numpy_or_a_pointer_reaches(record: Forker) -> None:
    recorded = record("""\
import ctypes
import numpy
import torch
a = numpy.zeros(3, dtype=numpy.float32)
shared = torch.from_numpy(a)
part = shared[1:]
a[1] = 5.0
t = torch.zeros(2)
t.numpy()[:] = 3.0
p = torch.zeros(2)
ctypes.memset(p.data_ptr(), 255, 4)
s = torch.ones(3)
s.untyped_storage().fill_(0)
many = torch.from_numpy(numpy.zeros(5000, dtype=numpy.float32))
many.numpy()[7] = 9.0
released = torch.ones(3)
released.untyped_storage().resize_(0)
then = 1
""")
    assert note_at(recorded, 8, "shared") == [0.0, 5.0, 0.0]
    assert note_at(recorded, 8, "part") == [5.0, 0.0]
    assert note_at(recorded, 10, "t") == [3.0, 3.0]
    assert note_at(recorded, 12, "p") == ["nan", 0.0]
    assert note_at(recorded, 14, "s") == [0.0, 0.0, 0.0]
    many = note_at(recorded, 16, "many")
    assert isinstance(many, dict)
    assert many["stats"]["max"] == 9.0
    released = note_at(recorded, 18, "released")
    assert isinstance(released, dict)
    assert released["note"] == "its memory was released"


def test_large_shared_memory_is_told_to_be_as_last_measured(record: Forker) -> None:
    recorded = record("""\
import numpy
import torch
a = numpy.zeros((300, 300), dtype=numpy.float32)
big = torch.from_numpy(a)
a[0] = 5.0
then = 1
""")
    before = note_at(recorded, 6, "big")
    assert isinstance(before, dict)
    assert before["note"].endswith("as last measured")
    assert recorded.value("big")["stats"]["max"] == 5.0  # at the end of the cell it is measured again


def test_a_tensor_that_another_process_writes_to(record: Forker) -> None:
    recorded = record("""\
import torch
import torch.multiprocessing as mp
context = mp.get_context("fork")
def child(tensor, queue, done):
    tensor += 1
    queue.put(tensor)
    done.wait()
shared = torch.zeros(3).share_memory_()
queue, done = context.Queue(), context.Event()
process = context.Process(target=child, args=(shared, queue, done))
process.start()
got = queue.get()
then = 1
got.mul_(5)
done.set()
process.join()
then = 2
""")
    assert recorded.status == 0, recorded.stderr
    assert note_at(recorded, 13, "shared") == [1.0, 1.0, 1.0]
    assert note_at(recorded, 13, "got") == [1.0, 1.0, 1.0]
    assert note_at(recorded, 17, "shared") == [5.0, 5.0, 5.0]


def test_other_threads_leave_true_values_and_are_told_of(record: Forker) -> None:
    recorded = record("""\
import threading
from concurrent.futures import ThreadPoolExecutor
import torch
w = torch.tensor([1.0, -1.0], requires_grad=True)
buffer = torch.zeros(2)
def train():
    loss = (w * 2).pow(2).sum()
    loss.backward()
    with torch.no_grad():
        w.sub_(0.01 * w.grad)
thread = threading.Thread(target=train, name="trainer")
thread.start()
thread.join()
then = 1
opt = torch.optim.Adam([w], lr=0.1, fused=True)
with ThreadPoolExecutor(2) as pool:
    pool.submit(opt.step).result()
    then = 2
    pool.submit(buffer.add_, 3).result()
    then = 3
again = (w * buffer).sum()
again.backward()
""")
    assert recorded.status == 0, recorded.stderr
    assert note_at(recorded, 14, "w") == pytest.approx([0.92, -0.92])
    assert recorded.grad("w", recorded.line(14)) == pytest.approx([8.0, -8.0])
    assert note_at(recorded, 18, "w") == pytest.approx([0.82, -0.82])
    assert note_at(recorded, 20, "buffer") == [3.0, 3.0]
    assert recorded.grad("w") == pytest.approx([11.0, -5.0])
    first, second = recorded.timeline.notices
    assert first.startswith("What runs in trainer, another thread, is not recorded.")
    assert second.startswith("What runs in ThreadPoolExecutor-")
    assert len(recorded.of(ev.Backward)) == 1


def test_threads_of_libraries_are_not_told_of(record: Forker) -> None:
    recorded = record(
        """\
import os, sys
sys.path.append(os.path.join(os.path.dirname(__file__), "site-packages"))
import library
import torch
w = torch.ones(2)
library.begin()
y = w * 2
""",
        beside={
            "site-packages/library.py": "import threading\ndef begin():\n    threading.Thread(target=int).start()\n",
        },
    )
    assert (recorded.status, recorded.timeline.notices) == (0, [])


HOUSEKEEPING = {
    "a learner's function in asyncio": ("asyncio.run(asyncio.to_thread(fill))", ["asyncio_0"]),
    "a queue": (
        "q = multiprocessing.get_context('fork').Queue()\nq.put(1)\nprint(q.get())\nq.close()\nq.join_thread()", []
    ),
    "a pool of threads": ("multiprocessing.pool.ThreadPool(1).map(fill, [1])", ["Thread-1 (worker)"]),
    "logging": (
        "l = logging.handlers.QueueListener(queue.Queue())\nl.start()\nl.stop()", []
    ),
    "a timer": ("t = threading.Timer(0, w.add_, (1,))\nt.start()\nt.join()", ["Thread-1"]),
}  # fmt: skip


@pytest.mark.parametrize("name", HOUSEKEEPING)
def test_threads_of_the_standard_library_for_itself_are_not_told_of(record: Forker, name: str) -> None:
    code, threads = HOUSEKEEPING[name]
    recorded = record(f"""\
import asyncio, logging.handlers, multiprocessing.pool, queue, threading
import torch
w = torch.ones(2)
def fill(*given):
    w.add_(1)
{code}
y = w * 2
""")
    assert recorded.status == 0, recorded.stderr
    said = [notice.partition(", another")[0] for notice in recorded.timeline.notices]
    assert said == [f"What runs in {thread}" for thread in threads]
    assert recorded.value("y") == ([4.0, 4.0] if threads else [2.0, 2.0])


def test_scripted_code_that_writes(record: Forker) -> None:
    recorded = record("""\
import torch
@torch.jit.script
def bump(t: torch.Tensor):
    t.add_(1)
class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(2))
    def forward(self, x: torch.Tensor):
        self.calls += 1
        return x + self.calls
w = torch.zeros(2)
bump(w)
then = 1
counter = torch.jit.script(Counter())
y = counter(w)
then = 2
""")
    assert note_at(recorded, 14, "w") == [1.0, 1.0]
    assert note_at(recorded, 17, "y") == [2.0, 2.0]
    assert note_at(recorded, 17, "counter.calls") == [1.0, 1.0]


def test_what_is_loaded(record: Forker) -> None:
    recorded = record("""\
import io
import pickle
import torch
a = torch.arange(3000.0)
file = io.BytesIO()
torch.save({"a": a, "small": torch.ones(2)}, file)
file.seek(0)
loaded = torch.load(file)
again = pickle.loads(pickle.dumps(a))
plain = torch.empty(0)
plain.set_(torch.ones(3))
same = torch.zeros(3)
same.set_(a[:3])
a[0] = 7.0
then = 1
""")
    for name in ("loaded['a']", "again"):
        value = recorded.value(name)
        assert isinstance(value, dict)
        assert value["stats"]["max"] == 2999.0
    assert recorded.value("loaded['small']") == [1.0, 1.0]
    assert note_at(recorded, 15, "plain") == [1.0, 1.0, 1.0]
    assert note_at(recorded, 15, "same") == [7.0, 1.0, 2.0]


def test_a_parameter_that_a_lazy_module_has_not_made_yet(record: Forker) -> None:
    recorded = record("""\
import torch
net = torch.nn.LazyLinear(2)
then = 1
y = net(torch.ones(1, 3))
""")
    before = note_at(recorded, 3, "net.weight")
    assert isinstance(before, dict)
    assert (before["stats"], before["note"]) == (None, "not made yet")
    assert recorded.timeline.state(recorded.timeline.steps).tensors[recorded.names()["net.weight"]].shape == (2, 3)


FLAT = """\
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Linear(2, 1)
size = sum(p.numel() for p in model.parameters())
flat = torch.zeros({room})
place = 0
for p in model.parameters():
    p.grad = flat[place:place + p.numel()].view_as(p)
    place += p.numel()
first = flat[:2]
def look(grad):
    during = 1
    return grad
x = torch.tensor([[2.0, 3.0]])
{hook}
for turn in range(2):
    model(x).sum().backward()
    then = 1
done = 1
"""


@pytest.mark.parametrize("room", ["size", "size + 5000"])
def test_gradients_that_are_parts_of_a_flat_buffer(record: Forker, room: str) -> None:
    recorded = record(FLAT.format(room=room, hook="pass"))
    assert recorded.status == 0, recorded.stderr
    for count in (1, 2):
        step = recorded.line(19, count)
        assert recorded.value("first", step) == [2.0 * count, 3.0 * count]
        state = recorded.timeline.state(step)
        names = recorded.names(step)
        assert state.tensors[names["flat"]].version == state.tensors[names["first"]].version == 2 * count
        held = recorded.value("flat", step)
        if room == "size":
            assert held == [2.0 * count, 3.0 * count, count]
        else:
            assert (held["stats"]["max"], held["stats"]["min"]) == (3.0 * count, 0.0)


def test_the_buffer_is_right_within_the_pass_too(record: Forker) -> None:
    recorded = record(FLAT.format(room="size", hook="model.weight.register_post_accumulate_grad_hook(look)"))
    assert recorded.status == 0, recorded.stderr
    (inside, _) = [step for step in recorded.steps_of("line") if recorded.timeline.view(step).line == 13]
    state = recorded.timeline.state(inside)
    number = recorded.names(inside)["flat"] if len(state.frames) == 1 else names_of(state, state.frames[0])["flat"]
    assert value_in(state, number)[:2] == [2.0, 3.0]


def test_a_gradient_whose_buffer_a_callback_of_the_engine_scales(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
flat = torch.zeros(2)
w.grad = flat[:]
class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()
    @staticmethod
    def backward(ctx, grad):
        torch.autograd.Variable._execution_engine.queue_callback(lambda: flat.mul_(3))
        return grad
Scale.apply(w).sum().backward()
print(flat, w.grad.tolist())
done = 1
""")
    assert recorded.status == 0, recorded.stderr
    assert recorded.value("flat", recorded.line(14)) == [3.0, 3.0]
    assert recorded.grad("w", recorded.line(14)) == [3.0, 3.0]


def test_tensors_without_elements_that_are_written_to(record: Forker) -> None:
    recorded = record("""\
import torch
from torch import nn
with torch.device("meta"):
    module = nn.Linear(2, 2)
t = torch.empty(3, device="meta")
t.fill_(3)
t[0] = 1
nn.init.zeros_(module.weight)
whole = module.to_empty(device="cpu")
nn.init.ones_(whole.weight)
done = 1
""")
    assert (recorded.status, recorded.timeline.notices) == (0, [])
    assert recorded.value("whole.weight", recorded.line(11)) == [[1.0, 1.0], [1.0, 1.0]]
