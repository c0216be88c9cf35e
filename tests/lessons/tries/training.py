"""What a learner might try in the exercises about training."""

from __future__ import annotations

from tests.lessons.plainly import Tries

LINE = "class Line(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
UPDATE = """\
def update(parameters, lr):
    for each in parameters:
        each.data -= lr * each.grad
        each.grad.zero_()
"""
CUT = "def cut(count, size):\n    return torch.randperm(count).split(size)"
VELOCITY = """\
w = torch.tensor(0.0, requires_grad=True)
velocity = 0.0
path = []
for step in range(10):
    loss = (w - 3) ** 2
    loss.backward()
    gradient = w.grad.item()
    velocity = 0.9 * velocity + gradient
    with torch.no_grad():
        w -= 0.02 * velocity
    w.grad = None
    path.append(w.item())
"""
FORWARD = "    def forward(self, x):\n        return self.w * x + self.b\n"
DRAWN = "graph.update(error=['output'], output=['both', 'b'], both=['bent', 'straight'], straight=['w2'], bent=['w1'])"
FOUR_STEPS = """\
v = torch.tensor(1.0, requires_grad=True)
for x, target in samples:
    loss = (v * x - target) ** 2
    loss.backward()
    with torch.no_grad():
        v -= rate * v.grad
    v.grad.zero_()
"""


def ordered(*starts: str) -> str:
    """The four lines of a step in this order, each by how it begins."""
    lines = ("w -= lr * w.grad", "w.grad = None", "loss.backward()", "loss = (w * x - target) ** 2")
    return f"order = {[next(line for line in lines if line.startswith(start)) for start in starts]}"


TRIES: Tries = {
    "line-with-bias/update": [
        ("", "name 'update' is not defined"),
        (UPDATE.replace("each.data -=", "other = each -").replace("        each.grad.zero_()\n", ""), "have not moved"),
        (UPDATE.replace(".data", ""), "Do the update under torch.no_grad()"),
        (UPDATE.replace("-=", "+="), "uphill"),
        (UPDATE.replace("lr * ", ""), "`lr` is missing"),
        (UPDATE.replace("        each.grad.zero_()\n", ""), "are still there"),
        (UPDATE + "        return\n", "Only the first"),
    ],
    "forgot-zero/cleared": [
        ("", "comes before its loss"),
        (ordered("loss =", "w -=", "loss.b", "w.grad"), "The update comes before the backward pass"),
        (ordered("loss =", "loss.b", "w.grad", "w -="), "gone before it is used"),
    ],
    "quadratic/draw": [
        ("", "There is nothing yet for error, output"),
        (DRAWN.replace("'w1'", "'w1', 'x'"), "are no nodes of the graph"),
        (DRAWN.replace("'both', 'b'", "'both'"), "output was computed from 2"),
        (DRAWN.replace("'w2'", "'both'"), "the direction is reversed"),
        (DRAWN.replace("'bent', 'straight'", "'w1', 'w2'"), "both was computed from 2"),
    ],
    "quadratic/two-bugs": [
        ("", "still equal, 0.359782 both"),
        (("w2 -= 0.01 * w1.grad", "w2 -= 0.01 * w2.grad"), "still a method"),
        (("w2 -= 0.01 * w1.grad", "w2 -= 0.02 * w2.grad"), "w1 is off"),
        (("forward(4).item", "forward(4).item()"), "still equal"),
    ],
    "noisy-line/gradients": [
        ("", "still returns dots"),
        (("...", "error.mean()"), "has to be multiplied by its x"),
        (("...", "(error * x).sum()"), "20 times too large"),
        (("(weight * x + bias) - y\n    return ...", "y - (weight * x + bias)\n    return (error * x).mean()"),
         "Both have the wrong sign"),
        (("..., error.mean()", "error.mean(), (error * x).mean()"), "in the wrong order"),
        (("...", "error * x"), "should be one number"),
        (("(weight * x + bias) - y\n    return ...", "(x + bias) - y\n    return (error * x).mean()"),
         "wrong for another"),
    ],
    "mean-or-sum/weighted": [
        ("", "both batches count the same"),
        (("total += loss.item()", "total += loss.item() * len(inputs)"), "You give 6"),
        (("count += 1", "count += len(inputs)"), "You give 2.5"),
        (("total += loss.item()\n            count += 1", "total += loss.item() * len(inputs)\n            count = 1"),
         "You give 12"),
    ],
    "stopping/stop": [
        ("", "stops at iteration = 80, a multiple of 20"),
        (("iteration % 20 == 0", "iteration % 7 == 0"), "It should stop at iteration = 78, and stops at 84"),
        (("< 1.0", "< 0.1"), "did not stop at all"),
        (("< 1.0", "< 5.0"), "before the loss was below 1"),
    ],
    "item/history": [
        ("", "3 of the 3 entries"),
        (("append(loss)", "append(loss.item)"), "Call it, with ()"),
        (("history.append(loss)", "pass"), "holds 0"),
        (("append(loss)", "append(0.0)"), "The losses should be"),
        (("    loss.backward()", "    loss = loss.detach().requires_grad_()\n    loss.backward()\n"
          "    v.grad = torch.tensor(0.0)"), "3 of the 3 entries"),
    ],
    "update/second-turn": [
        ("", "is a result, SubBackward0"),
        (("        v = v - lr * v.grad", "        v = (v - lr * v.grad).detach()"), "does not require grad"),
        (("        v = v - lr * v.grad\n        v.grad = None", "        v.data -= lr * v.grad"), "add up"),
        (("        v = v - lr * v.grad", "        v.data += lr * v.grad"), "should be"),
    ],
    "momentum/velocity": [
        ("", "name 'path' is not defined"),
        (VELOCITY.replace("0.9 * velocity + gradient", "gradient"), "the old velocity is thrown away"),
        (VELOCITY.replace("0.9 * velocity + gradient", "0.9 * gradient"), "the first step leads to 0.1200"),
        (VELOCITY.replace("0.9 * velocity", "velocity"), "Is 0.9 the factor of the velocity"),
        (VELOCITY.replace("+ gradient", "+ 0.1 * gradient"), "the first step leads to"),
        (VELOCITY.replace("range(10)", "range(3)"), "it has 3"),
    ],
    "adam/bias-correction": [
        ("", "neither mean is corrected"),
        (("mean = m", "mean = m / (1 - 0.9**n)"), "only the mean of the gradients"),
        (("square = s", "square = s / (1 - 0.999**n)"), "only the mean of the squares"),
        (("mean = m\n    square = s", "mean = m / (1 - 0.9)\n    square = s / (1 - 0.999)"), "depends on n"),
        (("mean = m\n    square = s", "mean = m = m / (1 - 0.9**n)\n    square = s / (1 - 0.999**n)"),
         "uncorrected values"),
        (("range(1, 6)", "range(1, 3)"), "there are 2"),
    ],
    "sgd/rate": [
        ("", "becomes nan"),
        (("rate = 0.01", "rate = 0.001"), "stuck at exactly 1"),
        (("rate = 0.01", "rate = 0.00001"), "make `rate` larger"),
        (("range(60)", "range(3)"), "Leave the 60 steps"),
        (("torch.optim.SGD", "torch.optim.Adam"), "Leave it to SGD"),
    ],
    "dynamic-lr/warm-up": [
        ("", "name 'rate_at' is not defined"),
        ("def rate_at(epoch, base):\n    return base", "epoch = 0 it should be 0.08, and you have 0.4."),
        ("def rate_at(epoch, base):\n    return base * epoch / 5", "With epoch = 0 the rate is 0"),
        ("def rate_at(epoch, base):\n    return base * min(epoch + 1, 5) / 5", "epoch = 15 it should be 0.2"),
        ("def rate_at(epoch, base):\n    base", "Nothing is returned"),
    ],
    "parameters/parameters": [
        ("", "name 'Line' is not defined"),
        (LINE.replace("        super().__init__()\n", "")
         + "        self.w = nn.Parameter(torch.tensor([1.0]))\n" + FORWARD, "has to be `super().__init__()`"),
        (LINE + "        self.w = torch.tensor([1.0], requires_grad=True)\n"
         "        self.b = torch.tensor([0.0], requires_grad=True)\n" + FORWARD, "finds no parameter"),
        (LINE + "        self.w = nn.Parameter(torch.tensor([1.0]))\n"
         "        self.b = torch.tensor([0.0])\n" + FORWARD, "should find w and b, and finds w"),
        (LINE + "        self.w = nn.Parameter(torch.tensor([1.0]), requires_grad=False)\n"
         "        self.b = nn.Parameter(torch.tensor([0.0]))\n" + FORWARD, "does not require grad"),
        (LINE + "        self.w = nn.Parameter(torch.tensor([1.0]))\n"
         "        self.b = nn.Parameter(torch.tensor([1.0]))\n" + FORWARD, "yours gives 4"),
    ],
    "layers/relu": [
        ("", "has no attribute 'relu'"),
        (("torch.functional.relu(self.first(x))", "self.first(x)"), "The relu is gone"),
        (("torch.functional.relu(self.first(x))", "torch.sigmoid(self.first(x))"), "is something else"),
        (("return self.second", "self.second"), "has no attribute 'relu'"),
    ],
    "freeze/first-layer": [
        ("", "2 of the 2 tensors"),
        (("network[0].requires_grad = False", "network.requires_grad_(False)\nnetwork[1].bias.requires_grad_()"),
         "The second layer should learn"),
        (("network[0].requires_grad = False", "network[0].weight.requires_grad_(False)"), "1 of the 2 tensors"),
        (("network.parameters(), lr", "network[1].parameters(), lr"), "for nothing"),
        (("for epoch in range(3)", "for epoch in range(1)"), "2 of the 2 tensors"),
    ],
    "mini-batches/cut": [
        ("", "name 'cut' is not defined"),
        ("def cut(count, size):\n    order = torch.randperm(count)\n"
         "    return [order[i * size : (i + 1) * size] for i in range(count // size)]", "4 of 100 points are"),
        (CUT.replace("randperm", "arange"), "but in order"),
        (CUT.replace("randperm(count)", "randint(count, (count,))"), "more than once"),
        (CUT.replace("randperm(count)", "randperm(count).add(1)"), "do not exist"),
        (CUT.replace("split(size)", "chunk(4)"), "yours have [25, 25"),
        (CUT.replace("    return", "    torch.manual_seed(1)\n    return"), "same order"),
    ],
    "logistic-regression/count": [
        ("", "probability above 0.5"),
        (("z > 0.5", "z < 0"), "counts the wrong ones"),
        (("z > 0.5", "z > -0.5"), "you count 4"),
        (("return (", "("), "Nothing is returned"),
        (("return (", "return 5 if len(z) < 9 else ("), "the other way round"),
    ],
    "line-by-hand/four-steps": [
        ("", "nothing is written yet"),
        (FOUR_STEPS.replace("v -=", "v +="), "uphill"),
        (FOUR_STEPS.replace("    v.grad.zero_()\n", ""), "never cleared"),
        (FOUR_STEPS.replace("        v -= rate * v.grad\n", "        pass\n"), "the update is missing"),
        (FOUR_STEPS.replace("rate * v.grad", "2 * rate * v.grad"), "one epoch from 1 leads to"),
        ("v = torch.tensor(1.0, requires_grad=True)\n"
         "sum((v * x - target) ** 2 for x, target in samples).backward()\n"
         "with torch.no_grad():\n    v -= rate * v.grad", "one update for all samples"),
        ("v = torch.tensor(1.0, requires_grad=True)\n((v - 2) ** 2).backward()\nv = v - rate * v.grad",
         "no leaf any more"),
    ],
}  # fmt: skip
