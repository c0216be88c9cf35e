"""The recording changes nothing that a program can notice, and nothing that a program does breaks the recording."""

from __future__ import annotations

from pathlib import Path

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker
from tutor.trace import events as ev


def test_recursion_without_end(record: Forker) -> None:
    recorded = record("""\
import torch
def down(n):
    t = torch.tensor(n)
    return down(n + 1)
def inner(n):
    try:
        return inner(n + 1)
    except RecursionError:
        return n
reached = inner(0) > 900
try:
    down(0)
except RecursionError as error:
    text = str(error)
after = torch.ones(1)
""")
    assert recorded.status == 0
    assert recorded.timeline.notices == []
    assert [frame.function for frame in recorded.end.frames] == ["<module>"]
    assert recorded.value("after") == [1.0]
    bound = {name: binding.value for name, binding in recorded.end.frames[0].names.items() if binding.what == "value"}
    assert bound["reached"] is True
    assert bound["text"].startswith("maximum recursion depth exceeded")


def test_a_forked_child_prints_and_leaves_the_recording_alone(record: Forker) -> None:
    recorded = record("""\
import os
import sys
import torch
w = torch.ones(1)
print("before")
child = os.fork()
if not child:
    print("in the child")
    print("and its errors", file=sys.stderr)
    w += 5
    os._exit(7)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
os.system("echo from a shell")
print("after")
""")
    assert (recorded.status, recorded.stdout, recorded.stderr) == (0, "before\nafter\n", "")
    assert recorded.raw == {"stdout": "in the child\nfrom a shell\n", "stderr": "and its errors\n"}
    assert recorded.value("w") == [1.0]
    assert recorded.end.frames[0].names["status"].value == 7


def test_threads_are_let_be(record: Forker) -> None:
    recorded = record("""\
import threading
import torch
w = torch.ones(1, requires_grad=True)
results = {}
def work(n):
    t = w * n
    for _ in range(20):
        t = t + 1
    results[n] = t.detach()
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
mine = w * 100
mine.backward()
for thread in threads:
    thread.join()
total = sum(results.values())
""")
    assert (recorded.status, recorded.stderr) == (0, "")
    (notice,) = recorded.timeline.notices  # one for all of a kind
    assert notice.startswith("What runs in Thread-1 (work), another thread, is not recorded.")
    assert recorded.value("total") == [0.0 + 1 + 2 + 3 + 80]
    assert recorded.value("results[3]") == [23.0]
    assert recorded.grad("w") == [100.0]
    assert {frame.function for frame in recorded.of(ev.FrameStart)} == {"<module>"}


def test_the_random_stream(record: Forker, tmp_path: Path) -> None:
    """Nothing of ours draws: what comes next is the same, also after a question has been asked."""
    source = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "Drawing"}
#     summary: {en: "Numbers by chance."}
# ---
# %%
import random
import numpy as np
import torch
torch.manual_seed(1)
random.seed(2)
np.random.seed(3)
a = torch.rand(5000)
# %% [markdown] question="predict" of="torch.rand(1).item() + random.random() + float(np.random.rand())" lang="en"
# How much?
# %%
b = torch.randn(3, requires_grad=True)
b.sum().backward()
c = torch.nn.Dropout(0.5)(b)
print(torch.rand(1).item(), random.random(), np.random.rand(), torch.initial_seed())
"""
    recorded = record(source)
    script = tmp_path / "script.py"
    script.write_text(source)
    plain = run_plainly(script, tmp_path / "plain.json")
    assert (recorded.stdout, recorded.status) == (plain.stdout, 0)
    assert len(recorded.of(ev.Answer)) == 1


def test_learners_own_tracing_and_modes(record: Forker) -> None:
    recorded = record("""\
import sys
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
seen = []
class Mode(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        seen.append(func.__name__)
        return func(*args, **(kwargs or {}))
class Dispatch(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        seen.append(str(func))
        return func(*args, **(kwargs or {}))
with Mode():
    a = torch.ones(2) * 3
with Dispatch():
    b = a + 1
class Sub(torch.Tensor):
    pass
s = torch.ones(2).as_subclass(Sub) * 2
lines = []
def trace(frame, event, argument):
    lines.append(frame.f_lineno)
    return trace
def f():
    x = 1
    return x
sys.settrace(trace)
f()
sys.settrace(None)
print(seen, type(s).__name__)
""")
    assert (recorded.status, recorded.stderr) == (0, "")
    assert recorded.stdout == "['ones', 'mul', 'aten.add.Tensor'] Sub\n"
    assert recorded.value("b") == [4.0, 4.0]
    assert recorded.timeline.notices == []
    assert recorded.end.tensors[recorded.names()["s"]].class_name == "Sub"
