"""What torch's compilers are given runs as it does plainly, as one operation; everything else stays recorded."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording
from tests.worker.test_recorded_equals_plain import compare_names
from tutor.text.steps import record as step_record

pytestmark = pytest.mark.sampled(3)

MODEL = """\
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(2, 1)

    def forward(self, x):
        hidden = self.fc(x)
        return torch.tanh(hidden)


def train(net):
    x = torch.ones(4, 2)
    for step in range(2):
        loss = net(x).pow(2).mean()
        loss.backward()
    return loss


torch.manual_seed(0)
net = Net()
train(net)
"""
PLAIN = "\n\nimport torch\n\n\n\n\n" + MODEL
WORDS = {
    "re.compile": 'import re\n\nimport torch\n\nword = re.compile(r"x")\n\n\n' + MODEL,
    "a comment": "\n# torch.compile(net) would be faster\nimport torch\n\n\n\n\n" + MODEL,
    "a string": '"""Uses torch.compile, torch.jit.script and torch.export."""\n\nimport torch\n\n\n\n\n' + MODEL,
    "a flag": "\n\nimport torch\n\nif False: net = torch.compile(net)\n\n\n" + MODEL,
    "a name": "\n\nimport torch\nfrom torch import compile\nimport torch._dynamo\n\n\n" + MODEL,
    "compile": "\n\nimport torch\ncode = compile('1', '', 'eval')\n\n\n\n" + MODEL,
    "something compiled": "\n\nimport torch\nf = torch.compile(lambda x: x, backend='eager'); f(1)\n\n\n\n" + MODEL,
}


def statements(recorded: Recording) -> list[tuple[Any, ...]]:
    """From line 8 on, where the texts are the same."""
    timeline = recorded.timeline
    found = [step_record(timeline, step) for step in range(1, timeline.steps + 1)]
    wanted = ("kind", "line", "code", "function", "iteration", "text", "inputs", "output")
    return [tuple(each.get(name) for name in wanted) for each in found if each["line"] is not None and each["line"] > 7]


@pytest.fixture(scope="module")
def plain(record: Forker) -> Recording:
    return record(PLAIN)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_in_a_file_switches_nothing_off(record: Forker, plain: Recording, word: str) -> None:
    recorded = record(WORDS[word])
    assert recorded.status == 0, recorded.stderr
    assert statements(recorded) == statements(plain)
    assert list(recorded.timeline.series) == ["loss"]


FUNCTIONS = """\
import torch
import torch._dynamo
from torch.export import export

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(2, 1)

    def forward(self, x):
        hidden = helper(self.fc(x))
        return torch.tanh(hidden)

def helper(x):
    twice = x * 2
    return twice

def f(x):
    y = torch.sin(x)
    return helper(y) + 1

torch.manual_seed(0)
w = torch.ones(2, requires_grad=True)
net = Net()
x = torch.ones(4, 2)
"""
WAYS = {
    "a call": "g = torch.compile(f, backend='eager')\nout = g(w)",
    "aot_eager": "g = torch.compile(f, backend='aot_eager')\nout = g(w)",
    "fullgraph": "g = torch.compile(f, backend='eager', fullgraph=True)\nout = g(w)",
    "a decorator": "@torch.compile(backend='eager')\ndef g(x):\n    z = helper(x)\n    return z\nout = g(w)",
    "a module": "model = torch.compile(net, backend='aot_eager')\nout = model(x)",
    "in place": "net.compile(backend='eager')\nout = net(x)",
    "a method": "net.forward = torch.compile(net.forward, backend='eager')\nout = net(x)",
    "a class": "@torch.compile(backend='eager')\nclass Fast(Net):\n    pass\nfast = Fast()\nout = fast(x)",
    "a graph break": (
        "def broken(x):\n    y = helper(x)\n    print('break')\n    torch._dynamo.graph_break()\n    return f(y)\n"
        "g = torch.compile(broken, backend='eager')\nout = g(w)"
    ),
    "dynamo": "g = torch._dynamo.optimize('eager')(f)\nout = g(w)",
    "script": "g = torch.jit.script(f)\nout = g(w)",
    "a scripted decorator": "@torch.jit.script\ndef g(x):\n    z = x * 3\n    return z\nout = g(w)",
    "a scripted module": "model = torch.jit.script(net)\nout = model(x)",
    "trace": "g = torch.jit.trace(f, torch.ones(2))\nout = g(w)",
    "export": "g = export(net, (x,)).module()\nout = g(x)",
    "explain": "told = torch._dynamo.explain(f)(w)\nprint(told.graph_count, told.graph_break_count)\nout = f(w)",
    "a closure": (
        "def made(scale):\n    def inner(x):\n        return helper(x) * scale\n    return inner\n"
        "g = torch.compile(made(3.0), backend='eager')\nout = g(w)"
    ),
    "one in another": (
        "inner = torch.compile(helper, backend='eager')\ndef outer(x):\n    return inner(x) + 1\n"
        "g = torch.compile(outer, backend='eager', fullgraph=True)\nout = g(w)"
    ),
    "a partial": "import functools\ng = torch.compile(functools.partial(f), backend='eager')\nout = g(w)",
}
if torch.__version__.startswith("2.6."):
    del WAYS["a class"]  # recorded, its code breaks the graph once more there
COUNTS = """
counters = torch._dynamo.utils.counters
print(NAME, counters['stats'].get('unique_graphs'), sorted(counters['graph_break']))
out.sum().backward()
w.grad = None
net.zero_grad()
again = helper(w)
torch._dynamo.reset()
counters.clear()
"""


@pytest.mark.slow
def test_compiled_as_plainly(record: Forker, tmp_path: Path) -> None:
    """One after the other in a script, for `torch._dynamo` takes its time. The same graphs, breaks and results."""
    text = FUNCTIONS
    for number, (name, way) in enumerate(WAYS.items()):
        text += (way + COUNTS).replace("NAME", repr(name)).replace("out", f"out_{number}") + "net = Net()\n"
    script = tmp_path / "script.py"
    script.write_text(text, encoding="utf-8")
    plainly = run_plainly(script, tmp_path / "plain.json")
    recorded = record(script)
    assert recorded.stderr == plainly.stderr
    assert recorded.stdout == plainly.stdout
    assert recorded.status == plainly.status == 0
    assert recorded.timeline.notices == []
    compare_names(recorded.end, plainly)
    for number in range(len(WAYS)):
        assert f"out_{number}" in recorded.names()
    inside = [step for step in recorded.steps_of("line") if recorded.timeline.view(step).function == "helper"]
    assert len(inside) == 2 * (len(WAYS) + 1), "those called plainly, and f of the way that compiles nothing for later"


@pytest.mark.slow
def test_what_compiled_code_wrote_to_is_looked_at_again(record: Forker, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        """\
import torch
torch.manual_seed(0)
net = torch.nn.Linear(2, 1)
torch.nn.init.ones_(net.weight)
opt = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
buffer = torch.zeros(3)
calls = 0

@torch.compile(backend="eager")
def step(x):
    global calls
    calls += 1
    loss = net(x).pow(2).mean()
    loss.backward()
    opt.step()
    buffer.add_(1)
    return loss.detach()

loss = step(torch.ones(4, 2))
first = 1
loss = step(torch.ones(4, 2))
last = 2
""",
        encoding="utf-8",
    )
    plainly = run_plainly(script, tmp_path / "plain.json")
    recorded = record(script)
    assert recorded.status == plainly.status == 0, recorded.stderr
    compare_names(recorded.end, plainly)
    assert recorded.value("buffer", recorded.line(20)) == [1.0, 1.0, 1.0]
    assert recorded.end.frames[0].names["calls"].value == 2


@pytest.mark.slow
def test_the_backward_of_what_was_compiled_is_one_node(record: Forker) -> None:
    """2 cos(1) reaches w; what the compiled backward calls are no operations of the learner's."""
    script = """\
import math
import torch
def f(x):
    y = torch.sin(x)
    return y * 2
w = torch.ones(2, requires_grad=True)
out = torch.compile(f, backend="aot_eager")(w)
out.sum().backward()
"""
    recorded = record(script)
    assert recorded.status == 0, recorded.stderr
    assert [name for name, _ in recorded.ops()] == ["ones", "call", "sum"]
    names = [step_record(recorded.timeline, step)["node"] for step in recorded.steps_of("node")]
    assert names == ["SumBackward0", "CompiledFunctionBackward"]
    assert len(recorded.steps_of("op")) == 3
    assert recorded.grad("w") == pytest.approx([2 * math.cos(1)] * 2, rel=1e-6)


def test_compiled_in_an_imported_module(record: Forker) -> None:
    script = "import torch\nimport fast\nw = torch.ones(2, requires_grad=True)\nout = fast.g(w)\nplainly = fast.f(w)\n"
    module = """\
import torch
from torch import compile


def f(x):
    y = torch.sin(x)
    return y * 2


g = compile(f, backend="eager", fullgraph=True)
"""
    recorded = record(script, beside={"fast.py": module})
    assert recorded.status == 0, recorded.stderr
    assert recorded.value("out") == recorded.value("plainly")
    called = recorded.line(5)
    lines = [recorded.timeline.view(step) for step in recorded.steps_of("line") if step > called]
    assert [view.line for view in lines if view.function == "f"] == [6, 7]
    assert not [
        step for step in recorded.steps_of("line") if step < called and recorded.timeline.view(step).function == "f"
    ]


def test_code_can_be_pickled(record: Forker) -> None:
    """As cloudpickle and dill do it: the constants of a code object one by one, those of nested ones too."""
    script = """\
import pickle
import types
import torch

def f(x):
    total = 0
    for k in range(3):
        if (twice := k * 2) > 1:
            total += twice
    def inner(y):
        return y + total
    return inner(x)

def pickled(code):
    consts = [pickled(const) if isinstance(const, types.CodeType) else const for const in code.co_consts]
    consts = [const if isinstance(const, types.CodeType) else pickle.loads(pickle.dumps(const)) for const in consts]
    return code.replace(co_consts=tuple(consts))

g = types.FunctionType(pickled(f.__code__), globals())
there = g(torch.ones(1))
here = f(torch.ones(1))
"""
    recorded = record(script)
    assert recorded.status == 0, recorded.stderr
    assert recorded.value("there") == recorded.value("here") == [7.0]


def test_an_error_inside_is_told_at_the_line_that_raised_it(record: Forker) -> None:
    script = """\
import torch

@torch.compile(backend="eager")
def f(x):
    y = x @ torch.ones(3, 3)
    return y

def ok():
    z = torch.ones(1)
    return z

try:
    f(torch.ones(2, 2))
except Exception as error:
    print(type(error).__name__)
z = ok()
"""
    recorded = record(script)
    assert recorded.status == 0, recorded.stderr
    assert [recorded.timeline.view(step).function for step in recorded.steps_of("line")][-2:] == ["ok", "ok"]


@pytest.mark.slow
def test_a_function_mode_of_ones_own_is_seen_inside(record: Forker, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        """\
import torch
from torch.overrides import TorchFunctionMode

class Doubled(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        return result * 2 if func is torch.sin else result

@torch.jit.unused
def f(x):
    return torch.sin(x)

with Doubled():
    g = torch.jit.trace(f, torch.ones(1))
    h = torch.compile(f, backend="eager")
    out = h(torch.ones(1))
print(out, g(torch.ones(1)))
""",
        encoding="utf-8",
    )
    plainly = run_plainly(script, tmp_path / "plain.json")
    recorded = record(script)
    assert recorded.stdout == plainly.stdout
    assert recorded.stderr == plainly.stderr
