"""What tensors without a name are called: by the source text that made them, never by a number or a node's class."""

from __future__ import annotations

import re

import pytest

from tests.worker.recording import Forker, Recording
from tutor.explain import plain
from tutor.explain.expressions import enclosed, undoubled
from tutor.explain.provenance import describe_result_of
from tutor.text import steps
from tutor.trace.operands import op_inputs

NUMBERED = re.compile(r"%\d+")
NODE_AS_TENSOR = re.compile(r"Backward\d* (gets|[-+·] )|(to|of|and) \w+Backward\d+\b(?! had)|[(/]\w+Backward\d")

PROGRAMS = {
    "categorical": """\
d = torch.distributions.Categorical(logits=x)
(-d.log_prob(torch.tensor(1)) * 2).backward()
""",
    "weight norm": """\
layer = torch.nn.utils.parametrizations.weight_norm(nn.Linear(3, 1))
layer(x).sum().backward()
""",
    "gumbel": "(F.gumbel_softmax(x, tau=0.5) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()\n",
    "scaler": """\
scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
loss = (x * x).sum()
scaler.scale(loss).backward()
""",
    "encoder": """\
encoder = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, dropout=0.0)
encoder(torch.randn(1, 3, 4)).sum().backward()
""",
    "einsum": 'e = torch.einsum("i,j->", x, torch.ones(2))\ne.backward()\n',
    "gru": """\
gru = nn.GRU(2, 2, batch_first=True)
q, h = gru(torch.ones(1, 2, 2))
q.sum().backward()
""",
    "lstm": """\
lstm = nn.LSTM(2, 2)
out, _ = lstm(torch.ones(2, 1, 2))
out.mean().backward()
""",
    "normal": """\
n = torch.distributions.Normal(x, x.exp() + 1)
n.log_prob(torch.zeros(3)).mean().backward()
""",
    "attention": """\
attention = nn.MultiheadAttention(4, 2, batch_first=True)
y, _ = attention(*[torch.randn(1, 3, 4)] * 3)
y.sum().backward()
""",
    "spectral norm": """\
layer = torch.nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2))
layer(x).sum().backward()
""",
    "literals": "((x * torch.tensor([1.0, 2.0, 3.0])) @ torch.ones(3)).backward()\n",
    "functional": """\
f = torch.func.grad(lambda z: (z ** 2).sum())
f(x.detach())
torch.autograd.functional.hessian(lambda z: (z ** 3).sum(), x.detach())
torch.autograd.gradcheck(lambda z: z.double().exp(), (x.detach().double().requires_grad_(),))
""",
    "parameters that only an optimizer holds": """\
box = [[[[torch.ones(2, requires_grad=True)]]]]
opt = torch.optim.Adam(box[0][0][0], lr=0.1)
box[0][0][0][0].grad = torch.ones(2)
opt.step()
opt.zero_grad()
box[0][0][0][0].data = torch.zeros(2)
(box[0][0][0][0] * 2).sum().backward()
opt.step()
x.sum()
""",
    "scripted": """\
layer = torch.jit.script(nn.Linear(3, 1))
opt = torch.optim.SGD(layer.parameters(), lr=0.1)
layer(x).sum().backward()
opt.step()
opt.zero_grad()
x.sum()
""",
    "hooks": """\
def look(*gradients):
    pass
deep = [[[[x * 2]]]]
deep[0][0][0][0].register_hook(look)
deep[0][0][0][0].retain_grad()
deep[0][0][0][0].grad_fn.register_hook(look)
deep[0][0][0][0].sum().backward()
torch.autograd.grad((x * 3).sum(), torch.ones(3, requires_grad=True), allow_unused=True)
""",
    "packed": """\
rnn = nn.LSTM(1, 2, batch_first=True, bidirectional=True)
lengths = torch.tensor([1, 2])
some = nn.utils.rnn.pack_padded_sequence(torch.ones(2, 2, 1), lengths, batch_first=True, enforce_sorted=False)
_, (h, c) = rnn(some)
torch.cat([h[-2], h[-1]]).pow(2).sum().backward()
""",
    "held": "deep = [[[x * 2]]]\n(deep[0][0][0] + 1).sum().backward()\n",
}


def run(record: Forker, code: str) -> Recording:
    recorded = record(
        "import torch\nfrom torch import nn\nimport torch.nn.functional as F\ntorch.manual_seed(0)\n"
        "x = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)\n" + code
    )
    assert recorded.status == 0, recorded.stderr
    return recorded


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_number_and_no_class_of_a_node_stands_for_a_tensor(record: Forker, program: str) -> None:
    recorded = run(record, PROGRAMS[program])
    texts = [plain(recorded.timeline, step) for step in range(1, recorded.timeline.steps + 1)]
    wrong = [text for text in texts if NUMBERED.search(text) or NODE_AS_TENSOR.search(text)]
    assert not wrong
    told = [text.partition("Its element")[0] for text in texts if "Backward" in text]
    assert not [text for text in told if re.search(r"(?<!\w)\?(?!\w)|\bmat[12]\b|its other input|\.\.|\(\(\(", text)]


def test_what_the_sentences_say(record: Forker) -> None:
    gumbel = run(record, PROGRAMS["gumbel"])
    nodes = [plain(gumbel.timeline, step) for step in gumbel.steps_of("node")]
    assert any(text.startswith("AddBackward0, of x + an inner tensor of F.gumbel_softmax:") for text in nodes)
    held = run(record, PROGRAMS["held"])
    nodes = [plain(held.timeline, step) for step in held.steps_of("node")]
    assert any("of deep[0][0][0] + 1" in text or "of (x * 2) + 1" in text for text in nodes)


INNER = """\
class Mix(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.out, self.scale = nn.Linear(3, 3), nn.Linear(3, 2), nn.Parameter(torch.ones(3))
        self.blocks = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
    def forward(self, rows):
        for block in self.blocks:
            rows = rows + block(rows)
        return self.out(F.softmax(rows @ self.fc.weight, dim=-1) + rows) * self.scale[:2]
class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Mix(), Mix()])
    def forward(self, rows):
        return self.blocks[0](rows) @ torch.ones(2, 3) + self.blocks[1](rows).sum()
model = Outer()
(model(x.reshape(1, 3)) @ (x + x.exp())).sum().backward()
"""


def test_names_inside_of_modules(record: Forker) -> None:
    recorded = run(record, INNER)
    timeline = recorded.timeline
    texts = {step: plain(timeline, step) for step in range(1, timeline.steps + 1)}
    ran = [texts[step] for kind in ("node", "op", "accumulate") for step in recorded.steps_of(kind)]
    assert not [text for text in ran if re.search(r"softmax\.\w|\(\([^()]*\)\)", text)]
    for step in recorded.steps_of("op"):
        names = op_inputs(timeline, step)
        assert "model" not in timeline.state(step).frames[0].names or not {"self.fc.weight", "self.scale"} & {*names}


def test_parentheses_are_not_doubled() -> None:
    for text in ("(a + b)", "(a + …)", "(x + self.blocks[2](…))", "(a + b)ᵀ"):
        assert enclosed(text) == text
    assert [enclosed(text) for text in ("a + b", "(a) + (b)", "f(a)", "w")] == ["(a + b)", "((a) + (b))", "f(a)", "w"]
    texts = {"softmax((a + b))": "softmax(a + b)", "f((1, 2))": "f((1, 2))", "((a)·(b))": "((a)·(b))",
             "x·(-((x + y)))": "x·(-(x + y))", "((((a))))": "(a)"}  # fmt: skip
    assert {text: undoubled(text) for text in texts} == texts


def test_a_leaf_without_a_name_is_called_by_its_source(record: Forker) -> None:
    recorded = run(record, "torch.full((3,), 0.5, requires_grad=True).sum().backward()\n")
    (step,) = recorded.steps_of("accumulate")
    source = "torch.full((3,), 0.5, requires_grad=True)"
    assert steps.record(recorded.timeline, step)["tensor"] == source
    assert plain(recorded.timeline, step).startswith(f"{source}.grad was None; [1 1 1] arrives")


def test_results_of_nodes() -> None:
    named = {
        "AddBackward0": "add(…)", "TBackward0": "t(…)", "UnsafeSplitBackward0": "unsafe_split(…)",
        "AvgPool2DBackward0": "avg_pool2d(…)",
        "MulBackward": "Mul.apply(…)", "MyReLUBackward": "MyReLU.apply(…)", "CopySlices": "copy_slices(…)",
    }  # fmt: skip
    assert {node: describe_result_of(node) for node in named} == named


def test_a_parameter_that_only_an_optimizer_holds_is_no_tensor_of_its_own(record: Forker) -> None:
    recorded = run(record, PROGRAMS["parameters that only an optimizer holds"])
    texts = [plain(recorded.timeline, step) for step in range(1, recorded.timeline.steps + 1)]
    source = "torch.ones(2, requires_grad=True)"
    assert any(f"{source}.grad was None and is now [1 1]" in text for text in texts)
    assert any("Adam.step" in text and f"{source} was [1 1]" in text for text in texts)
    assert any(f"Adam.zero_grad: {source}.grad [1 1] → None" in text for text in texts)
