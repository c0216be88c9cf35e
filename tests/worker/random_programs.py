"""Random programs of what people write: blocks of statements, each of which works on the names that others left.

A program is a list of blocks drawn by a seed. Tensors have the shape [2, 3] where nothing else is said, so that blocks
fit each other in any order. What fails in a block is caught and printed, and the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

HEAD = """\
import copy
import io
import threading
import warnings
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset
warnings.simplefilter("ignore")
class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t):
        ctx.save_for_backward(t)
        return t * 2 + t.sin()
    @staticmethod
    def backward(ctx, g):
        (t,) = ctx.saved_tensors
        return g * (2 + t.cos())
class Box:
    def __init__(self, weight):
        self.weight = weight
        self.layer = nn.Linear(3, 3)
        self.steps = 0
    def __call__(self, t):
        self.steps += 1
        hidden = self.layer(t * self.weight)
        return hidden.tanh()
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
        self.heads = nn.ModuleDict({"mean": nn.Linear(3, 1)})
        self.scale = nn.Parameter(torch.ones(3))
        self.register_buffer("seen", torch.zeros(1))
    def forward(self, t):
        self.seen += 1
        for block in self.blocks:
            t = torch.relu(block(t)) * self.scale
        return self.heads["mean"](t)
def scaled(t, factor=0.5):
    inner = t * factor
    return inner + t
def halves(t):
    for row in t:
        yield row / 2
"""


class Writer:
    """What a program has so far: names of leaves that want a gradient, of other tensors, and lines."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.leaves: list[str] = []
        self.others: list[str] = []
        self.count = 0
        self.lines: list[str] = []

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def literal(self, rows: int = 2, columns: int = 3) -> str:
        numbers = [[round(self.random.uniform(-2, 2), 1) for _ in range(columns)] for _ in range(rows)]
        return f"torch.tensor({numbers})"

    def leaf(self) -> str:
        return self.random.choice(self.leaves)

    def any(self) -> str:
        return self.random.choice([*self.leaves, *self.others])

    def add(self, *lines: str) -> None:
        self.lines += lines

    def other(self, text: str) -> str:
        name = self.name("t")
        self.add(f"{name} = {text}")
        self.others.append(name)
        return name


Block = Callable[[Writer], None]


def make_leaf(w: Writer) -> None:
    name = w.name("w")
    form = w.random.choice(
        [
            "{x}.requires_grad_()",
            "nn.Parameter({x})",
            "({x} * 2).detach().requires_grad_()",
            "{x}.clone().requires_grad_()",
        ]
    )
    w.add(f"{name} = {form.format(x=w.literal())}")
    w.leaves.append(name)


def compute(w: Writer) -> None:
    form = w.random.choice([
        "{x} * {y}", "({x} + {y}).tanh()", "{x} @ {y}.t() @ {y}", "{x}.exp().clamp(max=5) - {y}", "Double.apply({x})",
        "scaled({x})", "scaled({y}, factor={x}.mean())", "torch.stack(list(halves({x})))",
        "F.softmax({x}, dim=1) * {y}",
        "torch.where({x} > 0, {x}, {y})", "torch.cat([{x}[:1], {y}[1:]])", "{x}.detach() * {y}", "{x}.clone()",
        "F.layer_norm({x}, (3,))", "{x} / ({y}.abs() + 1)", "torch.stack([r * 2 for r in {x}])",
        "{x}.contiguous()",
        "copy.deepcopy({x}.detach())", "torch.as_tensor({x})", "F.relu({x}) + {y}",
    ])  # fmt: skip
    w.other(form.format(x=w.any(), y=w.any()))


def alias(w: Writer) -> None:
    kind = w.random.choice(["plain", "list", "dict", "tuple", "box", "swap"])
    x, y = w.any(), w.any()
    if kind == "plain":
        w.other(x)
    elif kind == "list":
        w.add(f"{w.name('items')} = [{x}, {y}]")
    elif kind == "dict":
        w.add(f"{w.name('table')} = {{'a': {x}, 'b': [{y}]}}")
    elif kind == "tuple":
        w.add(f"{w.name('pair')} = ({x}, {y})")
    elif kind == "box":
        w.add(f"{w.name('box')} = Box({x})")
    else:
        w.add(f"{x}, {y} = {y}, {x}")


def view(w: Writer) -> None:
    form = w.random.choice(
        [
            "{x}[0]",
            "{x}[:, 1:]",
            "{x}.view(-1)",
            "{x}.t()",
            "{x}.detach()",
            "{x}.data",
            "{x}.detach()[1]",
            "{x}.diagonal()",
        ]
    )
    name = w.name("v")
    if w.random.random() < 0.5:
        w.add("with torch.no_grad():", f"    {name} = {form.format(x=w.any())}")
    else:
        w.add(f"{name} = {form.format(x=w.any())}")
    if w.random.random() < 0.8:
        write = w.random.choice(
            ["{v}.mul_(2)", "{v} += 1", "{v}[..., 0] = 4.0", "{v}.fill_(0.5)", "{v}.copy_({v} * 2)"]
        )
        if w.random.random() < 0.6:
            w.add("with torch.no_grad():", f"    {write.format(v=name)}")
        else:
            w.add(write.format(v=name))


def write(w: Writer) -> None:
    x, y = w.any(), w.any()
    form = w.random.choice([
        "{x}.data -= 0.1 * {y}.detach()", "{x}.data = {y}.detach().clone()", "{x}.detach().add_(1)",
        "{x}.data[0] = 2.0",
        "{x}.add_({y}.detach())", "{x}[0] = 5.0", "{x} += {y}", "torch.add({y}.detach(), 1, out={x}.data)",
        "{x}.data.copy_({y}.data)", "nn.init.constant_({x}, 0.5)", "torch._foreach_mul_([{x}.data, {y}.data], 0.5)",
        "{x}.set_({y}.detach().clone())", "{x}.data.set_({y}.detach().clone())",
        "{x}.data.index_put_((torch.tensor([0]),), torch.tensor(3.0))",
        "{x}.data.uniform_(-1, 1)", "{x}.requires_grad_(False)", "{x}.requires_grad_()", "{x}.retain_grad()",
    ])  # fmt: skip
    line = form.format(x=x, y=y)
    if w.random.random() < 0.5 and "data" not in form:
        w.add("with torch.no_grad():", f"    {line}")
    else:
        w.add(line)


def rows(w: Writer) -> None:
    w.add("with torch.no_grad():", f"    for row in {w.any()}:", "        row /= row.norm() + 1")


def out(w: Writer) -> None:
    x, y, o = w.any(), w.any(), w.name("o")
    w.add(f"{o} = {w.random.choice(['torch.empty(0)', 'torch.zeros(2, 3)', 'torch.zeros(2, 2, 3)[1]'])}")
    call = w.random.choice(["torch.mul", "torch.maximum", "torch.atan2", "torch.add"])
    w.add(f"{call}({x}.detach(), {y}.detach(), out={o})", f"torch.sin({o}, out={o})")
    w.others.append(o)


def inference(w: Writer) -> None:
    a, b, x = w.name("a"), w.name("b"), w.any()
    w.add("with torch.inference_mode():", f"    {a} = torch.zeros(2, 3)", f"    {a}[0] = 1.0", f"    {a} += {x}")
    w.add(f"    {b} = {a}[1]", f"    {b}.mul_(3)", f"    torch.add({a}, 1, out={a})")
    if w.random.random() < 0.5:
        w.add(f"    {x}.data.mul_(1.5)")


def numpy(w: Writer) -> None:
    a, x = w.name("a"), w.any()
    if w.random.random() < 0.5:
        w.add(f"{a} = {x}.detach().numpy()", f"{a}[0, 0] = 9.0", f"np.add({a}, 1, out={a})")
    else:
        w.add(f"{a} = np.ones((2, 3), dtype=np.float32)", f"t{a} = torch.from_numpy({a})", f"{a} *= 3", f"t{a}.add_(1)")
        w.others.append(f"t{a}")


def thread(w: Writer) -> None:
    f, t, x = w.name("work"), w.name("thread"), w.any()
    body = w.random.choice(["{x}.data.add_(1)", "({x} * 2).sum().backward()", "{x}.data[0] = 7.0", "made = {x} * 2"])
    w.add(f"def {f}():", f"    {body.format(x=x)}")
    # On one line, which is one statement for no one: what a thread has done before it is joined is a matter of luck.
    w.add(f"{t} = threading.Thread(target={f})", f"{t}.start(); {t}.join()")


def backward(w: Writer) -> None:
    x, y = w.any(), w.leaf()
    loss = w.name("loss")
    w.add(f"{loss} = ({x} * {y}).sum() + ({y} ** 2).mean()")
    form = w.random.choice([
        ["{l}.backward()"], ["{l}.backward(retain_graph=True)", "{l}.backward()"], ["({l} / 4).backward()"],
        ["torch.autograd.backward([{l}, {y}.sum()])"], ["g{l} = torch.autograd.grad({l}, {y}, create_graph=True)[0]",
        "g{l}.pow(2).sum().backward()"], ["{l}.backward()", "{l}.backward()"], ["{l}.backward(inputs=[{y}])"],
        ["{y}.grad = None", "{l}.backward()"], ["{l}.backward()", "{y}.grad.zero_()"],
        ["{l}.backward()", "{y}.grad *= 0.5"],
        ["{l}.backward()", "kept = {y}.grad", "kept.mul_(2)"],
        ["{l}.backward()", "nn.utils.clip_grad_norm_([{y}], 0.5)"],
    ])  # fmt: skip
    w.add(*(line.format(l=loss, y=y) for line in form))


def hooks(w: Writer) -> None:
    y = w.leaf()
    form = w.random.choice([
        ["h = {y}.register_hook(lambda g: g * 2)", "({y} * {y}).sum().backward()", "h.remove()"],
        ["m = {y} * 3", "m.register_hook(lambda g: g + 1)", "m.retain_grad()", "(m * m).sum().backward()"],
        ["def after(p):", "    p.grad = p.grad * 0.5", "h = {y}.register_post_accumulate_grad_hook(after)",
         "({y} ** 2).sum().backward()", "h.remove()"],
        ["def after(p):", "    with torch.no_grad():", "        p.sub_(0.1 * p.grad)", "        p.grad = None",
         "h = {y}.register_post_accumulate_grad_hook(after)", "({y} ** 2).sum().backward()", "h.remove()"],
        ["m = {y}.sin()", "m.grad_fn.register_hook(lambda i, o: (i[0] * 2,))", "m.sum().backward()"],
        ["layer = nn.Linear(3, 3)", "h = layer.register_forward_hook(lambda m, i, o: o * 2)",
         "layer({y}).sum().backward()", "h.remove()"],
        ["layer = nn.Linear(3, 3)", "h = layer.register_full_backward_hook(lambda m, i, o: (i[0] * 2,))",
         "layer({y}).sum().backward()", "h.remove()"],
    ])  # fmt: skip
    w.add(*(line.format(y=y) for line in form))


_OPTIMIZERS = [
    "SGD", "SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "NAdam", "RAdam", "Adamax", "Adadelta", "ASGD", "Rprop",
    "Adafactor", "Muon", "LBFGS",
]  # fmt: skip


def train(w: Writer) -> None:
    y, z, opt = w.leaf(), w.leaf(), w.name("opt")
    kind = w.random.choice(_OPTIMIZERS)
    options = ""
    if kind in ("SGD", "Adam", "AdamW", "Adagrad") and w.random.random() < 0.4:
        options += ", fused=True"
    elif kind not in ("Muon", "LBFGS") and w.random.random() < 0.3:
        options += ", foreach=True"
    if kind == "SGD" and w.random.random() < 0.5:
        options += ", momentum=0.9"
    w.add(f"{opt} = torch.optim.{kind}(list(dict.fromkeys([{y}, {z}])), lr=0.1{options})")
    closure = kind == "LBFGS" or w.random.random() < 0.2
    body = [f"{opt}.zero_grad()", f"loss = (({y} - 1) ** 2).mean() + ({z} * {w.any()}).sum()", "loss.backward()"]
    if closure:
        w.add("def closure():", *(f"    {line}" for line in body), "    return loss")
        body = [f"{opt}.step(closure)"]
    else:
        body.append(f"{opt}.step()")
    w.add(f"for step in range({w.random.randint(1, 3)}):", *(f"    {line}" for line in body))
    w.add(f"kept = dict({opt}.state[{y}])")


def amp(w: Writer) -> None:
    y = w.leaf()
    w.add("scaler = torch.amp.GradScaler('cpu', init_scale=8.0)", f"opt = torch.optim.SGD([{y}], lr=0.1)")
    w.add("for step in range(2):", "    opt.zero_grad()", "    with torch.autocast('cpu', dtype=torch.bfloat16):")
    w.add(f"        pred = {y} @ {y}.t()", "        loss = pred.float().pow(2).mean()")
    w.add("    scaler.scale(loss).backward()")
    if w.random.random() < 0.7:
        w.add("    scaler.unscale_(opt)", f"    torch.nn.utils.clip_grad_norm_([{y}], 0.5)")
    w.add("    scaler.step(opt)", "    scaler.update()")


def modules(w: Writer) -> None:
    x = w.any()
    kind = w.random.choice(["list", "dict", "box", "net", "nested"])
    net = w.name("net")
    if kind == "list":
        w.add(f"{net} = [nn.Linear(3, 3), nn.Linear(3, 1)]", f"made = {net}[1]({net}[0]({x}).relu())")
        every = f"[*{net}[0].parameters(), *{net}[1].parameters()]"
    elif kind == "dict":
        w.add(
            f"{net} = {{'body': nn.Linear(3, 3), 'head': nn.Linear(3, 1)}}", f"made = {net}['head']({net}['body']({x}))"
        )
        every = f"[p for layer in {net}.values() for p in layer.parameters()]"
    elif kind == "box":
        w.add(f"{net} = Box(torch.ones(3, requires_grad=True))", f"made = {net}({x})")
        every = f"[{net}.weight, *{net}.layer.parameters()]"
    elif kind == "net":
        w.add(f"{net} = Net()", f"made = {net}({x})")
        every = f"list({net}.parameters())"
    else:
        w.add(
            f"{net} = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Tanh(), nn.Linear(2, 1)))", f"made = {net}({x})"
        )
        every = f"list({net}.parameters())"
    w.add("made.sum().backward()")
    step = w.random.choice(
        ["p.sub_(0.1 * p.grad)", "p.copy_(p * 0.5)", "p[0].fill_(0.25)", "p.data.add_(1)", "p.grad.zero_()"]
    )
    w.add("with torch.no_grad():", f"    for p in {every}:", f"        {step}")
    if w.random.random() < 0.3 and kind in ("net", "nested"):
        w.add(f"saved = {net}.state_dict()", f"{net}.load_state_dict({{k: v * 2 for k, v in saved.items()}})")
    if w.random.random() < 0.2 and kind in ("net", "nested"):
        w.add(f"other = copy.deepcopy({net})", "buffer = io.BytesIO()", "torch.save(other.state_dict(), buffer)")
        w.add("buffer.seek(0)", "loaded = torch.load(buffer)")


def layers(w: Writer) -> None:
    kind = w.random.choice(["norm", "dropout", "lstm", "embedding", "conv", "attention"])
    net = w.name("net")
    if kind == "norm":
        w.add(f"{net} = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.Linear(4, 1))")
        w.add("for step in range(2):", f"    loss = {net}({w.any()}.detach()).pow(2).mean()", "    loss.backward()")
    elif kind == "dropout":
        w.add(
            f"{net} = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5))",
            f"made = {net}({w.any()})",
            "made.sum().backward()",
        )
    elif kind == "lstm":
        w.add(f"{net} = nn.LSTM(3, 2)", "state = None", "for step in range(2):")
        w.add(f"    made, state = {net}({w.any()}.detach().unsqueeze(1), state)", "    made.sum().backward()")
        w.add("    state = tuple(s.detach() for s in state)")
    elif kind == "embedding":
        w.add(
            f"{net} = nn.Embedding(4, 3, padding_idx=0)",
            f"made = {net}(torch.tensor([1, 2, 1]))",
            "made.sum().backward()",
        )
    elif kind == "conv":
        w.add(f"{net} = nn.Conv1d(2, 1, 2)", f"made = {net}({w.any()}.unsqueeze(0))", "made.sum().backward()")
    else:
        w.add(f"{net} = nn.MultiheadAttention(3, 1)", f"x = {w.any()}.unsqueeze(1)", f"made, weights = {net}(x, x, x)")
        w.add("made.sum().backward()")


def loader(w: Writer) -> None:
    x, y, total = w.any(), w.leaf(), w.name("total")
    workers = 2 if w.random.random() < 0.08 else 0
    w.add(f"data = TensorDataset({x}.detach(), torch.arange(2.0))")
    w.add(f"{total} = 0", f"for bx, by in DataLoader(data, batch_size=1, num_workers={workers}):")
    w.add(f"    loss = ((bx * {y}).sum(1) - by).pow(2).mean()", "    loss.backward()", f"    {total} += loss.item()")


def loops(w: Writer) -> None:
    x, y = w.any(), w.any()
    form = w.random.choice([
        ["h = {x} * 1", "for i in range(3):", "    h = torch.tanh(h * {y} + i)", "h.sum().backward()"],
        ["h = torch.zeros(4, 3)", "for i in range(1, 3):", "    h[i] = h[i - 1] + {y}[0]", "h.sum().backward()"],
        ["n = 0", "while n < 3:", "    n += 1", "    if n == 2:", "        continue", "    part = {x} * n"],
        ["made = [scaled({x} * i) for i in range(2)]", "sum(m.sum() for m in made).backward()"],
        ["def outer(t):", "    total = t * 0", "    def inner(k):", "        nonlocal total",
         "        total = total + t * k",
         "        return total", "    for k in range(2):", "        inner(k)", "    return total",
         "made = outer({x})", "made.sum().backward()"],
        ["states = []", "for row in halves({x}):", "    states.append(row)", "made = torch.stack(states) * {y}"],
        ["def segment(t):", "    inner = (t * t).sin()", "    return inner * t",
         "made = checkpoint(segment, {x} * 1, use_reentrant=False)", "made.sum().backward()"],
        ["made = torch.func.grad(lambda t: (t * t).sum())({x}.detach())"],
        ["made = torch.vmap(lambda r: r * 2 + 1)({x})", "made.sum().backward()"],
    ])  # fmt: skip
    w.add(*(line.format(x=x, y=y) for line in form))


def without_tensors(w: Writer) -> None:
    """Loops and functions that touch no tensor, or one after a while."""
    x, f, n = w.any(), w.name("f"), w.name("n")
    count, at = w.random.choice([5, 17, 30]), w.random.choice([1, 4, 9])
    loop = w.random.choice([
        ["for i in range({count}):", "    {n} += i % 3"],
        ["for i in (k * 2 for k in range({count})):", "    if i % 5 == 4:", "        continue", "    {n} += 1"],
        ["i = 0", "while i < {count}:", "    i += 1", "    if i == {at}:", "        {n} += int({x}.sum() > 0)"],
        ["for i in range({count}):", "    {n} += {f}(i)"],
        ["for i in range({count}):", "    try:", "        {n} += 1 // (i % 4)", "    except ZeroDivisionError:",
         "        {n} -= 1"],
        ["for i, row in enumerate([{x}] * {count}):", "    {n} += i"],
        ["for i in range({count}):", "    for j in range({count}):", "        {n} += (i * j) % 7"],
        ["{n} += sum({f}(i) for i in range({count}))"],
        ["for i in range({at}):", "    h = {x} * {f}(i)", "    {n} += {f}(i + 1)"],
        ["{n} += max(sorted(range({count}), key={f}))", "{n} += {f}({count})"],
    ])  # fmt: skip
    function = w.random.choice([
        ["def {f}(i, scale=2):", "    total = i * scale", "    return total % 7"],
        ["def {f}(i):", "    return i if i < 2 else {f}(i - 1) % 5 + 1"],
        ["def {f}(i):", "    if i == {at}:", "        inner = {x} * i", "        return int(inner.sum() > 0)",
         "    return i % 3"],
        ["kept = []", "def {f}(i):", "    kept.append({x} if i == {at} else i)", "    return len(kept) % 4"],
        ["held = dict(first={x})", "def {f}(i):", "    if i == {at}:", "        held['second'] = held['first']",
         "    return i % 2"],
        ["def {f}(i):", "    try:", "        return 6 // (i - {at})", "    except ZeroDivisionError:",
         "        return 1"],
        ["class Counter:", "    def __init__(self):", "        self.seen = 0", "    def add(self, i):",
         "        self.seen += i", "        return self.seen % 5", "{f} = Counter().add"],
        ["calls = 0", "def {f}(i):", "    nonlocal calls", "    calls += 1", "    return calls % 3"],
    ])  # fmt: skip
    lines = [*function, "{n} = 0", *loop]
    w.add(*(line.format(x=x, f=f, n=n, count=count, at=at) for line in lines))
    w.other(f"{x} * ({n} % 10)")


def rebind(w: Writer) -> None:
    y = w.leaf()
    form = w.random.choice(["{y} = {y}.detach().requires_grad_()", "{y} = ({y} * 0.5)", "{y} = {y}.double().float()"])
    w.add(form.format(y=y))


BLOCKS: list[tuple[Block, int]] = [
    (make_leaf, 2), (compute, 4), (alias, 2), (view, 4), (write, 4), (rows, 1), (out, 1), (inference, 1), (numpy, 1),
    (thread, 1), (backward, 4), (hooks, 2), (train, 4), (amp, 1), (modules, 3), (layers, 2), (loader, 1), (loops, 3),
    (rebind, 1), (without_tensors, 3),
]  # fmt: skip
"""With how often each is drawn."""


def blocks_of(seed: int) -> list[list[str]]:
    """The blocks of the program with this seed."""
    random = Random(f"program {seed}")
    writer = Writer(random)
    found = []
    kinds = [make_leaf, make_leaf, compute, *random.choices(*zip(*BLOCKS, strict=True), k=random.randint(6, 12))]
    for kind in kinds:
        writer.lines = []
        kind(writer)
        found.append(writer.lines)
    return found


def function_of(number: int, blocks: list[list[str]]) -> str:
    """A function that runs the blocks; what fails in one is printed."""
    lines = [f"torch.manual_seed({number})"]
    for block in blocks:
        lines += ["try:", *(f"    {line}" for line in block), "except Exception as error:"]
        lines += ["    print(type(error).__name__, str(error).splitlines()[0][:90])"]
    lines.append("done = True")
    return f"def program_{number}():\n" + "\n".join(f"    {line}" for line in lines) + f"\nprogram_{number}()\n"


def script_of(programs: dict[int, list[list[str]]]) -> str:
    """All of them, one after the other, each in a function of its own."""
    return HEAD + "".join(function_of(number, blocks) for number, blocks in programs.items())
