"""What a learner might try in the exercises about pitfalls."""

from __future__ import annotations

from tests.lessons.plainly import Tries

TRIES: Tries = {
    "float64/at-the-door": [
        ("", "still returns float64 twice"),
        ("def load(inputs, targets):\n    return torch.from_numpy(inputs).float(), torch.from_numpy(targets)",
         "so the loss is too"),
        ("net.double()", "the whole network"),
        ("def load(inputs, targets):\n    return torch.from_numpy(inputs).int(), torch.from_numpy(targets).float()",
         "are still torch.int32"),
        ("def load(inputs, targets):\n    return torch.from_numpy(inputs).float(), torch.from_numpy(targets).float()\n"
         "def cost(net, inputs, targets):\n    return ((net(inputs).double() - targets) ** 2).mean()",
         "something in cost converts"),
    ],
    "to-makes-nonleaf/float64-weights": [
        ("", "still a computed tensor (ToCopyBackward0)"),
        ("weights = torch.tensor([1.0, 3.0], requires_grad=True)", "should be float64, and are torch.float32"),
        ("weights.retain_grad()", "no leaf: the optimizer rejects it"),
        ("weights = weights.detach()", "it is not marked"),
        ("weights = weights.detach().requires_grad_()", "no gradient has reached it"),
        ("weights = torch.tensor([1.0, 3.0]).to(torch.float64).requires_grad_()\n(weights**2).sum().backward()",
         "should be [0.8, 2.4], and are [1.0, 3.0]"),
    ],
    "item-too-early/silent": [
        ("", "v is still 1"),
        ("for iteration in range(3):\n    optimizer.zero_grad()\n    cost = (v * 3 - 6) ** 2\n    cost.backward()\n"
         "    optimizer.step()\n    history.append(cost)", "`history` should hold three losses, and holds 6"),
        ("history = []\nfor iteration in range(3):\n    optimizer.zero_grad()\n    cost = (v * 3 - 6) ** 2\n"
         "    cost.backward()\n    optimizer.step()\n    history.append(cost)", "keeps its whole graph in memory"),
        ("history = []\nfor iteration in range(3):\n    cost = (v * 3 - 6) ** 2\n    cost.backward()\n"
         "    optimizer.step()\n    history.append(cost.item())", "After three iterations v should be 1.999"),
    ],
    "detached-loss/two-cuts": [
        ("", "`first` gets nothing"),
        ("first.grad = second.grad = None\nhidden = torch.relu(first * 4)\nanswer = hidden * second\n"
         "loss = (answer - 1) ** 2 + 0.5 * second.data**2\nloss.backward()", "there is another cut"),
        ("first.grad = second.grad = None\nhidden = torch.relu(first * 4).detach()\nanswer = hidden * second\n"
         "loss = (answer - 1) ** 2 + 0.5 * second**2\nloss.backward()", "`first` gets nothing"),
        ("first.grad = second.grad = None\nloss = (torch.relu(first * 4) * second - 1) ** 2\nloss.backward()",
         "should stay 11, and is 9"),
    ],
    "broadcast-loss/flat-line": [
        ("", "Nothing is typed yet"),
        ('first = "cost"', "10 instead of 0"),
        ('first = "squares"', "that had 16 already"),
        ('first = "answers"', "`answers` is right"),
        ('first = "targets"', "They meet a column later"),
        ('first = "error"', "It is not `error`"),
    ],
    "carried-state/let-go": [
        ("", "the history still counts"),
        ("u.grad, gradients = None, []\nfor x in [1.0, -1.0, 2.0]:\n    state = torch.tanh(u * x)\n"
         "    loss = (state - 0.5) ** 2\n    loss.backward()\n    gradients.append(u.grad.item())\n    u.grad = None",
         "begins with an empty state"),
        ("u.grad, gradients, state = None, [], torch.tensor(0.0)\nfor x in [1.0, -1.0, 2.0]:\n"
         "    state = torch.tanh(u * x + state.detach())\n    loss = (state - 0.5) ** 2\n"
         "    loss.backward(retain_graph=True)\n    gradients.append(u.grad.item())\n    u.grad = None",
         "retain_graph=True is not needed any more"),
        ("gradients = gradients[:1]", "there are 1"),
    ],
    "numpy-and-grad/shares": [
        ("", "`shares` has no history"),
        ("shares = torch.from_numpy(powers / powers.sum()).requires_grad_()\n(-shares[0].log()).backward()",
         "begins a new, separate graph"),
        ("powers = torch.exp(scores)\nshares = powers / powers.sum().detach()\n(-shares[0].log()).backward()",
         "Is a part still cut off?"),
        ("shares = powers / powers.sum()", "should be a tensor"),
        ("shares = scores / scores.sum()", "The shares should stay"),
    ],
    "plain-tensor-module/hidden-layers": [
        ("", "of `last` only"),
        ("class Stack(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
         "        self.inner = nn.ModuleList([nn.Linear(2, 2)])\n        self.last = nn.Linear(2, 1)\n"
         "    def forward(self, x):\n        return self.last(self.inner[0](x))", "three layers, with six tensors"),
        ("class Stack(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
         "        self.inner = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])\n"
         "        self.last = nn.Linear(2, 1)\n    def forward(self, x):\n        return self.last(x)",
         "`forward` does not use them"),
    ],
    "eval-and-no-grad/evaluate": [
        ("", "name 'evaluate' is not defined"),
        ("def evaluate(net, x):\n    with torch.no_grad():\n        return net(x)", "dropout is still at work"),
        ("def evaluate(net, x):\n    net.eval()\n    return net(x)", "eval() does not switch the recording off"),
        ("def evaluate(net, x):\n    net.eval()\n    with torch.no_grad():\n        return net(x)",
         "still in eval mode"),
        ("def evaluate(net, x):\n    net.eval()\n    with torch.no_grad():\n        net(x)\n    net.train()",
         "should return the answer"),
        ("def evaluate(net, x):\n    net.train()\n    with torch.no_grad():\n        return net(x)",
         "dropout is still at work"),
    ],
    "gan-order/pulled": [
        ("", "go by the generator's loss alone"),
        ("def train_step(g, d, g_optimizer, d_optimizer):\n    d_optimizer.zero_grad()\n    g_optimizer.zero_grad()\n"
         "    fake = g * 2\n    ((d * fake.detach()) ** 2 + (d * 3 - 1) ** 2).backward()\n    d_optimizer.step()\n"
         "    (d * (g.detach() * 2) - 1) ** 2\n    g_optimizer.step()", "The generator does not learn any more"),
        ("def train_step(g, d, g_optimizer, d_optimizer):\n    d_optimizer.zero_grad()\n    g_optimizer.zero_grad()\n"
         "    ((d.detach() * g * 2 - 1) ** 2).backward()\n    g_optimizer.step()",
         "The discriminator does not learn any more"),
        ("def train_step(g, d, g_optimizer, d_optimizer):\n    g_optimizer.zero_grad()\n    fake = g * 2\n"
         "    ((d * fake.detach()) ** 2 + (d * 3 - 1) ** 2).backward()\n    d_optimizer.step()\n"
         "    ((d * fake - 1) ** 2).backward()\n    g_optimizer.step()",
         "The discriminator's part was right as it was"),
    ],
    "nan-where/entropy": [
        ("", "the logarithm still meets the 0"),
        ("def entropy(p):\n    return -(p * p.clamp(min=0.1).log()).sum() * 0", "should be 0.5623, and is"),
        ("def entropy(p):\n    p = p.detach()\n    return -torch.where(p > 0, p * p.log(), 0.0).sum()",
         "has no history"),
        ("def entropy(p):\n    return -(p * (p + 1e-10).log()).sum()", "a very small number in the place of 0"),
    ],
    "list-of-tensors/turned": [
        ("", "not computed from `angle`"),
        ("def rotation(angle):\n    c, s = angle.cos(), angle.sin()\n"
         "    return torch.tensor([[c, -s], [s, c]], requires_grad=True)", "made a new leaf of it"),
        ("def rotation(angle):\n    c, s = angle.cos(), angle.sin()\n    return torch.stack([c, -s, s, c])",
         "two rows and two columns, and has the shape [4]"),
        ("def rotation(angle):\n    c, s = angle.cos(), angle.sin()\n"
         "    return torch.stack([c, s, -s, c]).reshape(2, 2)", "For the angle 1.2 the matrix should be"),
        ("def rotation(angle):\n    c, s = angle.cos(), angle.sin()\n"
         "    return torch.stack([c, -s.detach(), s, c]).reshape(2, 2)", "Is one of the four cut off?"),
    ],
    "nan-where/first-nan": [
        ("", "Nothing is typed yet"),
        ('first = "total"', "where you notice it"),
        ('first = "shares"', "wrong already"),
        ('first = "centred"', "as it should be"),
        ('first = "heights"', "It is not `heights`"),
    ],
}  # fmt: skip
