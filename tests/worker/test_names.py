"""What the learner calls things, in the frame where they are."""

from __future__ import annotations

from tests.worker.recording import Forker, Recording
from tutor.explain import plain
from tutor.text import steps
from tutor.trace.names import aliases_of, name_of
from tutor.trace.operands import op_inputs, op_output


def test_containers_modules_objects(record: Forker) -> None:
    recorded = record("""\
import torch
from torch import nn
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(1, 1)
        self.layers = nn.ModuleList([nn.Linear(1, 1)])
class Neuron:
    def __init__(self, w):
        self.w1 = w
    def forward(self, x):
        y = self.w1 * x
        return y
model = Model()
params = [torch.ones(1), (torch.zeros(1), torch.ones(2))]
grads = {"w": torch.ones(1), 2: torch.zeros(1)}
neuron = Neuron(torch.tensor([4.0]))
out = neuron.forward(torch.tensor([5.0]))
params.append(out)
del grads[2]
grads["late"] = out
""")
    names = recorded.names()
    assert set(names) == {
        "model.fc1.weight", "model.fc1.bias", "model.layers[0].weight", "model.layers[0].bias", "params[0]",
        "params[1][0]", "params[1][1]", "params[2]", "grads['w']", "grads['late']", "neuron.w1", "out",
    }  # fmt: skip
    assert names["out"] == names["params[2]"] == names["grads['late']"]
    inside = recorded.op("self.w1 * x")
    view = recorded.timeline.view(inside)
    assert (view.function, view.line) == ("forward", 12)
    assert set(recorded.names(inside)) == {"self.w1", "x", "y"}
    assert (recorded.value("self.w1", inside), recorded.value("y", inside)) == ([4.0], [20.0])
    assert recorded.value("neuron.w1", recorded.line(18) - 1) == [4.0]
    assert op_inputs(recorded.timeline, inside) == ["self.w1", "x"]
    assert op_output(recorded.timeline, inside) == "y"
    assert [frame.function for frame in recorded.timeline.state(inside).frames] == ["<module>", "forward"]
    module = recorded.names(inside, frame=1)
    assert recorded.timeline.state(inside).tensors[module["neuron.w1"]].tensor == names["neuron.w1"]
    assert "grads[2]" in recorded.names(recorded.line(20) - 1)
    assert set(recorded.names(recorded.line(19) - 1)) >= {"params[0]", "out"}
    assert "params[2]" not in recorded.names(recorded.line(19) - 1)


def test_global_and_nonlocal(record: Forker) -> None:
    recorded = record("""\
import torch
total = torch.zeros(1)
def outer():
    inner = torch.ones(1)
    def deeper():
        global total
        nonlocal inner
        total = total + 5
        inner = inner + 1
        last = 0
    deeper()
    return inner
result = outer()
def counter():
    count = torch.zeros(1)
    def add():
        nonlocal count
        count = count + 1
        return count
    return add
add = counter()
count = torch.full((1,), 50.0)
add()
""")
    step = recorded.line(10)
    state = recorded.timeline.state(step)
    values = {frame.function: recorded.names(step, frame.frame) for frame in state.frames}
    assert recorded.timeline.view(step).function == "deeper"
    module, outer = values["<module>"], values["outer"]
    assert state.tensors[module["total"]].value == [5.0]
    assert "total" not in outer
    assert state.tensors[outer["inner"]].value == [2.0]
    assert recorded.value("result") == [2.0]
    # A closure that outlives the function around it leaves the module's name of the same spelling alone.
    assert recorded.value("count") == [50.0]


def test_names_that_come_and_go(record: Forker) -> None:
    recorded = record("""\
import torch
a, (b, *c) = torch.ones(1), [torch.zeros(1), torch.ones(2)]
a = 5
b = None
del c
for i, t in enumerate(torch.eye(2)):
    pass
if (w := torch.tensor(3.0)) > 2:
    x = y = w
u = v = [w]
v = u
u = "text"
""")
    assert set(recorded.names(recorded.line(3) - 1)) == {"a", "b", "c[0]"}
    assert set(recorded.names(recorded.line(5) - 1)) == {"c[0]"}
    assert set(recorded.names(recorded.line(6) - 1)) == set()
    assert set(recorded.names()) == {"t", "w", "x", "y", "v[0]"}
    bound = {name: binding.value for name, binding in recorded.end.frames[0].names.items() if binding.what == "value"}
    assert bound == {"a": 5, "b": None, "i": 1, "u": "text"}


def test_recursion_has_frames_of_its_own(record: Forker) -> None:
    recorded = record("""\
import torch
def down(n, t):
    here = t * n
    if n > 1:
        return down(n - 1, here)
    return here
end = down(3, torch.ones(1))
""")
    step = recorded.op("t * n", 3)
    state = recorded.timeline.state(step)
    assert [frame.function for frame in state.frames] == ["<module>", "down", "down", "down"]
    here = [recorded.names(step, frame.frame)["here"] for frame in state.frames[1:]]
    assert [state.tensors[number].value for number in here] == [[3.0], [6.0], [6.0]]
    assert [recorded.timeline.view(recorded.op("t * n", k)).depth for k in (1, 2, 3)] == [0, 0, 0]
    lines = [recorded.timeline.view(recorded.line(3, k)).depth for k in (1, 2, 3)]
    assert lines == [1, 2, 3]
    assert [frame.function for frame in recorded.end.frames] == ["<module>"]


def test_generators_come_and_go_from_the_stack(record: Forker) -> None:
    recorded = record("""\
import torch
def count(t):
    while True:
        t = t + 1
        yield t
left, right = count(torch.zeros(1)), count(torch.full((1,), 10.0))
a = next(left)
b = next(right)
c = next(left)
left.close()
""")
    inside = recorded.op("t + 1", 3)
    state = recorded.timeline.state(inside)
    assert [frame.function for frame in state.frames] == ["<module>", "count"]
    assert recorded.value("t", inside) == [2.0]
    (other,) = state.suspended.values()
    assert state.tensors[other.names["t"].ref].value == [11.0]
    outside = recorded.line(9)
    assert [frame.function for frame in recorded.timeline.state(outside).frames] == ["<module>"]
    assert len(recorded.timeline.state(outside).suspended) == 2
    assert len(recorded.end.suspended) == 1


def test_modules_of_the_learners(record: Forker) -> None:
    recorded = record(
        "import torch\nimport helper\nfrom pack.part import scaled, SCALE\nx = scaled(torch.ones(1))\n",
        beside={
            "helper.py": "import torch\nOWN = torch.zeros(1)\n",
            "pack/__init__.py": "",
            "pack/part.py": "import torch\nSCALE = torch.tensor(3.0)\n"
            "def scaled(t):\n    out = t * SCALE\n    return out\n",
        },
    )
    assert recorded.status == 0, recorded.stderr
    assert {source.path for source in recorded.timeline.sources.values()} >= {"helper.py", "pack/part.py"}
    step = recorded.op("t * SCALE")
    view = recorded.timeline.view(step)
    assert (view.file, view.line, view.function) == ("pack/part.py", 4, "scaled")
    assert (recorded.value("out", step), recorded.value("x"), recorded.value("SCALE")) == ([3.0], [3.0], 3.0)
    assert set(recorded.names()) == {"x", "SCALE"}
    within = recorded.timeline.state(recorded.op("torch.zeros(1)") - 1)
    assert [frame.function for frame in within.frames] == ["<module>", "<module>"]


def names_in_steps(recorded: Recording, kind: str, field: str) -> list[str]:
    return [steps.record(recorded.timeline, step)[field] for step in recorded.steps_of(kind)]


def test_a_name_counts_from_where_it_is_bound_until_its_frame_is_gone(record: Forker) -> None:
    recorded = record("""\
import torch
def run():
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    def step_now(p):
        with torch.no_grad():
            p -= 0.1 * p.grad
        p.grad = None
    a.register_post_accumulate_grad_hook(step_now)
    for i in range(2):
        (a * a).sum().backward()
    held = [[[a]]]
    del a
    (held[0][0][0] * 2).sum().backward()
run()
""")
    assert names_in_steps(recorded, "accumulate", "tensor")[:2] == ["a", "a"]
    texts = names_in_steps(recorded, "accumulate", "text")
    assert all(text.startswith("a.grad was None") for text in texts[:2])
    assert "p.grad" not in texts[2]
    hooks = names_in_steps(recorded, "hook", "text")
    assert [text.partition(" changes")[0] for text in hooks[:2]] == ["hook step_now on a"] * 2
    inside = recorded.op("0.1 * p.grad")
    assert op_inputs(recorded.timeline, inside) == ["p.grad", "0.1"]


def test_what_a_function_returns_is_assigned_nowhere(record: Forker) -> None:
    recorded = record("""\
import torch
class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, g):
        return g * 2
def shifted(a):
    return a + 1
def kept(b):
    out = b - 1
    return out
x = torch.tensor([1.0, 2.0], requires_grad=True)
u = Twice.apply(Twice.apply(x))
u.sum().backward()
v = shifted(x)
w = kept(shifted(x))
""")
    for code, count in (("x * 2", 2), ("g * 2", 2), ("a + 1", 2)):
        for number in range(1, count + 1):
            step = recorded.op(code, number)
            assert op_output(recorded.timeline, step) is None
            assert plain(recorded.timeline, step).partition(": ")[2].startswith(f"{code} = ")
    assert op_output(recorded.timeline, recorded.op("b - 1")) == "out"
    assert {"v", "w"} <= set(recorded.names())


def test_keys_of_module_dicts_are_written_as_attributes_where_they_can_be(record: Forker) -> None:
    recorded = record("""\
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleDict({"wte": nn.Linear(1, 1, bias=False), "a b": nn.Linear(1, 1, bias=False)})
        self.parts["for"] = nn.Linear(1, 1, bias=False)
        self.scales = nn.ParameterDict({"first": torch.ones(1), "2": torch.ones(1)})
net = Net()
""")
    assert set(recorded.names()) == {
        "net.parts.wte.weight", "net.parts['a b'].weight", "net.parts['for'].weight", "net.scales.first",
        "net.scales['2']",
    }  # fmt: skip


def test_one_name_for_several_of_one_tensor(record: Forker) -> None:
    recorded = record("""\
import torch
model = torch.nn.Linear(2, 1)
raw_model = model
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for param_group in optimizer.param_groups:
    for p in param_group["params"]:
        p.grad = None
w = torch.ones(1)
weights = [w]
also = w
""")
    names, state = recorded.names(), recorded.end
    assert {"model.weight", "raw_model.weight", "param_group['params'][0]", "p", "model.bias", "also"} <= set(names)
    assert aliases_of(state) == {
        "model.weight": ["raw_model.weight", "param_group['params'][0]"],
        "model.bias": ["raw_model.bias", "param_group['params'][1]", "p"],
        "w": ["weights[0]", "also"],
    }
    assert [name_of(state, names[name]) for name in ("p", "raw_model.weight", "also")] == [
        "model.bias", "model.weight", "w",
    ]  # fmt: skip
